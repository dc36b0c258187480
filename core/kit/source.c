/* SPDX-License-Identifier: Apache-2.0
 *
 * A source on the host's pump.
 */
#include "base/err.h"
#include "base/log.h"
#include "bus/pump.h"
#include "kit/endpoint.h"
#include <stdlib.h>
#include <string.h>

#define BEFORE 16u /* bytes before the options, for the way back */

struct kit_source {
	struct kit_plan *plan;
	struct plugin plugin; /* the one the pump sees */
	unsigned char *block; /* a pointer to this, then the options */
	struct pump *pump;
	struct bell bell;
	uint32_t room;
	bool ended;
	int32_t rc; /* of the last call */
	struct tw_err e;
	struct kit_got got;
};

static struct kit_source *source_of(const void *self)
{
	struct kit_source *s;

	memcpy(&s, (const char *)self - BEFORE, sizeof s);
	return s;
}

static int32_t wrapped_open(void *self, const struct tw_host *h, const struct tw_pos *resume, struct tw_err *e)
{
	struct kit_source *s = source_of(self);

	s->rc = s->plan->plugin->source.open ? s->plan->plugin->source.open(self, h, resume, e) : TW_OK;
	s->e = *e;
	return s->rc;
}

/* The rest of a poll's room is the kit's to give. */
static int32_t wrapped_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct kit_source *s = source_of(self);

	if (w->credit > s->room)
		w->credit = s->room;
	s->rc = s->plan->plugin->source.poll(self, w, timeout_ms, e);
	s->e = *e;
	return s->rc;
}

struct kit_source *kit_source_new(struct kit_plan *plan, const struct tw_pos *resume, struct tw_err *e)
{
	struct kit_source *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(e, TW_E_FATAL, "memory is out");
		return NULL;
	}
	s->plan = plan;
	s->plugin = *plan->plugin;
	s->plugin.source.open = wrapped_open;
	s->plugin.source.poll = wrapped_poll;
	bell_init(&s->bell);
	s->block = malloc(BEFORE + plan->plugin->self_size);
	if (s->block) {
		memcpy(s->block, &s, sizeof s);
		memcpy(s->block + BEFORE, plan->pristine, plan->plugin->self_size);
		plan->node->self = s->block + BEFORE;
		plan->node->plugin = &s->plugin;
		s->pump = pump_new(plan->node, resume, 0, &s->bell);
	}
	if (!s->pump) {
		err_set(e, TW_E_FATAL, "memory is out");
		kit_source_free(s);
		return NULL;
	}
	return s;
}

void kit_source_end(struct kit_source *s)
{
	if (s->ended)
		return;
	s->ended = true;
	pump_free(s->pump);
	s->pump = NULL;
	bell_free(&s->bell);
	s->plan->node->plugin = s->plan->plugin;
	s->plan->node->self = s->plan->self;
	free(s->block);
	s->block = NULL;
}

void kit_source_free(struct kit_source *s)
{
	if (!s)
		return;
	kit_source_end(s);
	kit_events_free(&s->got.events);
	arena_free(&s->got.arena);
	free(s->got.dead);
	free(s->got.marks);
	free(s);
}

/* ---- what came ---- */

static bool room_for(void **list, uint32_t n, size_t size)
{
	void *p;

	if (n & (n - 1))
		return true;
	p = realloc(*list, (n ? 2 * (size_t)n : 1) * size);
	if (p)
		*list = p;
	return p != NULL;
}

static const char *keep(struct arena *a, struct tw_str s)
{
	const char *copy = arena_text(a, s.s ? s.s : "", s.s ? s.len : 0);

	return copy ? copy : "";
}

static bool take_dead(struct kit_got *g, const struct chunk_dead *d, uint32_t before)
{
	void *list = g->dead;

	if (!room_for(&list, g->n_dead, sizeof *g->dead))
		return false;
	g->dead = list;
	g->dead[g->n_dead++] = (struct kit_dead){ .reason = keep(&g->arena, d->letter.reason),
						  .where = keep(&g->arena, d->letter.where),
						  .detail = keep(&g->arena, d->letter.detail),
						  .events = before + d->at };
	return true;
}

static bool take_mark(struct kit_got *g, const struct chunk *c, uint32_t events, uint32_t dead)
{
	void *list = g->marks;

	if (g->n_marks >= KIT_MAX_MARKS)
		return true;
	if (!room_for(&list, g->n_marks, sizeof *g->marks))
		return false;
	g->marks = list;
	g->marks[g->n_marks++] =
		(struct kit_mark){ .pos = c->pos, .events = events + c->mark_events, .dead = dead + c->mark_dead };
	return true;
}

static bool take_chunk(struct kit_source *s, const struct chunk *c)
{
	struct kit_got *g = &s->got;
	uint32_t events = g->events.n, dead = g->n_dead;

	for (size_t at = 0; at < c->records.len;) {
		const unsigned char *r = c->records.data + at;
		size_t len = r[2] | (size_t)r[3] << 8;
		if (kit_events_add(&g->events, r + 4, len) < 0)
			return false;
		at += len + 4;
	}
	for (uint32_t i = 0; i < c->n_dead; i++)
		if (!take_dead(g, &c->dead[i], events))
			return false;
	g->skipped += c->skipped;
	return !c->marked || take_mark(g, c, events, dead);
}

int32_t kit_source_poll(struct kit_source *s, uint32_t room, struct tw_err *e)
{
	struct chunk *c;
	enum step step;

	s->room = room;
	s->rc = TW_E_FATAL;
	step = pump_step(s->pump, 100);
	while ((c = pump_peek(s->pump)) != NULL) {
		bool ok = take_chunk(s, c);
		pump_give_back(s->pump);
		if (!ok)
			return err_set(e, TW_E_FATAL, "the source brought more than %u events, or memory is out",
				       KIT_MAX_EVENTS);
	}
	if (s->rc < 0)
		return err_set(e, s->rc, "%s", s->e.msg[0] ? s->e.msg : "no reason given");
	s->got.ended = s->rc != TW_OK;
	if (step == STEP_FAILED)
		return err_set(e, TW_E_DATA, "the host gave the source up: see its log line");
	return s->rc;
}

int32_t kit_source_all(struct kit_source *s, uint32_t room, uint32_t polls, uint32_t events, struct tw_err *e)
{
	while (polls--) {
		int32_t rc = kit_source_poll(s, room, e);
		if (rc != TW_OK || s->got.events.n >= events)
			return rc;
	}
	return err_set(e, TW_E_FATAL, "the source neither ended nor said that it has nothing for now");
}

const struct kit_got *kit_source_got(const struct kit_source *s)
{
	return &s->got;
}

/* ---- once more ---- */

static void show(struct buf *why, const char *what, const struct kit_events *l, uint32_t i, int64_t start)
{
	_Alignas(16) unsigned char room[512];
	struct tw_event *ev = (void *)room;
	struct arena a = { 0 };
	struct intern *names = intern_new(16);
	size_t len;
	const unsigned char *bytes = i < l->n ? kit_event(l, i, &len) : NULL;

	(void)buf_addf(why, "    %s ", what);
	if (!bytes || !names || event_decode(ev, bytes, len, names, &a) != len)
		(void)buf_addf(why, "nothing: there were only %u", l->n);
	else
		kit_event_line(why, ev, names, start);
	(void)buf_add(why, "\n", 1);
	arena_free(&a);
	intern_free(names);
}

static bool same(const struct kit_got *all, uint32_t from, const struct kit_got *now, uint32_t *ret)
{
	uint32_t n = all->events.n - from;

	/* Of an endless source there is always more. */
	for (uint32_t i = 0; i < n && i < now->events.n; i++) {
		size_t a, b;
		const unsigned char *x = kit_event(&all->events, from + i, &a), *y = kit_event(&now->events, i, &b);
		if (a != b || memcmp(x, y, a) != 0) {
			*ret = i;
			return false;
		}
	}
	if (!all->ended && now->events.n >= n)
		return true;
	*ret = n < now->events.n ? n : now->events.n;
	return n == now->events.n;
}

int32_t kit_source_compare(struct kit_plan *plan, const struct kit_got *all, const struct kit_mark *from, uint32_t room,
			   int64_t start, struct buf *why)
{
	struct tw_err e = { 0 };
	struct kit_source *s = kit_source_new(plan, from ? &from->pos : NULL, &e);
	uint32_t first = from ? from->events : 0, dead = from ? from->dead : 0, at;
	int32_t rc = s ? kit_source_all(s, room, 1000u + 2u * all->events.n + 2u * all->n_dead,
					all->ended ? UINT32_MAX : all->events.n - first, &e)
		       : TW_E_FATAL;
	const struct kit_got *now = s ? &s->got : NULL;
	char what[96];

	if (from)
		snprintf(what, sizeof what, "from the position behind event %u, %u a poll", first, room);
	else
		snprintf(what, sizeof what, "from the beginning, %u events a poll", room);
	if (rc < 0) {
		(void)buf_addf(why, "%s: %s\n", what, e.msg);
	} else if (!same(all, first, now, &at)) {
		(void)buf_addf(why, "%s, event %u is another one:\n", what, first + at + 1);
		show(why, "was:", &all->events, first + at, start);
		show(why, "now:", &now->events, at, start);
		(void)buf_addf(why, "    usually: %s\n",
			       from ? "the position says less, or something else, than where the next event begins"
				    : "something outlives the instance, or a poll drops what has no room");
		rc = TW_E_DATA;
	} else if (all->ended && now->n_dead != all->n_dead - dead) {
		(void)buf_addf(why, "%s: %u rejected rows, before %u\n", what, now->n_dead, all->n_dead - dead);
		rc = TW_E_DATA;
	} else {
		rc = TW_OK;
	}
	kit_source_free(s);
	return rc;
}
