/* SPDX-License-Identifier: Apache-2.0
 *
 * null: counts records and drops them. For measuring, and as the shortest example of a sink.
 */
#include <tapewatch/plugin.h>

struct null {
	int64_t records;
};

static int32_t null_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			  struct tw_err *e)
{
	(void)records, (void)e;
	((struct null *)self)->records += n;
	*done = n;
	return TW_OK;
}

TW_SINK(.name = "null", .version = "1.0.0", .summary = "counts records and drops them",
	.doc = "Accepts everything and keeps nothing: for measurements, and for runs whose alerts are read with\n"
	       "`tapewatch alerts`.",
	.self_size = sizeof(struct null), .write = null_write)
