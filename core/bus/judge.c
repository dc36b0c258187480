/* SPDX-License-Identifier: Apache-2.0
 *
 * Judging a batch: the detectors of a level, then the next level over the same events with what was said woven in; at
 * last alerts are numbered, named and put into the commit.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include "bus/poison.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fewer items than this share of a full batch are not worth waking anybody. */
#define WORTH_WAKING 64u

/* The batch's events with everything said so far behind the event that caused it, in the order of instances. */
static int32_t weave(struct batch *b)
{
	struct items *t = &b->merged;
	uint32_t next = 0;

	t->n = 0;
	if (items_room(t, b->base.n + b->n_said) < 0)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < b->base.n; i++) {
		items_add(t, b->base.ev[i], i);
		for (; next < b->n_said && b->said[next].origin == i; next++)
			items_add(t, b->said[next].ev, i);
	}
	return TW_OK;
}

static struct items *level_items(struct batch *b)
{
	return b->level ? &b->merged : &b->base;
}

static bool begin_level(struct pipeline *p, struct batch *b)
{
	const struct items *t = level_items(b);

	for (uint32_t i = 0; i < p->n_instances; i++)
		if (p->instances[i].node->level == b->level && !instance_names(&p->instances[i]))
			return false;
	crew_start(&p->crew, t, b->voices, b->level, t->n > p->o.batch / WORTH_WAKING);
	return true;
}

bool judge_start(struct pipeline *p, struct batch *b)
{
	joins_apply(p, b);
	return p->graph->levels == 0 || begin_level(p, b);
}

int32_t judge_go_on(struct pipeline *p, struct batch *b)
{
	while (b->level < p->graph->levels) {
		if (!crew_help(&p->crew))
			return TW_AGAIN;
		if (!said_order(p, b, level_items(b)))
			return TW_E_FATAL;
		if (++b->level == p->graph->levels)
			break;
		if (weave(b) < 0 || !keys_find(p, b->level, &b->merged) || !begin_level(p, b))
			return TW_E_FATAL;
	}
	return TW_OK;
}

/* ---- into the commit ---- */

static size_t put_number(char *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

/* tape id - seq - detector - ordinal: the same after every replay of the same tape. */
static struct tw_str alert_id(struct pipeline *p, const struct out *out, char *room)
{
	const struct store *s = p->o.recording ? p->o.recording : p->o.store;
	const struct graph_node *node = graph_detector(p->graph, out->instance);
	const char *tape = s ? store_tape_id(s) : "0";
	size_t n = strlen(tape), name = strlen(node->name);

	memcpy(room, tape, n);
	room[n++] = '-';
	n += put_number(room + n, out->seq);
	room[n++] = '-';
	memcpy(room + n, node->name, name);
	n += name;
	room[n++] = '-';
	n += put_number(room + n, out->ordinal);
	return (struct tw_str){ .s = room, .len = (uint32_t)n };
}

static int32_t log_out(struct pipeline *p, struct out *out)
{
	struct commit *c = p->commit;
	char room[192];
	size_t start = c->alerts.len, len;
	unsigned char *head;

	if (out->ev->kind == TW_ALERT)
		out->ev->alert.id = alert_id(p, out, room);
	head = buf_reserve(&c->alerts, 4);
	if (!head)
		return TW_E_FATAL;
	c->alerts.len += 4;
	if (event_encode(&c->alerts, out->ev, p->intern) < 0)
		return TW_E_FATAL;
	len = c->alerts.len - start - 4;
	head = c->alerts.data + start;
	for (uint32_t i = 0; i < 4; i++)
		head[i] = (unsigned char)(len >> (8 * i));
	if (!c->n_alerts++)
		c->first_alert = p->alert + 1;
	p->alert++;
	return TW_OK;
}

static bool log_failure(struct pipeline *p, const struct failure *f)
{
	const struct graph_node *node = graph_detector(p->graph, f->instance);
	char detail[96];
	int n = snprintf(detail, sizeof detail, "the detector answered %d to event %" PRIu64, f->code, f->ev->seq);
	struct dead_letter d = {
		.wall = os->wall(),
		.seq = f->ev->seq,
		.source = { .s = node->name, .len = (uint32_t)strlen(node->name) },
		.reason = { .s = "detector_error", .len = 14 },
		.detail = { .s = detail, .len = n > 0 ? (uint32_t)n : 0 },
		.raw = { .s = (const char *)f->ev->raw, .len = f->ev->raw ? f->ev->raw_len : 0 },
	};

	return pipeline_dead(p, &d, true);
}

/* Whether its alerts are logged already or not: that it is left out is news. */
static bool log_poison(struct pipeline *p, const struct failure *f)
{
	struct poison_text text;
	struct dead_letter d = poison_letter(&p->instances[f->instance], f, &text);
	bool noted = pipeline_dead(p, &d, true);

	CRASH_POINT("poison.set_aside");
	return noted;
}

/* All that came of one event. */
static int32_t finish_event(struct pipeline *p, struct batch *b, uint32_t origin)
{
	for (; b->next_said < b->n_said && b->said[b->next_said].origin == origin; b->next_said++) {
		struct out *out = &b->said[b->next_said];
		if (out->logged && out->seq > p->logged_through && out->seq >= p->joins[out->instance].since &&
		    log_out(p, out) < 0)
			return TW_E_DATA;
	}
	for (; b->next_failure < b->n_failures && b->failures[b->next_failure].origin == origin; b->next_failure++) {
		const struct failure *f = &b->failures[b->next_failure];
		if (f->ev->seq < p->joins[f->instance].since || p->warming) /* it is not there yet */
			continue;
		if (f->code == FAILURE_POISON ? !log_poison(p, f)
					      : f->ev->seq > p->letters_through && !log_failure(p, f))
			return TW_E_FATAL;
	}
	return TW_OK;
}

int32_t judge_finish(struct pipeline *p, struct batch *b, struct tw_err *e)
{
	uint64_t alerts = 0, scores = 0;

	while (b->next_said < b->n_said || b->next_failure < b->n_failures) {
		uint32_t origin = b->next_said < b->n_said ? b->said[b->next_said].origin : UINT32_MAX;
		if (b->next_failure < b->n_failures && b->failures[b->next_failure].origin < origin)
			origin = b->failures[b->next_failure].origin;
		if (origin) /* complete through the event before: nothing will be said about it any more */
			p->batch_seq = b->base.ev[origin - 1]->seq;
		if (!pipeline_room(p))
			return TW_AGAIN;
		switch (finish_event(p, b, origin)) {
		case TW_OK:
			break;
		case TW_E_DATA:
			return err_set(e, TW_E_FATAL, "an alert of detector '%s' could not be encoded",
				       graph_detector(p->graph, b->said[b->next_said].instance)->name);
		default:
			return err_set(e, TW_E_FATAL, "memory is out");
		}
	}
	for (uint32_t i = 0; i < b->n_said; i++) {
		if (b->said[i].seq < p->joins[b->said[i].instance].since)
			continue;
		alerts += b->said[i].ev->kind == TW_ALERT;
		scores += b->said[i].ev->kind == TW_SCORE;
	}
	if (!p->warming)
		atomic_store_explicit(&p->n_events, p->n_events + b->base.n, memory_order_relaxed);
	atomic_store_explicit(&p->n_alerts, p->n_alerts + alerts, memory_order_relaxed);
	atomic_store_explicit(&p->n_scores, p->n_scores + scores, memory_order_relaxed);
	atomic_store_explicit(&p->event_time, b->base.ev[b->base.n - 1]->ts, memory_order_relaxed);
	p->batch_seq = b->base.ev[b->base.n - 1]->seq;
	batch_reset(b);
	return TW_OK;
}
