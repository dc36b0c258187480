/* SPDX-License-Identifier: Apache-2.0
 *
 * core/state/store.h over the simulated disk, in the place of the real one. What it is given is checked harder than the
 * real one can afford. Each commit is one transaction that is applied whole or not at all, and may end in a crash
 * before or after that, meet a full disk, or be the last thing the process does.
 */
#include "base/err.h"
#include "event/event.h"
#include "sim.h"
#include <stdlib.h>
#include <string.h>

struct store {
	struct disk *disk;
	bool no_tape;
	char sources[16][64]; /* known here; on the disk with the next commit */
	uint32_t n_sources;
};

int dead_add(struct buf *, const struct dead_letter *); /* of state/records.c, which is the real one */

int32_t store_open(struct store **ret, const char *dir, enum store_mode mode, const struct store_options *o,
		   struct tw_err *e)
{
	struct store *s = must(calloc(1, sizeof *s));

	(void)mode, (void)e;
	s->disk = strcmp(dir, "main") == 0 ? sim->disk : sim->other;
	s->no_tape = o && o->no_tape;
	memcpy(s->sources, s->disk->sources, sizeof s->sources);
	s->n_sources = s->disk->n_sources;
	*ret = s;
	return TW_OK;
}

void store_close(struct store *s)
{
	free(s);
}

const char *store_tape_id(const struct store *s)
{
	return s->disk->tape_id;
}

uint64_t store_last_seq(const struct store *s)
{
	return s->disk->tape.last;
}

uint64_t store_last_alert(const struct store *s)
{
	return s->disk->alerts.last;
}

uint64_t store_first_alert(struct store *s)
{
	(void)s;
	return 1;
}

uint64_t store_complete(const struct store *s)
{
	return s->disk->complete;
}

int32_t store_source(struct store *s, const char *name, uint16_t *ret, struct tw_err *e)
{
	for (uint32_t i = 0; i < s->n_sources; i++)
		if (!strcmp(s->sources[i], name)) {
			*ret = (uint16_t)i;
			return TW_OK;
		}
	if (s->n_sources == 16 || strlen(name) >= 64)
		return err_set(e, TW_E_FATAL, "the simulated store has no room for source '%s'", name);
	memcpy(s->sources[s->n_sources], name, strlen(name) + 1);
	*ret = (uint16_t)s->n_sources++;
	return TW_OK;
}

const char *store_source_name(const struct store *s, uint16_t number)
{
	return number < s->n_sources ? s->sources[number] : NULL;
}

/* ---- what may happen to a commit ---- */

struct fate {
	bool apply, die;
	int32_t rc;
};

static struct fate draw_fate(const struct store *s, struct tw_err *e)
{
	const struct faults *f = &sim->faults;

	if (sim->dead)
		return (struct fate){ .rc = err_set(e, STORE_E_FATAL, "the process is dead") };
	if (s->disk != sim->disk)
		return (struct fate){ .apply = true };
	if (rng_chance(&sim->rng, f->meanwhile))
		schedule_meanwhile();
	if (sim->dead)
		return (struct fate){ .rc = err_set(e, STORE_E_FATAL, "the process is dead") };
	if (!sim->trouble)
		return (struct fate){ .apply = true };
	if (sim->now >= sim->full_until && rng_chance(&sim->rng, f->full)) {
		sim->full_until = sim->now + (int64_t)rng_between(&sim->rng, 1, 3000) * MS;
		sim->tally->full++;
	}
	if (sim->now < sim->full_until)
		return (struct fate){ .rc = err_set(e, STORE_FULL, "the simulated disk is full") };
	if (sim->crashes_left && rng_chance(&sim->rng, f->fatal)) {
		sim->crashes_left--;
		sim->tally->crashes_fatal++;
		sim->tally->crashes++;
		return (struct fate){ .apply = rng_chance(&sim->rng, 0.5),
				      .rc = err_set(e, STORE_E_FATAL, "the simulated disk failed to sync") };
	}
	if (sim->crashes_left && rng_chance(&sim->rng, f->crash_commit))
		return (struct fate){ .apply = !rng_chance(&sim->rng, f->commit_lost),
				      .die = true,
				      .rc = err_set(e, STORE_E_FATAL, "the process died in a commit") };
	return (struct fate){ .apply = true };
}

/* C <= s <= b, and what goes with it. */
static void check_order(const struct disk *d)
{
	if (d->has_checkpoint && d->checkpoint_seq > d->complete)
		violate("the checkpoint is as of %" PRIu64 ", the alert log complete through %" PRIu64,
			d->checkpoint_seq, d->complete);
	if (d->complete > d->tape.last)
		violate("the alert log is complete through %" PRIu64 ", the tape ends at %" PRIu64, d->complete,
			d->tape.last);
	for (uint32_t i = 0; i < d->n_cursors; i++)
		if (d->cursors[i].record > d->alerts.last)
			violate("sink %s has delivered through %" PRIu64 ", the alert log ends at %" PRIu64,
				d->cursors[i].sink, d->cursors[i].record, d->alerts.last);
}

static int32_t end_commit(struct store *s, const struct fate *f, const char *what)
{
	if (f->apply) {
		s->disk->commits++;
		check_order(s->disk);
	}
	if (s->disk != sim->disk)
		return f->rc;
	if (f->apply)
		sim->tally->commits++;
	if (f->rc != TW_OK)
		say("%s: %s%s", what,
		    f->rc == STORE_FULL ? "disk full"
		    : f->die            ? "crash"
					: "fatal",
		    f->apply ? ", applied" : "");
	if (f->die)
		die_now(&sim->tally->crashes_commit, what);
	else if (f->rc == TW_OK && rng_chance(&sim->rng, sim->faults.meanwhile)) /* on the disk, but nobody was told */
		schedule_meanwhile();
	return f->rc;
}

/* Readers may not count on blocks being those of the commits. */
static bool joins(const struct store *s)
{
	return s->disk == sim->disk && rng_chance(&sim->rng, 0.2);
}

/* ---- tape ---- */

static void check_events(const struct disk *d, const struct block *b, bool no_tape)
{
	uint64_t seq = b->first;
	const unsigned char *event;
	uint16_t source;
	size_t at = 0, len;

	if (b->first != d->tape.last + 1 || !b->count)
		violate("a block of %u events from %" PRIu64 " follows event %" PRIu64, b->count, b->first,
			d->tape.last);
	if (no_tape)
		return;
	for (; tape_record(b, &at, &source, &event, &len); seq++)
		if (event_seq(event) != seq)
			violate("event %" PRIu64 " of a block is stamped %" PRIu64, seq, event_seq(event));
	if (at != b->len || seq != b->first + b->count)
		violate("a block of %u events from %" PRIu64 " ends at %" PRIu64 " in byte %zu of %zu", b->count,
			b->first, seq, at, b->len);
}

static void put_position(struct disk *d, const struct position *p)
{
	struct disk_position *to = (struct disk_position *)(uintptr_t)disk_position(d, p->source);

	if (!to) {
		if (d->n_positions == 16)
			must(NULL);
		to = &d->positions[d->n_positions++];
		memcpy(to->source, p->source, strlen(p->source) + 1);
	}
	to->at = *p;
	to->at.source = NULL;
	say("position of %s: %smarked, %" PRIu64 " after", p->source, p->marked ? "" : "un", p->after);
}

static void put_dead(struct disk *d, const struct tape_commit *c)
{
	struct buf b = { 0 };

	if (!c->n_dead)
		return;
	for (uint32_t i = 0; i < c->n_dead; i++)
		if (dead_add(&b, &c->dead[i]) != 0)
			must(NULL);
	log_append(&d->dead, &(struct block){ d->dead.last + 1, c->n_dead, b.data, b.len }, d->segments, false);
	d->segment_bytes += b.len;
	buf_free(&b);
}

int32_t store_commit_tape(struct store *s, const struct tape_commit *c, struct tw_err *e)
{
	struct fate f = draw_fate(s, e);
	struct disk *d = s->disk;

	calm_begin();
	if (f.apply) {
		if (d->segment_bytes >= d->segment_size) {
			d->segments++;
			d->segment_bytes = 0;
			sim->tally->segments++;
		}
		memcpy(d->sources, s->sources, sizeof d->sources);
		d->n_sources = s->n_sources;
		for (uint32_t i = 0; i < c->n_positions; i++)
			put_position(d, &c->positions[i]);
		put_dead(d, c);
		for (uint32_t i = 0; i < c->n_blocks; i++) {
			const struct block *b = &c->blocks[i];
			check_events(d, b, s->no_tape);
			if (s->no_tape)
				d->tape.last = b->first + b->count - 1;
			else
				log_append(&d->tape, b, d->segments, joins(s));
			d->segment_bytes += b->len;
		}
	}
	calm_end();
	return end_commit(s, &f, "tape commit");
}

int32_t store_position(struct store *s, const char *source, struct position *ret, struct tw_err *e)
{
	const struct disk_position *p = disk_position(s->disk, source);

	(void)e;
	if (!p)
		return TW_AGAIN;
	*ret = p->at;
	ret->source = source;
	return TW_OK;
}

/* ---- alerts ---- */

static void check_alerts(const struct disk *d, const struct alert_commit *c)
{
	uint64_t next = d->alerts.last + 1,
		 seq = d->complete + 1; /* what is about earlier events is in the log already */

	for (uint32_t i = 0; i < c->n_blocks; i++) {
		const struct block *b = &c->blocks[i];
		const unsigned char *event;
		uint32_t n = 0;
		size_t at = 0, len;
		if (b->first != next)
			violate("a block of alerts begins with %" PRIu64 " where %" PRIu64 " was expected", b->first,
				next);
		for (; alert_record(b, &at, &event, &len); n++) {
			if (event_seq(event) < seq || event_seq(event) > c->complete)
				violate("record %" PRIu64 " of the alert log is about event %" PRIu64
					", expected %" PRIu64 " to %" PRIu64,
					b->first + n, event_seq(event), seq, c->complete);
			seq = event_seq(event);
		}
		if (at != b->len || n != b->count)
			violate("a block of %u alerts holds %u", b->count, n);
		next += b->count;
	}
}

int32_t store_commit_alerts(struct store *s, const struct alert_commit *c, struct tw_err *e)
{
	struct fate f = draw_fate(s, e);
	struct disk *d = s->disk;

	calm_begin();
	if (f.apply) {
		check_alerts(d, c);
		for (uint32_t i = 0; i < c->n_blocks; i++)
			log_append(&d->alerts, &c->blocks[i], 0, joins(s));
		if (c->complete > d->complete)
			d->complete = c->complete;
		for (uint32_t i = 0; i < c->n_cursors; i++) {
			struct disk_cursor *k = (struct disk_cursor *)(uintptr_t)disk_cursor(d, c->cursors[i].sink);
			if (!k) {
				if (d->n_cursors == 16)
					must(NULL);
				k = &d->cursors[d->n_cursors++];
				memcpy(k->sink, c->cursors[i].sink, strlen(c->cursors[i].sink) + 1);
			}
			k->record = c->cursors[i].record;
		}
	}
	calm_end();
	return end_commit(s, &f, "alert commit");
}

int32_t store_cursor(struct store *s, const char *sink, uint64_t *ret, struct tw_err *e)
{
	const struct disk_cursor *k = disk_cursor(s->disk, sink);

	(void)e;
	if (!k)
		return TW_AGAIN;
	*ret = k->record;
	return TW_OK;
}

/* ---- checkpoints ---- */

int32_t store_commit_checkpoint(struct store *s, const struct checkpoint *c, struct tw_err *e)
{
	struct fate f = draw_fate(s, e);
	struct disk *d = s->disk;

	calm_begin();
	if (f.apply) {
		if (d->has_checkpoint && c->seq < d->checkpoint_seq)
			violate("a checkpoint as of %" PRIu64 " follows one as of %" PRIu64, c->seq, d->checkpoint_seq);
		if (c->whole)
			disk_drop_values(d);
		for (uint64_t i = 0; i < c->n; i++)
			disk_set(d, c->values[i].space, c->values[i].key, c->values[i].data, c->values[i].len);
		d->has_checkpoint = true;
		d->checkpoint_seq = c->seq;
		strncpy(d->note, c->note, sizeof d->note - 1);
	}
	calm_end();
	return end_commit(s, &f, "checkpoint");
}

int32_t store_read_checkpoint(struct store *s, uint64_t *ret_seq, struct buf *ret_note,
			      int32_t (*each)(void *, const struct state_value *, struct tw_err *), void *arg,
			      struct tw_err *e)
{
	const struct disk *d = s->disk;
	int32_t rc = TW_OK;

	if (!d->has_checkpoint)
		return TW_AGAIN;
	for (uint32_t i = 0; i < d->n_values && rc == TW_OK; i++) {
		const struct disk_value *v = &d->values[i];
		struct state_value out = { (uint32_t)(v->key >> 32), (uint32_t)v->key, v->data, v->len };
		rc = each(arg, &out, e);
	}
	if (rc != TW_OK)
		return rc;
	if (ret_note && buf_addf(ret_note, "%s", d->note) != 0)
		must(NULL);
	*ret_seq = d->checkpoint_seq;
	return TW_OK;
}

int32_t store_checkpoint_value(struct store *s, uint32_t space, uint32_t key, uint64_t *ret_seq, struct buf *ret,
			       struct tw_err *e)
{
	const struct disk_value *v = s->disk->has_checkpoint ? disk_get(s->disk, space, key) : NULL;

	(void)e;
	if (!v)
		return TW_AGAIN;
	if (buf_add(ret, v->data, v->len) != 0)
		must(NULL);
	*ret_seq = s->disk->checkpoint_seq;
	return TW_OK;
}

/* Nothing gets old in a simulation. */
int32_t store_retain(struct store *s, const struct retention *r, struct tw_err *e)
{
	(void)s, (void)r, (void)e;
	return TW_OK;
}

const char *store_holder(const struct store *s)
{
	(void)s;
	return NULL;
}

/* ---- reading ---- */

struct log_reader {
	struct store *store;
	enum log_kind kind;
	uint64_t next;
	uint32_t block; /* where to look first */
	struct buf copy;
};

int32_t log_reader_open(struct log_reader **ret, struct store *s, enum log_kind kind, uint64_t from, struct tw_err *e)
{
	(void)e;
	calm_begin();
	*ret = must(calloc(1, sizeof **ret));
	calm_end();
	**ret = (struct log_reader){ .store = s, .kind = kind, .next = from ? from : 1 };
	return TW_OK;
}

int32_t log_reader_next(struct log_reader *r, struct block *ret, struct tw_err *e)
{
	const struct disk *d = r->store->disk;
	const struct disk_log *l = r->kind == LOG_TAPE ? &d->tape : r->kind == LOG_ALERTS ? &d->alerts : &d->dead;
	struct block b;

	if (r->block) /* it may have grown since */
		r->block--;
	while (r->block < l->n && l->blocks[r->block].first + l->blocks[r->block].count <= r->next)
		r->block++;
	if (r->block == l->n)
		return TW_AGAIN;
	b = disk_block(l, r->block);
	if (b.first > r->next) {
		violate("record %" PRIu64 " of log %d is not there, the next is %" PRIu64, r->next, (int)r->kind,
			b.first);
		return err_set(e, STORE_E_DAMAGED, "record %" PRIu64 " is missing", r->next);
	}
	/* A copy of its own: whoever keeps bytes over the next call reads garbage, and the sanitizer sees it. */
	buf_free(&r->copy);
	calm_begin();
	if (buf_add(&r->copy, b.bytes, b.len) != 0)
		must(NULL);
	calm_end();
	b.bytes = r->copy.data;
	r->next = b.first + b.count;
	*ret = b;
	return TW_OK;
}

void log_reader_close(struct log_reader *r)
{
	if (!r)
		return;
	buf_free(&r->copy);
	free(r);
}

int32_t store_find_time(struct store *s, int64_t ts, uint64_t last, uint64_t *ret, struct tw_err *e)
{
	struct log_reader *reader;
	struct block b;
	int32_t rc = log_reader_open(&reader, s, LOG_TAPE, 1, e);
	bool found = false;

	while (!found && rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		uint16_t source;
		size_t at = 0, len;
		while (!found && tape_record(&b, &at, &source, &event, &len)) {
			found = event_ts(event) >= ts;
			*ret = found ? event_seq(event) : *ret;
		}
	}
	log_reader_close(reader);
	return found && *ret > last ? TW_AGAIN : rc;
}
