/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading plugins: every way in which one can be wrong ends in a sentence, and never in this process.
 */
#include "test_plugin_kit.h"
#include <signal.h>

/* What bad_exit ends with. To the thread sanitizer an end inside dlopen() is an error of its own. */
#define STATUS "7"
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef STATUS
#define STATUS "66"
#endif
#endif

/* ---- good ones ---- */

static void a_good_plugin_is_described(void **state)
{
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);
	struct tw_err e = { 0 };
	const struct plugin *p = plugins_get(ps, PLUGIN_DETECTOR, "good_plain", &e);

	(void)state;
	assert_string_equal(e.msg, "");
	assert_non_null(p);
	assert_int_equal(p->kind, PLUGIN_DETECTOR);
	assert_string_equal(p->name, "good_plain");
	assert_string_equal(p->version, "1.2.3");
	assert_string_equal(p->summary, "counts, and says nothing about it");
	assert_int_equal(p->option_size, sizeof(struct tw_option));
	assert_int_equal(p->flags, TW_FREE_KEY);
	assert_int_equal(p->detector.kinds, TW_QUOTE | TW_TRADE);
	assert_int_equal(p->detector.state_version, 3);
	assert_int_equal(p->detector.state_size, 8);
	assert_non_null(p->detector.process);
	assert_null(p->detector.timer);
	assert_null(p->check);
	assert_ptr_equal(plugins_get(ps, PLUGIN_DETECTOR, "good_plain", NULL), p);
	plugins_free(ps);
}

static void an_older_plugin_reads_as_absent_where_it_is_short(void **state)
{
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);
	struct tw_err e = { 0 };
	const struct plugin *p = plugins_get(ps, PLUGIN_DETECTOR, "good_old", &e);

	(void)state;
	assert_string_equal(e.msg, "");
	assert_non_null(p);
	assert_non_null(p->detector.process);
	assert_null(p->detector.timer); /* lies behind its struct_size */
	plugins_free(ps);
}

static void longer_option_rows_are_walked_by_their_own_size(void **state)
{
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);
	const struct plugin *p = plugins_get(ps, PLUGIN_DETECTOR, "good_old", NULL);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->option_size, sizeof(struct tw_option) + 24);
	assert_string_equal(plugin_option(p, 0).name, "window");
	assert_string_equal(plugin_option(p, 1).name, "limit");
	assert_int_equal(plugin_option(p, 2).type, TW_T_END);
	plugins_free(ps);
}

static void one_file_may_hold_a_source_and_a_sink_of_one_name(void **state)
{
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);
	const struct plugin *source = plugins_get(ps, PLUGIN_SOURCE, "good_both", NULL);
	const struct plugin *sink = plugins_get(ps, PLUGIN_SINK, "good_both", NULL);

	(void)state;
	assert_non_null(source);
	assert_non_null(sink);
	assert_non_null(source->source.poll);
	assert_non_null(sink->sink.write);
	assert_string_equal(source->doc, "");
	plugins_free(ps);
}

static void the_first_folder_that_has_a_file_decides(void **state)
{
	const char *const folders[] = { "/nowhere/at/all", folder, TEST_PLUGIN_DIR, NULL };
	struct plugins *ps;
	const struct plugin *p;

	(void)state;
	copy_plugin("good_both", "good_both.so");
	ps = plugins_new(folders);
	assert_non_null(ps);
	p = plugins_get(ps, PLUGIN_SINK, "good_both", NULL);
	assert_non_null(p);
	assert_string_equal(p->file, in_folder("good_both.so"));
	assert_non_null(plugins_get(ps, PLUGIN_DETECTOR, "good_plain", NULL));
	plugins_free(ps);
}

static void a_link_is_followed_to_its_file(void **state)
{
	struct plugins *ps;
	const struct plugin *p;

	(void)state;
	copy_plugin("good_both", "good_both-1.0.0");
	assert_int_equal(symlink("good_both-1.0.0", in_folder("good_both.so")), 0);
	ps = plugins_in(folder);
	p = plugins_get(ps, PLUGIN_SINK, "good_both", NULL);
	assert_non_null(p);
	assert_string_equal(p->file, in_folder("good_both-1.0.0"));
	plugins_free(ps);
}

/* ---- code that must not run here ---- */

static void a_crash_in_a_constructor_is_reported(void **state)
{
	(void)state;
	refused("bad_crash", "bad_crash.so", "crashes while it is loaded", "signal 11");
}

static void a_crash_in_the_entry_function_is_reported(void **state)
{
	(void)state;
	refused("bad_entry", "crashes while it is loaded", "signal 6");
}

static void a_plugin_that_ends_the_process_is_reported(void **state)
{
	(void)state;
	refused("bad_exit", "ends the process while it is loaded", "exit status " STATUS);
}

/* The registry gives a plugin ten seconds; here they need not pass. */
static void stopped(const char *name)
{
	char path[400], real[PATH_MAX];
	struct tw_err e = { 0 };

	assert_true(snprintf(path, sizeof path, "%s/%s.so", TEST_PLUGIN_DIR, name) < (int)sizeof path);
	assert_int_equal(plugin_file_check(path, real, &e), TW_OK);
	assert_int_equal(plugin_try(real, name, 50, &e), TW_E_CONFIG);
	assert_non_null(strstr(e.msg, "hangs while it is loaded and was stopped after 0.050 s"));
}

static void a_hanging_constructor_is_stopped(void **state)
{
	(void)state;
	stopped("bad_hang");
}

static void a_constructor_that_closes_all_files_and_hangs_is_stopped(void **state)
{
	(void)state;
	stopped("bad_closing");
}

static void the_trial_works_where_children_are_ignored(void **state)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
	assert_non_null(plugins_get(ps, PLUGIN_SOURCE, "good_both", NULL));
	assert_null(plugins_get(ps, PLUGIN_DETECTOR, "bad_crash", NULL));
	assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
	plugins_free(ps);
}

/* ---- the manifest ---- */

static void refused_sink(const char *name, const char *sentence)
{
	struct plugins *ps = plugins_in(TEST_PLUGIN_DIR);
	struct tw_err e = { 0 };

	assert_null(plugins_get(ps, PLUGIN_SINK, name, &e));
	if (!strstr(e.msg, sentence))
		fail_msg("%s", e.msg);
	plugins_free(ps);
}

static void half_a_cursor_is_refused(void **state)
{
	(void)state;
	refused_sink("bad_cursor", "position() and no mark()");
}

static void what_is_no_plugin_is_refused(void **state)
{
	(void)state;
	refused("bad_stranger", "has no function tw_plugin()", "TW_DETECTOR");
	refused("bad_undefined", "does not load", "undefined symbol: nobody_has_this");
	refused("bad_null", "returned NULL");
	refused("bad_magic", "0x12345678, expected 0x31505754", "rebuild it");
}

static void another_abi_is_refused_with_both_versions(void **state)
{
	(void)state;
	refused("bad_major", "plugin ABI 1.0, this tapewatch has 0.9", "upgrade tapewatch");
	refused("bad_minor", "plugin ABI 0.10, this tapewatch only has 0.9", "upgrade tapewatch");
}

static void a_newer_event_schema_is_refused(void **state)
{
	(void)state;
	refused("bad_schema", "event schema 2, this tapewatch has 1 to 1");
}

static void a_manifest_that_is_too_short_is_refused(void **state)
{
	(void)state;
	refused("bad_short", "manifest of 12 bytes, expected at least 16");
	refused("bad_empty", "holds no source, detector or sink");
}

static void names_must_fit_the_file_and_be_there_once(void **state)
{
	(void)state;
	refused("bad_name", "holds the detector 'another'", "rename the file to another.so");
	refused("bad_twice", "holds two detectors named 'bad_twice'");
}

static void a_detector_without_its_function_is_refused(void **state)
{
	(void)state;
	refused("bad_deaf", "detector 'bad_deaf' has no process()");
}

static void too_much_state_is_refused(void **state)
{
	(void)state;
	refused("bad_state", "a state of 65537 bytes", "limit is 65536");
}

/* ---- the option table ---- */

static void options_outside_their_struct_are_refused(void **state)
{
	(void)state;
	refused("bad_offset", "option 'limit' lies at bytes 8 to 16 of a struct of 8", ".self_size");
	refused("bad_overlap", "options 'window' and 'names' lie at the same bytes");
}

static void a_table_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	refused("bad_type", "option 'window' has the unknown type 99");
	refused("bad_endless", "more than 256 options, or its table lacks TW_END");
	refused("bad_default", "the option table of 'bad_default' is wrong", "window");
}

/* ---- names ---- */

static void a_missing_plugin_gets_the_nearest_name(void **state)
{
	(void)state;
	copy_plugin("good_both", "good_both.so");
	refused_here("good_bth", "no sink 'good_bth'; did you mean 'good_both'?");
	refused_here("something", "no sink 'something'", "something.so", folder);
}

static void only_names_of_the_same_kind_are_offered(void **state)
{
	struct plugins *ps;
	struct tw_err e = { 0 };

	(void)state;
	copy_plugin("good_both", "good_both.so");
	ps = plugins_in(folder);
	assert_null(plugins_get(ps, PLUGIN_DETECTOR, "good_bth", &e));
	assert_null(strstr(e.msg, "did you mean"));
	plugins_free(ps);
}

static void another_kind_than_asked_for_is_named(void **state)
{
	(void)state;
	refused_in(TEST_PLUGIN_DIR, PLUGIN_SOURCE, "good_plain",
		   (const char *const[]){ "'good_plain' is a detector, not a source", "detectors:", NULL });
}

static void a_name_cannot_leave_the_folder(void **state)
{
	(void)state;
	refused("../plugins/good_plain", "is no plugin name");
	refused("", "is no plugin name");
	refused("a/b", "is no plugin name");
	refused(".", "is no plugin name");
	refused("-x", "is no plugin name");
	refused("a23456789012345678901234567890123456789012345678901234567890abcd", "is no plugin name");
}

/* ---- all of them ---- */

struct bad {
	char text[4096];
	int n;
};

static void note_bad(void *arg, const char *file, const char *sentence)
{
	struct bad *bad = arg;
	size_t len = strlen(bad->text);

	bad->n++;
	snprintf(bad->text + len, sizeof bad->text - len, "%s: %s\n", file, sentence);
}

static void a_scan_lists_the_good_and_names_the_bad(void **state)
{
	struct bad bad = { { 0 }, 0 };
	const struct plugin **list = NULL;
	struct plugins *ps;
	uint32_t n;

	(void)state;
	copy_plugin("good_plain", "good_plain.so");
	copy_plugin("good_both", "good_both.so");
	copy_plugin("bad_magic", "bad_magic.so");
	copy_plugin("good_both", "strange name.so");
	write_file("README.txt", "not looked at", 13);
	ps = plugins_in(folder);
	n = plugins_scan(ps, &list, note_bad, &bad);
	assert_int_equal(n, 3);
	assert_int_equal(list[0]->kind, PLUGIN_SOURCE);
	assert_int_equal(list[1]->kind, PLUGIN_DETECTOR);
	assert_string_equal(list[1]->name, "good_plain");
	assert_int_equal(list[2]->kind, PLUGIN_SINK);
	assert_int_equal(bad.n, 2);
	assert_non_null(strstr(bad.text, "bad_magic.so"));
	assert_non_null(strstr(bad.text, "strange name.so: the file name is no plugin name"));
	plugins_free(ps);
}

static void a_scan_of_nothing_is_empty(void **state)
{
	const struct plugin **list = NULL;
	struct plugins *ps = plugins_in("/nowhere/at/all");

	(void)state;
	assert_int_equal(plugins_scan(ps, &list, NULL, NULL), 0);
	plugins_free(ps);
}

/* ---- the search path ---- */

static void the_environment_names_the_folders(void **state)
{
	struct arena a = { 0 };
	const char *const *folders;

	(void)state;
	assert_int_equal(setenv("TAPEWATCH_PLUGINS", "/one:/two", 1), 0);
	folders = plugin_default_folders(&a);
	assert_non_null(folders);
	assert_string_equal(folders[0], "/one");
	assert_string_equal(folders[1], "/two");
	assert_null(folders[2]);
	assert_int_equal(unsetenv("TAPEWATCH_PLUGINS"), 0);
	arena_free(&a);
}

static void an_empty_part_of_the_environment_means_the_usual_folders(void **state)
{
	struct arena a = { 0 };
	const char *const *usual, *const *folders;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(unsetenv("TAPEWATCH_PLUGINS"), 0);
	assert_int_equal(setenv("HOME", "/home/somebody", 1), 0);
	usual = plugin_default_folders(&a);
	while (usual[n])
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(setenv("TAPEWATCH_PLUGINS", "/one::/two:", 1), 0); /* once is enough */
	folders = plugin_default_folders(&a);
	assert_string_equal(folders[0], "/one");
	for (uint32_t i = 0; i < n; i++)
		assert_string_equal(folders[1 + i], usual[i]);
	assert_string_equal(folders[1 + n], "/two");
	assert_null(folders[2 + n]);
	assert_int_equal(unsetenv("TAPEWATCH_PLUGINS"), 0);
	arena_free(&a);
}

static void the_default_folders_lie_beside_the_program_and_at_home(void **state)
{
	struct arena a = { 0 };
	const char *const *folders;
	char program[PATH_MAX], expected[PATH_MAX + 64], *slash;
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

	(void)state;
	assert_true(n > 0);
	program[n] = '\0';
	slash = strrchr(program, '/');
	assert_non_null(slash);
	*slash = '\0';
	assert_int_equal(unsetenv("TAPEWATCH_PLUGINS"), 0);
	assert_int_equal(setenv("HOME", "/home/somebody", 1), 0);
	folders = plugin_default_folders(&a);
	assert_non_null(folders);
	snprintf(expected, sizeof expected, "%s/../plugins", program);
	assert_string_equal(folders[0], expected);
	snprintf(expected, sizeof expected, "%s/../lib/tapewatch/plugins", program);
	assert_string_equal(folders[1], expected);
	assert_string_equal(folders[2], "/home/somebody/.local/lib/tapewatch/plugins");
	assert_null(folders[3]);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_plugin_is_described),
		cmocka_unit_test(an_older_plugin_reads_as_absent_where_it_is_short),
		cmocka_unit_test(longer_option_rows_are_walked_by_their_own_size),
		cmocka_unit_test(one_file_may_hold_a_source_and_a_sink_of_one_name),
		with_folder(the_first_folder_that_has_a_file_decides),
		with_folder(a_link_is_followed_to_its_file),
		cmocka_unit_test(a_crash_in_a_constructor_is_reported),
		cmocka_unit_test(a_crash_in_the_entry_function_is_reported),
		cmocka_unit_test(a_plugin_that_ends_the_process_is_reported),
		cmocka_unit_test(a_hanging_constructor_is_stopped),
		cmocka_unit_test(a_constructor_that_closes_all_files_and_hangs_is_stopped),
		cmocka_unit_test(the_trial_works_where_children_are_ignored),
		cmocka_unit_test(what_is_no_plugin_is_refused),
		cmocka_unit_test(another_abi_is_refused_with_both_versions),
		cmocka_unit_test(half_a_cursor_is_refused),
		cmocka_unit_test(a_newer_event_schema_is_refused),
		cmocka_unit_test(a_manifest_that_is_too_short_is_refused),
		cmocka_unit_test(names_must_fit_the_file_and_be_there_once),
		cmocka_unit_test(a_detector_without_its_function_is_refused),
		cmocka_unit_test(too_much_state_is_refused),
		cmocka_unit_test(options_outside_their_struct_are_refused),
		cmocka_unit_test(a_table_that_makes_no_sense_is_refused),
		with_folder(a_missing_plugin_gets_the_nearest_name),
		with_folder(only_names_of_the_same_kind_are_offered),
		cmocka_unit_test(another_kind_than_asked_for_is_named),
		cmocka_unit_test(a_name_cannot_leave_the_folder),
		with_folder(a_scan_lists_the_good_and_names_the_bad),
		cmocka_unit_test(a_scan_of_nothing_is_empty),
		cmocka_unit_test(the_environment_names_the_folders),
		cmocka_unit_test(an_empty_part_of_the_environment_means_the_usual_folders),
		cmocka_unit_test(the_default_folders_lie_beside_the_program_and_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
