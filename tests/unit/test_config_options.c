/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding options to structs, and the exact words for what does not fit.
 */
#include "test_config_kit.h"

#include <math.h>

enum { MEAN, MEDIAN, NONE };

struct plugin_self {
	int64_t window, fast, centre, wait, size, shift;
	double threshold, optional;
	const char *path, *password;
	struct tw_list fields, renames;
};

static const struct tw_option plugin_options[] = {
	TW_INT(struct plugin_self, window, "30", "2", "100000", "how many values the baseline has"),
	TW_BOOL(struct plugin_self, fast, "false", "skip what is slow"),
	TW_ENUM(struct plugin_self, centre, "mean", "mean|median|none", "what is the middle"),
	TW_DURATION(struct plugin_self, wait, "10s", "1s", "1d", "how long"),
	TW_DURATION(struct plugin_self, shift, "0", NULL, NULL, "how much"),
	TW_SIZE(struct plugin_self, size, "64KiB", NULL, "1GiB", "how large"),
	TW_FLOAT(struct plugin_self, threshold, "2.5", "0", NULL, "how far"),
	TW_FLOAT(struct plugin_self, optional, "nan", NULL, NULL, "absent unless given"),
	TW_STRING(struct plugin_self, path, TW_REQUIRED, "which file"),
	TW_SECRET(struct plugin_self, password, "the password"),
	TW_LIST(struct plugin_self, fields, "[mid, spread]", "which values"),
	TW_MAP(struct plugin_self, renames, "{a: b}", "other names"),
	TW_END,
};

struct host_self {
	int64_t severity, window;
};

static const struct tw_option host_options[] = {
	TW_ENUM(struct host_self, severity, "medium", "info|low|medium|high|critical", "of alerts"),
	TW_INT(struct host_self, window, TW_REQUIRED, NULL, NULL, "shadowed by the plugin's own"),
	TW_END,
};

struct bound {
	struct parsed p;
	struct plugin_self plugin;
	struct host_self host;
	uint32_t mistakes;
};

static void bind_map(struct bound *b, const char *flow)
{
	static const char *const skip[] = { "plugin", "inputs", NULL };
	char yaml[2048];
	snprintf(yaml, sizeof yaml, "detectors:\n  d:\n    %s\n", flow);
	memset(b, 0, sizeof *b);
	parse_text(&b->p, yaml);
	const struct binding bindings[] = {
		{ plugin_options, sizeof *plugin_options, &b->plugin },
		{ host_options, sizeof *host_options, &b->host },
	};
	b->mistakes = options_bind(at(&b->p.config, "detectors", "d", NULL), bindings, 2, skip, "detector 'd'",
				   &b->p.arena, &b->p.report);
}

static void defaults_come_from_the_table(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "{plugin: x, inputs: [a], path: p.csv}");
	assert_string_equal(printed(&b.p), "");
	assert_int_equal(b.mistakes, 0);
	assert_int_equal(b.plugin.window, 30);
	assert_int_equal(b.plugin.fast, 0);
	assert_int_equal(b.plugin.centre, MEAN);
	assert_int_equal(b.plugin.wait, INT64_C(10000000000));
	assert_int_equal(b.plugin.size, 65536);
	assert_true(b.plugin.threshold > 2.49 && b.plugin.threshold < 2.51);
	assert_true(isnan(b.plugin.optional));
	assert_string_equal(b.plugin.path, "p.csv");
	assert_string_equal(b.plugin.password, "");
	assert_int_equal(b.plugin.fields.n, 2);
	assert_string_equal(b.plugin.fields.items[0], "mid");
	assert_string_equal(b.plugin.fields.items[1], "spread");
	assert_int_equal(b.plugin.renames.n, 2);
	assert_string_equal(b.plugin.renames.items[0], "a");
	assert_string_equal(b.plugin.renames.items[1], "b");
	assert_int_equal(b.host.severity, 2);
	free_parsed(&b.p);
}

static void written_values_replace_defaults(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "{path: no, window: '256', fast: yes, centre: none, wait: 1h30m, size: 10MB, threshold: 1e1,\n"
		     "     optional: -inf, fields: price, renames: {x: y, z: ''}, severity: high}");
	assert_string_equal(printed(&b.p), "");
	assert_string_equal(b.plugin.path, "no");
	assert_int_equal(b.plugin.window, 256);
	assert_int_equal(b.plugin.fast, 1);
	assert_int_equal(b.plugin.centre, NONE);
	assert_int_equal(b.plugin.wait, INT64_C(5400000000000));
	assert_int_equal(b.plugin.size, 10000000);
	assert_true(b.plugin.threshold >= 10 && b.plugin.threshold <= 10);
	assert_true(isinf(b.plugin.optional) && b.plugin.optional < 0);
	assert_int_equal(b.plugin.fields.n, 1);
	assert_string_equal(b.plugin.fields.items[0], "price");
	assert_int_equal(b.plugin.renames.n, 4);
	assert_string_equal(b.plugin.renames.items[2], "z");
	assert_string_equal(b.plugin.renames.items[3], "");
	assert_int_equal(b.host.severity, 3);
	assert_int_equal(b.host.window, 0); /* the plugin's window came first */
	free_parsed(&b.p);
}

static void a_list_may_stand_for_a_map(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "{path: p, renames: [a, b], fields: []}");
	assert_string_equal(printed(&b.p), "");
	assert_int_equal(b.plugin.fields.n, 0);
	assert_int_equal(b.plugin.renames.n, 4);
	assert_string_equal(b.plugin.renames.items[0], "a");
	assert_string_equal(b.plugin.renames.items[1], "1");
	assert_string_equal(b.plugin.renames.items[2], "b");
	assert_string_equal(b.plugin.renames.items[3], "2");
	free_parsed(&b.p);
}

static void says(const char *yaml, const char *expected)
{
	struct bound b;
	char whole[512];
	bind_map(&b, yaml);
	snprintf(whole, sizeof whole, "detector 'd': %s", expected);
	assert_int_equal(b.p.report.n, 1);
	assert_string_equal(b.p.report.list[0].text, whole);
	assert_int_equal(b.mistakes, 1);
	free_parsed(&b.p);
}

static void says_what_is_wrong(void **state)
{
	(void)state;
	says("{path: p, windw: 3}", "unknown option 'windw'; did you mean 'window'?");
	says("{path: p, input: a}", "unknown option 'input'; did you mean 'inputs'?");
	says("{path: p, colour-of-money: 3}",
	     "unknown option 'colour-of-money'; options here: plugin, inputs, window, fast, centre, wait, shift, size, "
	     "threshold, optional, path, password, fields, renames and severity");
	says("{window: 5}", "option 'path' is missing; expected a text");
	says("{path: [a]}", "option 'path': found a list; expected a text");
	says("{path: {a: b}}", "option 'path': found a map; expected a text");
	says("{path: p, window: 1}", "option 'window': 1 is out of range; expected an integer from 2 to 100000");
	says("{path: p, window: 100001}",
	     "option 'window': 100001 is out of range; expected an integer from 2 to 100000");
	says("{path: p, window: 99999999999999999999}",
	     "option 'window': 99999999999999999999 is out of range; expected an integer from 2 to 100000");
	says("{path: p, window: abc}",
	     "option 'window': 'abc' is not an integer; expected an integer from 2 to 100000");
	says("{path: p, window: 12x}",
	     "option 'window': '12x' is not an integer; expected an integer from 2 to 100000");
	says("{path: p, window: 1.0}",
	     "option 'window': '1.0' is not an integer; expected an integer from 2 to 100000");
	says("{path: p, window: ' 12'}",
	     "option 'window': ' 12' is not an integer; expected an integer from 2 to 100000");
	says("{path: p, window: 0x10}",
	     "option 'window': '0x10' is not an integer; expected an integer from 2 to 100000");
	says("{path: p, window: }", "option 'window': nothing is given; expected an integer from 2 to 100000");
	says("{path: p, window: [3]}", "option 'window': found a list; expected an integer from 2 to 100000");
	says("{path: p, threshold: nan}", "option 'threshold': 'nan' is not a number; expected a number of at least 0");
	says("{path: p, threshold: 0x1p3}",
	     "option 'threshold': '0x1p3' is not a number; expected a number of at least 0");
	says("{path: p, threshold: -0.5}", "option 'threshold': -0.5 is out of range; expected a number of at least 0");
	says("{path: p, threshold: 1e999}",
	     "option 'threshold': 1e999 is out of range; expected a number of at least 0");
	says("{path: p, optional: '2,5'}", "option 'optional': '2,5' is not a number; expected a number such as 2.5");
	says("{path: p, fast: maybe}", "option 'fast': 'maybe' is not true or false");
	says("{path: p, fast: 1}", "option 'fast': '1' is not true or false");
	says("{path: p, centre: medain}",
	     "option 'centre': 'medain' is not one of mean, median or none; did you mean 'median'?");
	says("{path: p, centre: 0}", "option 'centre': '0' is not one of mean, median or none");
	says("{path: p, wait: 5 parsecs}",
	     "option 'wait': '5 parsecs' is not a duration; use a number and a unit: ns us ms s m h d w");
	says("{path: p, wait: 5}", "option 'wait': '5' has no unit; use a number and a unit: ns us ms s m h d w");
	says("{path: p, wait: 2d}", "option 'wait': 2d is out of range; expected a duration from 1s to 1d");
	says("{path: p, shift: -2s}",
	     "option 'shift': '-2s' is negative; expected a duration such as 250ms, 10s or 5m");
	says("{path: p, size: 2GiB}", "option 'size': 2GiB is out of range; expected a size of at most 1GiB");
	says("{path: p, size: big}",
	     "option 'size': 'big' is not a size; use a number and a unit: B KB MB GB KiB MiB GiB");
	says("{path: p, fields: {a: b}}", "option 'fields': found a map; expected a list such as [a, b], or a text");
	says("{path: p, fields: [a, [b]]}", "option 'fields': entry 2 is a list; expected a text");
	says("{path: p, renames: x}", "option 'renames': found a text; expected a map such as {name: value}");
	says("{path: p, renames: {x: {}}}", "option 'renames': entry 1 is a map; expected a text");
	says("{path: p, password: [hunter2]}",
	     "option 'password': found a list; expected a secret: ${env:NAME} or ${file:PATH}");
}

static void the_place_of_a_mistake_is_underlined(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "path: p\n    windw: 256\n    wait: 5 parsecs\n    fast: true");
	assert_string_equal(
		printed(&b.p),
		"t.yaml:4:5: error: detector 'd': unknown option 'windw'; did you mean 'window'?\n"
		"    4 |     windw: 256\n"
		"      |     ^~~~~\n"
		"t.yaml:5:11: error: detector 'd': option 'wait': '5 parsecs' is not a duration; use a number "
		"and a unit: ns us ms s m h d w\n"
		"    5 |     wait: 5 parsecs\n"
		"      |           ^~~~~~~~~\n"
		"check: 2 errors in 1 file\n");
	free_parsed(&b.p);
}

static void a_secret_is_never_printed(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "{path: p, password: hunter2, windw: 3}");
	assert_string_equal(b.plugin.password, "hunter2");
	assert_string_equal(printed(&b.p),
			    "t.yaml:3:25: warning: detector 'd': option 'password': a secret stands here in clear; use "
			    "${env:NAME} or ${file:PATH}\n"
			    "    3 |     {path: p, password: *******, windw: 3}\n"
			    "      |                         ^~~~~~~\n"
			    "t.yaml:3:34: error: detector 'd': unknown option 'windw'; did you mean 'window'?\n"
			    "    3 |     {path: p, password: *******, windw: 3}\n"
			    "      |                                  ^~~~~\n"
			    "check: 1 error and 1 warning in 1 file\n");
	free_parsed(&b.p);
}

static void a_secret_from_the_environment_is_bound_in_silence(void **state)
{
	struct bound b;
	(void)state;
	setenv("TAPEWATCH_T", "hunter2", 1);
	bind_map(&b, "{path: '${env:TAPEWATCH_T}', password: '${env:TAPEWATCH_T}'}");
	assert_string_equal(printed(&b.p), "");
	assert_string_equal(b.plugin.password, "hunter2");
	assert_string_equal(b.plugin.path, "hunter2");
	free_parsed(&b.p);
	unsetenv("TAPEWATCH_T");
}

static void what_was_reported_already_is_not_reported_again(void **state)
{
	struct bound b;
	(void)state;
	bind_map(&b, "{path: '${env:TAPEWATCH_NONE}', window: !t 3}");
	assert_int_equal(b.p.report.errors, 2);
	assert_int_equal(b.mistakes, 2); /* two options have no value all the same */
	free_parsed(&b.p);
}

static void no_map_at_all_means_defaults(void **state)
{
	struct report r = { 0 };
	struct arena a = { 0 };
	struct host_self self = { 0 };
	const struct binding binding = { host_options, sizeof *host_options, &self };
	(void)state;
	assert_int_equal(options_bind(NULL, &binding, 1, NULL, "host", &a, &r), 1);
	assert_string_equal(r.list[0].text, "host: option 'window' is missing; expected an integer such as 12");
	assert_null(r.list[0].at.file);
	assert_int_equal(self.severity, 2);
	report_free(&r);
	arena_free(&a);
}

/* A plugin built against a later contract has longer rows. */
struct longer_row {
	struct tw_option row;
	const char *since;
};

static void rows_may_be_longer_than_ours(void **state)
{
	static const struct longer_row table[] = {
		{ TW_INT(struct host_self, severity, "1", NULL, NULL, "one"), "1.0" },
		{ TW_INT(struct host_self, window, "2", NULL, NULL, "two"), "1.0" },
		{ TW_END, NULL },
	};
	struct report r = { 0 };
	struct arena a = { 0 };
	struct host_self self = { 0 };
	const struct binding binding = { &table[0].row, sizeof *table, &self };
	(void)state;
	assert_int_equal(options_bind(NULL, &binding, 1, NULL, "host", &a, &r), 0);
	assert_int_equal(self.severity, 1);
	assert_int_equal(self.window, 2);
	report_free(&r);
	arena_free(&a);
}

static void a_sound_table_passes_the_lint(void **state)
{
	struct arena a = { 0 };
	(void)state;
	assert_null(options_lint(plugin_options, sizeof *plugin_options, &a));
	assert_null(options_lint(NULL, 0, &a));
	arena_free(&a);
}

static void lint_says(struct tw_option o, const char *expected)
{
	struct tw_option table[] = { o, TW_END };
	struct arena a = { 0 };
	assert_string_equal(options_lint(table, sizeof *table, &a), expected);
	arena_free(&a);
}

static void the_lint_finds_what_is_wrong_with_a_table(void **state)
{
	(void)state;
	lint_says((struct tw_option){ "Window", "1", NULL, NULL, "h", TW_T_INT, 0 },
		  "'Window' is not a name for an option; use up to 63 of a-z, 0-9 and _");
	lint_says((struct tw_option){ "w", "1", NULL, NULL, "", TW_T_INT, 0 }, "option 'w' has no help text");
	lint_says((struct tw_option){ "w", "1", NULL, NULL, "h", 99, 0 },
		  "option 'w' has the type 99, which this host does not know");
	lint_says((struct tw_option){ "w", "1", NULL, NULL, "h", TW_T_INT, 4 },
		  "option 'w' has the offset 4, which is not a multiple of 8");
	lint_says((struct tw_option){ "w", "x", NULL, NULL, "h", TW_T_INT, 0 },
		  "option 'w': the default is at fault: 'x' is not an integer; expected an integer such as 12");
	lint_says((struct tw_option){ "w", "1", "2", NULL, "h", TW_T_INT, 0 },
		  "option 'w': the default is at fault: 1 is out of range; expected an integer of at least 2");
	lint_says((struct tw_option){ "w", "1", "x", NULL, "h", TW_T_INT, 0 },
		  "option 'w': min 'x' is not of the option's type");
	lint_says((struct tw_option){ "w", "5", "5", "4", "h", TW_T_INT, 0 },
		  "option 'w': max '4' is below min, or not of the option's type");
	lint_says((struct tw_option){ "w", "a", NULL, NULL, "h", TW_T_ENUM, 0 },
		  "option 'w': an enum needs its names in min, as \"a|b\"");
	lint_says((struct tw_option){ "w", "a", "a||b", NULL, "h", TW_T_ENUM, 0 },
		  "option 'w': an enum has an empty name in \"a||b\"");
	lint_says((struct tw_option){ "w", "a", "a|b|a", NULL, "h", TW_T_ENUM, 0 },
		  "option 'w': an enum has the same name twice in \"a|b|a\"");
	lint_says((struct tw_option){ "w", "c", "a|b", NULL, "h", TW_T_ENUM, 0 },
		  "option 'w': the default is at fault: 'c' is not one of a or b");
	const struct tw_option twice[] = {
		{ "w", "1", NULL, NULL, "h", TW_T_INT, 0 },
		{ "w", "1", NULL, NULL, "h", TW_T_INT, 8 },
		TW_END,
	};
	struct arena a = { 0 };
	assert_string_equal(options_lint(twice, sizeof *twice, &a), "option 'w' stands in the table twice");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_come_from_the_table),
		cmocka_unit_test(written_values_replace_defaults),
		cmocka_unit_test(a_list_may_stand_for_a_map),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(the_place_of_a_mistake_is_underlined),
		cmocka_unit_test(a_secret_is_never_printed),
		cmocka_unit_test(a_secret_from_the_environment_is_bound_in_silence),
		cmocka_unit_test(what_was_reported_already_is_not_reported_again),
		cmocka_unit_test(no_map_at_all_means_defaults),
		cmocka_unit_test(rows_may_be_longer_than_ours),
		cmocka_unit_test(a_sound_table_passes_the_lint),
		cmocka_unit_test(the_lint_finds_what_is_wrong_with_a_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
