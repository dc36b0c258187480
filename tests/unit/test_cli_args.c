/* SPDX-License-Identifier: Apache-2.0
 *
 * The table-driven parser of options, and the verbs' helpers: times, hostile texts, help.
 */
#include "cli/cli.h"
#include "cli_kit.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct args {
	const char *dir;
	struct cli_texts config;
	bool json, quiet;
	uint64_t limit;
	int64_t wait;
	uint32_t log;
};

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct args, dir), "the folder" },
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct args, config), "a file" },
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct args, json), "as JSON" },
	{ "quiet", 'q', CLI_FLAG, NULL, offsetof(struct args, quiet), "say less" },
	{ "limit", 'n', CLI_NUMBER, "N", offsetof(struct args, limit), "how many" },
	{ "wait", 0, CLI_DURATION, "TIME", offsetof(struct args, wait), "how long" },
	{ "log", 0, CLI_CHOICE, "text|json", offsetof(struct args, log), "the form" },
	CLI_END,
};

static int never(int argc, char **argv)
{
	(void)argc, (void)argv;
	return 99;
}

static const struct verb verb = { "try", "for tests", "[-d DIR] [PATH]", never, options, NULL };

struct outcome {
	struct args args;
	struct cli_run run;
};

static void parse_now(void *arg, struct cli_run *r)
{
	r->code = cli_parse(&verb, &r->argc, r->argv, arg, 1);
}

/* Words up to a NULL. */
static struct outcome parse(const char *first, ...)
{
	struct outcome o = { .run.argc = 1 };
	va_list ap;

	o.run.argv[0] = (char *)(uintptr_t) "try";
	va_start(ap, first);
	for (const char *s = first; s && o.run.argc < CLI_KIT_MAX_ARGS; s = va_arg(ap, const char *))
		o.run.argv[o.run.argc++] = (char *)(uintptr_t)s;
	va_end(ap);
	cli_run_catch(&o.run, parse_now, &o.args);
	return o;
}

static void drop(struct outcome *o)
{
	cli_run_free(&o->run);
}

static void long_and_short_forms_say_the_same(void **state)
{
	(void)state;
	struct outcome forms[] = { parse("-d", "x", "-n", "5", NULL), parse("-dx", "-n5", NULL),
				   parse("--dir", "x", "--limit", "5", NULL), parse("--dir=x", "--limit=5", NULL) };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(forms[i].run.code, CLI_GO);
		assert_string_equal(forms[i].args.dir, "x");
		assert_int_equal(forms[i].args.limit, 5);
		drop(&forms[i]);
	}
}

static void short_flags_may_stand_together(void **state)
{
	(void)state;
	struct outcome o = parse("-jqd", "x", NULL);
	assert_int_equal(o.run.code, CLI_GO);
	assert_true(o.args.json && o.args.quiet);
	assert_string_equal(o.args.dir, "x");
	drop(&o);
}

static void a_repeated_option_is_a_list(void **state)
{
	(void)state;
	struct outcome o = parse("-c", "a", "--config=b", NULL);
	assert_int_equal(o.args.config.n, 2);
	assert_string_equal(o.args.config.items[0], "a");
	assert_string_equal(o.args.config.items[1], "b");
	drop(&o);
}

static void operands_are_found_between_options(void **state)
{
	(void)state;
	struct outcome o = parse("-j", "path", "-d", "x", NULL);
	assert_int_equal(o.run.code, CLI_GO);
	assert_int_equal(o.run.argc, 2);
	assert_string_equal(o.run.argv[1], "path");
	drop(&o);
}

static void two_dashes_end_the_options_and_one_is_an_operand(void **state)
{
	(void)state;
	struct outcome o = parse("--", "--json", NULL), p = parse("-", NULL);
	assert_string_equal(o.run.argv[1], "--json");
	assert_false(o.args.json);
	assert_string_equal(p.run.argv[1], "-");
	drop(&o);
	drop(&p);
}

static void check_misuse(struct outcome o, const char *sentence)
{
	assert_int_equal(o.run.code, CLI_USAGE);
	assert_string_equal(o.run.out, "");
	if (!strstr(o.run.err, sentence))
		fail_msg("expected '%s' in: %s", sentence, o.run.err);
	assert_non_null(strstr(o.run.err, "try 'tapewatch try --help'"));
	drop(&o);
}

static void every_misuse_has_a_sentence(void **state)
{
	(void)state;
	check_misuse(parse("--limt", "5", NULL), "unknown option '--limt'; did you mean '--limit'?");
	check_misuse(parse("--xyzzy=5", NULL), "unknown option '--xyzzy'\n");
	check_misuse(parse("-x", NULL), "unknown option '-x'");
	check_misuse(parse("--dir", NULL), "--dir needs a value: DIR");
	check_misuse(parse("-d", NULL), "-d (--dir) needs a value: DIR");
	check_misuse(parse("--json=yes", NULL), "--json takes no value");
	check_misuse(parse("--limit", "5x", NULL), "'5x' is not a whole number");
	check_misuse(parse("--limit=", NULL), "'' is not a whole number");
	check_misuse(parse("--limit", "-5", NULL), "'-5' is not a whole number");
	check_misuse(parse("--limit", "18446744073709551616", NULL), "is too large");
	check_misuse(parse("--wait", "5 parsecs", NULL), "is not a duration");
	check_misuse(parse("--log", "jsn", NULL), "'jsn' is none of text|json; did you mean 'json'?");
	check_misuse(parse("a", "b", NULL), "'b' is one argument too many");
	check_misuse(parse("--dir\x1b[2J", NULL), "'--dir\\x1b[2J'");
}

static void the_largest_number_fits(void **state)
{
	(void)state;
	struct outcome o = parse("--limit", "18446744073709551615", NULL);
	assert_true(o.args.limit == UINT64_MAX);
	drop(&o);
}

static void choices_and_durations_are_read(void **state)
{
	(void)state;
	struct outcome o = parse("--log=json", "--wait=250ms", NULL);
	assert_int_equal(o.run.code, CLI_GO);
	assert_int_equal(o.args.log, 1);
	assert_int_equal(o.args.wait, 250000000);
	drop(&o);
}

static void help_names_every_option_and_ends_well(void **state)
{
	(void)state;
	struct outcome o = parse("--help", NULL);
	assert_int_equal(o.run.code, CLI_OK);
	assert_string_equal(o.run.err, "");
	assert_non_null(strstr(o.run.out, "usage: tapewatch try [-d DIR] [PATH]\n"));
	for (const struct cli_option *p = options; p->name; p++) {
		assert_non_null(strstr(o.run.out, p->name));
		assert_non_null(strstr(o.run.out, p->help));
	}
	drop(&o);
}

static const struct verb *const verbs[] = { &verb, NULL };

static void main_now(void *arg, struct cli_run *r)
{
	(void)arg;
	r->code = cli_main(verbs, r->argc, r->argv);
}

static struct cli_run run_main(const char *arg)
{
	struct cli_run r = { .argc = arg ? 2 : 1, .argv = { (char *)(uintptr_t) "tapewatch", (char *)(uintptr_t)arg } };
	cli_run_catch(&r, main_now, NULL);
	return r;
}

static void main_runs_the_verb(void **state)
{
	(void)state;
	struct cli_run o = run_main("try");
	assert_int_equal(o.code, 99);
	cli_run_free(&o);
}

static void main_knows_version_and_help(void **state)
{
	(void)state;
	struct cli_run version = run_main("--version"), help = run_main("help");
	assert_int_equal(version.code, CLI_OK);
	assert_memory_equal(version.out, "tapewatch 0.", 12);
	assert_int_equal(help.code, CLI_OK);
	assert_non_null(strstr(help.out, "for tests"));
	cli_run_free(&version);
	cli_run_free(&help);
}

static void main_suggests_the_nearest_verb(void **state)
{
	(void)state;
	struct cli_run typo = run_main("tyr"), nothing = run_main(NULL), option = run_main("--dir");
	assert_int_equal(typo.code, CLI_USAGE);
	assert_non_null(strstr(typo.err, "there is no verb 'tyr'; did you mean 'try'?"));
	assert_int_equal(nothing.code, CLI_USAGE);
	assert_non_null(strstr(nothing.err, "usage: tapewatch VERB"));
	assert_int_equal(option.code, CLI_USAGE);
	cli_run_free(&typo);
	cli_run_free(&nothing);
	cli_run_free(&option);
}

#define S INT64_C(1000000000)

static void check_time(const char *text, int64_t expected)
{
	int64_t ts = -7;
	if (parse_time(text, 1000 * S, &ts) != 0)
		fail_msg("'%s' was refused", text);
	assert_int_equal(ts, expected);
}

/* The numbers are from `date -u -d ... +%s`. */
static void times_are_read_in_every_form(void **state)
{
	(void)state;
	check_time("2026-01-31", 1769817600 * S);
	check_time("1970-01-01", 0);
	check_time("2024-02-29", 1709164800 * S);
	check_time("1960-02-29", -310521600 * S);
	check_time("2026-01-31T10:30", 1769855400 * S);
	check_time("2026-01-31 10:30:15", 1769855415 * S);
	check_time("2026-01-31T10:30:15Z", 1769855415 * S);
	check_time("2026-01-31T10:30:15.5Z", 1769855415 * S + S / 2);
	check_time("2026-01-31T10:30:15.123456789+02:00", 1769848215 * S + 123456789);
	check_time("2026-01-31T10:30:15-05:30", 1769875215 * S);
	check_time("10s", 990 * S);
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
					   "yesterday",
					   "2026-13-01",
					   "2026-02-29",
					   "2026-00-10",
					   "2026-01-31T",
					   "2026-01-31T25:00",
					   "2026-01-31T10:30:15.",
					   "2026-01-31T10:30:15.1234567890",
					   "2026-01-31T10:30:15+2",
					   "2026-01-31x",
					   "9999-01-01",
					   "20260131" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int64_t ts = -7;
		if (parse_time(bad[i], 0, &ts) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(ts, -7);
	}
}

static void texts_cannot_harm_a_terminal(void **state)
{
	(void)state;
	struct buf b = { 0 };
	const char text[] = "A\x1b[0m\n\0\xff\xe2\x82\xac\xe2\x80\xae\xc2\x9b";
	assert_int_equal(cli_text(&b, text, sizeof text - 1, 0), 0);
	assert_int_equal(buf_add(&b, "", 1), 0);
	assert_string_equal((const char *)b.data, "A\\x1b[0m\\x0a\\x00\\xff\xe2\x82\xac\\xe2\\x80\\xae\\xc2\\x9b");
	buf_free(&b);
}

static void texts_are_cut_between_characters(void **state)
{
	(void)state;
	struct buf b = { 0 };
	assert_int_equal(cli_text(&b, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 9, 2), 0);
	assert_int_equal(b.len, 6);
	b.len = 0;
	assert_int_equal(cli_text(&b, "ab\x1b", 3, 5), 0); /* an escape is not torn */
	assert_int_equal(b.len, 2);
	buf_free(&b);
}

static void severities_have_names(void **state)
{
	(void)state;
	assert_int_equal(cli_severity("info"), TW_INFO);
	assert_int_equal(cli_severity("critical"), TW_CRITICAL);
	assert_int_equal(cli_severity("awful"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_and_short_forms_say_the_same),
		cmocka_unit_test(short_flags_may_stand_together),
		cmocka_unit_test(a_repeated_option_is_a_list),
		cmocka_unit_test(operands_are_found_between_options),
		cmocka_unit_test(two_dashes_end_the_options_and_one_is_an_operand),
		cmocka_unit_test(every_misuse_has_a_sentence),
		cmocka_unit_test(the_largest_number_fits),
		cmocka_unit_test(choices_and_durations_are_read),
		cmocka_unit_test(help_names_every_option_and_ends_well),
		cmocka_unit_test(main_runs_the_verb),
		cmocka_unit_test(main_knows_version_and_help),
		cmocka_unit_test(main_suggests_the_nearest_verb),
		cmocka_unit_test(times_are_read_in_every_form),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(texts_cannot_harm_a_terminal),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(severities_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
