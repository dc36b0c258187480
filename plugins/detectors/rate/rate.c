/* SPDX-License-Identifier: Apache-2.0
 *
 * rate: too many events, too few, or none at all, against what a key has shown in the windows before.
 *
 * Windows are closed by timers and not by the next event, so that a feed that has gone silent is seen while it is
 * silent: only other events, or the host's clock, have to go on.
 */
#include <tapewatch/fields.h>

enum { BOTH, UPPER, LOWER };
enum { WARMING, FLAT, ADAPTED, FORGOTTEN };
enum { WINDOWS_MAX = 100000 /* of one gap, each of which costs a call */ };

struct rate {
	int64_t window, history, min_history, silence, forget, adapt, repeat, sided, deviation, emit;
	double k;
};

struct state { /* followed by the window of past counts */
	struct tw_tumbling now;
	int64_t last;      /* time of the latest event */
	uint32_t counting; /* 0: nothing seen, or forgotten */
	uint32_t partial;  /* counting began inside the current window, so it cannot be compared */
	uint32_t silent;   /* the current silence was reported */
	uint32_t run;      /* windows in a row with too many or too few */
};

static const char *const counters[] = { "warming", "flat", "adapted", "forgotten", NULL };

static const struct tw_option options[] = {
	TW_DURATION(struct rate, window, "1m", "1ms", "1d", "events are counted per window of this length"),
	TW_FLOAT(struct rate, k, "4", "0", "1e9", "bounds are mean +- k standard deviations of the counts before"),
	TW_INT(struct rate, history, "60", "2", "5000", "how many windows are remembered"),
	TW_INT(struct rate, min_history, "10", "2", "5000", "how many of them it takes to judge"),
	TW_DURATION(struct rate, silence, "0", "0", "365d",
		    "report a key without events for so long, without learning; 0: a window without events where the "
		    "lower bound is above 0"),
	TW_DURATION(struct rate, forget, "1d", "1ms", "365d", "after so long without events stop, and learn anew"),
	TW_INT(struct rate, adapt, "30", "1", "100000", "so many windows in a row beyond a bound are a new normal"),
	TW_BOOL(struct rate, repeat, "false", "report every window of a silence, not only the first"),
	TW_ENUM(struct rate, sided, "both", "both|upper|lower", "lower: too few and silence; upper: too many"),
	TW_ENUM(struct rate, deviation, "sample", "sample|population", "divide squares by n - 1, or by n"),
	TW_BOOL(struct rate, emit, "false", "emit abs(count - mean) / deviation of every judged window"),
	TW_END,
};

static const char doc[] =
	"Events per key and tumbling window, aligned to multiples of `window` in event time, against mean +- k x\n"
	"standard deviation of the counts of up to `history` windows before. Types:\n"
	"  rate_high, rate_low  the count is outside the bounds; score = abs(count - mean) / deviation\n"
	"  silence              no event at all, where the lower bound is above 0; score = mean / max(deviation, 1).\n"
	"                       With `silence: 30s` instead: no event for that long; score = time / silence\n"
	"A silence is reported once, unless `repeat: true`.\n"
	"\n"
	"Windows end by timers on event time, so each window of a gap is judged as time passes it; live, the host's\n"
	"clock events see to that. An event that comes late counts in the window that is open. The window in which a\n"
	"key first shows up is not complete and neither judged nor learned.\n"
	"\n"
	"Windows beyond a bound and silent ones are not learned, so that an outage cannot make itself normal. After\n"
	"`adapt` windows in a row with too many or too few events the new level is accepted: learning starts over "
	"with\n"
	"them (counter `adapted`). A silence is no level: after `forget` without an event (a weekend) the key's timer\n"
	"stops and learning starts over with its next event (`forgotten`). Nothing is judged before `min_history`\n"
	"windows (`warming`), and rates are not where all counts are the same (`flat`); silence is.\n"
	"Bounds learned from counts per window are those of FXTrue; there a window without events did not exist.\n";

static uint32_t state_size_of(const void *self)
{
	const struct rate *o = self;

	return (uint32_t)sizeof(struct state) + tw_window_size((uint32_t)o->history);
}

static int32_t check(const void *self, struct tw_err *e)
{
	const struct rate *o = self;

	if (o->min_history > o->history) {
		snprintf(e->msg, sizeof e->msg, "min_history: %" PRId64 " is more than history, which is %" PRId64,
			 o->min_history, o->history);
		return e->code = TW_E_CONFIG;
	}
	if (o->forget / o->window > WINDOWS_MAX) {
		snprintf(e->msg, sizeof e->msg,
			 "forget: a silence would last %" PRId64
			 " windows; expected at most %d, so shorten forget or lengthen "
			 "window",
			 o->forget / o->window, WINDOWS_MAX);
		return e->code = TW_E_CONFIG;
	}
	if (o->silence > o->forget) {
		snprintf(e->msg, sizeof e->msg,
			 "silence: longer than forget, so it would never be reported; lengthen forget");
		return e->code = TW_E_CONFIG;
	}
	return TW_OK;
}

static struct tw_window *history_of(struct state *s)
{
	return (struct tw_window *)(void *)(s + 1);
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

/* One window of a silence. Bounds are there when learned > 0. */
static int32_t report_silence(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, struct state *s,
			      int64_t quiet, double mean, double deviation, uint32_t learned)
{
	struct tw_finding f;

	if ((s->silent && !o->repeat) || o->sided == UPPER)
		return TW_OK;
	s->silent = 1;
	if (o->silence) {
		f = tw_finding((double)quiet / (double)o->silence, seconds(quiet), (double)NAN, seconds(o->silence));
		f.type = "silence";
		return tw_report(c, ev, &f, "no events for %.6g s (silence is %.6g s)", seconds(quiet),
				 seconds(o->silence));
	}
	f = tw_finding(mean / (deviation > 1 ? deviation : 1), 0, mean, mean - o->k * deviation);
	f.type = "silence";
	return tw_report(c, ev, &f,
			 "no events in a window of %.6g s, %.6g s since the last one; expected %.6g and at least %.6g "
			 "(mean - %.6g x %.4g of the last %" PRIu32 " windows)",
			 seconds(o->window), seconds(quiet), mean, f.threshold, o->k, deviation, learned);
}

static int32_t report_rate(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, uint64_t count,
			   double mean, double deviation, uint32_t learned)
{
	int high = (double)count > mean;
	double bound = high ? mean + o->k * deviation : mean - o->k * deviation;
	struct tw_finding f = tw_finding(fabs((double)count - mean) / deviation, (double)count, mean, bound);

	if (o->sided != BOTH && high != (o->sided == UPPER))
		return TW_OK;
	f.type = high ? "rate_high" : "rate_low";
	return tw_report(c, ev, &f,
			 "%" PRIu64
			 " events in a window of %.6g s; expected %.6g and at %s %.6g (mean %s %.6g x %.4g of "
			 "the last %" PRIu32 " windows)",
			 count, seconds(o->window), mean, high ? "most" : "least", bound, high ? "+" : "-", o->k,
			 deviation, learned);
}

/* The window has passed: judge its count, and learn it if there was nothing unusual about it. */
static int32_t judge(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, struct state *s, uint64_t count,
		     int64_t end)
{
	struct tw_window *w = history_of(s);
	int ready = w->n >= o->min_history, flat = 1;
	double mean = 0, deviation = 0, x = (double)count;
	int64_t quiet = end - s->last;
	int32_t rc = TW_OK;

	if (count)
		s->silent = 0;
	if (ready) {
		struct tw_spread d = tw_window_judge(w, x);
		mean = x - d.distance;
		deviation = sqrt(d.squares / (o->deviation ? w->n : w->n - 1));
		flat = d.squares <= 0;
		if (o->emit && !flat) {
			double score = fabs(d.distance) / deviation;
			rc = tw_emit_scores(c, ev, &score, 1);
			if (rc < 0)
				return rc;
		}
	}
	if (!count && (o->silence ? quiet >= o->silence : ready && mean - o->k * deviation > 0))
		return report_silence(c, o, ev, s, quiet, mean, deviation, w->n);
	if (!ready) {
		c->counters[WARMING]++;
	} else if (flat) {
		c->counters[FLAT]++;
	} else if (x > mean + o->k * deviation || x < mean - o->k * deviation) {
		if (!count) /* on the way to a silence */
			return TW_OK;
		rc = report_rate(c, o, ev, count, mean, deviation, w->n);
		if (++s->run < o->adapt)
			return rc;
		c->counters[ADAPTED]++;
		w->n = w->at = 0;
	}
	s->run = 0;
	tw_window_push(w, (uint32_t)o->history, x);
	return rc;
}

static int32_t close_window(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, struct state *s)
{
	uint64_t count = s->now.count;
	int64_t end = s->now.end;
	int32_t rc = TW_OK;

	s->now.count = 0;
	s->now.end = tw_tumbling_end(end, o->window);
	if (s->partial)
		s->partial = 0;
	else
		rc = judge(c, o, ev, s, count, end);
	if (end - s->last >= o->forget || s->now.end == INT64_MAX) {
		c->counters[FORGOTTEN]++;
		s->counting = s->silent = s->run = 0;
		history_of(s)->n = history_of(s)->at = 0;
	}
	return rc;
}

/* ---- windows in which there is nothing to say ----
 * A key that is silent costs nothing while it is: its timer is set for the end of the next window that could say
 * something, and the windows before are closed when that comes, or the next event does.
 */

/* The windows of a history are all empty, and so are its sums: one more changes nothing but the place. */
static int is_void(const struct rate *o, const struct tw_window *w)
{
	return w->n == o->history && w->sums.anchor == 0 && w->sums.s1 == 0 && w->sums.s2 == 0 && w->sums.made == 0;
}

/* Empty windows up to `to` of which is known what they do. same: the one before changed nothing at all. */
static void skip(struct tw_ctx *c, const struct rate *o, struct state *s, int64_t to, int same)
{
	struct tw_window *w = history_of(s);
	int64_t n, limit;

	if (!same && !is_void(o, w))
		return;
	if (to > INT64_MAX - o->window)
		to = INT64_MAX - o->window;
	if (__builtin_add_overflow(s->last, o->forget - 1, &limit) || limit > to)
		limit = to;
	if (o->silence && s->now.end - s->last < o->silence && s->last + o->silence - 1 < limit)
		limit = s->last + o->silence - 1;
	else if (o->silence && s->now.end - s->last >= o->silence && !same)
		return;
	if (s->now.end > limit)
		return;
	n = (limit - s->now.end) / o->window + 1;
	s->now.end += n * o->window;
	if (same)
		return;
	w->at = (uint32_t)((w->at + (uint64_t)n) % (uint64_t)o->history);
	c->counters[w->n < o->min_history ? WARMING : FLAT] += (uint64_t)n;
}

/* Close the windows that have ended by `to`. */
static int32_t catch_up(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, struct state *s, int64_t to)
{
	const struct tw_window *w = history_of(s);
	int32_t rc = TW_OK;

	while (s->counting && s->now.end <= to) {
		int empty = !s->now.count && !s->partial;
		uint32_t at = w->at;
		int32_t r = close_window(c, o, ev, s);
		if (r < 0)
			rc = r;
		if (empty && s->counting && !(o->repeat && s->silent))
			skip(c, o, s, to, w->at == at && !o->emit);
	}
	return rc;
}

/* The first end of a window from `end` on that is not before t. 0: later than time goes. */
static int64_t end_from(int64_t end, int64_t window, int64_t t)
{
	int64_t n, far;

	if (t <= end)
		return end;
	n = (t - end - 1) / window + 1;
	return __builtin_mul_overflow(n, window, &far) || __builtin_add_overflow(end, far, &far) ? 0 : far;
}

static uint32_t zeros_behind(struct tw_window *w)
{
	const double *v = tw_window_values(w);
	uint32_t n = 0;

	while (n < w->n && v[(w->at + w->n - 1 - n) % w->n] == 0)
		n++;
	return n;
}

/* No lower bound above 0 from here on, as long as nothing comes. With z zeros among n counts of mean m the sum of
 * squared deviations is at least m^2 z n / (n - z), which is what it is when the others are equal. More zeros only add
 * to it. The thousandth is for rounding. */
static int is_past_silence(const struct rate *o, double z, double n)
{
	double others = (n - z) * 1.001;

	return z >= n || o->k * o->k * z * (o->deviation ? 1 : n) > others * (o->deviation ? 1 : n - 1);
}

/* When the next window ends that could say something, if nothing more comes. */
static int64_t next_word(const struct rate *o, struct state *s)
{
	struct tw_window *w = history_of(s);
	int64_t end = s->now.end, first = end, forget = 0, silence = 0, ready, due;
	int64_t need = w->n < o->min_history ? o->min_history - w->n : 0;
	int told = s->silent && !o->repeat, counted = !s->partial && s->now.count;
	uint32_t zeros;

	if ((s->partial && __builtin_add_overflow(end, o->window, &first)) ||
	    __builtin_mul_overflow(need, o->window, &ready) || __builtin_add_overflow(ready, first, &ready) ||
	    __builtin_add_overflow(s->last, o->forget, &forget) ||
	    __builtin_add_overflow(s->last, o->silence, &silence))
		return end; /* window by window to the end of time */
	due = end_from(end, o->window, forget);
	if (!due)
		return end;
	if (o->silence && o->sided != UPPER && (!told || counted)) {
		silence = end_from(first, o->window, silence); /* not after forget, see check() */
		due = silence && silence < due ? silence : due;
	}
	if (counted || ready >= due)
		return ready < due ? ready : due;
	zeros = zeros_behind(w);
	if (o->emit && zeros < w->n)
		return ready;
	if (!o->silence && o->sided != UPPER && !told &&
	    !is_past_silence(o, (double)(zeros + need), (double)(w->n + need)))
		return ready;
	return due;
}

static int64_t event_time(const struct tw_ctx *c, const struct tw_event *ev)
{
	return c->now > ev->ts ? c->now : ev->ts;
}

static void arm(struct tw_ctx *c, const struct rate *o, struct state *s)
{
	c->host->timer(c, s->counting ? next_word(o, s) : 0);
}

static int32_t on_timer(struct tw_ctx *c, void *state, int64_t due)
{
	struct state *s = state;
	int32_t rc = s->counting ? catch_up(c, c->self, NULL, s, due) : TW_OK;

	arm(c, c->self, s);
	return rc;
}

static inline int32_t on_event(struct tw_ctx *c, const struct rate *o, const struct tw_event *ev, struct state *s)
{
	int64_t now = event_time(c, ev); /* windows end by event time, also for an event that is late */
	int32_t rc = TW_OK;

	if (s->counting && now >= s->now.end)
		rc = catch_up(c, o, ev, s, now);
	if (!s->counting) {
		s->now.end = tw_tumbling_end(ev->ts, o->window);
		s->counting = s->now.end != INT64_MAX;
		s->partial = 1;
		s->last = ev->ts;
	}
	if (ev->ts > s->last)
		s->last = ev->ts;
	if (!s->now.count++)
		arm(c, o, s);
	return rc;
}

TW_DETECTOR(on_event, .name = "rate", .version = "1.0.0", .summary = "too many events, too few, or silence", .doc = doc,
	    .kinds = TW_ANY & ~(TW_CLOCK | TW_ALERT | TW_SCORE | TW_LABEL), .emits = TW_SCORE, .key = "symbol",
	    .flags = TW_FREE_KEY, .options = options, .self_size = sizeof(struct rate), .check = check,
	    .state_size_of = state_size_of, .state_version = 1, .counters = counters, .timer = on_timer)
