/* SPDX-License-Identifier: Apache-2.0
 *
 * technical: two indicators that traders watch, the relative strength index and Bollinger bands.
 */
#include <tapewatch/fields.h>

enum { SIMPLE, WILDER };
enum { BEYOND, CROSS };
enum { BOTH, UPPER, LOWER };
enum { INSIDE, ABOVE, BELOW };
enum { WARMING, ABSENT, FLAT };

struct technical {
	struct tw_list fields;
	int64_t rsi, rsi_window, smoothing, bollinger, bollinger_window, deviation, signal, sided, emit;
	double overbought, oversold, bollinger_width;
	/* from here on set by open() */
	struct tw_fields f;
	double high, low; /* limits of (gains - losses) / (gains + losses) */
	double limit;     /* of squared distance / sum of squares, a hair less */
	double dof;
	uint32_t period, n, band_at, stride;
};

struct state { /* followed by a series for each field */
	double previous, reserved;
};

struct series {             /* followed by an index and a window, where these are on */
	uint32_t rsi, band; /* INSIDE, ABOVE or BELOW at the event before */
	uint64_t reserved;
};

static const char *const counters[] = { "warming", "absent", "flat", NULL };

static const struct tw_option options[] = {
	TW_LIST(struct technical, fields, "value", "numbers to judge, each by itself: " TW_FIELD_NAMES),
	TW_BOOL(struct technical, rsi, "true", "watch the relative strength index"),
	TW_INT(struct technical, rsi_window, "14", "2", "2000", "how many changes the index looks back on"),
	TW_ENUM(struct technical, smoothing, "simple", "simple|wilder",
		"plain averages of gains and losses, or Wilder's smoothed ones"),
	TW_FLOAT(struct technical, overbought, "70", "0", "100", "alert when the index is above"),
	TW_FLOAT(struct technical, oversold, "30", "0", "100", "alert when the index is below"),
	TW_BOOL(struct technical, bollinger, "true", "watch the Bollinger bands"),
	TW_INT(struct technical, bollinger_window, "20", "2", "2000",
	       "how many values before the judged one make the bands"),
	TW_FLOAT(struct technical, bollinger_width, "2.0", "0", "1e9", "bands stand this many standard deviations out"),
	TW_ENUM(struct technical, deviation, "sample", "sample|population", "divide squares by n - 1, or by n"),
	TW_ENUM(struct technical, signal, "beyond", "beyond|cross",
		"alert on every value beyond a limit, or only on the first of them"),
	TW_ENUM(struct technical, sided, "both", "both|upper|lower", "which side alerts"),
	TW_BOOL(struct technical, emit, "false", "emit the scores of every judged event"),
	TW_END,
};

static const char doc[] =
	"RSI (Wilder, New Concepts in Technical Trading Systems, 1978): 100 x G / (G + L), G and L being the average\n"
	"gain and loss of the last `rsi_window` changes, the newest included, for it is what the index measures.\n"
	"smoothing: simple takes plain averages (Cutler), wilder takes avg = (avg (n - 1) + change) / n, begun with a\n"
	"plain one. Alerts rsi_overbought above 70 and rsi_oversold below 30; score = abs(RSI - 50) / 20.\n"
	"\n"
	"Bollinger bands (Bollinger on Bollinger Bands, 2001): mean +- width x standard deviation of the\n"
	"`bollinger_window` values before the judged one, which is not part of them. The deviation is the sample one;\n"
	"Bollinger himself divides by n (`deviation: population`). Alerts bollinger_breach_upper and _lower; score =\n"
	"distance beyond the band in standard deviations, threshold is the band.\n"
	"\n"
	"An event can alert for both. `signal: cross` alerts only when a limit is first passed. Nothing is judged\n"
	"before there are enough values (counter `warming`) nor where none of them differ (`flat`); absent values are\n"
	"neither judged nor kept (`absent`). With `emit: true` a judged event gives the larger of the two scores, and\n"
	"both as features, index first.\n";

static uint32_t band_at(const struct technical *o)
{
	uint32_t size = sizeof(struct series);

	return o->rsi ? size + tw_rsi_size((uint32_t)o->rsi_window, o->smoothing == WILDER) : size;
}

static uint32_t series_size(const struct technical *o)
{
	return band_at(o) + (o->bollinger ? tw_window_size((uint32_t)o->bollinger_window) : 0);
}

static uint32_t state_size_of(const void *self)
{
	const struct technical *o = self;
	uint64_t all = sizeof(struct state) + o->fields.n * series_size(o);

	return all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

static int32_t check(const void *self, struct tw_err *e)
{
	const struct technical *o = self;
	int32_t rc = tw_fields_check(&o->fields, e);

	if (rc < 0)
		return rc;
	if (!o->rsi && !o->bollinger) {
		snprintf(e->msg, sizeof e->msg, "rsi and bollinger are both off; leave one of them on");
		return e->code = TW_E_CONFIG;
	}
	if (!(o->oversold < o->overbought)) {
		snprintf(e->msg, sizeof e->msg, "oversold: %g is not below overbought, which is %g", o->oversold,
			 o->overbought);
		return e->code = TW_E_CONFIG;
	}
	return tw_state_check(state_size_of(self), e);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct technical *o = self;

	(void)host;
	(void)e;
	tw_fields_open(&o->f, &o->fields);
	o->period = (uint32_t)o->rsi_window;
	o->n = (uint32_t)o->bollinger_window;
	o->band_at = band_at(o);
	o->stride = series_size(o);
	o->high = (o->overbought - 50) / 50;
	o->low = (o->oversold - 50) / 50;
	o->dof = o->deviation ? o->n : o->n - 1;
	o->limit = o->bollinger_width * o->bollinger_width / o->dof * (1 - 1e-12);
	return TW_OK;
}

/* Does passing a limit to this side alert, the event before having been at `before`? */
static int wanted(const struct technical *o, uint32_t side, uint32_t before)
{
	return side != INSIDE && !(o->signal == CROSS && side == before) &&
	       (o->sided == BOTH || (o->sided == UPPER) == (side == ABOVE));
}

TW_RARE int32_t judge_rsi(struct tw_ctx *c, const struct technical *o, const struct tw_event *ev, uint32_t field,
			  double x, double difference, double total, struct series *s, double *score)
{
	uint32_t before = s->rsi, side;
	double index;

	s->rsi = INSIDE;
	if (total <= o->period * tw_field_noise(ev, field, x, x)) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	index = tw_rsi_index(difference, total);
	*score = fabs(index - 50) / 20;
	s->rsi = side = index > o->overbought ? ABOVE : index < o->oversold ? BELOW : INSIDE;
	if (wanted(o, side, before)) {
		struct tw_subject who = tw_subject_of(c->host, ev);
		double limit = side == ABOVE ? o->overbought : o->oversold;
		struct tw_finding f = tw_finding(*score, index, 50, limit);
		f.type = side == ABOVE ? "rsi_overbought" : "rsi_oversold";
		return tw_report(
			c, ev, &f, "%s%s%s RSI is %.4g at %s %.8g, %s: %s %.6g, over the last %" PRIu32 " changes",
			who.account, who.gap, who.symbol, index, tw_field_words(tw_field_resolve(ev, field))->name, x,
			side == ABOVE ? "overbought" : "oversold", side == ABOVE ? "above" : "below", limit, o->period);
	}
	return TW_OK;
}

TW_RARE int32_t judge_band(struct tw_ctx *c, const struct technical *o, const struct tw_event *ev, uint32_t field,
			   double x, struct tw_spread d, struct series *s, double *score)
{
	double deviation = sqrt(d.squares / o->dof), mean = x - d.distance;
	uint32_t before = s->band, side;

	s->band = INSIDE;
	if (deviation <= tw_field_noise(ev, field, x, mean)) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	*score = fabs(d.distance) / deviation - o->bollinger_width;
	s->band = side = *score <= 0 ? INSIDE : d.distance > 0 ? ABOVE : BELOW;
	if (wanted(o, side, before)) {
		struct tw_subject who = tw_subject_of(c->host, ev);
		double band =
			side == ABOVE ? mean + o->bollinger_width * deviation : mean - o->bollinger_width * deviation;
		struct tw_finding f = tw_finding(*score, x, mean, band);
		f.type = side == ABOVE ? "bollinger_breach_upper" : "bollinger_breach_lower";
		return tw_report(c, ev, &f,
				 "%s%s%s %s %.8g is %s the %s Bollinger band %.8g: mean %.8g of the last %" PRIu32
				 ", band %.6g standard deviations out, value %.3g",
				 who.account, who.gap, who.symbol, tw_field_words(tw_field_resolve(ev, field))->name, x,
				 side == ABOVE ? "above" : "below", side == ABOVE ? "upper" : "lower", band, mean, o->n,
				 o->bollinger_width, fabs(d.distance) / deviation);
	}
	return TW_OK;
}

TW_HOT int32_t watch_rsi(struct tw_ctx *c, const struct technical *o, const struct tw_event *ev, uint32_t field,
			 double x, struct series *s, double *score)
{
	struct tw_rsi *w = (struct tw_rsi *)(void *)(s + 1);
	double difference, total;

	if (o->smoothing == WILDER)
		tw_rsi_push_wilder(w, o->period, x);
	else
		tw_rsi_push(w, o->period, x);
	if (!tw_rsi_ready(w, o->period)) {
		c->counters[WARMING]++;
		return TW_OK;
	}
	tw_rsi_parts(w, o->smoothing == WILDER, &difference, &total);
	if (difference > o->high * total || difference < o->low * total || total <= 0 || o->emit)
		return judge_rsi(c, o, ev, field, x, difference, total, s, score);
	s->rsi = INSIDE;
	return TW_OK;
}

TW_HOT int32_t watch_band(struct tw_ctx *c, const struct technical *o, const struct tw_event *ev, uint32_t field,
			  double x, struct series *s, double *score)
{
	struct tw_window *w = (struct tw_window *)(void *)((unsigned char *)s + o->band_at);
	int32_t rc = TW_OK;

	if (w->n == o->n) {
		struct tw_spread d = tw_window_judge(w, x);
		if (d.squares <= 0 || d.distance * d.distance > o->limit * d.squares || o->emit)
			rc = judge_band(c, o, ev, field, x, d, s, score);
		else
			s->band = INSIDE;
	} else {
		c->counters[WARMING]++;
	}
	tw_window_push(w, o->n, x);
	return rc;
}

TW_HOT int32_t on_event(struct tw_ctx *c, const struct technical *o, const struct tw_event *ev, struct state *s)
{
	double score[2 * TW_FIELDS_MAX];
	unsigned char *at = (unsigned char *)(s + 1);
	int32_t rc = TW_OK, r;

	for (uint32_t i = 0; i < o->f.n; i++, at += o->stride) {
		struct series *series = (struct series *)(void *)at;
		double x = tw_field_get(ev, o->f.id[i], s->previous);
		score[2 * i] = score[2 * i + 1] = (double)NAN;
		if (!tw_usable(x)) {
			c->counters[ABSENT]++;
			continue;
		}
		if (o->rsi && (r = watch_rsi(c, o, ev, o->f.id[i], x, series, &score[2 * i])) < 0)
			rc = r;
		if (o->bollinger && (r = watch_band(c, o, ev, o->f.id[i], x, series, &score[2 * i + 1])) < 0)
			rc = r;
	}
	tw_fields_done(&o->f, ev, &s->previous);
	if (o->emit && rc == TW_OK)
		rc = tw_emit_scores(c, ev, score, 2 * o->f.n);
	return rc;
}

TW_DETECTOR(on_event, .name = "technical", .version = "1.0.0", .summary = "relative strength index and Bollinger bands",
	    .doc = doc, .kinds = TW_FIELD_KINDS, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY,
	    .options = options, .self_size = sizeof(struct technical), .check = check, .open = open_,
	    .state_size_of = state_size_of, .state_version = 1, .counters = counters)
