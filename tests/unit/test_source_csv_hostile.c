/* SPDX-License-Identifier: Apache-2.0
 *
 * What does not fit: each bad row is named with file, line, column and reason, and the rest goes on.
 */
#include "test_source_csv_kit.h"

#define GOOD "A/B,20140501 05:00:01.000,1.5,1.6\n"

static void one_bad_row(struct world *w, const char *row, const char *reason, const char *where)
{
	char text[4096];

	snprintf(text, sizeof text, GOOD "%s\n" GOOD, row);
	write_file(w, "t.csv", text);
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	assert_int_equal(w->kit.n_events, 2);
	assert_int_equal(w->kit.n_dead, 1);
	assert_dead(w, 0, reason, where);
	assert_int_equal(w->kit.dead[0].len, strlen(row));
	assert_memory_equal(w->kit.dead[0].raw, row, strlen(row));
}

static void a_row_with_too_few_columns(void **state)
{
	one_bad_row(*state, "A/B,20140501 05:00:01.000,1.5", "bad_row", "t.csv:2");
}

static void a_time_that_is_none(void **state)
{
	one_bad_row(*state, "A/B,20140231 05:00:01.000,1.5,1.6", "bad_time", "t.csv:2:2");
}

static void an_hour_that_is_none(void **state)
{
	one_bad_row(*state, "A/B,20140201 24:00:01.000,1.5,1.6", "bad_time", "t.csv:2:2");
}

static void a_number_that_is_none(void **state)
{
	one_bad_row(*state, "A/B,20140501 05:00:01.000,1.5x,1.6", "bad_number", "t.csv:2:3");
}

static void hexadecimal_is_no_number(void **state)
{
	one_bad_row(*state, "A/B,20140501 05:00:01.000,1.5,0x1p3", "bad_number", "t.csv:2:4");
}

static void an_infinite_price_is_refused_by_the_host_with_its_place(void **state)
{
	one_bad_row(*state, "A/B,20140501 05:00:01.000,inf,1.6", "bad_price", "t.csv:2");
}

static void a_price_that_is_nan(void **state)
{
	one_bad_row(*state, "A/B,20140501 05:00:01.000,NaN,NaN", "bad_price", "t.csv:2");
}

static void a_quote_that_is_not_closed(void **state)
{
	one_bad_row(*state, "\"A/B,20140501 05:00:01.000,1.5,1.6", "bad_row", "t.csv:2");
}

static void a_symbol_that_is_not_utf8(void **state)
{
	one_bad_row(*state, "A\xff/B,20140501 05:00:01.000,1.5,1.6", "bad_symbol", "t.csv:2");
}

static void a_side_that_is_none(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv", "symbol,timestamp,side,price,amount\nX,1605636308784,up,1,2\n");
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	assert_dead(w, 0, "bad_side", "t.csv:2:3");
}

static void a_nul_byte(void **state)
{
	static const char text[] = GOOD "A\0/B,20140501 05:00:01.000,1.5,1.6\n" GOOD GOOD GOOD GOOD;
	struct world *w = *state;

	write_bytes(w, "t.csv", text, sizeof text - 1);
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	assert_int_equal(w->kit.n_events, 5);
	assert_dead(w, 0, "nul_byte", "t.csv:2");
	assert_int_equal(w->kit.dead[0].len, 34);
}

static void a_line_of_10_mib(void **state)
{
	struct world *w = *state;
	size_t big = 10u << 20, good = strlen(GOOD);
	char *text = malloc(big + 2 * good + 1);

	assert_non_null(text);
	memcpy(text, GOOD, good);
	memset(text + good, 'x', big);
	text[good + big] = '\n';
	memcpy(text + good + big + 1, GOOD, good);
	write_bytes(w, "t.csv", text, big + 2 * good + 1);
	free(text);
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	assert_int_equal(w->kit.n_events, 2);
	assert_int_equal(w->kit.n_dead, 1);
	assert_dead(w, 0, "long_line", "t.csv:2");
	assert_in_range(w->kit.dead[0].len, 1, 4096);
}

static void a_long_row_is_kept_up_to_4_kib(void **state)
{
	struct world *w = *state;
	char text[9000];

	memset(text, 'y', sizeof text);
	memcpy(text, GOOD, strlen(GOOD));
	text[sizeof text - 1] = '\n';
	write_bytes(w, "t.csv", text, sizeof text);
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	assert_dead(w, 0, "bad_row", "t.csv:2");
	assert_int_equal(w->kit.dead[0].len, 4096);
}

static void time_that_goes_backwards_is_kept_and_said_once(void **state)
{
	struct world *w = *state;

	run_text(w, "t.csv",
		 "timestamp,value\n2020-01-01T00:00:02Z,1\n2020-01-01T00:00:01Z,2\n2020-01-01T00:00:03Z,3\n"
		 "2020-01-01T00:00:02Z,4\n",
		 "");
	assert_int_equal(w->kit.n_events, 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_double(event(w, i)->score.score, (double)i + 1);
	assert_int_equal(
		source_kit_said(&w->kit, "t.csv:3: 2020-01-01 00:00:01.000000000 after 2020-01-01 00:00:02.000000000"),
		1);
	assert_int_equal(source_kit_said(&w->kit, "time goes backwards"), 1);
	assert_int_equal(source_kit_said(&w->kit, "2 rows went back"), 1);
}

static void strict_refuses_more_columns_and_time_that_goes_backwards(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv",
		   "timestamp,value\n2020-01-01T00:00:02Z,1\n2020-01-01T00:00:01Z,2\n2020-01-01T00:00:03Z,3,4\n"
		   "2020-01-01T00:00:02Z,4\n");
	assert_int_equal(run(w, "t.csv", "strict: true"), TW_DONE);
	assert_int_equal(w->kit.n_events, 2);
	assert_dead(w, 0, "out_of_order", "t.csv:3");
	assert_dead(w, 1, "bad_row", "t.csv:4:3");
}

static void max_bad_stops_the_source(void **state)
{
	struct world *w = *state;
	struct tw_err *e = &w->kit.err;

	write_file(w, "t.csv", GOOD "a\nb\nc\n" GOOD);
	load(w, &w->kit, "t.csv", "");
	w->kit.max_bad = 1;
	assert_int_equal(source_kit_all(&w->kit, 100), TW_E_DATA);
	assert_int_equal(w->kit.n_dead, 2);
	assert_non_null(strstr(e->msg, "max_bad"));
}

static size_t many(char *out, size_t room, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, room - len, "A/B,20140501 05:%02d:%02d.%03d,1.5%d,1.6\n",
					i / 60000 % 60, i / 1000 % 60, i % 1000, i * 7919 % 1000);
	return len;
}

static void a_truncated_file(struct world *w, const char *name, const unsigned char *packed, size_t n, size_t rows)
{
	write_file(w, "z.csv", "A/B,20150101 00:00:00.000,1.5,1.6\n");
	write_bytes(w, name, packed, n);
	load(w, &w->kit, "*", "");
	assert_int_equal(source_kit_open(&w->kit, NULL), TW_OK);
	assert_int_equal(source_kit_run(&w->kit, 100), TW_E_FATAL);
	w->kit.source->close(w->kit.self);
	assert_non_null(strstr(w->kit.err.msg, name));
	assert_non_null(strstr(w->kit.err.msg, "ends in the middle"));
	/* everything complete was delivered, and all of the other file */
	assert_in_range(w->kit.n_events, 2, rows);
	assert_int_equal(event(w, w->kit.n_events - 1)->ts, 1420070400 * SECOND);
	assert_int_equal(w->kit.n_dead, 1);
	assert_dead(w, 0, "truncated", name);
}

static void a_truncated_gzip_gives_its_rows_and_fails(void **state)
{
	struct world *w = *state;
	static char text[2000 * 40];
	static unsigned char packed[sizeof text];
	size_t n = many(text, sizeof text, 2000);

	write_gzip(w, "t.csv.gz", text, n);
	n = read_back(w, "t.csv.gz", packed, sizeof packed);
	a_truncated_file(w, "t.csv.gz", packed, n * 3 / 4, 2000);
}

static void a_truncated_zstd_gives_its_rows_and_fails(void **state)
{
	struct world *w = *state;
	static char text[20000 * 40];
	static unsigned char packed[sizeof text];
	size_t n = pack_zstd(packed, sizeof packed, text, many(text, sizeof text, 20000));

	a_truncated_file(w, "t.csv.zst", packed, n * 3 / 4, 20000);
}

static void damaged_gzip_is_named(void **state)
{
	struct world *w = *state;
	static char text[2000 * 40];
	static unsigned char packed[sizeof text];
	size_t n = many(text, sizeof text, 2000);

	write_gzip(w, "t.csv.gz", text, n);
	n = read_back(w, "t.csv.gz", packed, sizeof packed);
	memset(packed + n / 2, 0xff, n / 4);
	write_bytes(w, "t.csv.gz", packed, n);
	assert_int_equal(run(w, "t.csv.gz", ""), TW_E_FATAL);
	assert_dead(w, 0, "damaged", "t.csv.gz");
}

static void a_file_that_is_not_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, "nothing.csv", ""), TW_E_IO);
	assert_non_null(strstr(w->kit.err.msg, "nothing.csv: cannot be opened: No such file"));
}

static void a_glob_without_a_match(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, "*.txt", ""), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "no file matches"));
}

static void a_folder_in_place_of_a_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, "", ""), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "is not a file but a folder"));
}

static void a_file_that_cannot_be_told(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv", "f1,f2,f3\n1,2,3\n");
	assert_int_equal(run(w, "t.csv", ""), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "'f1,f2,f3'; set `format:`"));
}

static void a_first_line_of_empty_columns(void **state)
{
	struct world *w = *state;
	char text[257];

	memset(text, ';', 255);
	text[255] = '-';
	text[256] = '\n';
	write_bytes(w, "t.csv", text, sizeof text);
	assert_int_equal(run(w, "t.csv", ""), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "t.csv: the first line is not"));
}

static void a_column_that_is_not_in_the_header(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv", "a,b\n1,2\n");
	assert_int_equal(run(w, "t.csv", "columns: {ts: a, value: c}"), TW_E_CONFIG);
	assert_non_null(strstr(w->kit.err.msg, "no column 'c' for value"));
}

static void options_that_do_not_fit(void **state)
{
	static const char *const pairs[][2] = {
		{ "path: x\ncolumns: {time: 1}", "'time' is not a field" },
		{ "path: x\ncolumns: {value: 1}", "no column is mapped to ts" },
		{ "path: x\ndecimal: ';'", "neither '.' nor ','" },
		{ "path: x\ndelimiter: ab", "delimiter" },
		{ "path: x\ndelimiter: ','\ndecimal: ','", "could not be told apart" },
		{ "path: x\nspeed: fast", "neither max nor a factor" },
		{ "path: x\nformat: columns", "needs `columns:`" },
		{ "path: x\ntime_format: '%Q'", "'%Q' is not known" },
		{ "path: x\ntime_format: seconds", "is none of auto" },
		{ "format: truefx", "path" },
		{ "path: x\nformat: trufx", "format" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_int_equal(source_kit_check(&w->kit, PLUGIN_DIR, "csv", pairs[i][0]), TW_E_CONFIG);
		if (!strstr(w->kit.err.msg, pairs[i][1]))
			fail_msg("'%s' does not hold '%s'", w->kit.err.msg, pairs[i][1]);
		source_kit_free(&w->kit);
	}
}

static void a_timezone_that_is_none(void **state)
{
	static const char *const names[] = { "Mars/Olympus", "../../etc/passwd", "+25:00", "/etc/localtime" };
	struct world *w = *state;
	char option[64];

	write_file(w, "t.csv", GOOD);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(option, sizeof option, "timezone: '%s'", names[i]);
		assert_int_equal(run(w, "t.csv", option), TW_E_CONFIG);
		assert_non_null(strstr(w->kit.err.msg, names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)
		T(a_row_with_too_few_columns),
		T(a_time_that_is_none),
		T(an_hour_that_is_none),
		T(a_number_that_is_none),
		T(hexadecimal_is_no_number),
		T(an_infinite_price_is_refused_by_the_host_with_its_place),
		T(a_price_that_is_nan),
		T(a_quote_that_is_not_closed),
		T(a_symbol_that_is_not_utf8),
		T(a_side_that_is_none),
		T(a_nul_byte),
		T(a_line_of_10_mib),
		T(a_long_row_is_kept_up_to_4_kib),
		T(time_that_goes_backwards_is_kept_and_said_once),
		T(strict_refuses_more_columns_and_time_that_goes_backwards),
		T(max_bad_stops_the_source),
		T(a_truncated_gzip_gives_its_rows_and_fails),
		T(a_truncated_zstd_gives_its_rows_and_fails),
		T(damaged_gzip_is_named),
		T(a_file_that_is_not_there),
		T(a_glob_without_a_match),
		T(a_folder_in_place_of_a_file),
		T(a_file_that_cannot_be_told),
		T(a_first_line_of_empty_columns),
		T(a_column_that_is_not_in_the_header),
		T(options_that_do_not_fit),
		T(a_timezone_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
