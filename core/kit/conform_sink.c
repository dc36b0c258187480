/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of sinks: records come again after lost replies, crashes and refusals, and a sink must live with that.
 */
#include "base/err.h"
#include "kit/conform.h"
#include "kit/endpoint.h"
#include <string.h>

#define RECORDS 300u

static enum conform_result check_starts(const struct conform *c, struct buf *why)
{
	return conform_start_stop(c, PLUGIN_SINK, why);
}

struct giving {
	struct kit_plan plan;
	struct kit_events records;
	struct kit_sink *sink;
	struct tw_err e;
};

/* Records as the alert log may hold them: what does not decode never gets there. */
static int32_t make_records(struct giving *g, bool hostile)
{
	_Alignas(16) unsigned char room[512];
	struct kit_events all = { 0 };
	struct arena a = { 0 };
	struct intern *names = intern_new(10000);
	int32_t rc = names ? conform_events(&all, TW_ALERT | TW_SCORE, 2 * RECORDS, 11, hostile) : TW_E_FATAL;

	for (uint32_t i = 0; rc == TW_OK && i < all.n && g->records.n < RECORDS; i++) {
		size_t len;
		const unsigned char *bytes = kit_event(&all, i, &len);
		if (event_decode((struct tw_event *)(void *)room, bytes, len, names, &a) == len)
			rc = kit_events_add(&g->records, bytes, len);
	}
	intern_free(names);
	arena_free(&a);
	kit_events_free(&all);
	return g->records.n == RECORDS ? rc : TW_E_FATAL;
}

static enum conform_result begin(const struct conform *c, struct giving *g, bool hostile, struct buf *why)
{
	enum conform_result r;

	*g = (struct giving){ 0 };
	r = conform_plan(c, PLUGIN_SINK, &g->plan, why);
	if (r != CONFORM_OK)
		return r;
	if (make_records(g, hostile) == TW_OK)
		g->sink = kit_sink_new(&g->plan, &g->e);
	if (g->sink && kit_sink_open(g->sink, &g->e) == TW_OK)
		return CONFORM_OK;
	(void)buf_addf(why, "it does not open: %s", g->sink ? g->e.msg : "no memory for records");
	return CONFORM_FAIL;
}

static void end(struct giving *g)
{
	kit_sink_free(g->sink);
	kit_events_free(&g->records);
	if (g->plan.plugins)
		kit_plan_free(&g->plan);
}

/* Records [from, upto) are accepted, refused for good or left for later; nothing else. */
static bool give(struct giving *g, uint32_t from, uint32_t upto, uint32_t step, const char *what, struct buf *why)
{
	for (uint32_t at = from, done = 0; at < upto; at += done) {
		uint32_t to = at + step < upto ? at + step : upto;
		int32_t rc = kit_sink_deliver(g->sink, &g->records, at, to, &done, &g->e);
		if (rc == TW_OK && done)
			continue;
		(void)buf_addf(why, "%s: at record %u it answered %d: %s", what, at + 1, rc,
			       g->e.msg[0]      ? g->e.msg
			       : rc == TW_AGAIN ? "not now, for ever"
						: "no reason given");
		return false;
	}
	return true;
}

static enum conform_result batches(const struct conform *c, uint32_t step, bool hostile, struct buf *why)
{
	struct giving g;
	enum conform_result r = begin(c, &g, hostile, why);
	uint64_t refused;

	if (r == CONFORM_OK && !give(&g, 0, RECORDS, step, "delivering", why))
		r = CONFORM_FAIL;
	refused = g.sink ? kit_sink_refused(g.sink) : 0;
	if (r == CONFORM_OK && refused == RECORDS && !hostile) {
		(void)buf_addf(why, "it refused all %u records", RECORDS);
		r = CONFORM_FAIL;
	} else if (r == CONFORM_OK && refused) {
		(void)buf_addf(why, "%" PRIu64 " of %u records refused", refused, RECORDS);
	}
	end(&g);
	return r;
}

static enum conform_result check_single(const struct conform *c, struct buf *why)
{
	return batches(c, 1, false, why);
}
static enum conform_result check_batches(const struct conform *c, struct buf *why)
{
	return batches(c, 256, false, why);
}
static enum conform_result check_hostile(const struct conform *c, struct buf *why)
{
	return batches(c, 64, true, why);
}

/* What it refuses it refuses every time: or else a record would be in the dead letters and delivered, too. */
static enum conform_result check_triple(const struct conform *c, struct buf *why)
{
	struct giving g;
	enum conform_result r = begin(c, &g, true, why);
	uint64_t refused[3] = { 0 }, before = 0;

	for (uint32_t i = 0; r == CONFORM_OK && i < 3; i++) {
		if (!give(&g, 0, RECORDS, 256, i ? "delivered again" : "delivering", why))
			r = CONFORM_FAIL;
		refused[i] = kit_sink_refused(g.sink) - before;
		before += refused[i];
	}
	if (r == CONFORM_OK && (refused[0] != refused[1] || refused[1] != refused[2])) {
		(void)buf_addf(why,
			       "the same records were refused %" PRIu64 ", %" PRIu64 " and %" PRIu64
			       " times; whether a record is refused may depend on the record alone",
			       refused[0], refused[1], refused[2]);
		r = CONFORM_FAIL;
	}
	end(&g);
	return r;
}

/* Accepted and not flushed, then the connection is gone: the host gives the same again. */
static enum conform_result check_lost(const struct conform *c, struct buf *why)
{
	struct giving g;
	enum conform_result r = begin(c, &g, false, why);

	for (uint32_t i = 0; r == CONFORM_OK && i < 20; i++) {
		uint32_t done = 0;
		int32_t rc = kit_sink_write(g.sink, &g.records, 0, RECORDS / 2, &done, &g.e);
		if (rc < 0) {
			(void)buf_addf(why, "write() answered %d in round %u: %s", rc, i + 1, g.e.msg);
			r = CONFORM_FAIL;
		}
		kit_sink_close(g.sink);
	}
	if (r == CONFORM_OK && !give(&g, 0, RECORDS, 256, "delivering what was lost", why))
		r = CONFORM_FAIL;
	end(&g);
	return r;
}

static enum conform_result check_reopen(const struct conform *c, struct buf *why)
{
	struct giving g;
	enum conform_result r = begin(c, &g, false, why);

	for (uint32_t i = 0; r == CONFORM_OK && i < RECORDS; i++) {
		if (!give(&g, i, i + 1, 1, "after closing and opening", why))
			r = CONFORM_FAIL;
		kit_sink_close(g.sink);
	}
	end(&g);
	return r;
}

const struct conform_row conform_sink[] = {
	{ "ten thousand starts and stops", check_starts, true, false },
	{ "records one by one", check_single, true, false },
	{ "records in batches of 256", check_batches, true, false },
	{ "the same records three times", check_triple, true, false },
	{ "lost replies: accepted, not flushed, closed, given again", check_lost, true, false },
	{ "closed and opened between every two records", check_reopen, true, false },
	{ "hostile records", check_hostile, true, false },
	{ NULL, NULL, true, false },
};
