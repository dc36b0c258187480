/* SPDX-License-Identifier: Apache-2.0
 *
 * A run from its beginning to its end: open the stores, build the machine, let it run, say how it went.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "run/run_impl.h"
#include "run/takeover.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool holds_events(struct store *s)
{
	struct segment_info info[64];
	uint32_t n = store_segments(s, info, 64);

	for (uint32_t i = 0; i < n && i < 64; i++)
		if (info[i].events)
			return true;
	return n > 64;
}

static int32_t check_store(struct run *r, struct tw_err *e)
{
	r->settled = death_unexplained(r->o->dir);
	if (!r->settled)
		return store_check_quick(r->o->dir, e);
	log_warn("store", "an earlier run died outside of any plugin: reading all of %s before going on", r->o->dir);
	return store_verify(r->o->dir, NULL, e);
}

static int32_t open_stores(struct run *r, struct tw_err *e)
{
	const struct host_options *h = &r->o->graph->host;
	struct store_options so = { .sync = r->o->scratch ? SYNC_OFF : (enum store_sync)h->sync,
				    .sync_interval = h->sync_interval,
				    .segment_size = (uint64_t)h->segment_size,
				    .no_tape = r->o->no_tape || r->o->recording };
	struct segment_info first;
	int32_t rc;

	if (store_exists(r->o->dir)) {
		rc = check_store(r, e);
		if (rc < 0)
			return rc;
	}
	if (r->o->recording) {
		rc = store_check_quick(r->o->recording, e);
		if (rc < 0)
			return rc;
		rc = store_open(&r->recording, r->o->recording, STORE_READ, NULL, e);
		if (rc < 0)
			return rc;
	}
	rc = store_open(&r->store, r->o->dir, STORE_WRITE, &so, e);
	if (rc < 0)
		return rc;
	if (r->o->rebuild && store_segments(r->store, &first, 1) && first.number > 1)
		return err_set(e, TW_E_CONFIG,
			       "the tape in '%s' begins at event %" PRIu64
			       ": what was before has been given up (retain, retain_size), so the states cannot be "
			       "computed anew "
			       "from it; run without --rebuild, or make a detector start afresh with `tapewatch state "
			       "drop NAME`",
			       r->o->dir, first.first);
	if (r->o->no_tape && holds_events(r->store))
		return err_set(
			e, TW_E_CONFIG,
			"'%s' holds a tape: run without --no-tape to go on with it, or choose another folder with -d",
			r->o->dir);
	if (r->o->scratch)
		return TW_OK;
	if (h->sync == SYNC_OFF)
		log_warn("store",
			 "sync: off: a power failure may lose the whole store; a crash of this process loses nothing");
	else if (h->sync == SYNC_INTERVAL)
		log_warn("store", "sync: interval: a power failure may lose the last %" PRId64 " ms",
			 h->sync_interval / 1000000);
	return TW_OK;
}

/* Of this program: getrusage() would count that of the one that started it, too. */
static uint64_t peak_memory(void)
{
	char text[4096], *at;
	ssize_t n;
	int fd = os->open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	n = os->read(fd, text, sizeof text - 1);
	(void)os->close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "VmHWM:");
	return at ? strtoull(at + 6, NULL, 10) * 1024 : 0;
}

void run_hold_reloads(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static sigset_t ending(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void run_hold_signals(void)
{
	sigset_t set = ending();

	run_hold_reloads();
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Whoever asked for the end while it was there already has got it. */
static void let_signals_go(void)
{
	sigset_t set = ending();

	while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) > 0)
		;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int32_t run(struct run *r, struct tw_err *e)
{
	struct plan *plan;
	int32_t rc = r->o->takeover ? takeover_ask(r->o->dir, e) : TW_OK;

	if (rc == TW_OK)
		rc = open_stores(r, e);
	if (rc < 0)
		return rc;
	CRASH_POINT("run.stores_open");
	rc = deaths_read(r->o->dir, &r->deaths, &r->n_deaths, e);
	if (rc == TW_OK)
		rc = death_watch(r->o->dir, e);
	if (rc < 0)
		return rc;
	if (r->settled)
		death_settled();
	plan = plan_around(r->o->graph);
	if (!plan)
		return err_set(e, TW_E_FATAL, "memory is out");
	r->machine = machine_new(r, plan, NULL, e);
	plan_drop(plan);
	if (!r->machine)
		return e->code < 0 ? e->code : TW_E_FATAL;
	CRASH_POINT("run.built");
	rc = run_control(r, e);
	run_summary_add(r->summary, r->machine, NULL);
	r->summary->seconds = (double)(os->mono() - r->started) / 1e9;
	r->summary->interrupted = r->signals > 0;
	r->summary->peak_memory = peak_memory();
	CRASH_POINT("run.drained");
	return rc;
}

int32_t run_graph(const struct run_options *o, struct run_summary *ret, struct tw_err *e)
{
	struct run r = { .o = o, .started = os->mono(), .summary = ret };
	int32_t rc;

	*ret = (struct run_summary){ 0 };
	if (o->n_config)
		run_hold_reloads();
	bell_init(&r.bell);
	r.services = services_new();
	rc = r.services ? run(&r, e) : err_set(e, TW_E_FATAL, "memory is out");
	machine_free(r.machine, NULL);
	services_free(r.services);
	death_unwatch();
	free(r.deaths);
	store_close(r.recording);
	store_close(r.store);
	let_signals_go();
	CRASH_POINT("run.closed");
	bell_free(&r.bell);
	return rc;
}
