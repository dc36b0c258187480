/* Tests of @NAME@: `ctest --test-dir build`. The manual is tapewatch/test.h. */
#include <tapewatch/test.h>

static int a_wide_spread_is_reported(void)
{
	struct tw_test *t = tw_test_detector(TW_TEST_PLUGIN, "times: 4\nquotes: 20");

	for (int i = 0; i < 30; i++) {
		tw_quote(t, "EURUSD", 1.1000, 1.1001);
		tw_quote(t, "USDJPY", 150.00, 150.10); /* wide, but always: each symbol has a mean of its own */
		tw_advance(t, "1s");
	}
	tw_expect_no_alert(t);
	tw_quote(t, "EURUSD", 1.1000, 1.1010);
	tw_expect(t, "30s EURUSD type=@NAME@ score>=9.9 score<=10.1");
	tw_expect_no_alert(t);
	return tw_test_done(t);
}

static int the_mean_must_be_known_first(void)
{
	struct tw_test *t = tw_test_detector(TW_TEST_PLUGIN, "quotes: 20");

	for (int i = 0; i < 19; i++)
		tw_quote(t, "EURUSD", 1.1000, 1.1001);
	tw_quote(t, "EURUSD", 1.1000, 1.1010);
	tw_expect_no_alert(t);
	return tw_test_done(t);
}

int main(void)
{
	int failed = 0;

	failed += a_wide_spread_is_reported();
	failed += the_mean_must_be_known_first();
	failed += tw_test_refuses(TW_TEST_PLUGIN, "times: 0", "times");
	return failed != 0;
}
