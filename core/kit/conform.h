/* SPDX-License-Identifier: Apache-2.0
 *
 * The conformance run behind `tapewatch test-plugin`: a list of checks, each in a child process with a time limit, so
 * that a plugin that crashes or hangs is a finding and the run goes on.
 */
#ifndef KIT_CONFORM_H
#define KIT_CONFORM_H

#include "kit/kit.h"

enum conform_result { CONFORM_OK, CONFORM_FAIL, CONFORM_SKIP };

struct conform {
	const char *file;    /* the shared object */
	const char *options; /* YAML; may be NULL */
	const char *input;   /* a file of JSON lines with events for a detector; may be NULL */
	int64_t timeout;     /* ns for one check */
	/* called in order; text: why it failed or was left out, "" when there is nothing to say */
	void (*each)(void *arg, const char *kind, const char *check, enum conform_result, const char *text);
	void *arg;
	uint32_t n[3];       /* how many of each result */
	char folder[4096];   /* where checks put their files: it goes with the run, whatever became of them */
};

/* TW_OK when the checks ran, whatever came of them. */
int32_t conform_run(struct conform *, struct tw_err *);

/* ---- one check; runs in the child. Its text goes to why. ---- */
typedef enum conform_result conform_check(const struct conform *, struct buf *why);
struct conform_row {
	const char *name;
	conform_check *check;
	bool stem; /* the rows up to the next stem repeat it: when it fails they say nothing new and are left out */
	bool limb; /* one of those rows whose failure makes the rest of them say nothing new, too */
};
extern const struct conform_row conform_common[], conform_detector[], conform_source[], conform_sink[],
	conform_given[]; /* end: NULL; given: when there is an input */

/* The plan with the options that were given. CONFORM_OK, or what to answer instead. */
enum conform_result conform_plan(const struct conform *, enum plugin_kind, struct kit_plan *, struct buf *why);
enum conform_result conform_start_stop(const struct conform *, enum plugin_kind, struct buf *why);

/* Events as they come, and as nobody would wish them: n of the kinds in `kinds`, the same for the same seed. What the
 * host's edge refuses is among the hostile ones. */
int32_t conform_events(struct kit_events *, uint32_t kinds, uint32_t n, uint64_t seed, bool hostile);

/* The symbols that a shared object defines for others, one a line. TW_OK, or negative with a sentence in e. */
int32_t conform_symbols(const char *file, struct buf *out, uint32_t *ret_n, struct tw_err *e);

#endif
