/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin says about itself, as text and as JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/describe.h"

/* A description of our own making, so that every word of the expectation is known. */
struct self {
	int64_t window;
	double threshold;
	int64_t span, side, loud;
	const char *field, *password;
	struct tw_list names;
};
static const struct tw_option rows[] = {
	TW_INT(struct self, window, "30", "2", "1000", "how many"),
	TW_FLOAT(struct self, threshold, "2.50", "0", NULL, "how \"far\""),
	TW_DURATION(struct self, span, "10s", "1ms", "24h", "how long"),
	TW_ENUM(struct self, side, "both", "both|up|down", "which side"),
	TW_BOOL(struct self, loud, "true", "say so"),
	TW_STRING(struct self, field, TW_REQUIRED, "which number"),
	TW_SECRET(struct self, password, "who may"),
	TW_LIST(struct self, names, "", "whom to leave out"),
	TW_END,
};
static const char *const counters[] = { "judged", "flat", NULL };

static struct plugin detector(void)
{
	return (struct plugin){ .kind = PLUGIN_DETECTOR,
				.name = "far",
				.version = "1.0.0",
				.summary = "values that are far away",
				.doc = "",
				.file = "/lib/far.so",
				.options = rows,
				.option_size = sizeof *rows,
				.self_size = sizeof(struct self),
				.detector = { .key = "symbol",
					      .kinds = TW_QUOTE | TW_NEWS,
					      .emits = TW_SCORE,
					      .state_size = 48,
					      .state_version = 2,
					      .counters = counters } };
}

static void check_text(const struct plugin *p, const char *expected)
{
	struct buf out = { 0 };

	assert_int_equal(plugin_describe(p, &out), TW_OK);
	assert_int_equal(buf_add(&out, "", 1), 0);
	assert_string_equal((const char *)out.data, expected);
	buf_free(&out);
}

static void check_json(const struct plugin *p, const char *expected)
{
	struct buf out = { 0 };

	assert_int_equal(plugin_describe_json(p, &out), TW_OK);
	assert_int_equal(buf_add(&out, "", 1), 0);
	assert_string_equal((const char *)out.data, expected);
	buf_free(&out);
}

static void a_detector_is_described_in_text(void **state)
{
	const struct plugin p = detector();

	(void)state;
	check_text(&p, "far 1.0.0, a detector\n"
		       "values that are far away\n"
		       "\n"
		       "Key       symbol\n"
		       "Kinds     quote, news\n"
		       "Emits     score\n"
		       "State     48 bytes for each key, version 2\n"
		       "File      /lib/far.so\n"
		       "\n"
		       "Options\n"
		       "  name       type      default   range           meaning\n"
		       "  window     int       30        2..1000         how many\n"
		       "  threshold  float     2.50      from 0          how \"far\"\n"
		       "  span       duration  10s       1ms..24h        how long\n"
		       "  side       enum      both      both|up|down    which side\n"
		       "  loud       bool      true                      say so\n"
		       "  field      string    required                  which number\n"
		       "  password   secret    -                         who may\n"
		       "  names      list      -                         whom to leave out\n"
		       "\n"
		       "Counters\n"
		       "  judged, flat\n");
}

static void a_detector_is_described_in_json(void **state)
{
	const struct plugin p = detector();

	(void)state;
	check_json(
		&p,
		"{\"kind\":\"detector\",\"name\":\"far\",\"version\":\"1.0.0\",\"summary\":\"values that are far "
		"away\","
		"\"doc\":\"\",\"file\":\"/lib/"
		"far.so\",\"key\":\"symbol\",\"free_key\":false,\"kinds\":[\"quote\",\"news\"],"
		"\"emits\":[\"score\"],\"state_size\":48,\"state_version\":2,\"counters\":[\"judged\",\"flat\"],"
		"\"options\":{\"type\":\"object\",\"properties\":{"
		"\"window\":{\"type\":\"integer\",\"minimum\":2,\"maximum\":1000,\"default\":30,"
		"\"description\":\"how many\"},"
		"\"threshold\":{\"type\":\"number\",\"minimum\":0,\"default\":2.5,\"description\":\"how \\\"far\\\"\"},"
		"\"span\":{\"type\":\"string\",\"x-type\":\"duration\",\"x-minimum\":\"1ms\",\"x-maximum\":\"24h\","
		"\"default\":\"10s\",\"description\":\"how long\"},"
		"\"side\":{\"type\":\"string\",\"enum\":[\"both\",\"up\",\"down\"],\"default\":\"both\","
		"\"description\":\"which side\"},"
		"\"loud\":{\"type\":\"boolean\",\"default\":true,\"description\":\"say so\"},"
		"\"field\":{\"type\":\"string\",\"description\":\"which number\"},"
		"\"password\":{\"type\":\"string\",\"writeOnly\":true,\"x-type\":\"secret\",\"description\":\"who "
		"may\"},"
		"\"names\":{\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"},"
		"\"description\":\"whom to leave out\"}},"
		"\"required\":[\"field\"],\"additionalProperties\":false}}");
}

static void a_plugin_without_options_says_so(void **state)
{
	const struct plugin p = { .kind = PLUGIN_SINK,
				  .name = "hole",
				  .version = "2",
				  .summary = "takes all",
				  .doc = "",
				  .file = "/lib/hole.so" };

	(void)state;
	check_text(&p, "hole 2, a sink\n"
		       "takes all\n"
		       "\n"
		       "File      /lib/hole.so\n"
		       "\n"
		       "It has no options of its own.\n");
	check_json(&p, "{\"kind\":\"sink\",\"name\":\"hole\",\"version\":\"2\",\"summary\":\"takes all\",\"doc\":\"\","
		       "\"file\":\"/lib/hole.so\",\"options\":{\"type\":\"object\",\"properties\":{},\"required\":[],"
		       "\"additionalProperties\":false}}");
}

static void no_line_is_longer_than_a_hundred_columns(void **state)
{
	static const struct tw_option long_rows[] = {
		TW_ENUM(struct self, side, "alpha",
			"alpha|bravo|charlie|delta|echo|foxtrot|golf|hotel|india|juliett|kilo|lima|mike|november|oscar",
			"a help text that is so long that it has to be broken, more than once even, because the room "
			"beside a "
			"long list of names is small and words are many"),
		TW_STRING(struct self, field, "a default that is much longer than its column has room for",
			  "h\xc3\xa4lp"),
		TW_END,
	};
	struct plugin p = detector();
	struct buf out = { 0 };
	size_t width = 0;

	(void)state;
	p.options = long_rows;
	p.summary = "a summary that goes on and on, far beyond the end of a line, because somebody had very much to "
		    "say about "
		    "very little";
	p.doc = "One paragraph\nthat was written\nin short lines and flows together, \xc3\xa4\xc3\xb6\xc3\xbc, as far "
		"as the "
		"hundredth column and then goes on below.\n\n  kept = as it is\n";
	assert_int_equal(plugin_describe(&p, &out), TW_OK);
	for (size_t i = 0; i < out.len; i++) {
		if (out.data[i] == '\n')
			width = 0;
		else if ((out.data[i] & 0xc0) != 0x80)
			assert_true(++width <= 100);
	}
	assert_int_equal(buf_add(&out, "", 1), 0);
	assert_non_null(strstr((const char *)out.data, "One paragraph that was written in short lines"));
	assert_non_null(strstr((const char *)out.data, "\n  kept = as it is\n"));
	assert_non_null(strstr((const char *)out.data, "h\xc3\xa4lp"));
	buf_free(&out);
}

static void longer_rows_are_walked_by_their_own_size(void **state)
{
	struct long_row {
		struct tw_option row;
		const char *more;
	};
	static const struct long_row long_rows[] = {
		{ TW_INT(struct self, window, "30", "2", "99", "the first"), "x" },
		{ TW_BOOL(struct self, loud, "true", "the second"), "y" },
		{ TW_END, "z" },
	};
	struct plugin p = detector();
	struct buf out = { 0 };

	(void)state;
	p.options = &long_rows[0].row;
	p.option_size = sizeof *long_rows;
	assert_int_equal(plugin_describe(&p, &out), TW_OK);
	assert_int_equal(buf_add(&out, "", 1), 0);
	assert_non_null(strstr((const char *)out.data, "the first"));
	assert_non_null(strstr((const char *)out.data, "the second"));
	buf_free(&out);
}

static void hostile_texts_stay_inside_their_json_strings(void **state)
{
	const struct plugin p = { .kind = PLUGIN_SOURCE,
				  .name = "odd",
				  .version = "1",
				  .summary = "quote \" backslash \\ newline \n bell \a",
				  .doc = "",
				  .file = "/lib/odd.so" };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(plugin_describe_json(&p, &out), TW_OK);
	assert_int_equal(buf_add(&out, "", 1), 0);
	assert_non_null(strstr((const char *)out.data, "\"quote \\\" backslash \\\\ newline \\n bell \\u0007\""));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_detector_is_described_in_text),
		cmocka_unit_test(a_detector_is_described_in_json),
		cmocka_unit_test(a_plugin_without_options_says_so),
		cmocka_unit_test(no_line_is_longer_than_a_hundred_columns),
		cmocka_unit_test(longer_rows_are_walked_by_their_own_size),
		cmocka_unit_test(hostile_texts_stay_inside_their_json_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
