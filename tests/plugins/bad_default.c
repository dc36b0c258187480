/* SPDX-License-Identifier: Apache-2.0
 *
 * An option whose default is not in its range.
 */
#include "tiny.h"

struct self {
	int64_t window;
};
static const struct tw_option options[] = { TW_INT(struct self, window, "50", "1", "9", "too large by itself"),
					    TW_END };
TINY_DETECTOR(TINY("bad_default"), .options = options, .self_size = sizeof(struct self));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
