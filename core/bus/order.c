/* SPDX-License-Identifier: Apache-2.0
 *
 * What the shards said about a level, put in the one order: by event, detector, due time of a timer, name of the key
 * and order of saying. Nothing in it depends on which shard or batch a key or event was in. Errors are counted in that
 * order too, so that a detector that fails too often ends at the same event however far the workers had come.
 */
#include "base/log.h"
#include "bus/pipeline_impl.h"
#include "bus/poison.h"
#include <stdlib.h>
#include <string.h>

#define ERROR_MINUTE 60000000000LL
#define FEW          8u /* sorted by insertion */

/* ---- errors ---- */

static int failures_in_order(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	if (x->instance != y->instance)
		return x->instance < y->instance ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void count_failure(struct instance *in, const struct failure *f)
{
	int64_t minute = f->ev->ts / ERROR_MINUTE;

	in->errors++;
	if (minute != in->error_minute) {
		in->error_minute = minute;
		in->errors_now = 0;
	}
	if (++in->errors_now <= (uint64_t)in->node->detector.max_errors)
		return;
	in->cut = f->at;
	in->quarantined = true;
	log_error(in->node->name,
		  "failed on %" PRIu64 " events within a minute (max_errors: %" PRId64
		  "): switched off until the next start, when it begins anew; `tapewatch tape cat --dead` shows the "
		  "events",
		  in->errors_now, in->node->detector.max_errors);
}

/* Its states have seen events behind its end, how many is chance: nothing of them may come back. */
static void forget_states(struct pipeline *p, uint32_t instance)
{
	for (uint32_t s = 0; s < p->crew.n_shards; s++)
		share_clear(&p->crew.shards[s].shares[instance]);
	p->instances[instance].now = INT64_MIN;
	p->whole = true;
}

static bool gather_failures(struct pipeline *p, struct batch *b)
{
	uint32_t from = b->n_failures, kept = from;

	for (uint32_t i = 0; i < b->n_voices; i++) {
		struct voice *v = &b->voices[i];
		if (!v->n_failures)
			continue;
		if (!batch_grow((void **)&b->failures, &b->cap_failures, b->n_failures + v->n_failures,
				sizeof *b->failures))
			return false;
		memcpy(b->failures + b->n_failures, v->failures, v->n_failures * sizeof *v->failures);
		b->n_failures += v->n_failures;
		v->n_failures = 0;
	}
	if (b->n_failures == from)
		return true;
	qsort(b->failures + from, b->n_failures - from, sizeof *b->failures, failures_in_order);
	for (uint32_t i = from; i < b->n_failures; i++) {
		struct instance *in = &p->instances[b->failures[i].instance];
		if (in->quarantined)
			continue;
		if (b->failures[i].code != FAILURE_POISON)
			count_failure(in, &b->failures[i]);
		b->failures[kept++] = b->failures[i];
		if (in->quarantined)
			forget_states(p, in->number);
	}
	b->n_failures = kept;
	if (from)
		qsort(b->failures, b->n_failures, sizeof *b->failures, failures_in_order);
	return true;
}

/* ---- alerts and scores ---- */

static int by_names(const struct out *x, const struct out *y, const struct intern *names)
{
	int d = strcmp(intern_name(names, x->symbol), intern_name(names, y->symbol));
	return d ? d : strcmp(intern_name(names, x->account), intern_name(names, y->account));
}

static int in_order(const void *a, const void *b, void *names)
{
	const struct out *x = a, *y = b;

	if (x->instance != y->instance)
		return x->instance < y->instance ? -1 : 1;
	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	if (x->due != INT64_MAX) {
		int d = by_names(x, y, names);
		if (d)
			return d;
	}
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->n < y->n ? -1 : 1;
}

/* What was said about one event. */
static void order_group(struct out *o, uint32_t n, struct intern *names)
{
	if (n > FEW) {
		qsort_r(o, n, sizeof *o, in_order, names);
	} else {
		for (uint32_t i = 1; i < n; i++) {
			struct out moved = o[i];
			uint32_t at = i;
			for (; at > 0 && in_order(&moved, &o[at - 1], names) < 0; at--)
				o[at] = o[at - 1];
			o[at] = moved;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		o[i].ordinal = i && o[i - 1].instance == o[i].instance ? o[i - 1].ordinal + 1 : 0;
}

/* Sort what is new by event into b->fresh: count, then place. */
static bool order_fresh(struct pipeline *p, struct batch *b, uint32_t *ret_n)
{
	uint32_t total = 0, next = 0, *count = b->count;

	for (uint32_t i = 0; i < b->n_voices; i++)
		total += b->voices[i].n - b->voices[i].taken;
	*ret_n = 0;
	if (!total)
		return true;
	if (!batch_grow((void **)&b->fresh, &b->cap_fresh, total, sizeof *b->fresh))
		return false;
	memset(count, 0, b->base.n * sizeof *count);
	for (uint32_t i = 0; i < b->n_voices; i++)
		for (uint32_t k = b->voices[i].taken; k < b->voices[i].n; k++) {
			const struct out *o = &b->voices[i].outs[k];
			count[o->origin] += o->at <= p->instances[o->instance].cut;
		}
	for (uint32_t i = 0; i < b->base.n; i++) {
		uint32_t n = count[i];
		count[i] = next;
		next += n;
	}
	*ret_n = next;
	for (uint32_t i = 0; i < b->n_voices; i++) {
		struct voice *v = &b->voices[i];
		for (; v->taken < v->n; v->taken++) {
			const struct out *o = &v->outs[v->taken];
			if (o->at <= p->instances[o->instance].cut)
				b->fresh[count[o->origin]++] = *o;
		}
	}
	for (uint32_t i = 0, n; i < *ret_n; i += n) {
		for (n = 1; i + n < *ret_n && b->fresh[i + n].origin == b->fresh[i].origin;)
			n++;
		order_group(b->fresh + i, n, p->intern);
	}
	return true;
}

/* Behind what earlier levels said about the same event: detectors are numbered by level. */
static bool merge_fresh(struct batch *b, uint32_t n)
{
	uint32_t old = b->n_said, at = old + n;

	if (!batch_grow((void **)&b->said, &b->cap_said, at, sizeof *b->said))
		return false;
	b->n_said = at;
	while (n) {
		if (old && b->said[old - 1].origin > b->fresh[n - 1].origin)
			b->said[--at] = b->said[--old];
		else
			b->said[--at] = b->fresh[--n];
	}
	return true;
}

bool said_order(struct pipeline *p, struct batch *b, const struct items *t)
{
	uint32_t n;

	for (uint32_t i = 0; i < b->n_voices; i++)
		if (b->voices[i].memory_out || b->voices[i].arena.failed)
			return false;
	if (!gather_failures(p, b) || !order_fresh(p, b, &n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		p->instances[b->fresh[i].instance].alerts +=
			b->fresh[i].ev->kind == TW_ALERT && b->fresh[i].seq >= p->joins[b->fresh[i].instance].since;
	for (uint32_t i = 0; i < p->n_instances; i++) {
		struct instance *in = &p->instances[i];
		in->cut = UINT32_MAX;
		if (in->node->level == b->level && !in->quarantined && !in->absent && t->clock[t->n - 1] > in->now)
			in->now = t->clock[t->n - 1];
	}
	return !n || merge_fresh(b, n);
}
