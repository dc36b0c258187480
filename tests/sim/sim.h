/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator: the whole host in one thread, under one seeded scheduler.
 *
 * A seed decides everything: what the sources hold, the configuration, in which order the parts of the host take their
 * steps, how the clock goes, when the disk is full and when the process dies. What outlives a process - the disk, the
 * world behind sources and sinks - is in struct world; everything else is thrown away at a crash and built again.
 *
 * A crash is never a jump out of a function: it sets sim->dead, and from then on nothing has an effect any more. Commits
 * are refused, sinks and sources answer with errors, and once the step in progress has returned the host is freed.
 * So a crash may lie between any two effects, inside a step too, and nothing leaks.
 *
 *   plan.c      what the sources hold and the configuration, as text
 *   source.c    the source plugin: offers the plan's items, finite or live
 *   sink.c      sink plugins: what reached the outside
 *   trace.c     a detector that remembers everything it was shown
 *   plugins.c   core/plugin/plugin.h for what is linked in
 *   disk.c      what is on the disk
 *   sim_store.c core/state/store.h over that disk, with its faults
 *   kernel.c    clock, randomness, crash points
 *   memory.c    allocations that fail
 *   host.c      the host, put together as core/run/run.c does it
 *   schedule.c  who takes the next step
 *   expect.c    what the sources' side must look like: the merge, dead letters, sinks
 *   compare.c   runs against each other: alert logs, states
 *   seed.c      the life of one seed
 *   main.c      many of them
 */
#ifndef SIM_H
#define SIM_H

#include "bus/crew.h"
#include "bus/pipeline.h"
#include "disk.h"
#include "run/delivery.h"

#define MAX_SOURCES 4u
#define MAX_SINKS   4u
#define SIM_WORKERS 4u
#define MAX_ITEMS   12000u /* of one source */
#define SECOND      INT64_C(1000000000)
#define MS          INT64_C(1000000)

/* ---- chance: splitmix64 ---- */
struct rng {
	uint64_t at;
};

static inline uint64_t rng_next(struct rng *r)
{
	return hash_u64(r->at += UINT64_C(0x9e3779b97f4a7c15));
}
static inline uint32_t rng_below(struct rng *r, uint32_t n) /* 0 .. n - 1 */
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}
static inline uint32_t rng_between(struct rng *r, uint32_t from, uint32_t to) /* both inclusive */
{
	return from + rng_below(r, to - from + 1);
}
static inline bool rng_chance(struct rng *r, double p)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53 < p;
}

/* ---- the plan: a function of the seed ---- */
enum item_what {
	ITEM_EVENT,
	ITEM_BAD,    /* an event that the host refuses */
	ITEM_REJECT, /* a row that the source refuses */
	ITEM_SKIP    /* a row that is left out on purpose */
};

struct item {
	uint8_t what;
	bool as_msgpack; /* by push() and not by put() */
	uint16_t symbol, account, other;
	uint32_t kind;
	int64_t ts, arrives; /* arrives: of a live source, ns after the beginning of the world */
	double a, b;
};

struct plan_source {
	char name[16];
	bool finite;
	struct item *items;
	uint32_t n, n_events, n_dead, n_skipped;
};

enum sink_kind {
	SINK_AT_ONCE,  /* what it accepts is out in the world at once */
	SINK_BUFFERED, /* at flush(); a crash leaves part of the buffer */
	SINK_KEEPER    /* at flush(), whole or not at all, and it knows what it has */
};

struct plan_sink {
	char name[16];
	enum sink_kind kind;
	bool scores;       /* wants scores too */
	bool only[16];     /* detectors it listens to; all false: all */
	uint32_t refuses;  /* one in so many records is refused for good; 0: none */
};

struct plan_detector {
	char name[16];
	bool scores; /* emits */
};

struct plan {
	struct plan_source sources[MAX_SOURCES];
	uint32_t n_sources;
	struct plan_sink sinks[MAX_SINKS];
	uint32_t n_sinks;
	struct plan_detector detectors[16];
	uint32_t n_detectors;
	bool any_live, any_finite;
	bool flood; /* of dead letters, more than a commit holds */
	int64_t begin; /* wall clock of the first event */
	struct buf yaml;
};

void plan_make(struct plan *, uint64_t seed);
void plan_free(struct plan *);
/* Offer one item to a writer, as the source does. */
int32_t item_offer(const struct plan_source *, uint32_t index, struct tw_writer *);
/* The canonical bytes of the event of an item, its seq 0. */
void item_bytes(const struct plan_source *, uint32_t index, struct buf *out);

/* ---- how much goes wrong ---- */
struct faults {
	double crash_step, crash_commit, crash_point, stop; /* chances for each step, commit, crash point */
	double commit_lost;       /* share of the crashes in a commit before it is applied */
	double full, fatal;       /* for each commit */
	double source_io, sink_io, sink_again;
	double clock_jump, spurious;
	double meanwhile;         /* the others go on during a commit */
	double memory;            /* for each step: one of the next allocations fails */
	uint32_t slow[5];         /* percent of the turns that pumps, pipeline, recorder, sinks, workers let pass */
};

/* ---- behind the sources and sinks ---- */
struct upstream {
	uint32_t acked;   /* items that the host said are safe: they will not be offered again */
	uint32_t reached; /* the furthest item ever offered */
	uint32_t opens, closes;
	int64_t waits_until; /* a poll of a live source is under way until then */
};

struct row {
	uint64_t sum; /* XXH3 of the canonical bytes */
	uint64_t session; /* rises whenever the sink was opened */
};

struct downstream {
	struct row *rows;
	uint32_t n, cap;
	struct row *buffer; /* accepted, not flushed */
	uint32_t n_buffer, cap_buffer;
	uint64_t session;
	uint32_t opens, closes;
};

/* ---- the world ---- */
struct tally {
	uint64_t seeds, steps, starts, crashes, crashes_step, crashes_commit, crashes_point, crashes_start, crashes_fatal;
	uint64_t stops, commits, full, events, dead, skipped, alerts, scores, compared, delivered, refused, repeated, states;
	uint64_t source_errors, sink_errors, clock_events, segments, starved;
};

struct world {
	uint64_t seed;
	struct rng rng; /* of the schedule and the faults */
	struct plan plan;
	struct faults faults;
	bool quiet;     /* nothing ever happens to this one: it is what others are compared with */
	uint32_t lives; /* clean ends */
	bool trouble;   /* faults may happen; false: the rest of the run is quiet */
	bool dead;      /* the process is gone: nothing has an effect any more */
	bool violated;
	char what[2048];
	uint64_t step;
	int64_t now;    /* ns, true time since the beginning of the world */
	int64_t wall_off, boot;
	int64_t full_until;
	uint32_t fuse;  /* die after so many more steps; 0: not set */
	uint32_t memory_fuse; /* the allocation that fails is so many from here; 0: none */
	bool starved;         /* this life of the host has met that */
	uint32_t crashes_left, stops_left;
	struct disk *disk; /* "main" */
	struct disk *other; /* "other": of the runs to compare with */
	struct upstream up[MAX_SOURCES];
	struct downstream down[MAX_SINKS];
	struct host *host;
	bool in_commit;
	struct tally *tally;
};

extern struct world *sim; /* the one that is being simulated: plugins and the kernel's table have no argument for it */
extern bool verbose;

/* The first violation of a seed is kept; the process in the simulation dies of it. */
void violate(const char *fmt, ...) TW_PRINTF(1, 2);
void say(const char *fmt, ...) TW_PRINTF(1, 2); /* with --verbose */
void die_now(uint64_t *counter, const char *where);

/* Around what the simulator allocates on behalf of the host: that never fails. */
void calm_begin(void);
void calm_end(void);

void kernel_install(void);
int64_t sim_wall(void);
int64_t sim_mono(void);
void kernel_points_print(void);

/* Called by the store while a commit is under way: the other threads do not stand still. */
void schedule_meanwhile(void);

/* ---- one life of the host ---- */
enum mode {
	MODE_RUN,     /* sources to tape, alerts, sinks */
	MODE_REBUILD, /* from the tape of the store itself, without sources and sinks */
	MODE_REPLAY   /* the tape of "main" into the store "other" */
};

enum role { PUMP, PIPELINE, RECORDER, DELIVERY, WORKER };

struct actor {
	enum role role;
	uint32_t number;
	void *of;
	struct bell *bell;
	bool asleep, over, busy;
	enum step result;
	uint32_t seen;
	int64_t wake_at;
};

struct host {
	enum mode mode;
	struct config config;
	struct report report;
	struct graph graph;
	struct store *store, *recording;
	struct recorder *recorder;
	struct pipeline *pipeline;
	struct pump *pumps[MAX_SOURCES];
	struct delivery *deliveries[MAX_SINKS];
	uint32_t n_pumps, n_deliveries;
	struct bell bell;
	struct actor actors[2 + MAX_SOURCES + MAX_SINKS + SIM_WORKERS];
	uint32_t n_actors;
	bool stopping, sinks_told, failed;
};

struct start {
	enum mode mode;
	const char *dir;   /* of the store */
	uint32_t batch, workers;
	bool rebuild;
};

int32_t host_build(struct host *, const struct start *, struct tw_err *);
void host_free(struct host *);
/* What the control loop does when a thread has ended. */
void host_control(struct host *);
bool host_over(const struct host *);
void host_stop(struct host *);

/* Let the host run until it is over, or dead. false: it does not come to an end. */
bool schedule_run(struct host *);

/* ---- judging ---- */
void expect_tape(const struct disk *);
/* What the pumps counted, of a run that read everything in one go. */
void expect_books(const struct host *);
/* Dead letters and sinks. */
void expect_outside(const struct disk *, const struct disk *undisturbed);
/* Is everything that the sources hold on the disk, and all of the alert log delivered? */
bool expect_complete(const struct disk *);
/* An event as JSON, terminated. */
void describe(struct buf *out, const unsigned char *event, size_t len);
/* Row for row. */
void compare_alerts(const struct disk *is, const struct disk *should, const char *against);
void compare_tapes(const struct disk *is, const struct disk *should, const char *against);
void compare_states(const struct disk *is, const struct disk *should, const char *against);

/* true: every oracle is content. */
bool seed_run(uint64_t seed, struct tally *);

#endif
