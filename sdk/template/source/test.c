/* Tests of @NAME@: `ctest --test-dir build`. The manual is tapewatch/test.h. */
#include <tapewatch/test.h>

#define LINES "1767571200000000000 ACME 10.5 100\n1767571201000000000 ACME 10.6 50\n1767571202000000000 OTHER 7 1\n"

static int every_line_is_a_trade(void)
{
	struct tw_test *t = tw_test_source(TW_TEST_PLUGIN, tw_format("path: %s", tw_file("trades.txt", LINES)));

	tw_poll_all(t);
	tw_expect_event(t, "2026-01-05T00:00:00Z trade ACME price=10.5 size=100");
	tw_expect_event(t, "2026-01-05T00:00:01Z trade ACME price=10.6 size=50");
	tw_expect_event(t, "2026-01-05T00:00:02Z trade OTHER price=7 size=1");
	tw_expect_no_event(t);
	tw_expect_reject(t, NULL);
	return tw_test_done(t);
}

static int a_line_that_is_none_is_refused(void)
{
	const char *path = tw_file("bad.txt", LINES "what is this\n");
	struct tw_test *t = tw_test_source(TW_TEST_PLUGIN, tw_format("path: %s", path));

	tw_poll_all(t);
	tw_expect_events(t, 3);
	tw_expect_reject(t, "bad_line");
	tw_expect_reject(t, NULL);
	return tw_test_done(t);
}

int main(void)
{
	int failed = 0;

	failed += every_line_is_a_trade();
	failed += a_line_that_is_none_is_refused();
	return failed != 0;
}
