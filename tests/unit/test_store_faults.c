/* SPDX-License-Identifier: Apache-2.0
 *
 * One fault each in a store's files: it is found, and the sentence names the place.
 */
#include "test_store_damage_kit.h"

static void a_changed_block_is_named(void **state)
{
	const double bid = 25; /* event 25 is in the block 1..50 */
	char path[128];
	struct store *s;
	int64_t at;

	(void)state;
	make_store();
	kit_path(path, "tape/000001.tape");
	uint64_t bits;
	memcpy(&bits, &bid, 8);
	bits = __builtin_bswap64(bits);
	at = find(path, &bits, 8);
	assert_true(at > 0);
	swap_byte(path, at + 7, 1);
	s = open_reader(kit_dir);
	assert_int_equal(read_quotes(s, 1), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "segment tape/000001.tape, tape, block 1: checksum differs"));
	assert_int_equal(read_quotes(s, 51), EVENTS + 1); /* the rest is as good as before */
	store_close(s);
	assert_int_equal(store_verify(kit_dir, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "segment tape/000001.tape, tape, block 1: checksum differs"));
	ok(store_check_quick(kit_dir, &kit_err)); /* looks at the last segment only */
}

static void a_lost_block_is_no_end(void **state)
{
	const uint64_t last = __builtin_bswap64(651), before = __builtin_bswap64(601);
	struct store *s;

	(void)state;
	make_store();
	s = open_store(&small);
	assert_int_equal(s->head.number, 3);
	remove_key(&s->cur->file, DB_EVENTS, &last, 8); /* the last one: the file says that there is more */
	assert_int_equal(read_quotes(s, 1), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "record 651 is missing"));
	remove_key(&s->cur->file, DB_EVENTS, &before, 8);
	assert_int_equal(read_quotes(s, 1), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "record 601 is missing"));
	store_close(s);
	assert_int_equal(store_verify(kit_dir, NULL, &kit_err), STORE_E_DAMAGED);
}

static void a_lost_block_is_no_gap(void **state)
{
	const uint64_t key = __builtin_bswap64(601);
	struct store *s;

	(void)state;
	make_store();
	s = open_store(&small);
	remove_key(&s->cur->file, DB_EVENTS, &key, 8);
	assert_int_equal(read_quotes(s, 1), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "record 601 is missing"));
	store_close(s);
}

static void a_lost_position_is_not_a_first_start(void **state)
{
	struct store *s;

	(void)state;
	make_store();
	s = open_store(&small);
	remove_key(&s->cur->file, DB_POSITIONS, "a", 1);
	store_close(s);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "segment tape/000003.tape: a table has not the values"));
}

static void a_lost_cursor_is_noticed(void **state)
{
	struct store *s;

	(void)state;
	make_store();
	s = open_store(&small);
	remove_key(&s->state, DB_CURSORS, "console", 7);
	store_close(s);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
}

static void a_changed_or_lost_value_is_noticed(void **state)
{
	const uint32_t key[2] = { __builtin_bswap32(1), __builtin_bswap32(2) };
	char path[128];
	struct store *s;
	int64_t at;
	int n = 0;

	(void)state;
	make_store();
	kit_path(path, "state.lmdb");
	at = find(path, "three", 5);
	assert_true(at > 0);
	swap_byte(path, at, 'T');
	s = open_reader(kit_dir);
	assert_int_equal(store_read_checkpoint(s, NULL, NULL, three_values, &n, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "the checksum of a value differs"));
	store_close(s);
	swap_byte(path, at, 't');
	s = open_store(NULL);
	n = 0;
	ok(store_read_checkpoint(s, NULL, NULL, three_values, &n, &kit_err));
	remove_key(&s->state, DB_VALUES, key, sizeof key);
	assert_int_equal(store_read_checkpoint(s, NULL, NULL, NULL, NULL, &kit_err), STORE_E_DAMAGED);
	store_close(s);
}

static void a_file_cut_short_does_not_kill_who_opens_it(void **state)
{
	char path[128];
	struct store *s;

	(void)state;
	make_store();
	kit_path(path, "tape/000003.tape");
	assert_int_equal(truncate(path, 3 * 4096), 0);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_int_equal(store_open(&s, kit_dir, STORE_READ, NULL, &kit_err), STORE_E_DAMAGED);
}

static void a_whole_store_is_reported_file_by_file(void **state)
{
	struct buf report = { 0 };

	(void)state;
	make_store();
	ok(store_check_quick(kit_dir, &kit_err));
	ok(store_verify(kit_dir, &report, &kit_err));
	assert_int_equal(buf_add(&report, "", 1), 0);
	assert_non_null(
		strstr((char *)report.data, "state.lmdb: 30 records in the alert log, 3 checkpoint values: good"));
	assert_non_null(
		strstr((char *)report.data, "segment tape/000001.tape: 300 events in 6 blocks, 1 dead letters"));
	assert_non_null(
		strstr((char *)report.data, "segment tape/000003.tape: 100 events in 2 blocks, 0 dead letters"));
	buf_free(&report);
}

static void a_crash_of_the_reading_is_a_finding(void **state)
{
	char path[128];

	(void)state;
	make_store();
	kit_path(path, "tape/000003.tape");
	assert_int_equal(truncate(path, 3 * 4096), 0); /* what the head of the file points to is gone */
	assert_int_equal(store_check_quick(kit_dir, &kit_err), STORE_E_DAMAGED);
	assert_int_equal(store_verify(kit_dir, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "crash"));
}

static void a_missing_segment_is_named(void **state)
{
	char path[128], away[128];
	struct store *s;

	(void)state;
	make_store();
	kit_path(path, "tape/000002.tape");
	kit_path(away, "away");
	assert_int_equal(rename(path, away), 0);
	s = open_reader(kit_dir);
	assert_int_equal(read_quotes(s, 1), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "tape/000002.tape is missing"));
	store_close(s);
	assert_int_equal(store_verify(kit_dir, NULL, &kit_err), STORE_E_DAMAGED);
}

static void a_missing_end_of_the_tape_is_noticed(void **state)
{
	char path[128];
	struct store *s;

	(void)state;
	make_store();
	for (unsigned i = 2; i <= 3; i++) {
		kit_path(path, "tape/%06u.tape", i);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "complete through event 600, but the tape ends at 300"));
	kit_path(path, "tape/000001.tape");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "its tape is missing"));
}

static void a_missing_state_is_noticed(void **state)
{
	char path[128];
	struct store *s;

	(void)state;
	make_store();
	kit_path(path, "state.lmdb");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "no state.lmdb"));
}

static void a_renamed_or_foreign_segment_is_refused(void **state)
{
	char from[128], to[128], other[128];
	struct store *s;

	(void)state;
	make_store();
	kit_path(from, "tape/000003.tape");
	kit_path(to, "tape/000004.tape");
	copy_file(from, to);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "says that it is segment 3: it was renamed"));
	assert_int_equal(unlink(to), 0);
	kit_path(other, "other");
	ok(store_open(&s, other, STORE_WRITE, NULL, &kit_err));
	store_close(s);
	kit_path(from, "other/tape/000001.tape");
	kit_path(to, "tape/000003.tape");
	copy_file(from, to);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "belongs to another tape"));
}

static void a_newer_format_is_told_apart_from_damage(void **state)
{
	struct store *s = open_store(NULL);
	struct state_head h = s->state_head;
	MDB_txn *txn;

	(void)state;
	h.format = STORE_FORMAT + 1;
	assert_int_equal(mdb_txn_begin(s->state.env, NULL, 0, &txn), 0);
	assert_int_equal(state_head_put(&s->state, txn, &h), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	store_close(s);
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "written by a newer tapewatch (format 2, this one knows 1)"));
}

static void what_is_no_store_gets_a_sentence(void **state)
{
	static const char text[8192] = "not a database";
	char path[128];
	struct store *s;
	FILE *f;

	(void)state;
	assert_int_equal(store_open(&s, kit_dir, STORE_READ, NULL, &kit_err), TW_E_IO);
	assert_non_null(strstr(kit_err.msg, "there is no store in"));
	assert_int_equal(store_check_quick(kit_dir, &kit_err), TW_E_IO);
	assert_non_null(strstr(kit_err.msg, "there is no store in"));
	kit_path(path, "file.tape");
	assert_true(store_open(&s, path, STORE_READ, NULL, &kit_err) < 0);
	f = fopen(path, "wb");
	assert_int_equal(fwrite(text, 1, sizeof text, f), sizeof text);
	fclose(f);
	assert_int_equal(store_open(&s, path, STORE_READ, NULL, &kit_err), STORE_E_DAMAGED);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(store_open(&s, path, STORE_READ, NULL, &kit_err), STORE_E_DAMAGED);
	assert_non_null(strstr(kit_err.msg, "cut short"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(a_changed_block_is_named),
		T(a_lost_block_is_no_end),
		T(a_lost_block_is_no_gap),
		T(a_lost_position_is_not_a_first_start),
		T(a_lost_cursor_is_noticed),
		T(a_changed_or_lost_value_is_noticed),
		T(a_file_cut_short_does_not_kill_who_opens_it),
		T(a_whole_store_is_reported_file_by_file),
		T(a_crash_of_the_reading_is_a_finding),
		T(a_missing_segment_is_named),
		T(a_missing_end_of_the_tape_is_noticed),
		T(a_missing_state_is_noticed),
		T(a_renamed_or_foreign_segment_is_refused),
		T(a_newer_format_is_told_apart_from_damage),
		T(what_is_no_store_gets_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
