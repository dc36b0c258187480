/* SPDX-License-Identifier: Apache-2.0
 *
 * martingale: an account that raises its lots to win back what it lost.
 */
#include <tapewatch/fields.h>

enum { DEALS = 32, PAIRS = 64 };
enum { WARMING, ABSENT };

struct martingale {
	int64_t pairs, min_pairs, steps, within, emit;
	double ratio, step;
};

struct deal {
	uint64_t symbol; /* hash of its text: numbers of symbols differ from process to process */
	uint64_t seq;
	int64_t open, close;
	double size, profit;
	uint32_t side, reserved;
};

struct state {
	uint32_t n, at; /* deals kept; where the next one goes */
	uint32_t n_ratios, at_ratio;
	double ratios[PAIRS]; /* lots after a loss / lots of the loss */
	struct deal deals[DEALS];
};

static const char *const counters[] = { "warming", "absent", NULL };

static const struct tw_option options[] = {
	TW_FLOAT(struct martingale, ratio, "1.3", "0", "1e6",
		 "alert when lots after a loss typically grow by more than this"),
	TW_INT(struct martingale, pairs, "20", "1", "64",
	       "how many pairs of a loss and the trade after it are looked at"),
	TW_INT(struct martingale, min_pairs, "5", "1", "64", "how many of them it takes to judge"),
	TW_INT(struct martingale, steps, "2", "1", "31", "alert on so many raises in a row"),
	TW_FLOAT(struct martingale, step, "2.0", "1", "1e6", "a raise is at least so many times the lots before"),
	TW_DURATION(struct martingale, within, "6h", "1s", "365d",
		    "longest time from the first opening of a run to the last"),
	TW_BOOL(struct martingale, emit, "false", "emit the median ratio of every judged deal"),
	TW_END,
};

static const char doc[] =
	"martingale_sizing: when two trades of a symbol follow each other (the later opened when the earlier had been\n"
	"closed, none known in between) and the earlier lost, lots after / lots before is a pair's ratio; alert when\n"
	"the median over the account's last `pairs` pairs is above `ratio` and the newest pair is a raise. score and\n"
	"value are the median.\n"
	"\n"
	"martingale_run: trades of one symbol and direction, in the order of opening, each with at least `step` x the\n"
	"lots of the one before, which either had closed at a loss or closes at the same time (a basket); alert when\n"
	"`steps` raises or more follow each other and the openings span at most `within`. score is the number of\n"
	"raises, value the last lots, expected the first.\n"
	"\n"
	"Deals are judged as they close, among the last 32 of the account. A loss is profit < 0; commission and swap\n"
	"are left out. Before `min_pairs` pairs no median is judged (counter `warming`); deals without lots or "
	"opening\n"
	"time are skipped (`absent`). A median above 1.3 is a rule of thumb of account scanners, doubling within\n"
	"6 h one of prop firms.\n";

static int32_t check(const void *self, struct tw_err *e)
{
	const struct martingale *o = self;

	if (o->min_pairs > o->pairs) {
		snprintf(e->msg, sizeof e->msg, "min_pairs: %" PRId64 " is more than pairs, which is %" PRId64,
			 o->min_pairs, o->pairs);
		return e->code = TW_E_CONFIG;
	}
	return TW_OK;
}

static uint64_t hash(const char *s) /* FNV-1a */
{
	uint64_t h = 0xcbf29ce484222325u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 0x100000001b3u;
	return h;
}

static double median(const struct state *s)
{
	double v[PAIRS];
	uint32_t n = s->n_ratios;

	if (n == 0)
		return (double)NAN;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = i;
		for (; j > 0 && v[j - 1] > s->ratios[i]; j--)
			v[j] = v[j - 1];
		v[j] = s->ratios[i];
	}
	return n & 1 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

/* The i-th deal in the order in which they came. */
static struct deal *deal_at(struct state *s, uint32_t i)
{
	return &s->deals[s->n < DEALS ? i : (s->at + i) % DEALS];
}

/* The trade of the symbol that was opened last before this one. */
static const struct deal *deal_before(struct state *s, const struct deal *d)
{
	const struct deal *best = NULL;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct deal *x = deal_at(s, i);
		if (x->symbol == d->symbol && x->open <= d->open && (!best || x->open >= best->open))
			best = x;
	}
	return best;
}

static int32_t judge_sizing(struct tw_ctx *c, const struct martingale *o, const struct tw_event *ev, struct state *s,
			    const struct deal *d)
{
	const struct deal *before = deal_before(s, d);
	double m;
	int32_t rc = TW_OK;

	if (!before || before->close > d->open || !(before->profit < 0))
		return TW_OK;
	s->ratios[s->at_ratio] = d->size / before->size;
	s->at_ratio = s->at_ratio + 1 < o->pairs ? s->at_ratio + 1 : 0;
	if (s->n_ratios < o->pairs)
		s->n_ratios++;
	if (s->n_ratios < o->min_pairs) {
		c->counters[WARMING]++;
		return TW_OK;
	}
	m = median(s);
	if (m > o->ratio && d->size > before->size) { /* a habit, shown once more */
		struct tw_finding f = tw_finding(m, m, 1, o->ratio);
		f.type = "martingale_sizing";
		rc = tw_report(c, ev, &f,
			       "%s raises lots after losses: to %.4g x in the median of the last %" PRIu32
			       " (threshold %.6g), here from %.6g to %.6g %s",
			       c->host->name(c->host, ev->deal.account), m, s->n_ratios, o->ratio, before->size,
			       d->size, c->host->name(c->host, ev->deal.symbol));
	}
	return o->emit && rc >= 0 ? tw_emit_scores(c, ev, &m, 1) : rc;
}

/* Did the lots go up from one trade to the next, to win back a loss? */
static int raised(const struct martingale *o, const struct deal *from, const struct deal *to)
{
	/* a hair less: 0.06 / 0.03 is not quite 2 */
	return to->size >= o->step * from->size * (1 - 1e-9) &&
	       ((from->profit < 0 && from->close <= to->open) || from->close == to->close);
}

/* The longest run that the newest deal is part of; it may be in the middle, since baskets close in any order. */
static int32_t judge_run(struct tw_ctx *c, const struct martingale *o, const struct tw_event *ev, struct state *s,
			 const struct deal *d)
{
	const struct deal *row[DEALS];
	uint32_t n = 0, here = 0, first, last;
	struct tw_finding f;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct deal *x = deal_at(s, i);
		uint32_t j = n;
		if (x->symbol != d->symbol || x->side != d->side)
			continue;
		for (; j > 0 &&
		       (row[j - 1]->open > x->open || (row[j - 1]->open == x->open && row[j - 1]->size > x->size));
		     j--)
			row[j] = row[j - 1];
		row[j] = x;
		n++;
	}
	while (here < n && row[here] != d)
		here++;
	if (here == n)
		return TW_OK;
	for (first = here; first > 0; first--)
		if (d->open - row[first - 1]->open > o->within || !raised(o, row[first - 1], row[first]))
			break;
	for (last = here; last + 1 < n; last++)
		if (row[last + 1]->open - row[first]->open > o->within || !raised(o, row[last], row[last + 1]))
			break;
	if (last - first < o->steps)
		return TW_OK;
	f = tw_finding(last - first, row[last]->size, row[first]->size, (double)o->steps);
	f.type = "martingale_run";
	f.evidence_from = f.evidence_to = d->seq;
	for (uint32_t i = first; i <= last; i++) {
		if (row[i]->seq < f.evidence_from)
			f.evidence_from = row[i]->seq;
	}
	return tw_report(c, ev, &f,
			 "%s raised lots in %s %" PRIu32
			 " times in a row by %.6g x or more, from %.6g to %.6g within %.4g "
			 "min (alerts from %" PRId64 ")",
			 c->host->name(c->host, ev->deal.account), c->host->name(c->host, ev->deal.symbol),
			 last - first, o->step, row[first]->size, row[last]->size,
			 (double)(row[last]->open - row[first]->open) / 60e9, o->steps);
}

static inline int32_t on_deal(struct tw_ctx *c, const struct martingale *o, const struct tw_event *ev, struct state *s)
{
	const struct tw_deal *in = &ev->deal;
	struct deal d = { .seq = ev->seq,
			  .open = in->open_ts,
			  .close = ev->ts,
			  .size = in->size,
			  .profit = in->profit,
			  .side = in->side };
	struct deal *kept = &s->deals[s->at];
	int32_t rc, r;

	if (!(d.size > 0 && d.size <= 1e15) || d.open <= 0 || d.open > d.close) {
		c->counters[ABSENT]++;
		return TW_OK;
	}
	d.symbol = hash(c->host->name(c->host, in->symbol));
	rc = judge_sizing(c, o, ev, s, &d);
	*kept = d;
	s->at = (s->at + 1) % DEALS;
	if (s->n < DEALS)
		s->n++;
	r = judge_run(c, o, ev, s, kept);
	return rc < 0 ? rc : r;
}

TW_DETECTOR(on_deal, .name = "martingale", .version = "1.0.0",
	    .summary = "lots raised after losses, or doubled in a row", .doc = doc, .kinds = TW_DEAL, .emits = TW_SCORE,
	    .key = "account", .options = options, .self_size = sizeof(struct martingale), .check = check,
	    .state_size = sizeof(struct state), .state_version = 1, .counters = counters)
