/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over a batch: pick the items an instance wants, find the states of their keys, and call the plugin once.
 * Instances with timers are called event by event, with the timers that came due in between, so that results do not
 * depend on where a batch ends.
 */
#include "base/err.h"
#include "bus/worker.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define ERROR_MINUTE 60000000000LL
#define MAX_FAILURES 65536u

/* ---- where: globs against names, each name once ---- */

static bool pass_name(struct worker *w, uint8_t **known, uint32_t *n_known, const struct where_names *names, uint32_t id)
{
	if (id >= *n_known) {
		uint32_t cap = *n_known ? *n_known : 256;
		uint8_t *grown;
		while (cap <= id)
			cap *= 2;
		grown = realloc(*known, cap);
		if (!grown) {
			w->memory_out = true;
			return false;
		}
		memset(grown + *n_known, 0, cap - *n_known);
		*known = grown;
		*n_known = cap;
	}
	if (!(*known)[id])
		(*known)[id] = where_name(names, intern_name(w->intern, id)) ? 1 : 2;
	return (*known)[id] == 1;
}

static bool passes(struct instance *in, uint32_t symbol, uint32_t account)
{
	const struct where *where = &in->node->where;

	if (where->symbol.n && !pass_name(in->worker, &in->symbol_pass, &in->symbol_known, &where->symbol, symbol))
		return false;
	return !where->account.n || pass_name(in->worker, &in->account_pass, &in->account_known, &where->account, account);
}

/* ---- calling the plugin ---- */

static void fail(struct instance *in, const struct tw_event *ev, int32_t code)
{
	struct worker *w = in->worker;
	int64_t minute = ev->ts / ERROR_MINUTE;

	in->errors++;
	if (minute != in->error_minute) {
		in->error_minute = minute;
		in->errors_now = 0;
	}
	if (w->n_failures < MAX_FAILURES)
		w->failures[w->n_failures++] = (struct failure){ ev, in, code };
	if (++in->errors_now <= (uint64_t)in->node->detector.max_errors || in->quarantined)
		return;
	in->quarantined = true;
	log_error(in->node->name,
	          "failed on %" PRIu64 " events within a minute (max_errors: %" PRId64
	          "): switched off until the next start; `tapewatch tape cat --dead` shows the events",
	          in->errors_now, in->node->detector.max_errors);
}

/* Hand the gathered events over. An event the plugin fails on is left out, the rest goes on. */
static void flush(struct instance *in)
{
	uint32_t from = 0, n = in->n_subset;

	in->events += n;
	while (from < n && !in->quarantined) {
		struct tw_batch b = { sizeof b, n - from, in->evs + from, in->states + from };
		int32_t rc;
		in->ctx.i = 0;
		rc = in->detector->process(&in->ctx, &b);
		if (rc >= 0)
			break;
		fail(in, in->evs[from + (in->ctx.i < b.n ? in->ctx.i : b.n - 1)], rc);
		from += in->ctx.i + 1;
		/* call_alert() looks at slots[ctx.i]: keep the arrays in step with the batch the plugin sees */
		if (from < n) {
			memmove(in->evs, in->evs + from, (n - from) * sizeof *in->evs);
			memmove(in->states, in->states + from, (n - from) * sizeof *in->states);
			memmove(in->slots, in->slots + from, (n - from) * sizeof *in->slots);
			memmove(in->seen, in->seen + from, (n - from) * sizeof *in->seen);
			memmove(in->at, in->at + from, (n - from) * sizeof *in->at);
			n -= from;
			in->n_subset = n;
			from = 0;
		}
	}
	in->n_subset = 0;
}

static void run_timers(struct instance *in)
{
	struct slot *s;
	int64_t due;

	while (!in->quarantined && (s = timers_next(&in->timers, &in->table, in->now, &due)) != NULL) {
		int32_t rc;
		in->timer_slot = s;
		in->timer_due = due;
		(void)table_mark(&in->table, s);
		rc = in->detector->timer(&in->ctx, slot_state(s), due);
		in->timer_slot = NULL;
		if (rc < 0) {
			in->errors++;
			log_error(in->node->name, "its timer failed with %d", rc);
		}
	}
}

/* What the keyspace forgot before this item must not be seen by it, and must be seen by those before it. */
static uint32_t drop_forgotten(struct instance *in, const struct keyspace *k, uint32_t next, uint32_t item)
{
	while (next < k->n_gone && k->gone[next].at <= item) {
		flush(in);
		table_drop(&in->table, k->gone[next].id);
		next++;
	}
	return next;
}

static void run_instance(struct instance *in, const struct items *items)
{
	struct worker *w = in->worker;
	const struct keyspace *k = &w->keyspaces[in->keyspace];
	const uint32_t *keys = items->key[in->keyspace];
	uint32_t next_gone = 0, state_size = in->table.state_size;
	bool timed = in->detector->timer != NULL;

	for (uint32_t i = 0; i < items->n; i++) {
		const struct tw_event *ev = items->ev[i];
		struct slot *s;
		uint32_t n;

		if (__builtin_expect(next_gone < k->n_gone, 0))
			next_gone = drop_forgotten(in, k, next_gone, i);
		if (timed) {
			if (ev->ts > in->now)
				in->now = ev->ts;
			if (timers_may_be_due(&in->timers, in->now)) {
				w->seq_now = ev->seq;
				run_timers(in);
			}
		}
		if (!(in->allowed[ev->source] & ev->kind))
			continue;
		if (in->node->has_where && !passes(in, items->symbol[i], items->account[i]))
			continue;
		if (__builtin_expect(keys[i] == 0, 0)) {
			in->unkeyed++;
			continue;
		}
		s = table_find(&in->table, keys[i]);
		if (__builtin_expect(!s, 0)) {
			s = table_add(&in->table, keys[i], ev->ts);
			if (!s) {
				w->memory_out = true;
				return;
			}
		}
		if (__builtin_expect(!s->dirty, 0) && !table_mark(&in->table, s))
			w->memory_out = true;
		n = in->n_subset++;
		in->evs[n] = ev;
		in->slots[n] = s;
		in->states[n] = state_size ? slot_state(s) : NULL;
		in->seen[n] = ++s->seen;
		in->at[n] = i;
		if (timed || n + 1 == BATCH_EVENTS)
			flush(in);
	}
	flush(in);
	(void)drop_forgotten(in, k, next_gone, items->n);
}

void worker_run(struct worker *w, uint32_t level, const struct items *items)
{
	w->items = items;
	for (uint32_t i = 0; i < w->n_instances; i++) {
		struct instance *in = &w->instances[i];
		if (in->node->level == level && !in->quarantined)
			run_instance(in, items);
	}
}

/* ---- order ---- */

static int by_names(const struct out *x, const struct out *y, const struct intern *names)
{
	int d = strcmp(intern_name(names, x->symbol), intern_name(names, y->symbol));
	return d ? d : strcmp(intern_name(names, x->account), intern_name(names, y->account));
}

static int in_order(const void *a, const void *b, void *names)
{
	const struct out *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->instance != y->instance)
		return x->instance < y->instance ? -1 : 1;
	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	if (x->due != INT64_MAX) {
		int d = by_names(x, y, names);
		if (d)
			return d;
	}
	return x->n < y->n ? -1 : 1;
}

void outs_order(struct outs *o, uint32_t from, const struct intern *names)
{
	if (o->n - from > 1)
		qsort_r(o->list + from, o->n - from, sizeof *o->list, in_order, (void *)(uintptr_t)names);
	for (uint32_t i = from; i < o->n; i++) {
		struct out *out = &o->list[i];
		bool same = i > from && out[-1].seq == out->seq && out[-1].instance == out->instance;
		out->ordinal = same ? out[-1].ordinal + 1 : 0;
	}
}

/* ---- making and freeing ---- */

static int32_t instance_init(struct worker *w, struct instance *in, const struct graph_node *node, uint32_t number)
{
	const struct graph *g = w->graph;
	uint32_t kinds = node->plugin->detector.kinds;

	in->worker = w;
	in->node = node;
	in->detector = &node->plugin->detector;
	in->number = number;
	in->now = INT64_MIN;
	in->kinds = kinds;
	in->allowed = calloc(g->n + 2, sizeof *in->allowed);
	if (!in->allowed)
		return TW_E_FATAL;
	if (node->has_where && node->where.kinds)
		kinds &= node->where.kinds;
	for (uint32_t i = 0; i < node->n_inputs; i++)
		in->allowed[node->inputs[i]] = (uint16_t)kinds;
	in->allowed[g->n] = (uint16_t)(kinds & TW_CLOCK); /* the host's own clock; [n + 1] is nobody */
	table_init(&in->table, node->state_size);
	for (uint32_t i = 0; i < w->n_keyspaces; i++) {
		const struct keyspace *k = &w->keyspaces[i];
		if (k->fields == (uint32_t)node->key && k->level == node->level && k->ttl == node->detector.ttl &&
		    k->max_keys == (uint32_t)node->detector.max_keys)
			in->keyspace = i;
	}
	in->heard = node->logged_scores;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *d = graph_detector(g, i);
		for (uint32_t k = 0; k < d->n_inputs; k++)
			if (d->inputs[k] == node->index)
				in->heard = true;
	}
	instance_calls(in);
	return TW_OK;
}

int32_t worker_init(struct worker *w, const struct graph *g, struct intern *intern, struct keyspace *keyspaces,
                    uint32_t n_keyspaces, struct tw_err *e)
{
	*w = (struct worker){ .graph = g, .intern = intern, .keyspaces = keyspaces, .n_keyspaces = n_keyspaces };
	w->instances = calloc(g->n_detectors ? g->n_detectors : 1, sizeof *w->instances);
	w->outs.list = malloc(MAX_OUTS * sizeof *w->outs.list);
	w->failures = malloc(MAX_FAILURES * sizeof *w->failures);
	if (!w->instances || !w->outs.list || !w->failures)
		return err_set(e, TW_E_FATAL, "memory is out");
	w->outs.cap = MAX_OUTS;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		struct instance *in = &w->instances[i];
		const struct graph_node *node = graph_detector(g, i);
		if (instance_init(w, in, node, i) < 0)
			return err_set(e, TW_E_FATAL, "memory is out");
		w->n_instances++;
		if (in->detector->open && in->detector->open(node->self, &in->host, e) < 0)
			return err_prefix(e, "detector '%s' did not open", node->name);
	}
	return TW_OK;
}

void worker_free(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_instances; i++) {
		struct instance *in = &w->instances[i];
		if (in->detector->close)
			in->detector->close(in->node->self);
		table_free(&in->table);
		timers_free(&in->timers);
		free(in->allowed);
		free(in->symbol_pass);
		free(in->account_pass);
	}
	free(w->instances);
	free(w->outs.list);
	free(w->failures);
	arena_free(&w->outs.arena);
	*w = (struct worker){ 0 };
}
