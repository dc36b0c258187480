/* SPDX-License-Identifier: Apache-2.0
 *
 * demo: a seeded simulator of a market and a broker, with abuses that labels tell of afterwards. Needs no data.
 *
 * A position is the number of events pushed, together with what the world depends on; resuming simulates the same
 * world again up to that number, which takes some tenths of a second for each day.
 */
#include "world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <tapewatch/push.h>
#include <time.h>

#define VERSION 1
#define OLDEST  (30 * DAY) /* a live world older than this is not simulated again after a restart */

struct demo {
	/* options */
	int64_t seed, symbols, accounts, duration, live, abuses;
	double rate;
	const char *start, *speed;
	/* while it runs */
	const struct tw_host *host;
	struct world world;
	int64_t from;      /* beginning of the world */
	int64_t wall_from; /* wall time that from stands for; 0: not paced */
	double pace;       /* simulated seconds a second; 0: as fast as it goes */
	bool is_open;
};

struct saved { /* in a position, all little-endian hosts and fixed widths */
	uint32_t version, live;
	uint64_t fingerprint, ordinal;
	int64_t from;
};

static const struct tw_option options[] = {
	TW_INT(struct demo, seed, "1", NULL, NULL, "which world; the same seed gives the same events"),
	TW_INT(struct demo, symbols, "12", "1", "500", "how many symbols are quoted"),
	TW_INT(struct demo, accounts, "40", "0", "20000", "how many accounts trade; does not change the market"),
	TW_DURATION(struct demo, duration, "1d", "1s", "3650d", "simulated time until the end, unless live"),
	TW_STRING(struct demo, start, "2026-01-05T00:00:00Z", "first moment, RFC 3339; a Monday has a full day"),
	TW_BOOL(struct demo, live, "false", "go on in real time from now and never end"),
	TW_BOOL(struct demo, abuses, "true", "inject abuses, each with a label after its end"),
	TW_FLOAT(struct demo, rate, "1.0", "0.01", "50", "factor on the number of quotes and trades"),
	TW_STRING(struct demo, speed, "max", "max, or simulated time per real time such as 60x"),
	TW_END,
};

/* ---- reading options ---- */
static int number(const char **p, int digits, int64_t *ret)
{
	int64_t v = 0;

	for (; digits > 0; digits--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return 0;
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "2026-01-05", "2026-01-05T07:30:00Z", "2026-01-05T07:30:00+01:00" */
static int parse_start(const char *p, int64_t *ret)
{
	int64_t y, m, d, hour = 0, minute = 0, second = 0, oh = 0, om = 0, sign = 0;
	static const char month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (number(&p, 4, &y) || *p++ != '-' || number(&p, 2, &m) || *p++ != '-' || number(&p, 2, &d))
		return -1;
	if (*p == 'T' || *p == ' ') {
		p++;
		if (number(&p, 2, &hour) || *p++ != ':' || number(&p, 2, &minute) || *p++ != ':' ||
		    number(&p, 2, &second))
			return -1;
		if (*p == '+' || *p == '-') {
			sign = *p++ == '+' ? 1 : -1;
			if (number(&p, 2, &oh) || *p++ != ':' || number(&p, 2, &om))
				return -1;
		} else if (*p++ != 'Z') {
			return -1;
		}
	}
	if (*p || y < 1971 || y > 2200 || m < 1 || m > 12 || d < 1 || d > month_days[m - 1] || hour > 23 ||
	    minute > 59 || second > 59 || oh > 23 || om > 59)
		return -1;
	if (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400)))
		return -1;
	*ret = (days_from_civil(y, m, d) * 86400 + hour * 3600 + minute * 60 + second - sign * (oh * 3600 + om * 60)) *
	       SECOND;
	return 0;
}

/* "max" is 0; "60x", "0.5x" */
static int parse_speed(const char *p, double *ret)
{
	double v = 0, scale = 1;
	int digits = 0;

	if (!strcmp(p, "max")) {
		*ret = 0;
		return 0;
	}
	for (; *p >= '0' && *p <= '9'; p++, digits++)
		v = v * 10 + (*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, digits++)
			v += (*p - '0') * (scale /= 10);
	if (!digits || digits > 9 || strcmp(p, "x") || !(v > 0))
		return -1;
	*ret = v;
	return 0;
}

static int32_t TW_PRINTF(3, 4) fail(struct tw_err *e, int32_t code, const char *text, ...)
{
	va_list ap;

	if (e) {
		e->code = code;
		va_start(ap, text);
		vsnprintf(e->msg, sizeof e->msg, text, ap);
		va_end(ap);
	}
	return code;
}

static int32_t demo_check(const void *self, struct tw_err *e)
{
	const struct demo *d = self;
	int64_t start;
	double pace;

	if (parse_start(d->start, &start))
		return fail(e, TW_E_CONFIG, "start: '%s' is no time; write it as 2026-01-05T00:00:00Z", d->start);
	if (parse_speed(d->speed, &pace))
		return fail(e, TW_E_CONFIG, "speed: '%s' is no speed; write max, or 60x for a minute each second",
			    d->speed);
	if (d->live && pace > 0)
		return fail(e, TW_E_CONFIG, "speed: %s does not go with live, which runs at 1x; leave one of them out",
			    d->speed);
	return TW_OK;
}

/* ---- positions ---- */
static uint64_t fingerprint(const struct demo *d)
{
	uint64_t x = VERSION, rate;
	int64_t parts[] = { d->seed, d->symbols, d->accounts, d->abuses, d->live ? 0 : d->duration };

	memcpy(&rate, &d->rate, sizeof rate);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		x = splitmix(&x) ^ (uint64_t)parts[i];
	x = splitmix(&x) ^ rate;
	return splitmix(&x);
}

static int32_t demo_mark(const struct demo *d, struct tw_writer *w)
{
	struct saved s = { VERSION, d->live != 0, fingerprint(d), d->world.ordinal, d->from };
	struct tw_pos pos = { .len = sizeof s };

	memcpy(pos.data, &s, sizeof s);
	return w->mark(w, &pos);
}

static int32_t read_position(const struct demo *d, const struct tw_pos *pos, struct saved *ret, struct tw_err *e)
{
	struct saved s;

	if (pos->len != sizeof s)
		return fail(e, TW_E_CONFIG, "the recorded position is not one of this source");
	memcpy(&s, pos->data, sizeof s);
	if (s.version != VERSION)
		return fail(e, TW_E_CONFIG, "the recorded position was written by another version of this source");
	if (s.live != (uint32_t)(d->live != 0) || s.fingerprint != fingerprint(d) || (!d->live && s.from != d->from))
		return fail(
			e, TW_E_CONFIG,
			"the recorded position belongs to another world; put seed, symbols, accounts, duration, start, "
			"live, abuses and rate back to what they were, or use another data folder");
	*ret = s;
	return TW_OK;
}

/* ---- the source ---- */
static void demo_close(void *self)
{
	struct demo *d = self;

	if (d->is_open)
		world_close(&d->world);
	d->is_open = false;
}

static int32_t demo_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct demo *d = self;
	struct world_options o = { .seed = d->seed, .symbols = d->symbols, .accounts = d->accounts, .rate = d->rate };
	struct saved s = { 0 };
	int64_t now = 0;

	d->host = host;
	if (demo_check(d, e))
		return TW_E_CONFIG;
	parse_start(d->start, &d->from);
	parse_speed(d->speed, &d->pace);
	if (d->live) {
		now = host->wall(host) / SECOND * SECOND;
		d->from = now;
		d->pace = 1;
	}
	if (resume && resume->len) {
		int32_t rc = read_position(d, resume, &s, e);

		if (rc)
			return rc;
		if (d->live && (s.from > now || now - s.from > OLDEST)) {
			host->log(host, TW_LOG_WARN,
				  "the world of the last run began too long ago; a new one begins now");
			s.ordinal = 0;
		} else {
			d->from = s.from;
		}
	}
	o.start = d->from;
	o.duration = d->live ? 0 : (d->duration + SECOND - 1) / SECOND * SECOND;
	o.abuses = d->abuses != 0;
	demo_close(d);
	if (world_open(&d->world, &o))
		return fail(e, TW_E_FATAL, "no memory for the simulated world; ask for fewer accounts or symbols");
	d->is_open = true;
	while (d->world.ordinal < s.ordinal && world_peek(&d->world))
		world_take(&d->world);
	/* a live feed does not repeat what went by while nobody listened */
	while (d->live && s.ordinal && world_peek(&d->world)->ts < now)
		world_take(&d->world);
	d->wall_from = 0;
	if (d->live)
		d->wall_from = d->from;
	else if (d->pace > 0) {
		const struct out *o_first = world_peek(&d->world);

		/* so that the next event is due now, and wall_from stands for the beginning */
		d->wall_from = host->wall(host) - (o_first ? (int64_t)((double)(o_first->ts - d->from) / d->pace) : 0);
	}
	return TW_OK;
}

struct digits {
	char text[24];
};

static struct tw_str id_text(struct digits *d, uint64_t v)
{
	char *p = d->text + sizeof d->text;

	if (!v)
		return tw_none;
	for (; v; v /= 10)
		*--p = (char)('0' + v % 10);
	return tw_text(p, (uint64_t)(d->text + sizeof d->text - p));
}

static int32_t push(const struct demo *d, struct tw_writer *w, const struct out *o)
{
	const struct world *world = &d->world;
	struct tw_str symbol = tw_none, account = tw_none, counterparty = tw_none;
	const double *v = o->v;
	struct digits n;
	struct tw_str id = id_text(&n, o->id);

	if (o->symbol)
		symbol = tw_textz(world->symbols[o->symbol - 1].name);
	if (o->account)
		account = tw_textz(world->accounts[o->account - 1].name);
	if (o->counterparty)
		counterparty = tw_textz(world->accounts[o->counterparty - 1].name);
	switch (o->kind) {
	case TW_QUOTE:
		return tw_push_quote(w, o->ts, symbol, v[0], v[1], v[2], v[3]);
	case TW_TRADE:
		return tw_push_trade(w, o->ts, symbol, v[0], v[1], o->side, account, counterparty, id);
	case TW_ORDER:
		return tw_push_order(w, o->ts, symbol, account, tw_textz(o->text[0]), o->side, v[0], v[1], v[2], id);
	case TW_DEAL:
		return tw_push_deal(w, o->ts,
				    &(struct tw_deal_in){ .account = account,
							  .symbol = symbol,
							  .ticket = id,
							  .side = o->side,
							  .open_ts = o->from,
							  .size = v[0],
							  .open_price = v[1],
							  .close_price = v[2],
							  .stop_loss = v[3] > 0 ? v[3] : TW_NONE,
							  .take_profit = v[4] > 0 ? v[4] : TW_NONE,
							  .commission = v[5],
							  .swap = v[6],
							  .profit = v[7] });
	case TW_ACCOUNT:
		return tw_push_account(w, o->ts, account, tw_textz(o->text[0]), v[0], v[1], v[2], v[3], v[4],
				       tw_textz("USD"), tw_textz("demo"), tw_textz(o->text[1]));
	case TW_NEWS:
		return tw_push_news(w, o->ts, tw_textz("demo"), id, tw_textz("calendar"), tw_none, tw_textz(o->text[1]),
				    tw_textz(o->text[0]), tw_textz(o->text[2]), v[0], v[1], v[2]);
	case TW_LABEL:
		return tw_push_label(w, o->ts, symbol, account, o->from, o->to, tw_none, tw_textz("abuse"),
				     tw_textz(o->text[0]), tw_textz("demo"), tw_textz(o->text[1]));
	default:
		return tw_push_clock(w, o->ts, tw_textz("demo"));
	}
}

/* How long until a paced event is due, in ns of the wall. */
static int64_t due_in(const struct demo *d, int64_t ts)
{
	return d->wall_from + (int64_t)((double)(ts - d->from) / d->pace) - d->host->wall(d->host);
}

static int32_t demo_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct demo *d = self;
	const struct out *o = NULL;
	uint32_t n = 0;
	int32_t rc;

	(void)e;
	if (!w->credit)
		return TW_AGAIN;
	while (n < w->credit && (o = world_peek(&d->world))) {
		if (d->pace > 0) {
			int64_t wait = due_in(d, o->ts);

			if (wait > 0 && n)
				break;
			if (wait > 0) {
				int64_t most = (int64_t)timeout_ms * 1000000;
				struct timespec t;

				wait = wait < most ? wait : most;
				t.tv_sec = wait / SECOND;
				t.tv_nsec = wait % SECOND;
				if (wait > 0)
					nanosleep(&t, NULL);
				if (due_in(d, o->ts) > 0)
					return TW_AGAIN;
			}
		}
		rc = push(d, w, o);
		if (rc < 0 && rc != TW_E_DATA)
			return rc;
		world_take(&d->world);
		n++;
	}
	if (n) {
		rc = demo_mark(d, w);
		if (rc < 0)
			return rc;
	}
	return o ? TW_OK : TW_DONE;
}

static int32_t demo_finite(const void *self)
{
	return !((const struct demo *)self)->live;
}

static void demo_progress(const void *self, uint64_t *done, uint64_t *total)
{
	const struct demo *d = self;

	*done = d->is_open ? (uint64_t)(d->world.now - d->from) : 0;
	*total = d->live ? 0 : (uint64_t)d->duration;
	if (*total && *done > *total)
		*done = *total;
}

static const char doc[] =
	"A world for trying things out, made of random numbers from one seed: quotes and trades of currencies, gold,\n"
	"indices and shares in their hours, with volatility that clusters, fat tails and spreads that widen; a "
	"calendar\n"
	"of news; and a broker's accounts that trade in a dozen styles. The same options give the same events on "
	"every\n"
	"machine. About 1.2 million events a day.\n"
	"\n"
	"Abuses are injected at random times, some of each kind a day, never two at once on one symbol:\n"
	"  price_spike     the price jumps by 8 to 15 standard deviations of its recent ticks and reverts in seconds\n"
	"  volume_burst    8 to 20 times as many trades, 2.5 to 8 times as large, for about a minute\n"
	"  feed_silence    no quotes and no trades of a currency pair for 3 to 10 minutes\n"
	"  wash_trades     an account trades 6 to 20 times with itself within half a minute\n"
	"  martingale_run  an account doubles its lot after each of 4 to 7 losses in a row\n"
	"Within two minutes after each a label event tells its time, symbol and account (verdict abuse, author demo),\n"
	"for measuring detectors, never for detecting.";

TW_SOURCE(.name = "demo", .version = "1.0.0",
	  .summary = "a seeded simulator of a market and a broker, with labelled abuses", .options = options,
	  .self_size = sizeof(struct demo), .doc = doc, .check = demo_check, .open = demo_open, .poll = demo_poll,
	  .close = demo_close, .finite = demo_finite, .progress = demo_progress)
