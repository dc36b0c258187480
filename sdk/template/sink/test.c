/* Tests of @NAME@: `ctest --test-dir build`. The manual is tapewatch/test.h. */
#include <tapewatch/test.h>

static int an_alert_is_a_line(void)
{
	const char *path = tw_format("%s/alerts.txt", tw_folder());
	struct tw_test *t = tw_test_sink(TW_TEST_PLUGIN, tw_format("path: %s", path));

	tw_output(t, path);
	tw_give(t, "alert EURUSD id=t-1 detector=far severity=high score=10 reason=\"ten times as wide\"");
	tw_give(t, "alert USDJPY id=t-2 detector=far severity=low score=3 reason=late");
	tw_check(t, tw_deliver(t) == TW_OK);
	tw_expect_file(t, path, "EURUSD\tten times as wide\n");
	tw_expect_file(t, path, "USDJPY\tlate\n");
	tw_expect_refused(t, 0);
	return tw_test_done(t);
}

static int a_file_that_cannot_be_opened_is_tried_again(void)
{
	struct tw_test *t = tw_test_sink(TW_TEST_PLUGIN, tw_format("path: %s/no/such/folder", tw_folder()));

	tw_test_once(t);
	tw_give(t, "alert EURUSD id=t-1 detector=far severity=high score=10 reason=wide");
	tw_check(t, tw_deliver(t) == TW_E_IO);
	return tw_test_done(t);
}

int main(void)
{
	int failed = 0;

	failed += an_alert_is_a_line();
	failed += a_file_that_cannot_be_opened_is_tried_again();
	return failed != 0;
}
