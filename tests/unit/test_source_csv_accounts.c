/* SPDX-License-Identifier: Apache-2.0
 *
 * Account histories: the traps of mql5.com exports and MetaTrader statements, one test each.
 */
#include "test_source_csv_kit.h"

#define HEAD13  "Time;Type;Volume;Symbol;Price;S/L;T/P;Time;Price;Commission;Swap;Profit;Comment\n"
#define HEAD11  "Time;Type;Volume;Symbol;Price;Volume;Time;Price;Commission;Swap;Profit\n"
#define HEAD_MT "Ticket;Open Time;Type;Size;Item;Price;S / L;T / P;Close Time;Price;Commission;Taxes;Swap;Profit;;;;\n"

static void deal_of_13_columns(void **state)
{
	struct world *w = *state;
	const struct tw_deal *d;

	run_text(w, "17_Demo_algo90.positions.csv",
		 HEAD13
		 "2023.04.17 15:30:11;Buy;0.01;USDCAD;1.33728;1.33866;;2023.04.18 00:27:53;1.33857;;-0.01;0.96;[sl]\n",
		 "");
	assert_int_equal(w->kit.n_events, 1);
	assert_int_equal(event(w, 0)->kind, TW_DEAL);
	assert_int_equal(event(w, 0)->ts, 1681777673 * SECOND);
	d = &event(w, 0)->deal;
	assert_int_equal(d->open_ts, 1681745411 * SECOND);
	assert_name(w, d->account, "17");
	assert_name(w, d->symbol, "USDCAD");
	assert_int_equal(d->side, TW_BUY);
	assert_double(d->size, 0.01);
	assert_double(d->open_price, 1.33728);
	assert_double(d->close_price, 1.33857);
	assert_double(d->stop_loss, 1.33866);
	assert_absent(d->take_profit);
	assert_double(d->swap, -0.01);
	assert_double(d->profit, 0.96);
	assert_true(kit_text_is(d->comment, "[sl]"));
}

static void empty_commission_and_swap_are_zero(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv", HEAD13 "2023.04.17 15:30:11;Buy;0.01;X;1;;;2023.04.18 00:27:53;1;;;0.96;\n", "");
	assert_double(event(w, 0)->deal.commission, 0.0);
	assert_double(event(w, 0)->deal.swap, 0.0);
	assert_true(kit_text_is(event(w, 0)->deal.comment, NULL));
}

/* Names repeat (Time, Price, Volume twice): the second time is the close, the second price the close price. */
static void deal_of_11_columns_goes_by_position(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD11 "2026.09.01 22:39:54;Sell;0.01;XAUUSD;4324.98;0.03;2026.09.02 04:13:01;4319.66;-0.18;;5.32\n",
		 "");
	assert_int_equal(event(w, 0)->ts, 1788322381 * SECOND);
	assert_int_equal(event(w, 0)->deal.open_ts, 1788302394 * SECOND);
	assert_int_equal(event(w, 0)->deal.side, TW_SELL);
	assert_double(event(w, 0)->deal.size, 0.01);
	assert_double(event(w, 0)->deal.close_price, 4319.66);
	assert_double(event(w, 0)->deal.commission, -0.18);
	assert_absent(event(w, 0)->deal.stop_loss);
}

static void spaces_part_thousands(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD13 "2024.03.01 08:00:00;Balance;;;;;;;;;;1 000.00;Deposit\n"
			"2024.03.02 08:00:00;Balance;;;;;;;;;;-1\xc2\xa0"
			"403\xc2\xa0"
			"003.03;\n",
		 "");
	assert_int_equal(event(w, 0)->kind, TW_ACCOUNT);
	assert_int_equal(event(w, 0)->ts, 1709280000 * SECOND);
	assert_int_equal(event(w, 0)->account.event, TW_BALANCE);
	assert_double(event(w, 0)->account.amount, 1000.0);
	assert_true(kit_text_is(event(w, 0)->account.comment, "Deposit"));
	assert_double(event(w, 1)->account.amount, -1403003.03);
}

static void groups_of_other_than_three_digits_are_no_number(void **state)
{
	struct world *w = *state;

	write_file(w, "a.csv", HEAD13 "2024.03.01 08:00:00;Balance;;;;;;;;;;1 00.00;Deposit\n");
	assert_int_equal(run(w, "a.csv", ""), TW_DONE);
	assert_dead(w, 0, "bad_number", "a.csv:2:12");
}

static void the_amount_of_a_balance_row_may_be_negative_or_zero(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD11 "2026.08.31 17:52:22;Balance;;;;;;;;;-25.63\n2026.08.31 17:52:23;Credit;;;;;;;;;0.00\n", "");
	assert_double(event(w, 0)->account.amount, -25.63);
	assert_int_equal(event(w, 1)->account.event, TW_CREDIT);
	assert_double(event(w, 1)->account.amount, 0.0);
}

static void pending_orders_are_cancelled_orders_not_deals(void **state)
{
	struct world *w = *state;
	const struct tw_order *o;

	run_text(w, "A01_x.csv",
		 HEAD13 "2023.02.10 11:00:04;Sell Stop;0.26;USDJPY;129.806;130.136;96.574;2023.02.10 "
			"20:59:03;131.552;;;;cancelled\n",
		 "");
	assert_int_equal(event(w, 0)->kind, TW_ORDER);
	assert_int_equal(event(w, 0)->ts, 1676062743 * SECOND);
	o = &event(w, 0)->order;
	assert_int_equal(o->action, TW_CANCEL);
	assert_int_equal(o->side, TW_SELL);
	assert_double(o->price, 129.806);
	assert_double(o->size, 0.26);
	assert_double(o->remaining, 0.26);
	assert_name(w, o->account, "A01");
}

static void the_footer_with_the_total_is_no_deal(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD13
		 "2023.04.17 15:30:11;Buy;0.01;X;1;;;2023.04.18 00:27:53;1;;;0.96;\n;;;Profit;;;;;;;;1 403.03;\n",
		 "");
	assert_int_equal(w->kit.n_events, 1);
	assert_int_equal(w->kit.skipped, 2);
}

static void spacer_rows_and_lone_times_are_skipped(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv", HEAD13 ";;;;;;;;;;;;\n\n2023.04.17 15:30:11;;;;;;;;;;;;\n2023.04.17 15:30:11\n", "");
	assert_int_equal(w->kit.n_events, 0);
	assert_int_equal(w->kit.skipped, 5);
}

static void broker_suffixes_of_symbols_are_kept(void **state)
{
	static const char *const names[] = { "EURUSD.a", "EURUSDm", "XAUUSD+", "NAS100.cash" };
	struct world *w = *state;
	char text[1024] = HEAD11;

	for (int i = 0; i < 4; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
			 "2026.09.01 22:39:54;Sell;0.01;%s;1;0.01;2026.09.02 04:13:0%d;1;;;1\n", names[i], i);
	run_text(w, "a.csv", text, "");
	for (uint64_t i = 0; i < 4; i++)
		assert_name(w, event(w, i)->deal.symbol, names[i]);
}

/* Partial closes and entries of the same second, and a row that is there twice: all are different deals. */
static void every_deal_has_a_ticket_of_its_own(void **state)
{
	struct world *w = *state;
	static const char text[] = HEAD11 "2026.09.01 22:39:54;Sell;0.01;X;1.1;0.01;2026.09.02 04:13:01;1.2;;;1\n"
					  "2026.09.01 22:39:54;Sell;0.02;X;1.1;0.02;2026.09.02 04:13:01;1.2;;;2\n"
					  "2026.09.01 22:39:54;Buy;0.01;X;1.1;0.01;2026.09.02 04:13:01;1.2;;;1\n"
					  "2026.09.01 22:39:54;Sell;0.01;X;1.1;0.01;2026.09.02 04:13:01;1.3;;;1\n"
					  "2026.09.01 22:39:54;Sell;0.01;X;1.1;0.01;2026.09.02 04:13:01;1.2;;;1\n";

	run_text(w, "a.csv", text, "");
	assert_int_equal(w->kit.n_events, 5);
	for (uint64_t i = 0; i < 5; i++)
		for (uint64_t k = 0; k < i; k++)
			assert_false(event(w, i)->deal.ticket.len == event(w, k)->deal.ticket.len &&
				     memcmp(event(w, i)->deal.ticket.s, event(w, k)->deal.ticket.s,
					    event(w, i)->deal.ticket.len) == 0);
	load(w, &w->other, "a.csv", "");
	assert_int_equal(source_kit_all(&w->other, 1), TW_DONE);
	for (uint64_t i = 0; i < 5; i++) /* and the same one every time */
		assert_true(kit_same_event(&w->kit, event(w, i), &w->other, w->other.events[i]));
}

static void newest_first_exports_come_out_oldest_first(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD11 "2026.09.03 00:00:00;Sell;3;X;1;3;2026.09.03 04:00:00;1;;;4\n"
			"2026.09.02 00:00:00;Sell;2;X;1;2;2026.09.02 04:00:00;1;;;3\n"
			"2026.09.01 00:00:00;Sell;2;X;1;2;2026.09.02 04:00:00;1;;;2\n"
			"2026.09.01 00:00:00;Sell;1;X;1;1;2026.09.01 04:00:00;1;;;1\n",
		 "");
	assert_int_equal(w->kit.n_events, 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_double(event(w, i)->deal.profit, (double)i + 1);
	assert_int_equal(source_kit_said(&w->kit, "backwards"), 0);
}

static void server_time_is_said_once(void **state)
{
	struct world *w = *state;
	static const char text[] = HEAD11 "2026.09.01 00:00:00;Sell;1;X;1;1;2026.09.01 04:00:00;1;;;1\n"
					  "2026.09.01 00:00:00;Sell;1;X;1;1;2026.09.01 05:00:00;1;;;1\n";

	run_text(w, "a.csv", text, "");
	assert_int_equal(source_kit_said(&w->kit, "broker's server time"), 1);
	run_text(w, "a.csv", text, "timezone: metatrader");
	assert_int_equal(w->kit.n_lines, 0);
	assert_int_equal(event(w, 0)->ts, (1788235200 - 10800) * SECOND);
}

static void statement_with_a_ticket(void **state)
{
	struct world *w = *state;
	const struct tw_deal *d;

	run_text(w, "A11_mt.csv",
		 "\xef\xbb\xbf" HEAD_MT
		 "1520274558;2023.02.28 19:00:00;sell;0.01;audcad;0.91807;0.00000;0.00000;2023.03.01 "
		 "02:30:02;0.91636;-0.50;-0.25;"
		 "0.01;1.25;;;;\n"
		 "1520292415;2023.03.01 01:01:09;buy stop;0.03;usdjpy;136.918;136.749;155.910;2023.03.01 "
		 "20:59:22;136.163;"
		 "cancelled;;;;;;;\n"
		 "1520583922;2023.03.06 12:00:19;balance;rollover;;;;;;;;;;100.00;;;;\n",
		 "");
	assert_int_equal(w->kit.n_events, 3);
	d = &event(w, 0)->deal;
	assert_true(kit_text_is(d->ticket, "1520274558"));
	assert_int_equal(event(w, 0)->ts, 1677637802 * SECOND);
	assert_double(d->commission, -0.75); /* with the taxes */
	assert_absent(d->stop_loss);
	assert_name(w, d->symbol, "audcad");
	assert_int_equal(event(w, 1)->kind, TW_ORDER);
	assert_int_equal(event(w, 1)->ts, 1677704362 * SECOND);
	assert_true(kit_text_is(event(w, 1)->order.order_id, "1520292415"));
	assert_double(event(w, 2)->account.amount, 100.0);
	assert_true(kit_text_is(event(w, 2)->account.comment, "rollover"));
}

static void statement_with_comma_decimals(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv",
		 HEAD_MT "1;2023.02.28 19:00:00;sell;0,01;x;0,91807;0,0;0,0;2023.03.01 02:30:02;1.234,5;0,00;0,00;0,01;"
			 "-1.403,25;;;;\n",
		 "decimal: ','");
	assert_double(event(w, 0)->deal.size, 0.01);
	assert_double(event(w, 0)->deal.close_price, 1234.5);
	assert_double(event(w, 0)->deal.profit, -1403.25);
}

static void accounts_in_a_column(void **state)
{
	struct world *w = *state;

	run_text(w, "x.csv",
		 "account_id,ticket,open_time,type,volume,symbol,open_price,sl,tp,close_time,close_price,commission,"
		 "taxes,swap,"
		 "profit,comment\n"
		 "B2,7,2023.02.10 04:21:16,buy stop,0.32,USDJPY,131.883,131.599,156.571,2023.02.10 "
		 "20:59:03,131.552,,,,,cancelled\n"
		 "B1,6,2023.02.09 04:21:16,buy,0.5,USDJPY,131.883,131.599,,2023.02.09 20:59:03,131.552,,-1,,8,\n"
		 "B1,5,2021.02.06 22:56:14,balance,,,,,,,,,,,0.00,\n",
		 "");
	assert_int_equal(w->kit.n_events, 3);
	assert_name(w, event(w, 0)->account.account, "B1");
	assert_name(w, event(w, 1)->deal.account, "B1");
	assert_double(event(w, 1)->deal.size, 0.5);
	assert_double(event(w, 1)->deal.commission, -1.0);
	assert_true(kit_text_is(event(w, 1)->deal.ticket, "6"));
	assert_name(w, event(w, 2)->order.account, "B2");
}

static void an_unknown_type_is_refused(void **state)
{
	struct world *w = *state;

	write_file(w, "a.csv", HEAD11 "2026.09.01 00:00:00;Swap;1;X;1;1;2026.09.01 04:00:00;1;;;1\n");
	assert_int_equal(run(w, "a.csv", ""), TW_DONE);
	assert_dead(w, 0, "bad_type", "a.csv:2:2");
}

static void a_login_page_is_named(void **state)
{
	struct world *w = *state;

	write_file(w, "a.csv", "<!DOCTYPE html>\n<html><body>Log in</body></html>\n");
	assert_int_equal(run(w, "a.csv", "format: mql5"), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "login page"));
}

static void rows_of_an_export_without_its_header(void **state)
{
	struct world *w = *state;

	run_text(w, "a.csv", "2026.09.01 00:00:00;Sell;1;X;1;1;2026.09.01 04:00:00;2;;;1\n", "format: mql5");
	assert_int_equal(w->kit.n_events, 1);
	assert_double(event(w, 0)->deal.close_price, 2.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)
		T(deal_of_13_columns),
		T(empty_commission_and_swap_are_zero),
		T(deal_of_11_columns_goes_by_position),
		T(spaces_part_thousands),
		T(groups_of_other_than_three_digits_are_no_number),
		T(the_amount_of_a_balance_row_may_be_negative_or_zero),
		T(pending_orders_are_cancelled_orders_not_deals),
		T(the_footer_with_the_total_is_no_deal),
		T(spacer_rows_and_lone_times_are_skipped),
		T(broker_suffixes_of_symbols_are_kept),
		T(every_deal_has_a_ticket_of_its_own),
		T(newest_first_exports_come_out_oldest_first),
		T(server_time_is_said_once),
		T(statement_with_a_ticket),
		T(statement_with_comma_decimals),
		T(accounts_in_a_column),
		T(an_unknown_type_is_refused),
		T(a_login_page_is_named),
		T(rows_of_an_export_without_its_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
