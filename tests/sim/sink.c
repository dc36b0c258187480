/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink plugin of the simulation, in three kinds (see enum sink_kind), each of which fails in every way that
 * tapewatch/plugin.h allows: it takes part of what it is offered, asks for a pause, loses its connection with whatever
 * it had not flushed, does what it was told and loses the answer, and refuses some records for good.
 */
#define tw_plugin tw_plugin_sim_sink
#include "sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_sink {
	int64_t number;
	/* from here on the plugin's own */
	int64_t open, broken;
};

static void add_row(struct row **rows, uint32_t *n, uint32_t *cap, struct row row)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		calm_begin();
		*rows = must(realloc(*rows, *cap * sizeof **rows));
		calm_end();
	}
	(*rows)[(*n)++] = row;
}

static bool has(const struct downstream *d, uint64_t sum)
{
	for (uint32_t i = d->n; i-- > 0;)
		if (d->rows[i].sum == sum)
			return true;
	return false;
}

/* The first n of the buffer are out in the world, the others are gone. */
static void settle(struct downstream *d, enum sink_kind kind, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < d->n_buffer; i++)
		if (kind != SINK_KEEPER || !has(d, d->buffer[i].sum))
			add_row(&d->rows, &d->n, &d->cap, d->buffer[i]);
	d->n_buffer = 0;
}

static int32_t lose(struct sim_sink *s, struct tw_err *e)
{
	(void)snprintf(e->msg, sizeof e->msg, "the connection broke");
	sim->tally->sink_errors++;
	s->broken = 1;
	return e->code = TW_E_IO;
}

static bool outage(void)
{
	return sim->trouble && rng_chance(&sim->rng, sim->faults.sink_io);
}

static bool busy(void)
{
	return sim->trouble && rng_chance(&sim->rng, sim->faults.sink_again);
}

static int32_t open_(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct sim_sink *s = self;
	struct downstream *d = &sim->down[s->number];

	(void)host;
	if (s->open)
		violate("sink k%d was opened twice", (int)s->number);
	if (sim->dead || outage())
		return lose(s, e);
	if (busy())
		return TW_AGAIN;
	s->open = 1;
	s->broken = 0;
	d->opens++;
	d->session++;
	return TW_OK;
}

static bool refused(const struct plan_sink *k, uint64_t sum)
{
	return k->refuses && hash_u64(sum ^ sim->seed) % k->refuses == 0;
}

static int32_t write_(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done, struct tw_err *e)
{
	struct sim_sink *s = self;
	const struct plan_sink *k = &sim->plan.sinks[s->number];
	struct downstream *d = &sim->down[s->number];
	uint32_t most = n;
	int32_t rc = TW_OK;

	if (!s->open)
		violate("sink k%d was written to before it was opened", (int)s->number);
	if (sim->dead || s->broken)
		return lose(s, e);
	if (outage()) {
		most = rng_below(&sim->rng, n + 1);
		rc = TW_E_IO;
	} else if (busy()) {
		most = rng_below(&sim->rng, n + 1);
		rc = TW_AGAIN;
	}
	for (*done = 0; *done < most; ++*done) {
		const struct tw_event *ev = records[*done];
		struct row row = { hash_bytes(ev->raw, ev->raw_len), d->session };
		if (refused(k, row.sum)) {
			(void)snprintf(e->msg, sizeof e->msg, "not this one");
			sim->tally->refused++;
			return e->code = TW_E_DATA;
		}
		say("sink k%d accepts a record about event %" PRIu64 " (%016" PRIx64 ")", (int)s->number, ev->seq,
		    row.sum);
		sim->tally->delivered++;
		if (k->kind == SINK_AT_ONCE)
			add_row(&d->rows, &d->n, &d->cap, row);
		else
			add_row(&d->buffer, &d->n_buffer, &d->cap_buffer, row);
	}
	return rc == TW_E_IO ? lose(s, e) : rc;
}

static int32_t flush(void *self, struct tw_err *e)
{
	struct sim_sink *s = self;
	struct downstream *d = &sim->down[s->number];
	enum sink_kind kind = sim->plan.sinks[s->number].kind;

	if (!s->open)
		violate("sink k%d was flushed before it was opened", (int)s->number);
	if (sim->dead || s->broken)
		return lose(s, e);
	if (busy())
		return TW_AGAIN;
	if (outage()) { /* did it, or did not, or in part */
		if (rng_chance(&sim->rng, 0.5))
			settle(d, kind, kind == SINK_KEEPER ? d->n_buffer : rng_below(&sim->rng, d->n_buffer + 1));
		return lose(s, e);
	}
	settle(d, kind, d->n_buffer);
	return TW_OK;
}

static void close_(void *self)
{
	struct sim_sink *s = self;
	struct downstream *d = &sim->down[s->number];
	enum sink_kind kind = sim->plan.sinks[s->number].kind;

	if (!s->open)
		violate("sink k%d was closed twice", (int)s->number);
	settle(d, kind, kind == SINK_KEEPER ? 0 : rng_below(&sim->rng, d->n_buffer + 1));
	s->open = 0;
	d->closes++;
}

static const struct tw_option options[] = {
	TW_INT(struct sim_sink, number, TW_REQUIRED, "0", "3", "which sink of the plan"),
	TW_END,
};

const struct tw_manifest *tw_plugin(void);

TW_SINK(.name = "sim_sink", .version = "1", .summary = "the sinks of a simulation", .options = options,
	.self_size = sizeof(struct sim_sink), .open = open_, .write = write_, .flush = flush, .close = close_)
