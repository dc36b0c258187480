/* SPDX-License-Identifier: Apache-2.0
 *
 * Several processes on one store, processes that are killed, and disks that are full.
 */
#include "test_store_kit.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

static const struct store_options small = { .segment_size = 60000 };

static void tell(int fd, uint64_t n)
{
	if (write(fd, &n, sizeof n) != sizeof n)
		_exit(99);
}

static bool hear(int fd, uint64_t *n)
{
	return read(fd, n, sizeof *n) == sizeof *n;
}

static void a_second_writer_is_refused_by_name(void **state)
{
	int up[2], down[2], status;
	struct store *s;
	char pid_text[32];
	uint64_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(up) | pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		if (store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err) != TW_OK)
			_exit(1);
		tell(up[1], 1);
		hear(down[0], &n);
		store_close(s);
		tell(up[1], 2);
		_exit(0);
	}
	assert_true(hear(up[0], &n));
	assert_int_equal(store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err), STORE_E_LOCKED);
	snprintf(pid_text, sizeof pid_text, "in use by process %ld:", (long)pid);
	assert_non_null(strstr(kit_err.msg, pid_text));
	s = open_reader(kit_dir); /* readers are welcome */
	store_close(s);
	tell(down[1], 1);
	assert_true(hear(up[0], &n));
	s = open_store(NULL);
	store_close(s);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++)
		close(up[i]), close(down[i]);
}

/* The child reads on after each commit and answers with the number behind the last event it saw. */
static void follow(int in, int out)
{
	struct store *s = NULL;
	struct log_reader *r = NULL;
	struct block b;
	uint64_t n, next = 1;
	int32_t rc;

	if (store_open(&s, kit_dir, STORE_READ, NULL, &kit_err) != TW_OK ||
	    log_reader_open(&r, s, LOG_TAPE, 1, &kit_err) != TW_OK)
		_exit(1);
	while (hear(in, &n)) {
		while ((rc = log_reader_next(r, &b, &kit_err)) == TW_OK) {
			if (b.first != next)
				_exit(2);
			next = b.first + b.count;
		}
		if (rc != TW_AGAIN || store_last_seq(s) != n || store_last_alert(s) != n / 100)
			_exit(3);
		if (!store_source_name(s, (uint16_t)(n / 100 - 1)))
			_exit(4);
		tell(out, next);
	}
	log_reader_close(r);
	store_close(s);
	_exit(0);
}

static void another_process_sees_what_is_committed(void **state)
{
	struct store *s = open_store(&small);
	int up[2], down[2], status;
	uint64_t seen;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(up) | pipe(down), 0);
	store_close(s);
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		close(up[0]);
		follow(down[0], up[1]);
	}
	close(up[1]);
	s = open_store(&small);
	for (uint64_t n = 1; n <= 30; n++) {
		char name[16];
		uint16_t number;

		snprintf(name, sizeof name, "source%u", (unsigned)n);
		ok(store_source(s, name, &number, &kit_err));
		ok(commit_quotes(s, 100 * n - 99, 1, 100));
		ok(commit_alerts(s, n, 1, 100 * n));
		tell(down[1], 100 * n);
		if (!hear(up[0], &seen))
			break;
		assert_int_equal(seen, 100 * n + 1);
	}
	close(down[1]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_true(s->head.number > 3);
	store_close(s);
	close(up[0]);
	close(down[0]);
}

/* Threads of the recorder's own process read while it writes and rolls. */
struct thread {
	struct store *store;
	_Atomic bool *done;
	uint64_t next;
	int32_t rc;
};

static void *read_along(void *arg)
{
	struct thread *t = arg;
	struct log_reader *r = NULL;
	struct block b;
	bool last = false;

	t->next = 1;
	t->rc = log_reader_open(&r, t->store, LOG_TAPE, 1, NULL);
	while (t->rc == TW_OK || t->rc == TW_AGAIN) {
		t->rc = log_reader_next(r, &b, NULL);
		if (t->rc == TW_OK && b.first != t->next) {
			t->rc = -1000;
		} else if (t->rc == TW_OK) {
			t->next += b.count;
		} else if (t->rc == TW_AGAIN) {
			if (last)
				break;
			last = atomic_load(t->done);
			sched_yield();
		}
	}
	log_reader_close(r);
	return NULL;
}

static void threads_read_while_one_writes(void **state)
{
	struct store_options tiny = { .segment_size = 20000, .sync = SYNC_OFF };
	struct store *s = open_store(&tiny);
	struct thread t[3];
	pthread_t id[3];
	_Atomic bool done = false;

	(void)state;
	for (int i = 0; i < 3; i++) {
		t[i] = (struct thread){ .store = s, .done = &done };
		assert_int_equal(pthread_create(&id[i], NULL, read_along, &t[i]), 0);
	}
	for (uint64_t seq = 1; seq < 8001; seq += 50)
		ok(commit_quotes(s, seq, 1, 50));
	atomic_store(&done, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(id[i], NULL);
		assert_int_equal(t[i].rc, TW_AGAIN);
		assert_int_equal(t[i].next, 8001);
	}
	assert_true(s->head.number > MAX_OPEN); /* more segments than stay open */
	store_close(s);
}

/* An empty log: only its end is read, time and again. */
static void *read_alerts_along(void *arg)
{
	struct thread *t = arg;
	struct log_reader *r = NULL;
	struct block b;
	struct tw_err e = { 0 };

	t->rc = log_reader_open(&r, t->store, LOG_ALERTS, 1, &e);
	while (t->rc == TW_OK && !atomic_load(t->done)) {
		t->rc = log_reader_next(r, &b, &e);
		if (t->rc == TW_AGAIN)
			t->rc = TW_OK;
	}
	log_reader_close(r);
	return NULL;
}

static void *ask_along(void *arg)
{
	struct thread *t = arg;
	uint64_t cursor;

	while (t->rc == TW_OK && !atomic_load(t->done))
		t->rc = store_cursor(t->store, "sink", &cursor, NULL);
	return NULL;
}

/* LMDB's begin of a reading transaction is not atomic: a thread that sleeps in the middle of it while two commits pass
 * gets the number of one commit with the roots of another. */
static void a_reader_that_is_overtaken_by_commits_sees_one_of_them(void **state)
{
	struct store_options fast = { .sync = SYNC_OFF };
	struct store *s = open_store(&fast);
	struct thread t[3];
	pthread_t id[3];
	_Atomic bool done = false;
	struct cursor cursor = { .sink = "sink", .record = 0 };
	struct alert_commit c = { .cursors = &cursor, .n_cursors = 1 };
	int32_t rc = store_commit_alerts(s, &c, &kit_err);

	(void)state;
	assert_int_equal(rc, TW_OK);
	for (int i = 0; i < 3; i++) {
		t[i] = (struct thread){ .store = s, .done = &done };
		assert_int_equal(pthread_create(&id[i], NULL, i ? ask_along : read_alerts_along, &t[i]), 0);
	}
	for (int i = 0; i < 30000 && rc == TW_OK; i++)
		rc = store_commit_alerts(s, &c, &kit_err);
	atomic_store(&done, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(id[i], NULL);
		assert_int_equal(t[i].rc, TW_OK);
	}
	assert_int_equal(rc, TW_OK);
	store_close(s);
}

/* Commits for ever, telling each number once it is on the disk. */
static void write_for_ever(int out)
{
	struct store *s = NULL;
	struct tape_commit c = { .n_positions = 1 };
	struct position p = { .source = "a", .marked = true, .pos = { .len = 8 } };
	uint64_t seq, alert;

	c.positions = &p;
	if (store_open(&s, kit_dir, STORE_WRITE, &small, &kit_err) != TW_OK)
		_exit(1);
	for (seq = store_last_seq(s) + 1, alert = store_last_alert(s) + 1;; seq += 30, alert += 1) {
		struct buf bytes = { 0 };
		struct block b = { .first = seq, .count = 30 };

		for (uint64_t i = 0; i < 30; i++)
			add_quote(&bytes, seq + i, 0);
		b.bytes = bytes.data;
		b.len = bytes.len;
		c.blocks = &b;
		c.n_blocks = 1;
		p.after = seq + 29;
		if (store_commit_tape(s, &c, &kit_err) != TW_OK || commit_alerts(s, alert, 1, seq + 29) != TW_OK)
			_exit(2);
		buf_free(&bytes);
		tell(out, seq + 29);
	}
}

static void nothing_is_lost_by_kill_9(void **state)
{
	uint64_t acked = 0, first_number = 0;

	(void)state;
	for (int round = 0; round < 25; round++) {
		int fd[2], status;
		struct position p;
		struct store *s;
		uint64_t last;
		pid_t pid;

		assert_int_equal(pipe(fd), 0);
		pid = fork();
		if (pid == 0) {
			close(fd[0]);
			write_for_ever(fd[1]);
		}
		close(fd[1]);
		for (int i = 0; i < 1 + round * 7 % 20; i++)
			assert_true(hear(fd[0], &acked));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		while (hear(fd[0], &acked)) /* told before it died */
			;
		close(fd[0]);

		ok(store_check_quick(kit_dir, &kit_err));
		s = open_store(&small);
		last = store_last_seq(s);
		assert_true(last >= acked);
		assert_true(last <= acked + 60);
		assert_int_equal(last % 30, 0);
		assert_int_equal(read_quotes(s, 1), (int64_t)last + 1);
		ok(store_position(s, "a", &p, &kit_err));
		assert_int_equal(p.after, last); /* in the same commit */
		assert_true(store_complete(s) >= acked && store_complete(s) <= last);
		/* A kill between the two commits leaves the alert log one behind: catch up, as recovery does. */
		if (store_complete(s) < last)
			ok(commit_alerts(s, store_last_alert(s) + 1, 1, last));
		assert_int_equal(store_last_alert(s), last / 30);
		first_number = s->head.number;
		store_close(s);
	}
	assert_true(first_number > 3);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void a_half_made_segment_is_made_again(void **state)
{
	struct store *s = open_store(&small);
	char path[128];
	uint64_t seq = 1;
	FILE *f;

	(void)state;
	kit_path(path, "tape/000002.tape.new");
	f = fopen(path, "wb");
	fputs("a crash came in between", f);
	fclose(f);
	for (; seq < 2000; seq += 100)
		ok(commit_quotes(s, seq, 1, 100));
	assert_true(s->head.number >= 2);
	assert_int_equal(read_quotes(s, 1), (int64_t)seq);
	assert_int_equal(access(path, F_OK), -1);
	store_close(s);
}

/* ---- a full disk: a tmpfs of 2 MiB in name spaces of the child's own ---- */
static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool small_disk(void)
{
	unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
	char users[32], groups[32];

	snprintf(users, sizeof users, "0 %u 1\n", uid);
	snprintf(groups, sizeof groups, "0 %u 1\n", gid);
	if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
		return false;
	if (uid && (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", users) ||
		    !put("/proc/self/gid_map", groups)))
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", kit_dir, "tmpfs", 0, "size=2m") == 0;
}

static int on_a_full_disk(void)
{
	struct store *s = NULL;
	char path[128];
	static char fill[4096];
	uint64_t seq = 1;
	int32_t rc = TW_OK;
	int fd;

	if (!small_disk())
		return 77;
	if (store_open(&s, kit_dir, STORE_WRITE, NULL, &kit_err) != TW_OK)
		return 1;
	for (int i = 0; i < 10; i++, seq += 100)
		if (commit_quotes(s, seq, 1, 100) != TW_OK)
			return 2;
	kit_path(path, "ballast");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, fill, sizeof fill) == sizeof fill)
		;
	while (seq < 100000 && (rc = commit_quotes(s, seq, 1, 100)) == TW_OK)
		seq += 100;
	if (rc != STORE_FULL)
		return 3;
	if (commit_quotes(s, seq, 1, 100) != STORE_FULL || store_last_seq(s) != seq - 1)
		return 4;
	s->opt.segment_size = 1; /* a roll does not fit either, and does not kill */
	if (commit_quotes(s, seq, 1, 100) != STORE_FULL)
		return 5;
	if (read_quotes(s, 1) != (int64_t)seq)
		return 6;
	close(fd);
	unlink(path);
	for (int i = 0; i < 3; i++, seq += 100)
		if (commit_quotes(s, seq, 1, 100) != TW_OK)
			return 7;
	if (s->head.number < 2 || read_quotes(s, 1) != (int64_t)seq)
		return 8;
	store_close(s);
	return store_verify(kit_dir, NULL, &kit_err) == TW_OK ? 0 : 9;
}

static void a_full_disk_is_waited_for(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		_exit(on_a_full_disk());
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no user name spaces here */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(a_second_writer_is_refused_by_name),
		T(another_process_sees_what_is_committed),
		T(a_reader_that_is_overtaken_by_commits_sees_one_of_them),
		T(threads_read_while_one_writes),
		T(nothing_is_lost_by_kill_9),
		T(a_half_made_segment_is_made_again),
		T(a_full_disk_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
