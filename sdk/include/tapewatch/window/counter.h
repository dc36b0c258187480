/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/counter.h - counting per stretch of event time: tumbling stretches, and a sliding window of buckets.
 *
 *   struct tw_tumbling closed;                                tumbling: one stretch after another
 *   switch (tw_tumbling_push(w, ev->ts, width, 1, &closed)) {
 *   case TW_CLOSED: judge(closed.count);  break;              the stretch before is over; ev is in the new one
 *   case TW_LATE:   c->counters[LATE]++;  break;              ev belongs to a stretch that is over: not counted
 *   }
 *
 *   uint32_t size = tw_sliding_size(buckets);                 sliding: bytes of state, 16 per bucket
 *   tw_sliding_advance(w, buckets, width, ev->ts);            let go of what is too old,
 *   burst = w->count >= limit;                                judge first,
 *   if (tw_sliding_push(w, buckets, width, ev->ts, size) == TW_LATE)  push afterwards
 *           c->counters[LATE]++;
 *
 * Times and widths are ns, 0 < width. Stretches are aligned to multiples of width since 1970, so that they do not depend
 * on when counting began. Only pushing moves time: to see that nothing happens, set a timer.
 *
 * Late events. A tumbling counter says TW_LATE and changes nothing: the stretch has been judged. Whoever wants the event
 * in the open stretch all the same does w->count++. A sliding counter puts a late event into its own bucket as long as
 * that bucket is in the window, where it counts as if it had come in time, and says TW_LATE beyond. Neither ever goes
 * back in time; an event with a ts far in the future closes everything before it.
 */
#ifndef TAPEWATCH_WINDOW_COUNTER_H
#define TAPEWATCH_WINDOW_COUNTER_H

#include <tapewatch/window/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TW_LATE = 0, TW_COUNTED = 1, TW_CLOSED = 2 };

/* ---- tumbling -----------------------------------------------------------------------------------------------------*/
struct tw_tumbling {
	int64_t end; /* of the stretch being counted; it does not belong to it */
	uint64_t count;
};

/* The end of the stretch that holds ts; INT64_MAX where that is later than time goes. */
static inline int64_t tw_tumbling_end(int64_t ts, int64_t width)
{
	int64_t in = ts % width;

	if (in < 0)
		in += width;
	return ts > INT64_MAX - (width - in) ? INT64_MAX : ts + (width - in);
}

/* Count n > 0 at ts. When this closes a stretch, that one is left in *closed, else *closed is untouched. */
static inline int tw_tumbling_push(struct tw_tumbling *w, int64_t ts, int64_t width, uint64_t n,
				   struct tw_tumbling *closed)
{
	int64_t end;

	if (ts < w->end && ts >= 0 && w->end - ts <= width && w->end != INT64_MAX) { /* nearly always, without dividing */
		w->count += n;
		return TW_COUNTED;
	}
	end = tw_tumbling_end(ts, width);
	if (!w->count && !w->end) { /* nothing was ever counted */
		w->end = end;
		w->count = n;
		return TW_COUNTED;
	}
	if (end < w->end)
		return TW_LATE;
	if (end == w->end) {
		w->count += n;
		return TW_COUNTED;
	}
	*closed = *w;
	w->end = end;
	w->count = n;
	return TW_CLOSED;
}

/* How many stretches without events lie between the one that was closed and the one that is open. */
static inline uint64_t tw_tumbling_skipped(const struct tw_tumbling *closed, const struct tw_tumbling *w, int64_t width)
{
	return ((uint64_t)w->end - (uint64_t)closed->end - 1) / (uint64_t)width;
}

/* ---- sliding ------------------------------------------------------------------------------------------------------
 * The open bucket and buckets - 1 before it: what is counted is between (buckets - 1) x width and buckets x width old.
 * `count` is exact. `sum` is made anew from the buckets whenever one of them leaves, so it does not drift.
 */
struct tw_bucket {
	uint64_t count;
	double sum;
};

struct tw_sliding { /* followed by the buckets */
	int64_t newest;  /* number of the open bucket: ts / width, rounded down */
	uint64_t count;  /* in the window */
	double sum;      /* of the amounts in the window */
	uint32_t at;     /* the open bucket */
	uint32_t started;
};

static inline uint32_t tw_sliding_size(uint32_t buckets)
{
	return tw_align16(sizeof(struct tw_sliding) + (uint64_t)buckets * sizeof(struct tw_bucket));
}

static inline struct tw_bucket *tw_sliding_buckets(struct tw_sliding *w)
{
	return (struct tw_bucket *)(void *)(w + 1);
}

static inline int64_t tw_sliding_number(int64_t ts, int64_t width)
{
	int64_t n = ts / width;

	return n - (ts < 0 && n * width != ts);
}

TW_RARE void tw_sliding_turn(struct tw_sliding *w, uint32_t buckets, uint64_t steps)
{
	struct tw_bucket *b = tw_sliding_buckets(w);
	uint32_t i;

	if (steps >= buckets) {
		memset(b, 0, buckets * sizeof *b);
		w->count = 0;
		w->sum = 0;
		return;
	}
	while (steps--) {
		w->at = w->at + 1 == buckets ? 0 : w->at + 1;
		w->count -= b[w->at].count;
		b[w->at].count = 0;
		b[w->at].sum = 0;
	}
	w->sum = 0;
	for (i = 0; i < buckets; i++)
		w->sum += b[i].sum;
}

/* Let time go on to ts; nothing happens when it is there already. */
static inline void tw_sliding_advance(struct tw_sliding *w, uint32_t buckets, int64_t width, int64_t ts)
{
	int64_t number = tw_sliding_number(ts, width);

	if (!w->started) {
		w->started = 1;
		w->newest = number;
	}
	if (number > w->newest) {
		tw_sliding_turn(w, buckets, (uint64_t)number - (uint64_t)w->newest);
		w->newest = number;
	}
}

/* Count one event of this amount at ts. An amount that is not tw_usable() counts as 0. */
static inline int tw_sliding_push(struct tw_sliding *w, uint32_t buckets, int64_t width, int64_t ts, double amount)
{
	struct tw_bucket *b = tw_sliding_buckets(w);
	uint64_t back;
	uint32_t i;

	tw_sliding_advance(w, buckets, width, ts);
	back = (uint64_t)w->newest - (uint64_t)tw_sliding_number(ts, width);
	if (back >= buckets)
		return TW_LATE;
	i = w->at >= back ? w->at - (uint32_t)back : w->at + buckets - (uint32_t)back;
	if (!tw_usable(amount))
		amount = 0;
	b[i].count++;
	b[i].sum += amount;
	w->count++;
	w->sum += amount;
	return TW_COUNTED;
}

#ifdef __cplusplus
}
#endif
#endif
