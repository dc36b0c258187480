/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the tape: what is old goes from the old end, never more than every cursor has passed, and an
 * interruption at any moment leaves a tape without a hole.
 */
#include "test_store_retain_kit.h"

/* ---- the tape ---- */
static void without_a_limit_nothing_goes(void **state)
{
	struct store *s = filled(2000);

	(void)state;
	fake_wall += 1000 * 24 * HOUR;
	assert_int_equal(retain_all(s, 0, 0), 0);
	assert_int_equal(read_quotes(s, 1), 2001);
	store_close(s);
}

static void segments_go_one_a_call_once_they_are_old_enough(void **state)
{
	struct store *s = filled(2000); /* segment k was sealed when k + 1 began, k hours after the start */
	uint64_t first = 1;

	(void)state;
	assert_int_equal(count_segments(s), 10);
	/* ten hours have passed; sealed more than 6.5 hours ago: segments 1, 2 and 3 */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(retain_by(s, 6 * HOUR + HOUR / 2, 0), TW_AGAIN);
		first += 200;
		assert_int_equal(first_on_tape(s), first);
	}
	assert_int_equal(retain_by(s, 6 * HOUR + HOUR / 2, 0), TW_OK);
	assert_int_equal(read_quotes(s, 601), 2001);
	assert_false(there("000003.tape"));
	assert_false(there("000003.tape-lock"));
	store_close(s);
}

static void the_segment_being_written_stays(void **state)
{
	struct store *s = filled(2000);

	(void)state;
	fake_wall += 1000 * 24 * HOUR;
	assert_int_equal(retain_all(s, 1, 1), 9);
	assert_int_equal(first_on_tape(s), 1801);
	ok(commit_quotes(s, 2001, 1, 100));
	assert_int_equal(read_quotes(s, 1801), 2101);
	store_close(s);
	s = open_store(&small);
	assert_int_equal(store_last_seq(s), 2100);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void size_takes_the_oldest_until_the_rest_fits(void **state)
{
	struct store *s = filled(2000);
	uint64_t bound = disk_bytes(1, 10) / 2;
	uint32_t gone = retain_all(s, 0, bound);

	(void)state;
	assert_in_range(gone, 1, 8);
	assert_true(disk_bytes(1, 10) <= bound);
	assert_int_equal(first_on_tape(s), 200 * gone + 1);
	/* one less would not have been enough: all segments but the last are alike */
	assert_true(disk_bytes(1, 10) + disk_bytes(gone + 1, gone + 1) > bound);
	store_close(s);
}

static void what_lies_behind_the_checkpoint_stays(void **state)
{
	struct store *s = open_store(&small);

	(void)state;
	for (uint64_t seq = 1; seq <= 2000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	fake_wall += 100 * HOUR;
	assert_int_equal(retain_all(s, HOUR, 0), 0); /* not complete */
	ok(commit_alerts(s, 1, 0, 2000));
	assert_int_equal(retain_all(s, HOUR, 0), 0); /* no checkpoint */
	ok(commit_checkpoint(s, 799));
	assert_int_equal(retain_all(s, HOUR, 0), 3);
	assert_int_equal(first_on_tape(s), 601);
	ok(commit_checkpoint(s, 800));
	assert_int_equal(retain_all(s, HOUR, 0), 1);
	assert_int_equal(first_on_tape(s), 801);
	store_close(s);
	s = open_store(&small);
	assert_int_equal(read_quotes(s, 801), 2001);
	store_close(s);
}

static void a_tape_of_numbers_only_needs_no_checkpoint(void **state)
{
	struct store_options o = { .segment_size = 20000, .no_tape = true };
	struct store *s = open_store(&o);
	struct dead_letter dead = { .source = str("a"), .reason = str("b"), .raw = str("c") };
	struct tape_commit c = { .dead = &dead, .n_dead = 1 };

	(void)state;
	for (uint64_t day = 0; day < 5; day++, fake_wall += 24 * HOUR) {
		ok(commit_quotes(s, 100 * day + 1, 1, 100));
		ok(store_commit_tape(s, &c, &kit_err));
	}
	assert_int_equal(count_segments(s), 5);
	assert_int_equal(retain_all(s, HOUR, 0), 0);
	ok(commit_alerts(s, 1, 0, 300));
	assert_int_equal(retain_all(s, HOUR, 0), 3);
	store_close(s);
	s = open_store(&o);
	assert_int_equal(store_last_seq(s), 500);
	store_close(s);
}

static void an_undelivered_alert_keeps_the_segment_of_its_event(void **state)
{
	struct store *s = filled(2000);
	struct cursor here = { "screen", 0 };
	struct retention r = { .tape_age = HOUR, .cursors = &here, .n_cursors = 1 };

	(void)state;
	ok(commit_alerts(s, 1, 500, 2000)); /* record n is about event n */
	fake_wall += 100 * HOUR;
	here.record = 399; /* record 400 waits: events 201..400 are in segment 2 */
	assert_int_equal(store_retain(s, &r, &kit_err), TW_AGAIN);
	assert_int_equal(store_retain(s, &r, &kit_err), TW_OK);
	assert_int_equal(first_on_tape(s), 201);
	assert_string_equal(s->holder, "screen");
	here.record = 400;
	assert_int_equal(store_retain(s, &r, &kit_err), TW_AGAIN);
	assert_int_equal(store_retain(s, &r, &kit_err), TW_OK);
	assert_int_equal(first_on_tape(s), 401);
	here.record = 500; /* all delivered */
	while (store_retain(s, &r, &kit_err) == TW_AGAIN)
		;
	assert_int_equal(first_on_tape(s), 1801);
	assert_string_equal(s->holder, "");
	store_close(s);
}

static void a_sink_of_an_earlier_run_is_forgotten_when_it_would_hold(void **state)
{
	struct store *s = filled(2000);
	uint64_t record;

	(void)state;
	ok(commit_alerts(s, 1, 500, 2000));
	ok(commit_cursor(s, "old", 100));
	ok(commit_cursor(s, "quick", 500));
	fake_wall += 100 * HOUR;
	assert_int_equal(store_move_cursor(s, "nobody", NULL, &kit_err), TW_AGAIN);
	assert_int_equal(retain_all(s, 200 * HOUR, 0), 0); /* nothing is due: it counts */
	ok(store_cursor(s, "old", &record, &kit_err));
	assert_int_equal(record, 100);
	while (retain_all(s, HOUR, 0))
		;
	assert_int_equal(first_on_tape(s), 1801);
	assert_string_equal(s->holder, "");
	assert_int_equal(store_cursor(s, "old", &record, &kit_err), TW_AGAIN);
	ok(store_cursor(s, "quick", &record, &kit_err));
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void a_sink_that_is_behind_is_named_once_it_has_been_for_a_while(void **state)
{
	struct store *s = filled(2000);
	struct cursor here = { "screen", 0 };
	struct retention r = { .tape_age = HOUR, .patience = 365 * 24 * HOUR, .cursors = &here, .n_cursors = 1 };

	(void)state;
	ok(commit_alerts(s, 1, 500, 2000));
	fake_wall += 100 * HOUR;
	ok(store_retain(s, &r, &kit_err));
	assert_null(store_holder(s));
	r.patience = 0;
	ok(store_retain(s, &r, &kit_err));
	assert_string_equal(store_holder(s), "screen");
	r.drop = true; /* nobody is waited for */
	assert_int_equal(store_retain(s, &r, &kit_err), TW_AGAIN);
	while (store_retain(s, &r, &kit_err) == TW_AGAIN)
		;
	assert_null(store_holder(s));
	assert_int_equal(first_on_tape(s), 1801);
	store_close(s);
}

static void a_cursor_moves_to_another_name(void **state)
{
	struct store *s = filled(200);
	uint64_t at = 0;

	(void)state;
	ok(commit_alerts(s, 1, 50, 200));
	ok(commit_cursor(s, "old", 7));
	ok(store_move_cursor(s, "old", "new", &kit_err));
	assert_int_equal(store_cursor(s, "old", &at, &kit_err), TW_AGAIN);
	ok(store_cursor(s, "new", &at, &kit_err));
	assert_int_equal(at, 7);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

/* ---- readers ---- */
static void a_reader_of_this_process_keeps_its_segment(void **state)
{
	struct store *s = filled(2000);
	struct log_reader *r;
	struct block b;

	(void)state;
	fake_wall += 100 * HOUR;
	ok(log_reader_open(&r, s, LOG_TAPE, 1, &kit_err));
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(retain_all(s, HOUR, 0), 0);
	for (int i = 0; i < 3; i++)
		ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(b.first, 301);
	assert_int_equal(retain_all(s, HOUR, 0), 1); /* it is in segment 2 now */
	log_reader_close(r);
	assert_int_equal(retain_all(s, HOUR, 0), 8);
	store_close(s);
}

/* Runs work(from, to) in a child that says a byte when it has begun and goes on when it hears one. */
static int reader_process(int (*work)(int from, int to), int *go, pid_t *pid)
{
	int up[2], down[2];
	char byte;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	*pid = fork();
	if (*pid == 0)
		_exit(work(down[0], up[1]));
	assert_int_equal(read(up[0], &byte, 1), 1);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	*go = down[1];
	return 0;
}

static int exit_of(pid_t pid, int go)
{
	int status = -1;

	assert_int_equal(write(go, "x", 1), 1);
	close(go);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In the middle of the first segment when nine of ten go: reads on in what it has open, without a gap, then says that
 * the rest is gone. */
static int reads_a_segment_that_goes(int from, int to)
{
	struct log_reader *r;
	struct store *s;
	struct block b;
	uint64_t next = 101;
	int32_t rc;
	char byte;

	if (store_open(&s, kit_dir, STORE_READ, NULL, &kit_err) != TW_OK ||
	    log_reader_open(&r, s, LOG_TAPE, 1, &kit_err) != TW_OK || log_reader_next(r, &b, &kit_err) != TW_OK)
		return 1;
	if (write(to, "x", 1) != 1 || read(from, &byte, 1) != 1)
		return 2;
	while ((rc = log_reader_next(r, &b, &kit_err)) == TW_OK && b.first == next)
		next += b.count;
	if (rc != TW_E_IO || !strstr(kit_err.msg, "given up") || next < 201 || next % 200 != 1)
		return 3;
	log_reader_close(r);
	return read_quotes(s, 1801) == 2001 ? 0 : 4;
}

static void a_reader_of_another_process_reads_its_segment_to_the_end(void **state)
{
	struct store *s = filled(2000);
	pid_t pid;
	int go;

	(void)state;
	fake_wall += 100 * HOUR;
	store_close(s);
	reader_process(reads_a_segment_that_goes, &go, &pid);
	s = open_store(&small);
	assert_int_equal(retain_all(s, HOUR, 0), 9);
	assert_int_equal(exit_of(pid, go), 0);
	store_close(s);
}

/* Knows of ten segments, with the last one open, when they go and two come. */
static int begins_late(int from, int to)
{
	struct log_reader *r;
	struct store *s;
	struct block b;
	char byte;

	if (store_open(&s, kit_dir, STORE_READ, NULL, &kit_err) != TW_OK)
		return 1;
	if (write(to, "x", 1) != 1 || read(from, &byte, 1) != 1)
		return 2;
	if (log_reader_open(&r, s, LOG_TAPE, 1, &kit_err) != TW_OK || log_reader_next(r, &b, &kit_err) != TW_OK)
		return 3;
	log_reader_close(r);
	if (b.first != 1801 || read_quotes(s, 1801) != 2401)
		return 4;
	return store_last_seq(s) == 2400 ? 0 : 5;
}

static void a_reader_begins_with_what_is_there(void **state)
{
	struct store *s = filled(2000);
	pid_t pid;
	int go;

	(void)state;
	store_close(s);
	reader_process(begins_late, &go, &pid);
	s = open_store(&small);
	for (uint64_t seq = 2001; seq <= 2400; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	fake_wall += 100 * HOUR;
	assert_int_equal(retain_all(s, HOUR, 0), 10);
	assert_int_equal(exit_of(pid, go), 0);
	store_close(s);
}

/* ---- interruptions ---- */
static void a_segment_is_gone_for_good_before_the_next_one_goes(void **state)
{
	struct store *s = filled(600);

	(void)state;
	fake_wall += 100 * HOUR;
	calls[0] = '\0';
	assert_int_equal(retain_all(s, HOUR, 0), 2);
	assert_string_equal(calls, "unlink 000001.tape\nunlink 000001.tape-lock\nopen tape\nfsync -\n"
				   "unlink 000002.tape\nunlink 000002.tape-lock\nopen tape\nfsync -\n");
	store_close(s);
}

static void a_death_at_any_call_leaves_a_whole_store(void **state)
{
	(void)state;
	for (int at = 1; at <= 4; at++) {
		struct store *s = filled(1000);
		bool went = at > 1;
		pid_t pid;

		fake_wall += 100 * HOUR;
		store_close(s);
		pid = fork();
		if (pid == 0) {
			if (store_open(&s, kit_dir, STORE_WRITE, &small, &kit_err) != TW_OK)
				_exit(1);
			die_at = at;
			retain_by(s, HOUR, 0);
			_exit(2);
		}
		int status = -1;
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		assert_int_equal(there("000001.tape"), !went);
		assert_int_equal(there("000001.tape-lock"), at <= 2);
		ok(store_verify(kit_dir, NULL, &kit_err));
		s = open_store(&small);
		assert_int_equal(first_on_tape(s), went ? 201 : 1);
		assert_int_equal(there("000001.tape-lock"), !went); /* swept */
		assert_int_equal(retain_all(s, HOUR, 0), went ? 3 : 4);
		assert_int_equal(read_quotes(s, 801), 1001);
		store_close(s);
		kit_remove(kit_dir);
		assert_int_equal(mkdir(kit_dir, 0700), 0);
	}
}

static void what_cannot_be_removed_stays_a_part_of_the_tape(void **state)
{
	struct store *s = filled(1000);

	(void)state;
	fake_wall += 100 * HOUR;
	fail_unlink = 1;
	assert_int_equal(retain_by(s, HOUR, 0), TW_E_IO);
	assert_non_null(strstr(kit_err.msg, "000001.tape"));
	assert_int_equal(read_quotes(s, 1), 1001);
	fail_unlink = 0;
	assert_int_equal(retain_all(s, HOUR, 0), 4);
	store_close(s);
}

static void a_tape_that_begins_behind_the_checkpoint_is_refused(void **state)
{
	struct store *s = filled(1000);
	char path[128];

	(void)state;
	for (uint64_t seq = 1001; seq <= 1300; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	store_close(s);
	for (unsigned i = 1; i <= 6; i++) {
		kit_path(path, "tape/%06u.tape", i);
		assert_int_equal(unlink(path), 0);
		s = NULL;
		if (i < 6) { /* segment 6 has the first event behind the checkpoint */
			ok(store_open(&s, kit_dir, STORE_WRITE, &small, &kit_err));
			store_close(s);
		}
	}
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, &small, &kit_err), STORE_E_DAMAGED);
	assert_non_null(
		strstr(kit_err.msg, "the tape begins at event 1201, but the last checkpoint is as of event 1000"));
}

static void a_new_store_may_begin_with_any_number(void **state)
{
	struct store_options o = { .first = 5001 };
	struct store *s = open_store(&o);

	(void)state;
	assert_int_equal(store_last_seq(s), 5000);
	assert_true(commit_quotes(s, 1, 1, 10) < 0);
	ok(commit_quotes(s, 5001, 2, 50));
	assert_int_equal(read_quotes(s, 5001), 5101);
	store_close(s);
	s = open_store(NULL);
	assert_int_equal(store_last_seq(s), 5100);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_limit_nothing_goes),
		TEST(segments_go_one_a_call_once_they_are_old_enough),
		TEST(the_segment_being_written_stays),
		TEST(size_takes_the_oldest_until_the_rest_fits),
		TEST(what_lies_behind_the_checkpoint_stays),
		TEST(a_tape_of_numbers_only_needs_no_checkpoint),
		TEST(an_undelivered_alert_keeps_the_segment_of_its_event),
		TEST(a_sink_of_an_earlier_run_is_forgotten_when_it_would_hold),
		TEST(a_sink_that_is_behind_is_named_once_it_has_been_for_a_while),
		TEST(a_cursor_moves_to_another_name),
		TEST(a_reader_of_this_process_keeps_its_segment),
		TEST(a_reader_of_another_process_reads_its_segment_to_the_end),
		TEST(a_reader_begins_with_what_is_there),
		TEST(a_segment_is_gone_for_good_before_the_next_one_goes),
		TEST(a_death_at_any_call_leaves_a_whole_store),
		TEST(what_cannot_be_removed_stays_a_part_of_the_tape),
		TEST(a_tape_that_begins_behind_the_checkpoint_is_refused),
		TEST(a_new_store_may_begin_with_any_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
