/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding a time on the tape: segments by their spans, then event by event, for events need not come in order of time.
 */
#include "event/event.h"
#include "state/store_impl.h"

/* The first segment that holds an event of that time or later. */
static int32_t find_segment(struct store *s, int64_t ts, uint64_t *ret_first, struct tw_err *err)
{
	struct segment *g = NULL, *next;
	struct segment_head h;
	int32_t rc = segment_find(s, LOG_TAPE, 1, &g, err);

	while (rc == TW_OK) {
		rc = segment_head_now(s, g, &h, err);
		if (rc == TW_OK && h.events && h.max_ts >= ts) {
			*ret_first = h.first;
			break;
		}
		if (rc == TW_OK)
			rc = segment_after(s, g, &next, err);
		if (rc == TW_OK) {
			segment_unref(s, g);
			g = next;
		}
	}
	if (g)
		segment_unref(s, g);
	return rc;
}

int32_t store_find_time(struct store *s, int64_t ts, uint64_t last, uint64_t *ret, struct tw_err *err)
{
	struct log_reader *reader = NULL;
	uint64_t first = 0;
	struct block b;
	int32_t rc = find_segment(s, ts, &first, err);

	if (rc == TW_OK)
		rc = log_reader_open(&reader, s, LOG_TAPE, first, err);
	while (rc == TW_OK && (rc = log_reader_next(reader, &b, err)) == TW_OK) {
		const unsigned char *event;
		uint16_t source;
		size_t at = 0, len;

		while (tape_record(&b, &at, &source, &event, &len)) {
			if (event_seq(event) > last) {
				rc = TW_AGAIN;
				goto out;
			}
			if (event_ts(event) >= ts) {
				*ret = event_seq(event);
				goto out;
			}
		}
	}
out:
	log_reader_close(reader);
	return rc;
}
