/* SPDX-License-Identifier: Apache-2.0
 *
 * The csv source reads each known format without being told, and any other by `columns:`. Times are checked against
 * `date -u -d ... +%s`.
 */
#include "test_source_csv_kit.h"

static void truefx_lines_are_quotes_in_utc(void **state)
{
	struct world *w = *state;

	run_text(w, "t.csv",
		 "EUR/USD,20140501 05:00:01.787,1.38727,1.38729\n"
		 "USD/JPY,20140501 23:59:59.999,102.5,102.49\n",
		 "");
	assert_int_equal(w->kit.n_events, 2);
	assert_int_equal(event(w, 0)->kind, TW_QUOTE);
	assert_int_equal(event(w, 0)->ts, 1398920401 * SECOND + 787 * MILLI);
	assert_name(w, event(w, 0)->quote.symbol, "EUR/USD");
	assert_double(event(w, 0)->quote.bid, 1.38727);
	assert_double(event(w, 0)->quote.ask, 1.38729);
	assert_absent(event(w, 0)->quote.bid_size);
	assert_int_equal(event(w, 1)->ts, 1398988799 * SECOND + 999 * MILLI);
	assert_double(event(w, 1)->quote.ask, 102.49);
}

/* The hand parser and the slow one must agree; the last line of a file always takes the slow way. */
static void truefx_fast_and_slow_way_agree(void **state)
{
	struct world *w = *state;
	static const char *const lines[] = {
		"EUR/USD,20140501 05:00:01.787,1.38727,1.38729", "X/Y,20160229 00:00:00.000,0.1,12345678901.25",
		"LONGNAME/USD,20141231 23:59:59.999,1,2",        "A/B,19991231 12:34:56.001,.5,5.",
		"A/B,20140501 05:00:01.787,-1.5,+1.5",           "A/B,20140501 05:00:01.787,1e-5,1.23456789012345678",
		"A/B,20140501 05:00:01.787, 1.5 ,1.25",          "A/B,20140501 05:00:01.787,1.5,1.6,7",
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char text[1024];

		/* far from the end, and at it */
		snprintf(text, sizeof text, "A/B,19700102 00:00:00.000,1,2\n%s\n%s", lines[i], lines[i]);
		for (int pad = 0; pad < 8; pad++) {
			size_t len = strlen(text);

			if (pad == 0)
				snprintf(text + len, sizeof text - len, "\n");
			len = strlen(text);
			snprintf(text + len, sizeof text - len, "A/B,21000101 00:00:00.000,1,2\n");
		}
		text[strlen(text) - 1] = 0;
		write_file(w, "t.csv", text);
		assert_int_equal(run(w, "t.csv", "format: truefx"), TW_DONE);
		assert_int_equal(w->kit.n_dead, 0);
		assert_int_equal(w->kit.n_events, 11);
		snprintf(text, sizeof text, "A/B,19700102 00:00:00.000,1,2\n%s", lines[i]);
		write_file(w, "s.csv", text);
		load(w, &w->other, "s.csv", "format: truefx");
		assert_int_equal(source_kit_all(&w->other, 10), TW_DONE);
		assert_int_equal(w->other.n_events, 2);
		assert_true(kit_same_event(&w->kit, event(w, 1), &w->other, w->other.events[1]));
		source_kit_free(&w->other);
	}
}

static void histdata_is_five_hours_behind_utc_all_year(void **state)
{
	struct world *w = *state;

	run_text(w, "EURUSD_2020.csv", "20200101 170000065,1.121200,1.121720,0\n20200701 170000065,1.12,1.13,0\n", "");
	assert_int_equal(w->kit.n_events, 2);
	assert_int_equal(event(w, 0)->ts, 1577916000 * SECOND + 65 * MILLI);
	assert_int_equal(event(w, 1)->ts, 1593640800 * SECOND + 65 * MILLI);
	assert_name(w, event(w, 0)->quote.symbol, "EURUSD");
	assert_double(event(w, 0)->quote.bid, 1.1212);
}

static void histdata_minute_candles_are_bars(void **state)
{
	struct world *w = *state;

	run_text(w, "EURUSD_M1.csv", "20120201 000000;1.306600;1.306700;1.306500;1.306550;0\n", "");
	assert_int_equal(event(w, 0)->kind, TW_BAR);
	assert_int_equal(event(w, 0)->ts, 1328072400 * SECOND);
	assert_double(event(w, 0)->bar.high, 1.3067);
}

static void dukascopy_ticks_are_utc(void **state)
{
	struct world *w = *state;

	run_text(w, "GBPJPY_x.csv", "2012.12.03 00:00:01.883,132.141,132.158,1.13,1.50\n", "");
	assert_int_equal(event(w, 0)->ts, 1354492801 * SECOND + 883 * MILLI);
	assert_double(event(w, 0)->quote.bid_size, 1.13);
	assert_double(event(w, 0)->quote.ask_size, 1.50);
	assert_int_equal(w->kit.n_lines, 0);
}

static void month_first_dates_need_a_timezone(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv", "01/04/2016 08:00:00.062,1.11982,1.11983\n");
	assert_int_equal(run(w, "t.csv", ""), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "timezone"));
	assert_int_equal(run(w, "t.csv", "timezone: America/New_York"), TW_DONE);
	assert_int_equal(event(w, 0)->ts, 1451912400 * SECOND + 62 * MILLI);
}

static void iso_ticks_by_their_header(void **state)
{
	struct world *w = *state;

	run_text(w, "USDJPY.csv", "timestamp,bid,ask\n2013-01-01 22:00:00.295000+00:00,86.655,86.728\n", "");
	assert_int_equal(event(w, 0)->ts, 1357077600 * SECOND + 295 * MILLI);
	assert_int_equal(w->kit.skipped, 1);
}

static void daily_candles_ignore_the_adjusted_close(void **state)
{
	struct world *w = *state;

	run_text(w, "AAPL.csv",
		 "Date,Open,High,Low,Close,Adj "
		 "Close,Volume\n2000-01-03,0.936384,1.004464,0.907924,0.999442,0.846127,535796800\n",
		 "interval: 1d");
	assert_int_equal(event(w, 0)->kind, TW_BAR);
	assert_int_equal(event(w, 0)->ts, 946857600 * SECOND);
	assert_name(w, event(w, 0)->bar.symbol, "AAPL");
	assert_double(event(w, 0)->bar.close, 0.999442);
	assert_double(event(w, 0)->bar.volume, 535796800.0);
	assert_int_equal(event(w, 0)->bar.interval, 86400 * SECOND);
	assert_int_equal(event(w, 0)->bar.count, -1);
	assert_int_equal(w->kit.n_lines, 0);
}

static void minute_candles_carry_their_offset(void **state)
{
	struct world *w = *state;

	run_text(w, "SPY_1min.csv",
		 "Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
		 "2019-12-13 11:01:00-05:00,316.53,316.77,316.47,316.65,269778.0,0.0,0.0\n",
		 "timezone: metatrader");
	assert_int_equal(event(w, 0)->ts, 1576252860 * SECOND);
	assert_name(w, event(w, 0)->bar.symbol, "SPY");
}

static void candles_without_volume_are_fine(void **state)
{
	struct world *w = *state;

	run_text(w, "VIX.csv", "DATE,OPEN,HIGH,LOW,CLOSE\r\n1990-01-02,17.240000,17.240000,17.240000,17.240000\r\n",
		 "");
	assert_absent(event(w, 0)->bar.volume);
	assert_double(event(w, 0)->bar.close, 17.24);
}

static void metatrader_time_follows_new_york_summer_time(void **state)
{
	struct world *w = *state;

	/* 2016: summer time in New York from 13 March to 6 November, in Europe from 27 March to 30 October */
	run_text(w, "e_X_D1.csv",
		 "Date,open,high,low,close,tick_volume\n2016-03-11 12:00:00,1,1,1,1,1\n2016-03-15 12:00:00,1,1,1,1,1\n"
		 "2016-11-02 12:00:00,1,1,1,1,1\n2016-11-08 12:00:00,1,1,1,1,1\n",
		 "timezone: metatrader\nsymbol: '{2}'");
	assert_name(w, event(w, 0)->bar.symbol, "X");
	assert_int_equal(event(w, 0)->ts, 1457690400 * SECOND); /* 10:00 */
	assert_int_equal(event(w, 1)->ts, 1458032400 * SECOND); /* 09:00 */
	assert_int_equal(event(w, 2)->ts, 1478077200 * SECOND); /* 09:00 */
	assert_int_equal(event(w, 3)->ts, 1478599200 * SECOND); /* 10:00 */
}

/* From Python's zoneinfo. 2050 lies behind the table of most zone files: the rule in their footer must do. */
static void named_zones_follow_their_file(void **state)
{
	struct world *w = *state;

	run_text(w, "t.csv",
		 "timestamp,value\n2016-03-13 02:30:00,1\n2016-11-06 01:30:00,2\n2016-11-06 02:00:00,3\n"
		 "2050-01-05 12:00:00,4\n2050-07-01 12:00:00,5\n",
		 "timezone: America/New_York");
	assert_int_equal(event(w, 0)->ts, 1457854200 * SECOND); /* skipped by the clocks */
	assert_int_equal(event(w, 1)->ts, 1478410200 * SECOND); /* twice: the first one */
	assert_int_equal(event(w, 2)->ts, 1478415600 * SECOND);
	assert_int_equal(event(w, 3)->ts, INT64_C(2525014800) * SECOND);
	assert_int_equal(event(w, 4)->ts, INT64_C(2540304000) * SECOND);
	assert_int_equal(w->kit.n_lines, 0);
}

static void stock_rows_without_a_header(void **state)
{
	struct world *w = *state;

	run_text(w, "s.csv", "MSFT,478.74,478.75,478.585,478.66,466.0,1765998360000\n", "");
	assert_int_equal(event(w, 0)->kind, TW_BAR);
	assert_name(w, event(w, 0)->bar.symbol, "MSFT");
	assert_int_equal(event(w, 0)->ts, 1765998360 * SECOND);
	assert_double(event(w, 0)->bar.low, 478.585);
	assert_double(event(w, 0)->bar.volume, 466.0);
}

static void labelled_stock_rows(void **state)
{
	struct world *w = *state;

	run_text(w, "s.csv",
		 "symbol,open,high,low,close,volume,timestamp,anomaly\n"
		 "AAPL,164.529,164.642,164.307,164.461,14124.0,1765998660000,1\n",
		 "");
	assert_name(w, event(w, 0)->bar.symbol, "AAPL");
	assert_double(event(w, 0)->bar.open, 164.529);
	assert_int_equal(event(w, 0)->ts, 1765998660 * SECOND);
}

static void rows_with_empty_first_and_last_column(void **state)
{
	struct world *w = *state;

	run_text(w, "s.csv",
		 "stock_id,symbol,trade_date,open_price,high_price,low_price,close_price,volume,adjusted_close\n"
		 ",AAPL,2024-08-28,226.86436462402344,228.7951202392578,224.634567,225.44001770019531,38052200,\n",
		 "");
	assert_int_equal(event(w, 0)->kind, TW_BAR);
	assert_name(w, event(w, 0)->bar.symbol, "AAPL");
	assert_int_equal(event(w, 0)->ts, 1724803200 * SECOND);
	assert_double(event(w, 0)->bar.open, 226.86436462402344);
	assert_double(event(w, 0)->bar.close, 225.44001770019531);
}

static void kraken_seconds_keep_their_nanoseconds(void **state)
{
	struct world *w = *state;

	run_text(w, "kraken_XBTUSDT_trades.csv",
		 "price,volume,time,side,ordertype,misc,trade_id\n105433.60000,0.00027625,1762795433.9717445,b,l,,"
		 "10218208\n",
		 "symbol: '{2}'");
	assert_int_equal(event(w, 0)->kind, TW_TRADE);
	assert_int_equal(event(w, 0)->ts, INT64_C(1762795433971744500));
	assert_double(event(w, 0)->trade.price, 105433.6);
	assert_double(event(w, 0)->trade.size, 0.00027625);
	assert_int_equal(event(w, 0)->trade.side, TW_BUY);
	assert_true(kit_text_is(event(w, 0)->trade.trade_id, "10218208"));
	assert_name(w, event(w, 0)->trade.symbol, "XBTUSDT");
}

static void crypto_trades_in_milliseconds(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv",
		 "symbol,timestamp,side,price,amount,btc_volume\nAPPC/"
		 "BTC,1605636308784,sell,1.28e-06,4126.0,0.00528128\n",
		 "");
	assert_int_equal(event(w, 0)->ts, 1605636308 * SECOND + 784 * MILLI);
	assert_double(event(w, 0)->trade.price, 1.28e-06);
	assert_double(event(w, 0)->trade.size, 4126.0);
	assert_int_equal(event(w, 0)->trade.side, TW_SELL);
	assert_name(w, event(w, 0)->trade.symbol, "APPC/BTC");
}

static void calendar_rows_are_news(void **state)
{
	struct world *w = *state;

	run_text(w, "cal.csv",
		 "DateTime,Currency,Impact,Event,Actual,Forecast,Previous,Detail\n"
		 "2020-01-03T15:00:00+00:00,USD,High Impact Expected,ISM Manufacturing PMI,47.2,49.0,48.1,\n"
		 "2020-01-10T13:30:00+00:00,USD,Medium,\"Payrolls, \"\"headline\"\"\",145K,-1.5%,<0.10%,\n"
		 "2020-01-30T12:00:00+00:00,GBP,High Impact Expected,MPC Votes,0-2-7,0-3-6,,\n",
		 "");
	assert_int_equal(w->kit.n_events, 3);
	assert_int_equal(event(w, 0)->kind, TW_NEWS);
	assert_int_equal(event(w, 0)->ts, 1578063600 * SECOND);
	assert_int_equal(event(w, 0)->news.category, TW_CALENDAR);
	assert_int_equal(event(w, 0)->news.impact, TW_IMPACT_HIGH);
	assert_true(kit_text_is(event(w, 0)->news.currency, "USD"));
	assert_true(kit_text_is(event(w, 0)->news.title, "ISM Manufacturing PMI"));
	assert_double(event(w, 0)->news.forecast, 49.0);
	assert_true(kit_text_is(event(w, 1)->news.title, "Payrolls, \"headline\""));
	assert_double(event(w, 1)->news.actual, 145000.0);
	assert_double(event(w, 1)->news.forecast, -1.5);
	assert_double(event(w, 1)->news.previous, 0.1);
	assert_absent(event(w, 2)->news.actual);
}

static void time_and_value_are_a_score(void **state)
{
	struct world *w = *state;

	run_text(w, "Twitter_volume_AAPL.csv", "timestamp,value\n2015-02-26 21:42:53,104\n2015-02-26 21:47:53,99.5\n",
		 "symbol: '{3}'");
	assert_int_equal(w->kit.n_events, 2);
	assert_int_equal(event(w, 0)->kind, TW_SCORE);
	assert_int_equal(event(w, 0)->ts, 1424986973 * SECOND);
	assert_double(event(w, 1)->score.score, 99.5);
	assert_absent(event(w, 1)->score.p_value);
	assert_true(kit_text_is(event(w, 0)->score.detector, NULL));
	assert_name(w, event(w, 0)->score.symbol, "AAPL");
	assert_int_equal(source_kit_said(&w->kit, "read as UTC"), 1);
}

static void equity_curves_are_account_snapshots(void **state)
{
	struct world *w = *state;

	run_text(w, "equity.csv", "Date;Time;Equity;Balance\n2023.02.08;07:03;341.81;340\n", "account: A01");
	assert_int_equal(event(w, 0)->kind, TW_ACCOUNT);
	assert_int_equal(event(w, 0)->ts, 1675839780 * SECOND);
	assert_int_equal(event(w, 0)->account.event, TW_SNAPSHOT);
	assert_double(event(w, 0)->account.equity, 341.81);
	assert_double(event(w, 0)->account.balance, 340.0);
	assert_name(w, event(w, 0)->account.account, "A01");
}

static void columns_by_name(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv", "when,what,px,qty,who\n2020-01-01T00:00:00Z,ABC,1.5,10,me\n",
		 "columns: {ts: when, symbol: what, price: px, size: qty, account: who}");
	assert_int_equal(event(w, 0)->kind, TW_TRADE);
	assert_int_equal(event(w, 0)->ts, 1577836800 * SECOND);
	assert_name(w, event(w, 0)->trade.symbol, "ABC");
	assert_name(w, event(w, 0)->trade.account, "me");
	assert_double(event(w, 0)->trade.size, 10.0);
}

static void columns_by_number_with_comma_decimals(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv", "31.12.2019 23:59:59,250;a;1.234,5;b;1,25\n",
		 "columns: {ts: 1, bid: 3, ask: 5}\ndecimal: ','\ntime_format: '%d.%m.%Y %H:%M:%S,%f'\ntimezone: "
		 "'+02:00'\n"
		 "symbol: Q");
	assert_int_equal(event(w, 0)->ts, 1577829599 * SECOND + 250 * MILLI);
	assert_double(event(w, 0)->quote.bid, 1234.5);
	assert_double(event(w, 0)->quote.ask, 1.25);
	assert_name(w, event(w, 0)->quote.symbol, "Q");
}

static void columns_as_a_list(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv", "1577836800000|ABC|skip|7\n",
		 "columns: [ts, symbol, '-', price]\ndelimiter: '|'\ntime_format: unix_ms");
	assert_int_equal(event(w, 0)->ts, 1577836800 * SECOND);
	assert_double(event(w, 0)->trade.price, 7.0);
}

static void a_kind_may_be_asked_for(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv", "t,s,o,a,p\n2020-01-01T00:00:00Z,ABC,17,canceled,5\n",
		 "columns: {ts: t, symbol: s, order_id: o, action: a, price: p}\nkind: order");
	assert_int_equal(event(w, 0)->kind, TW_ORDER);
	assert_int_equal(event(w, 0)->order.action, TW_CANCEL);
	assert_true(kit_text_is(event(w, 0)->order.order_id, "17"));
}

static void bom_crlf_and_no_last_newline(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv", "\xef\xbb\xbftimestamp,value\r\n\r\n2020-01-01T00:00:00Z,1\r\n2020-01-01T00:00:01Z,2", "");
	assert_int_equal(w->kit.n_events, 2);
	assert_double(event(w, 1)->score.score, 2.0);
	assert_int_equal(w->kit.skipped, 2);
}

static void empty_and_header_only_files_are_fine(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv", "", "");
	assert_int_equal(w->kit.n_events, 0);
	run_text(w, "b.csv", "timestamp,value\n", "");
	assert_int_equal(w->kit.n_events, 0);
	assert_int_equal(w->kit.skipped, 1);
	run_text(w, "c.csv", "\n\n", "");
	assert_int_equal(w->kit.skipped, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)
		T(truefx_lines_are_quotes_in_utc),
		T(truefx_fast_and_slow_way_agree),
		T(histdata_is_five_hours_behind_utc_all_year),
		T(histdata_minute_candles_are_bars),
		T(dukascopy_ticks_are_utc),
		T(month_first_dates_need_a_timezone),
		T(iso_ticks_by_their_header),
		T(daily_candles_ignore_the_adjusted_close),
		T(minute_candles_carry_their_offset),
		T(candles_without_volume_are_fine),
		T(metatrader_time_follows_new_york_summer_time),
		T(named_zones_follow_their_file),
		T(stock_rows_without_a_header),
		T(labelled_stock_rows),
		T(rows_with_empty_first_and_last_column),
		T(kraken_seconds_keep_their_nanoseconds),
		T(crypto_trades_in_milliseconds),
		T(calendar_rows_are_news),
		T(time_and_value_are_a_score),
		T(equity_curves_are_account_snapshots),
		T(columns_by_name),
		T(columns_by_number_with_comma_decimals),
		T(columns_as_a_list),
		T(a_kind_may_be_asked_for),
		T(bom_crlf_and_no_last_newline),
		T(empty_and_header_only_files_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
