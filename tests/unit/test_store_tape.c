/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape: what is committed comes back, over segments and restarts, with its positions and dead letters.
 */
#include "base/os.h"
#include "test_store_kit.h"

#define DAY INT64_C(86400000000000)

static const struct store_options small = { .segment_size = 100000 }; /* about 900 quotes */

/* ---- a clock that the test sets ---- */
static struct os fake_os;
static int64_t fake_wall;

static int64_t wall(void)
{
	return fake_wall;
}

static int setup_clock(void **state)
{
	fake_os = os_real;
	fake_os.wall = wall;
	fake_wall = 20000 * DAY + 5;
	os = &fake_os;
	return kit_setup(state);
}

static int teardown_clock(void **state)
{
	os = &os_real;
	return kit_teardown(state);
}

static uint32_t count_segments(struct store *s)
{
	static struct segment_info info[64];

	return store_segments(s, info, 64);
}

static void events_come_back_over_segments_and_restarts(void **state)
{
	struct store *s = open_store(&small);
	uint64_t seq = 1;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++, seq += 150)
			ok(commit_quotes(s, seq, 3, 50));
		store_close(s);
		s = open_store(&small);
		assert_int_equal(store_last_seq(s), seq - 1);
		assert_int_equal(read_quotes(s, 1), (int64_t)seq);
	}
	assert_true(count_segments(s) > 5);
	store_close(s);
}

static void a_reader_begins_in_the_middle(void **state)
{
	struct store *s = open_store(&small);
	struct log_reader *r;
	struct block b;

	(void)state;
	for (uint64_t seq = 1; seq < 4000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	for (uint64_t from = 1; from <= 4000; from += 37) {
		ok(log_reader_open(&r, s, LOG_TAPE, from, &kit_err));
		ok(log_reader_next(r, &b, &kit_err));
		assert_true(b.first <= from && from < b.first + b.count);
		assert_int_equal(b.first, (from - 1) / 100 * 100 + 1);
		log_reader_close(r);
		assert_int_equal(read_quotes(s, from), 4001);
	}
	store_close(s);
}

static void a_reader_at_the_end_sees_what_comes_later(void **state)
{
	struct store *s = open_store(&small);
	struct log_reader *r;
	struct block b;

	(void)state;
	ok(log_reader_open(&r, s, LOG_TAPE, 1, &kit_err));
	assert_int_equal(log_reader_next(r, &b, &kit_err), TW_AGAIN);
	for (uint64_t seq = 1; seq < 5000; seq += 100) {
		ok(commit_quotes(s, seq, 1, 100));
		ok(log_reader_next(r, &b, &kit_err));
		assert_int_equal(b.first, seq);
		assert_int_equal(log_reader_next(r, &b, &kit_err), TW_AGAIN);
	}
	log_reader_close(r);
	store_close(s);
}

static void a_reader_may_wait_for_a_number_to_come(void **state)
{
	struct store *s = open_store(&small);
	struct log_reader *r;
	struct block b;

	(void)state;
	ok(commit_quotes(s, 1, 1, 100));
	ok(log_reader_open(&r, s, LOG_TAPE, 2950, &kit_err));
	for (uint64_t seq = 101; seq < 2900; seq += 100) {
		assert_int_equal(log_reader_next(r, &b, &kit_err), TW_AGAIN);
		ok(commit_quotes(s, seq, 1, 100));
	}
	ok(commit_quotes(s, 2901, 1, 100));
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(b.first, 2901);
	log_reader_close(r);
	store_close(s);
}

static void check_position(struct store *s, const char *source, const char *data, uint64_t after)
{
	struct position p;

	ok(store_position(s, source, &p, &kit_err));
	assert_true(p.marked);
	assert_int_equal(p.pos.len, strlen(data));
	assert_memory_equal(p.pos.data, data, strlen(data));
	assert_int_equal(p.after, after);
}

static void commit_positions(struct store *s)
{
	struct position p[3] = { { .source = "a", .marked = true, .after = 3 },
				 { .source = "b", .marked = true, .after = 0 },
				 { .source = "c", .marked = false, .after = 9 } };
	struct tape_commit c = { .positions = p, .n_positions = 3 };

	p[0].pos.len = 5;
	memcpy(p[0].pos.data, "first", 5);
	p[1].pos.len = 120;
	memset(p[1].pos.data, 'x', 120);
	ok(store_commit_tape(s, &c, &kit_err));
}

static void positions_and_names_go_on_into_every_segment(void **state)
{
	struct store *s = open_store(&small);
	struct position p;
	uint16_t a, b, again;
	char last[128], from[128];
	uint32_t n;

	(void)state;
	ok(store_source(s, "alpha", &a, &kit_err));
	ok(store_source(s, "beta", &b, &kit_err));
	ok(store_source(s, "alpha", &again, &kit_err));
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_int_equal(again, 0);
	assert_int_equal(store_position(s, "a", &p, &kit_err), TW_AGAIN);
	commit_positions(s);
	for (uint64_t seq = 1; seq < 4000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	check_position(s, "a", "first", 3);
	n = count_segments(s);
	assert_true(n > 3);
	store_close(s);

	s = open_store(&small);
	check_position(s, "a", "first", 3);
	ok(store_position(s, "c", &p, &kit_err));
	assert_false(p.marked);
	assert_int_equal(p.after, 9);
	assert_string_equal(store_source_name(s, 1), "beta");
	assert_null(store_source_name(s, 2));
	store_close(s);

	kit_path(from, "tape/%06u.tape", n);
	kit_path(last, "copy.tape");
	copy_file(from, last);
	s = open_reader(last);
	assert_string_equal(store_source_name(s, 0), "alpha");
	check_position(s, "a", "first", 3);
	store_close(s);
}

static void a_later_position_replaces_the_earlier_one(void **state)
{
	struct store *s = open_store(NULL);
	struct position p[2] = { { .source = "a", .marked = true, .after = 1, .pos = { .len = 1, .data = "1" } },
				 { .source = "a", .marked = true, .after = 2, .pos = { .len = 2, .data = "22" } } };
	struct tape_commit c = { .positions = p, .n_positions = 2 };

	(void)state;
	ok(store_commit_tape(s, &c, &kit_err));
	check_position(s, "a", "22", 2);
	c.n_positions = 1;
	ok(store_commit_tape(s, &c, &kit_err));
	store_close(s);
	s = open_store(NULL);
	check_position(s, "a", "1", 1);
	store_close(s);
}

static void a_copied_segment_is_a_recording(void **state)
{
	struct store *s = open_store(&small);
	char from[128], to[128], lock[160];
	struct segment_info info[3];
	struct stat st;

	(void)state;
	for (uint64_t seq = 1; seq < 4000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	store_close(s);
	kit_path(from, "tape/000002.tape");
	kit_path(to, "some-name.tape");
	copy_file(from, to);
	s = open_reader(to);
	assert_int_equal(store_segments(s, info, 3), 1);
	assert_true(info[0].first > 1);
	assert_int_equal(read_quotes(s, info[0].first), (int64_t)info[0].last + 1);
	assert_int_equal(store_last_seq(s), info[0].last);
	store_close(s);
	snprintf(lock, sizeof lock, "%s-lock", to);
	assert_int_equal(stat(lock, &st), -1); /* nothing is left beside a copy */
}

static void a_folder_of_segments_is_a_recording(void **state)
{
	struct store *s = open_store(&small);
	char from[128], to[128];

	(void)state;
	for (uint64_t seq = 1; seq < 3000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	store_close(s);
	kit_path(to, "bare");
	assert_int_equal(mkdir(to, 0755), 0);
	for (unsigned i = 2; i <= 3; i++) {
		kit_path(from, "tape/%06u.tape", i);
		kit_path(to, "bare/%06u.tape", i);
		copy_file(from, to);
		assert_int_equal(chmod(to, 0444), 0);
	}
	kit_path(to, "bare");
	assert_int_equal(chmod(to, 0555) | chmod(kit_dir, 0755), 0);

	pid_t pid = fork();
	if (pid == 0) { /* somebody who may only read */
		struct segment_info info[3];

		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(9);
		if (store_open(&s, to, STORE_READ, NULL, &kit_err) != TW_OK || store_segments(s, info, 3) != 2)
			_exit(1);
		_exit(read_quotes(s, info[0].first) == (int64_t)info[1].last + 1 ? 0 : 2);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void a_new_day_begins_a_new_segment(void **state)
{
	struct store *s = open_store(NULL);

	(void)state;
	ok(commit_quotes(s, 1, 1, 10));
	ok(commit_quotes(s, 11, 1, 10));
	assert_int_equal(count_segments(s), 1);
	fake_wall += DAY;
	ok(commit_quotes(s, 21, 1, 10));
	assert_int_equal(count_segments(s), 2);
	ok(commit_quotes(s, 31, 1, 10));
	assert_int_equal(count_segments(s), 2);
	assert_int_equal(read_quotes(s, 1), 41);
	store_close(s);
}

static void an_empty_segment_is_used_however_old(void **state)
{
	struct store *s = open_store(NULL);

	(void)state;
	store_close(s);
	fake_wall += 3 * DAY;
	s = open_store(NULL);
	ok(commit_quotes(s, 1, 1, 10));
	ok(commit_quotes(s, 11, 1, 10));
	assert_int_equal(count_segments(s), 1);
	store_close(s);
}

static void without_a_tape_the_numbers_go_on(void **state)
{
	struct store_options no_tape = { .no_tape = true };
	struct dead_letter d = { .seq = 105, .source = str("a"), .reason = str("bad_price") };
	struct tape_commit c = { .dead = &d, .n_dead = 1 };
	struct store *s = open_store(NULL);
	struct log_reader *r;
	struct block b;

	(void)state;
	ok(commit_quotes(s, 1, 1, 100));
	store_close(s);
	s = open_store(&no_tape);
	commit_positions(s);
	ok(commit_quotes(s, 101, 1, 100));
	ok(store_commit_tape(s, &c, &kit_err));
	ok(commit_quotes(s, 201, 1, 100));
	store_close(s);
	s = open_store(NULL);
	assert_int_equal(store_last_seq(s), 300);
	check_position(s, "a", "first", 3);
	ok(commit_quotes(s, 301, 1, 100));

	ok(log_reader_open(&r, s, LOG_TAPE, 1, &kit_err));
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(b.first, 1);
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(b.first, 301);
	assert_int_equal(log_reader_next(r, &b, &kit_err), TW_AGAIN);
	log_reader_close(r);
	ok(log_reader_open(&r, s, LOG_DEAD, 1, &kit_err));
	ok(log_reader_next(r, &b, &kit_err));
	assert_int_equal(b.first, 1);
	log_reader_close(r);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void dead_letters_are_numbered_over_segments(void **state)
{
	static char raw[70000];
	struct store *s = open_store(&small);
	struct log_reader *r;
	struct block b;
	uint64_t next = 1;
	int32_t rc;

	(void)state;
	memset(raw, 'r', sizeof raw);
	for (uint32_t i = 0; i < 30; i++) {
		struct dead_letter d[2] = { { .wall = 7,
					      .seq = i,
					      .source = str("a"),
					      .reason = str("bad_price"),
					      .where = str("x.csv:1:2"),
					      .detail = str("a number was expected"),
					      .raw = { raw, sizeof raw, 0 } },
					    { .wall = 8, .seq = i, .source = str("b"), .reason = str("x") } };
		struct tape_commit c = { .dead = d, .n_dead = 2 };

		ok(store_commit_tape(s, &c, &kit_err));
	}
	assert_true(count_segments(s) > 5);
	store_close(s);
	s = open_reader(kit_dir);
	ok(log_reader_open(&r, s, LOG_DEAD, 1, &kit_err));
	while ((rc = log_reader_next(r, &b, &kit_err)) == TW_OK) {
		struct dead_letter d;
		size_t at = 0;

		assert_int_equal(b.first, next);
		while (dead_record(&b, &at, &d)) {
			bool odd = next & 1;

			assert_int_equal(d.seq, (next - 1) / 2);
			assert_int_equal(d.wall, odd ? 7 : 8);
			assert_int_equal(d.raw.len, odd ? 65536 : 0);
			assert_int_equal(d.detail.len, odd ? strlen("a number was expected") : 0);
			assert_memory_equal(d.source.s, odd ? "a" : "b", 1);
			next++;
		}
		assert_int_equal(at, b.len);
	}
	assert_int_equal(rc, TW_AGAIN);
	assert_int_equal(next, 61);
	log_reader_close(r);
	store_close(s);
}

static void wrong_commits_are_refused_whole(void **state)
{
	struct store *s = open_store(NULL);
	struct buf bytes = { 0 };
	struct block b = { .first = 11, .count = 3 };
	struct position p = { .source = "a", .marked = true };
	struct tape_commit c = { .blocks = &b, .n_blocks = 1, .positions = &p, .n_positions = 1 };
	struct position none;

	(void)state;
	ok(commit_quotes(s, 1, 1, 10));
	assert_int_equal(commit_quotes(s, 1, 1, 10), TW_E_FATAL);
	assert_int_equal(commit_quotes(s, 12, 1, 10), TW_E_FATAL);
	add_quote(&bytes, 11, 0);
	add_quote(&bytes, 12, 0);
	b.bytes = bytes.data;
	b.len = bytes.len;
	assert_int_equal(store_commit_tape(s, &c, &kit_err), TW_E_FATAL); /* three announced, two there */
	b.count = 2;
	b.len--;
	assert_int_equal(store_commit_tape(s, &c, &kit_err), TW_E_FATAL); /* cut short */
	b.len++;
	event_stamp(bytes.data + 4, 99);
	assert_int_equal(store_commit_tape(s, &c, &kit_err), TW_E_FATAL); /* another number */
	assert_int_equal(store_last_seq(s), 10);
	assert_int_equal(store_position(s, "a", &none, &kit_err), TW_AGAIN);
	event_stamp(bytes.data + 4, 11);
	ok(store_commit_tape(s, &c, &kit_err));
	assert_int_equal(read_quotes(s, 1), 13);
	buf_free(&bytes);
	store_close(s);
}

static void segment_info_adds_up(void **state)
{
	struct store *s = open_store(&small);
	struct segment_info info[16];
	uint64_t next = 1, events = 0;
	uint32_t n;

	(void)state;
	for (uint64_t seq = 1; seq <= 3000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	n = store_segments(s, info, 16);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(info[i].number, i + 1);
		assert_int_equal(info[i].first, next);
		assert_int_equal(info[i].from, ts_of(info[i].first));
		assert_int_equal(info[i].to, ts_of(info[i].last));
		assert_int_equal(info[i].events, info[i].last - info[i].first + 1);
		assert_int_equal(info[i].schema, TW_EVENT_SCHEMA);
		next = info[i].last + 1;
		events += info[i].events;
	}
	assert_int_equal(events, 3000);
	assert_int_equal(store_segments(s, info, 2), 2);
	store_close(s);
}

static void a_full_map_takes_a_new_segment_or_says_so(void **state)
{
	struct store_options large = { .segment_size = 64 << 20 };
	struct store *s = open_store(&large);
	uint64_t seq = 1;

	(void)state;
	ok(store_set_map(s, 256 << 10, 0, &kit_err));
	while (count_segments(s) == 1 && seq < 10000) {
		ok(commit_quotes(s, seq, 1, 500));
		seq += 500;
	}
	assert_int_equal(count_segments(s), 2);
	assert_int_equal(commit_quotes(s, seq, 1, 5000), STORE_FULL); /* more than one map holds */
	assert_int_equal(store_last_seq(s), seq - 1);
	ok(store_set_map(s, 16 << 20, 0, &kit_err));
	ok(commit_quotes(s, seq, 1, 5000));
	assert_int_equal(read_quotes(s, 1), (int64_t)seq + 5000);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void lazy_syncs_record_the_same(void **state)
{
	struct store_options lazy[2] = { { .sync = SYNC_INTERVAL, .sync_interval = 1, .segment_size = 100000 },
					 { .sync = SYNC_OFF, .segment_size = 100000 } };
	uint64_t seq = 1;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct store *s = open_store(&lazy[i]);

		for (int k = 0; k < 20; k++, seq += 100)
			ok(commit_quotes(s, seq, 1, 100));
		assert_int_equal(read_quotes(s, 1), (int64_t)seq);
		store_close(s);
	}
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void a_time_is_found_on_the_tape(void **state)
{
	struct store *s = open_store(&small);
	uint64_t at = 77;

	(void)state;
	assert_int_equal(store_find_time(s, 0, 100, &at, &kit_err), TW_AGAIN); /* nothing is there */
	for (uint64_t seq = 1; seq < 6000; seq += 150)
		ok(commit_quotes(s, seq, 3, 50));
	assert_true(count_segments(s) > 5);
	for (uint64_t seq = 1; seq <= 6000; seq += 331) { /* the first whose time is not before */
		ok(store_find_time(s, ts_of(seq), 6000, &at, &kit_err));
		assert_int_equal(at, seq);
		ok(store_find_time(s, ts_of(seq) - 1, 6000, &at, &kit_err));
		assert_int_equal(at, seq);
	}
	ok(store_find_time(s, INT64_MIN, 6000, &at, &kit_err));
	assert_int_equal(at, 1);
	at = 77;
	assert_int_equal(store_find_time(s, ts_of(500), 499, &at, &kit_err), TW_AGAIN);
	assert_int_equal(store_find_time(s, ts_of(6001), 6000, &at, &kit_err), TW_AGAIN);
	assert_int_equal(at, 77);
	store_close(s);
}

static void only_the_owner_may_look(void **state)
{
	static const char *const files[] = { "LOCK", "state.lmdb", "state.lmdb-lock", "tape/000001.tape" };
	char path[128];
	struct stat st;
	struct store *s;

	(void)state;
	kit_path(path, "deep/er");
	ok(store_open(&s, path, STORE_WRITE, NULL, &kit_err));
	store_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	kit_path(path, "deep/er/tape");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		kit_path(path, "deep/er/%s", files[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_clock, teardown_clock)
	const struct CMUnitTest tests[] = {
		T(events_come_back_over_segments_and_restarts),
		T(a_reader_begins_in_the_middle),
		T(a_reader_at_the_end_sees_what_comes_later),
		T(a_reader_may_wait_for_a_number_to_come),
		T(positions_and_names_go_on_into_every_segment),
		T(a_later_position_replaces_the_earlier_one),
		T(a_copied_segment_is_a_recording),
		T(a_folder_of_segments_is_a_recording),
		T(a_new_day_begins_a_new_segment),
		T(an_empty_segment_is_used_however_old),
		T(without_a_tape_the_numbers_go_on),
		T(dead_letters_are_numbered_over_segments),
		T(wrong_commits_are_refused_whole),
		T(segment_info_adds_up),
		T(a_full_map_takes_a_new_segment_or_says_so),
		T(lazy_syncs_record_the_same),
		T(a_time_is_found_on_the_tape),
		T(only_the_owner_may_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
