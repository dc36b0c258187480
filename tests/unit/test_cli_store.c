/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch alerts and tapewatch tape over a store made by hand.
 */
#include "cli/cli.h"
#include "cli_kit.h"
#include "event/event.h"
#include "sink_kit.h"
#include "state/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>
#include <unistd.h>

#include <cmocka.h>

/* 2026-01-31T10:30:00Z, from `date -u -d 2026-01-31T10:30 +%s` */
#define TS (INT64_C(1769855400) * 1000000000)
#define S  INT64_C(1000000000)

static char folder[64];

static void add_quote(struct buf *b, uint16_t source, uint64_t seq, int64_t ts, const char *symbol, double bid)
{
	const struct kind *k = kind_of(TW_QUOTE);
	union tw_num n[] = { tw_f64(bid), tw_f64(bid + 0.5), tw_f64(TW_NONE), tw_f64(TW_NONE) };
	struct tw_str s[] = { tw_textz(symbol) };
	unsigned char out[512];
	assert_true(event_bound(k, s) <= sizeof out);
	size_t len = event_put(out, k, ts, n, s);
	event_stamp(out, seq);
	assert_int_equal(tape_add(b, source, out, len), 0);
}

static void add_alert(struct buf *b, uint64_t seq, int64_t ts, const char *symbol, const char *account,
		      uint32_t severity)
{
	struct tw_event ev = sink_kit_alert(ts, seq, symbol, "price 2.5 is far from 1.5");
	struct buf bytes = { 0 };
	ev.alert.severity = severity;
	ev.alert.account = sink_kit_str(account);
	ev.alert.type = sink_kit_str("spike");
	ev.alert.id = sink_kit_str("tape-1-spikes-0");
	ev.alert.value = 2.5;
	assert_int_equal(event_encode(&bytes, &ev, NULL), TW_OK);
	assert_int_equal(alert_add(b, bytes.data, bytes.len), 0);
	buf_free(&bytes);
}

/* Three quotes, two dead letters, three alerts. */
static int make_store(void **state)
{
	struct store *s = NULL;
	struct tw_err e = { 0 };
	struct buf events = { 0 }, alerts = { 0 };
	uint16_t source;
	struct store_options o = { .sync = SYNC_OFF };
	(void)state;

	sink_kit_folder(folder);
	assert_int_equal(store_open(&s, folder, STORE_WRITE, &o, &e), TW_OK);
	assert_int_equal(store_source(s, "ticks", &source, &e), TW_OK);
	add_quote(&events, source, 1, TS, "EURUSD", 1.5);
	add_quote(&events, source, 2, TS + 60 * S, "GBPUSD", 1.25);
	add_quote(&events, source, 3, TS + 120 * S, "EURUSD\x1b[2J", 2.5);
	struct block tape = { 1, 3, events.data, events.len };
	struct dead_letter dead[] = {
		{ TS, 1, tw_textz("ticks"), tw_textz("bad_price"), tw_textz("a.csv:7:3"), tw_textz("expected a number"),
		  tw_textz("EUR\nx") },
		{ TS + S, 2, tw_textz("ticks"), tw_textz("bad_price"), tw_textz("a.csv:9:3"), tw_none, tw_none },
	};
	struct tape_commit tc = { .blocks = &tape, .n_blocks = 1, .dead = dead, .n_dead = 2 };
	assert_int_equal(store_commit_tape(s, &tc, &e), TW_OK);

	add_alert(&alerts, 1, TS, "EURUSD", NULL, TW_LOW);
	add_alert(&alerts, 2, TS + 60 * S, "GBPUSD", "17", TW_HIGH);
	add_alert(&alerts, 3, TS + 120 * S, NULL, "18", TW_CRITICAL);
	struct block log = { 1, 3, alerts.data, alerts.len };
	struct alert_commit ac = { .blocks = &log, .n_blocks = 1, .complete = 3 };
	assert_int_equal(store_commit_alerts(s, &ac, &e), TW_OK);
	store_close(s);
	buf_free(&events);
	buf_free(&alerts);
	return 0;
}

static int drop_store(void **state)
{
	(void)state;
	sink_kit_remove(folder);
	return 0;
}

static void run_now(void *arg, struct cli_run *r)
{
	static const struct verb *const verbs[] = { &verb_alerts, &verb_tape, NULL };
	(void)arg;
	r->code = cli_main(verbs, r->argc, r->argv);
}

/* The words of a command line up to NULL; -d FOLDER is put behind the verb. */
static struct cli_run run(const char *verb, ...)
{
	struct cli_run r = { .argc = 4,
			     .argv = { (char *)(uintptr_t) "tapewatch", (char *)(uintptr_t)verb,
				       (char *)(uintptr_t) "-d", folder } };
	va_list ap;
	va_start(ap, verb);
	for (const char *s; (s = va_arg(ap, const char *)) && r.argc < CLI_KIT_MAX_ARGS;)
		r.argv[r.argc++] = (char *)(uintptr_t)s;
	va_end(ap);
	cli_run_catch(&r, run_now, NULL);
	return r;
}

static void check(struct cli_run r, int code, const char *out)
{
	if (r.code != code)
		fail_msg("exit code %d, expected %d; %s", r.code, code, r.err);
	assert_string_equal(r.out, out);
	cli_run_free(&r);
}

#define LINE_1 "2026-01-31 10:30:00.000\tlow\tspikes\tEURUSD\t\tspike\tprice 2.5 is far from 1.5\n"
#define LINE_2 "2026-01-31 10:31:00.000\thigh\tspikes\tGBPUSD\t17\tspike\tprice 2.5 is far from 1.5\n"
#define LINE_3 "2026-01-31 10:32:00.000\tcritical\tspikes\t\t18\tspike\tprice 2.5 is far from 1.5\n"

static void alerts_in_a_pipe_are_lines_with_tabs(void **state)
{
	(void)state;
	check(run("alerts", NULL), CLI_OK, LINE_1 LINE_2 LINE_3);
}

static void alerts_are_filtered_by_every_option(void **state)
{
	(void)state;
	check(run("alerts", "--symbol", "EUR*", NULL), CLI_OK, LINE_1);
	check(run("alerts", "--account", "1?", NULL), CLI_OK, LINE_2 LINE_3);
	check(run("alerts", "--detector", "other", NULL), CLI_OK, "");
	check(run("alerts", "--severity", "high", NULL), CLI_OK, LINE_2 LINE_3);
	check(run("alerts", "--since", "2026-01-31T10:31:00Z", NULL), CLI_OK, LINE_2 LINE_3);
	check(run("alerts", "--limit", "2", NULL), CLI_OK, LINE_1 LINE_2);
	check(run("alerts", "--symbol", "*USD", "--severity", "high", NULL), CLI_OK, LINE_2);
}

static void follow_ends_at_its_limit(void **state)
{
	(void)state;
	check(run("alerts", "--follow", "--limit", "3", NULL), CLI_OK, LINE_1 LINE_2 LINE_3);
}

static void alerts_as_json_have_their_fields(void **state)
{
	(void)state;
	struct cli_run r = run("alerts", "--json", "--limit", "1", NULL);
	assert_int_equal(r.code, CLI_OK);
	assert_int_equal(r.out[0], '{');
	assert_string_equal(r.out + strlen(r.out) - 2, "}\n");
	assert_non_null(strstr(r.out, "\"symbol\":\"EURUSD\""));
	assert_non_null(strstr(r.out, "\"value\":2.5"));
	assert_non_null(strstr(r.out, "\"severity\":\"low\""));
	assert_null(strstr(r.out, "\"p_value\""));
	cli_run_free(&r);
}

static void the_digest_is_64_hex_digits_and_stands_alone(void **state)
{
	(void)state;
	struct cli_run r = run("alerts", "--digest", NULL);
	assert_int_equal(r.code, CLI_OK);
	assert_int_equal(strspn(r.out, "0123456789abcdef"), 64);
	assert_string_equal(r.out + 64, "\n");
	cli_run_free(&r);
	r = run("alerts", "--digest", "--limit", "1", NULL);
	assert_int_equal(r.code, CLI_USAGE);
	cli_run_free(&r);
}

static void check_error(struct cli_run r, int code, const char *sentence)
{
	assert_int_equal(r.code, code);
	if (!strstr(r.err, sentence))
		fail_msg("expected '%s' in: %s", sentence, r.err);
	cli_run_free(&r);
}

static void mistakes_have_a_sentence_and_exit_code_2(void **state)
{
	(void)state;
	check_error(run("alerts", "--severity", "awful", NULL), CLI_USAGE, "'awful' is none of info");
	check_error(run("alerts", "--since", "once", NULL), CLI_USAGE, "'once' is no time");
	check_error(run("alerts", "-d", "/nonexistent", NULL), CLI_USAGE, "there is no store in /nonexistent");
	check_error(run("tape", NULL), CLI_USAGE, "say what: info, cat, verify, export or import");
	check_error(run("tape", "inf", NULL), CLI_USAGE, "did you mean 'info'?");
	check_error(run("tape", "cat", "/nonexistent", NULL), CLI_USAGE, "there is no /nonexistent");
	check_error(run("tape", "cat", "--kind", "quotes", NULL), CLI_USAGE, "did you mean 'quote'?");
	check_error(run("tape", "cat", "--dead", "--kind", "quote", NULL), CLI_USAGE, "dead letters have no kind");
}

#define EVENT_1 "1 2026-01-31T10:30:00Z ticks quote bid=1.5 ask=2 symbol=EURUSD\n"
#define EVENT_2 "2 2026-01-31T10:31:00Z ticks quote bid=1.25 ask=1.75 symbol=GBPUSD\n"
#define EVENT_3 "3 2026-01-31T10:32:00Z ticks quote bid=2.5 ask=3 symbol=EURUSD\\x1b[2J\n"

static void tape_cat_prints_the_events_in_order(void **state)
{
	(void)state;
	check(run("tape", "cat", NULL), CLI_OK, EVENT_1 EVENT_2 EVENT_3);
}

static void tape_cat_is_filtered_by_every_option(void **state)
{
	(void)state;
	check(run("tape", "cat", "--symbol", "GBP*", NULL), CLI_OK, EVENT_2);
	check(run("tape", "cat", "--kind", "trade", NULL), CLI_OK, "");
	check(run("tape", "cat", "--kind", "trade", "-k", "quote", "-n", "1", NULL), CLI_OK, EVENT_1);
	check(run("tape", "cat", "--from", "2026-01-31T10:31", "--to", "2026-01-31T10:32", NULL), CLI_OK, EVENT_2);
	check(run("tape", "cat", "--account", "*", NULL), CLI_OK, "");
}

static void a_segment_alone_is_a_recording(void **state)
{
	char path[128];
	(void)state;
	snprintf(path, sizeof path, "%s/tape/000001.tape", folder);
	check(run("tape", "cat", path, NULL), CLI_OK, EVENT_1 EVENT_2 EVENT_3);
}

static void dead_letters_are_printed_with_place_and_reason(void **state)
{
	(void)state;
	check(run("tape", "cat", "--dead", NULL), CLI_OK,
	      "1 2026-01-31T10:30:00Z source=ticks reason=bad_price where=a.csv:7:3 detail=expected a number "
	      "raw=EUR\\x0ax\n"
	      "2 2026-01-31T10:30:01Z source=ticks reason=bad_price where=a.csv:9:3\n");
	check(run("tape", "cat", "--dead", "--json", "--limit", "1", NULL), CLI_OK,
	      "{\"wall\":\"2026-01-31T10:30:00Z\",\"seq\":1,\"source\":\"ticks\",\"reason\":\"bad_price\","
	      "\"where\":\"a.csv:7:3\",\"detail\":\"expected a number\",\"raw\":\"EUR\\nx\"}\n");
}

static void tape_info_counts_events_and_reasons(void **state)
{
	(void)state;
	struct cli_run r = run("tape", "info", "--json", NULL), t = run("tape", "info", NULL);
	assert_int_equal(r.code, CLI_OK);
	assert_non_null(strstr(r.out, "\"events\":3,"));
	assert_non_null(strstr(r.out, "\"complete\":3,"));
	assert_non_null(strstr(r.out, "\"from\":\"2026-01-31T10:30:00Z\",\"to\":\"2026-01-31T10:32:00Z\""));
	assert_non_null(strstr(r.out, "{\"source\":\"ticks\",\"reason\":\"bad_price\",\"count\":2}"));
	assert_int_equal(t.code, CLI_OK);
	assert_non_null(strstr(t.out, "3 events"));
	assert_non_null(strstr(t.out, "000001.tape"));
	assert_non_null(strstr(t.out, "2  ticks: bad_price\n"));
	cli_run_free(&r);
	cli_run_free(&t);
}

static void verify_is_content_with_a_good_store(void **state)
{
	(void)state;
	struct cli_run r = run("tape", "verify", NULL);
	assert_int_equal(r.code, CLI_OK);
	assert_non_null(strstr(r.out, "3 events"));
	assert_string_equal(r.err, "");
	cli_run_free(&r);
}

static void verify_names_the_fault_of_a_damaged_one(void **state)
{
	char path[128];
	(void)state;
	snprintf(path, sizeof path, "%s/tape/000001.tape", folder);
	size_t len, hits = 0;
	char *data = sink_kit_read(path, &len);
	assert_non_null(data);
	for (size_t i = 0; i + 6 <= len; i++) /* every copy of the bytes of an event */
		if (memcmp(data + i, "GBPUSD", 6) == 0) {
			data[i] = 'X';
			hits++;
		}
	assert_true(hits > 0);
	sink_kit_put(path, data, len);
	free(data);
	check_error(run("tape", "verify", NULL), CLI_STORE, "000001.tape");
	check_error(run("tape", "cat", NULL), CLI_STORE, "000001.tape");
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(alerts_in_a_pipe_are_lines_with_tabs),
		T(alerts_are_filtered_by_every_option),
		T(follow_ends_at_its_limit),
		T(alerts_as_json_have_their_fields),
		T(the_digest_is_64_hex_digits_and_stands_alone),
		T(mistakes_have_a_sentence_and_exit_code_2),
		T(tape_cat_prints_the_events_in_order),
		T(tape_cat_is_filtered_by_every_option),
		T(a_segment_alone_is_a_recording),
		T(dead_letters_are_printed_with_place_and_reason),
		T(tape_info_counts_events_and_reasons),
		T(verify_is_content_with_a_good_store),
		T(verify_names_the_fault_of_a_damaged_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
