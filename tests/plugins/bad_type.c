/* SPDX-License-Identifier: Apache-2.0
 *
 * An option of a type that does not exist.
 */
#include "tiny.h"

static const struct tw_option options[] = { { "window", "5", NULL, NULL, "of what type?", 99, 0 }, TW_END };
TINY_DETECTOR(TINY("bad_type"), .options = options, .self_size = 8);
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
