/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of detectors: the same whatever way the same events come, and sense in what it says.
 */
#include "base/err.h"
#include "base/os.h"
#include "event/tape_line.h"
#include "event/utf8.h"
#include "kit/conform.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORDINARY 1500u
#define HOSTILE  1500u
#define SLOW_START                                                                                                     \
	(20 * INT64_C(1000000)) /* ns; one that takes longer is started again                                          \
				 * between fewer events */
#define FEW 200u

enum stream { ORDINARY_EVENTS, HOSTILE_EVENTS, GIVEN_EVENTS };

static int32_t read_input(const struct conform *c, struct kit_events *l, struct buf *why)
{
	FILE *f = fopen(c->input, "re");
	struct buf one = { 0 };
	char *line = NULL;
	size_t cap = 0;
	uint32_t number = 0;
	int32_t rc = TW_OK;
	ssize_t len;

	if (!f) {
		(void)buf_addf(why, "cannot read %s: %m", c->input);
		return TW_E_CONFIG;
	}
	while (rc == TW_OK && (len = getline(&line, &cap, f)) > 0) {
		struct tape_line ret;
		struct tw_err e = { 0 };
		number++;
		one.len = 0;
		rc = tape_line_read(&one, &ret, line, (size_t)len, &e);
		if (rc != TW_OK)
			(void)buf_addf(why, "%s:%u: %s", c->input, number, e.msg);
		else
			rc = kit_events_add(l, one.data, one.len);
	}
	free(line);
	buf_free(&one);
	(void)fclose(f);
	return rc;
}

static int32_t make_events(const struct conform *c, const struct kit_plan *p, enum stream from, struct kit_events *l,
			   struct buf *why)
{
	uint32_t kinds = p->plugin->detector.kinds | TW_CLOCK;

	if (from == GIVEN_EVENTS)
		return read_input(c, l, why);
	return conform_events(l, kinds, from == HOSTILE_EVENTS ? HOSTILE : ORDINARY, 7, from == HOSTILE_EVENTS);
}

/* Sense in one alert. */
static bool sane(const struct tw_event *ev, const char **what)
{
	const struct tw_alert *a = &ev->alert;

	*what = NULL;
	if (ev->kind != TW_ALERT)
		return true;
	if (isnan(a->score) || isinf(a->score))
		*what = "an alert's score is not finite";
	else if (!a->reason.len)
		*what = "an alert has no reason";
	else if (utf8_span(a->reason.s, a->reason.len, UTF8_LINES) != a->reason.len)
		*what = "an alert's reason holds control characters or is not UTF-8";
	else if (a->reason.len >= 500)
		*what = "an alert's reason has 500 bytes or more and is cut";
	else if (memmem(a->reason.s, a->reason.len, "nan", 3) && memmem(a->reason.s, a->reason.len, " nan ", 5))
		*what = "an alert's reason says nan";
	return !*what;
}

static int32_t judge_first(struct kit_engine *k, const struct kit_events *l, struct buf *why)
{
	const struct kit_said *said;
	struct tw_err e = { 0 };
	int32_t rc = kit_engine_feed(k, l, &e);
	uint32_t n = kit_engine_said(k, &said);

	if (rc != TW_OK) {
		(void)buf_addf(why, "%s", e.msg);
		return rc;
	}
	if (kit_engine_trespass(k)) {
		(void)buf_addf(why, "%s", kit_engine_trespass(k));
		return TW_E_DATA;
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *what;
		if (sane(said[i].ev, &what))
			continue;
		(void)buf_addf(why, "%s: ", what);
		kit_event_line(why, said[i].ev, kit_engine_names(k), KIT_START);
		return TW_E_DATA;
	}
	(void)buf_addf(why, "%u events, %u alerts and scores%s", l->n, n,
		       kit_engine_quarantined(k) ? ", and switched off for too many errors" : "");
	return TW_OK;
}

/* which: a repetition, or -1 for the first run alone. */
static enum conform_result run(const struct conform *c, enum stream from, int which, struct buf *why)
{
	struct kit_events l = { 0 };
	struct kit_engine *first = NULL;
	struct tw_err e = { 0 };
	struct kit_plan p;
	enum conform_result r;
	int32_t rc;

	if (from == GIVEN_EVENTS && !c->input) {
		(void)buf_addf(why,
			       "no events were given: --input FILE takes the lines of `tapewatch tape cat --json`");
		return CONFORM_SKIP;
	}
	r = conform_plan(c, PLUGIN_DETECTOR, &p, why);
	if (r != CONFORM_OK)
		return r;
	rc = make_events(c, &p, from, &l, why);
	if (rc == TW_OK) {
		int64_t begun = os->mono();
		first = kit_engine_new(&p, &kit_first, &e);
		if (which >= 0 && kit_repeats[which].restart && os->mono() - begun > SLOW_START && l.n > FEW)
			l.n = FEW;
		rc = first ? judge_first(first, &l, why) : TW_E_FATAL;
		if (!first)
			(void)buf_addf(why, "%s", e.msg);
	}
	if (rc == TW_OK && which >= 0) {
		why->len = 0;
		kit_engine_end(first);
		rc = kit_repeat(&p, &kit_repeats[which], &l, first, KIT_START, why);
	}
	kit_engine_free(first);
	kit_plan_free(&p);
	kit_events_free(&l);
	return rc == TW_OK ? CONFORM_OK : CONFORM_FAIL;
}

static enum conform_result check_starts(const struct conform *c, struct buf *why)
{
	return conform_start_stop(c, PLUGIN_DETECTOR, why);
}

/* A state that says more than it may, or nothing where it must. */
static enum conform_result check_state(const struct conform *c, struct buf *why)
{
	struct kit_plan p;
	enum conform_result r = conform_plan(c, PLUGIN_DETECTOR, &p, why);
	const struct tw_detector *d;

	if (r != CONFORM_OK)
		return r;
	d = &p.plugin->detector;
	if (p.node->state_size && !d->state_version) {
		(void)buf_addf(why,
			       "it has a state of %u bytes and no .state_version; begin with 1, and raise it when "
			       "the meaning of the bytes changes",
			       p.node->state_size);
		r = CONFORM_FAIL;
	}
	kit_plan_free(&p);
	return r;
}

#define ON(stream, name, which)                                                                                        \
	static enum conform_result name(const struct conform *c, struct buf *why)                                      \
	{                                                                                                              \
		return run(c, stream, which, why);                                                                     \
	}
ON(ORDINARY_EVENTS, ordinary, -1)
ON(ORDINARY_EVENTS, ordinary_twice, 0)
ON(ORDINARY_EVENTS, ordinary_restart, 2)
ON(ORDINARY_EVENTS, ordinary_moved, 1)
ON(ORDINARY_EVENTS, ordinary_batches, 3)
ON(ORDINARY_EVENTS, ordinary_workers, 4)
ON(ORDINARY_EVENTS, ordinary_pattern, 5)
ON(HOSTILE_EVENTS, hostile, -1)
ON(HOSTILE_EVENTS, hostile_twice, 0)
ON(HOSTILE_EVENTS, hostile_restart, 2)
ON(HOSTILE_EVENTS, hostile_batches, 3)
ON(HOSTILE_EVENTS, hostile_workers, 4)
ON(HOSTILE_EVENTS, hostile_pattern, 5)
ON(GIVEN_EVENTS, given, -1)
ON(GIVEN_EVENTS, given_twice, 0)
ON(GIVEN_EVENTS, given_restart, 2)
ON(GIVEN_EVENTS, given_batches, 3)
ON(GIVEN_EVENTS, given_workers, 4)

const struct conform_row conform_detector[] = {
	{ "ten thousand starts and stops", check_starts, true, false },
	{ "its state has a version", check_state, true, false },
	{ "ordinary events", ordinary, true, false },
	{ "ordinary events, a second time", ordinary_twice, false, true },
	{ "ordinary events, saved and restored between every two", ordinary_restart, false, false },
	{ "ordinary events, the state moved at every call", ordinary_moved, false, false },
	{ "ordinary events, batches of 256", ordinary_batches, false, false },
	{ "ordinary events, 4 workers", ordinary_workers, false, false },
	{ "ordinary events, poisoned memory", ordinary_pattern, false, false },
	{ "hostile events", hostile, true, false },
	{ "hostile events, a second time", hostile_twice, false, true },
	{ "hostile events, saved and restored between every two", hostile_restart, false, false },
	{ "hostile events, batches of 256", hostile_batches, false, false },
	{ "hostile events, 4 workers", hostile_workers, false, false },
	{ "hostile events, poisoned memory", hostile_pattern, false, false },
	{ NULL, NULL, true, false },
};
const struct conform_row conform_given[] = {
	{ "given events", given, true, false },
	{ "given events, a second time", given_twice, false, true },
	{ "given events, saved and restored between every two", given_restart, false, false },
	{ "given events, batches of 256", given_batches, false, false },
	{ "given events, 4 workers", given_workers, false, false },
	{ NULL, NULL, true, false },
};
