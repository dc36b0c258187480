/* SPDX-License-Identifier: Apache-2.0
 *
 * Interning: ids in the order of first sight, names that never move, readers beside the one writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "event_samples.h"

static void ids_count_from_one_in_the_order_of_first_sight(void **state)
{
	(void)state;
	struct intern *in = intern_new(10);
	assert_int_equal(intern_id(in, "EURUSD", 6), 1);
	assert_int_equal(intern_id(in, "GBPUSD", 6), 2);
	assert_int_equal(intern_id(in, "EURUSD", 6), 1);
	assert_int_equal(intern_find(in, "GBPUSD", 6), 2);
	assert_int_equal(intern_find(in, "GBPUS", 5), 0);
	assert_int_equal(intern_count(in), 2);
	assert_string_equal(intern_name(in, 2), "GBPUSD");
	assert_int_equal(intern_len(in, 2), 6);
	intern_free(in);
}

static void empty_and_unknown_names_are_zero_and_empty(void **state)
{
	(void)state;
	struct intern *in = intern_new(10);
	assert_int_equal(intern_id(in, "", 0), 0);
	assert_int_equal(intern_id(in, NULL, 0), 0);
	assert_string_equal(intern_name(in, 0), "");
	assert_string_equal(intern_name(in, 1), "");
	assert_string_equal(intern_name(in, UINT32_MAX), "");
	assert_int_equal(intern_len(in, 7), 0);
	intern_free(in);
}

/* Lengths around the borders of the fast paths, with a NUL inside, and names that differ in one byte only. */
static void names_of_every_length_are_told_apart(void **state)
{
	(void)state;
	struct intern *in = intern_new(2000);
	char text[300];
	for (size_t len = 1; len <= 255; len++) {
		memset(text, 'a', sizeof text);
		uint32_t plain = intern_id(in, text, len);
		text[len - 1] = 'b';
		uint32_t last = intern_id(in, text, len);
		text[len - 1] = 'a';
		text[0] = '\0';
		uint32_t first = intern_id(in, text, len);
		assert_int_equal(plain, 3 * len - 2);
		assert_int_equal(last, 3 * len - 1);
		assert_int_equal(first, 3 * len);
		assert_memory_equal(intern_name(in, first), text, len);
		assert_int_equal(intern_len(in, first), len);
		assert_int_equal(intern_find(in, text, len), first);
	}
	intern_free(in);
}

/* The decoder's inlined path and intern_id() must find the same names. */
static void the_decoder_and_the_table_agree_on_every_length(void **state)
{
	(void)state;
	struct intern *in = intern_new(1000), *other = intern_new(1000);
	struct sample s = { .writer = SAMPLE_WRITER };
	char text[256];
	for (uint32_t len = 1; len <= 255; len++) {
		struct tw_event ev;
		for (uint32_t i = 0; i < len; i++)
			text[i] = (char)('a' + (i * 7 + len) % 26);
		uint32_t id = intern_id(in, text, len);
		tw_push_quote(&s.writer, 1, tw_text(text, len), 1, 1, 1, 1);
		assert_int_equal(event_decode(&ev, s.bytes, s.len, in, NULL), s.len);
		assert_int_equal(ev.quote.symbol, id);
		assert_int_equal(event_decode(&ev, s.bytes, s.len, other, NULL), s.len);
		assert_int_equal(intern_find(other, text, len), ev.quote.symbol);
	}
	assert_int_equal(intern_count(in), 255);
	free(s.bytes);
	intern_free(in);
	intern_free(other);
}

/* Short names are compared as words with zeros behind them, so the length must count. */
static void a_nul_at_the_end_makes_another_name(void **state)
{
	(void)state;
	struct intern *in = intern_new(10);
	struct sample s = { .writer = SAMPLE_WRITER };
	struct tw_event ev;
	assert_int_equal(intern_id(in, "A", 1), 1);
	assert_int_equal(intern_find(in, "A\0", 2), 0);
	tw_push_quote(&s.writer, 1, tw_text("A\0", 2), 1, 1, 1, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(event_decode(&ev, s.bytes, s.len, in, NULL), s.len);
		assert_int_equal(ev.quote.symbol, 2);
	}
	assert_int_equal(intern_id(in, "A", 1), 1);
	free(s.bytes);
	intern_free(in);
}

static void a_full_table_says_so_and_still_finds(void **state)
{
	(void)state;
	struct intern *in = intern_new(2);
	intern_id(in, "A", 1);
	assert_false(intern_full(in));
	intern_id(in, "B", 1);
	assert_true(intern_full(in));
	assert_int_equal(intern_id(in, "C", 1), 0);
	assert_int_equal(intern_id(in, "B", 1), 2);
	assert_int_equal(intern_count(in), 2);
	intern_free(in);
}

static void a_table_for_no_names_takes_none(void **state)
{
	(void)state;
	struct intern *in = intern_new(0);
	assert_int_equal(intern_id(in, "A", 1), 0);
	assert_true(intern_full(in));
	intern_free(in);
}

#define MANY 1000000u

static void a_million_names_keep_their_place(void **state)
{
	(void)state;
	struct intern *in = intern_new(MANY);
	char text[32];
	const char *first = NULL;
	for (uint32_t i = 1; i <= MANY; i++) {
		int len = snprintf(text, sizeof text, i % 3 ? "S%u" : "ACCOUNT/%u/LONG-NAME", i);
		if (intern_id(in, text, (size_t)len) != i)
			fail_msg("name %u", i);
		if (i == 1)
			first = intern_name(in, 1);
	}
	assert_ptr_equal(intern_name(in, 1), first);
	for (uint32_t i = 1; i <= MANY; i++) {
		int len = snprintf(text, sizeof text, i % 3 ? "S%u" : "ACCOUNT/%u/LONG-NAME", i);
		if (intern_find(in, text, (size_t)len) != i || strcmp(intern_name(in, i), text) != 0)
			fail_msg("name %u", i);
	}
	assert_true(intern_full(in));
	intern_free(in);
}

struct reader {
	const struct intern *in;
	atomic_uint *stop;
	uint64_t seen;
	bool wrong;
};

/* Whatever id the count vouches for has its whole name. */
static void *read_names(void *arg)
{
	struct reader *r = arg;
	char text[32];
	while (!atomic_load(r->stop)) {
		uint32_t id = intern_count(r->in);
		if (!id)
			continue;
		int len = snprintf(text, sizeof text, "N%u", id);
		if (intern_len(r->in, id) != (uint32_t)len || strcmp(intern_name(r->in, id), text) != 0)
			r->wrong = true;
		r->seen++;
	}
	return NULL;
}

static void readers_see_whole_names_beside_the_writer(void **state)
{
	(void)state;
	struct intern *in = intern_new(200000);
	atomic_uint stop = 0;
	struct reader readers[2] = { { .in = in, .stop = &stop }, { .in = in, .stop = &stop } };
	pthread_t threads[2];
	char text[32];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_names, &readers[i]), 0);
	for (uint32_t i = 1; i <= 200000; i++)
		intern_id(in, text, (size_t)snprintf(text, sizeof text, "N%u", i));
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].wrong);
	}
	assert_int_equal(intern_count(in), 200000);
	intern_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_count_from_one_in_the_order_of_first_sight),
		cmocka_unit_test(empty_and_unknown_names_are_zero_and_empty),
		cmocka_unit_test(names_of_every_length_are_told_apart),
		cmocka_unit_test(the_decoder_and_the_table_agree_on_every_length),
		cmocka_unit_test(a_nul_at_the_end_makes_another_name),
		cmocka_unit_test(a_full_table_says_so_and_still_finds),
		cmocka_unit_test(a_table_for_no_names_takes_none),
		cmocka_unit_test(a_million_names_keep_their_place),
		cmocka_unit_test(readers_see_whole_names_beside_the_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
