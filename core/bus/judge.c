/* SPDX-License-Identifier: Apache-2.0
 *
 * Judging a batch: keys for every keyspace of a level, the detectors of that level, then the next level over the same
 * events with what was said woven in; at last alerts are numbered, named and put into the commit.
 */
#include "base/err.h"
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include <stdlib.h>
#include <string.h>

int32_t items_room(struct items *t, uint32_t n, uint32_t n_keyspaces)
{
	uint32_t cap = t->cap ? t->cap : BATCH_EVENTS;

	if (n <= t->cap)
		return TW_OK;
	while (cap < n)
		cap *= 2;
	const struct tw_event **ev = realloc(t->ev, cap * sizeof *ev);
	t->ev = ev ? ev : t->ev;
	uint32_t *symbol = realloc(t->symbol, cap * sizeof *symbol);
	t->symbol = symbol ? symbol : t->symbol;
	uint32_t *account = realloc(t->account, cap * sizeof *account);
	t->account = account ? account : t->account;
	if (!t->key)
		t->key = calloc(n_keyspaces ? n_keyspaces : 1, sizeof *t->key);
	if (!ev || !symbol || !account || !t->key)
		return TW_E_FATAL;
	t->n_keyspaces = n_keyspaces;
	for (uint32_t k = 0; k < n_keyspaces; k++) {
		uint32_t *key = realloc(t->key[k], cap * sizeof *key);
		if (!key)
			return TW_E_FATAL;
		t->key[k] = key;
	}
	t->cap = cap;
	return TW_OK;
}

void items_free(struct items *t)
{
	for (uint32_t k = 0; t->key && k < t->n_keyspaces; k++)
		free(t->key[k]);
	free(t->ev);
	free(t->symbol);
	free(t->account);
	free(t->key);
	*t = (struct items){ 0 };
}

void items_add(struct items *t, const struct tw_event *ev)
{
	uint32_t symbol = 0, account = 0;

	switch (ev->kind) {
	case TW_QUOTE:
		symbol = ev->quote.symbol;
		break;
	case TW_TRADE:
		symbol = ev->trade.symbol;
		account = ev->trade.account;
		break;
	case TW_BAR:
		symbol = ev->bar.symbol;
		break;
	case TW_ORDER:
		symbol = ev->order.symbol;
		account = ev->order.account;
		break;
	case TW_DEAL:
		symbol = ev->deal.symbol;
		account = ev->deal.account;
		break;
	case TW_ACCOUNT:
		account = ev->account.account;
		break;
	case TW_NEWS:
		symbol = ev->news.symbol;
		break;
	case TW_SCORE:
		symbol = ev->score.symbol;
		account = ev->score.account;
		break;
	case TW_ALERT: /* woven in by weave(): the ids ride in the texts */
		symbol = ev->alert.symbol.reserved;
		account = ev->alert.account.reserved;
		break;
	case TW_LABEL:
		symbol = ev->label.symbol;
		account = ev->label.account;
		break;
	case TW_CORRECTION:
		symbol = ev->correction.symbol;
		break;
	default:
		break;
	}
	t->ev[t->n] = ev;
	t->symbol[t->n] = symbol;
	t->account[t->n] = account;
	t->n++;
}

/* Keys of this level's keyspaces, in the order of the items. */
static void find_keys(struct pipeline *p, uint32_t level, struct items *t)
{
	for (uint32_t k = 0; k < p->n_keyspaces; k++) {
		struct keyspace *space = &p->keyspaces[k];
		uint32_t kinds = p->keyspace_kinds[k], *key = t->key[k];
		if (space->level != level)
			continue;
		keyspace_begin(space);
		for (uint32_t i = 0; i < t->n; i++)
			key[i] = t->ev[i]->kind & kinds ? keyspace_touch(space, t->symbol[i], t->account[i], t->ev[i]->ts, i) : 0;
		if (space->failed)
			p->worker.memory_out = true;
	}
}

/* The batch's events with everything said so far behind the event that caused it, in the order of instances. */
static int32_t weave(struct pipeline *p)
{
	const struct outs *o = &p->worker.outs;
	uint32_t next = 0;

	p->merged.n = 0;
	if (items_room(&p->merged, p->base.n + o->n, p->n_keyspaces) < 0)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < p->base.n; i++) {
		items_add(&p->merged, p->base.ev[i]);
		for (; next < o->n && o->list[next].seq <= p->base.ev[i]->seq; next++)
			items_add(&p->merged, o->list[next].ev);
	}
	return TW_OK;
}

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

static void log_failures(struct pipeline *p)
{
	struct worker *w = &p->worker;

	for (uint32_t i = 0; i < w->n_failures; i++) {
		const struct failure *f = &w->failures[i];
		char detail[96];
		int n = snprintf(detail, sizeof detail, "the detector answered %d to event %" PRIu64, f->code, f->ev->seq);
		struct dead_letter d = {
			.wall = os->wall(),
			.seq = f->ev->seq,
			.source = { .s = f->instance->node->name, .len = (uint32_t)strlen(f->instance->node->name) },
			.reason = { .s = "detector_error", .len = 14 },
			.detail = { .s = detail, .len = n > 0 ? (uint32_t)n : 0 },
			.raw = { .s = (const char *)f->ev->raw, .len = f->ev->raw ? f->ev->raw_len : 0 },
		};
		if (f->ev->seq > p->logged_through && !pipeline_dead(p, &d))
			break;
	}
	w->n_failures = 0;
}

int32_t judge(struct pipeline *p, struct tw_err *e)
{
	struct worker *w = &p->worker;
	struct outs *o = &w->outs;
	uint64_t alerts = 0, scores = 0;

	for (uint32_t level = 0; level < p->graph->levels; level++) {
		struct items *t = level ? &p->merged : &p->base;
		if (level && weave(p) < 0)
			return err_set(e, TW_E_FATAL, "memory is out");
		find_keys(p, level, t);
		worker_run(w, level, t);
		outs_order(o, 0, p->intern);
	}
	for (uint32_t i = 0; i < o->n; i++) {
		struct out *out = &o->list[i];
		alerts += out->ev->kind == TW_ALERT;
		scores += out->ev->kind == TW_SCORE;
		if (out->logged && out->seq > p->logged_through && log_out(p, out) < 0)
			return err_set(e, TW_E_FATAL, "an alert of detector '%s' could not be encoded",
			               graph_detector(p->graph, out->instance)->name);
	}
	if (w->n_failures)
		log_failures(p);
	if (w->memory_out)
		return err_set(e, TW_E_FATAL, "memory is out; fewer keys (max_keys, ttl) or smaller windows need less");
	atomic_store_explicit(&p->n_events, p->n_events + p->base.n, memory_order_relaxed);
	atomic_store_explicit(&p->n_alerts, p->n_alerts + alerts, memory_order_relaxed);
	atomic_store_explicit(&p->n_scores, p->n_scores + scores, memory_order_relaxed);
	atomic_store_explicit(&p->event_time, p->base.ev[p->base.n - 1]->ts, memory_order_relaxed);
	p->batch_seq = p->base.ev[p->base.n - 1]->seq;
	o->n = 0;
	arena_reset(&o->arena);
	arena_reset(&p->scratch);
	p->base.n = 0;
	p->room_used = 0;
	return TW_OK;
}
