/* SPDX-License-Identifier: Apache-2.0
 *
 * LMDB environments: how a file is created, opened, read and synced, and what its error codes mean for us.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#define LOCK_FILE_SIZE (16u << 10) /* LMDB derives about 250 reader slots from it */
#define DISK_SLACK     (4ull << 20)
#define MAX_OVERTAKEN  10000 /* by commits, while a reader begins; then the checksums have the last word */

static const char *const segment_dbs[SEGMENT_DBS] = { "meta", "events", "dead", "sources", "positions" };
static const char *const state_dbs[STATE_DBS] = { "meta", "alerts", "cursors", "values" };

/* LMDB answers a short write on a full disk with EIO, as it does for a failing disk. */
static bool disk_is_full(const struct file *f, uint64_t need)
{
	struct statvfs v;
	char *path = strdup(f->path), *slash = path ? strrchr(path, '/') : NULL;
	bool full = false;

	if (slash && slash != path)
		*slash = '\0';
	if (path && statvfs(slash ? path : ".", &v) == 0)
		full = (uint64_t)v.f_bavail * v.f_frsize < need + DISK_SLACK;
	free(path);
	return full;
}

int32_t file_fail(const struct file *f, int rc, uint64_t need, const char *doing, struct tw_err *err)
{
	switch (rc) {
	case MDB_MAP_FULL:
		return err_set(err, STORE_FULL, "%s: %s: its map is full", f->name, doing);
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return err_set(err, STORE_FULL, "%s: %s: %s; free some space", f->name, doing, strerror(rc));
	case EIO:
		if (disk_is_full(f, need))
			return err_set(err, STORE_FULL, "%s: %s: the disk is full; free some space", f->name, doing);
		return err_set(err, STORE_E_FATAL,
			       "%s: %s: input/output error: the disk may be failing; nothing more is written, check it "
			       "and start again",
			       f->name, doing);
	case MDB_PANIC:
		return err_set(
			err, STORE_E_FATAL,
			"%s: %s: an earlier write failed half-way; start again, what was committed is on the disk",
			f->name, doing);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return err_set(err, STORE_E_DAMAGED,
			       "%s: %s: %s: the file was changed or the disk is failing; restore a copy", f->name,
			       doing, mdb_strerror(rc));
	case MDB_READERS_FULL:
		return err_set(err, TW_E_IO, "%s: %s: too many readers at once; close some", f->name, doing);
	default:
		return err_set(err, TW_E_IO, "%s: %s: %s", f->name, doing, mdb_strerror(rc));
	}
}

int32_t file_init(struct file *f, const char *path, const char *name, bool state)
{
	char *copy = strdup(path);

	if (!copy)
		return TW_E_IO;
	memset(f, 0, sizeof *f);
	f->path = copy;
	f->state = state;
	snprintf(f->name, sizeof f->name, "%s%s", state ? "" : "segment ", name);
	return TW_OK;
}

/* LMDB makes its lock file sparse and maps it: on a full disk the first touch would be a SIGBUS. So its blocks are
 * written before LMDB sees it. */
static int32_t lock_file_make(const struct file *f, struct tw_err *err)
{
	static const unsigned char zero[LOCK_FILE_SIZE];
	char *path = NULL;
	size_t done = 0;
	int32_t ret = TW_OK;
	int fd;

	if (asprintf(&path, "%s-lock", f->path) < 0)
		return err_set(err, TW_E_IO, "out of memory");
	fd = os->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		if (errno != EEXIST)
			ret = file_fail(f, errno, sizeof zero, "making its lock file", err);
		goto out;
	}
	while (done < sizeof zero) {
		ssize_t n = os->write(fd, zero + done, sizeof zero - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ret = file_fail(f, n < 0 ? errno : ENOSPC, sizeof zero, "making its lock file", err);
			break;
		}
		done += (size_t)n;
	}
	os->close(fd);
	if (ret != TW_OK)
		os->unlink(path);
out:
	free(path);
	return ret;
}

static bool has_lock_file(const struct file *f)
{
	char *path = NULL;
	struct stat st;
	bool has;

	if (asprintf(&path, "%s-lock", f->path) < 0)
		return true;
	has = os->stat(path, &st) == 0;
	free(path);
	return has;
}

static int env_open(const char *path, unsigned flags, uint64_t map, MDB_env **ret)
{
	MDB_env *env = NULL;
	int rc = mdb_env_create(&env);

	if (rc)
		return rc;
	rc = mdb_env_set_maxdbs(env, SEGMENT_DBS + 1);
	if (rc == 0 && map) /* a reader takes the size the file knows */
		rc = mdb_env_set_mapsize(env, map);
	if (rc == 0)
		rc = mdb_env_open(env, path, flags | MDB_NOSUBDIR | MDB_NOTLS, 0600);
	if (rc)
		mdb_env_close(env);
	else
		*ret = env;
	return rc;
}

static int dbs_open(struct file *f, MDB_txn *txn, unsigned flags)
{
	int n = f->state ? (int)STATE_DBS : (int)SEGMENT_DBS, rc = 0;

	for (int i = 0; i < n && rc == 0; i++)
		rc = mdb_dbi_open(txn, f->state ? state_dbs[i] : segment_dbs[i], flags, &f->db[i]);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int32_t walk_in_child(struct child *c, void *arg, struct tw_err *err)
{
	struct file f = *(struct file *)arg;
	int32_t rc;

	child_at(c, f.name);
	f.env = NULL;
	f.trusted = true;
	rc = file_open(&f, 0, false, true, err);
	if (rc == TW_OK)
		rc = file_walk(&f, err);
	file_close(&f);
	return rc;
}

/* A file that ends before its last page may be whole all the same (LMDB leaves out pages it gave up again), or was cut
 * short, and reading it would be a SIGBUS. */
static int32_t check_size(struct file *f, const struct stat *st, struct tw_err *err)
{
	MDB_envinfo info;
	MDB_stat page;
	struct buf none = { 0 };
	int32_t ret;

	mdb_env_info(f->env, &info);
	mdb_env_stat(f->env, &page);
	if (f->trusted || (uint64_t)st->st_size >= (info.me_last_pgno + 1) * (uint64_t)page.ms_psize)
		return TW_OK;
	ret = child_run(walk_in_child, f, &none, err);
	buf_free(&none);
	return ret;
}

/* LMDB keeps the roots of the last two commits, in turn, and goes by their numbers alone: a flipped bit there would
 * take the file back one commit without a word. The numbers are neighbours, each in its own place by parity, and the
 * file of the later one is not smaller. */
struct meta { /* LMDB's data format 1, behind a page header of 16 bytes */
	uint32_t magic, version;
	uint64_t address, mapsize, trees[12], last_page, txn;
};

static int32_t check_metas(const struct file *f, struct tw_err *err)
{
	struct meta m[2];
	MDB_stat st;
	int fd;

	mdb_env_stat(f->env, &st);
	if (mdb_env_get_fd(f->env, &fd))
		return TW_OK;
	for (int tries = 0; tries < 1000; tries++) { /* a live writer may commit between the two reads */
		bool bad = false;

		for (int i = 0; i < 2; i++) {
			if (os->pread(fd, &m[i], sizeof m[i], (off_t)i * st.ms_psize + 16) != (ssize_t)sizeof m[i])
				return file_fail(f, EIO, 0, "reading", err);
			if (m[i].version != 1)
				return TW_OK; /* not a form we know */
			bad |= (m[i].txn & 1) != (uint64_t)i;
		}
		bad |= m[0].txn - m[1].txn != 1 && m[1].txn - m[0].txn != 1;
		if (!bad && (m[0].txn > m[1].txn) == (m[0].last_page > m[1].last_page))
			return TW_OK;
		if (!bad && m[0].last_page == m[1].last_page)
			return TW_OK;
	}
	return err_set(
		err, STORE_E_DAMAGED,
		"%s: its two roots do not fit together: the file was changed or the disk is failing; restore a copy",
		f->name);
}

int32_t file_open(struct file *f, uint64_t map, bool nosync, bool bare, struct tw_err *err)
{
	struct stat st;
	MDB_txn *txn = NULL;
	unsigned flags = map ? (nosync ? MDB_NOSYNC : 0) : MDB_RDONLY;
	int32_t ret = TW_OK;
	int rc;

	if (os->stat(f->path, &st) < 0)
		return err_sys(err, errno, "%s", f->name);
	/* LMDB takes an empty file for a new one. Ours come into being whole. */
	if (st.st_size < 2 * 4096)
		return err_set(err, STORE_E_DAMAGED, "%s is cut short: it has %lld bytes; restore a copy", f->name,
			       (long long)st.st_size);
	if (map) {
		ret = lock_file_make(f, err);
		if (ret != TW_OK)
			return ret;
	} else if (bare && !has_lock_file(f)) {
		flags |= MDB_NOLOCK; /* a copy that nobody writes: leave no file beside it */
	}
	rc = env_open(f->path, flags, map, &f->env);
	if (!map && (rc == EACCES || rc == EROFS || rc == EPERM))
		rc = env_open(f->path, flags | MDB_NOLOCK, 0, &f->env);
	if (rc) {
		f->env = NULL;
		return file_fail(f, rc, DISK_SLACK, "opening", err);
	}
	ret = check_metas(f, err);
	if (ret == TW_OK)
		ret = check_size(f, &st, err);
	if (ret != TW_OK)
		goto out;
	rc = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn);
	if (rc == 0)
		rc = dbs_open(f, txn, 0);
	/* Only a commit keeps the handles. */
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	else if (txn)
		mdb_txn_abort(txn);
	if (rc)
		ret = file_fail(f, rc, 0, "opening", err);
out:
	if (ret != TW_OK)
		file_close(f);
	return ret;
}

void file_close(struct file *f)
{
	if (f->env)
		mdb_env_close(f->env);
	f->env = NULL;
}

void file_free(struct file *f)
{
	file_close(f);
	free(f->path);
	f->path = NULL;
}

int32_t file_create(struct file *f, const char *dir, uint64_t map,
		    int32_t (*fill)(void *arg, struct file *, MDB_txn *, struct tw_err *), void *arg,
		    struct tw_err *err)
{
	struct file tmp = *f;
	char *path = NULL;
	MDB_txn *txn = NULL;
	int32_t ret;
	int rc, fd;

	tmp.env = NULL;
	if (asprintf(&path, "%s.new", f->path) < 0)
		return err_set(err, TW_E_IO, "out of memory");
	tmp.path = path;
	if (os->unlink(path) < 0 && errno != ENOENT) {
		ret = err_sys(err, errno, "cannot remove %s", path);
		goto out;
	}
	/* Nobody else knows this name yet: no lock. */
	rc = env_open(path, MDB_NOLOCK, map, &tmp.env);
	if (rc == 0)
		rc = mdb_txn_begin(tmp.env, NULL, 0, &txn);
	if (rc == 0)
		rc = dbs_open(&tmp, txn, MDB_CREATE);
	ret = rc ? file_fail(f, rc, DISK_SLACK, "creating", err) : fill(arg, &tmp, txn, err);
	if (ret == TW_OK) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
		if (rc)
			ret = file_fail(f, rc, DISK_SLACK, "creating", err);
	}
	if (txn)
		mdb_txn_abort(txn);
	file_close(&tmp);
	if (ret != TW_OK)
		goto out;
	CRASH_POINT("file.written");
	/* LMDB syncs the data, but neither the file's entry nor its folder. */
	fd = os->open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0 || os->fsync(fd) < 0)
		ret = file_fail(f, errno, DISK_SLACK, "syncing", err);
	if (fd >= 0)
		os->close(fd);
	CRASH_POINT("file.synced");
	if (ret == TW_OK)
		ret = lock_file_make(f, err);
	if (ret == TW_OK && os->rename(path, f->path) < 0)
		ret = file_fail(f, errno, DISK_SLACK, "putting it in its place", err);
	CRASH_POINT("file.renamed");
	if (ret == TW_OK && os_sync_dir(dir) < 0)
		ret = file_fail(f, errno, DISK_SLACK, "syncing its folder", err);
	CRASH_POINT("file.made");
out:
	if (ret != TW_OK)
		os->unlink(path);
	free(path);
	return ret;
}

/* LMDB takes the number of the last commit and then copies the roots that belong to it, which the next commit but one
 * overwrites. When the number is still the last after that, nothing can have come between. */
static bool was_overtaken(const struct file *f, MDB_txn *txn)
{
	MDB_envinfo info;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return mdb_env_info(f->env, &info) == 0 && info.me_last_txnid != mdb_txn_id(txn);
}

int32_t file_read(struct store *s, const struct file *f, MDB_txn **txn, struct tw_err *err)
{
	bool tried_resize = false, tried_readers = false;
	int rc, overtaken = 0;

	for (;;) {
		pthread_rwlock_rdlock(&s->map_lock);
		rc = *txn ? mdb_txn_renew(*txn) : mdb_txn_begin(f->env, NULL, MDB_RDONLY, txn);
		if (rc == 0 && (overtaken == MAX_OVERTAKEN || !was_overtaken(f, *txn)))
			return TW_OK;
		if (rc == 0) {
			mdb_txn_reset(*txn);
			overtaken++;
		}
		pthread_rwlock_unlock(&s->map_lock);
		if (rc == 0) {
			sched_yield();
		} else if (rc == MDB_MAP_RESIZED && !tried_resize) {
			/* The writer is another process with a larger map. */
			tried_resize = true;
			pthread_rwlock_wrlock(&s->map_lock);
			mdb_env_set_mapsize(f->env, 0);
			pthread_rwlock_unlock(&s->map_lock);
		} else if (rc == MDB_READERS_FULL && !tried_readers) {
			int dead;

			tried_readers = true;
			mdb_reader_check(f->env, &dead);
		} else {
			return file_fail(f, rc, 0, "reading", err);
		}
	}
}

void file_unread(struct store *s, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_rwlock_unlock(&s->map_lock);
}

void file_unread_end(struct store *s, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	pthread_rwlock_unlock(&s->map_lock);
}

int32_t file_sync(const struct file *f, struct tw_err *err)
{
	int rc = mdb_env_sync(f->env, 1);

	/* The kernel may have dropped the pages it could not write: never tried again. */
	return rc ? err_set(err, STORE_E_FATAL, "%s: syncing: %s; start again, what was synced before is on the disk",
			    f->name, mdb_strerror(rc))
		  : TW_OK;
}

int32_t file_walk(const struct file *f, struct tw_err *err)
{
	int n = f->state ? (int)STATE_DBS : (int)SEGMENT_DBS, rc;
	uint64_t seen = 0;
	MDB_txn *txn = NULL;

	rc = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &txn);
	for (int i = 0; i < n && rc == 0; i++) {
		MDB_cursor *cur = NULL;
		MDB_val k, v;
		MDB_stat st;
		size_t entries = 0;

		rc = mdb_stat(txn, f->db[i], &st);
		if (rc == 0)
			rc = mdb_cursor_open(txn, f->db[i], &cur);
		while (rc == 0 && (rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
			seen += XXH3_64bits(k.mv_data, k.mv_size) + XXH3_64bits(v.mv_data, v.mv_size);
			if (++entries > st.ms_entries)
				break;
		}
		if (rc == MDB_NOTFOUND)
			rc = 0;
		if (rc == 0 && entries != st.ms_entries)
			rc = MDB_CORRUPTED;
		if (cur)
			mdb_cursor_close(cur);
	}
	if (txn)
		mdb_txn_abort(txn);
	__asm__ volatile("" : : "r"(seen)); /* the reading itself is the purpose */
	return rc ? file_fail(f, rc, 0, "reading", err) : TW_OK;
}

int32_t store_set_map(struct store *s, uint64_t segment, uint64_t state, struct tw_err *err)
{
	int rc = 0;

	pthread_rwlock_wrlock(&s->map_lock);
	if (segment) {
		s->map_segment = segment;
		rc = mdb_env_set_mapsize(s->cur->file.env, segment);
	}
	if (rc == 0 && state) {
		s->map_state = state;
		rc = mdb_env_set_mapsize(s->state.env, state);
	}
	pthread_rwlock_unlock(&s->map_lock);
	return rc ? err_set(err, TW_E_IO, "cannot change the size of the map: %s", mdb_strerror(rc)) : TW_OK;
}
