/* SPDX-License-Identifier: Apache-2.0
 *
 * moving_average: a value that is some percent away from the mean of the values before it; also the running average
 * itself, as a series of its own.
 */
#include <tapewatch/fields.h>

enum { BOTH, UPPER, LOWER };
enum { WARMING, ABSENT, FLAT };

struct moving_average {
	struct tw_list fields;
	int64_t window, sided, emit;
	double threshold_pct;
	/* from here on set by open() */
	struct tw_fields f;
	uint32_t n, stride;
	double limit; /* threshold_pct / 100, a hair less */
};

struct state { /* followed by a window for each field */
	double previous, reserved;
};

static const char *const counters[] = { "warming", "absent", "flat", NULL };

static const struct tw_option options[] = {
	TW_LIST(struct moving_average, fields, "value", "numbers to judge, each by itself: " TW_FIELD_NAMES),
	TW_INT(struct moving_average, window, "20", "1", "8000", "how many values are averaged"),
	TW_FLOAT(struct moving_average, threshold_pct, "5.0", "0", "1e9",
		 "alert beyond this many percent from the mean"),
	TW_ENUM(struct moving_average, sided, "both", "both|upper|lower", "which side of the mean alerts"),
	TW_BOOL(struct moving_average, emit, "false", "emit the running average with every event"),
	TW_END,
};

static const char doc[] =
	"deviation = 100 x (value - mean) / abs(mean), where mean is that of the `window` values before the judged "
	"one;\n"
	"alert when abs(deviation) > threshold_pct. score = abs(deviation) / threshold_pct (abs(deviation) itself for "
	"a\n"
	"threshold of 0); expected is the mean.\n"
	"\n"
	"With `emit: true` each event gives the running average as a score event: the plain mean of the last `window`\n"
	"values, the one of this event included, as soon as there are so many. With several fields the score is the\n"
	"largest average and each is a feature; one field an instance is the plain way.\n"
	"\n"
	"Nothing is judged before the window is full (counter `warming`), nor against a mean of 0 (`flat`). Absent\n"
	"values are neither judged nor kept (`absent`). Types are price_spike, price_drop and so on by field.\n";

static uint32_t state_size_of(const void *self)
{
	const struct moving_average *o = self;
	uint64_t all = sizeof(struct state) + o->fields.n * tw_window_size((uint32_t)o->window);

	return all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

static int32_t check(const void *self, struct tw_err *e)
{
	int32_t rc = tw_fields_check(&((const struct moving_average *)self)->fields, e);

	return rc < 0 ? rc : tw_state_check(state_size_of(self), e);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct moving_average *o = self;

	(void)host;
	(void)e;
	tw_fields_open(&o->f, &o->fields);
	o->n = (uint32_t)o->window;
	o->stride = tw_window_size(o->n);
	o->limit = o->threshold_pct / 100 * (1 - 1e-12);
	return TW_OK;
}

TW_RARE int32_t report(struct tw_ctx *c, const struct moving_average *o, const struct tw_event *ev, uint32_t field,
		       double x, double mean)
{
	double pct = 100 * (x - mean) / fabs(mean);

	if (fabs(pct) > o->threshold_pct && (o->sided == BOTH || (pct > 0) == (o->sided == UPPER))) {
		const struct tw_words *words = tw_field_words(tw_field_resolve(ev, field));
		struct tw_subject who = tw_subject_of(c->host, ev);
		struct tw_finding f = tw_finding(o->threshold_pct > 0 ? fabs(pct) / o->threshold_pct : fabs(pct), x,
						 mean, o->threshold_pct);
		f.type = pct > 0 ? words->up : words->down;
		return tw_report(c, ev, &f,
				 "%s%s%s %s %.8g is %.3g %% %s its mean %.8g of the last %" PRIu32
				 " (threshold %.6g %%)",
				 who.account, who.gap, who.symbol, words->name, x, fabs(pct),
				 pct > 0 ? "above" : "below", mean, o->n, o->threshold_pct);
	}
	return TW_OK;
}

TW_HOT int32_t on_event(struct tw_ctx *c, const struct moving_average *o, const struct tw_event *ev, struct state *s)
{
	double average[TW_FIELDS_MAX];
	unsigned char *window = (unsigned char *)(s + 1);
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < o->f.n; i++, window += o->stride) {
		struct tw_window *w = (struct tw_window *)(void *)window;
		double x = tw_field_get(ev, o->f.id[i], s->previous);
		average[i] = (double)NAN;
		if (!tw_usable(x)) {
			c->counters[ABSENT]++;
			continue;
		}
		if (w->n == o->n) {
			double distance = tw_window_judge(w, x).distance, mean = x - distance;
			if (mean == 0) {
				c->counters[FLAT]++;
			} else if (fabs(distance) > o->limit * fabs(mean)) {
				int32_t r = report(c, o, ev, o->f.id[i], x, mean);
				if (r < 0)
					rc = r;
			}
		} else {
			c->counters[WARMING]++;
		}
		tw_window_push(w, o->n, x);
		if (o->emit && w->n == o->n)
			average[i] = tw_window_mean(w);
	}
	tw_fields_done(&o->f, ev, &s->previous);
	if (o->emit && rc == TW_OK)
		rc = tw_emit_scores(c, ev, average, o->f.n);
	return rc;
}

TW_DETECTOR(on_event, .name = "moving_average", .version = "1.0.0",
	    .summary = "values some percent away from their running mean; emits that mean", .doc = doc,
	    .kinds = TW_FIELD_KINDS, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct moving_average), .check = check, .open = open_, .state_size_of = state_size_of,
	    .state_version = 1, .counters = counters)
