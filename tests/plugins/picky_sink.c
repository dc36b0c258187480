/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink for tests/torture that refuses some records for good: those about every so many-th event. The others it takes
 * and forgets.
 */
#include <stdio.h>
#include <tapewatch/plugin.h>

struct picky {
	int64_t every;
};

static const struct tw_option options[] = {
	TW_INT(struct picky, every, "7", "1", "1000000", "refuse what is about an event whose number this divides"),
	TW_END,
};

static int32_t picky_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			   struct tw_err *e)
{
	const struct picky *p = self;

	for (*done = 0; *done < n; ++*done) {
		if (records[*done]->seq % (uint64_t)p->every)
			continue;
		snprintf(e->msg, sizeof e->msg, "event %" PRIu64 " is not wanted here", records[*done]->seq);
		return e->code = TW_E_DATA;
	}
	return TW_OK;
}

TW_SINK(.name = "picky_sink", .version = "1.0.0", .summary = "refuses some records", .options = options,
	.self_size = sizeof(struct picky), .write = picky_write)
