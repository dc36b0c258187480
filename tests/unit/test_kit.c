/* SPDX-License-Identifier: Apache-2.0
 *
 * The kit's one-liners: what a line means, what it is refused for, and what an expectation takes.
 */
#include "kit/conform.h"
#include "kit/line.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

struct read_event {
	struct buf bytes;
	struct intern *names;
	struct arena arena;
	int64_t now;
	_Alignas(16) unsigned char room[512];
	const struct tw_event *ev;
};

static void read_line(struct read_event *r, const char *line)
{
	struct tw_err e = { 0 };

	r->bytes.len = 0;
	if (kit_line_event(&r->bytes, line, KIT_START, &r->now, &e) != TW_OK)
		fail_msg("%s: %s", line, e.msg);
	assert_int_equal(event_decode((void *)r->room, r->bytes.data, r->bytes.len, r->names, &r->arena), r->bytes.len);
	r->ev = (void *)r->room;
}

static struct read_event begin(void)
{
	return (struct read_event){ .names = intern_new(100), .now = KIT_START };
}

static void end(struct read_event *r)
{
	buf_free(&r->bytes);
	intern_free(r->names);
	arena_free(&r->arena);
}

static void a_test_begins_on_a_monday(void **state)
{
	(void)state;
	assert_int_equal(KIT_START / SECOND, 1767571200);
	assert_int_equal((KIT_START / SECOND / 86400 + 3) % 7, 0); /* 1970-01-01 was a Thursday */
}

static void durations_may_have_several_parts(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = { { "0s", 0 }, { "1m30s", 90 * SECOND }, { "250ms", SECOND / 4 }, { "1d2h", 93600 * SECOND } };
	static const char *const bad[] = { "", "5", "s", "1m30", "-1s", "1 m", "1x", "99999999999d" };
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(kit_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (kit_duration(bad[i], &ns) == 0)
			fail_msg("'%s' was taken", bad[i]);
}

static void times_are_from_the_beginning_or_from_the_event_before(void **state)
{
	struct read_event r = begin();

	(void)state;
	read_line(&r, "10s quote EURUSD bid=1.1 ask=1.2");
	assert_int_equal(r.ev->ts, KIT_START + 10 * SECOND);
	read_line(&r, "+1m30s quote EURUSD bid=1.1 ask=1.2");
	assert_int_equal(r.ev->ts, KIT_START + 100 * SECOND);
	read_line(&r, "quote EURUSD bid=1.1 ask=1.2");
	assert_int_equal(r.ev->ts, KIT_START + 100 * SECOND);
	read_line(&r, "2026-01-05T09:30:00Z quote EURUSD bid=1.1 ask=1.2");
	assert_int_equal(r.ev->ts, KIT_START + (9 * 3600 + 1800) * SECOND);
	read_line(&r, "-1s clock"); /* time may go backwards */
	assert_int_equal(r.ev->ts, KIT_START + (9 * 3600 + 1799) * SECOND);
	end(&r);
}

static void a_line_has_the_fields_it_names_and_no_others(void **state)
{
	struct read_event r = begin();

	(void)state;
	read_line(&r, "trade EURUSD price=1.25 size=2 side=sell account=A1 trade_id=\"a \\\"b\\\" c\"");
	assert_int_equal(r.ev->kind, TW_TRADE);
	assert_string_equal(intern_name(r.names, r.ev->trade.symbol), "EURUSD");
	assert_string_equal(intern_name(r.names, r.ev->trade.account), "A1");
	assert_int_equal(r.ev->trade.counterparty, 0);
	assert_true(r.ev->trade.price == 1.25 && r.ev->trade.size == 2);
	assert_int_equal(r.ev->trade.side, TW_SELL);
	assert_int_equal(r.ev->trade.trade_id.len, 7);
	assert_memory_equal(r.ev->trade.trade_id.s, "a \"b\" c", 7);
	read_line(&r, "bar AAPL interval=1m open=1 high=3 low=0.5 close=2");
	assert_int_equal(r.ev->bar.interval, 60 * SECOND);
	assert_int_equal(r.ev->bar.count, -1);
	assert_true(isnan(r.ev->bar.volume));
	read_line(&r, "1m deal EURUSD account=A side=buy open_ts=-30s size=1 open_price=1 close_price=1 profit=-3");
	assert_int_equal(r.ev->deal.open_ts, KIT_START + 30 * SECOND);
	read_line(&r, "account A1 event=balance amount=5 balance=10");
	assert_string_equal(intern_name(r.names, r.ev->account.account), "A1");
	end(&r);
}

static void a_line_that_is_wrong_says_why(void **state)
{
	static const struct {
		const char *line, *sentence;
		int32_t code;
	} wrong[] = { { "", "expected [TIME] KIND", TW_E_CONFIG },
		      { "10s", "expected [TIME] KIND", TW_E_CONFIG },
		      { "qote EURUSD bid=1 ask=2", "KIND such as quote", TW_E_CONFIG },
		      { "quote EURUSD bd=1 ask=2", "did you mean 'bid'", TW_E_CONFIG },
		      { "quote EURUSD bid=x ask=2", "bid=x is no number", TW_E_CONFIG },
		      { "quote EURUSD bid=1x ask=2", "is no number", TW_E_CONFIG },
		      { "quote EURUSD bid= ask=2", "is no number", TW_E_CONFIG },
		      { "quote EURUSD USDJPY bid=1 ask=2", "expected FIELD=VALUE", TW_E_CONFIG },
		      { "trade EURUSD price=1 trade_id=\"open", "a quote is not closed", TW_E_CONFIG },
		      { "deal EURUSD account=A side=buy open_ts=soon", "open_ts=soon is no time", TW_E_CONFIG },
		      { "quote EURUSD bid=1", "ask is absent", TW_E_DATA },
		      { "quote bid=1 ask=2", "symbol is empty", TW_E_DATA },
		      { "trade EURUSD price=1 side=up", "expected buy or sell", TW_E_DATA } };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct buf out = { 0 };
		struct tw_err e = { 0 };
		int64_t now = KIT_START;
		assert_int_equal(kit_line_event(&out, wrong[i].line, KIT_START, &now, &e), wrong[i].code);
		if (!strstr(e.msg, wrong[i].sentence))
			fail_msg("'%s': %s", wrong[i].line, e.msg);
		assert_int_equal(out.len, 0);
		assert_int_equal(now, KIT_START);
		buf_free(&out);
	}
}

static void a_line_and_its_event_say_the_same(void **state)
{
	static const char *const lines[] = {
		"10s quote EURUSD bid=1.1 ask=1.2",
		"1m trade EURUSD price=-3 size=2 side=buy account=A counterparty=B",
		"0s account A1 amount=5 balance=10 event=balance",
		"0s clock x",
		"5s bar AAPL interval=1m open=1 high=3 low=0.5 close=2 volume=7 count=4",
		"1s news EURUSD actual=1.5 category=calendar source=x id=1 title=\"a b\""
	};
	struct read_event r = begin();

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct buf out = { 0 };
		read_line(&r, lines[i]);
		kit_event_line(&out, r.ev, r.names, KIT_START);
		assert_int_equal(buf_add(&out, "", 1), 0);
		assert_string_equal((char *)out.data, lines[i]);
		buf_free(&out);
	}
	end(&r);
}

static void an_expectation_takes_what_has_all_it_names(void **state)
{
	static const struct {
		const char *want;
		bool takes;
	} table[] = { { "", true },
		      { "EURUSD", true },
		      { "USDJPY", false },
		      { "10s", true },
		      { "11s EURUSD", false },
		      { "type=spread", true },
		      { "type=sprea", false },
		      { "type~prea", true },
		      { "score=5", true },
		      { "score=5.1", false },
		      { "score>=5", true },
		      { "score>=5.01", false },
		      { "score<=5", true },
		      { "score<=4.99", false },
		      { "score>=4 score<=6 severity=high", true },
		      { "severity=low", false },
		      { "reason~\"too wide\"", true },
		      { "reason~\"too narrow\"", false },
		      { "account=", true },
		      { "account=A", false },
		      { "p_value>=0", false } }; /* it has none */
	struct read_event r = begin();

	(void)state;
	read_line(&r, "10s alert EURUSD type=spread severity=high score=5 reason=\"far too wide\" detector=x version=1 "
		      "config=1 id=a");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct kit_want w;
		struct tw_err e = { 0 };
		assert_int_equal(kit_line_want(&w, table[i].want, KIT_START, false, &e), TW_OK);
		if (kit_matches(&w, r.ev, r.names) != table[i].takes)
			fail_msg("'%s'", table[i].want);
	}
	end(&r);
}

static void an_expectation_that_is_wrong_says_why(void **state)
{
	static const char *const wrong[] = { "EURUSD USDJPY", "colour=red", "score>4", "type=\"open" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct kit_want w;
		struct tw_err e = { 0 };
		assert_int_equal(kit_line_want(&w, wrong[i], KIT_START, false, &e), TW_E_CONFIG);
		assert_int_not_equal(strlen(e.msg), 0);
	}
}

/* What is called hostile is, and what is called ordinary passes the edge. */
static void generated_events_are_what_they_are_called(void **state)
{
	struct kit_events plain = { 0 }, odd = { 0 }, again = { 0 };
	uint32_t refused = 0, long_texts = 0, backwards = 0;
	int64_t last = INT64_MIN;

	(void)state;
	assert_int_equal(conform_events(&plain, TW_ANY, 2000, 3, false), TW_OK);
	assert_int_equal(conform_events(&odd, TW_ANY, 2000, 3, true), TW_OK);
	assert_int_equal(conform_events(&again, TW_ANY, 2000, 3, true), TW_OK);
	assert_int_equal(odd.bytes.len, again.bytes.len);
	assert_memory_equal(odd.bytes.data, again.bytes.data, odd.bytes.len);
	for (uint32_t i = 0; i < plain.n; i++) {
		struct buf out = { 0 };
		struct tw_err e = { 0 };
		size_t len;
		const unsigned char *bytes = kit_event(&plain, i, &len);
		const char *word = event_canonical(&out, bytes, len, &e);
		if (word)
			fail_msg("ordinary event %u is refused as %s: %s", i, word, e.msg);
		assert_true(event_ts(bytes) >= last);
		last = event_ts(bytes);
		buf_free(&out);
	}
	last = INT64_MIN;
	for (uint32_t i = 0; i < odd.n; i++) {
		struct buf out = { 0 };
		struct tw_err e = { 0 };
		size_t len;
		const unsigned char *bytes = kit_event(&odd, i, &len);
		refused += event_canonical(&out, bytes, len, &e) != NULL;
		long_texts += len > 2048;
		backwards += event_ts(bytes) < last;
		last = event_ts(bytes);
		buf_free(&out);
	}
	assert_in_range(refused, 200, 1800);
	assert_in_range(long_texts, 50, 1900);
	assert_in_range(backwards, 50, 1900);
	kit_events_free(&plain);
	kit_events_free(&odd);
	kit_events_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_test_begins_on_a_monday),
		cmocka_unit_test(durations_may_have_several_parts),
		cmocka_unit_test(times_are_from_the_beginning_or_from_the_event_before),
		cmocka_unit_test(a_line_has_the_fields_it_names_and_no_others),
		cmocka_unit_test(a_line_that_is_wrong_says_why),
		cmocka_unit_test(a_line_and_its_event_say_the_same),
		cmocka_unit_test(an_expectation_takes_what_has_all_it_names),
		cmocka_unit_test(an_expectation_that_is_wrong_says_why),
		cmocka_unit_test(generated_events_are_what_they_are_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
