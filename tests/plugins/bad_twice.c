/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds two detectors of one name.
 */
#include "tiny.h"

static const struct tw_detector one = { TINY("bad_twice") }, two = { TINY("bad_twice") };
static const struct tw_detector *const both[] = { &one, &two, NULL };
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, both, NULL, NULL)
