/* SPDX-License-Identifier: Apache-2.0
 *
 * From YAML to nodes: what is understood, what is refused, and the exact words for it.
 */
#include "test_config_kit.h"

/* Everything that is wrong with one text, as it is printed. */
static void says(const char *yaml, const char *expected)
{
	struct parsed p;
	parse_text(&p, yaml);
	assert_string_equal(printed(&p), expected);
	free_parsed(&p);
}

static void sections_and_names_are_checked(void **state)
{
	(void)state;
	says("sorces:\n  fx: {plugin: csv}\n", "t.yaml:1:1: error: unknown section 'sorces'; did you mean 'sources'?\n"
					       "    1 | sorces:\n"
					       "      | ^~~~~~\n"
					       "check: 1 error in 1 file\n");
	says("pipelines: 1\n",
	     "t.yaml:1:1: error: unknown section 'pipelines'; the sections are sources, detectors, sinks and host\n"
	     "    1 | pipelines: 1\n"
	     "      | ^~~~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  - plugin: csv\n",
	     "t.yaml:2:3: error: section 'sources': found a list; expected a map such as {NAME: {plugin: NAME}}\n"
	     "    2 |   - plugin: csv\n"
	     "      |   ^~~~~~~~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  fx: csv\n",
	     "t.yaml:2:7: error: source 'fx': found a text; expected a map of options such as {plugin: NAME}\n"
	     "    2 |   fx: csv\n"
	     "      |       ^~~\n"
	     "check: 1 error in 1 file\n");
	says("sinks:\n  out:\n",
	     "t.yaml:2:3: error: sink 'out': found nothing; expected a map of options such as {plugin: NAME}\n"
	     "    2 |   out:\n"
	     "      |   ^~~\n"
	     "check: 1 error in 1 file\n");
	says("sinks:\n  9out: {}\n",
	     "t.yaml:2:3: error: '9out' is not a name for a sink; use up to 64 letters, digits, '_', '.' and '-', "
	     "a letter or '_' first\n"
	     "    2 |   9out: {}\n"
	     "      |   ^~~~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  fx: {plugin: csv}\nsinks:\n  fx: {plugin: null}\n",
	     "t.yaml:4:3: error: the name 'fx' is given twice; it is already a source in t.yaml:2\n"
	     "    4 |   fx: {plugin: null}\n"
	     "      |   ^~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  fx:\n    path: a\n    path: b\n",
	     "t.yaml:4:5: error: the name 'path' stands here twice; it was first given in line 3\n"
	     "    4 |     path: b\n"
	     "      |     ^~~~\n"
	     "check: 1 error in 1 file\n");
	says("host: {}\n---\nhost: {}\n",
	     "t.yaml:2:1: error: a second document begins here; put it in a file of its own\n"
	     "    2 | ---\n"
	     "      | ^~~\n"
	     "check: 1 error in 1 file\n");
	says("just words\n",
	     "t.yaml:1:1: error: found a text; expected the sections sources, detectors, sinks or host\n"
	     "    1 | just words\n"
	     "      | ^~~~~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("host:\n  a: 1\n  a: 2\n",
	     "t.yaml:3:3: error: the name 'a' stands here twice; it was first given in line 2\n"
	     "    3 |   a: 2\n"
	     "      |   ^\n"
	     "check: 1 error in 1 file\n");
}

static void what_only_surprises_in_yaml_is_refused(void **state)
{
	(void)state;
	says("sources:\n  fx: &x {plugin: csv}\n  gx: *x\n",
	     "t.yaml:2:8: error: anchors (&name) are not allowed; if text is meant, put it in quotes\n"
	     "    2 |   fx: &x {plugin: csv}\n"
	     "      |        ^\n"
	     "t.yaml:3:7: error: aliases (*name) are not allowed; if text is meant, put it in quotes\n"
	     "    3 |   gx: *x\n"
	     "      |       ^~\n"
	     "check: 2 errors in 1 file\n");
	says("sources:\n  fx:\n    symbol: !EURCHF\n",
	     "t.yaml:3:13: error: tags (!name) are not allowed; if text is meant, put it in quotes\n"
	     "    3 |     symbol: !EURCHF\n"
	     "      |             ^~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  <<: {plugin: csv}\n",
	     "t.yaml:2:3: error: merge keys (<<) are not allowed; write the options out\n"
	     "    2 |   <<: {plugin: csv}\n"
	     "      |   ^~\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  - ? [a, b]\n    : {plugin: csv}\n",
	     "t.yaml:2:5: error: a line must not begin with '?'; write NAME: value, or put the text in quotes\n"
	     "    2 |   - ? [a, b]\n"
	     "      |     ^\n"
	     "check: 1 error in 1 file\n");
	says("sources:\n  {[a, b]: {plugin: csv}}\n", "t.yaml:2:4: error: expected a name, found a list\n"
						      "    2 |   {[a, b]: {plugin: csv}}\n"
						      "      |    ^~~~~~\n"
						      "check: 1 error in 1 file\n");
}

static void what_is_no_text_is_refused(void **state)
{
	(void)state;
	says("host:\n  a: x\x01y\n",
	     "t.yaml:2:7: error: a control character (code 1) does not belong in a configuration; remove it\n"
	     "    2 |   a: x?y\n"
	     "      |       ^\n"
	     "check: 1 error in 1 file\n");
	says("host:\n  \xc3\xa9: \xff\n", "t.yaml:2:6: error: this byte (0xff) is not UTF-8; save the file as UTF-8\n"
					  "    2 |   \xc3\xa9: ?\n"
					  "      |      ^\n"
					  "check: 1 error in 1 file\n");
	says("\xff\xfeh\0o\0", "t.yaml: error: is UTF-16; save the file as UTF-8\n"
			       "check: 1 error in 1 file\n");
	says("host:\n  a: \"x\\0y\"\n", "t.yaml:2:6: error: a text must not hold a NUL character\n"
					"    2 |   a: \"x\\0y\"\n"
					"      |      ^~~~~~\n"
					"check: 1 error in 1 file\n");
}

static void references_that_do_not_resolve_are_named(void **state)
{
	(void)state;
	says("host:\n  a: ${HOME}\n",
	     "t.yaml:2:6: error: '${HOME}' is not a reference; use ${env:NAME}, ${env:NAME:-default} or "
	     "${file:PATH}, and $$ for a plain dollar\n"
	     "    2 |   a: ${HOME}\n"
	     "      |      ^~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("host:\n  a: x${env:TAPEWATCH_T\n",
	     "t.yaml:2:7: error: '${env:TAPEWATCH_T' has no closing '}'; write $$ for a plain dollar\n"
	     "    2 |   a: x${env:TAPEWATCH_T\n"
	     "      |       ^~~~~~~~~~~~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("host:\n  a: x ${env:TAPEWATCH_UNSET} y\n",
	     "t.yaml:2:8: error: environment variable 'TAPEWATCH_UNSET' is not set; set it, or give a default: "
	     "${env:TAPEWATCH_UNSET:-...}\n"
	     "    2 |   a: x ${env:TAPEWATCH_UNSET} y\n"
	     "      |        ^~~~~~~~~~~~~~~~~~~~~~\n"
	     "check: 1 error in 1 file\n");
	says("host:\n  a: ${env:9}\n", "t.yaml:2:6: error: '9' is not the name of an environment variable; use "
				       "${env:NAME} or ${env:NAME:-default}\n"
				       "    2 |   a: ${env:9}\n"
				       "      |      ^~~~~~~~\n"
				       "check: 1 error in 1 file\n");
	says("host:\n  a: ${file:/nowhere/x}\n", "t.yaml:2:6: error: file '/nowhere/x' does not exist\n"
						 "    2 |   a: ${file:/nowhere/x}\n"
						 "      |      ^~~~~~~~~~~~~~~~~~\n"
						 "check: 1 error in 1 file\n");
	says("host:\n  a: ${file:/}\n", "t.yaml:2:6: error: file '/' is a folder; expected a file\n"
					"    2 |   a: ${file:/}\n"
					"      |      ^~~~~~~~~\n"
					"check: 1 error in 1 file\n");
	says("host:\n  a: ${file:/dev/zero}\n", "t.yaml:2:6: error: file '/dev/zero' is not a file\n"
						"    2 |   a: ${file:/dev/zero}\n"
						"      |      ^~~~~~~~~~~~~~~~~\n"
						"check: 1 error in 1 file\n");
}

/* libfyaml's own words differ between versions; the place and the line do not. */
static void broken_yaml_is_reported_with_place_and_line(void **state)
{
	static const struct {
		const char *yaml, *line;
	} cases[] = {
		{ "host:\n  a: \"x\n", "    2 |   a: \"x\n" },
		{ "host:\n\ta: 1\n", "    2 | \ta: 1\n" },
		{ "host:\n  a: x: y\n", "    2 |   a: x: y\n" },
		{ "host:\n  a: @x\n", "    2 |   a: @x\n" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parsed p;
		parse_text(&p, cases[i].yaml);
		const char *text = printed(&p);
		assert_memory_equal(text, "t.yaml:2:", 9);
		assert_non_null(strstr(text, ": error: not valid YAML: "));
		assert_non_null(strstr(text, cases[i].line));
		assert_int_equal(p.report.errors, 1);
		assert_true(p.config.incomplete);
		free_parsed(&p);
	}
}

static void an_open_bracket_is_named(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "host:\n  a: [1, 2\n  b: 3\n");
	assert_non_null(strstr(printed(&p), "(the [ of line 2 is still open)"));
	free_parsed(&p);
}

static void a_bare_star_gets_advice(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "sinks:\n  out: {inputs: [*]}\n");
	assert_non_null(strstr(printed(&p), "a text that begins with * must stand in quotes"));
	free_parsed(&p);
}

static void what_stands_before_a_syntax_error_is_kept(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "sources:\n  a: {plugin: x}\n  b:\n    plugin: y\n    path: \"open\n");
	assert_non_null(at(&p.config, "sources", "a", "plugin", NULL));
	assert_null(at(&p.config, "sources", "b", NULL));
	assert_true(p.config.incomplete);
	free_parsed(&p);
}

/* Crashed inside libfyaml 0.7.12. */
static void what_crashes_the_library_does_not_reach_it(void **state)
{
	static const char *const yamls[] = { "? e:\t:", "? - e:\t:", "- ? e: \t:", "?\te:\t:" };
	(void)state;
	for (size_t i = 0; i < sizeof yamls / sizeof *yamls; i++) {
		struct parsed p;
		parse_text(&p, yamls[i]);
		assert_int_equal(p.report.errors, 1);
		free_parsed(&p);
	}
}

static void depth_is_limited(void **state)
{
	char yaml[256] = "host: {a: ";
	struct parsed p;
	(void)state;
	memset(yaml + 10, '[', 30);
	memset(yaml + 40, ']', 30);
	memcpy(yaml + 70, "}", 2);
	parse_text(&p, yaml); /* 2 maps and 30 lists are 32 levels */
	assert_int_equal(p.report.errors, 0);
	free_parsed(&p);

	memset(yaml + 10, '[', 31);
	memset(yaml + 41, ']', 31);
	memcpy(yaml + 72, "}", 2);
	parse_text(&p, yaml);
	assert_int_equal(p.report.errors, 1);
	assert_string_equal(p.report.list[0].text, "more than 32 levels of lists and maps");
	assert_int_equal(p.report.list[0].at.column, 41);
	free_parsed(&p);
}

static void a_file_is_limited_to_a_mebibyte(void **state)
{
	size_t limit = 1 << 20;
	char *yaml = malloc(limit + 2);
	struct parsed p;
	(void)state;
	assert_non_null(yaml);
	memset(yaml, '#', limit + 1);
	yaml[limit] = '\0';
	parse_text(&p, yaml);
	assert_int_equal(p.report.errors, 0);
	free_parsed(&p);
	yaml[limit] = '#';
	yaml[limit + 1] = '\0';
	parse_text(&p, yaml);
	assert_string_equal(printed(&p), "t.yaml: error: is larger than 1 MiB; split it into several files\n"
					 "check: 1 error in 1 file\n");
	free_parsed(&p);
	free(yaml);
}

static void empty_files_and_sections_are_fine(void **state)
{
	static const char *const yamls[] = { "", "# nothing\n", "---\n", "\xef\xbb\xbfhost: {}\n",
					     "sources:\nsinks: {}\n" };
	(void)state;
	for (size_t i = 0; i < sizeof yamls / sizeof *yamls; i++) {
		struct parsed p;
		parse_text(&p, yamls[i]);
		assert_int_equal(p.report.n, 0);
		assert_string_equal(printed(&p), "");
		assert_false(p.config.incomplete);
		free_parsed(&p);
	}
}

static void words_stay_text(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "host: {a: no, b: 1.50, c: 0x10, d: 'null', e: null, f: ~, g: '', h: 2024-01-02}\r\n");
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	static const char *const texts[] = { "no", "1.50", "0x10", "null", "", "", "", "2024-01-02" };
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(at(&p.config, "host", names[i], NULL)->text, texts[i]);
	free_parsed(&p);
}

static void nodes_know_their_places(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "# h\nsources:\n  \xc3\xa9: {q: \"\xc3\xa9 x\", l: [1,\n   22]}\n");
	assert_int_equal(p.report.n, 1); /* the name is not ASCII */
	free_parsed(&p);
	parse_text(&p, "# h\nsources:\n  e: {\xc3\xa9: \"\xc3\xa9 x\", l: [1,\n   22]}\n");
	const struct node *q = at(&p.config, "sources", "e", "\xc3\xa9", NULL);
	const struct node *l = at(&p.config, "sources", "e", "l", NULL);
	assert_int_equal(q->name_at.line, 3);
	assert_int_equal(q->name_at.column, 7);
	assert_int_equal(q->name_at.width, 1);
	assert_int_equal(q->at.column, 10);
	assert_int_equal(q->at.width, 5);
	assert_int_equal(l->at.line, 3);
	assert_int_equal(l->at.column, 20);
	assert_int_equal(l->items[1].at.line, 4);
	assert_int_equal(l->items[1].at.column, 4);
	assert_int_equal(l->items[1].at.width, 2);
	assert_string_equal(l->items[1].at.text, "   22]}");
	free_parsed(&p);
}

static void references_are_resolved(void **state)
{
	struct parsed p;
	(void)state;
	setenv("TAPEWATCH_T", "v ${env:HOME} $$", 1);
	setenv("TAPEWATCH_EMPTY", "", 1);
	parse_text(&p, "host:\n  a: x${env:TAPEWATCH_T}y\n  b: ${env:TAPEWATCH_NONE:-a:-b}${env:TAPEWATCH_EMPTY:-c}\n"
		       "  c: $$5 $6 ^$ $${env:X}\n  d: '${env:TAPEWATCH_EMPTY}'\n  e: plain\n");
	assert_string_equal(printed(&p), "");
	assert_string_equal(at(&p.config, "host", "a", NULL)->text, "xv ${env:HOME} $$y");
	assert_true(at(&p.config, "host", "a", NULL)->secret);
	assert_string_equal(at(&p.config, "host", "b", NULL)->text, "a:-bc");
	assert_string_equal(at(&p.config, "host", "c", NULL)->text, "$5 $6 ^$ ${env:X}");
	assert_false(at(&p.config, "host", "c", NULL)->secret);
	assert_string_equal(at(&p.config, "host", "d", NULL)->text, "");
	assert_false(at(&p.config, "host", "e", NULL)->secret);
	free_parsed(&p);
	unsetenv("TAPEWATCH_T");
	unsetenv("TAPEWATCH_EMPTY");
}

static void a_spoilt_value_is_marked(void **state)
{
	struct parsed p;
	(void)state;
	parse_text(&p, "host: {a: \"${env:TAPEWATCH_NONE}\", b: !t x, c: \"${x}\"}\n");
	assert_int_equal(p.report.errors, 3);
	assert_true(at(&p.config, "host", "a", NULL)->faulty);
	assert_true(at(&p.config, "host", "b", NULL)->faulty);
	assert_true(at(&p.config, "host", "c", NULL)->faulty);
	free_parsed(&p);
}

static void digest_of(char out[65], const char *yaml)
{
	struct parsed p;
	parse_text(&p, yaml);
	assert_int_equal(p.report.errors, 0);
	memcpy(out, p.config.digest, 65);
	free_parsed(&p);
}

static void the_digest_is_about_meaning(void **state)
{
	char a[65], b[65];
	(void)state;
	digest_of(a, "sources:\n  x: {plugin: csv, path: a}\n  y: {plugin: csv}\nsinks: {o: {inputs: [x, y]}}\n");
	assert_int_equal(strlen(a), 64);
	digest_of(
		b,
		"# note\nsinks:\n  o:\n    inputs: ['x', \"y\"]\nsources:\n  y: {plugin: csv}\n  x:\n    path: a # c\n"
		"    plugin: csv\n");
	assert_string_equal(a, b);
	digest_of(b, "sources:\n  x: {plugin: csv, path: b}\n  y: {plugin: csv}\nsinks: {o: {inputs: [x, y]}}\n");
	assert_string_not_equal(a, b);
	digest_of(b, "sources:\n  x: {plugin: csv, path: a}\n  y: {plugin: csv}\nsinks: {o: {inputs: [y, x]}}\n");
	assert_string_not_equal(a, b);
	/* Lengths keep neighbours apart. */
	digest_of(a, "host: {l: [ab, c]}\n");
	digest_of(b, "host: {l: [a, bc]}\n");
	assert_string_not_equal(a, b);
}

static void the_digest_gives_no_secret_away(void **state)
{
	char a[65], b[65];
	(void)state;
	setenv("TAPEWATCH_T", "one", 1);
	digest_of(a, "host: {p: \"${env:TAPEWATCH_T}\"}\n");
	setenv("TAPEWATCH_T", "two", 1);
	digest_of(b, "host: {p: \"${env:TAPEWATCH_T}\"}\n");
	assert_string_equal(a, b);
	digest_of(b, "host: {p: \"${env:TAPEWATCH_U:-two}\"}\n");
	assert_string_not_equal(a, b);
	unsetenv("TAPEWATCH_T");
}

/* sha256sum over the bytes of the form in digest.c, written down by hand:
 *   m1 n4"host" m1 n1"a" t1"b"    each count as 8 bytes, little-endian */
static void the_digest_is_sha256_of_the_canonical_form(void **state)
{
	char a[65];
	(void)state;
	digest_of(a, "host: {a: b}\n");
	assert_string_equal(a, "d3bade9d5974050dd3bb95a1725ae2e84de0231f77ec68a78c19e92999863a2c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_names_are_checked),
		cmocka_unit_test(what_only_surprises_in_yaml_is_refused),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(references_that_do_not_resolve_are_named),
		cmocka_unit_test(broken_yaml_is_reported_with_place_and_line),
		cmocka_unit_test(an_open_bracket_is_named),
		cmocka_unit_test(a_bare_star_gets_advice),
		cmocka_unit_test(what_stands_before_a_syntax_error_is_kept),
		cmocka_unit_test(what_crashes_the_library_does_not_reach_it),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_file_is_limited_to_a_mebibyte),
		cmocka_unit_test(empty_files_and_sections_are_fine),
		cmocka_unit_test(words_stay_text),
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(references_are_resolved),
		cmocka_unit_test(a_spoilt_value_is_marked),
		cmocka_unit_test(the_digest_is_about_meaning),
		cmocka_unit_test(the_digest_gives_no_secret_away),
		cmocka_unit_test(the_digest_is_sha256_of_the_canonical_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
