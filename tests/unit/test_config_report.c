/* SPDX-License-Identifier: Apache-2.0
 *
 * The report: order, limits, and that it prints nothing that could harm a terminal.
 */
#include "test_config_kit.h"

static struct place place(const char *file, int32_t line, int32_t column, int32_t width, const char *text)
{
	return (struct place){ file, line, column, width, text };
}

static void mistakes_are_sorted_by_place(void **state)
{
	struct parsed p = { 0 };
	const struct place places[] = {
		place("b", 1, 1, 1, NULL), place("a", 10, 1, 1, NULL), place("a", 9, 5, 1, NULL),
		place("a", 9, 2, 1, NULL), place("a", 9, 2, 1, NULL),
	};
	(void)state;
	for (int i = 0; i < 5; i++)
		report_error(&p.report, &places[i], "m%d", i);
	report_error(&p.report, NULL, "nowhere");
	assert_string_equal(printed(&p), "error: nowhere\na:9:2: error: m3\na:9:2: error: m4\na:9:5: error: m2\n"
					 "a:10:1: error: m1\nb:1:1: error: m0\ncheck: 6 errors in 2 files\n");
	free_parsed(&p);
}

static void the_same_mistake_is_printed_once(void **state)
{
	struct parsed p = { 0 };
	struct place at = place("a", 1, 1, 1, NULL);
	(void)state;
	report_error(&p.report, &at, "m");
	report_error(&p.report, &at, "m");
	assert_string_equal(printed(&p), "a:1:1: error: m\ncheck: 1 error in 1 file\n");
	free_parsed(&p);
}

static void texts_outlive_what_they_were_made_from(void **state)
{
	struct parsed p = { 0 };
	char file[] = "a", line[] = "xyz", word[] = "w";
	struct place at = place(file, 1, 2, 2, line);
	(void)state;
	report_error(&p.report, &at, "%s", word);
	file[0] = line[0] = word[0] = '!';
	assert_string_equal(printed(&p), "a:1:2: error: w\n    1 | xyz\n      |  ^~\ncheck: 1 error in 1 file\n");
	free_parsed(&p);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct parsed p = { 0 };
	struct place at = place("a\033[2Jb\xff", 1, 4, 1, "\033]0;x\a\tq\xc2\x9b");
	(void)state;
	report_error(&p.report, &at, "one\ntwo\r\xc2\x9b\x7f");
	assert_string_equal(printed(&p), "a\\x1b[2Jb\\xff:1:4: error: one\\ntwo\\x0d\\xc2\\x9b\\x7f\n"
					 "    1 | ?]0;x?\tq?\n      |    ^\ncheck: 1 error in 1 file\n");
	free_parsed(&p);
}

static void tabs_keep_the_mark_under_the_word(void **state)
{
	struct parsed p = { 0 };
	struct place at = place("a", 1, 4, 2, "x\t\tyz");
	(void)state;
	report_error(&p.report, &at, "m");
	assert_non_null(strstr(printed(&p), "    1 | x\t\tyz\n      |  \t\t^~\n"));
	free_parsed(&p);
}

static void a_fault_behind_the_line_is_marked(void **state)
{
	struct parsed p = { 0 };
	struct place at = place("a", 1, 4, 1, "xyz");
	(void)state;
	report_error(&p.report, &at, "m");
	assert_non_null(strstr(printed(&p), "    1 | xyz\n      |    ^\n"));
	free_parsed(&p);
}

static void long_lines_are_cut_around_the_fault(void **state)
{
	struct parsed p = { 0 };
	char line[10001];
	(void)state;
	memset(line, '.', 10000);
	memcpy(line + 4999, "bad", 4);
	line[5002] = '.';
	line[10000] = '\0';
	struct place at = place("a", 1, 5000, 3, line);
	report_error(&p.report, &at, "m");
	char *text = strdup(printed(&p));
	assert_non_null(text);
	char *excerpt = strchr(text, '\n') + 1, *mark = strchr(excerpt, '\n') + 1;
	assert_true(mark - excerpt < 200);
	assert_ptr_equal(strstr(excerpt, "bad") - excerpt, strchr(mark, '^') - mark);
	free(text);
	free_parsed(&p);
}

static void a_flood_is_counted_but_not_kept(void **state)
{
	struct parsed p = { 0 };
	(void)state;
	for (int i = 0; i < 2000; i++)
		report_error(&p.report, NULL, "m%d", i);
	assert_int_equal(p.report.errors, 2000);
	assert_int_equal(p.report.n, 500);
	assert_non_null(strstr(printed(&p), "\nand 1500 more that are not shown\ncheck: 2000 errors\n"));
	free_parsed(&p);
}

static void warnings_are_no_errors(void **state)
{
	struct parsed p = { 0 };
	(void)state;
	report_warning(&p.report, NULL, "m");
	report_warning(&p.report, NULL, "n");
	assert_int_equal(p.report.errors, 0);
	assert_string_equal(printed(&p), "warning: m\nwarning: n\ncheck: 2 warnings\n");
	free_parsed(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_sorted_by_place),
		cmocka_unit_test(the_same_mistake_is_printed_once),
		cmocka_unit_test(texts_outlive_what_they_were_made_from),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(tabs_keep_the_mark_under_the_word),
		cmocka_unit_test(a_fault_behind_the_line_is_marked),
		cmocka_unit_test(long_lines_are_cut_around_the_fault),
		cmocka_unit_test(a_flood_is_counted_but_not_kept),
		cmocka_unit_test(warnings_are_no_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
