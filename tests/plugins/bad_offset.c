/* SPDX-License-Identifier: Apache-2.0
 *
 * An option that lies outside the struct of options.
 */
#include "tiny.h"

struct self {
	int64_t window, limit;
};
static const struct tw_option options[] = {
	TW_INT(struct self, window, "5", "1", "9", "inside"),
	TW_INT(struct self, limit, "5", "1", "9", "outside"),
	TW_END,
};
TINY_DETECTOR(TINY("bad_offset"), .options = options, .self_size = 8);
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
