/* SPDX-License-Identifier: Apache-2.0
 *
 * Two options at the same bytes.
 */
#include "tiny.h"

struct self {
	int64_t window, limit;
};
static const struct tw_option options[] = { { "window", "5", NULL, NULL, "first", TW_T_INT, 0 },
					    { "names", "", NULL, NULL, "second", TW_T_LIST, 0 },
					    TW_END };
TINY_DETECTOR(TINY("bad_overlap"), .options = options, .self_size = sizeof(struct self));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
