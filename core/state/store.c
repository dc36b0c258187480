/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing the store: the lock, the folder, what it says about itself, and the names of the sources.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

static char *join(const char *dir, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static bool is_there(const char *dir, const char *name)
{
	char *path = join(dir, name);
	struct stat st;
	bool there = path && os->stat(path, &st) == 0;

	free(path);
	return there;
}

bool store_exists(const char *dir)
{
	return is_there(dir, "state.lmdb");
}

/* ---- the lock ---- */
static void lock_owner(int fd, char out[32])
{
	ssize_t n = os->pread(fd, out, 31, 0);
	size_t len = 0;

	while (n > 0 && len < (size_t)n && out[len] >= '0' && out[len] <= '9')
		len++;
	out[len] = '\0';
}

static int32_t lock_take(struct store *s, struct tw_err *err)
{
	char *path = join(s->dir, "LOCK"), pid[32];
	int32_t rc = TW_OK;
	int n;

	if (!path)
		return err_set(err, TW_E_IO, "out of memory");
	s->lock_fd = os->open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) {
		rc = err_sys(err, errno, "cannot open %s", path);
	} else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK) {
			lock_owner(s->lock_fd, pid);
			rc = err_set(err, STORE_E_LOCKED,
				     "%s is in use by process %s: stop that one first, or give another folder with -d",
				     s->dir, pid[0] ? pid : "(unknown)");
		} else {
			rc = err_sys(err, errno, "cannot lock %s", path);
		}
	} else {
		n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
		/* The number is for people; the lock holds without it, on a full disk too. */
		if (os->ftruncate(s->lock_fd, 0) < 0 || os->write(s->lock_fd, pid, (size_t)n) < 0)
			log_warn("store", "cannot write the process number to %s: %s", path, strerror(errno));
	}
	free(path);
	return rc;
}

static void warn_of_remote(const char *dir)
{
	static const struct {
		long magic;
		const char *name;
	} remote[] = { { 0x6969, "nfs" },
		       { 0xff534d42, "cifs" },
		       { 0xfe534d42, "smb2" },
		       { 0x65735546, "fuse" },
		       { 0x01021997, "9p" } };
	struct statfs v;

	if (statfs(dir, &v) < 0)
		return;
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if ((long)v.f_type == remote[i].magic)
			log_warn("store",
				 "%s lies on a %s file system, where locks and syncs may not hold: keep the store on "
				 "a local disk",
				 dir, remote[i].name);
}

/* ---- sources ---- */
static int32_t load_source(void *arg, const void *key, size_t klen, const void *data, size_t len, struct tw_err *err)
{
	struct store *s = arg;
	uint32_t n = atomic_load(&s->n_sources);
	uint16_t number;
	char *name;

	if (klen != sizeof number || !len || len > MAX_NAME)
		return err_set(err, STORE_E_DAMAGED, "a source name in the tape is not one");
	memcpy(&number, key, sizeof number);
	number = __builtin_bswap16(number);
	if (number > n)
		return err_set(err, STORE_E_DAMAGED, "the source numbers in the tape have a gap at %u", n);
	if (number < n)
		return TW_OK;
	name = strndup(data, len);
	if (!name)
		return err_set(err, TW_E_IO, "out of memory");
	s->sources[n] = name;
	atomic_store(&s->n_sources, n + 1);
	return TW_OK;
}

int32_t sources_load(struct store *s, const struct segment *g, struct tw_err *err)
{
	struct segment_head head;
	MDB_txn *txn = NULL;
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	rc = file_read(s, &g->file, &txn, err);
	if (rc == TW_OK) {
		rc = segment_head_read(&g->file, txn, &head, err);
		if (rc == TW_OK)
			rc = sealed_each(&g->file, txn, DB_SOURCES, head.n_sources, head.sources_sum, load_source, s,
					 err);
		if (rc == TW_OK)
			rc = sealed_each(&g->file, txn, DB_POSITIONS, head.n_positions, head.positions_sum, NULL, NULL,
					 err);
		file_unread_end(s, txn);
	}
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int32_t store_source(struct store *s, const char *name, uint16_t *ret, struct tw_err *err)
{
	uint32_t n = atomic_load(&s->n_sources);
	char *copy;

	for (uint32_t i = 0; i < n; i++)
		if (strcmp(s->sources[i], name) == 0) {
			*ret = (uint16_t)i;
			return TW_OK;
		}
	if (n >= MAX_SOURCES)
		return err_set(err, TW_E_FATAL, "no number is left for source %s: the tape knows %u already", name, n);
	if (!name[0] || strlen(name) > MAX_NAME)
		return err_set(err, TW_E_CONFIG, "source name '%.40s' must have 1 to %u bytes", name, MAX_NAME);
	copy = strdup(name);
	if (!copy)
		return err_set(err, TW_E_IO, "out of memory");
	s->sources[n] = copy;
	atomic_store(&s->n_sources, n + 1);
	*ret = (uint16_t)n;
	return TW_OK;
}

const char *store_source_name(const struct store *cs, uint16_t number)
{
	struct store *s = (struct store *)(uintptr_t)cs; /* what it knows grows; what it is does not change */
	struct segment *g;

	if (number >= atomic_load(&s->n_sources) && s->mode == STORE_READ && segment_last(s, &g, NULL) == TW_OK) {
		sources_load(s, g, NULL);
		segment_unref(s, g);
	}
	return number < atomic_load(&s->n_sources) ? s->sources[number] : NULL;
}

/* ---- opening ---- */
static int32_t fill_state(void *arg, struct file *f, MDB_txn *txn, struct tw_err *err)
{
	struct store *s = arg;
	struct state_head h = { .magic = STATE_MAGIC, .format = STORE_FORMAT, .created = os->wall() };
	int rc;

	memcpy(h.tape_id, s->tape_id, 32);
	rc = state_head_put(f, txn, &h);
	return rc ? file_fail(f, rc, 0, "writing its head", err) : TW_OK;
}

static int32_t create_state(struct store *s, struct tw_err *err)
{
	unsigned char id[16];

	if (s->n_segs)
		return err_set(err, STORE_E_DAMAGED,
			       "%s has a tape but no state.lmdb: restore it, or give another folder with -d", s->dir);
	if (os->random(id, sizeof id) < 0)
		return err_sys(err, errno, "no random numbers for the tape's id");
	for (size_t i = 0; i < sizeof id; i++)
		snprintf(s->tape_id + 2 * i, 3, "%02x", id[i]);
	return file_create(&s->state, s->dir, s->map_state, fill_state, s, err);
}

static int32_t open_state(struct store *s, struct tw_err *err)
{
	MDB_txn *txn = NULL;
	int32_t rc;

	s->state.trusted = s->trusted;
	rc = file_open(&s->state, s->mode == STORE_WRITE ? s->map_state : 0, s->opt.sync != SYNC_ALWAYS, false, err);
	if (rc == TW_OK)
		rc = file_read(s, &s->state, &txn, err);
	if (rc != TW_OK)
		return rc;
	rc = state_head_read(&s->state, txn, &s->state_head, err);
	if (rc == TW_OK)
		rc = sealed_each(&s->state, txn, DB_CURSORS, s->state_head.n_cursors, s->state_head.cursors_sum, NULL,
				 NULL, err);
	file_unread_end(s, txn);
	if (rc == TW_OK) {
		memcpy(s->tape_id, s->state_head.tape_id, 32);
		atomic_store(&s->last_alert, s->state_head.last_alert);
		atomic_store(&s->complete, s->state_head.complete);
	}
	return rc;
}

/* A new folder's own entry must survive a power failure too. Folders above that are not ours may refuse. */
static void sync_parents(const char *dir)
{
	char *path = strdup(dir), *slash;

	while (path && (slash = strrchr(path, '/')) && slash != path) {
		*slash = '\0';
		os_sync_dir(path);
	}
	os_sync_dir(".");
	free(path);
}

static int32_t open_write(struct store *s, struct tw_err *err)
{
	const struct state_head *h = &s->state_head;
	struct stat st;
	int dead = 0;
	int32_t rc;

	if (os->stat(s->tape_dir, &st) < 0) {
		if (os_mkdirs(s->dir, 0700) < 0 || os_mkdirs(s->tape_dir, 0700) < 0)
			return err_sys(err, errno, "cannot make the folder %s", s->tape_dir);
		sync_parents(s->tape_dir);
	}
	rc = lock_take(s, err);
	if (rc != TW_OK)
		return rc;
	CRASH_POINT("store.locked");
	warn_of_remote(s->dir);
	rc = segments_scan(s, err);
	if (rc == TW_OK && !store_exists(s->dir))
		rc = create_state(s, err);
	if (rc == TW_OK)
		rc = open_state(s, err);
	if (rc != TW_OK)
		return rc;
	if (!s->n_segs && (h->complete || h->last_alert || h->has_checkpoint))
		return err_set(err, STORE_E_DAMAGED,
			       "%s has alerts or a checkpoint, but its tape is missing: restore a copy", s->dir);
	rc = s->n_segs ? segment_resume(s, err) : segment_start(s, err);
	if (rc == TW_OK)
		rc = retain_resume(s, err);
	if (rc == TW_OK)
		rc = sources_load(s, s->cur, err);
	if (rc != TW_OK)
		return rc;
	if (h->complete > s->head.last)
		return err_set(err, STORE_E_DAMAGED,
			       "%s: alerts are complete through event %" PRIu64 ", but the tape ends at %" PRIu64
			       ": its end is missing, restore a copy",
			       s->dir, h->complete, s->head.last);
	/* Slots of readers that were killed keep pages from being used again. */
	mdb_reader_check(s->state.env, &dead);
	mdb_reader_check(s->cur->file.env, &dead);
	s->synced = s->checked = os->mono();
	CRASH_POINT("store.opened");
	return TW_OK;
}

static int32_t open_read(struct store *s, struct tw_err *err)
{
	struct segment *g = NULL;
	struct stat st;
	int32_t rc = TW_OK;

	if (os->stat(s->dir, &st) < 0)
		return err_sys(err, errno, "cannot open %s", s->dir);
	if (!S_ISDIR(st.st_mode)) {
		s->bare = true;
		free(s->tape_dir);
		s->tape_dir = NULL;
		if (segment_add(s, 1, s->dir, s->dir, NULL) != TW_OK)
			return err_set(err, TW_E_IO, "out of memory");
	} else if (store_exists(s->dir)) {
		rc = open_state(s, err);
		if (rc == TW_OK && is_there(s->dir, "tape"))
			rc = segments_scan(s, err);
	} else {
		s->bare = true;
		if (!is_there(s->dir, "tape")) {
			free(s->tape_dir);
			s->tape_dir = strdup(s->dir);
			if (!s->tape_dir)
				return err_set(err, TW_E_IO, "out of memory");
		}
		rc = segments_scan(s, err);
		if (rc == TW_OK && !s->n_segs)
			rc = err_set(err, TW_E_IO,
				     "there is no store in %s: expected state.lmdb or segments NNNNNN.tape", s->dir);
	}
	if (rc == TW_OK)
		rc = segment_last(s, &g, err);
	if (rc == TW_OK) {
		rc = sources_load(s, g, err);
		segment_unref(s, g);
	}
	return rc == TW_AGAIN ? TW_OK : rc;
}

/* For tests of what happens at the end of a map: TW_MAP=SEGMENT:STATE in KiB, 0 as usual. */
static void small_maps(struct store *s)
{
	const char *set = secure_getenv("TW_MAP");
	uint64_t segment, state;

	if (!set || sscanf(set, "%7" SCNu64 ":%7" SCNu64, &segment, &state) != 2)
		return;
	if (segment)
		s->map_segment = segment << 10;
	if (state)
		s->map_state = state << 10;
}

int32_t store_open_as(struct store **ret, const char *dir, enum store_mode mode, const struct store_options *opt,
		      bool trusted, struct tw_err *err)
{
	struct store *s = calloc(1, sizeof *s);
	char *state = join(dir, "state.lmdb");
	int32_t rc = TW_E_IO;

	if (!s || !state) {
		free(s);
		free(state);
		return err_set(err, TW_E_IO, "out of memory");
	}
	s->lock_fd = -1;
	s->mode = mode;
	s->trusted = trusted;
	if (opt)
		s->opt = *opt;
	if (!s->opt.segment_size)
		s->opt.segment_size = SEGMENT_SIZE;
	s->map_segment = s->opt.segment_size > MAP_SEGMENT / 4 ? 4 * s->opt.segment_size : MAP_SEGMENT;
	s->map_state = MAP_STATE;
	small_maps(s);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_rwlock_init(&s->map_lock, NULL);
	s->dir = strdup(dir);
	s->tape_dir = join(dir, "tape");
	s->sources = calloc(MAX_SOURCES, sizeof(char *));
	if (!s->dir || !s->tape_dir || !s->sources || file_init(&s->state, state, "state.lmdb", true) != TW_OK)
		err_set(err, TW_E_IO, "out of memory");
	else
		rc = mode == STORE_WRITE ? open_write(s, err) : open_read(s, err);
	free(state);
	if (rc == TW_OK)
		*ret = s;
	else
		store_close(s);
	/* On a disk that is too full to open it there is nobody yet who could wait for room. */
	return rc > 0 ? TW_E_IO : rc;
}

int32_t store_open(struct store **ret, const char *dir, enum store_mode mode, const struct store_options *opt,
		   struct tw_err *err)
{
	return store_open_as(ret, dir, mode, opt, false, err);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	/* A clean end is on the disk, however lazy the syncs were. */
	if (s->mode == STORE_WRITE && s->opt.sync != SYNC_ALWAYS && s->cur) {
		struct tw_err err;

		if (file_sync(&s->cur->file, &err) != TW_OK || file_sync(&s->state, &err) != TW_OK)
			log_error("store", "%s", err.msg);
	}
	segments_free(s);
	file_free(&s->state);
	if (s->lock_fd >= 0)
		os->close(s->lock_fd);
	for (uint32_t i = 0; s->sources && i < atomic_load(&s->n_sources); i++)
		free(s->sources[i]);
	free(s->sources);
	buf_free(&s->scratch);
	pthread_rwlock_destroy(&s->map_lock);
	pthread_mutex_destroy(&s->mutex);
	free(s->tape_dir);
	free(s->dir);
	free(s);
}

int32_t store_sync_due(struct store *s, struct tw_err *err)
{
	int64_t now = os->mono();
	int32_t rc = TW_OK;
	int dead;

	if (now - s->checked > 60 * INT64_C(1000000000)) {
		mdb_reader_check(s->state.env, &dead);
		mdb_reader_check(s->cur->file.env, &dead);
		s->checked = now;
	}
	if (s->opt.sync != SYNC_INTERVAL || now - s->synced < s->opt.sync_interval)
		return TW_OK;
	/* The tape first: alerts never outlive the events they are about. */
	rc = file_sync(&s->cur->file, err);
	if (rc == TW_OK)
		rc = file_sync(&s->state, err);
	if (rc == TW_OK)
		s->synced = now;
	return rc;
}

/* ---- what it says about itself ---- */
static void look_again(struct store *s)
{
	struct segment_head head;
	struct state_head state;
	struct segment *g;
	MDB_txn *txn = NULL;

	if (segment_last(s, &g, NULL) == TW_OK) {
		if (segment_head_now(s, g, &head, NULL) == TW_OK)
			atomic_store(&s->last_seq, head.last);
		segment_unref(s, g);
	}
	if (s->state.env && file_read(s, &s->state, &txn, NULL) == TW_OK) {
		if (state_head_read(&s->state, txn, &state, NULL) == TW_OK) {
			atomic_store(&s->last_alert, state.last_alert);
			atomic_store(&s->complete, state.complete);
		}
		file_unread_end(s, txn);
	}
}

static struct store *fresh(const struct store *cs)
{
	struct store *s = (struct store *)(uintptr_t)cs; /* as above: only its copy of the numbers changes */

	if (s->mode == STORE_READ)
		look_again(s);
	return s;
}

const char *store_tape_id(const struct store *s)
{
	return s->tape_id;
}

uint64_t store_last_seq(const struct store *s)
{
	return atomic_load(&fresh(s)->last_seq);
}

uint64_t store_last_alert(const struct store *s)
{
	return atomic_load(&fresh(s)->last_alert);
}

uint64_t store_complete(const struct store *s)
{
	return atomic_load(&fresh(s)->complete);
}
