/* SPDX-License-Identifier: Apache-2.0
 *
 * The segments of the tape: which there are, opening them when a reader needs them, starting the next one.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "state/store_impl.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t segment_map(const struct store *s)
{
	return s->map_segment;
}

static int32_t insert_locked(struct store *s, struct segment *g)
{
	uint32_t i = s->n_segs;

	if (s->n_segs == s->cap_segs) {
		uint32_t cap = s->cap_segs ? 2 * s->cap_segs : 16;
		struct segment **more = realloc(s->segs, cap * sizeof(struct segment *));

		if (!more)
			return TW_E_IO;
		s->segs = more;
		s->cap_segs = cap;
	}
	while (i > 0 && s->segs[i - 1]->number > g->number) {
		s->segs[i] = s->segs[i - 1];
		i--;
	}
	s->segs[i] = g;
	s->n_segs++;
	return TW_OK;
}

static int32_t add_locked(struct store *s, uint32_t number, const char *path, const char *name, struct segment **ret)
{
	struct segment *g = calloc(1, sizeof *g);

	if (!g || file_init(&g->file, path, name, false) != TW_OK) {
		free(g);
		return TW_E_IO;
	}
	g->number = number;
	g->file.trusted = s->trusted;
	if (insert_locked(s, g) != TW_OK) {
		file_free(&g->file);
		free(g);
		return TW_E_IO;
	}
	if (ret)
		*ret = g;
	return TW_OK;
}

int32_t segment_add(struct store *s, uint32_t number, const char *path, const char *name, struct segment **ret)
{
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	rc = add_locked(s, number, path, name, ret);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

/* Add the segment of this number if its file is there. TW_AGAIN: it is not. */
static int32_t add_number_locked(struct store *s, uint32_t number, bool look, struct segment **ret, struct tw_err *err)
{
	char name[32], *path = NULL;
	struct stat st;
	int32_t rc = TW_AGAIN;

	snprintf(name, sizeof name, "tape/%06u.tape", number);
	if (asprintf(&path, "%s/%s", s->tape_dir, name + 5) < 0)
		return err_set(err, TW_E_IO, "out of memory");
	if (!look || os->stat(path, &st) == 0) {
		rc = add_locked(s, number, path, name, ret);
		if (rc != TW_OK)
			err_set(err, rc, "out of memory");
	}
	free(path);
	return rc;
}

static bool number_of(const char *name, uint32_t *ret)
{
	uint32_t n = 0;

	for (int i = 0; i < 6; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		n = 10 * n + (uint32_t)(name[i] - '0');
	}
	*ret = n;
	return n > 0 && strcmp(name + 6, ".tape") == 0;
}

static int32_t scan_locked(struct store *s, struct tw_err *err)
{
	DIR *d = opendir(s->tape_dir); /* reading a folder is not in the os table; it changes nothing */
	struct dirent *e;
	uint32_t number;
	int32_t rc = TW_OK;

	if (!d)
		return err_sys(err, errno, "cannot read the folder %s", s->tape_dir);
	while (rc == TW_OK && (e = readdir(d))) {
		bool have = false;

		if (!number_of(e->d_name, &number))
			continue;
		for (uint32_t i = s->n_segs; i > 0 && !have; i--)
			have = s->segs[i - 1]->number == number;
		if (!have)
			rc = add_number_locked(s, number, false, NULL, err);
	}
	closedir(d);
	return rc;
}

int32_t segments_scan(struct store *s, struct tw_err *err)
{
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	rc = scan_locked(s, err);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

static void close_idle_locked(struct store *s)
{
	struct segment *oldest = NULL;

	if (s->n_open < MAX_OPEN)
		return;
	for (uint32_t i = 0; i < s->n_segs; i++) {
		struct segment *g = s->segs[i];

		if (g->file.env && !g->refs && (!oldest || g->used < oldest->used))
			oldest = g;
	}
	if (oldest) {
		file_close(&oldest->file);
		s->n_open--;
	}
}

static int32_t check_head(struct store *s, struct segment *g, const struct segment_head *h, struct tw_err *err)
{
	if (s->tape_id[0] && memcmp(h->tape_id, s->tape_id, 32) != 0)
		return err_set(err, STORE_E_DAMAGED,
			       "%s belongs to another tape (%.32s, expected %s): it was copied into this folder",
			       g->file.name, h->tape_id, s->tape_id);
	if (!s->tape_dir)
		g->number = h->number;
	if (h->number != g->number)
		return err_set(err, STORE_E_DAMAGED, "%s says that it is segment %u: it was renamed", g->file.name,
			       h->number);
	if (h->schema > TW_EVENT_SCHEMA)
		return err_set(err, STORE_E_DAMAGED,
			       "%s has events of schema %u, this tapewatch knows %u: use a newer version", g->file.name,
			       h->schema, TW_EVENT_SCHEMA);
	if (!s->tape_id[0])
		memcpy(s->tape_id, h->tape_id, 32);
	g->first[LOG_TAPE] = h->first;
	g->first[LOG_DEAD] = h->dead_first;
	g->known = true;
	return TW_OK;
}

static int32_t ref_locked(struct store *s, struct segment *g, uint64_t map, struct tw_err *err)
{
	struct segment_head head;
	MDB_txn *txn = NULL;
	int32_t rc = TW_OK;

	g->used = ++s->turn;
	if (!g->file.env) {
		close_idle_locked(s);
		rc = file_open(&g->file, map, s->opt.sync != SYNC_ALWAYS, s->bare, err);
		if (rc != TW_OK)
			return rc;
		rc = file_read(s, &g->file, &txn, err);
		if (rc == TW_OK) {
			rc = segment_head_read(&g->file, txn, &head, err);
			file_unread_end(s, txn);
		}
		if (rc == TW_OK)
			rc = check_head(s, g, &head, err);
		if (rc != TW_OK) {
			file_close(&g->file);
			return rc;
		}
		s->n_open++;
	}
	g->refs++;
	return rc;
}

int32_t segment_ref(struct store *s, struct segment *g, struct tw_err *err)
{
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	rc = ref_locked(s, g, 0, err);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

void segment_unref(struct store *s, struct segment *g)
{
	pthread_mutex_lock(&s->mutex);
	g->refs--;
	pthread_mutex_unlock(&s->mutex);
}

static bool is_gone(const struct segment *g)
{
	struct stat st;

	return os->stat(g->file.path, &st) < 0 && errno == ENOENT;
}

/* A process that reads knows of segments that the writer may have given up since: forget one that could not be opened
 * for that reason. */
static bool forget_gone_locked(struct store *s, uint32_t i)
{
	struct segment *g = s->segs[i];

	if (s->mode != STORE_READ || s->n_segs < 2 || g->file.env || !is_gone(g))
		return false;
	s->n_segs--;
	memmove(s->segs + i, s->segs + i + 1, (s->n_segs - i) * sizeof(struct segment *));
	file_free(&g->file);
	free(g);
	return true;
}

/* The last segment that begins at or before the record; heads are read only where the search looks. */
static int32_t search_locked(struct store *s, enum log_kind kind, uint64_t from, uint32_t *ret, struct tw_err *err)
{
	uint32_t lo = 0, hi = s->n_segs;
	int32_t rc = TW_OK;

	while (rc == TW_OK && hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct segment *g = s->segs[mid];

		if (!g->known) {
			rc = ref_locked(s, g, 0, err);
			if (rc == TW_OK)
				g->refs--;
		}
		*ret = mid;
		if (rc == TW_OK && g->first[kind] <= from)
			lo = mid;
		else
			hi = mid;
	}
	if (rc == TW_OK) {
		*ret = lo;
		rc = ref_locked(s, s->segs[lo], 0, err);
	}
	return rc;
}

int32_t segment_find(struct store *s, enum log_kind kind, uint64_t from, struct segment **ret, struct tw_err *err)
{
	uint32_t at = 0;
	int32_t rc = TW_OK;

	pthread_mutex_lock(&s->mutex);
	if (!s->n_segs && s->tape_dir && s->mode == STORE_READ)
		rc = add_number_locked(s, 1, true, NULL, err); /* the writer has just begun */
	if (rc == TW_OK && !s->n_segs)
		rc = TW_AGAIN;
	if (rc == TW_OK)
		do
			rc = search_locked(s, kind, from, &at, err);
		while (rc < 0 && forget_gone_locked(s, at));
	if (rc == TW_OK)
		*ret = s->segs[at];
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

/* The place of the first segment behind g, or n_segs. A reader looks for new ones. */
static uint32_t place_after_locked(struct store *s, const struct segment *g, int32_t *rc, struct tw_err *err)
{
	bool reads = s->tape_dir && s->mode == STORE_READ;
	uint32_t i = 0;

	*rc = TW_OK;
	while (i < s->n_segs && s->segs[i]->number <= g->number)
		i++;
	if (i == s->n_segs && reads)
		*rc = add_number_locked(s, g->number + 1, true, NULL, err);
	if (i == s->n_segs && reads && *rc >= 0 && is_gone(g))
		*rc = scan_locked(s, err); /* the writer may be far ahead of what is known here */
	return i;
}

int32_t segment_after(struct store *s, const struct segment *g, struct segment **ret, struct tw_err *err)
{
	uint32_t i;
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	do {
		i = place_after_locked(s, g, &rc, err);
		if (rc < 0)
			break;
		if (i == s->n_segs)
			rc = TW_AGAIN;
		else if (s->segs[i]->number != g->number + 1 && (s->mode == STORE_WRITE || !is_gone(g)))
			rc = err_set(err, STORE_E_DAMAGED,
				     "segment tape/%06u.tape is missing, but %s is there: restore a copy",
				     g->number + 1, s->segs[i]->file.name);
		else
			rc = ref_locked(s, s->segs[i], 0, err);
	} while (rc < 0 && forget_gone_locked(s, i));
	if (rc == TW_OK)
		*ret = s->segs[i];
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int32_t segment_last(struct store *s, struct segment **ret, struct tw_err *err)
{
	bool reads = s->tape_dir && s->mode == STORE_READ;
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	do {
		rc = TW_OK;
		while (rc == TW_OK && reads)
			rc = add_number_locked(s, s->n_segs ? s->segs[s->n_segs - 1]->number + 1 : 1, true, NULL, err);
		if (rc >= 0 && reads && s->n_segs && is_gone(s->segs[s->n_segs - 1]))
			rc = scan_locked(s, err);
		if (rc >= 0)
			rc = s->n_segs ? ref_locked(s, s->segs[s->n_segs - 1], 0, err) : TW_AGAIN;
	} while (rc < 0 && s->n_segs && forget_gone_locked(s, s->n_segs - 1));
	if (rc == TW_OK)
		*ret = s->segs[s->n_segs - 1];
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int32_t segment_head_now(struct store *s, struct segment *g, struct segment_head *ret, struct tw_err *err)
{
	MDB_txn *txn = NULL;
	int32_t rc = file_read(s, &g->file, &txn, err);

	if (rc != TW_OK)
		return rc;
	rc = segment_head_read(&g->file, txn, ret, err);
	file_unread_end(s, txn);
	return rc;
}

/* ---- making one ---- */
struct birth {
	struct store *s;
	struct segment_head *head;
	struct file *file;
	MDB_txn *txn;
};

static int32_t copy_position(void *arg, const void *key, size_t klen, const void *data, size_t len, struct tw_err *err)
{
	struct birth *b = arg;
	int rc = sealed_put(b->txn, b->file->db[DB_POSITIONS], key, klen, data, len, &b->head->n_positions,
			    &b->head->positions_sum);

	return rc ? file_fail(b->file, rc, len, "writing positions", err) : TW_OK;
}

/* A segment can be read on its own: names and positions go on into each. */
static int32_t fill(void *arg, struct file *f, MDB_txn *txn, struct tw_err *err)
{
	struct birth *b = arg;
	struct store *s = b->s;
	uint32_t n = atomic_load(&s->n_sources);
	int rc = 0;

	b->file = f;
	b->txn = txn;
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		uint16_t key = __builtin_bswap16((uint16_t)i);

		rc = sealed_put(txn, f->db[DB_SOURCES], &key, sizeof key, s->sources[i], strlen(s->sources[i]),
				&b->head->n_sources, &b->head->sources_sum);
	}
	if (rc)
		return file_fail(f, rc, 0, "writing names", err);
	if (s->cur) {
		MDB_txn *from = NULL;
		int32_t ret = file_read(s, &s->cur->file, &from, err);

		if (ret != TW_OK)
			return ret;
		ret = sealed_each(&s->cur->file, from, DB_POSITIONS, s->head.n_positions, s->head.positions_sum,
				  copy_position, b, err);
		file_unread_end(s, from);
		if (ret != TW_OK)
			return ret;
	}
	rc = segment_head_put(f, txn, b->head);
	return rc ? file_fail(f, rc, 0, "writing its head", err) : TW_OK;
}

static int32_t make(struct store *s, struct segment_head *head, struct segment **ret, struct tw_err *err)
{
	struct birth b = { .s = s, .head = head };
	struct segment *g = NULL;
	char name[32], *path = NULL;
	struct stat st;
	struct file f = { 0 };
	int32_t rc;

	if (head->number > MAX_SEGMENT)
		return err_set(err, TW_E_FATAL, "%s has %u segments, more than file names can number", s->tape_dir,
			       MAX_SEGMENT);
	snprintf(name, sizeof name, "tape/%06u.tape", head->number);
	if (asprintf(&path, "%s/%s", s->tape_dir, name + 5) < 0)
		return err_set(err, TW_E_IO, "out of memory");
	rc = file_init(&f, path, name, false);
	if (rc != TW_OK) {
		err_set(err, rc, "out of memory");
		goto out;
	}
	/* There already after a roll that could not be finished: empty, and readers may know it. */
	if (os->stat(path, &st) < 0)
		rc = file_create(&f, s->tape_dir, segment_map(s), fill, &b, err);
	if (rc != TW_OK)
		goto out;
	pthread_mutex_lock(&s->mutex);
	rc = add_locked(s, head->number, path, name, &g);
	if (rc != TW_OK)
		err_set(err, rc, "out of memory");
	else
		rc = ref_locked(s, g, segment_map(s), err);
	if (rc != TW_OK && g) {
		/* No reader may open it before the writer has: one environment a file and process. It is the last. */
		s->n_segs--;
		file_free(&g->file);
		free(g);
	}
	pthread_mutex_unlock(&s->mutex);
	if (rc == TW_OK)
		*ret = g;
out:
	file_free(&f);
	free(path);
	return rc;
}

static void fresh_head(const struct store *s, struct segment_head *h)
{
	memset(h, 0, sizeof *h);
	h->magic = SEGMENT_MAGIC;
	h->format = STORE_FORMAT;
	h->schema = TW_EVENT_SCHEMA;
	memcpy(h->tape_id, s->tape_id, 32);
	h->created = os->wall();
	h->min_ts = INT64_MAX;
	h->max_ts = INT64_MIN;
	h->unrecorded = s->opt.no_tape;
}

static int32_t take_up(struct store *s, struct segment *g, struct tw_err *err)
{
	struct segment_head head;
	int32_t rc = segment_head_now(s, g, &head, err);

	if (rc != TW_OK) {
		segment_unref(s, g);
		return rc;
	}
	s->head = head;
	s->cur = g;
	s->kept_sources = (uint32_t)head.n_sources;
	atomic_store(&s->last_seq, head.last);
	return TW_OK;
}

int32_t segment_start(struct store *s, struct tw_err *err)
{
	struct segment_head head;
	struct segment *g;
	int32_t rc;

	fresh_head(s, &head);
	head.number = 1;
	head.first = s->opt.first ? s->opt.first : 1;
	head.last = head.first - 1;
	head.dead_first = 1;
	rc = make(s, &head, &g, err);
	return rc == TW_OK ? take_up(s, g, err) : rc;
}

int32_t segment_resume(struct store *s, struct tw_err *err)
{
	struct segment *g = s->segs[s->n_segs - 1];
	int32_t rc;

	pthread_mutex_lock(&s->mutex);
	rc = ref_locked(s, g, segment_map(s), err);
	pthread_mutex_unlock(&s->mutex);
	return rc == TW_OK ? take_up(s, g, err) : rc;
}

int32_t segment_roll(struct store *s, struct tw_err *err)
{
	struct segment *old = s->cur, *g;
	struct segment_head head;
	int32_t rc = TW_OK;

	/* With lazy syncs the end of the old one must not be younger on the disk than the next one's beginning. */
	if (s->opt.sync == SYNC_INTERVAL)
		rc = file_sync(&old->file, err);
	fresh_head(s, &head);
	head.number = s->head.number + 1;
	head.first = s->head.last + 1;
	head.last = s->head.last;
	head.dead_first = s->head.dead_last + 1;
	head.dead_last = s->head.dead_last;
	if (rc == TW_OK)
		rc = make(s, &head, &g, err);
	if (rc == TW_OK)
		rc = take_up(s, g, err);
	if (rc == TW_OK)
		segment_unref(s, old);
	if (rc == TW_OK)
		CRASH_POINT("segment.rolled");
	return rc;
}

void segments_free(struct store *s)
{
	for (uint32_t i = 0; i < s->n_segs; i++) {
		file_free(&s->segs[i]->file);
		free(s->segs[i]);
	}
	free(s->segs);
	s->segs = NULL;
	s->n_segs = 0;
}
