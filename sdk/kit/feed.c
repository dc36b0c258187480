/* SPDX-License-Identifier: Apache-2.0
 *
 * Time and events of a test.
 */
#include "base/err.h"
#include "config/config.h"
#include "event/tape_line.h"
#include "impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tw_start(struct tw_test *t, const char *time)
{
	int64_t at;

	if (t->over)
		return;
	if (t->events.n)
		test_over(t, "tw_start() comes before the first event");
	else if (parse_time(time, 0, &at) < 0)
		test_over(t, "tw_start(\"%s\"): expected a time such as 2026-01-05T09:30:00Z", time);
	else
		t->start = t->now = at;
}

void tw_at(struct tw_test *t, const char *offset)
{
	if (!t->over && kit_when(offset, t->start, t->now, &t->now) != 0)
		test_over(t, "tw_at(\"%s\"): expected an offset such as 10s or 1m30s", offset);
}

int64_t tw_now(const struct tw_test *t)
{
	return t->now;
}

/* An event is kept; it is judged when somebody asks what came of it. */
static void put(struct tw_test *t, uint32_t bit, int64_t ts, const union tw_num *n, const struct tw_str *s)
{
	const struct kind *k = kind_of(bit);
	struct tw_err e = { 0 };
	unsigned char *room;

	if (!test_is(t, PLUGIN_DETECTOR))
		return;
	if (event_check(k, ts, n, s, &e)) {
		test_over(t, "no source could push this %s, the host refuses it: %s", k->name, e.msg);
		return;
	}
	room = malloc(event_bound(k, s));
	if (!room || kit_events_add(&t->events, room, event_put(room, k, ts, n, s)) < 0)
		test_over(t, "memory is out, or there are more than %u events", KIT_MAX_EVENTS);
	free(room);
	t->now = ts;
}

static union tw_num f64(double v)
{
	return (union tw_num){ .f = v };
}

static struct tw_str text(const char *s)
{
	return (struct tw_str){ .s = s, .len = s ? (uint32_t)strlen(s) : 0 };
}

void tw_advance(struct tw_test *t, const char *offset)
{
	const union tw_num n[] = { { .i = 0 } };
	const struct tw_str s[] = { { 0 } };
	int64_t d;

	if (t->over)
		return;
	if (kit_duration(offset + (*offset == '+'), &d) != 0)
		test_over(t, "tw_advance(\"%s\"): expected a duration such as 10s or 1m30s", offset);
	else if (t->plan.kind == PLUGIN_DETECTOR)
		put(t, TW_CLOCK, t->now + d, n, s);
	else
		t->now += d;
}

void tw_quote_at(struct tw_test *t, const char *symbol, int64_t ts, double bid, double ask)
{
	const union tw_num n[] = { f64(bid), f64(ask), f64((double)NAN), f64((double)NAN) };
	const struct tw_str s[] = { text(symbol) };

	put(t, TW_QUOTE, ts, n, s);
}

void tw_quote(struct tw_test *t, const char *symbol, double bid, double ask)
{
	tw_quote_at(t, symbol, t->now, bid, ask);
}

static void trade(struct tw_test *t, int64_t ts, const char *symbol, double price, double size, const char *side,
		  const char *account, const char *counterparty)
{
	const union tw_num n[] = { f64(price), f64(size) };
	const struct tw_str s[] = { text(symbol), text(side), text(account), text(counterparty), { 0 } };

	put(t, TW_TRADE, ts, n, s);
}

void tw_trade(struct tw_test *t, const char *symbol, double price, double size)
{
	trade(t, t->now, symbol, price, size, NULL, NULL, NULL);
}

void tw_trade_at(struct tw_test *t, const char *symbol, int64_t ts, double price, double size)
{
	trade(t, ts, symbol, price, size, NULL, NULL, NULL);
}

void tw_trade_between(struct tw_test *t, const char *symbol, double price, double size, const char *side,
		      const char *account, const char *counterparty)
{
	trade(t, t->now, symbol, price, size, side, account, counterparty);
}

void tw_bar(struct tw_test *t, const char *symbol, double open, double high, double low, double close, double volume)
{
	const union tw_num n[] = { { .i = 0 }, f64(open), f64(high), f64(low), f64(close), f64(volume), { .i = -1 } };
	const struct tw_str s[] = { text(symbol) };

	put(t, TW_BAR, t->now, n, s);
}

void tw_order(struct tw_test *t, const char *symbol, const char *account, const char *action, const char *side,
	      double price, double size, const char *order_id)
{
	const union tw_num n[] = { f64(price), f64(size), f64((double)NAN) };
	const struct tw_str s[] = { text(symbol), text(account), text(action), text(side), text(order_id) };

	put(t, TW_ORDER, t->now, n, s);
}

void tw_deal(struct tw_test *t, const char *account, const char *symbol, const char *side, double size, double profit,
	     const char *held)
{
	const double none = (double)NAN;
	union tw_num n[] = { { .i = 0 }, f64(size), f64(1),    f64(1),     f64(none),
			     f64(none),  f64(none), f64(none), f64(profit) };
	const struct tw_str s[] = { text(account), text(symbol), text(side), { 0 }, { 0 } };
	int64_t d;

	if (t->over)
		return;
	if (kit_duration(held, &d) != 0) {
		test_over(t, "tw_deal(): held \"%s\": expected a duration such as 30s", held);
		return;
	}
	n[0].i = t->now - d;
	put(t, TW_DEAL, t->now, n, s);
}

static void add_line(struct tw_test *t, const char *line)
{
	struct buf one = { 0 };
	struct tw_err e = { 0 };
	int32_t rc = kit_line_event(&one, line, t->start, &t->now, &e);

	if (rc == TW_E_DATA)
		test_over(t, "no source could push this, the host refuses it: %s\n  %s", e.msg, line);
	else if (rc != TW_OK)
		test_over(t, "%s", e.msg);
	else if (kit_events_add(&t->events, one.data, one.len) < 0)
		test_over(t, "memory is out, or there are more than %u events", KIT_MAX_EVENTS);
	buf_free(&one);
}

void tw_feed(struct tw_test *t, const char *line)
{
	if (test_is(t, PLUGIN_DETECTOR))
		add_line(t, line);
}

void tw_give(struct tw_test *t, const char *line)
{
	if (test_is(t, PLUGIN_SINK))
		add_line(t, line);
}

void tw_feed_file(struct tw_test *t, const char *path)
{
	struct buf one = { 0 };
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t len;
	FILE *f;

	if (!test_is(t, PLUGIN_DETECTOR))
		return;
	f = fopen(path, "re");
	if (!f) {
		test_over(t, "cannot read %s: %m", path);
		return;
	}
	while (!t->over && (len = getline(&line, &cap, f)) > 0) {
		struct tape_line ret;
		struct tw_err e = { 0 };
		number++;
		one.len = 0;
		if (len == 1)
			continue;
		if (tape_line_read(&one, &ret, line, (size_t)len, &e) != TW_OK) {
			test_over(t, "%s:%zu: %s", path, number, e.msg);
		} else if (kit_events_add(&t->events, one.data, one.len) < 0) {
			test_over(t, "memory is out, or there are more than %u events", KIT_MAX_EVENTS);
		} else {
			t->now = event_ts(one.data);
		}
	}
	free(line);
	buf_free(&one);
	fclose(f);
}
