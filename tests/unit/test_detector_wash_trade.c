/* SPDX-License-Identifier: Apache-2.0
 *
 * wash_trade: counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detector_kit.h"

#define SECOND INT64_C(1000000000)

static const char *const four_in_ten[] = { "window", "10s", "fills", "4", NULL };

static struct tw_event trade(struct detector_kit *k, int64_t second, const char *symbol, const char *account,
			     const char *counterparty)
{
	struct tw_event ev = kit_trade(second * SECOND, detector_kit_name(k, symbol), 1.1, 1);

	ev.trade.account = account ? detector_kit_name(k, account) : 0;
	ev.trade.counterparty = counterparty ? detector_kit_name(k, counterparty) : 0;
	return ev;
}

static void four_self_trades_in_the_window_alert_at_the_fourth(void **state)
{
	struct detector_kit k;
	struct tw_event ev[6];

	detector_kit_load(&k, PLUGIN_DIR, "wash_trade", four_in_ten);
	for (int i = 0; i < 6; i++)
		ev[i] = trade(&k, 100 + 2 * i, "A", "X", "X");
	assert_int_equal(detector_kit_feed(&k, ev, 6, 4), TW_OK);
	assert_int_equal(k.n_alerts, 1);
	assert_int_equal(k.alerts[0].event, 3);
	detector_kit_free(&k);
	(void)state;
}

static void trades_with_others_and_without_accounts_do_not_count(void **state)
{
	struct detector_kit k;
	struct tw_event ev[12];

	detector_kit_load(&k, PLUGIN_DIR, "wash_trade", four_in_ten);
	for (int i = 0; i < 12; i++)
		ev[i] = trade(&k, 100, "A", i % 2 ? NULL : "X", i % 2 ? NULL : "Y");
	assert_int_equal(detector_kit_feed(&k, ev, 12, 256), TW_OK);
	assert_int_equal(k.n_alerts, 0);
	detector_kit_free(&k);
	(void)state;
}

static void slow_self_trades_do_not_alert(void **state)
{
	struct detector_kit k;
	struct tw_event ev[20];

	detector_kit_load(&k, PLUGIN_DIR, "wash_trade", four_in_ten);
	for (int i = 0; i < 20; i++) /* the fourth would come 12 s after the first */
		ev[i] = trade(&k, 100 + 4 * i, "A", "X", "X");
	assert_int_equal(detector_kit_feed(&k, ev, 20, 256), TW_OK);
	assert_int_equal(k.n_alerts, 0);
	detector_kit_free(&k);
	(void)state;
}

static void accounts_and_symbols_are_counted_apart(void **state)
{
	struct detector_kit k;
	struct tw_event ev[12];

	detector_kit_load(&k, PLUGIN_DIR, "wash_trade", four_in_ten);
	for (int i = 0; i < 12; i++) { /* three each of four pairs */
		const char *who = i & 1 ? "X" : "Y";

		ev[i] = trade(&k, 100, i & 2 ? "A" : "B", who, who);
	}
	assert_int_equal(detector_kit_feed(&k, ev, 12, 256), TW_OK);
	assert_int_equal(k.n_alerts, 0);
	detector_kit_free(&k);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_self_trades_in_the_window_alert_at_the_fourth),
		cmocka_unit_test(trades_with_others_and_without_accounts_do_not_count),
		cmocka_unit_test(slow_self_trades_do_not_alert),
		cmocka_unit_test(accounts_and_symbols_are_counted_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
