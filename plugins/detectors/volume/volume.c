/* SPDX-License-Identifier: Apache-2.0
 *
 * volume: a volume, or a change of volume, far from what the values before it were.
 */
#include <tapewatch/fields.h>

enum { BOTH, UPPER, LOWER };
enum { WARMING, ABSENT, FLAT };

struct volume {
	struct tw_list fields;
	int64_t window, change, sided, deviation, emit;
	double threshold;
	/* from here on set by open() */
	struct tw_fields f;
	double limit; /* of squared distance / sum of squares: a first look without a root */
	double dof;
	uint32_t n, stride;
};

struct state { /* followed by a series for each field */
	double previous, reserved;
};

struct series {      /* followed by a window */
	double last; /* volume before; 0: none */
	double reserved;
};

static const char *const counters[] = { "warming", "absent", "flat", NULL };

static const struct tw_option options[] = {
	TW_LIST(struct volume, fields, "volume", "numbers to judge, each by itself: " TW_FIELD_NAMES),
	TW_INT(struct volume, window, "20", "2", "8000", "how many values before the judged one are its baseline"),
	TW_FLOAT(struct volume, threshold, "3.0", "0", "1e9", "alert beyond this many standard deviations"),
	TW_BOOL(struct volume, change, "false", "judge the change in percent from the volume before, not the volume"),
	TW_ENUM(struct volume, sided, "both", "both|upper|lower", "which side of the mean alerts"),
	TW_ENUM(struct volume, deviation, "sample", "sample|population", "divide squares by n - 1, or by n"),
	TW_BOOL(struct volume, emit, "false", "emit the score of every judged event"),
	TW_END,
};

static const char doc[] =
	"score = abs(v - mean) / deviation, mean and deviation over the `window` values before; alert when score >\n"
	"threshold. v is the volume: size of a trade, volume of a bar, lots of a deal, bid size + ask size of a "
	"quote.\n"
	"With `change: true` v is the change from the volume before in percent, 100 x (volume / before - 1), as\n"
	"MarketPulse judges it; a volume behind one of 0 has no such change and is counted as absent.\n"
	"\n"
	"Nothing is judged before the window is full (counter `warming`), nor against a window without spread\n"
	"(`flat`). Events without a volume, such as quotes without sizes, are neither judged nor kept (`absent`).\n"
	"Types are volume_spike and volume_drop (or by field).\n";

static uint32_t series_size(const struct volume *o)
{
	return (uint32_t)sizeof(struct series) + tw_window_size((uint32_t)o->window);
}

static uint32_t state_size_of(const void *self)
{
	const struct volume *o = self;
	uint64_t all = sizeof(struct state) + o->fields.n * series_size(o);

	return all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

static int32_t check(const void *self, struct tw_err *e)
{
	int32_t rc = tw_fields_check(&((const struct volume *)self)->fields, e);

	return rc < 0 ? rc : tw_state_check(state_size_of(self), e);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct volume *o = self;

	(void)host;
	(void)e;
	tw_fields_open(&o->f, &o->fields);
	o->n = (uint32_t)o->window;
	o->stride = series_size(o);
	o->dof = o->deviation ? o->n : o->n - 1;
	/* a hair less, since the final word has the comparison of the score itself */
	o->limit = o->threshold * o->threshold / o->dof * (1 - 1e-12);
	return TW_OK;
}

TW_RARE int32_t judge(struct tw_ctx *c, const struct volume *o, const struct tw_event *ev, uint32_t field,
		      double volume, double x, struct tw_spread s, double *score)
{
	double deviation = sqrt(s.squares / o->dof), expected = x - s.distance;

	if (deviation <= (o->change ? 400 * DBL_EPSILON : tw_field_noise(ev, field, x, expected))) {
		c->counters[FLAT]++;
		return TW_OK;
	}
	*score = fabs(s.distance) / deviation;
	if (*score > o->threshold && (o->sided == BOTH || (s.distance > 0) == (o->sided == UPPER))) {
		const struct tw_words *words = tw_field_words(tw_field_resolve(ev, field));
		struct tw_subject who = tw_subject_of(c->host, ev);
		struct tw_finding f = tw_finding(*score, x, expected, o->threshold);
		const char *side = s.distance > 0 ? "above" : "below";
		f.type = s.distance > 0 ? words->up : words->down;
		if (o->change)
			return tw_report(
				c, ev, &f,
				"%s%s%s %s %.8g changed by %.4g %%, which is %.3g standard deviations %s the mean "
				"change %.4g %% of the last %" PRIu32 " (threshold %.6g)",
				who.account, who.gap, who.symbol, words->name, volume, x, *score, side, expected, o->n,
				o->threshold);
		return tw_report(c, ev, &f,
				 "%s%s%s %s %.8g is %.3g standard deviations %s its mean %.8g of the last %" PRIu32
				 " (threshold %.6g)",
				 who.account, who.gap, who.symbol, words->name, x, *score, side, expected, o->n,
				 o->threshold);
	}
	return TW_OK;
}

TW_HOT int32_t on_event(struct tw_ctx *c, const struct volume *o, const struct tw_event *ev, struct state *s)
{
	double score[TW_FIELDS_MAX];
	unsigned char *at = (unsigned char *)(s + 1);
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < o->f.n; i++, at += o->stride) {
		struct series *series = (struct series *)(void *)at;
		struct tw_window *w = (struct tw_window *)(void *)(series + 1);
		double volume = tw_field_get(ev, o->f.id[i], s->previous), x = volume;
		score[i] = (double)NAN;
		if (o->change && tw_usable(volume)) {
			x = 100 * tw_field_change(volume, series->last, 0);
			series->last = volume;
		}
		if (!tw_usable(x)) {
			c->counters[ABSENT]++;
			continue;
		}
		if (w->n == o->n) {
			struct tw_spread d = tw_window_judge(w, x);
			int32_t r = TW_OK;
			if (d.squares <= 0)
				c->counters[FLAT]++;
			else if (d.distance * d.distance > o->limit * d.squares || o->emit)
				r = judge(c, o, ev, o->f.id[i], volume, x, d, &score[i]);
			if (r < 0)
				rc = r;
		} else {
			c->counters[WARMING]++;
		}
		tw_window_push(w, o->n, x);
	}
	tw_fields_done(&o->f, ev, &s->previous);
	if (o->emit && rc == TW_OK)
		rc = tw_emit_scores(c, ev, score, o->f.n);
	return rc;
}

TW_DETECTOR(on_event, .name = "volume", .version = "1.0.0", .summary = "volumes far from those before them", .doc = doc,
	    .kinds = TW_FIELD_KINDS, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct volume), .check = check, .open = open_, .state_size_of = state_size_of,
	    .state_version = 1, .counters = counters)
