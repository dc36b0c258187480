/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one seed: start the host, let things happen to it, start it again, until everything the sources hold is
 * recorded and delivered; then compare with a run that nothing happened to, with a rebuild and with a replay.
 */
#include "sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIVES 60u

static double some(struct rng *r, double p, double value)
{
	return rng_chance(r, p) ? value * (double)rng_between(r, 1, 10) / 10 : 0;
}

static void draw_faults(struct world *w)
{
	struct rng *r = &w->rng;
	struct faults *f = &w->faults;

	w->crashes_left = rng_chance(r, 0.9) ? rng_between(r, 1, 8) : 0;
	w->stops_left = rng_below(r, 3);
	f->crash_step = some(r, 0.5, 0.02);
	f->crash_commit = some(r, 0.6, 0.2);
	f->crash_point = some(r, 0.6, 0.05);
	f->commit_lost = (double)rng_below(r, 101) / 100;
	f->stop = some(r, 0.5, 0.01);
	f->full = some(r, 0.3, 0.1);
	f->fatal = some(r, 0.2, 0.05);
	f->source_io = some(r, 0.5, 0.1);
	f->sink_io = some(r, 0.5, 0.3);
	f->sink_again = some(r, 0.5, 0.3);
	f->clock_jump = some(r, 0.2, 0.02);
	f->spurious = some(r, 0.5, 0.1);
	f->memory = some(r, 0.4, 0.02);
	f->meanwhile = some(r, 0.7, 0.7);
	for (uint32_t i = 0; i < 5; i++)
		f->slow[i] = rng_chance(r, 0.3) ? 60 + rng_below(r, 39) : 0;
}

/* Full commits, one behind the other, and crashes between them. */
static void fault_flood(struct world *w)
{
	w->crashes_left = 8;
	w->faults.crash_commit = 0.3;
	w->faults.slow[RECORDER] = 95;
}

static struct world *world_new(uint64_t seed, struct tally *t, bool trouble)
{
	struct world *w = must(calloc(1, sizeof *w));
	struct rng r = { .at = hash_u64(seed + UINT64_C(0x7461706569640a)) };
	char id[33];

	w->seed = seed;
	w->tally = t;
	w->trouble = trouble;
	w->quiet = !trouble;
	w->rng.at = hash_u64(seed + (trouble ? 1 : UINT64_C(0x71756965740a)));
	for (int i = 0; i < 32; i++)
		id[i] = "0123456789abcdef"[rng_below(&r, 16)];
	id[32] = '\0';
	w->disk = disk_new(id, trouble ? 1u << rng_between(&w->rng, 8, 18) : 1u << 20);
	plan_make(&w->plan, seed);
	if (trouble)
		draw_faults(w);
	if (trouble && w->plan.flood)
		fault_flood(w);
	return w;
}

static void world_free(struct world *w)
{
	for (uint32_t i = 0; i < MAX_SINKS; i++) {
		free(w->down[i].rows);
		free(w->down[i].buffer);
	}
	disk_free(w->disk);
	disk_free(w->other);
	plan_free(&w->plan);
	free(w);
}

/* One start of the host to its end, whatever that is. true: it ended by itself. */
static bool live(const struct start *s)
{
	struct host *h = must(calloc(1, sizeof *h));
	struct tw_err e = { 0 };
	bool ended = false;

	if (host_build(h, s, &e) != TW_OK)
		violate("the host does not start: %s", e.msg);
	else if (!schedule_run(h))
		violate("the host does not come to an end");
	else
		ended = !sim->dead && !h->failed;
	if (ended && sim->quiet && s->mode == MODE_RUN && !sim->lives++)
		expect_books(h);
	sim->memory_fuse = 0;
	if (sim->starved && sim->crashes_left)
		sim->crashes_left--;
	if (!ended)
		sim->dead = true; /* what closes now, closes because the process is gone */
	host_free(h);
	free(h);
	sim->host = NULL;
	sim->in_commit = false;
	return ended;
}

static struct start draw_start(struct rng *r)
{
	static const uint32_t batches[] = { 0, 1, 2, 7, 64, 256 }; /* 0: as the host likes */

	return (struct start){ .mode = MODE_RUN,
			       .dir = "main",
			       .batch = batches[rng_below(r, 6)],
			       .workers = rng_between(r, 1, SIM_WORKERS),
			       .rebuild = rng_chance(r, 0.05) };
}

/* The machine is on again. */
static void boot(void)
{
	struct rng *r = &sim->rng;

	sim->dead = sim->starved = false;
	sim->now += (int64_t)rng_below(r, 3000) * MS;
	if (rng_chance(r, 0.2))
		sim->boot = sim->now; /* the monotonic clock begins anew */
	if (sim->trouble && sim->crashes_left && rng_chance(r, 0.4))
		sim->fuse = rng_between(r, 1, 30);
	else
		sim->fuse = 0;
}

/* Until everything is recorded and delivered. */
static void run_to_the_end(void)
{
	bool complete = false;

	for (uint32_t n = 0; !sim->violated && !complete; n++) {
		struct start s = draw_start(&sim->rng);
		if (n == MAX_LIVES)
			sim->trouble = false;
		if (n == MAX_LIVES + 20) {
			violate("after %u starts, the last 20 of them quiet, something is still missing", n);
			break;
		}
		say("start %u: batch %u, %u workers%s", n + 1, s.batch, s.workers, s.rebuild ? ", rebuild" : "");
		sim->tally->starts++;
		/* without memory it may have ended well, but for its last checkpoint */
		complete = live(&s) && !sim->starved && expect_complete(sim->disk);
		if (complete && rng_chance(&sim->rng, 0.2)) /* and once more, with nothing left to do */
			complete = false;
		if (!sim->violated && !complete)
			boot();
	}
}

/* The same tape again, into the disk "other". */
static void run_again(enum mode mode)
{
	struct start s = { .mode = mode,
			   .dir = "other",
			   .batch = 1 + rng_below(&sim->rng, 256),
			   .workers = rng_between(&sim->rng, 1, SIM_WORKERS),
			   .rebuild = true };

	disk_free(sim->other);
	sim->other = mode == MODE_REBUILD ? disk_copy_tape(sim->disk) : disk_new(sim->disk->tape_id, UINT64_MAX);
	sim->trouble = false;
	if (!live(&s) && !sim->violated)
		violate("the %s failed", mode == MODE_REBUILD ? "rebuild" : "replay");
}

static bool report(void)
{
	if (!sim->violated)
		return true;
	printf("\nVIOLATION at seed %" PRIu64 ", step %" PRIu64 ": %s\n", sim->seed, sim->step, sim->what);
	printf("again with: simulate --seed %" PRIu64 " --verbose\n", sim->seed);
	return false;
}

static void count(const struct world *w, struct tally *t)
{
	t->seeds++;
	t->dead += w->disk->dead.last;
	t->alerts += w->disk->alerts.last;
	t->events += w->disk->tape.last;
	for (uint32_t i = 0; i < w->plan.n_sources; i++)
		t->skipped += w->plan.sources[i].n_skipped;
}

/* A run of the same seed that nothing happens to. */
static struct world *undisturbed(uint64_t seed, struct tally *t)
{
	sim = world_new(seed, t, false);
	run_to_the_end();
	if (!sim->violated)
		expect_tape(sim->disk);
	return sim;
}

bool seed_run(uint64_t seed, struct tally *t)
{
	struct tally scratch = { 0 };
	struct world *quiet = NULL, *w = world_new(seed, t, true);
	bool good = true;

	if (!w->plan.any_live) {
		quiet = undisturbed(seed, &scratch);
		good = report();
	}
	sim = w;
	if (verbose)
		printf("%s\n", (const char *)w->plan.yaml.data);
	if (good)
		run_to_the_end();
	if (good && !sim->violated) {
		expect_tape(sim->disk);
		if (quiet) {
			compare_tapes(sim->disk, quiet->disk, "the undisturbed run");
			compare_alerts(sim->disk, quiet->disk, "that of the undisturbed run");
			compare_states(sim->disk, quiet->disk, "the undisturbed run");
		}
	}
	if (good && !sim->violated) {
		run_again(MODE_REBUILD);
		compare_alerts(sim->disk, sim->other, "that of a rebuild");
		compare_states(sim->disk, sim->other, "the rebuild");
	}
	if (good && !sim->violated) {
		run_again(MODE_REPLAY);
		compare_alerts(sim->disk, sim->other, "that of a replay");
		if (!sim->violated)
			expect_outside(sim->disk, sim->other);
	}
	if (good)
		good = report();
	count(w, t);
	if (quiet)
		world_free(quiet);
	world_free(w);
	sim = NULL;
	return good;
}
