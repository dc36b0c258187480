/* SPDX-License-Identifier: Apache-2.0
 *
 * zscore: how many standard deviations a value lies from the mean of the values before it.
 */
#include <tapewatch/fields.h>

enum { CLASSIC, ROBUST };
enum { BOTH, UPPER, LOWER };
enum { ROBUST_MAX = 1001 };
enum { WARMING, ABSENT, FLAT };

struct zscore {
	struct tw_list fields;
	int64_t window, method, sided, deviation, emit;
	double threshold;
	/* from here on set by open() */
	struct tw_fields f;
	double limit; /* of squared distance / sum of squares: a first look without a root */
	uint32_t n, stride;
	double dof;
};

struct state { /* followed by a window for each field */
	double previous, reserved;
};

static const char *const counters[] = { "warming", "absent", "flat", NULL };

static const struct tw_option options[] = {
	TW_LIST(struct zscore, fields, "value", "numbers to judge, each by itself: " TW_FIELD_NAMES),
	TW_INT(struct zscore, window, "30", "2", "8000", "how many values before the judged one are its baseline"),
	TW_FLOAT(struct zscore, threshold, "2.5", "0", "1e9", "alert beyond this many standard deviations"),
	TW_ENUM(struct zscore, method, "classic", "classic|robust",
		"mean and standard deviation, or median and median absolute deviation (window up to 1001)"),
	TW_ENUM(struct zscore, sided, "both", "both|upper|lower", "which side of the mean alerts"),
	TW_ENUM(struct zscore, deviation, "sample", "sample|population", "divide squares by n - 1, or by n"),
	TW_BOOL(struct zscore, emit, "false", "emit the score of every judged event"),
	TW_END,
};

static const char doc[] =
	"score = abs(value - mean) / deviation, where mean and deviation are those of the `window` values before the\n"
	"judged one; alert when score > threshold. The judged value is never in its own baseline, so the score has no\n"
	"ceiling of (n - 1)/sqrt(n). The deviation is the sample one (n - 1) unless `deviation: population` says\n"
	"otherwise. Sums do not drift, whatever the level of the values.\n"
	"\n"
	"method: robust takes median and 1.4826 x median absolute deviation instead (Hampel 1974), which up to half\n"
	"of the window cannot distort; where that is 0, because most values are equal, (q95 - q05)/3.29.\n"
	"\n"
	"Nothing is judged before the window is full (counter `warming`), nor against a window without spread\n"
	"(`flat`; up to 4 units in the last place of the prices count as none). Absent values are neither judged nor\n"
	"kept (`absent`). Every value beyond the threshold alerts; `cooldown` quiets. Types are price_spike,\n"
	"price_drop and so on by field. With `emit: true` every judged event gives a score: the largest of the "
	"fields,\n"
	"and with several fields each as a feature.\n";

static uint32_t state_size_of(const void *self)
{
	const struct zscore *o = self;
	uint64_t one = o->method == ROBUST ? tw_sorted_size((uint32_t)o->window) : tw_window_size((uint32_t)o->window);
	uint64_t all = sizeof(struct state) + o->fields.n * one;

	return all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

static int32_t check(const void *self, struct tw_err *e)
{
	const struct zscore *o = self;
	int32_t rc = tw_fields_check(&o->fields, e);

	if (rc < 0)
		return rc;
	if (o->method == ROBUST && o->window > ROBUST_MAX) {
		snprintf(e->msg, sizeof e->msg,
			 "window: %" PRId64 " is too large for method robust; expected at most %d", o->window,
			 ROBUST_MAX);
		return e->code = TW_E_CONFIG;
	}
	return tw_state_check(state_size_of(self), e);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct zscore *o = self;

	(void)host;
	(void)e;
	tw_fields_open(&o->f, &o->fields);
	o->n = (uint32_t)o->window;
	o->stride = o->method == ROBUST ? tw_sorted_size(o->n) : tw_window_size(o->n);
	o->dof = o->deviation ? o->n : o->n - 1;
	/* a hair less, since the final word has the comparison of the score itself */
	o->limit = o->threshold * o->threshold / o->dof * (1 - 1e-12);
	return TW_OK;
}

TW_RARE int32_t judge(struct tw_ctx *c, const struct zscore *o, const struct tw_event *ev, uint32_t field, double x,
		      double distance, double deviation, double *score)
{
	double expected = x - distance;
	int32_t rc = TW_OK;

	if (deviation <= tw_field_noise(ev, field, x, expected)) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	*score = fabs(distance) / deviation;
	if (*score > o->threshold && (o->sided == BOTH || (distance > 0) == (o->sided == UPPER))) {
		const struct tw_words *words = tw_field_words(tw_field_resolve(ev, field));
		struct tw_subject who = tw_subject_of(c->host, ev);
		struct tw_finding f = tw_finding(*score, x, expected, o->threshold);
		f.type = distance > 0 ? words->up : words->down;
		rc = tw_report(c, ev, &f,
			       "%s%s%s %s %.8g is %.3g %s %s its %s %.8g of the last %" PRIu32 " (threshold %.6g)",
			       who.account, who.gap, who.symbol, words->name, x, *score,
			       o->method == ROBUST ? "robust deviations" : "standard deviations",
			       distance > 0 ? "above" : "below", o->method == ROBUST ? "median" : "mean", expected,
			       o->n, o->threshold);
	}
	return rc;
}

TW_HOT int32_t classic(struct tw_ctx *c, const struct zscore *o, const struct tw_event *ev, uint32_t field, double x,
		       struct tw_window *w, double *score)
{
	int32_t rc = TW_OK;

	if (w->n == o->n) {
		struct tw_spread s = tw_window_judge(w, x);
		if (s.squares <= 0)
			c->counters[FLAT]++;
		else if (s.distance * s.distance > o->limit * s.squares || o->emit)
			rc = judge(c, o, ev, field, x, s.distance, sqrt(s.squares / o->dof), score);
	} else {
		c->counters[WARMING]++;
	}
	tw_window_push(w, o->n, x);
	return rc;
}

TW_RARE int32_t robust(struct tw_ctx *c, const struct zscore *o, const struct tw_event *ev, uint32_t field, double x,
		       struct tw_sorted *w, double *score)
{
	int32_t rc = TW_OK;

	if (w->n == o->n) {
		const double *s = tw_sorted_order(w, o->n);
		double median = tw_median(s, o->n);
		double deviation = 1.4826 * tw_mad(s, o->n, median);
		if (deviation <= 0)
			deviation = (tw_quantile(s, o->n, 0.95) - tw_quantile(s, o->n, 0.05)) / 3.29;
		if (deviation <= 0)
			c->counters[FLAT]++;
		else
			rc = judge(c, o, ev, field, x, x - median, deviation, score);
	} else {
		c->counters[WARMING]++;
	}
	tw_sorted_push(w, o->n, x);
	return rc;
}

TW_HOT int32_t on_event(struct tw_ctx *c, const struct zscore *o, const struct tw_event *ev, struct state *s)
{
	double score[TW_FIELDS_MAX];
	unsigned char *window = (unsigned char *)(s + 1);
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < o->f.n; i++, window += o->stride) {
		double x = tw_field_get(ev, o->f.id[i], s->previous);
		int32_t r = TW_OK;
		score[i] = (double)NAN;
		if (!tw_usable(x))
			c->counters[ABSENT]++;
		else if (o->method == CLASSIC)
			r = classic(c, o, ev, o->f.id[i], x, (struct tw_window *)(void *)window, &score[i]);
		else
			r = robust(c, o, ev, o->f.id[i], x, (struct tw_sorted *)(void *)window, &score[i]);
		if (r < 0)
			rc = r;
	}
	tw_fields_done(&o->f, ev, &s->previous);
	if (o->emit && rc == TW_OK)
		rc = tw_emit_scores(c, ev, score, o->f.n);
	return rc;
}

TW_DETECTOR(on_event, .name = "zscore", .version = "1.0.0", .summary = "values far from the mean of those before them",
	    .doc = doc, .kinds = TW_FIELD_KINDS, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY,
	    .options = options, .self_size = sizeof(struct zscore), .check = check, .open = open_,
	    .state_size_of = state_size_of, .state_version = 1, .counters = counters)
