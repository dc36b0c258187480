/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the alert log: whole blocks go once every sink has them, and readers begin with what is there.
 */
#include "test_store_retain_kit.h"

static int32_t retain_old(struct store *s, int64_t age, const struct cursor *c, uint32_t n)
{
	struct retention r = { .alert_age = age, .cursors = c, .n_cursors = n };

	return store_retain(s, &r, &kit_err);
}

/* Ten blocks of ten alerts, an hour apart. */
static struct store *with_alerts(void)
{
	struct store *s = open_store(NULL);

	ok(commit_quotes(s, 1, 1, 1000));
	for (uint64_t i = 0; i < 10; i++, fake_wall += HOUR)
		ok(commit_alerts(s, 10 * i + 1, 10, 10 * i + 10));
	return s;
}

/* The number of the first record that a reader from `from` gets, and in *n how many follow in all. */
static uint64_t read_alerts(struct store *s, uint64_t from, uint64_t *n)
{
	struct log_reader *r;
	struct block b;
	uint64_t first = 0;
	int32_t rc = log_reader_open(&r, s, LOG_ALERTS, from, &kit_err);

	*n = 0;
	while (rc == TW_OK && (rc = log_reader_next(r, &b, &kit_err)) == TW_OK) {
		first = first ? first : b.first;
		*n += b.count;
	}
	assert_int_equal(rc, TW_AGAIN);
	log_reader_close(r);
	return first;
}

static void old_alerts_are_dropped_in_whole_blocks(void **state)
{
	struct store *s = with_alerts(); /* block k of 0..9 is 10 - k hours old */
	struct cursor all = { "screen", 100 };
	uint64_t n;

	(void)state;
	assert_int_equal(retain_old(s, 10 * HOUR, &all, 1), TW_OK);
	assert_int_equal(retain_old(s, 7 * HOUR - 1, &all, 1), TW_AGAIN);
	assert_int_equal(retain_old(s, 7 * HOUR - 1, &all, 1), TW_OK);
	assert_int_equal(store_first_alert(s), 41);
	assert_int_equal(read_alerts(s, 1, &n), 41);
	assert_int_equal(n, 60);
	assert_int_equal(store_last_alert(s), 100);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
	ok(store_check_quick(kit_dir, &kit_err));
}

static void alerts_wait_for_the_slowest_sink(void **state)
{
	struct store *s = with_alerts();
	struct cursor sinks[] = { { "screen", 100 }, { "file", 29 } };

	(void)state;
	fake_wall += 1000 * HOUR;
	assert_int_equal(retain_old(s, HOUR, sinks, 2), TW_AGAIN);
	assert_int_equal(retain_old(s, HOUR, sinks, 2), TW_OK);
	assert_int_equal(store_first_alert(s), 21);
	assert_string_equal(s->holder, "file");
	sinks[1].record = 30;
	assert_int_equal(retain_old(s, HOUR, sinks, 2), TW_AGAIN);
	assert_int_equal(store_first_alert(s), 31);
	store_close(s);
}

static void numbers_go_on_behind_an_emptied_alert_log(void **state)
{
	struct store *s = with_alerts();
	uint64_t n;

	(void)state;
	fake_wall += 1000 * HOUR;
	assert_int_equal(retain_old(s, HOUR, NULL, 0), TW_AGAIN);
	assert_int_equal(store_first_alert(s), 101);
	assert_int_equal(read_alerts(s, 1, &n), 0);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
	s = open_store(NULL);
	ok(commit_alerts(s, 101, 5, 200));
	assert_int_equal(read_alerts(s, 1, &n), 101);
	assert_int_equal(n, 5);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void a_missing_block_is_still_noticed(void **state)
{
	struct store *s = with_alerts();
	uint64_t key = __builtin_bswap64(61);
	MDB_val k = { 8, &key };
	struct log_reader *r;
	struct state_head h = s->state_head;
	struct block b;
	MDB_txn *txn;
	int32_t rc;

	(void)state;
	assert_int_equal(retain_old(s, 7 * HOUR - 1, NULL, 0), TW_AGAIN);
	assert_int_equal(mdb_txn_begin(s->state.env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_del(txn, s->state.db[DB_ALERTS], &k, NULL), 0);
	assert_int_equal(state_head_put(&s->state, txn, &h), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	rc = log_reader_open(&r, s, LOG_ALERTS, 1, &kit_err);
	while (rc == TW_OK)
		rc = log_reader_next(r, &b, &kit_err);
	assert_int_equal(rc, STORE_E_DAMAGED);
	log_reader_close(r);
	store_close(s);
	assert_int_equal(store_verify(kit_dir, NULL, &kit_err), STORE_E_DAMAGED);
}

static void an_overtaken_reader_of_alerts_says_so(void **state)
{
	struct store *s = with_alerts();
	struct log_reader *r;
	struct block b;

	(void)state;
	ok(log_reader_open(&r, s, LOG_ALERTS, 1, &kit_err));
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(retain_old(s, 7 * HOUR - 1, NULL, 0), TW_AGAIN);
	assert_int_equal(log_reader_next(r, &b, &kit_err), TW_E_IO);
	assert_non_null(strstr(kit_err.msg, "records 11 to 40"));
	log_reader_close(r);
	store_close(s);
}

/* A sink that is new does not find what is gone; it holds what is there. */
static void a_new_sink_begins_with_what_is_there(void **state)
{
	struct store *s = with_alerts();
	struct cursor fresh = { "fresh", 0 };

	(void)state;
	ok(commit_checkpoint(s, 100));
	assert_int_equal(retain_old(s, 7 * HOUR - 1, NULL, 0), TW_AGAIN);
	fake_wall += 1000 * HOUR;
	ok(commit_quotes(s, 1001, 1, 10)); /* a new day, a new segment */
	struct retention r = { .tape_age = HOUR, .alert_age = HOUR, .cursors = &fresh, .n_cursors = 1 };
	assert_int_equal(store_retain(s, &r, &kit_err), TW_OK);
	assert_int_equal(store_first_alert(s), 41);
	store_close(s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(old_alerts_are_dropped_in_whole_blocks),    TEST(alerts_wait_for_the_slowest_sink),
		TEST(numbers_go_on_behind_an_emptied_alert_log), TEST(a_missing_block_is_still_noticed),
		TEST(an_overtaken_reader_of_alerts_says_so),     TEST(a_new_sink_begins_with_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
