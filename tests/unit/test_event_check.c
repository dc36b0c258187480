/* SPDX-License-Identifier: Apache-2.0
 *
 * The validators: a table of good and bad events with the word each must get. Events are written through push.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_samples.h"

#define INF       ((double)INFINITY)
#define Q(...)    tw_push_quote(w, __VA_ARGS__)
#define OK        NULL
#define YEAR_1900 (INT64_C(-2208988800) * 1000000000)
#define YEAR_2200 (INT64_C(7258118400) * 1000000000)

static struct sample out = { .writer = SAMPLE_WRITER, .check_only = true };
static struct tw_writer *const w = &out.writer;

#define assert_word(call, word)                                                                                        \
	do {                                                                                                           \
		out.err.msg[0] = '\0';                                                                                 \
		call;                                                                                                  \
		if (word == NULL) {                                                                                    \
			assert_null(out.refused);                                                                      \
		} else {                                                                                               \
			assert_non_null(out.refused);                                                                  \
			assert_string_equal(out.refused, (const char *)word);                                          \
			assert_int_equal(out.err.code, TW_E_DATA);                                                     \
			assert_non_null(strstr(out.err.msg, "expected"));                                              \
		}                                                                                                      \
	} while (0)

static void the_samples_are_valid(void **state)
{
	(void)state;
	for (uint32_t bit = 1; bit < TW_ANY; bit <<= 1) {
		out.refused = NULL;
		sample_push(&out, bit);
		assert_null(out.refused);
	}
}

static void odd_quotes_are_data(void **state)
{
	(void)state;
	assert_word(Q(1, T("EURUSD"), 1.2, 1.1, TW_NONE, TW_NONE), OK); /* crossed */
	assert_word(Q(1, T("CL"), -37.63, -37, 1, 1), OK);
	assert_word(Q(1, T("X"), 0, 0, 0, 0), OK);
	assert_word(Q(YEAR_1900, T("X"), 1, 1, 1, 1), OK);
	assert_word(Q(YEAR_2200 - 1, T("X"), 1, 1, 1, 1), OK);
	assert_word(Q(1, T("\xe2\x82\xac\xf0\x9f\x92\xb6 \xc3\xa9"), 1, 1, 1, 1), OK);
	assert_word(Q(1, T("a b~"), 1, 1, 1, 1), OK);
}

static void bad_quotes_are_refused(void **state)
{
	(void)state;
	char longest[256];
	memset(longest, 'x', sizeof longest);
	assert_word(Q(YEAR_1900 - 1, T("X"), 1, 1, 1, 1), "bad_time");
	assert_word(Q(YEAR_2200, T("X"), 1, 1, 1, 1), "bad_time");
	assert_word(Q(INT64_MIN, T("X"), 1, 1, 1, 1), "bad_time");
	assert_word(Q(1, tw_none, 1, 1, 1, 1), "bad_symbol");
	assert_word(Q(1, T(""), 1, 1, 1, 1), "bad_symbol");
	assert_word(Q(1, tw_text(longest, 255), 1, 1, 1, 1), OK);
	assert_word(Q(1, tw_text(longest, 256), 1, 1, 1, 1), "bad_symbol");
	assert_word(Q(1, T("X"), TW_NONE, 1, 1, 1), "bad_price");
	assert_word(Q(1, T("X"), 1, INF, 1, 1), "bad_price");
	assert_word(Q(1, T("X"), 1, -INF, 1, 1), "bad_price");
	assert_word(Q(1, T("X"), 1, 1, -1, 1), "bad_size");
	assert_word(Q(1, T("X"), 1, 1, 1, INF), "bad_size");
}

static void symbols_are_clean_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *s;
		uint32_t len;
	} bad[] = {
		{ "A\0B", 3 },
		{ "A\nB", 3 },
		{ "\t", 1 },
		{ "AB\x7f", 3 },
		{ "\x1f", 1 },
		{ "ABCDEFGH\x01", 9 },
		{ "ABCD\x7f", 5 },
		{ "ABC\x01"
		  "FGH",
		  7 },
		{ "\xc2\x85", 2 }, /* C1 */
		{ "\xff", 1 },
		{ "\x80", 1 },
		{ "\xc0\x80", 2 }, /* overlong */
		{ "\xe0\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 3 },
		{ "\xf4\x90\x80\x80", 4 },
		{ "\xf0\x8f\xbf\xbf", 4 },
		{ "AAAAAAAA\xe2\x82", 10 },
		{ "\xe2\x82", 2 },
		{ "\xf8\x88\x80\x80\x80", 5 },
		{ "\xc3", 1 },
		{ "ABCDEFG\xc3", 8 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_word(Q(1, tw_text(bad[i].s, bad[i].len), 1, 1, 1, 1), "bad_symbol");
	static const char *good[] = { "A",
				      "AB",
				      "ABC",
				      "ABCD",
				      "ABCDEFG",
				      "ABCDEFGH",
				      "ABCDEFGHI",
				      "\xc2\xa0",
				      "\xed\x9f\xbf",
				      "\xf4\x8f\xbf\xbf",
				      "\xe0\xa0\x80",
				      "\xf0\x90\x80\x80" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_word(Q(1, tw_textz(good[i]), 1, 1, 1, 1), OK);
}

#define TRADE(price, size, account, other, id) tw_push_trade(w, 1, T("X"), price, size, TW_BUY, account, other, id)

static void trades(void **state)
{
	(void)state;
	assert_word(TRADE(1, TW_NONE, tw_none, tw_none, tw_none), OK);
	assert_word(TRADE(TW_NONE, 1, tw_none, tw_none, tw_none), "bad_price");
	assert_word(TRADE(1, -1, tw_none, tw_none, tw_none), "bad_size");
	assert_word(TRADE(1, 1, T("a\n"), tw_none, tw_none), "bad_account");
	assert_word(TRADE(1, 1, T("a"), T("\xff"), tw_none), "bad_account");
	assert_word(TRADE(1, 1, T("a"), T("b"), T("\x01")), "bad_text");
	assert_word(TRADE(1, 1, T("a"), T("b"), T("tab\tand\nline are fine")), OK);
	assert_word(TRADE(1, 1, T("a"), T("b"), T("\r")), "bad_text");
	char *text = malloc(32769);
	memset(text, 'x', 32769);
	assert_word(TRADE(1, 1, T("a"), T("b"), tw_text(text, 32768)), OK);
	assert_word(TRADE(1, 1, T("a"), T("b"), tw_text(text, 32769)), "bad_text");
	free(text);
}

static void an_unknown_side_is_named_with_what_was_expected(void **state)
{
	(void)state;
	union tw_num n[] = { tw_f64(1), tw_f64(1) };
	struct tw_str s[] = { T("X"), T("bid"), tw_none, tw_none, tw_none };
	struct tw_err e;
	assert_string_equal(event_check(kind_of(TW_TRADE), 1, n, s, &e), "bad_side");
	assert_string_equal(e.msg, "side is 'bid': expected buy or sell");
	s[1] = T("sellsells");
	assert_string_equal(event_check(kind_of(TW_TRADE), 1, n, s, &e), "bad_side");
	s[1] = T("BUY");
	assert_string_equal(event_check(kind_of(TW_TRADE), 1, n, s, NULL), "bad_side");
	s[1] = T("sell");
	assert_null(event_check(kind_of(TW_TRADE), 1, n, s, &e));
}

#define BAR(i, o, h, l, c, v, n) tw_push_bar(w, 1, T("X"), i, o, h, l, c, v, n)

static void bars(void **state)
{
	(void)state;
	assert_word(BAR(0, 10, 12, 9, 11, TW_NONE, -1), OK);
	assert_word(BAR(0, -10, -9, -12, -11, 1, 0), OK);
	assert_word(BAR(0, 10, 10, 10, 10, 1, 0), OK);
	assert_word(BAR(0, 10, 9, 12, 10, 1, 0), "bad_bar");
	assert_word(BAR(0, 13, 12, 9, 10, 1, 0), OK); /* an open outside high and low is data */
	assert_word(BAR(0, 10, 12, 9, 8, 1, 0), OK);
	assert_word(BAR(0, TW_NONE, 12, 9, 10, 1, 0), "bad_price");
	assert_word(BAR(0, 10, INF, 9, 10, 1, 0), "bad_price");
	assert_word(BAR(0, 10, 12, 9, 11, -1, 0), "bad_size");
	assert_word(BAR(0, 10, 12, 9, 11, 1, -2), "bad_size");
	assert_word(BAR(-1, 10, 12, 9, 11, 1, 0), "bad_interval");
}

#define ORDER(action, price, size, rest) tw_push_order(w, 1, T("X"), T("a"), action, TW_SELL, price, size, rest, T("1"))

static void orders(void **state)
{
	(void)state;
	assert_word(ORDER(T("new"), TW_NONE, 1, 1), OK);
	assert_word(ORDER(tw_none, 1, 1, 1), "bad_action");
	assert_string_equal(out.err.msg, "action is absent: expected new, modify, cancel, fill or reject");
	assert_word(ORDER(T("bust"), 1, 1, 1), "bad_action");
	assert_word(ORDER(T("fill"), INF, 1, 1), "bad_price");
	assert_word(ORDER(T("fill"), 1, -1, 1), "bad_size");
	assert_word(ORDER(T("fill"), 1, 1, -1), "bad_size");
}

static void deals(void **state)
{
	(void)state;
	const struct tw_deal_in good = { .account = T("1"),
					 .symbol = T("X"),
					 .side = TW_BUY,
					 .open_ts = 5,
					 .size = 1,
					 .open_price = 1,
					 .close_price = 2,
					 .stop_loss = TW_NONE,
					 .take_profit = TW_NONE,
					 .commission = TW_NONE,
					 .swap = TW_NONE,
					 .profit = -1 };
	struct tw_deal_in d = good;
#define DEAL(change, word)                                                                                             \
	d = good;                                                                                                      \
	d.change;                                                                                                      \
	assert_word(tw_push_deal(w, 10, &d), word)
	DEAL(size = 1, OK);
	DEAL(open_ts = 10, OK);
	DEAL(open_ts = 11, "bad_time");
	DEAL(open_ts = YEAR_1900 - 1, "bad_time");
	DEAL(size = 0, "bad_size");
	DEAL(size = TW_NONE, "bad_size");
	DEAL(size = INF, "bad_size");
	DEAL(side = TW_SIDE_NONE, "bad_side");
	DEAL(account = tw_none, "bad_account");
	DEAL(symbol = tw_none, "bad_symbol");
	DEAL(open_price = TW_NONE, "bad_price");
	DEAL(close_price = INF, "bad_price");
	DEAL(stop_loss = INF, "bad_price");
	DEAL(profit = INF, "bad_value");
	DEAL(comment = T("\xc3"), "bad_text");
	assert_word(tw_push_deal(w, YEAR_2200, &d), "bad_time");
}

static void accounts_and_news(void **state)
{
	(void)state;
#define ACCOUNT(account, event, amount)                                                                                \
	tw_push_account(w, 1, account, event, amount, 1, 1, 1, 1, tw_none, tw_none, tw_none)
	assert_word(ACCOUNT(T("1"), T("credit"), -5), OK);
	assert_word(ACCOUNT(tw_none, T("credit"), -5), "bad_account");
	assert_word(ACCOUNT(T("1"), tw_none, -5), "bad_event");
	assert_word(ACCOUNT(T("1"), T("debit"), -5), "bad_event");
	assert_word(ACCOUNT(T("1"), T("balance"), INF), "bad_value");
#define NEWS(id, category, impact, title, actual)                                                                      \
	tw_push_news(w, 1, T("s"), id, category, tw_none, tw_none, impact, title, actual, TW_NONE, TW_NONE)
	assert_word(NEWS(T("1"), tw_none, tw_none, tw_none, TW_NONE), OK);
	assert_word(NEWS(tw_none, T("filing"), T("low"), T("8-K"), TW_NONE), OK);
	assert_word(NEWS(tw_none, T("filing"), T("low"), tw_none, TW_NONE), "missing_field");
	assert_word(NEWS(T("1"), T("rumour"), tw_none, tw_none, TW_NONE), "bad_category");
	assert_word(NEWS(T("1"), tw_none, T("huge"), tw_none, TW_NONE), "bad_impact");
	assert_word(NEWS(T("1"), tw_none, tw_none, tw_none, INF), "bad_value");
}

static void scores_labels_clocks_and_corrections(void **state)
{
	(void)state;
	assert_word(tw_push_score(w, 1, T("d"), tw_none, tw_none, 1, TW_NONE), OK);
	assert_word(tw_push_score(w, 1, T("d"), tw_none, tw_none, TW_NONE, TW_NONE), "bad_value");
	assert_word(tw_push_score(w, 1, T("d"), tw_none, tw_none, INF, TW_NONE), "bad_value");
	assert_word(tw_push_score(w, 1, T("d"), tw_none, tw_none, 1, 1.5), "bad_value");
#define LABEL(from, to, verdict)                                                                                       \
	tw_push_label(w, 1, tw_none, tw_none, from, to, T("1"), verdict, tw_none, tw_none, tw_none)
	assert_word(LABEL(0, 0, T("true")), OK);
	assert_word(LABEL(5, 6, T("true")), OK);
	assert_word(LABEL(6, 5, T("true")), "bad_time");
	assert_word(LABEL(INT64_MIN, 5, T("true")), "bad_time");
	assert_word(LABEL(0, 0, tw_none), "missing_field");
	assert_word(tw_push_clock(w, 1, tw_none), OK);
	assert_word(tw_push_clock(w, 1, T("\x02")), "bad_text");
#define CORRECTION(action, ref, id, price) tw_push_correction(w, 1, tw_none, action, ref, id, price, TW_NONE)
	assert_word(CORRECTION(T("amend"), 7, tw_none, 1), OK);
	assert_word(CORRECTION(T("bust"), 0, T("t"), TW_NONE), OK);
	assert_word(CORRECTION(T("bust"), 0, tw_none, TW_NONE), "missing_field");
	assert_word(CORRECTION(T("fill"), 7, tw_none, 1), "bad_action");
	assert_word(CORRECTION(T("amend"), 7, tw_none, INF), "bad_price");
}

static void an_event_beyond_64_kib_is_too_large(void **state)
{
	(void)state;
	char *text = malloc(32768);
	memset(text, 'x', 32768);
	struct tw_str t = tw_text(text, 32768);
	assert_word(tw_push_news(w, 1, t, T("i"), tw_none, tw_none, tw_none, tw_none, tw_text(text, 32000), 1, 1, 1),
		    OK);
	assert_word(tw_push_news(w, 1, t, T("i"), tw_none, tw_none, tw_none, tw_none, t, 1, 1, 1), "too_large");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_samples_are_valid),
		cmocka_unit_test(odd_quotes_are_data),
		cmocka_unit_test(bad_quotes_are_refused),
		cmocka_unit_test(symbols_are_clean_utf8),
		cmocka_unit_test(trades),
		cmocka_unit_test(an_unknown_side_is_named_with_what_was_expected),
		cmocka_unit_test(bars),
		cmocka_unit_test(orders),
		cmocka_unit_test(deals),
		cmocka_unit_test(accounts_and_news),
		cmocka_unit_test(scores_labels_clocks_and_corrections),
		cmocka_unit_test(an_event_beyond_64_kib_is_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
