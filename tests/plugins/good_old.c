/* SPDX-License-Identifier: Apache-2.0
 *
 * Built long ago: its struct ends before members that came later, its rows are longer than today's.
 */
#include "tiny.h"

struct row {
	struct tw_option row;
	uint64_t more[3];
};
struct self {
	int64_t window, limit;
};
/* clang-format off */
static const struct row rows[] = {
	{ TW_INT(struct self, window, "5", "1", "9", "the first"), { 1, 2, 3 } },
	{ TW_INT(struct self, limit, "7", "1", "9", "the second"), { 4, 5, 6 } },
	{ TW_END, { 0 } },
};
/* clang-format on */

/* Behind the size that the struct names stands something that must not be taken for a callback. */
static int32_t never(struct tw_ctx *c, void *state, int64_t due)
{
	(void)c;
	(void)state;
	(void)due;
	return TW_E_FATAL;
}

TINY_DETECTOR(TINY_SIZED("good_old", offsetof(struct tw_detector, timer), sizeof(struct row)), .options = &rows[0].row,
	      .self_size = sizeof(struct self), .timer = never);
TINY_MANIFEST(TW_MAGIC, TW_ABI_MAJOR << 16, offsetof(struct tw_manifest, sources), TW_EVENT_SCHEMA, tiny_list_,
	      (const void *)1, (const void *)1)
