/* SPDX-License-Identifier: Apache-2.0
 *
 * iqr: a value outside the fences that the quartiles of the values before it set.
 */
#include <tapewatch/fields.h>

enum { BOTH, UPPER, LOWER };
enum { WARMING, ABSENT, FLAT };

struct iqr {
	struct tw_list fields;
	int64_t window, sided, emit;
	double multiplier;
	/* from here on set by open() */
	struct tw_fields f;
	uint32_t n, stride;
};

struct state { /* followed by a sorted window for each field */
	double previous, reserved;
};

static const char *const counters[] = { "warming", "absent", "flat", NULL };

static const struct tw_option options[] = {
	TW_LIST(struct iqr, fields, "value", "numbers to judge, each by itself: " TW_FIELD_NAMES),
	TW_INT(struct iqr, window, "30", "4", "4000", "how many values before the judged one are its baseline"),
	TW_FLOAT(struct iqr, multiplier, "1.5", "0", "1e9", "fences stand this many interquartile ranges out"),
	TW_ENUM(struct iqr, sided, "both", "both|upper|lower", "which fence alerts"),
	TW_BOOL(struct iqr, emit, "false", "emit the score of every judged event"),
	TW_END,
};

static const char doc[] =
	"Tukey's fences (Exploratory Data Analysis, 1977): with the quartiles q1 and q3 of the `window` values before\n"
	"the judged one and IQR = q3 - q1, alert when value < q1 - multiplier x IQR or value > q3 + multiplier x IQR.\n"
	"score = distance beyond the fence / IQR; the finding's threshold is the fence, expected is the median.\n"
	"Quartiles interpolate linearly between the two nearest values (the default of numpy and R, type 7).\n"
	"\n"
	"Nothing is judged before the window is full (counter `warming`), nor where IQR is 0 (`flat`). Absent values\n"
	"are neither judged nor kept (`absent`). Types are price_spike, price_drop and so on by field. With\n"
	"`emit: true` every judged event gives its score; it is negative inside the fences.\n";

static uint32_t state_size_of(const void *self)
{
	const struct iqr *o = self;
	uint64_t all = sizeof(struct state) + o->fields.n * tw_sorted_size((uint32_t)o->window);

	return all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

static int32_t check(const void *self, struct tw_err *e)
{
	int32_t rc = tw_fields_check(&((const struct iqr *)self)->fields, e);

	return rc < 0 ? rc : tw_state_check(state_size_of(self), e);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct iqr *o = self;

	(void)host;
	(void)e;
	tw_fields_open(&o->f, &o->fields);
	o->n = (uint32_t)o->window;
	o->stride = tw_sorted_size(o->n);
	return TW_OK;
}

TW_RARE int32_t report(struct tw_ctx *c, const struct iqr *o, const struct tw_event *ev, uint32_t field, double x,
		       double q1, double q3, double median, double score)
{
	const struct tw_words *words = tw_field_words(tw_field_resolve(ev, field));
	struct tw_subject who = tw_subject_of(c->host, ev);
	int up = x > q3;
	double fence = up ? q3 + o->multiplier * (q3 - q1) : q1 - o->multiplier * (q3 - q1);
	struct tw_finding f = tw_finding(score, x, median, fence);

	f.type = up ? words->up : words->down;
	return tw_report(c, ev, &f,
			 "%s%s%s %s %.8g is %s the %s fence %.8g: quartiles of the last %" PRIu32
			 " are %.8g and %.8g, the fence is %.6g x their distance out",
			 who.account, who.gap, who.symbol, words->name, x, up ? "above" : "below",
			 up ? "upper" : "lower", fence, o->n, q1, q3, o->multiplier);
}

TW_HOT int32_t judge(struct tw_ctx *c, const struct iqr *o, const struct tw_event *ev, uint32_t field, double x,
		     struct tw_sorted *w, double *score)
{
	const double *s = tw_sorted_order(w, o->n);
	double q1 = tw_quantile(s, o->n, 0.25), q3 = tw_quantile(s, o->n, 0.75), range = q3 - q1;
	double out = x > q3 ? x - q3 : q1 - x; /* beyond the box; negative inside it */
	int beyond = out > o->multiplier * range;

	if (!(range > 0)) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	if (!beyond && !o->emit)
		return TW_OK;
	if (range <= tw_field_noise(ev, field, q1, q3)) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	if (out < 0 && x - q3 > out)
		out = x - q3;
	*score = out / range - o->multiplier;
	if (!beyond || (o->sided != BOTH && (x > q3) != (o->sided == UPPER)))
		return TW_OK;
	return report(c, o, ev, field, x, q1, q3, tw_median(s, o->n), *score);
}

TW_HOT int32_t on_event(struct tw_ctx *c, const struct iqr *o, const struct tw_event *ev, struct state *s)
{
	double score[TW_FIELDS_MAX];
	unsigned char *window = (unsigned char *)(s + 1);
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < o->f.n; i++, window += o->stride) {
		struct tw_sorted *w = (struct tw_sorted *)(void *)window;
		double x = tw_field_get(ev, o->f.id[i], s->previous);
		score[i] = (double)NAN;
		if (!tw_usable(x)) {
			c->counters[ABSENT]++;
			continue;
		}
		if (w->n == o->n) {
			int32_t r = judge(c, o, ev, o->f.id[i], x, w, &score[i]);
			if (r < 0)
				rc = r;
		} else {
			c->counters[WARMING]++;
		}
		tw_sorted_push(w, o->n, x);
	}
	tw_fields_done(&o->f, ev, &s->previous);
	if (o->emit && rc == TW_OK)
		rc = tw_emit_scores(c, ev, score, o->f.n);
	return rc;
}

TW_DETECTOR(on_event, .name = "iqr", .version = "1.0.0",
	    .summary = "values outside the fences of the quartiles before them", .doc = doc, .kinds = TW_FIELD_KINDS,
	    .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct iqr), .check = check, .open = open_, .state_size_of = state_size_of,
	    .state_version = 1, .counters = counters)
