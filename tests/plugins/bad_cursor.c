/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink that says where it is and cannot be told.
 */
#include "tiny.h"

static int32_t cursor_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			    struct tw_err *e)
{
	(void)self, (void)records, (void)e;
	*done = n;
	return TW_OK;
}

static int32_t cursor_position(void *self, struct tw_pos *pos, struct tw_err *e)
{
	(void)self, (void)pos, (void)e;
	return TW_AGAIN;
}

TW_SINK(.name = "bad_cursor", .version = "1.0.0", .summary = "half a cursor", .self_size = 16, .write = cursor_write,
	.position = cursor_position)
