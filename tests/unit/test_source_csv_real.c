/* SPDX-License-Identifier: Apache-2.0
 *
 * The csv source over the real files: how many rows their README names, and values that were worked out with pandas.
 * The folder comes from TAPEWATCH_DATA, by default ../shared/data beside the repository; without it the tests are
 * skipped.
 */
#include "test_source_csv_kit.h"

struct sums {
	uint64_t n, kinds[12], crossed;
	int64_t first, last, backward;
	double bid, ask, volume, close, profit, score;
};

static void add(void *arg, const struct tw_event *ev)
{
	struct sums *s = arg;

	if (s->n++ == 0)
		s->first = ev->ts;
	else
		s->backward += ev->ts < s->last;
	s->last = ev->ts;
	s->kinds[__builtin_ctz(ev->kind)]++;
	switch (ev->kind) {
	case TW_QUOTE:
		s->bid += ev->quote.bid;
		s->ask += ev->quote.ask;
		s->crossed += ev->quote.ask < ev->quote.bid;
		break;
	case TW_BAR:
		s->close += ev->bar.close;
		s->volume += isnan(ev->bar.volume) ? 0 : ev->bar.volume;
		break;
	case TW_TRADE:
		s->volume += ev->trade.size;
		break;
	case TW_DEAL:
		s->profit += ev->deal.profit;
		break;
	case TW_SCORE:
		s->score += ev->score.score;
		break;
	default:
		break;
	}
}

static struct sums sum_of(struct world *w, const char *path, const char *options)
{
	const char *data = getenv("TAPEWATCH_DATA");
	struct sums s = { 0 };
	char folder[512], yaml[1024];
	struct stat st;

	snprintf(folder, sizeof folder, "%s", data ? data : SOURCE_DIR "/../shared/data");
	if (stat(folder, &st) != 0) {
		print_message("skipped: there is no folder %s (TAPEWATCH_DATA)\n", folder);
		skip();
	}
	snprintf(yaml, sizeof yaml, "path: '%s/%s'\n%s", folder, path, options);
	source_kit_free(&w->kit);
	source_kit_load(&w->kit, PLUGIN_DIR, "csv", yaml);
	w->kit.count_only = true;
	w->kit.each = add;
	w->kit.arg = &s;
	if (source_kit_all(&w->kit, 4096) != TW_DONE)
		fail_msg("%s", w->kit.err.msg);
	if (w->kit.n_dead > 0)
		fail_msg("%s at %s: %s", w->kit.dead[0].reason, w->kit.dead[0].where, w->kit.dead[0].detail);
	return s;
}

static void assert_close(double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
		fail_msg("%.12g is not %.12g", value, expected);
}

static void truefx_ticks(void **state)
{
	struct sums s = sum_of(*state, "fx_ticks/truefx_EURUSD_fxcm_20140501-20140516.csv.zst", "");

	assert_int_equal(s.n, 1144807);
	assert_int_equal(s.kinds[0], 1144807);
	assert_int_equal(s.crossed, 116871);
	assert_int_equal(s.first, INT64_C(1398920401787000000));
	assert_int_equal(s.last, INT64_C(1400216399718000000));
	assert_close(s.bid, 1581253.73453);
	assert_close(s.ask, 1581271.61381);
}

static void truefx_ticks_of_two_venues_merge_by_time(void **state)
{
	struct sums s = sum_of(*state, "fx_ticks/truefx_EURUSD_*.csv.zst", "");

	assert_int_equal(s.n, 1144807 + 87833);
	assert_int_equal(s.backward, 0);
}

static void gold_ticks(void **state)
{
	struct sums s = sum_of(*state, "fx_ticks/truefx_XAUUSD_oanda_20140501-20140505.csv.zst", "format: truefx");

	assert_int_equal(s.n, 590852);
	assert_close(s.bid, 765061831.12);
}

static void histdata_ticks(void **state)
{
	struct sums s = sum_of(*state, "fx_ticks/raw_formats/histdata_EURUSD_202001_sample.csv", "symbol: '{2}'");

	assert_int_equal(s.n, 9500);
	assert_int_equal(s.last, (INT64_C(1577919652) + 18000) * SECOND + 125 * MILLI);
	assert_close(s.ask, 10658.37307);
}

static void dukascopy_ticks(void **state)
{
	struct sums s = sum_of(*state, "fx_ticks/dukascopy_EURUSD_*.csv.zst", "timezone: America/New_York");

	assert_int_equal(s.n, 108956);
	assert_int_equal(s.first, INT64_C(1451912400062000000));
	assert_int_equal(s.last, INT64_C(1452117599100000000));
	assert_close(s.bid, 121468.66279);
	assert_int_equal(sum_of(*state, "fx_ticks/dukascopy_GBPJPY_20121203.csv.zst", "").n, 58953);
	assert_int_equal(sum_of(*state, "fx_ticks/fxdata_*.csv", "symbol: '{2}'").n, 352 + 10742 + 3826);
}

/* 47 rows of the VIX and one of QQQ have an open outside high and low: data, not mistakes. */
static void daily_bars(void **state)
{
	struct sums s = sum_of(*state, "equities_daily/*.csv", "interval: 1d");

	assert_int_equal(s.n, 66942);
	assert_int_equal(s.kinds[2], 66942);
	assert_int_equal(s.backward, 0);
	assert_close(s.close, 4117927.425367);
	assert_close(s.volume, 5573614355746.0);
}

static void minute_bars(void **state)
{
	struct sums s = sum_of(*state, "equities_1min/*", "interval: 1m");

	assert_int_equal(s.n, 88674);
	assert_int_equal(s.first, INT64_C(1576252800000000000));
	assert_int_equal(s.last, INT64_C(1650315540000000000));
	assert_close(s.close, 33663362.5551);
	assert_close(s.volume, 4111440604.0);
}

static void fx_bars(void **state)
{
	struct sums s = sum_of(*state, "fx_bars/ejtrader_*", "timezone: metatrader\nsymbol: '{2}'");

	assert_int_equal(s.n, 204000);
	assert_int_equal(s.backward, 0);
	assert_close(s.close, 10080202.6513);
}

static void add_hours(void *arg, const struct tw_event *ev)
{
	*(int64_t *)arg += ev->ts / SECOND / 3600 % 1000;
}

/* The sum over all hours of (hour since 1970 mod 1000), from pandas by way of New York minus seven hours. */
static void metatrader_hours_are_new_york_plus_seven(void **state)
{
	struct world *w = *state;
	struct sums s = sum_of(w, "fx_bars/ejtrader_USDCHF_H1.csv.zst", "timezone: metatrader");
	int64_t hours = 0;

	assert_int_equal(s.n, 57600);
	assert_int_equal(s.first, 1352980800 * SECOND);
	assert_int_equal(s.last, 1646427600 * SECOND);
	w->kit.arg = &hours;
	w->kit.each = add_hours;
	assert_int_equal(source_kit_all(&w->kit, 4096), TW_DONE);
	assert_int_equal(hours, 28705762);
}

static void crypto_trades(void **state)
{
	struct sums s = sum_of(*state, "pump_dump/raw_trades/*.zst", "");

	assert_int_equal(s.n, 126731);
	assert_int_equal(s.kinds[1], 126731);
	assert_close(s.volume, 166146124.91);
	s = sum_of(*state, "feeds/kraken_XBTUSDT_trades_1000.csv", "symbol: '{2}'");
	assert_int_equal(s.n, 1000);
	assert_close(s.volume, 93.10181737);
}

static void series(void **state)
{
	struct sums s = sum_of(*state, "anomaly_nab/*/*.csv", "symbol: '{stem}'");

	assert_int_equal(s.n, 234857);
	assert_int_equal(s.kinds[7], 234857);
	assert_close(s.score, 39333047085.8);
}

static void calendar(void **state)
{
	struct sums s = sum_of(*state, "econ_calendar/forexfactory_high_impact_2020-2026.csv", "");

	assert_int_equal(s.n, 4700);
	assert_int_equal(s.kinds[6], 4700);
}

static void histories(void **state)
{
	static const struct {
		const char *path;
		uint64_t rows, deals, money;
		double profit;
	} files[] = {
		{ "accounts/raw/A01_mql5_orderbook.history.csv", 5336, 1803, 10, 11841.24 },
		{ "accounts/raw/A09_mql5.positions.csv", 58, 56, 2, 56.83 },
		{ "accounts/raw/A10_mql5.positions.csv", 57, 47, 10, 943.86 },
		{ "accounts/raw/A11_mt_statement.csv", 205, 156, 3, 336.33 },
		{ "accounts/accounts_normalized.csv", 6189, 2565, 50, 29207.12 },
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct sums s = sum_of(*state, files[i].path, "timezone: metatrader");

		assert_int_equal(s.n, files[i].rows);
		assert_int_equal(s.kinds[4], files[i].deals);
		assert_int_equal(s.kinds[5], files[i].money);
		assert_int_equal(s.kinds[3], files[i].rows - files[i].deals - files[i].money);
		assert_int_equal(s.backward, 0);
		assert_close(s.profit, files[i].profit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)
		T(truefx_ticks),
		T(truefx_ticks_of_two_venues_merge_by_time),
		T(gold_ticks),
		T(histdata_ticks),
		T(dukascopy_ticks),
		T(daily_bars),
		T(minute_bars),
		T(fx_bars),
		T(metatrader_hours_are_new_york_plus_seven),
		T(crypto_trades),
		T(series),
		T(calendar),
		T(histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
