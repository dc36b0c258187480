/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape export and import: what went through both is the same to the last bit; what is no such line is refused
 * with a sentence, and then nothing is made.
 */
#include "cli/cli.h"
#include "cli_kit.h"
#include "event/tape_line.h"
#include "event_samples.h"
#include "sink_kit.h"
#include "state/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[64];
static struct tw_err err;

static int setup(void **state)
{
	(void)state;
	sink_kit_folder(folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sink_kit_remove(folder);
	return 0;
}

static const char *path(const char *name)
{
	static char paths[4][160];
	static int turn;
	char *out = paths[turn++ & 3];

	snprintf(out, sizeof paths[0], "%s/%s", folder, name);
	return out;
}

static void run_now(void *arg, struct cli_run *r)
{
	static const struct verb *const verbs[] = { &verb_tape, NULL };

	(void)arg;
	r->code = cli_main(verbs, r->argc, r->argv);
}

static struct cli_run tape(const char *first, ...)
{
	struct cli_run r = { .argc = 2, .argv = { (char *)(uintptr_t) "tapewatch", (char *)(uintptr_t) "tape" } };
	va_list ap;

	va_start(ap, first);
	for (const char *s = first; s && r.argc < CLI_KIT_MAX_ARGS; s = va_arg(ap, const char *))
		r.argv[r.argc++] = (char *)(uintptr_t)s;
	va_end(ap);
	cli_run_catch(&r, run_now, NULL);
	return r;
}

static void good(struct cli_run r)
{
	if (r.code != CLI_OK)
		fail_msg("exit code %d: %s", r.code, r.err);
	cli_run_free(&r);
}

static void refused(struct cli_run r, const char *sentence)
{
	assert_int_equal(r.code, CLI_USAGE);
	if (!strstr(r.err, sentence))
		fail_msg("expected '%s' in: %s", sentence, r.err);
	cli_run_free(&r);
}

/* ---- a tape ---- */
struct maker {
	struct store *s;
	struct buf block;
	struct intern *names;
	uint64_t first, seq;
};

static void begin(struct maker *m, const char *name, uint64_t first)
{
	struct store_options o = { .sync = SYNC_OFF, .segment_size = 1 << 20, .first = first };

	*m = (struct maker){ .first = first, .seq = first - 1, .names = intern_new(1000) };
	assert_int_equal(store_open(&m->s, path(name), STORE_WRITE, &o, &err), TW_OK);
}

static void commit(struct maker *m)
{
	struct block b = { m->first, (uint32_t)(m->seq + 1 - m->first), m->block.data, m->block.len };
	struct tape_commit c = { .blocks = &b, .n_blocks = 1 };

	if (b.count && store_commit_tape(m->s, &c, &err) != TW_OK)
		fail_msg("%s", err.msg);
	m->first = m->seq + 1;
	m->block.len = 0;
}

static void end(struct maker *m)
{
	commit(m);
	store_close(m->s);
	buf_free(&m->block);
	intern_free(m->names);
}

static void add_bytes(struct maker *m, const char *source, unsigned char *event, size_t len)
{
	uint16_t number;

	assert_int_equal(store_source(m->s, source, &number, &err), TW_OK);
	event_stamp(event, ++m->seq);
	assert_int_equal(tape_add(&m->block, number, event, len), 0);
	if (m->block.len > 300000)
		commit(m);
}

static void add_event(struct maker *m, const char *source, const struct tw_event *ev)
{
	struct buf b = { 0 };

	assert_int_equal(event_encode(&b, ev, m->names), TW_OK);
	add_bytes(m, source, b.data, b.len);
	buf_free(&b);
}

static void add_sample(struct maker *m, const char *source, uint32_t kind)
{
	size_t len;
	unsigned char *bytes = sample_bytes(kind, m->names, &len);

	add_bytes(m, source, bytes, len);
	free(bytes);
}

/* ---- comparing two tapes record by record ---- */
struct walk {
	struct store *s;
	struct log_reader *r;
	struct block b;
	size_t at;
};

static void walk_open(struct walk *w, const char *name)
{
	memset(w, 0, sizeof *w);
	assert_int_equal(store_open(&w->s, path(name), STORE_READ, NULL, &err), TW_OK);
	assert_int_equal(log_reader_open(&w->r, w->s, LOG_TAPE, 1, &err), TW_OK);
}

static bool walk_next(struct walk *w, const char **source, const unsigned char **event, size_t *len)
{
	uint16_t number;

	while (!w->b.bytes || !tape_record(&w->b, &w->at, &number, event, len)) {
		int32_t rc = log_reader_next(w->r, &w->b, &err);

		w->at = 0;
		if (rc == TW_AGAIN)
			return false;
		assert_int_equal(rc, TW_OK);
	}
	*source = store_source_name(w->s, number);
	return true;
}

static void walk_close(struct walk *w)
{
	log_reader_close(w->r);
	store_close(w->s);
}

static uint64_t same_tapes(const char *a, const char *b)
{
	const unsigned char *event_a = NULL, *event_b = NULL;
	const char *source_a = NULL, *source_b = NULL;
	struct walk x, y;
	uint64_t n = 0;
	size_t len_a = 0, len_b = 0;

	walk_open(&x, a);
	walk_open(&y, b);
	while (walk_next(&x, &source_a, &event_a, &len_a)) {
		assert_true(walk_next(&y, &source_b, &event_b, &len_b));
		assert_string_equal(source_a, source_b);
		assert_int_equal(len_a, len_b);
		assert_memory_equal(event_a, event_b, len_a); /* the number is in the bytes */
		n++;
	}
	assert_false(walk_next(&y, &source_b, &event_b, &len_b));
	walk_close(&x);
	walk_close(&y);
	return n;
}

static uint64_t through_both(void)
{
	good(tape("export", path("a"), "-o", path("x.jsonl"), NULL));
	good(tape("import", path("x.jsonl"), "-d", path("b"), NULL));
	good(tape("verify", path("b"), NULL));
	return same_tapes("a", "b");
}

/* ---- lossless ---- */
static void every_kind_comes_back_to_the_last_bit(void **state)
{
	struct maker m;

	(void)state;
	begin(&m, "a", 1);
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		add_sample(&m, i & 1 ? "ticks" : "account's \"\xc3\xbc\"", event_kinds[i].bit);
	end(&m);
	assert_int_equal(through_both(), EVENT_KINDS);
}

static void every_double_comes_back(void **state)
{
	static const double values[] = { 0.0,
					 -0.0,
					 100,
					 -7,
					 1e22,
					 1e23,
					 0.1 + 0.2,
					 1.0 / 3,
					 5e-324,
					 1e-310,
					 -1e308,
					 1.7976931348623157e308,
					 123456789.25,
					 9007199254740993.0,
					 18446744073709551616.0,
					 1e15,
					 123456789012345680000.0 };
	struct maker m;
	uint64_t bits = 88172645463325252;

	(void)state;
	begin(&m, "a", 1);
	for (size_t i = 0; i < 4000; i++) {
		struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_NEWS, .ts = SAMPLE_TS };
		double v;

		bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
		memcpy(&v, &bits, sizeof v);
		if (i < sizeof values / sizeof *values)
			v = values[i];
		if (!isfinite(v))
			continue;
		ev.news = (struct tw_news){ .actual = v, .forecast = -v, .previous = TW_NONE, .title = T("t") };
		add_event(&m, "s", &ev);
	}
	end(&m);
	assert_true(through_both() > 3900);
}

static void what_only_models_say_comes_back(void **state)
{
	static const double features[] = { (double)NAN, HUGE_VAL, -HUGE_VAL, -0.0, 0, 1 };
	struct tw_detail details[200] = {
		{ T("twin"), tw_none, 1 },
		{ T("twin"), T("two"), TW_NONE },
		{ T(""), T(""), TW_NONE },
		{ T("inf"), tw_none, HUGE_VAL },
		{ T("-inf"), tw_none, -HUGE_VAL },
		{ T("nothing"), tw_none, TW_NONE },
		{ T("\"q\"\\\t\n"), T("\xe2\x80\xa8 \xf0\x9f\x99\x82 \x7e"), TW_NONE },
	};
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_SCORE, .ts = SAMPLE_TS };
	struct maker m;

	(void)state;
	begin(&m, "a", 1);
	ev.score = (struct tw_score){ .score = 1, .p_value = TW_NONE, .features = features, .n_features = 6 };
	add_event(&m, "model", &ev);
	for (uint32_t n = 0; n <= 7; n++) {
		sample_alert(&ev, details + 100);
		ev.alert.details = details;
		ev.alert.n_details = n;
		add_event(&m, "model", &ev);
	}
	for (uint32_t i = 0; i < 200; i++)
		details[i] = (struct tw_detail){ { "abcdefgh", 1 + i % 8, 0 }, tw_none, i };
	ev.alert.n_details = 200;
	add_event(&m, "model", &ev);
	end(&m);
	assert_int_equal(through_both(), 10);
}

static void edges_of_times_numbers_and_texts_come_back(void **state)
{
	static const int64_t times[] = {
		INT64_C(-2208988800000000000), INT64_C(-1), 0, 1, INT64_C(999999999), INT64_C(-1500000001),
		INT64_C(7258118399999999999)
	};
	struct tw_event ev = { .struct_size = sizeof ev };
	char *long_text = malloc(32768);
	struct maker m;

	(void)state;
	begin(&m, "a", 1);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		ev.kind = TW_CLOCK;
		ev.ts = times[i];
		ev.clock.source = T("x");
		add_event(&m, "s", &ev);
	}
	ev = (struct tw_event){ .struct_size = sizeof ev, .kind = TW_BAR, .ts = SAMPLE_TS };
	ev.bar = (struct tw_bar){ .symbol = intern_id(m.names, "B", 1),
				  .interval = INT64_MAX,
				  .open = 1,
				  .high = 1,
				  .low = 1,
				  .close = 1,
				  .volume = TW_NONE,
				  .count = 0 };
	add_event(&m, "s", &ev);
	ev.bar.interval = 0;
	ev.bar.count = -1;
	add_event(&m, "s", &ev);
	ev = (struct tw_event){ .struct_size = sizeof ev, .kind = TW_CORRECTION, .ts = SAMPLE_TS };
	for (int i = 0; i < 3; i++) {
		static const uint64_t refs[] = { 1, INT64_MAX, UINT64_C(1) << 63 };
		ev.correction = (struct tw_correction){
			.action = TW_BUST, .ref_seq = refs[i], .price = TW_NONE, .size = TW_NONE
		};
		add_event(&m, "s", &ev);
	}
	memset(long_text, '"', 32768); /* two bytes each in JSON */
	ev = (struct tw_event){ .struct_size = sizeof ev, .kind = TW_NEWS, .ts = SAMPLE_TS };
	ev.news = (struct tw_news){ .actual = TW_NONE,
				    .forecast = TW_NONE,
				    .previous = TW_NONE,
				    .title = { long_text, 32768, 0 },
				    .id = T("a,b\n\tc \\u0000 {}") };
	add_event(&m, "s", &ev);
	end(&m);
	free(long_text);
	assert_int_equal(through_both(), sizeof times / sizeof *times + 6);
}

/* More names than the table of one walk holds, three in each event. */
static void many_names_over_many_segments_come_back(void **state)
{
	struct maker m;

	(void)state;
	begin(&m, "a", 5001);
	for (uint32_t i = 0; i < 40000; i++) {
		unsigned char out[512];
		char names[3][16];
		union tw_num n[] = { tw_f64(i), tw_f64(1) };
		struct tw_str s[5] = { tw_none, tw_none, tw_none, tw_none, tw_none };

		for (uint32_t k = 0; k < 3; k++) {
			snprintf(names[k], sizeof names[k], "%c%u", "sac"[k], i);
			s[k ? k + 1 : 0] = tw_textz(names[k]);
		}
		add_bytes(&m, i % 1000 < 500 ? "one" : "two", out,
			  event_put(out, kind_of(TW_TRADE), SAMPLE_TS + i, n, s));
	}
	end(&m);
	assert_int_equal(through_both(), 40000);
}

static void a_filtered_export_has_what_was_asked_for(void **state)
{
	struct maker m;

	(void)state;
	begin(&m, "a", 1);
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		add_sample(&m, "s", event_kinds[i].bit);
	end(&m);
	struct cli_run r = tape("export", path("a"), "--kind", "quote", "--kind", "clock", NULL);
	assert_int_equal(r.code, CLI_OK);
	assert_string_equal(r.out, "{\"kind\":\"quote\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":1,"
				   "\"tape_source\":\"s\",\"bid\":1.25,\"ask\":1.5,\"ask_size\":1000000.0,"
				   "\"symbol\":\"EUR/USD\"}\n"
				   "{\"kind\":\"clock\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":11,"
				   "\"tape_source\":\"s\",\"source\":\"ticks\"}\n");
	cli_run_free(&r);
	sink_kit_put(path("gap"), "", 0);
	good(tape("export", path("a"), "--kind", "quote", "--kind", "clock", "-o", path("gap"), NULL));
	refused(tape("import", path("gap"), "-d", path("b"), NULL),
		"gap, line 2: seq is 11 behind 1: a tape has no gaps");
	good(tape("import", path("gap"), "-d", path("b"), "--renumber", NULL));
	r = tape("export", path("b"), "--kind", "clock", NULL);
	assert_non_null(strstr(r.out, "\"seq\":2,"));
	cli_run_free(&r);
}

/* ---- CSV ---- */
static void csv_has_a_file_for_each_kind_with_columns_in_schema_order(void **state)
{
	struct maker m;
	char *text;

	(void)state;
	begin(&m, "a", 1);
	add_sample(&m, "=cmd", TW_QUOTE);
	add_sample(&m, "s", TW_NEWS);
	add_sample(&m, "s", TW_SCORE);
	add_sample(&m, "s", TW_ALERT);
	end(&m);
	good(tape("export", path("a"), "--format", "csv", "-o", path("csv"), NULL));
	text = sink_kit_read(path("csv/quote.csv"), NULL);
	assert_string_equal(text, "seq,ts,tape_source,bid,ask,bid_size,ask_size,symbol\n"
				  "1,2026-01-02T03:04:05.678901234Z,\"=cmd\",1.25,1.5,,1000000.0,EUR/USD\n");
	free(text);
	text = sink_kit_read(path("csv/score.csv"), NULL);
	assert_string_equal(text, "seq,ts,tape_source,score,p_value,symbol,account,detector,features\n"
				  "3,2026-01-02T03:04:05.678901234Z,s,2.5,,EURUSD,,zs,\"[1.5,-2.0,0.0625]\"\n");
	free(text);
	text = sink_kit_read(path("csv/alert.csv"), NULL);
	assert_non_null(strstr(text,
			       "high,\"price moved 7.5 deviations, more than 6 allow\","
			       "\"{\"\"window\"\":256.0,\"\"style\"\":\"\"scalper\"\",\"\"empty\"\":\"\"\"\"}\"\n"));
	free(text);
	assert_null(sink_kit_read(path("csv/trade.csv"), NULL));
	assert_null(sink_kit_read(path("csv/quote.csv.part"), NULL));
	refused(tape("export", path("a"), "--format", "csv", NULL), "name a folder with -o, or one --kind");
	struct cli_run r = tape("export", path("a"), "--format", "csv", "--kind", "trade", NULL);
	assert_string_equal(r.out, "seq,ts,tape_source,price,size,symbol,side,account,counterparty,trade_id\n");
	cli_run_free(&r);
}

/* ---- lines by hand, and hostile ones ---- */
#define QUOTE "{\"kind\":\"quote\",\"ts\":\"2026-01-31T10:30:00Z\",\"symbol\":\"A\",\"bid\":1,\"ask\":2.5"

static void lines_by_hand_need_no_numbers(void **state)
{
	static const char text[] =
		QUOTE "}\r\n\n" QUOTE ",\"tape_source\":\"b\",\"bid_size\":null}\n"
		      "  \n{\"ts\":1769855400000000001,\"symbol\":\"\\u00e4\",\"price\":3,\"kind\":\"trade\"}";

	(void)state;
	sink_kit_put(path("x"), text, sizeof text - 1);
	refused(tape("import", path("x"), "-d", path("b"), NULL), "line 1: no tape_source: name one with --source");
	good(tape("import", path("x"), "-d", path("b"), "--source", "hand", NULL));
	struct cli_run r = tape("cat", path("b"), NULL);
	assert_string_equal(r.out, "1 2026-01-31T10:30:00Z hand quote bid=1 ask=2.5 symbol=A\n"
				   "2 2026-01-31T10:30:00Z b quote bid=1 ask=2.5 symbol=A\n"
				   "3 2026-01-31T10:30:00.000000001Z hand trade price=3 symbol=\xc3\xa4\n");
	cli_run_free(&r);
}

static void a_wrong_line_is_named_and_nothing_is_made(void **state)
{
	static const struct {
		const char *line, *sentence;
	} wrong[] = {
		{ "{", "line 2: at byte" },
		{ "[1]", "the line is no JSON object" },
		{ QUOTE "}}", "at byte" },
		{ QUOTE ",\"bid\":2}", "duplicate" },
		{ QUOTE ",\"askk\":2}", "a quote has no 'askk'; did you mean 'ask'?" },
		{ QUOTE ",\"ask_size\":-1}", "ask_size is -1" },
		{ QUOTE ",\"ask_size\":1e999}", "overflow" },
		{ QUOTE ",\"ask_size\":{\"inf\":1}}", "ask_size is inf" },
		{ QUOTE ",\"ask_size\":{\"inf\":2}}", "ask_size holds an object" },
		{ QUOTE ",\"ask_size\":[1]}", "ask_size holds a list" },
		{ QUOTE ",\"ask_size\":true}", "ask_size is true or false" },
		{ QUOTE ",\"ask_size\":\"1\"}", "ask_size is a text" },
		{ QUOTE ",\"seq\":0}", "seq is 0 behind 1" },
		{ QUOTE ",\"seq\":-1}", "seq is no whole number" },
		{ QUOTE ",\"seq\":\"18446744073709551616\"}", "seq is too large" },
		{ QUOTE ",\"tape_source\":\"\"}", "tape_source is no text" },
		{ "{\"kind\":\"qoute\",\"ts\":0}", "kind is 'qoute'" },
		{ "{\"ts\":0}", "kind is absent" },
		{ "{\"kind\":\"clock\",\"ts\":\"1h\"}", "ts is no time" },
		{ "{\"kind\":\"clock\",\"ts\":\"9999-01-01T00:00:00Z\"}", "ts is no time" },
		{ "{\"kind\":\"clock\",\"ts\":1.5}", "ts is no time" },
		{ "{\"kind\":\"clock\",\"ts\":9223372036854775807}", "expected a year from 1900" },
		{ "{\"kind\":\"clock\"}", "ts is absent" },
		{ "{\"kind\":\"clock\",\"ts\":0,\"source\":\"\\u0001\"}", "source has byte 0x01" },
		{ "{\"kind\":\"clock\",\"ts\":0,\"source\":\"\xff\"}", "unable to decode byte 0xff" },
		{ "{\"kind\":\"score\",\"ts\":0,\"score\":1,\"features\":{}}", "features is no list" },
		{ "{\"kind\":\"alert\",\"ts\":0,\"detector\":\"d\",\"details\":[1]}", "objects of one name each" },
		{ "{\"kind\":\"alert\",\"ts\":0,\"detector\":\"d\",\"details\":[{\"a\":1,\"b\":2}]}",
		  "objects of one name each" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct stat st;
		char text[1024];
		int n = snprintf(text, sizeof text, "%s}\n%s\n", QUOTE, wrong[i].line);

		sink_kit_put(path("x"), text, (size_t)n);
		refused(tape("import", path("x"), "-d", path("b"), "--source", "s", NULL), wrong[i].sentence);
		assert_int_equal(stat(path("b"), &st), -1);
		assert_int_equal(stat(path("b.importing"), &st), -1);
	}
}

static void a_line_without_an_end_is_refused_before_memory_is(void **state)
{
	size_t len = 3u << 20;
	char *text = malloc(len);

	(void)state;
	memset(text, '[', len);
	sink_kit_put(path("x"), text, len);
	refused(tape("import", path("x"), "-d", path("b"), "--source", "s", NULL), "more than 1048576 bytes");
	text[5000] = '\n'; /* deep, not long */
	sink_kit_put(path("x"), text, 5001);
	refused(tape("import", path("x"), "-d", path("b"), "--source", "s", NULL), "depth");
	free(text);
}

static void import_touches_nothing_that_is_there(void **state)
{
	struct maker m;

	(void)state;
	begin(&m, "a", 1);
	add_sample(&m, "s", TW_QUOTE);
	end(&m);
	good(tape("export", path("a"), "-o", path("x"), NULL));
	refused(tape("import", path("x"), "-d", path("a"), NULL), "import makes a new folder");
	refused(tape("import", path("x"), NULL), "name it with -d");
	refused(tape("import", path("nothing"), "-d", path("b"), NULL), "cannot open");
	assert_int_equal(mkdir(path("empty"), 0700), 0);
	good(tape("import", path("x"), "-d", path("empty"), NULL));
	sink_kit_put(path("nought"), "\n", 1);
	refused(tape("import", path("nought"), "-d", path("c"), NULL), "has no events");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_comes_back_to_the_last_bit),
		TEST(every_double_comes_back),
		TEST(what_only_models_say_comes_back),
		TEST(edges_of_times_numbers_and_texts_come_back),
		TEST(many_names_over_many_segments_come_back),
		TEST(a_filtered_export_has_what_was_asked_for),
		TEST(csv_has_a_file_for_each_kind_with_columns_in_schema_order),
		TEST(lines_by_hand_need_no_numbers),
		TEST(a_wrong_line_is_named_and_nothing_is_made),
		TEST(a_line_without_an_end_is_refused_before_memory_is),
		TEST(import_touches_nothing_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
