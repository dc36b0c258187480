/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources and sinks under test. A source is polled by the host's own pump, through a poll() that may be given less
 * room; a sink is called as core/run/delivery.c calls it, but on demand and without pauses.
 */
#ifndef KIT_ENDPOINT_H
#define KIT_ENDPOINT_H

#include "kit/kit.h"

#define KIT_MAX_MARKS 100000u

/* ---- sources ---- */
struct kit_dead {
	const char *reason, *where, *detail; /* terminated */
	uint32_t events;                     /* came before it */
};
struct kit_mark { /* a position and what lay before it */
	struct tw_pos pos;
	uint32_t events, dead;
};
struct kit_got { /* what a source brought */
	struct kit_events events;
	struct kit_dead *dead;
	struct kit_mark *marks;
	uint32_t n_dead, n_marks;
	uint64_t skipped;
	bool ended; /* done, or nothing for now; else it would have gone on */
	struct arena arena;
};

struct kit_source;
/* resume: NULL or a position. Opens at the first poll. */
struct kit_source *kit_source_new(struct kit_plan *, const struct tw_pos *resume, struct tw_err *);
void kit_source_end(struct kit_source *);  /* closes it; what it brought stays. Before another is made of the plan */
void kit_source_free(struct kit_source *);
/* One poll with room for so many events. What poll() or open() returned; the sentence in e. */
int32_t kit_source_poll(struct kit_source *, uint32_t room, struct tw_err *e);
/* Until it is done, has nothing, fails, or has brought so many events; at most so many polls, then TW_E_FATAL. */
int32_t kit_source_all(struct kit_source *, uint32_t room, uint32_t polls, uint32_t events, struct tw_err *e);
const struct kit_got *kit_source_got(const struct kit_source *);
/* Read again from this position, or from the beginning, `room` events a poll: the rest must be the same. TW_OK, or TW_E_DATA
 * with a text for people appended to why. */
int32_t kit_source_compare(struct kit_plan *, const struct kit_got *, const struct kit_mark *from, uint32_t room,
			   int64_t start, struct buf *why);

/* ---- sinks ---- */
struct kit_sink;
struct kit_sink *kit_sink_new(struct kit_plan *, struct tw_err *);
void kit_sink_free(struct kit_sink *); /* closes it */
/* Records from `from` up to `upto` are written and flushed. TW_OK, or what write(), flush() or open() said; refused
 * ones are counted and passed over. *ret_done: so many from `from` on are safe. */
int32_t kit_sink_deliver(struct kit_sink *, const struct kit_events *, uint32_t from, uint32_t upto, uint32_t *ret_done,
			 struct tw_err *e);
/* The same without the flush. */
int32_t kit_sink_write(struct kit_sink *, const struct kit_events *, uint32_t from, uint32_t upto, uint32_t *ret_done,
		       struct tw_err *e);
int32_t kit_sink_open(struct kit_sink *, struct tw_err *e);
void kit_sink_close(struct kit_sink *);
uint64_t kit_sink_refused(const struct kit_sink *);

#endif
