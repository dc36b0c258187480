/* SPDX-License-Identifier: Apache-2.0
 *
 * The one order: take events from the sources' chunks (or from a tape), stamp them, copy them into the commit, and
 * decode them into the batch.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include <string.h>

#define CLOCK_EVERY 1000000000LL

static uint32_t record_len(const unsigned char *record)
{
	return (uint32_t)record[2] | (uint32_t)record[3] << 8;
}

/* ---- dead letters and positions of a chunk ---- */

static void take_dead(struct pipeline *p, struct input *in, const struct chunk *c)
{
	while (in->dead < c->n_dead && c->dead[in->dead].at <= in->event) {
		struct dead_letter letter = c->dead[in->dead].letter;
		letter.seq = p->seq;
		if (!pipeline_dead(p, &letter, false))
			return; /* the commit is full of them: the rest goes with the next */
		in->dead++;
		in->position.after++;
		in->moved = true;
	}
}

/* A dead letter that did not fit: no event may overtake it, or `after` would not count what comes first. */
static bool dead_is_due(const struct input *in, const struct chunk *c)
{
	return in->dead < c->n_dead && c->dead[in->dead].at <= in->event;
}

/* What the source put before the mark goes into the commit that gets the mark. */
static void take_values(struct pipeline *p, struct input *in, struct chunk *c)
{
	struct commit *commit = p->commit;

	for (uint32_t i = 0; i < c->n_values && p->o.record; i++) {
		const struct source_value *v = &c->values[i];
		struct source_value copy = { .source = in->node->name, .len = v->len };
		copy.name = arena_text(&commit->texts, v->name, strlen(v->name));
		copy.data = v->data ? arena_text(&commit->texts, v->data, v->len) : NULL;
		if (!copy.name || (v->data && !copy.data) ||
		    !values_room(&commit->values, &commit->cap_values, commit->n_values)) {
			p->memory_out = true;
			return;
		}
		commit->values[commit->n_values++] = copy;
		commit->value_bytes += v->len + 64;
	}
	c->n_values = 0;
}

static void take_mark(struct pipeline *p, struct input *in, struct chunk *c)
{
	if (!c->marked || in->event < c->mark_events || in->dead < c->mark_dead)
		return;
	in->position.pos = c->pos;
	in->position.marked = true;
	in->position.after = (uint64_t)(in->event - c->mark_events) + (in->dead - c->mark_dead);
	in->moved = true;
	take_values(p, in, c);
}

static bool chunk_used_up(const struct input *in, const struct chunk *c)
{
	return in->event == c->n && in->dead == c->n_dead;
}

/* Events of one source until the batch is full, the chunk ends, or an event is later than `limit`. false: a dead letter
 * is in the way, and the commit has no room for it. */
static bool take_run(struct pipeline *p, struct batch *b, struct input *in, struct chunk *c, int64_t limit)
{
	struct commit *commit = p->commit;

	if (dead_is_due(in, c)) {
		take_dead(p, in, c);
		if (dead_is_due(in, c))
			return false;
	}
	while (!batch_full(b, p->o.batch) && in->event < c->n) {
		unsigned char *record = c->records.data + in->byte;
		uint32_t len = record_len(record);

		if (event_ts(record + 4) > limit)
			break;
		event_stamp(record + 4, p->seq + 1);
		if (__builtin_expect(!batch_decode(b, record + 4, len, in->node->index, p->intern), 0)) {
			p->memory_out |= b->scratch.failed;
			if (p->memory_out)
				return false;
			log_error(in->node->name,
				  "an event of %u bytes that was just encoded does not decode; it is left out", len);
		} else {
			p->seq++;
			if (p->o.record) {
				record[0] = (unsigned char)(in->tape_number & 0xff);
				record[1] = (unsigned char)(in->tape_number >> 8);
				if (__builtin_expect(buf_add(&commit->events, record, len + 4) != 0, 0)) {
					p->memory_out = true;
					return false;
				}
			}
			commit->n_events++;
		}
		in->byte += len + 4;
		in->event++;
		in->position.after++;
		in->moved = true;
		if (__builtin_expect(in->dead < c->n_dead, 0)) {
			take_dead(p, in, c);
			if (dead_is_due(in, c))
				return false;
		}
	}
	return true;
}

/* The chunk to take from; NULL when nothing is there. Notices the end of the source. */
static struct chunk *input_chunk(struct input *in)
{
	struct chunk *c;

	if (in->ended || in->used_up)
		return NULL;
	c = pump_peek(in->pump);
	if (c && chunk_used_up(in, c)) /* an empty last chunk */
		in->used_up = true;
	return c;
}

static void after_run(struct pipeline *p, struct input *in, struct chunk *c)
{
	take_dead(p, in, c);
	take_mark(p, in, c);
	if (chunk_used_up(in, c))
		in->used_up = true;
}

static void next_chunk(struct input *in)
{
	pump_give_back(in->pump);
	in->used_up = false;
	in->byte = 0;
	in->event = in->dead = 0;
	in->ended = pump_ended(in->pump);
	in->cut = in->finite && in->ended && pump_cut(in->pump);
}

/* Stopped in the middle, the merge ends where the first of them ended: the rest of the others comes again when they are
 * next opened, in its place. */
static bool merge_is_cut(struct pipeline *p)
{
	bool cut = false;

	for (uint32_t i = 0; i < p->n_inputs; i++)
		cut |= p->inputs[i].cut;
	for (uint32_t i = 0; cut && i < p->n_inputs; i++) {
		struct input *in = &p->inputs[i];
		while (in->finite && !in->ended && pump_stopping(in->pump) && pump_peek(in->pump))
			next_chunk(in);
	}
	return cut;
}

/* k-way merge of the finite sources: all heads must be known before the earliest may go. */
static bool fill_finite(struct pipeline *p, struct batch *b)
{
	if (merge_is_cut(p))
		return false;
	while (!batch_full(b, p->o.batch)) {
		struct input *first = NULL;
		struct chunk *chunk = NULL;
		int64_t first_ts = INT64_MAX, limit = INT64_MAX;

		for (uint32_t i = 0; i < p->n_inputs; i++) {
			struct input *in = &p->inputs[i];
			struct chunk *c;
			int64_t ts;
			if (!in->finite || in->ended)
				continue;
			c = input_chunk(in);
			if (!c || in->used_up)
				return false;
			if (in->event == c->n) { /* only dead letters are left in it */
				after_run(p, in, c);
				return false;
			}
			ts = event_ts(c->records.data + in->byte + 4);
			if (!first || ts < first_ts) {
				if (first && first_ts - 1 < limit)
					limit = first_ts - 1;
				first = in;
				chunk = c;
				first_ts = ts;
			} else if (ts < limit) {
				limit = ts;
			}
		}
		if (!first)
			return false;
		/* An earlier source yields on a tie only to those before it, so `limit` is inclusive for it. */
		bool clear = take_run(p, b, first, chunk, limit < first_ts ? first_ts : limit);
		after_run(p, first, chunk);
		if (!clear)
			return false;
	}
	return true;
}

static void fill_live(struct pipeline *p, struct batch *b)
{
	for (uint32_t i = 0; i < p->n_inputs && !batch_full(b, p->o.batch); i++) {
		struct input *in = &p->inputs[i];
		struct chunk *c = in->finite ? NULL : input_chunk(in);
		if (!c || in->used_up)
			continue;
		(void)take_run(p, b, in, c, INT64_MAX);
		after_run(p, in, c);
	}
}

uint32_t sequencer_fill(struct pipeline *p, struct batch *b)
{
	do {
		(void)fill_finite(p, b);
		fill_live(p, b);
	} while (p->ahead && sequencer_release(p) && !batch_full(b, p->o.batch) && !p->memory_out);
	return b->base.n;
}

bool sequencer_release(struct pipeline *p)
{
	bool any = false;

	for (uint32_t i = 0; i < p->n_inputs; i++) {
		struct input *in = &p->inputs[i];
		if (!in->used_up)
			continue;
		next_chunk(in);
		/* What it had is still to come: whatever the others have must not overtake it. */
		p->memory_out |= pump_starved(in->pump);
		any = true;
	}
	return any;
}

bool sequencer_ended(const struct pipeline *p)
{
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (!p->inputs[i].ended)
			return false;
	return true;
}

bool sequencer_clock(struct pipeline *p, struct batch *b)
{
	int64_t now = os->wall();
	union tw_num none = { .i = 0 };
	struct tw_str text = { 0 };
	struct tw_err e;
	size_t len;

	if (now < p->next_clock || batch_full(b, p->o.batch))
		return false;
	p->next_clock = now - now % CLOCK_EVERY + CLOCK_EVERY;
	if (!p->clock_named && p->o.record) {
		if (store_source(p->o.store, "@clock", &p->clock_number, &e) < 0)
			return false;
		p->clock_named = true;
	}
	len = event_put(p->clock_bytes + 4, kind_of(TW_CLOCK), now, &none, &text);
	p->clock_bytes[0] = (unsigned char)(p->clock_number & 0xff);
	p->clock_bytes[1] = (unsigned char)(p->clock_number >> 8);
	p->clock_bytes[2] = (unsigned char)len;
	p->clock_bytes[3] = 0;
	event_stamp(p->clock_bytes + 4, p->seq + 1);
	if (!batch_decode(b, p->clock_bytes + 4, len, p->graph->n, p->intern)) {
		p->memory_out |= b->scratch.failed;
		return false;
	}
	p->seq++;
	if (p->o.record && buf_add(&p->commit->events, p->clock_bytes, len + 4) != 0)
		p->memory_out = true;
	p->commit->n_events++;
	return true;
}

/* ---- from a tape ---- */

int32_t sequencer_open_tape(struct pipeline *p, struct store *store, uint64_t from, uint64_t end, struct tw_err *e)
{
	p->reader_end = end;
	p->next_cut = joins_cut(p);
	return log_reader_open(&p->reader, store, LOG_TAPE, from, e);
}

/* Which node an event of the tape comes from: by the name of its source. */
static uint32_t node_of(struct pipeline *p, uint16_t number)
{
	const struct store *s = p->o.recording ? p->o.recording : p->o.store;
	const char *name;

	if (p->node_of[number] != UINT32_MAX)
		return p->node_of[number];
	name = store_source_name(s, number);
	p->node_of[number] = p->graph->n + 1;
	if (name && !strcmp(name, "@clock"))
		p->node_of[number] = p->graph->n;
	for (uint32_t i = 0; name && i < p->graph->n_sources; i++)
		if (!strcmp(p->graph->nodes[i].name, name))
			p->node_of[number] = i;
	if (p->node_of[number] > p->graph->n)
		log_warn("tape", "source '%s' of the tape is not in the configuration; its events are not judged",
			 name ? name : "?");
	return p->node_of[number];
}

int32_t sequencer_replay(struct pipeline *p, struct batch *b)
{
	struct tw_err e;

	for (;;) {
		const unsigned char *event;
		uint16_t source;
		size_t len;
		while (!batch_full(b, p->o.batch) && p->block.bytes &&
		       tape_record(&p->block, &p->block_at, &source, &event, &len)) {
			uint64_t seq = event_seq(event);
			uint32_t node;
			if (seq <= p->seq)
				continue;
			if (seq > p->reader_end)
				return (int32_t)b->base.n;
			if (__builtin_expect(seq >= p->next_cut, 0)) {
				if (b->base.n) { /* the next batch begins with it */
					p->block_at -= len + 4;
					return (int32_t)b->base.n;
				}
				p->seq = seq;
				p->next_cut = joins_cut(p);
			}
			node = node_of(p, source);
			if (!batch_decode(b, event, len, node, p->intern)) {
				if (b->scratch.failed)
					return TW_E_FATAL;
				err_set(&e, STORE_E_DAMAGED,
					"event %" PRIu64 " of the tape does not decode; run `tapewatch tape verify`",
					seq);
				log_error("tape", "%s", e.msg);
				return STORE_E_DAMAGED;
			}
			p->seq = seq;
		}
		/* without copies a batch must not reach over a block: the block's bytes go with the next read */
		if (b->base.n && (!p->ahead || batch_full(b, p->o.batch)))
			return (int32_t)b->base.n;
		if (p->seq >= p->reader_end)
			return (int32_t)b->base.n;
		p->block_at = 0;
		p->block = (struct block){ 0 };
		switch (log_reader_next(p->reader, &p->block, &e)) {
		case TW_OK:
			continue;
		case TW_AGAIN:
			return (int32_t)b->base.n;
		default:
			if (b->base.n) /* first what came before the damage */
				return (int32_t)b->base.n;
			log_error("tape", "%s", e.msg);
			return STORE_E_DAMAGED;
		}
	}
}
