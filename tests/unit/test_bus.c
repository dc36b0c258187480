/* SPDX-License-Identifier: Apache-2.0
 *
 * Rings, bells, timers, keyspaces and tables: the parts of the bus that can be seen without a pipeline.
 */
#include "base/bell.h"
#include "base/ring.h"
#include "bus/timers.h"
#include "event/event.h"
#include "state/keyspace.h"
#include "state/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- ring ---- */

static void a_ring_keeps_order_and_says_full_and_empty(void **state)
{
	struct ring r;
	int values[5];

	(void)state;
	ring_init(&r, 4);
	assert_null(ring_pop(&r));
	for (int i = 0; i < 4; i++)
		assert_true(ring_push(&r, &values[i]));
	assert_false(ring_push(&r, &values[4]));
	assert_int_equal(ring_count(&r), 4);
	for (int i = 0; i < 4; i++) {
		assert_ptr_equal(ring_peek(&r), &values[i]);
		assert_ptr_equal(ring_pop(&r), &values[i]);
	}
	assert_null(ring_peek(&r));
}

static void a_ring_goes_on_when_its_counters_wrap(void **state)
{
	struct ring r;
	int value;

	(void)state;
	ring_init(&r, 2);
	/* Both counters stand just before 2^32 */
	atomic_store(&r.head, UINT32_MAX - 1);
	atomic_store(&r.tail, UINT32_MAX - 1);
	r.tail_seen = r.head_seen = UINT32_MAX - 1;
	for (int i = 0; i < 6; i++) {
		assert_true(ring_push(&r, &value));
		assert_true(ring_push(&r, &r));
		assert_false(ring_push(&r, &value));
		assert_ptr_equal(ring_pop(&r), &value);
		assert_ptr_equal(ring_pop(&r), &r);
		assert_null(ring_pop(&r));
	}
}

#define MANY 200000u

struct pair {
	struct ring ring;
	struct bell full, empty;
	uint64_t wrong;
};

static void *take_numbers(void *arg)
{
	struct pair *p = arg;

	for (uintptr_t want = 1; want <= MANY;) {
		uint32_t seen = bell_read(&p->full);
		void *got = ring_pop(&p->ring);
		if (!got) {
			bell_wait(&p->full, seen, 1000);
			continue;
		}
		p->wrong += (uintptr_t)got != want;
		want++;
		bell_ring(&p->empty);
	}
	return NULL;
}

static void two_threads_pass_every_pointer_once_and_in_order_through_a_ring_of_one(void **state)
{
	static struct pair p;
	pthread_t taker;

	(void)state;
	ring_init(&p.ring, 1);
	bell_init(&p.full);
	bell_init(&p.empty);
	assert_int_equal(pthread_create(&taker, NULL, take_numbers, &p), 0);
	for (uintptr_t i = 1; i <= MANY;) {
		uint32_t seen = bell_read(&p.empty);
		if (!ring_push(&p.ring, (void *)i)) {
			bell_wait(&p.empty, seen, 1000);
			continue;
		}
		i++;
		bell_ring(&p.full);
	}
	pthread_join(taker, NULL);
	assert_int_equal(p.wrong, 0);
	bell_free(&p.full);
	bell_free(&p.empty);
}

static void a_bell_that_has_rung_since_it_was_read_does_not_wait(void **state)
{
	struct bell b;
	uint32_t seen;

	(void)state;
	bell_init(&b);
	seen = bell_read(&b);
	bell_ring(&b);
	bell_wait(&b, seen, 1000000); /* would hang the test */
	bell_free(&b);
}

/* ---- tables and timers ---- */

static void a_slot_is_zero_aligned_and_stays_where_it_is(void **state)
{
	struct table t;
	struct slot *first;

	(void)state;
	table_init(&t, 40);
	first = table_add(&t, 7, 99);
	assert_non_null(first);
	assert_int_equal((uintptr_t)slot_state(first) % 16, 0);
	for (uint32_t key = 8; key < 5000; key++)
		assert_non_null(table_add(&t, key, 0));
	assert_ptr_equal(table_find(&t, 7), first);
	assert_int_equal(first->first_ts, 99);
	memset(slot_state(first), 0xff, 40);
	table_drop(&t, 7);
	assert_null(table_find(&t, 7));
	struct slot *again = table_add(&t, 6, 0);
	unsigned char zero[40] = { 0 };
	assert_memory_equal(slot_state(again), zero, 40);
	table_free(&t);
}

static void timers_come_due_in_order_of_time_then_key_and_the_latest_arming_counts(void **state)
{
	struct table t;
	struct timers timers = { 0 };
	const uint32_t expected[] = { 3, 1, 5, 2 };
	int64_t due;

	(void)state;
	table_init(&t, 0);
	for (uint32_t key = 1; key <= 5; key++)
		assert_non_null(table_add(&t, key, 0));
	assert_true(timers_arm(&timers, &t, table_find(&t, 1), 20));
	assert_true(timers_arm(&timers, &t, table_find(&t, 2), 5)); /* replaced */
	assert_true(timers_arm(&timers, &t, table_find(&t, 3), 10));
	assert_true(timers_arm(&timers, &t, table_find(&t, 4), 15)); /* cancelled */
	assert_true(timers_arm(&timers, &t, table_find(&t, 5), 20));
	assert_true(timers_arm(&timers, &t, table_find(&t, 2), 30));
	assert_true(timers_arm(&timers, &t, table_find(&t, 4), 0));
	assert_null(timers_next(&timers, &t, 9, &due));
	for (size_t i = 0; i < 4; i++) {
		struct slot *s = timers_next(&timers, &t, 30, &due);
		assert_non_null(s);
		assert_int_equal(s->key, expected[i]);
		assert_int_equal(s->due, 0);
	}
	assert_null(timers_next(&timers, &t, INT64_MAX, &due));
	timers_free(&timers);
	table_free(&t);
}

static void rearming_for_ever_does_not_grow_the_heap(void **state)
{
	struct table t;
	struct timers timers = { 0 };

	(void)state;
	table_init(&t, 0);
	struct slot *s = table_add(&t, 1, 0);
	for (int64_t due = 1; due < 100000; due++)
		assert_true(timers_arm(&timers, &t, s, due));
	assert_true(timers.cap <= 256);
	timers_free(&timers);
	table_free(&t);
}

/* ---- keyspaces ---- */

static void keys_get_dense_numbers_in_order_of_first_sight(void **state)
{
	struct keyspace k;

	(void)state;
	assert_int_equal(keyspace_init(&k, 3, 100, 0, 0, NULL, 1), TW_OK);
	assert_int_equal(keyspace_touch(&k, 5, 9, 10, 0), 1);
	assert_int_equal(keyspace_touch(&k, 9, 5, 10, 1), 2);
	assert_int_equal(keyspace_touch(&k, 5, 9, 11, 2), 1);
	assert_int_equal(keyspace_touch(&k, 5, 0, 11, 3), 0);
	assert_int_equal(k.live, 2);
	keyspace_free(&k);
}

static void the_key_not_seen_for_longest_goes_when_there_is_one_too_many(void **state)
{
	struct keyspace k;
	struct gone gone = { 0 };

	(void)state;
	assert_int_equal(keyspace_init(&k, 1, 3, 0, 0, NULL, 1), TW_OK);
	keyspace_begin(&k, &gone);
	(void)keyspace_touch(&k, 1, 0, 10, 0);
	(void)keyspace_touch(&k, 2, 0, 11, 1);
	(void)keyspace_touch(&k, 3, 0, 12, 2);
	(void)keyspace_touch(&k, 1, 0, 13, 3); /* 2 is the oldest now */
	assert_int_equal(keyspace_touch(&k, 4, 0, 14, 4), 2);
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.list[0].place, 2);
	assert_int_equal(gone.list[0].at, 4);
	assert_int_equal(k.live, 3);
	keyspace_free(&k);
	free(gone.list);
}

static void a_key_that_comes_back_after_its_ttl_begins_anew(void **state)
{
	struct keyspace k;
	struct gone gone = { 0 };

	(void)state;
	assert_int_equal(keyspace_init(&k, 2, 10, 100, 0, NULL, 1), TW_OK);
	keyspace_begin(&k, &gone);
	assert_int_equal(keyspace_touch(&k, 0, 7, 1000, 0), 1);
	assert_int_equal(keyspace_touch(&k, 0, 7, 1100, 1), 1);
	assert_int_equal(gone.n, 0);
	assert_int_equal(keyspace_touch(&k, 0, 7, 1201, 2), 1);
	assert_int_equal(gone.n, 1);
	keyspace_free(&k);
	free(gone.list);
}

static void a_restored_keyspace_gives_the_same_numbers(void **state)
{
	struct keyspace a, b;
	unsigned char value[KEY_VALUE_BYTES];

	(void)state;
	assert_int_equal(keyspace_init(&a, 3, 1000, 0, 0, NULL, 1), TW_OK);
	assert_int_equal(keyspace_init(&b, 3, 1000, 0, 0, NULL, 8), TW_OK); /* however the keys are dealt */
	for (uint32_t i = 1; i <= 500; i++)
		(void)keyspace_touch(&a, i, i % 7 + 1, i, 0);
	for (uint32_t id = 1; id <= a.n; id++) {
		keyspace_value(&a, id, value);
		assert_int_equal(keyspace_restore(&b, id, value, sizeof value, 1000), TW_OK);
	}
	assert_int_equal(keyspace_restored(&b), TW_OK);
	for (uint32_t i = 1; i <= 600; i++)
		assert_int_equal(keyspace_touch(&a, i, i % 7 + 1, 1000 + i, 0),
				 keyspace_touch(&b, i, i % 7 + 1, 1000 + i, 0));
	keyspace_free(&a);
	keyspace_free(&b);
}

static void many_keys_come_and_go_without_growing(void **state)
{
	struct keyspace k;
	struct gone gone = { 0 };

	(void)state;
	assert_int_equal(keyspace_init(&k, 3, 64, 0, 0, NULL, 4), TW_OK);
	for (uint32_t i = 1; i <= 20000; i++) {
		keyspace_begin(&k, &gone);
		assert_int_not_equal(keyspace_touch(&k, i, 1, i, 0), 0);
		k.n_dirty = 0;
		assert_true(k.live <= 64);
		/* the newest is still found */
		assert_int_not_equal(keyspace_touch(&k, i, 1, i, 1), 0);
		assert_true(k.live <= 64);
	}
	assert_true(k.n <= 64);
	for (uint32_t s = 0; s < 4; s++)
		assert_true(k.shards[s].n <= 64);
	keyspace_free(&k);
	free(gone.list);
}

static void fields_that_are_not_part_of_the_key_are_left_out_of_it(void **state)
{
	struct keyspace k;
	unsigned char value[KEY_VALUE_BYTES];
	uint32_t names[2];

	(void)state;
	assert_int_equal(keyspace_init(&k, 1, 100, 0, 0, NULL, 1), TW_OK);
	assert_int_equal(keyspace_touch(&k, 5, 9, 10, 0), 1);
	assert_int_equal(keyspace_touch(&k, 5, 8, 10, 1), 1);
	keyspace_value(&k, 1, value);
	memcpy(names, value + 8, sizeof names);
	assert_int_equal(names[0], 5);
	assert_int_equal(names[1], 0);
	keyspace_free(&k);
}

/* ---- shards ---- */

static uint32_t shard_of_text(const char *text, uint32_t filler, uint32_t n_shards)
{
	struct intern *names = intern_new(1000);
	struct keyspace k;
	char other[16];
	uint32_t id, shard;

	for (uint32_t i = 0; i < filler; i++) { /* so that the text gets another number */
		(void)snprintf(other, sizeof other, "other%u", i);
		assert_int_not_equal(intern_id(names, other, strlen(other)), 0);
	}
	assert_int_equal(keyspace_init(&k, 2, 100, 0, 0, names, n_shards), TW_OK);
	id = keyspace_touch(&k, 0, intern_id(names, text, strlen(text)), 10, 0);
	shard = key_shard(&k, &k.keys[id]);
	keyspace_free(&k);
	intern_free(names);
	return shard;
}

static void a_key_goes_to_the_same_shard_whatever_number_its_text_has(void **state)
{
	(void)state;
	for (uint32_t n_shards = 1; n_shards <= 256; n_shards *= 4)
		for (int i = 0; i < 20; i++) {
			char text[16];
			(void)snprintf(text, sizeof text, "account%d", i);
			uint32_t shard = shard_of_text(text, 0, n_shards);
			assert_true(shard < n_shards);
			assert_int_equal(shard_of_text(text, 77, n_shards), shard);
		}
}

static void places_are_dense_within_each_shard_and_lead_back_to_the_key(void **state)
{
	struct keyspace k;
	uint32_t sum = 0;

	(void)state;
	assert_int_equal(keyspace_init(&k, 1, 100000, 0, 0, NULL, 12), TW_OK);
	for (uint32_t i = 1; i <= 12000; i++)
		assert_int_equal(keyspace_touch(&k, i, 0, i, 0), i);
	for (uint32_t s = 0; s < 12; s++) {
		sum += k.shards[s].n;
		assert_in_range(k.shards[s].n, 800, 1200); /* 1000 expected, 30 is one deviation */
		for (uint32_t place = 1; place <= k.shards[s].n; place++) {
			const struct key *key = &k.keys[k.shards[s].id[place]];
			assert_int_equal(key->place, place);
			assert_int_equal(key_shard(&k, key), s);
		}
	}
	assert_int_equal(sum, 12000);
	keyspace_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_keeps_order_and_says_full_and_empty),
		cmocka_unit_test(a_ring_goes_on_when_its_counters_wrap),
		cmocka_unit_test(two_threads_pass_every_pointer_once_and_in_order_through_a_ring_of_one),
		cmocka_unit_test(a_bell_that_has_rung_since_it_was_read_does_not_wait),
		cmocka_unit_test(a_slot_is_zero_aligned_and_stays_where_it_is),
		cmocka_unit_test(timers_come_due_in_order_of_time_then_key_and_the_latest_arming_counts),
		cmocka_unit_test(rearming_for_ever_does_not_grow_the_heap),
		cmocka_unit_test(keys_get_dense_numbers_in_order_of_first_sight),
		cmocka_unit_test(the_key_not_seen_for_longest_goes_when_there_is_one_too_many),
		cmocka_unit_test(a_key_that_comes_back_after_its_ttl_begins_anew),
		cmocka_unit_test(a_restored_keyspace_gives_the_same_numbers),
		cmocka_unit_test(many_keys_come_and_go_without_growing),
		cmocka_unit_test(fields_that_are_not_part_of_the_key_are_left_out_of_it),
		cmocka_unit_test(a_key_goes_to_the_same_shard_whatever_number_its_text_has),
		cmocka_unit_test(places_are_dense_within_each_shard_and_lead_back_to_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
