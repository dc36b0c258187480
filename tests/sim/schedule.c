/* SPDX-License-Identifier: Apache-2.0
 *
 * The scheduler: whoever is awake may be the next to take a step. An actor that had nothing to do sleeps as its thread
 * would, until its bell rings or its pause is over; when all sleep, the clock goes on to the next who wakes.
 */
#include "sim.h"
#include <string.h>

#define MAX_STEPS 100000u /* of one life of the host */
#define TROUBLE_STEPS                                                                                                  \
	5000u        /* after these nothing goes wrong any more: a line that breaks too often lets nothing through */
#define MAX_DEEP 12u /* steps of others during one commit */

static const char *const role_names[] = { "pump", "pipeline", "recorder", "sink", "worker" };
static const char *const step_names[] = { "idle", "more", "done", "failed" };

static enum step take_step(struct actor *a)
{
	switch (a->role) {
	case PUMP:
		return pump_step(a->of, 100);
	case PIPELINE:
		return pipeline_step(a->of);
	case RECORDER:
		return recorder_step(a->of);
	case WORKER:
		return worker_step(a->of);
	default:
		return delivery_step(a->of);
	}
}

static int32_t pause_ms(const struct actor *a)
{
	switch (a->role) {
	case PUMP:
		return pump_pause_ms(a->of);
	case PIPELINE:
		return 200;
	case RECORDER:
		return 100;
	case WORKER:
		return 1000;
	default:
		return delivery_pause_ms(a->of);
	}
}

static bool awake(const struct actor *a)
{
	return !a->over && !a->busy && (!a->asleep || bell_read(a->bell) != a->seen || sim->now >= a->wake_at);
}

static void run_actor(struct host *h, struct actor *a)
{
	a->seen = bell_read(a->bell);
	a->asleep = false;
	a->busy = true;
	if (sim->trouble && sim->crashes_left && rng_chance(&sim->rng, sim->faults.memory))
		sim->memory_fuse = rng_between(&sim->rng, 1, 8);
	a->result = take_step(a);
	a->busy = false;
	sim->step++;
	sim->tally->steps++;
	if (verbose && a->result != STEP_IDLE)
		say("%s %u: %s", role_names[a->role], a->number, step_names[a->result]);
	if (a->result == STEP_IDLE) {
		a->asleep = true;
		a->wake_at = sim->now + (int64_t)pause_ms(a) * MS;
		if (a->role == PUMP && a->wake_at < sim->up[a->number].waits_until)
			a->wake_at = sim->up[a->number].waits_until;
	} else if (a->result != STEP_MORE) {
		a->over = true;
		host_control(h);
	}
	sim->now += (int64_t)rng_below(&sim->rng, 200) * 1000;
}

static struct actor *choose(struct host *h)
{
	struct actor *ready[sizeof h->actors / sizeof *h->actors] = { NULL };
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n_actors; i++)
		if (awake(&h->actors[i]))
			ready[n++] = &h->actors[i];
	while (n > 1) { /* some are slow, so that queues fill */
		uint32_t i = rng_below(&sim->rng, n);
		if (rng_below(&sim->rng, 100) >= sim->faults.slow[ready[i]->role])
			return ready[i];
		ready[i] = ready[--n];
	}
	return ready[0];
}

static void wait_for_somebody(struct host *h)
{
	int64_t next = INT64_MAX;

	for (uint32_t i = 0; i < h->n_actors; i++)
		if (!h->actors[i].over && !h->actors[i].busy && h->actors[i].wake_at < next)
			next = h->actors[i].wake_at;
	if (next != INT64_MAX && next > sim->now)
		sim->now = next;
}

/* What befalls the machine between two steps. */
static void befall(struct host *h)
{
	const struct faults *f = &sim->faults;

	if (!sim->trouble)
		return;
	if (sim->fuse && --sim->fuse == 0) {
		die_now(&sim->tally->crashes_start, "soon after the start");
		return;
	}
	if (sim->crashes_left && rng_chance(&sim->rng, f->crash_step)) {
		die_now(&sim->tally->crashes_step, "between two steps");
	} else if (sim->stops_left && !h->stopping && rng_chance(&sim->rng, f->stop)) {
		say("asked to stop");
		sim->stops_left--;
		sim->tally->stops++;
		host_stop(h);
	} else if (rng_chance(&sim->rng, f->clock_jump)) {
		static const int64_t most[] = { SECOND, 60 * SECOND, 86400 * SECOND };
		int64_t by = most[rng_below(&sim->rng, 3)];
		by = (int64_t)(rng_next(&sim->rng) % (uint64_t)by);
		sim->wall_off += rng_chance(&sim->rng, 0.5) ? by : -by;
	} else if (rng_chance(&sim->rng, f->spurious)) {
		h->actors[rng_below(&sim->rng, h->n_actors)].asleep = false;
	}
}

/* Live sources have no end: once everything has come, somebody stops the run. */
static void stop_when_all_came(struct host *h)
{
	if (h->stopping || !sim->plan.any_live || h->mode != MODE_RUN)
		return;
	for (uint32_t i = 0; i < sim->plan.n_sources; i++)
		if (sim->up[i].reached < sim->plan.sources[i].n)
			return;
	for (uint32_t i = 0; i < h->n_actors; i++) /* and is on its way */
		if (h->actors[i].role == PUMP && awake(&h->actors[i]))
			return;
	if (rng_chance(&sim->rng, 0.02))
		host_stop(h);
}

bool schedule_run(struct host *h)
{
	sim->host = h;
	for (uint32_t n = 0; n < MAX_STEPS; n++) {
		struct actor *a;
		if (sim->dead || host_over(h))
			return true;
		if (n == TROUBLE_STEPS)
			sim->trouble = false;
		befall(h);
		if (sim->dead)
			return true;
		stop_when_all_came(h);
		a = choose(h);
		if (a)
			run_actor(h, a);
		else
			wait_for_somebody(h);
	}
	return false;
}

void schedule_meanwhile(void)
{
	struct host *h = sim->host;

	if (sim->in_commit)
		return;
	sim->in_commit = true;
	for (uint32_t n = rng_below(&sim->rng, MAX_DEEP); n > 0 && !sim->dead; n--) {
		struct actor *a = choose(h);
		if (!a)
			break;
		run_actor(h, a);
	}
	sim->in_commit = false;
}
