/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of retention share: a clock that the test sets, calls that it counts, fails or dies at, and stores to
 * give up parts of.
 */
#ifndef TEST_STORE_RETAIN_KIT_H
#define TEST_STORE_RETAIN_KIT_H

#include "base/log.h"
#include "base/os.h"
#include "test_store_kit.h"

#include <errno.h>

#define SECOND INT64_C(1000000000)
#define HOUR   (3600 * SECOND)

static const struct store_options small = { .segment_size = 20000 }; /* a roll after every second commit of 100 */

/* ---- a clock that the test sets, and calls that it counts, fails, or dies at ---- */
static struct os fake_os;
static int64_t fake_wall;
static char calls[4096]; /* "unlink 000001.tape\n" ... */
static int die_at, fail_unlink;

UNUSED static int64_t wall(void)
{
	return fake_wall;
}

UNUSED static void note(const char *call, const char *path)
{
	const char *name = strrchr(path, '/');
	size_t n = strlen(calls);

	if (die_at && --die_at == 0)
		_exit(0);
	snprintf(calls + n, sizeof calls - n, "%s %s\n", call, name ? name + 1 : path);
}

UNUSED static int noted_unlink(const char *path)
{
	note("unlink", path);
	if (fail_unlink) {
		errno = EACCES;
		return -1;
	}
	return unlink(path);
}

UNUSED static int noted_open(const char *path, int flags, unsigned mode)
{
	note("open", path);
	return os_real.open(path, flags, mode);
}

UNUSED static int noted_fsync(int fd)
{
	note("fsync", "-");
	return fsync(fd);
}

UNUSED static int setup(void **state)
{
	fake_os = os_real;
	fake_os.wall = wall;
	fake_os.unlink = noted_unlink;
	fake_os.open = noted_open;
	fake_os.fsync = noted_fsync;
	fake_wall = 20000 * 24 * HOUR;
	calls[0] = '\0';
	die_at = fail_unlink = 0;
	os = &fake_os;
	log_setup(LOG_TEXT, TW_LOG_ERROR + 1);
	return kit_setup(state);
}

UNUSED static int teardown(void **state)
{
	os = &os_real;
	return kit_teardown(state);
}

UNUSED static int32_t commit_checkpoint(struct store *s, uint64_t seq)
{
	struct state_value v = { .space = 1, .key = 1, .data = "x", .len = 1 };
	struct checkpoint c = { .seq = seq, .note = "test", .values = &v, .n = 1 };

	return store_commit_checkpoint(s, &c, &kit_err);
}

UNUSED static int32_t commit_cursor(struct store *s, const char *sink, uint64_t record)
{
	struct cursor k = { sink, record };
	struct alert_commit c = { .cursors = &k, .n_cursors = 1 };

	return store_commit_alerts(s, &c, &kit_err);
}

/* Events 1..n in segments of 200, one every hour, complete and in a checkpoint through the last. */
UNUSED static struct store *filled(uint64_t n)
{
	struct store *s = open_store(&small);

	for (uint64_t seq = 1; seq <= n; seq += 100) {
		ok(commit_quotes(s, seq, 1, 100));
		fake_wall += HOUR / 2;
	}
	ok(commit_alerts(s, 1, 0, n));
	ok(commit_checkpoint(s, n));
	return s;
}

UNUSED static int32_t retain_by(struct store *s, int64_t age, uint64_t bytes)
{
	struct retention r = { .tape_age = age, .tape_bytes = bytes };

	return store_retain(s, &r, &kit_err);
}

UNUSED static uint32_t retain_all(struct store *s, int64_t age, uint64_t bytes)
{
	uint32_t n = 0;
	int32_t rc;

	while ((rc = retain_by(s, age, bytes)) == TW_AGAIN)
		n++;
	ok(rc);
	return n;
}

UNUSED static uint64_t first_on_tape(struct store *s)
{
	struct segment_info info;

	assert_int_equal(store_segments(s, &info, 1), 1);
	return info.first;
}

UNUSED static uint32_t count_segments(struct store *s)
{
	static struct segment_info info[64];

	return store_segments(s, info, 64);
}

UNUSED static uint64_t disk_bytes(uint32_t from, uint32_t to)
{
	uint64_t sum = 0;

	for (uint32_t i = from; i <= to; i++) {
		char path[128];
		struct stat st;

		kit_path(path, "tape/%06u.tape", i);
		sum += stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	return sum;
}

UNUSED static bool there(const char *name)
{
	char path[128];
	struct stat st;

	kit_path(path, "tape/%s", name);
	return stat(path, &st) == 0;
}

#endif
