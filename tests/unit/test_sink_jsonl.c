/* SPDX-License-Identifier: Apache-2.0
 *
 * The jsonl sink: its lines, byte for byte, and its file through crashes, rotations and a full disk.
 */
#include "sink_kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TS   ((INT64_C(20455) * 86400 + 3 * 3600 + 4 * 60 + 5) * 1000000000 + 678000000)
#define DAY  INT64_C(86400000000000)
#define HEAD "{\"kind\":\"alert\",\"ts\":\"2026-01-02T03:04:05.678000000Z\",\"seq\":"
#define TAIL ",\"detector\":\"spikes\",\"symbol\":\"S\",\"severity\":\"high\",\"reason\":\"r\"}\n"

struct world {
	struct sink_kit k;
	char folder[64], path[96];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	sink_kit_folder(w->folder);
	snprintf(w->path, sizeof w->path, "%s/a.jsonl", w->folder);
	sink_kit_load(&w->k, PLUGIN_DIR, "jsonl");
	sink_kit_text(&w->k, "path", w->path);
	w->k.wall = TS;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	sink_kit_remove(w->folder);
	sink_kit_free(&w->k);
	free(w);
	return 0;
}

static void check_file(const struct world *w, const char *suffix, const char *expected)
{
	char path[128];
	snprintf(path, sizeof path, "%s%s", w->path, suffix);
	char *data = sink_kit_read(path, NULL);
	if (!expected) {
		assert_null(data);
		return;
	}
	assert_non_null(data);
	assert_string_equal(data, expected);
	free(data);
}

/* Open, write, flush, close. */
static void deliver(struct world *w, const struct tw_event *ev, uint32_t n)
{
	assert_int_equal(sink_kit_open(&w->k), TW_OK);
	assert_int_equal(sink_kit_write(&w->k, ev, n), TW_OK);
	assert_int_equal(w->k.done, n);
	assert_int_equal(sink_kit_flush(&w->k), TW_OK);
	sink_kit_close(&w->k);
}

static void a_full_alert_is_one_line_with_every_field(void **state)
{
	struct world *w = *state;
	struct tw_detail details[] = {
		{ sink_kit_str("window"), { NULL, 0, 0 }, 256 },
		{ sink_kit_str("field"), sink_kit_str("mid"), (double)NAN },
		{ sink_kit_str("gone"), { NULL, 0, 0 }, (double)NAN },
	};
	struct tw_event ev = sink_kit_alert(TS + 1, 42, "EURUSD", "up");
	struct tw_alert *a = &ev.alert;
	a->severity = TW_CRITICAL;
	a->score = 7.5;
	a->p_value = 1e-12;
	a->value = 0.1;
	a->expected = 1.0 / 3;
	a->threshold = -2;
	a->evidence_from = 40;
	a->evidence_to = UINT64_MAX;
	a->id = sink_kit_str("t-42-spikes-0");
	a->version = sink_kit_str("1.0.0");
	a->config = sink_kit_str("abc");
	a->account = sink_kit_str("17");
	a->type = sink_kit_str("price_spike");
	a->details = details;
	a->n_details = 3;
	deliver(w, &ev, 1);
	check_file(w, "",
		   "{\"kind\":\"alert\",\"ts\":\"2026-01-02T03:04:05.678000001Z\",\"seq\":42,\"id\":\"t-42-spikes-0\","
		   "\"detector\":\"spikes\",\"version\":\"1.0.0\",\"config\":\"abc\",\"symbol\":\"EURUSD\","
		   "\"account\":\"17\",\"type\":\"price_spike\",\"severity\":\"critical\",\"score\":7.5,"
		   "\"p_value\":1e-12,\"value\":0.1,\"expected\":0.3333333333333333,\"threshold\":-2,"
		   "\"reason\":\"up\",\"evidence_from\":40,\"evidence_to\":18446744073709551615,"
		   "\"details\":{\"window\":256,\"field\":\"mid\"}}\n");
}

static void absent_numbers_and_infinities_are_left_out(void **state)
{
	struct world *w = *state;
	struct tw_event ev = sink_kit_alert(TS, 1, "S", "r");
	ev.alert.score = (double)INFINITY;
	deliver(w, &ev, 1);
	check_file(w, "", HEAD "1" TAIL);
}

static void hostile_texts_stay_inside_their_string(void **state)
{
	struct world *w = *state;
	struct tw_event ev = sink_kit_alert(TS, 1, "\"}\\\n", "r");
	ev.alert.account = (struct tw_str){ "\0\x1b\x7f\t", 4, 0 };
	ev.alert.type = sink_kit_str("\xff"
				     "a\xe2\x82");
	deliver(w, &ev, 1);
	check_file(w, "",
		   HEAD
		   "1,\"detector\":\"spikes\",\"symbol\":\"\\\"}\\\\\\n\",\"account\":\"\\u0000\\u001b\\u007f\\t\","
		   "\"type\":\"\xef\xbf\xbd"
		   "a\xef\xbf\xbd\xef\xbf\xbd\",\"severity\":\"high\",\"reason\":\"r\"}\n");
}

static void numbers_read_back_as_the_same_double(void **state)
{
	struct world *w = *state;
	const double values[] = { 0.1,
				  1.0 / 3,
				  5e-324,
				  1.7976931348623157e308,
				  123456789.123456789,
				  1e21,
				  -0.0,
				  2.2250738585072014e-308,
				  1.1,
				  4503599627370497.5 };
	struct tw_event ev[10];
	for (int i = 0; i < 10; i++) {
		ev[i] = sink_kit_alert(TS, 1, "S", "r");
		ev[i].alert.value = values[i];
	}
	deliver(w, ev, 10);
	char *data = sink_kit_read(w->path, NULL), *at = data;
	for (int i = 0; i < 10; i++) {
		at = strstr(at, "\"value\":");
		assert_non_null(at);
		double back = strtod(at + 8, &at);
		assert_memory_equal(&back, &values[i], sizeof back);
	}
	free(data);
}

static void a_score_is_a_line_too(void **state)
{
	struct world *w = *state;
	const double features[] = { 1, (double)NAN, 0.5 };
	struct tw_event ev = { .kind = TW_SCORE, .ts = TS, .seq = 3 };
	ev.score.detector = sink_kit_str("mean");
	ev.score.symbol = 1;
	ev.score.account = 2;
	ev.score.score = 1.25;
	ev.score.p_value = (double)NAN;
	ev.score.features = features;
	ev.score.n_features = 3;
	deliver(w, &ev, 1);
	check_file(w, "",
		   "{\"kind\":\"score\",\"ts\":\"2026-01-02T03:04:05.678000000Z\",\"seq\":3,\"detector\":\"mean\","
		   "\"symbol\":\"EURUSD\",\"account\":\"acct 17\",\"score\":1.25,\"features\":[1,null,0.5]}\n");
}

static void a_restart_appends(void **state)
{
	struct world *w = *state;
	struct tw_event one = sink_kit_alert(TS, 1, "S", "r"), two = sink_kit_alert(TS, 2, "S", "r");
	deliver(w, &one, 1);
	deliver(w, &two, 1);
	check_file(w, "", HEAD "1" TAIL HEAD "2" TAIL);
}

static void half_a_line_left_by_a_crash_is_cut_off(void **state)
{
	struct world *w = *state;
	struct tw_event two = sink_kit_alert(TS, 2, "S", "r");
	const char torn[] = HEAD "1" TAIL "{\"kind\":\"ale";
	sink_kit_put(w->path, torn, sizeof torn - 1);
	deliver(w, &two, 1);
	check_file(w, "", HEAD "1" TAIL HEAD "2" TAIL);
	assert_non_null(strstr(w->k.log, "12 bytes"));
}

static void a_torn_line_longer_than_one_block_is_cut_off(void **state)
{
	struct world *w = *state;
	size_t n = 200000;
	char *torn = malloc(n);
	assert_non_null(torn);
	memset(torn, 'x', n);
	memcpy(torn, "{}\n{", 4);
	sink_kit_put(w->path, torn, n);
	free(torn);
	assert_int_equal(sink_kit_open(&w->k), TW_OK);
	sink_kit_close(&w->k);
	check_file(w, "", "{}\n");
}

static void a_file_that_is_not_ours_is_left_alone(void **state)
{
	struct world *w = *state;
	sink_kit_put(w->path, "my thesis", 9);
	assert_int_equal(sink_kit_open(&w->k), TW_E_CONFIG);
	assert_non_null(strstr(w->k.err.msg, "does not end in a line of JSON"));
	check_file(w, "", "my thesis");
}

static void two_writers_of_one_file_are_refused(void **state)
{
	struct world *w = *state;
	struct sink_kit other;
	sink_kit_load(&other, PLUGIN_DIR, "jsonl");
	sink_kit_text(&other, "path", w->path);
	assert_int_equal(sink_kit_open(&w->k), TW_OK);
	assert_int_equal(sink_kit_open(&other), TW_E_IO);
	assert_non_null(strstr(other.err.msg, "another process or sink"));
	sink_kit_close(&w->k);
	assert_int_equal(sink_kit_open(&other), TW_OK);
	sink_kit_close(&other);
	sink_kit_free(&other);
}

static void a_folder_that_is_missing_has_a_sentence(void **state)
{
	struct world *w = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/none/a.jsonl", w->folder);
	sink_kit_text(&w->k, "path", path);
	assert_int_equal(sink_kit_open(&w->k), TW_E_IO);
	assert_non_null(strstr(w->k.err.msg, "No such file"));
}

static void a_file_never_grows_beyond_rotate_size(void **state)
{
	struct world *w = *state;
	const size_t line = strlen(HEAD "1" TAIL);
	struct tw_event ev[5];
	for (uint64_t i = 0; i < 5; i++)
		ev[i] = sink_kit_alert(TS, i + 1, "S", "r");
	sink_kit_int(&w->k, "rotate_size", (int64_t)(2 * line));
	deliver(w, ev, 5);
	check_file(w, "", HEAD "5" TAIL);
	check_file(w, ".1", HEAD "3" TAIL HEAD "4" TAIL);
	check_file(w, ".2", HEAD "1" TAIL HEAD "2" TAIL);
	check_file(w, ".3", NULL);
}

static void a_line_longer_than_rotate_size_gets_a_file_of_its_own(void **state)
{
	struct world *w = *state;
	struct tw_event ev[2] = { sink_kit_alert(TS, 1, "S", "r"), sink_kit_alert(TS, 2, "S", "r") };
	sink_kit_int(&w->k, "rotate_size", 10);
	deliver(w, ev, 2);
	check_file(w, "", HEAD "2" TAIL);
	check_file(w, ".1", HEAD "1" TAIL);
}

static void only_the_newest_files_are_kept(void **state)
{
	struct world *w = *state;
	struct tw_event ev[4];
	for (uint64_t i = 0; i < 4; i++)
		ev[i] = sink_kit_alert(TS, i + 1, "S", "r");
	sink_kit_int(&w->k, "rotate_size", 10);
	sink_kit_int(&w->k, "keep", 1);
	deliver(w, ev, 4);
	check_file(w, "", HEAD "4" TAIL);
	check_file(w, ".1", HEAD "3" TAIL);
	check_file(w, ".2", NULL);
}

static void keep_0_keeps_no_old_file(void **state)
{
	struct world *w = *state;
	struct tw_event ev[2] = { sink_kit_alert(TS, 1, "S", "r"), sink_kit_alert(TS, 2, "S", "r") };
	sink_kit_int(&w->k, "rotate_size", 10);
	sink_kit_int(&w->k, "keep", 0);
	deliver(w, ev, 2);
	check_file(w, "", HEAD "2" TAIL);
	check_file(w, ".1", NULL);
}

static void a_new_day_begins_a_new_file(void **state)
{
	struct world *w = *state;
	struct tw_event ev = sink_kit_alert(TS, 1, "S", "r"), next = sink_kit_alert(TS, 2, "S", "r");
	sink_kit_int(&w->k, "rotate_daily", 1);
	assert_int_equal(sink_kit_open(&w->k), TW_OK);
	w->k.wall = TS - TS % DAY + DAY - 1;
	assert_int_equal(sink_kit_write(&w->k, &ev, 1), TW_OK);
	assert_int_equal(sink_kit_write(&w->k, &ev, 1), TW_OK);
	w->k.wall++;
	assert_int_equal(sink_kit_write(&w->k, &next, 1), TW_OK);
	sink_kit_close(&w->k);
	check_file(w, "", HEAD "2" TAIL);
	check_file(w, ".1", HEAD "1" TAIL HEAD "1" TAIL);
}

static void yesterdays_file_is_rotated_after_a_restart(void **state)
{
	struct world *w = *state;
	struct tw_event ev = sink_kit_alert(TS, 1, "S", "r"), next = sink_kit_alert(TS, 2, "S", "r");
	const struct timespec times[2] = { { TS / 1000000000, 0 }, { TS / 1000000000, 0 } };
	sink_kit_int(&w->k, "rotate_daily", 1);
	deliver(w, &ev, 1);
	assert_int_equal(utimensat(AT_FDCWD, w->path, times, 0), 0);
	w->k.wall = TS + DAY;
	deliver(w, &next, 1);
	check_file(w, "", HEAD "2" TAIL);
	check_file(w, ".1", HEAD "1" TAIL);
}

static void a_full_disk_leaves_full_lines_and_the_rest_goes_on_later(void **state)
{
	struct world *w = *state;
	const size_t line = strlen(HEAD "1" TAIL);
	struct tw_event ev[3];
	struct rlimit old, small;
	for (uint64_t i = 0; i < 3; i++)
		ev[i] = sink_kit_alert(TS, i + 1, "S", "r");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = line + line / 2;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(sink_kit_open(&w->k), TW_OK);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int32_t rc = sink_kit_write(&w->k, ev, 3);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(rc, TW_AGAIN);
	assert_int_equal(w->k.done, 1);
	assert_non_null(strstr(w->k.err.msg, "no room"));
	check_file(w, "", HEAD "1" TAIL);

	assert_int_equal(sink_kit_write(&w->k, ev + 1, 2), TW_OK);
	sink_kit_close(&w->k);
	check_file(w, "", HEAD "1" TAIL HEAD "2" TAIL HEAD "3" TAIL);
}

static void a_dash_is_standard_output(void **state)
{
	struct world *w = *state;
	struct tw_event ev = sink_kit_alert(TS, 1, "S", "r");
	sink_kit_text(&w->k, "path", "-");
	int saved = sink_kit_redirect(w->path);
	int32_t opened = sink_kit_open(&w->k), rc = sink_kit_write(&w->k, &ev, 1), flushed = sink_kit_flush(&w->k);
	sink_kit_close(&w->k);
	sink_kit_restore(saved);
	assert_int_equal(opened, TW_OK);
	assert_int_equal(rc, TW_OK);
	assert_int_equal(flushed, TW_OK);
	check_file(w, "", HEAD "1" TAIL);
}

/* A pipe that takes a line and a half goes on at the very byte where it stopped. */
static void a_full_pipe_goes_on_in_the_middle_of_a_line(void **state)
{
	struct world *w = *state;
	enum { N = 2000 };
	struct tw_event *ev = malloc(N * sizeof *ev);
	assert_non_null(ev);
	for (uint64_t i = 0; i < N; i++)
		ev[i] = sink_kit_alert(TS, i + 1, "S", "r");
	int fds[2];
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	fflush(stdout);
	int saved = dup(STDOUT_FILENO);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	sink_kit_text(&w->k, "path", "-");
	int32_t rc = sink_kit_open(&w->k);
	static char got[1 << 20];
	size_t n = 0;
	uint32_t at = 0, rounds = 0;
	while (rc >= 0 && at < N && rounds++ < 10000) {
		rc = sink_kit_write(&w->k, ev + at, N - at);
		at += w->k.done;
		ssize_t r = read(fds[0], got + n, 1000 < sizeof got - n ? 1000 : sizeof got - n);
		n += r > 0 ? (size_t)r : 0;
	}
	sink_kit_close(&w->k);
	sink_kit_restore(saved);
	assert_int_equal(rc, TW_OK);
	assert_int_equal(at, N);
	for (ssize_t r; n < sizeof got && (r = read(fds[0], got + n, sizeof got - n)) > 0;)
		n += (size_t)r;
	close(fds[0]);
	free(ev);
	const char *p = got;
	for (int i = 0; i < N; i++) {
		char line[512];
		size_t len = (size_t)snprintf(line, sizeof line, HEAD "%d" TAIL, i + 1);
		assert_true((size_t)(got + n - p) >= len);
		assert_memory_equal(p, line, len);
		p += len;
	}
	assert_ptr_equal(p, got + n);
}

static void rotating_standard_output_is_a_mistake(void **state)
{
	struct world *w = *state;
	sink_kit_text(&w->k, "path", "-");
	assert_int_equal(sink_kit_check(&w->k), TW_OK);
	sink_kit_int(&w->k, "rotate_daily", 1);
	assert_int_equal(sink_kit_check(&w->k), TW_E_CONFIG);
	assert_non_null(strstr(w->k.err.msg, "rotate_daily"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_full_alert_is_one_line_with_every_field),
		T(absent_numbers_and_infinities_are_left_out),
		T(hostile_texts_stay_inside_their_string),
		T(numbers_read_back_as_the_same_double),
		T(a_score_is_a_line_too),
		T(a_restart_appends),
		T(half_a_line_left_by_a_crash_is_cut_off),
		T(a_torn_line_longer_than_one_block_is_cut_off),
		T(a_file_that_is_not_ours_is_left_alone),
		T(two_writers_of_one_file_are_refused),
		T(a_folder_that_is_missing_has_a_sentence),
		T(a_file_never_grows_beyond_rotate_size),
		T(a_line_longer_than_rotate_size_gets_a_file_of_its_own),
		T(only_the_newest_files_are_kept),
		T(keep_0_keeps_no_old_file),
		T(a_new_day_begins_a_new_file),
		T(yesterdays_file_is_rotated_after_a_restart),
		T(a_full_disk_leaves_full_lines_and_the_rest_goes_on_later),
		T(a_dash_is_standard_output),
		T(a_full_pipe_goes_on_in_the_middle_of_a_line),
		T(rotating_standard_output_is_a_mistake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
