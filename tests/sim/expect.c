/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tape, the dead letters and the sinks must look like, worked out from the plan alone: an own merge of the
 * finite sources, and a count of everything that was ever offered.
 */
#include "event/event.h"
#include "sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tape ---- */

struct merge {
	uint32_t next[MAX_SOURCES]; /* item of each source; only events count */
	struct buf bytes;
};

static void skip_others(struct merge *m, uint32_t source)
{
	const struct plan_source *s = &sim->plan.sources[source];

	while (m->next[source] < s->n && s->items[m->next[source]].what != ITEM_EVENT)
		m->next[source]++;
}

/* The finite source whose turn it is: the earliest head, the first of the configuration among equals. */
static uint32_t merge_turn(const struct merge *m)
{
	uint32_t best = MAX_SOURCES;

	for (uint32_t i = 0; i < sim->plan.n_sources; i++) {
		const struct plan_source *s = &sim->plan.sources[i];
		if (!s->finite || m->next[i] == s->n)
			continue;
		if (best == MAX_SOURCES || s->items[m->next[i]].ts < sim->plan.sources[best].items[m->next[best]].ts)
			best = i;
	}
	return best;
}

static uint32_t source_of(const struct disk *d, uint16_t number)
{
	for (uint32_t i = 0; number < d->n_sources && i < sim->plan.n_sources; i++)
		if (!strcmp(d->sources[number], sim->plan.sources[i].name))
			return i;
	return MAX_SOURCES;
}

static void expect_event(const struct disk *d, struct merge *m, uint64_t seq, uint16_t number,
			 const unsigned char *event, size_t len)
{
	uint32_t source = source_of(d, number), turn;
	const struct plan_source *s = &sim->plan.sources[source];

	if (source == MAX_SOURCES) {
		if (number >= d->n_sources || strcmp(d->sources[number], "@clock") != 0 ||
		    event_kind(event) != TW_CLOCK)
			violate("event %" PRIu64 " of the tape is of source %u, which nobody knows", seq, number);
		sim->tally->clock_events++;
		return;
	}
	if (m->next[source] == s->n) {
		violate("event %" PRIu64 " of the tape is one more than source %s has", seq, s->name);
		return;
	}
	turn = s->finite ? merge_turn(m) : source;
	if (turn != source)
		violate("event %" PRIu64
			" of the tape is of source %s (its item %u), but it is the turn of %s (item %u)",
			seq, s->name, m->next[source], sim->plan.sources[turn].name, m->next[turn]);
	item_bytes(s, m->next[source], &m->bytes);
	event_stamp(m->bytes.data, seq);
	if (m->bytes.len != len || memcmp(m->bytes.data, event, len) != 0) {
		struct buf is = { 0 }, should = { 0 };
		describe(&is, event, len);
		describe(&should, m->bytes.data, m->bytes.len);
		violate("event %" PRIu64 " of the tape is not item %u of source %s\n  is     %s\n  should %s", seq,
			m->next[source], s->name, (const char *)is.data, (const char *)should.data);
		buf_free(&is);
		buf_free(&should);
	}
	m->next[source]++;
	skip_others(m, source);
}

void expect_tape(const struct disk *d)
{
	struct merge m = { 0 };
	uint64_t seq = 0;

	for (uint32_t i = 0; i < sim->plan.n_sources; i++)
		skip_others(&m, i);
	for (uint32_t i = 0; i < d->tape.n && !sim->violated; i++) {
		struct block b = disk_block(&d->tape, i);
		const unsigned char *event;
		uint16_t source;
		size_t at = 0, len;
		while (!sim->violated && tape_record(&b, &at, &source, &event, &len))
			expect_event(d, &m, ++seq, source, event, len);
	}
	for (uint32_t i = 0; i < sim->plan.n_sources; i++)
		if (m.next[i] != sim->plan.sources[i].n)
			violate("item %u of source %s is not on the tape", m.next[i], sim->plan.sources[i].name);
	buf_free(&m.bytes);
}

void expect_books(const struct host *h)
{
	for (uint32_t i = 0; i < h->n_pumps; i++) {
		const struct plan_source *s = &sim->plan.sources[i];
		struct pump_stats is;
		pump_stats(h->pumps[i], &is);
		if (is.events != s->n_events || is.dead != s->n_dead || is.skipped != s->n_skipped)
			violate("the books of source %s: %" PRIu64 " events, %" PRIu64 " dead letters and %" PRIu64
				" skipped rows, expected %u, %u and %u",
				s->name, is.events, is.dead, is.skipped, s->n_events, s->n_dead, s->n_skipped);
	}
}

/* ---- dead letters ---- */

struct letter {
	struct dead_letter d;
	bool matched;
};

struct letters {
	struct letter *list;
	uint32_t n;
};

static struct letters letters_of(const struct disk *d)
{
	struct letters l = { .list = must(calloc(d->dead.last + 1, sizeof *l.list)) };

	for (uint32_t i = 0; i < d->dead.n; i++) {
		struct block b = disk_block(&d->dead, i);
		size_t at = 0;
		while (l.n < d->dead.last && dead_record(&b, &at, &l.list[l.n].d))
			l.n++;
	}
	if (l.n != d->dead.last)
		violate("%u dead letters can be read of %" PRIu64, l.n, d->dead.last);
	return l;
}

static bool says(struct tw_str t, const char *text)
{
	return t.len == strlen(text) && !memcmp(t.s, text, t.len);
}

static void expect_letters_of(struct letters *l, const struct plan_source *s)
{
	uint8_t *count = must(calloc(s->n + 1u, 1));
	uint32_t last = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct dead_letter *d = &l->list[i].d;
		char where[48];
		uint32_t item;
		if (!says(d->source, s->name))
			continue;
		l->list[i].matched = true;
		(void)snprintf(where, sizeof where, "%.*s", (int)(d->where.len < 40 ? d->where.len : 40), d->where.s);
		item = where[0] == 's' && where[2] == ':' ? (uint32_t)strtoul(where + 3, NULL, 10) : s->n;
		if (item >= s->n || (s->items[item].what != ITEM_BAD && s->items[item].what != ITEM_REJECT)) {
			violate("source %s has a dead letter about '%s', which is none of its bad rows", s->name,
				where);
			break;
		}
		if (s->items[item].what == ITEM_REJECT &&
		    (!says(d->reason, "bad_row") || !says(d->detail, "this row is no event")))
			violate("the dead letter about %s does not say what the source said", where);
		if (!says(d->raw, where))
			violate("the dead letter about %s does not hold its row", where);
		if (count[item]++)
			violate("there are two dead letters about %s", where);
		if (item < last)
			violate("the dead letter about %s comes after that about item %u", where, last);
		last = item;
	}
	for (uint32_t i = 0; i < s->n && !sim->violated; i++)
		if ((s->items[i].what == ITEM_BAD || s->items[i].what == ITEM_REJECT) && !count[i])
			violate("there is no dead letter about %s:%u", s->name, i);
	free(count);
}

/* How many say that the detector of that one failed on its event; it may have failed on what others said of it, too. */
static uint32_t count_like(struct letters *l, const struct dead_letter *w)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < l->n; k++) {
		struct letter *h = &l->list[k];
		if (!says(h->d.reason, "detector_error") || h->d.seq != w->seq || h->d.source.len != w->source.len ||
		    memcmp(h->d.source.s, w->source.s, w->source.len) != 0)
			continue;
		h->matched = true;
		n++;
	}
	return n;
}

/* What detectors failed on: each exactly as often as in a run from the beginning. */
static void expect_detector_letters(struct letters *l, const struct disk *undisturbed)
{
	struct letters u = letters_of(undisturbed);

	for (uint32_t i = 0; i < u.n && !sim->violated; i++) {
		const struct dead_letter *w = &u.list[i].d;
		uint32_t is, should;
		if (!says(w->reason, "detector_error") || u.list[i].matched)
			continue;
		is = count_like(l, w);
		should = count_like(&u, w);
		if (is != should)
			violate("%u dead letters say that detector %.*s failed on event %" PRIu64 ", expected %u", is,
				(int)w->source.len, w->source.s, w->seq, should);
	}
	free(u.list);
}

/* ---- sinks ---- */

static bool wanted(const struct plan_sink *k, const unsigned char *event, size_t len)
{
	_Alignas(16) unsigned char room[512];
	struct tw_event *ev = (struct tw_event *)(void *)room;
	const struct tw_str *from;
	bool any = false;

	if (event_decode(ev, event, len, NULL, NULL) != len) {
		violate("a record of the alert log does not decode");
		return false;
	}
	if (ev->kind == TW_SCORE && !k->scores)
		return false;
	from = ev->kind == TW_ALERT ? &ev->alert.detector : &ev->score.detector;
	for (uint32_t i = 0; i < sim->plan.n_detectors; i++)
		any |= k->only[i];
	for (uint32_t i = 0; i < sim->plan.n_detectors; i++)
		if (says(*from, sim->plan.detectors[i].name))
			return !any || k->only[i];
	violate("a record of the alert log is by '%.*s', which is no detector", (int)from->len, from->s);
	return false;
}

struct wish {
	uint64_t sum;
	const unsigned char *event;
	size_t len;
	bool refused;
};

static void expect_refusal(struct letters *l, const struct plan_sink *k, const struct wish *w)
{
	bool found = false;

	for (uint32_t i = 0; i < l->n; i++) {
		struct letter *h = &l->list[i];
		if (!says(h->d.source, k->name) || h->d.raw.len != w->len || memcmp(h->d.raw.s, w->event, w->len) != 0)
			continue;
		found = h->matched = true; /* at least once: the cursor is in another transaction */
	}
	if (!found)
		violate("sink %s refused the record about event %" PRIu64 " and there is no dead letter of it", k->name,
			event_seq(w->event));
}

static uint32_t skip_refused(const struct wish *list, uint32_t n, uint32_t at)
{
	while (at < n && list[at].refused)
		at++;
	return at;
}

/* How many of the rows are the records from `at` on; *end is the record behind them. */
static uint32_t match(const struct row *rows, uint32_t n_rows, const struct wish *list, uint32_t n, uint32_t at,
		      uint32_t *end)
{
	uint32_t i = 0;

	for (at = skip_refused(list, n, at); i < n_rows && at < n && rows[i].sum == list[at].sum; i++)
		at = skip_refused(list, n, at + 1);
	*end = at;
	return i;
}

/* Each opening delivers from somewhere in what was delivered before, in the order of the log, and leaves nothing out.
 * Scores may be the same to the last byte, so it is the whole row of them that must fit somewhere. */
static void expect_rows(const struct plan_sink *k, const struct downstream *d, const struct wish *list, uint32_t n)
{
	uint32_t high = skip_refused(list, n, 0), end;

	for (uint32_t i = 0, next; i < d->n; i = next) {
		uint32_t from = high, most = 0;
		for (next = i; next < d->n && d->rows[next].session == d->rows[i].session;)
			next++;
		for (;; from--) {
			uint32_t fits = match(d->rows + i, next - i, list, n, from, &end);
			most = fits > most ? fits : most;
			if (fits == next - i)
				break;
			if (!from) {
				violate("opening %" PRIu64
					" of sink %s delivers %u records; at best %u of them are those that come next",
					d->rows[i].session, k->name, next - i, most);
				return;
			}
		}
		if (from < high && k->kind == SINK_KEEPER)
			violate("sink %s has a row twice, in opening %" PRIu64, k->name, d->rows[i].session);
		sim->tally->repeated += high - from;
		high = end > high ? end : high;
	}
	if (high != n)
		violate("sink %s has %u records of %u", k->name, high, n);
}

static void expect_sink(const struct disk *d, struct letters *l, uint32_t number)
{
	const struct plan_sink *k = &sim->plan.sinks[number];
	struct wish *list = must(calloc(d->alerts.last + 1, sizeof *list));
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->alerts.n; i++) {
		struct block b = disk_block(&d->alerts, i);
		const unsigned char *event;
		size_t at = 0, len;
		while (!sim->violated && alert_record(&b, &at, &event, &len)) {
			if (!wanted(k, event, len))
				continue;
			list[n] = (struct wish){ hash_bytes(event, len), event, len, false };
			list[n].refused = k->refuses && hash_u64(list[n].sum ^ sim->seed) % k->refuses == 0;
			if (list[n].refused)
				expect_refusal(l, k, &list[n]);
			n++;
		}
	}
	expect_rows(k, &sim->down[number], list, n);
	if (sim->down[number].opens != sim->down[number].closes)
		violate("sink %s was opened %u times and closed %u times", k->name, sim->down[number].opens,
			sim->down[number].closes);
	free(list);
}

void expect_outside(const struct disk *d, const struct disk *undisturbed)
{
	struct letters l = letters_of(d);

	for (uint32_t i = 0; i < sim->plan.n_sources; i++) {
		expect_letters_of(&l, &sim->plan.sources[i]);
		if (sim->up[i].opens != sim->up[i].closes)
			violate("source s%u was opened %u times and closed %u times", i, sim->up[i].opens,
				sim->up[i].closes);
	}
	expect_detector_letters(&l, undisturbed);
	for (uint32_t i = 0; i < sim->plan.n_sinks; i++)
		expect_sink(d, &l, i);
	for (uint32_t i = 0; i < l.n; i++)
		if (!l.list[i].matched)
			violate("dead letter %u of '%.*s' (%.*s) about event %" PRIu64 " should not be there", i + 1,
				(int)l.list[i].d.source.len, l.list[i].d.source.s, (int)l.list[i].d.reason.len,
				l.list[i].d.reason.s, l.list[i].d.seq);
	free(l.list);
}

/* How many dead letters are about rows of sources. */
static uint64_t count_rows(const struct disk *d)
{
	struct letters l = letters_of(d);
	uint64_t n = 0;

	for (uint32_t i = 0; i < l.n; i++)
		for (uint32_t k = 0; k < sim->plan.n_sources; k++)
			n += says(l.list[i].d.source, sim->plan.sources[k].name);
	free(l.list);
	return n;
}

bool expect_complete(const struct disk *d)
{
	uint64_t events = d->tape.last, due_events = 0, due_dead = 0;

	for (uint32_t i = 0; i < d->tape.n; i++) { /* the host's own clock is nobody's item */
		struct block b = disk_block(&d->tape, i);
		const unsigned char *event;
		uint16_t source;
		size_t at = 0, len;
		while (tape_record(&b, &at, &source, &event, &len))
			events -= event_kind(event) == TW_CLOCK;
	}
	for (uint32_t i = 0; i < sim->plan.n_sources; i++) {
		due_events += sim->plan.sources[i].n_events;
		due_dead += sim->plan.sources[i].n_dead;
		if (sim->up[i].reached < sim->plan.sources[i].n)
			return false;
	}
	if (events < due_events || count_rows(d) < due_dead || d->complete < d->tape.last)
		return false;
	for (uint32_t i = 0; i < sim->plan.n_sinks; i++) {
		const struct disk_cursor *k = disk_cursor(d, sim->plan.sinks[i].name);
		if ((k ? k->record : 0) < d->alerts.last)
			return false;
	}
	return true;
}
