/* SPDX-License-Identifier: Apache-2.0
 *
 * A store with something of everything in it, and ways to break it.
 */
#ifndef TEST_STORE_DAMAGE_KIT_H
#define TEST_STORE_DAMAGE_KIT_H

#include "test_store_kit.h"
#include <fcntl.h>
#include <signal.h>

static const struct store_options small = { .segment_size = 30000 };

#define EVENTS 700u
#define ALERTS 30u

/* A store with three segments, alerts, cursors and a checkpoint. */
UNUSED static void make_store(void)
{
	static const struct state_value v[] = { { 1, 1, "one", 3 }, { 1, 2, "two", 3 }, { 2, 1, "three", 5 } };
	struct checkpoint c = { .seq = 300, .note = "note", .whole = true, .values = v, .n = 3 };
	struct cursor k = { "console", 11 };
	struct alert_commit a = { .cursors = &k, .n_cursors = 1 };
	struct position p = { .source = "a", .marked = true, .after = 5, .pos = { .len = 3, .data = "pos" } };
	struct dead_letter d = { .seq = 3, .source = str("a"), .reason = str("bad_price"), .raw = str("raw") };
	struct tape_commit t = { .positions = &p, .n_positions = 1, .dead = &d, .n_dead = 1 };
	struct store *s = open_store(&small);
	uint16_t number;

	ok(store_source(s, "alpha", &number, &kit_err));
	ok(store_commit_tape(s, &t, &kit_err));
	for (uint64_t seq = 1; seq <= EVENTS; seq += 100)
		ok(commit_quotes(s, seq, 2, 50));
	ok(commit_alerts(s, 1, ALERTS / 2, 300));
	ok(commit_alerts(s, 1 + ALERTS / 2, ALERTS / 2, 600));
	ok(store_commit_alerts(s, &a, &kit_err));
	ok(store_commit_checkpoint(s, &c, &kit_err));
	store_close(s);
}

UNUSED static int32_t three_values(void *arg, const struct state_value *v, struct tw_err *err)
{
	static const char *const texts[] = { "one", "two", "three" };
	int *n = arg;

	(void)err;
	if (*n >= 3 || v->len != strlen(texts[*n]) || memcmp(v->data, texts[*n], v->len) != 0)
		*n = 100;
	*n += 1;
	return TW_OK;
}

UNUSED static int64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

UNUSED static unsigned char swap_byte(const char *path, int64_t at, unsigned char value)
{
	int fd = open(path, O_RDWR);
	unsigned char old = 0;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &old, 1, at), 1);
	assert_int_equal(pwrite(fd, &value, 1, at), 1);
	close(fd);
	return old;
}

/* The place of some bytes in a file; -1: not there. */
UNUSED static int64_t find(const char *path, const void *what, size_t n)
{
	FILE *f = fopen(path, "rb");
	size_t size = (size_t)size_of(path);
	char *all = malloc(size), *p;
	int64_t at;

	assert_non_null(f);
	assert_non_null(all);
	assert_int_equal(fread(all, 1, size, f), size);
	fclose(f);
	p = memmem(all, size, what, n);
	at = p ? p - all : -1;
	free(all);
	return at;
}

/* ---- what only LMDB itself could have lost: taken out by hand, with everything else in order ---- */
UNUSED static void remove_key(struct file *f, int db, const void *key, size_t len)
{
	MDB_val k = { len, (void *)(uintptr_t)key };
	struct segment_head g;
	struct state_head h;
	MDB_txn *txn;

	assert_int_equal(mdb_txn_begin(f->env, NULL, 0, &txn), 0);
	/* The head as it was, for it must name this commit. */
	MDB_val head_key = { 4, (void *)(uintptr_t) "head" }, head;
	assert_int_equal(mdb_get(txn, f->db[DB_META], &head_key, &head), 0);
	memcpy(f->state ? (void *)&h : (void *)&g, (char *)head.mv_data + 8, f->state ? sizeof h : sizeof g);
	assert_int_equal(mdb_del(txn, f->db[db], &k, NULL), 0);
	assert_int_equal(f->state ? state_head_put(f, txn, &h) : segment_head_put(f, txn, &g), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

#endif
