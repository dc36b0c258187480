/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of crash points, counting them, and dying there.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct point {
	const char *name, *what;
	_Atomic uint64_t passed;
};

static struct point points[] = {
	{ "store.locked", "the store's lock is held, nothing was read yet", 0 },
	{ "store.opened", "the store is open for writing", 0 },
	{ "file.written", "a new file is filled under its temporary name, not yet synced", 0 },
	{ "file.synced", "a new file is synced under its temporary name", 0 },
	{ "file.renamed", "a new file has its name, its folder is not yet synced", 0 },
	{ "file.made", "a new file and its folder are synced, nobody uses it yet", 0 },
	{ "segment.rolled", "the writer went on to a new segment, which is empty", 0 },
	{ "tape.before_commit", "events are in the transaction, which is not committed", 0 },
	{ "tape.after_commit", "the transaction with events is committed", 0 },
	{ "dead.before_commit", "dead letters are in the transaction with events, which is not committed", 0 },
	{ "dead.after_commit", "the transaction with events and dead letters is committed", 0 },
	{ "alerts.before_commit", "alerts are in the transaction, which is not committed", 0 },
	{ "alerts.after_commit", "the transaction with alerts is committed", 0 },
	{ "pump.published", "a chunk of a source is on its way to the sequencer", 0 },
	{ "pipeline.before_hand", "a commit is full, the recorder does not have it", 0 },
	{ "pipeline.after_hand", "a commit is with the recorder", 0 },
	{ "pipeline.caught_up", "the tape behind the last checkpoint is judged again", 0 },
	{ "joins.begin", "detectors are new, the warm-up from the tape begins", 0 },
	{ "joins.warmed", "new detectors are warmed, the store does not know them", 0 },
	{ "joins.recorded", "a checkpoint names the new detectors, nothing of theirs is logged", 0 },
	{ "checkpoint.restored", "states are restored, the tape behind them is not judged", 0 },
	{ "checkpoint.before_commit", "states are in the transaction, which is not committed", 0 },
	{ "checkpoint.after_commit", "the transaction with states is committed", 0 },
	{ "retain.unlinked", "the oldest segment is removed, its lock file and its folder's sync are to come", 0 },
	{ "retain.synced", "the oldest segment is removed for good", 0 },
	{ "retain.alerts_before_commit", "old alerts are removed in the transaction, which is not committed", 0 },
	{ "retain.alerts_after_commit", "the transaction that removes old alerts is committed", 0 },
	{ "retain.swept", "what an interrupted removal left is cleared away", 0 },
	{ "recorder.before_tape", "commits were taken up, nothing of them is durable", 0 },
	{ "recorder.after_tape", "the events of the group are durable, its alerts are not", 0 },
	{ "recorder.after_alerts", "the alerts of the group are durable, its checkpoint is not", 0 },
	{ "recorder.after_checkpoint", "a checkpoint is durable, the commits are not given back", 0 },
	{ "recorder.after_release", "the commits are given back, sinks and sources know", 0 },
	{ "delivery.opened", "a sink is open", 0 },
	{ "delivery.written", "a sink took a batch, it is not flushed", 0 },
	{ "delivery.refused", "the recorder has the dead letter of what a sink refused, the cursor is where it was",
	  0 },
	{ "delivery.flushed", "a sink has flushed, its cursor is where it was", 0 },
	{ "delivery.moved", "the cursor has moved, the store does not know it", 0 },
	{ "death.caught", "a plugin has crashed, nothing is written about it", 0 },
	{ "death.recorded", "the death of a plugin is recorded, not yet told", 0 },
	{ "poison.loaded", "deaths and quarantines are read, no event was judged", 0 },
	{ "poison.set_aside", "the dead letter of an event that kills is in a commit that nobody has", 0 },
	{ "reload.read", "another configuration is read and compared, the old one runs", 0 },
	{ "reload.cleared", "sources and sinks stand still where they must, the pipeline runs", 0 },
	{ "reload.closed", "everything that the old pipeline had is durable", 0 },
	{ "reload.built", "the new pipeline is built beside the old one", 0 },
	{ "reload.swapped", "the new pipeline is in the place of the old one and does not run yet", 0 },
	{ "reload.done", "the new pipeline runs", 0 },
	{ "takeover.rehearsed", "everything is checked, the old process does not know", 0 },
	{ "takeover.asked", "the old process was asked to stop", 0 },
	{ "takeover.ended", "the old process has ended, its store is free", 0 },
	{ "run.stores_open", "stores are checked and open", 0 },
	{ "run.restored", "the last checkpoint is restored", 0 },
	{ "run.built", "sources and sinks have their positions, no thread runs", 0 },
	{ "run.started", "the threads run", 0 },
	{ "run.drained", "every thread has ended, the store is open", 0 },
	{ "run.closed", "the store is closed", 0 },
};
#define N_POINTS (sizeof points / sizeof points[0])

_Atomic bool crash_watched;
static struct point *deadly;
static uint64_t deadly_turn;
static const char *count_path;

static struct point *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_POINTS; i++)
		if (strlen(points[i].name) == len && memcmp(points[i].name, name, len) == 0)
			return &points[i];
	return NULL;
}

/* No locks and no memory: other threads go on until the last instruction, as they do when the process is killed; and
 * some points lie in the handler of a signal, where stdio may not be used. */
static void say(const char *name, const char *what)
{
	const char *const parts[] = { "tapewatch: crash point ", name, what, "\n" };
	char line[160];
	size_t n = 0;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		for (const char *s = parts[i]; *s && n < sizeof line; s++)
			line[n++] = *s;
	if (os->write(STDERR_FILENO, line, n) < 0)
		_exit(138);
}

void crash_point(const char *name)
{
	struct point *p = find(name, strlen(name));

	if (!p) {
		say(name, " is not in the table of core/base/crash.c");
		_exit(138);
	}
	if (atomic_fetch_add(&p->passed, 1) + 1 == deadly_turn && p == deadly) {
		say(name, "");
		_exit(137);
	}
}

static void write_counts(void)
{
	int fd = os->open(count_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; fd >= 0 && i < N_POINTS; i++) {
		char line[160];
		int n = snprintf(line, sizeof line, "%s %" PRIu64 "\n", points[i].name, atomic_load(&points[i].passed));

		if (os->write(fd, line, (size_t)n) != n) {
			say(count_path, ": the counts cannot be written");
			break;
		}
	}
	if (fd < 0 || os->close(fd) != 0)
		say(count_path, ": the counts cannot be written");
}

int32_t crash_setup(struct tw_err *e)
{
	const char *set = secure_getenv("TW_CRASH"), *count = secure_getenv("TW_CRASH_COUNT"), *colon;
	char *end = NULL;

	if (set && *set) {
		colon = strrchr(set, ':');
		deadly = colon ? find(set, (size_t)(colon - set)) : NULL;
		deadly_turn = colon && colon[1] >= '1' && colon[1] <= '9' ? strtoull(colon + 1, &end, 10) : 0;
		if (!deadly || !deadly_turn || *end)
			return err_set(e, TW_E_CONFIG,
				       "TW_CRASH='%.80s' names no crash point; expected NAME:N with a name of "
				       "`tapewatch --crash-points` and a number from 1",
				       set);
	}
	if (count && *count) {
		count_path = count;
		if (atexit(write_counts) != 0)
			return err_set(e, TW_E_FATAL, "memory is out");
	}
	atomic_store(&crash_watched, deadly || count_path);
	return TW_OK;
}

void crash_points_print(FILE *f)
{
	for (size_t i = 0; i < N_POINTS; i++)
		fprintf(f, "%-28s %s\n", points[i].name, points[i].what);
}
