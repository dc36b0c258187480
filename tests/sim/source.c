/* SPDX-License-Identifier: Apache-2.0
 *
 * The source plugin of the simulation: offers the items of the plan in order, as many at a time and with marks wherever
 * the schedule likes. A position is the number of the next item with a checksum. It keeps the one rule of sources -
 * from a position the same things in the same order - and makes use of every freedom beside it.
 */
#define tw_plugin tw_plugin_sim_source
#include "sim.h"
#include <string.h>
#include <tapewatch/push.h>

struct sim_source {
	int64_t number;
	/* from here on the plugin's own */
	uint32_t next;
	int64_t open;
};

struct mark {
	uint32_t next, source;
	uint64_t sum;
};

static uint64_t mark_sum(uint32_t next, uint32_t source)
{
	return hash_u64(sim->seed ^ ((uint64_t)next << 32 | source));
}

static int32_t say_io(struct tw_err *e, const char *what)
{
	(void)snprintf(e->msg, sizeof e->msg, "%s", what);
	sim->tally->source_errors++;
	return e->code = TW_E_IO;
}

static bool outage(void)
{
	return sim->trouble && rng_chance(&sim->rng, sim->faults.source_io);
}

static int32_t open_(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct sim_source *s = self;
	struct upstream *up = &sim->up[s->number];
	struct mark m = { 0 };

	(void)host;
	if (sim->dead || outage())
		return say_io(e, "the other side does not answer");
	if (resume) {
		if (resume->len != sizeof m)
			violate("source s%d was opened at a position of %" PRIu64 " bytes", (int)s->number,
				resume->len);
		memcpy(&m, resume->data, sizeof m);
		if (m.source != (uint32_t)s->number || m.sum != mark_sum(m.next, m.source) ||
		    m.next > sim->plan.sources[s->number].n)
			violate("source s%d was opened at a position that it never gave", (int)s->number);
	}
	if (m.next < up->acked)
		violate("source s%d goes on from item %u, but everything before item %u was acknowledged and is gone",
			(int)s->number, m.next, up->acked);
	say("source s%d opens at item %u", (int)s->number, m.next);
	up->opens++;
	s->next = m.next;
	s->open = 1;
	return TW_OK;
}

static int32_t mark(struct sim_source *s, struct tw_writer *w)
{
	struct mark m = { s->next, (uint32_t)s->number, mark_sum(s->next, (uint32_t)s->number) };
	struct tw_pos pos = { .len = sizeof m };

	memcpy(pos.data, &m, sizeof m);
	if (verbose)
		say("source s%d marks %u", (int)s->number, s->next);
	return w->mark(w, &pos);
}

static int32_t offer(struct sim_source *s, const struct plan_source *p, struct tw_writer *w, int32_t timeout_ms,
		     struct tw_err *e)
{
	struct upstream *up = &sim->up[s->number];
	uint32_t most = sim->plan.flood ? UINT32_MAX : 1u << rng_below(&sim->rng, 11), style = rng_below(&sim->rng, 4),
		 from = s->next;

	for (uint32_t n = 0; n < most && n < w->credit && s->next < p->n; n++) {
		int32_t rc;
		if (!p->finite && p->items[s->next].arrives > sim->now)
			break;
		if (n && outage())
			return say_io(e, "the connection broke");
		rc = item_offer(p, s->next, w);
		if (rc != TW_OK && sim->starved)
			return rc;
		if (rc != TW_OK) {
			violate("item %u of source s%d: the host answered %d", s->next, (int)s->number, rc);
			return rc;
		}
		s->next++;
		if (s->next > up->reached)
			up->reached = s->next;
		if (style && rng_chance(&sim->rng, style == 1 ? 1 : 0.2) && mark(s, w) != TW_OK && !sim->starved)
			violate("source s%d cannot mark", (int)s->number);
	}
	if (outage())
		return say_io(e, "the connection broke");
	if ((s->next > from ? style != 2 : rng_chance(&sim->rng, 0.05)) && mark(s, w) != TW_OK && !sim->starved)
		violate("source s%d cannot mark", (int)s->number);
	if (p->finite)
		return s->next < p->n ? TW_OK : TW_DONE;
	if (s->next < p->n && p->items[s->next].arrives <= sim->now)
		return TW_OK;
	if (s->next == from) { /* a live source waits in poll() until something comes */
		up->waits_until = sim->now + (int64_t)timeout_ms * MS;
		if (s->next < p->n && p->items[s->next].arrives < up->waits_until)
			up->waits_until = p->items[s->next].arrives;
	}
	return TW_AGAIN;
}

static int32_t poll_(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct sim_source *s = self;
	uint32_t from = s->next;
	int32_t rc;

	if (sim->dead)
		return say_io(e, "the process is dead");
	if (!s->open)
		violate("source s%d was polled before it was opened", (int)s->number);
	if (rng_chance(&sim->rng, 0.1))
		return TW_AGAIN;
	rc = offer(s, &sim->plan.sources[s->number], w, timeout_ms, e);
	if (s->next > from || rc < 0)
		say("source s%d offers items %u to %u: %d", (int)s->number, from, s->next, rc);
	return rc;
}

static void close_(void *self)
{
	struct sim_source *s = self;

	if (!s->open)
		violate("source s%d was closed twice", (int)s->number);
	s->open = 0;
	sim->up[s->number].closes++;
}

static int32_t ack(void *self, const struct tw_pos *pos, struct tw_err *e)
{
	struct sim_source *s = self;
	const struct disk_position *on_disk = disk_position(sim->disk, sim->plan.sources[s->number].name);
	struct mark m, d = { 0 };

	(void)e;
	if (sim->dead)
		return TW_OK;
	memcpy(&m, pos->data, sizeof m);
	if (on_disk && on_disk->at.marked)
		memcpy(&d, on_disk->at.pos.data, sizeof d);
	if (m.next > d.next)
		violate("source s%d: item %u was acknowledged, but the disk says %u", (int)s->number, m.next, d.next);
	if (m.next > sim->up[s->number].acked)
		sim->up[s->number].acked = m.next;
	return TW_OK;
}

static int32_t is_finite(const void *self)
{
	return sim->plan.sources[((const struct sim_source *)self)->number].finite;
}

static const struct tw_option options[] = {
	TW_INT(struct sim_source, number, TW_REQUIRED, "0", "3", "which source of the plan"),
	TW_END,
};

const struct tw_manifest *tw_plugin(void);

TW_SOURCE(.name = "sim_source", .version = "1", .summary = "the sources of a simulation", .options = options,
	  .self_size = sizeof(struct sim_source), .open = open_, .poll = poll_, .close = close_, .ack = ack,
	  .finite = is_finite)
