/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines: their form, what they must not contain, and the limit for each instance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/os.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* A kernel whose clock stands still until told otherwise, and whose stderr is a buffer. Each test uses names of its
 * own, because the limits of a name live as long as the process. */
static int64_t now_mono = 1000000000;
static struct buf written;
static uint32_t writes;
static size_t most = SIZE_MAX; /* bytes that one write takes */
static int interrupts;

static int64_t fake_wall(void)
{
	return INT64_C(1767323045678901234); /* 2026-01-02T03:04:05.678901234Z */
}

static int64_t fake_mono(void)
{
	return now_mono;
}

static ssize_t fake_write(int fd, const void *data, size_t n)
{
	assert_int_equal(fd, 2);
	if (interrupts > 0) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	if (n > most)
		n = most;
	assert_int_equal(buf_add(&written, data, n), 0);
	writes++;
	return (ssize_t)n;
}

static struct os fake;

static int begin(void **state)
{
	(void)state;
	fake = os_real;
	fake.wall = fake_wall;
	fake.mono = fake_mono;
	fake.write = fake_write;
	os = &fake;
	written.len = 0;
	writes = 0;
	most = SIZE_MAX;
	log_setup(LOG_TEXT, TW_LOG_INFO);
	return 0;
}

static int end(void **state)
{
	(void)state;
	os = &os_real;
	buf_free(&written);
	return 0;
}

static const char *output(void)
{
	assert_int_equal(buf_add(&written, "", 1), 0);
	written.len--;
	return (const char *)written.data;
}

static uint32_t lines(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < written.len; i++)
		n += written.data[i] == '\n';
	return n;
}

static void a_text_line_has_time_level_and_name(void **state)
{
	(void)state;
	log_warn("ticks", "time goes backwards at %s:%d", "a.csv", 17);
	assert_string_equal(output(), "2026-01-02 03:04:05.678 warn  ticks: time goes backwards at a.csv:17\n");
	assert_int_equal(writes, 1);
}

static void a_json_line_is_one_object(void **state)
{
	(void)state;
	log_setup(LOG_JSON, TW_LOG_DEBUG);
	log_debug("json", "a \"quote\" and a \\");
	assert_string_equal(output(), "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"debug\",\"who\":\"json\","
				      "\"text\":\"a \\\"quote\\\" and a \\\\\"}\n");
}

static void lines_below_the_level_are_left_out(void **state)
{
	(void)state;
	log_setup(LOG_TEXT, TW_LOG_WARN);
	log_info("level", "not this");
	log_debug("level", "nor this");
	log_error("level", "but this");
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(output(), "error level: but this"));
}

static void control_characters_cannot_reach_a_terminal(void **state)
{
	(void)state;
	log_info("control", "a\033[2Jb\nc\rd\te\x7f"
			    "f\xc2\x9bg\xffh\xc3\xa4");
	assert_string_equal(output(), "2026-01-02 03:04:05.678 info  control: "
				      "a\\u001b[2Jb\\nc\\rd\\te\\u007ff\\u009bg\\xffh\xc3\xa4\n");
}

static void bad_utf8_stays_valid_json(void **state)
{
	(void)state;
	log_setup(LOG_JSON, TW_LOG_INFO);
	log_info("utf8", "\xff \xed\xa0\x80 \xc0\xaf \xe2\x82 \x1b");
	assert_non_null(strstr(output(), "\"text\":\"\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
					 "\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \\u001b\"}"));
}

static void a_long_text_is_cut_and_still_one_line(void **state)
{
	static char text[20001];

	(void)state;
	memset(text, '\n', sizeof text - 1);
	log_setup(LOG_JSON, TW_LOG_INFO);
	log_info("long", "%s", text);
	assert_int_equal(lines(), 1);
	assert_int_equal(writes, 1);
	assert_true(written.len <= 4096);
	assert_non_null(strstr(output(), "\\n\"}\n"));
}

static void a_flood_is_limited_and_counted(void **state)
{
	uint64_t before = log_dropped();

	(void)state;
	for (int i = 0; i < 100; i++)
		log_info("flood", "line %d", i);
	assert_int_equal(lines(), 20);
	assert_int_equal(log_dropped() - before, 80);
	now_mono += 200000000; /* a fifth of a second: one more line */
	log_info("flood", "after");
	log_info("flood", "too early");
	assert_int_equal(lines(), 21);
	assert_non_null(strstr(output(), "flood: after (80 lines before this one were left out)\n"));
}

static void a_flood_of_one_leaves_the_others_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_info("noisy", "line");
	log_info("quiet", "still heard");
	assert_int_equal(lines(), 21);
}

static void an_error_is_heard_after_a_flood(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_info("dying", "line");
	log_error("dying", "the reason");
	assert_non_null(strstr(output(), "error dying: the reason"));
	for (int i = 0; i < 100; i++)
		log_error("dying", "the reason");
	assert_int_equal(lines(), 30); /* and errors have an end, too */
}

static void more_names_than_limits_are_limited_together(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		char who[32];

		snprintf(who, sizeof who, "instance %d", i);
		log_info(who, "line");
	}
	assert_true(lines() >= 20 && lines() <= 256 + 20);
}

static void a_write_that_is_cut_or_interrupted_goes_on(void **state)
{
	(void)state;
	most = 7;
	interrupts = 2;
	log_info("pieces", "whole");
	assert_string_equal(output(), "2026-01-02 03:04:05.678 info  pieces: whole\n");
}

static int steps;
static void before_line(void)
{
	assert_int_equal(steps++ % 2, 0);
	assert_int_equal(written.len, 0);
}
static void after_line(void)
{
	assert_int_equal(steps++ % 2, 1);
	assert_true(written.len > 0);
}

static void the_hooks_stand_around_the_line(void **state)
{
	(void)state;
	log_around(before_line, after_line);
	log_info("hooks", "line");
	log_around(NULL, NULL);
	assert_int_equal(steps, 2);
}

static void *talk(void *arg)
{
	for (int i = 0; i < 20; i++)
		log_info(arg, "%s says something that is long enough to be torn apart", (const char *)arg);
	return NULL;
}

static void lines_of_many_threads_stay_whole(void **state)
{
	pthread_t threads[4];
	static char names[4][8] = { "one", "two", "three", "four" };
	char expected[128];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, talk, names[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(lines(), 80);
	assert_int_equal(writes, 80);
	for (const char *line = output(); *line; line = strchr(line, '\n') + 1) {
		char name[8];

		assert_int_equal(sscanf(line, "2026-01-02 03:04:05.678 info  %7[a-z]:", name), 1);
		snprintf(expected, sizeof expected,
			 "2026-01-02 03:04:05.678 info  %s: %s says something that is long enough "
			 "to be torn apart\n",
			 name, name);
		assert_memory_equal(line, expected, strlen(expected));
	}
}

#define log_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(a_text_line_has_time_level_and_name),
		log_test(a_json_line_is_one_object),
		log_test(lines_below_the_level_are_left_out),
		log_test(control_characters_cannot_reach_a_terminal),
		log_test(bad_utf8_stays_valid_json),
		log_test(a_long_text_is_cut_and_still_one_line),
		log_test(a_flood_is_limited_and_counted),
		log_test(a_flood_of_one_leaves_the_others_alone),
		log_test(an_error_is_heard_after_a_flood),
		log_test(a_write_that_is_cut_or_interrupted_goes_on),
		log_test(the_hooks_stand_around_the_line),
		log_test(lines_of_many_threads_stay_whole),
		/* last, because it uses up all limits there are */
		log_test(more_names_than_limits_are_limited_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
