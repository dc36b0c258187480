/* SPDX-License-Identifier: Apache-2.0
 *
 * A venue's rules, computed into one sorted table of sessions; every question is a binary search in it.
 */
#include "base/err.h"
#include "ext/ext_impl.h"
#include "ext/venue.h"
#include <stdlib.h>
#include <string.h>

#define MAX_VENUES 16u /* of one instance */
#define MINUTE     INT64_C(60000000000)

struct tw_venue {
	char *name, *file; /* file NULL: none */
	int64_t *start, *end;
	uint32_t n, cap;
};

struct calendar_service {
	struct tw_calendar pub;
	struct tw_venue *list[MAX_VENUES];
	uint32_t n;
};

/* ---- asking ---- */

/* The first session that ends after ts; n: none. */
static uint32_t find(const struct tw_venue *v, int64_t ts)
{
	uint32_t lo = 0, hi = v->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (v->end[mid] > ts)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int32_t calendar_is_open(const struct tw_venue *v, int64_t ts)
{
	uint32_t i = find(v, ts);

	return i < v->n && v->start[i] <= ts;
}

static int32_t calendar_session(const struct tw_venue *v, int64_t ts, int64_t *ret_start, int64_t *ret_end)
{
	uint32_t i = find(v, ts);

	if (i == v->n || ts < venue_day(VENUE_FIRST_YEAR, 1, 1) * MINUTES_OF_DAY * MINUTE)
		return TW_E_DATA;
	*ret_start = v->start[i];
	*ret_end = v->end[i];
	return v->start[i] <= ts ? TW_OK : TW_AGAIN;
}

static int64_t calendar_next_open(const struct tw_venue *v, int64_t ts)
{
	uint32_t i = find(v, ts);

	if (i < v->n && v->start[i] <= ts)
		i++;
	return i < v->n ? v->start[i] : INT64_MAX;
}

static int64_t calendar_next_close(const struct tw_venue *v, int64_t ts)
{
	uint32_t i = find(v, ts);

	return i < v->n ? v->end[i] : INT64_MAX;
}

/* ---- computing ---- */

static bool add(struct tw_venue *v, const struct venue_rule *r, int64_t day, int open, int close)
{
	int64_t midnight = day * MINUTES_OF_DAY - venue_offset(r->zone, day);
	int64_t start = (midnight + open) * MINUTE, end = (midnight + close) * MINUTE;

	if (r->merged && v->n && v->end[v->n - 1] == start) {
		v->end[v->n - 1] = end;
		return true;
	}
	if (v->n == v->cap) {
		uint32_t cap = v->cap ? v->cap * 2 : 4096;
		int64_t *s = realloc(v->start, cap * sizeof *s), *e;
		if (!s)
			return false;
		v->start = s;
		e = realloc(v->end, cap * sizeof *e);
		if (!e)
			return false;
		v->end = e;
		v->cap = cap;
	}
	v->start[v->n] = start;
	v->end[v->n++] = end;
	return true;
}

/* One day: what the rules say, then what the file says about it (its lines are sorted by day, then by opening). */
static bool add_day(struct tw_venue *v, const struct venue_rule *r, int64_t day, const struct venue_change *c,
		    uint32_t n)
{
	struct hours h = r->hours[venue_weekday(day)];
	int special = r->special && h.close ? r->special(day) : 0;
	bool done = false;

	if (special)
		h.close = (int16_t)(special < 0 ? 0 : special);
	for (uint32_t i = 0; i < n; i++)
		if (c[i].open < 0)
			h.close = c[i].close < 0 ? 0 : h.close && c[i].close > h.open ? c[i].close : h.close;
	for (uint32_t i = 0; i < n; i++) {
		if (c[i].open < 0)
			continue;
		if (h.close && !done && h.open < c[i].open) {
			if (!add(v, r, day, h.open, h.close))
				return false;
			done = true;
		}
		if (!add(v, r, day, c[i].open, c[i].close))
			return false;
	}
	return !h.close || done || add(v, r, day, h.open, h.close);
}

/* Sessions that overlap would make find() wrong. */
static int32_t check(const struct tw_venue *v, struct tw_err *err)
{
	for (uint32_t i = 1; i < v->n; i++)
		if (v->start[i] < v->end[i - 1]) {
			int y, m, d;
			venue_date(v->start[i] / MINUTE / MINUTES_OF_DAY, &y, &m, &d);
			return err_set(
				err, TW_E_CONFIG,
				"%s: on %04d-%02d-%02d two sessions overlap; close the day first (DATE,closed) if the "
				"file's is to stand alone",
				v->file ? v->file : v->name, y, m, d);
		}
	return TW_OK;
}

static int32_t compute(struct tw_venue *v, const struct venue_rule *r, struct tw_err *err)
{
	int64_t day = venue_day(VENUE_FIRST_YEAR, 1, 1), end = venue_day(VENUE_LAST_YEAR + 1, 1, 1);
	struct venue_change *changes = NULL;
	uint32_t n = 0, at = 0;
	int32_t rc = v->file ? venue_file(v->file, &changes, &n, err) : TW_OK;

	for (; rc == TW_OK && day < end; day++) {
		uint32_t first = at;
		while (at < n && changes[at].day == day)
			at++;
		if (!add_day(v, r, day, changes ? changes + first : NULL, at - first))
			rc = err_set(err, TW_E_FATAL, "memory is out");
	}
	free(changes);
	return rc == TW_OK ? check(v, err) : rc;
}

static void venue_free(struct tw_venue *v)
{
	if (!v)
		return;
	free(v->name);
	free(v->file);
	free(v->start);
	free(v->end);
	free(v);
}

static bool is(const struct tw_venue *v, const char *name, const char *file)
{
	return strcmp(v->name, name) == 0 && (v->file && file ? strcmp(v->file, file) == 0 : !v->file && !file);
}

static const struct tw_venue *calendar_venue(const struct tw_calendar *pub, const char *name, const char *file,
					     struct tw_err *err)
{
	struct calendar_service *s = (struct calendar_service *)(void *)(uintptr_t)pub;
	const struct venue_rule *r = venue_rule(name);
	struct tw_venue *v;

	if (file && !*file)
		file = NULL;
	for (uint32_t i = 0; i < s->n; i++)
		if (is(s->list[i], name, file))
			return s->list[i];
	if (!r) {
		err_set(err, TW_E_CONFIG, "there is no venue '%.40s'; there are %s", name, venue_names());
		return NULL;
	}
	if (s->n == MAX_VENUES) {
		err_set(err, TW_E_CONFIG, "an instance has at most %u venues", MAX_VENUES);
		return NULL;
	}
	v = calloc(1, sizeof *v);
	if (v) {
		v->name = strdup(name);
		v->file = file ? strdup(file) : NULL;
	}
	if (!v || !v->name || (file && !v->file)) {
		err_set(err, TW_E_FATAL, "memory is out");
		venue_free(v);
		return NULL;
	}
	if (compute(v, r, err) < 0) {
		venue_free(v);
		return NULL;
	}
	s->list[s->n++] = v;
	return v;
}

void *calendar_service_new(struct ext *x)
{
	struct calendar_service *s = calloc(1, sizeof *s);

	(void)x;
	if (!s)
		return NULL;
	s->pub = (struct tw_calendar){ .struct_size = sizeof s->pub,
				       .venue = calendar_venue,
				       .is_open = calendar_is_open,
				       .session = calendar_session,
				       .next_open = calendar_next_open,
				       .next_close = calendar_next_close };
	return s;
}

void calendar_service_free(void *of)
{
	struct calendar_service *s = of;

	for (uint32_t i = 0; i < s->n; i++)
		venue_free(s->list[i]);
	free(s);
}
