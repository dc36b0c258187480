/* SPDX-License-Identifier: Apache-2.0
 *
 * One case: judged by the engine, compared with what is expected, and repeated.
 */
#include "kit/case.h"
#include <stdlib.h>

#define SHOWN 40u /* lines of a difference */

static void add_line(struct kit_case *c, uint32_t *lines, char mark, const struct kit_engine *k,
		     const struct tw_event *ev, const struct kit_want *w, const char *behind)
{
	if ((*lines)++ >= SHOWN)
		return;
	(void)buf_addf(&c->why, "    %c ", mark);
	if (ev)
		kit_event_line(&c->why, ev, kit_engine_names(k), c->start);
	else if (w)
		kit_want_line(&c->why, w, c->start);
	(void)buf_addf(&c->why, "%s\n", behind);
}

static uint32_t count(const struct kit_said *said, uint32_t n, uint32_t kind)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += said[i].ev->kind == kind;
	return found;
}

/* The difference, as of two files: '-' expected and not there, '+' there and not expected. */
static int32_t compare(struct kit_case *c, const struct kit_engine *k, const struct kit_wants *w)
{
	const struct kit_said *said;
	uint32_t n = kit_engine_said(k, &said), lines = 0, is = count(said, n, w->kind);
	const char *what = w->kind == TW_ALERT ? "alerts" : "scores";
	bool *spoken = calloc(n ? n : 1, sizeof *spoken);
	size_t before = c->why.len;
	int32_t rc = TW_OK;

	if (!w->given || !spoken) {
		free(spoken);
		return spoken ? TW_OK : TW_E_FATAL;
	}
	if (w->counted && is != w->count) {
		(void)buf_addf(&c->why, "  expected %" PRId64 " %s, there were %u:\n", w->count, what, is);
		rc = TW_E_DATA;
	} else if (!w->counted) {
		(void)buf_addf(&c->why, "  %s (- expected and not there, + there and not expected):\n", what);
	}
	for (uint32_t i = 0; i < w->n; i++) {
		uint32_t found = 0;
		for (uint32_t j = 0; j < n && found < w->list[i].times; j++)
			if (!spoken[j] && kit_matches(&w->list[i], said[j].ev, kit_engine_names(k))) {
				spoken[j] = true;
				found++;
			}
		if (found < w->list[i].times) {
			char text[40] = "";
			if (w->list[i].times > 1)
				snprintf(text, sizeof text, "  (found %u)", found);
			add_line(c, &lines, '-', k, NULL, &w->list[i], text);
			rc = TW_E_DATA;
		}
	}
	for (uint32_t j = 0; j < n; j++) {
		if (said[j].ev->kind != w->kind)
			continue;
		if (w->counted ? rc != TW_OK : !spoken[j])
			add_line(c, &lines, '+', k, said[j].ev, NULL, "");
		if (!w->counted && !spoken[j] && !c->others)
			rc = TW_E_DATA;
	}
	for (uint32_t j = 0; j < n && rc != TW_OK; j++)
		if (spoken[j])
			add_line(c, &lines, ' ', k, said[j].ev, NULL, "");
	if (lines > SHOWN)
		(void)buf_addf(&c->why, "    and %u more\n", lines - SHOWN);
	if (rc == TW_OK)
		c->why.len = before;
	free(spoken);
	return rc;
}

static int32_t repeat(struct kit_case *c, struct kit_plan *plan, struct kit_engine *first)
{
	int32_t rc = TW_OK;

	kit_engine_end(first);
	if (kit_engine_trespass(first)) {
		(void)buf_addf(&c->why, "  %s\n", kit_engine_trespass(first));
		rc = TW_E_DATA;
	}
	for (uint32_t i = 0; i < kit_n_repeats && (i != 1 || rc == TW_OK); i++) { /* see kit_repeats */
		struct buf why = { 0 };
		if (kit_repeat(plan, &kit_repeats[i], &c->events, first, c->start, &why) != TW_OK) {
			(void)buf_addf(&c->why, "  repeated %.*s", (int)why.len, (const char *)why.data);
			rc = TW_E_DATA;
		}
		buf_free(&why);
	}
	return rc;
}

int32_t kit_case_judge(struct kit_case *c, const char *plugin, const char *options)
{
	struct tw_err e = { 0 };
	struct kit_engine *k = NULL;
	const struct kit_said *said;
	struct kit_plan plan;
	int32_t rc = kit_plan_make(&plan, PLUGIN_DETECTOR, plugin, options, &c->why);

	if (rc == TW_OK) {
		k = kit_engine_new(&plan, &kit_first, &e);
		rc = k ? kit_engine_feed(k, &c->events, &e) : TW_E_FATAL;
		if (rc != TW_OK)
			(void)buf_addf(&c->why, "  %s\n", e.msg);
	}
	if (rc == TW_OK) {
		int32_t alerts, scores, again;
		uint32_t n = kit_engine_said(k, &said);
		c->said = count(said, n, TW_ALERT);
		alerts = compare(c, k, &c->alerts);
		scores = compare(c, k, &c->scores);
		again = repeat(c, &plan, k);
		rc = alerts != TW_OK ? alerts : scores != TW_OK ? scores : again;
	}
	kit_engine_free(k);
	kit_plan_free(&plan);
	return rc;
}
