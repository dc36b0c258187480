/* SPDX-License-Identifier: Apache-2.0
 *
 * Committing to the tape: events, the positions of their sources and dead letters, all in one transaction.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "event/event.h"
#include "state/store_impl.h"
#include <string.h>

#define DAY        INT64_C(86400000000000)
#define DEAD_BLOCK (1u << 20)

static int64_t day_of(int64_t wall)
{
	return wall / DAY - (wall % DAY < 0);
}

static bool is_empty(const struct segment_head *h)
{
	return h->last < h->first && h->dead_last < h->dead_first;
}

static bool roll_is_due(const struct store *s)
{
	const struct segment_head *h = &s->head;

	if (is_empty(h))
		return false;
	return h->bytes >= s->opt.segment_size || h->unrecorded != (uint32_t)s->opt.no_tape ||
	       day_of(h->created) != day_of(os->wall());
}

/* The block's own story: as many records as it says, numbered as it says. And the span of their times. */
static int32_t span_of(const struct block *b, int64_t *min_ts, int64_t *max_ts, struct tw_err *err)
{
	const unsigned char *event;
	uint64_t seq = b->first;
	uint16_t source;
	size_t at = 0, len;

	while (tape_record(b, &at, &source, &event, &len)) {
		int64_t ts = event_ts(event);

		if ((seq == b->first || seq - b->first == b->count - 1) && event_seq(event) != seq)
			return err_set(err, TW_E_FATAL,
				       "a block of events has number %" PRIu64 " where %" PRIu64 " was expected",
				       event_seq(event), seq);
		*min_ts = ts < *min_ts ? ts : *min_ts;
		*max_ts = ts > *max_ts ? ts : *max_ts;
		seq++;
	}
	if (at != b->len || seq - b->first != b->count)
		return err_set(err, TW_E_FATAL,
			       "a block of events has %" PRIu64 " records in %zu of %zu bytes, %u were announced",
			       seq - b->first, at, b->len, b->count);
	return TW_OK;
}

static int32_t check(const struct store *s, const struct tape_commit *c, uint64_t *bytes, struct tw_err *err)
{
	uint64_t next = s->head.last + 1;

	if (s->mode != STORE_WRITE)
		return err_set(err, TW_E_FATAL, "%s was opened for reading", s->dir);
	*bytes = 0;
	for (uint32_t i = 0; i < c->n_blocks; i++) {
		const struct block *b = &c->blocks[i];

		if (b->first != next || !b->count || b->len > BLOCK_MAX)
			return err_set(err, TW_E_FATAL,
				       "a block of %u events from number %" PRIu64
				       " (%zu bytes) cannot follow %" PRIu64,
				       b->count, b->first, b->len, next - 1);
		next += b->count;
		*bytes += b->len;
	}
	for (uint32_t i = 0; i < c->n_positions; i++) {
		const struct position *p = &c->positions[i];

		if (!p->source[0] || strlen(p->source) > MAX_NAME || (p->marked && p->pos.len > sizeof p->pos.data))
			return err_set(err, TW_E_FATAL,
				       "a position of source '%.40s' has %" PRIu64 " bytes, at most %zu fit", p->source,
				       p->pos.len, sizeof p->pos.data);
	}
	return values_check(c, err);
}

static int put_blocks(struct store *s, const struct tape_commit *c, MDB_txn *txn, struct segment_head *h, int32_t *bad,
		      struct tw_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->n_blocks && rc == 0; i++) {
		const struct block *b = &c->blocks[i];
		int64_t min_ts = INT64_MAX, max_ts = INT64_MIN;

		h->last = b->first + b->count - 1;
		if (s->opt.no_tape)
			continue;
		*bad = span_of(b, &min_ts, &max_ts, err);
		if (*bad != TW_OK)
			return 0;
		rc = block_put(txn, s->cur->file.db[DB_EVENTS], LOG_TAPE, b, min_ts, max_ts);
		h->events += b->count;
		h->blocks++;
		h->bytes += b->len;
		h->min_ts = min_ts < h->min_ts ? min_ts : h->min_ts;
		h->max_ts = max_ts > h->max_ts ? max_ts : h->max_ts;
	}
	return rc;
}

static int put_sources(struct store *s, MDB_txn *txn, struct segment_head *h)
{
	uint32_t n = atomic_load(&s->n_sources);
	int rc = 0;

	for (uint32_t i = s->kept_sources; i < n && rc == 0; i++) {
		uint16_t key = __builtin_bswap16((uint16_t)i);

		rc = sealed_put(txn, s->cur->file.db[DB_SOURCES], &key, sizeof key, s->sources[i],
				strlen(s->sources[i]), &h->n_sources, &h->sources_sum);
	}
	return rc;
}

/* On disk: u64 after, u32 marked, then the bytes of the mark. */
#define POSITION_HEAD 12u

static int put_positions(struct store *s, const struct tape_commit *c, MDB_txn *txn, struct segment_head *h)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->n_positions && rc == 0; i++) {
		const struct position *p = &c->positions[i];
		unsigned char out[POSITION_HEAD + sizeof p->pos.data];
		uint32_t marked = p->marked;
		size_t len = p->marked ? (size_t)p->pos.len : 0;

		memcpy(out, &p->after, 8);
		memcpy(out + 8, &marked, 4);
		memcpy(out + POSITION_HEAD, p->pos.data, len);
		rc = sealed_put(txn, s->cur->file.db[DB_POSITIONS], p->source, strlen(p->source), out,
				POSITION_HEAD + len, &h->n_positions, &h->positions_sum);
	}
	return rc;
}

static int put_dead(struct store *s, const struct tape_commit *c, MDB_txn *txn, struct segment_head *h, int32_t *bad,
		    struct tw_err *err)
{
	uint32_t i = 0;
	int rc = 0;

	while (i < c->n_dead && rc == 0) {
		struct block b = { .first = h->dead_last + 1 };
		int64_t min_wall = INT64_MAX, max_wall = INT64_MIN;

		s->scratch.len = 0;
		for (; i < c->n_dead && s->scratch.len < DEAD_BLOCK; i++, b.count++) {
			const struct dead_letter *d = &c->dead[i];

			if (dead_add(&s->scratch, d) < 0) {
				*bad = err_set(err, TW_E_IO, "out of memory");
				return 0;
			}
			min_wall = d->wall < min_wall ? d->wall : min_wall;
			max_wall = d->wall > max_wall ? d->wall : max_wall;
		}
		b.bytes = s->scratch.data;
		b.len = s->scratch.len;
		rc = block_put(txn, s->cur->file.db[DB_DEAD], LOG_DEAD, &b, min_wall, max_wall);
		h->dead_last += b.count;
		h->bytes += b.len;
	}
	return rc;
}

static int32_t commit(struct store *s, const struct tape_commit *c, uint64_t bytes, struct tw_err *err)
{
	const struct file *f = &s->cur->file;
	struct segment_head h = s->head;
	int32_t bad = TW_OK;
	MDB_txn *txn = NULL;
	int rc;

	if (is_empty(&h)) {
		h.created = os->wall();
		h.unrecorded = s->opt.no_tape;
	}
	rc = mdb_txn_begin(f->env, NULL, 0, &txn);
	if (rc == 0)
		rc = put_sources(s, txn, &h);
	if (rc == 0)
		rc = put_positions(s, c, txn, &h);
	if (rc == 0)
		rc = values_put(c, txn, f->db[DB_POSITIONS], &h);
	if (rc == 0)
		rc = put_dead(s, c, txn, &h, &bad, err);
	if (rc == 0 && bad == TW_OK)
		rc = put_blocks(s, c, txn, &h, &bad, err);
	if (rc == 0 && bad == TW_OK)
		rc = segment_head_put(f, txn, &h);
	if (rc == 0 && bad == TW_OK) {
		CRASH_POINT("tape.before_commit");
		if (c->n_dead)
			CRASH_POINT("dead.before_commit");
		rc = mdb_txn_commit(txn);
		txn = NULL;
		CRASH_POINT("tape.after_commit");
		if (c->n_dead)
			CRASH_POINT("dead.after_commit");
	}
	if (txn)
		mdb_txn_abort(txn);
	s->map_full = rc == MDB_MAP_FULL;
	if (rc)
		return file_fail(f, rc, bytes, "writing events", err);
	if (bad != TW_OK)
		return bad;
	s->head = h;
	s->kept_sources = (uint32_t)h.n_sources;
	atomic_store(&s->last_seq, h.last);
	return TW_OK;
}

int32_t store_commit_tape(struct store *s, const struct tape_commit *c, struct tw_err *err)
{
	uint64_t bytes = 0;
	int32_t rc = check(s, c, &bytes, err);

	if (rc != TW_OK)
		return rc;
	if (!c->n_blocks && !c->n_positions && !c->n_dead && s->kept_sources == atomic_load(&s->n_sources))
		return store_sync_due(s, err);
	if (roll_is_due(s))
		rc = segment_roll(s, err);
	if (rc == TW_OK)
		rc = commit(s, c, bytes, err);
	if (rc == STORE_FULL && s->map_full && !is_empty(&s->head)) {
		/* The next segment has a map of its own. */
		rc = segment_roll(s, err);
		if (rc == TW_OK)
			rc = commit(s, c, bytes, err);
	}
	return rc == TW_OK ? store_sync_due(s, err) : rc;
}

static int32_t unpack(const struct file *f, const char *source, const unsigned char *p, size_t len,
		      struct position *ret, struct tw_err *err)
{
	struct position pos = { .source = source };
	uint32_t marked;

	if (len < POSITION_HEAD || len - POSITION_HEAD > sizeof pos.pos.data)
		return err_set(err, STORE_E_DAMAGED, "%s: the position of source %s has %zu bytes; restore a copy",
			       f->name, source, len);
	memcpy(&pos.after, p, 8);
	memcpy(&marked, p + 8, 4);
	pos.marked = marked != 0;
	pos.pos.len = len - POSITION_HEAD;
	memcpy(pos.pos.data, p + POSITION_HEAD, len - POSITION_HEAD);
	*ret = pos;
	return TW_OK;
}

int32_t store_position(struct store *s, const char *source, struct position *ret, struct tw_err *err)
{
	struct segment *g;
	MDB_txn *txn = NULL;
	const void *data;
	size_t len;
	int32_t rc = segment_last(s, &g, err);

	if (rc != TW_OK)
		return rc;
	rc = file_read(s, &g->file, &txn, err);
	if (rc == TW_OK) {
		rc = sealed_get(&g->file, txn, DB_POSITIONS, source, strlen(source), &data, &len, err);
		if (rc == TW_OK)
			rc = unpack(&g->file, source, data, len, ret, err);
		file_unread_end(s, txn);
	}
	segment_unref(s, g);
	return rc;
}
