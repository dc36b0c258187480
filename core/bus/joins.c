/* SPDX-License-Identifier: Apache-2.0
 *
 * Who joins, the warm-up, and who is judged when.
 */
#include "bus/joins.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include "state/catalogue.h"
#include <stdlib.h>
#include <string.h>

/* ---- what the checkpoint says ---- */

struct line {
	char name[80], plugin[80];
	uint32_t space, version, size, group;
	int64_t now;
	uint64_t from, since;
};

struct known {
	struct line *lines;
	uint32_t n;
	uint32_t fields[GRAPH_MAX_NODES], n_spaces;
	uint32_t groups; /* the highest number there is */
	int64_t now;     /* event time, as of the checkpoint */
	uint64_t seq;
};

static int32_t damaged(struct tw_err *e)
{
	return err_set(e, STORE_E_DAMAGED,
		       "the checkpoint's catalogue cannot be read; start with --rebuild to compute it from the tape");
}

static int32_t add_line(struct known *k, const char *text, struct tw_err *e)
{
	struct line *l = &k->lines[k->n];

	if (!strncmp(text, "keyspace ", 9)) {
		if (k->n_spaces == GRAPH_MAX_NODES || sscanf(text, "keyspace %u", &k->fields[k->n_spaces++]) != 1)
			return damaged(e);
		return TW_OK;
	}
	if (strncmp(text, "instance ", 9) != 0)
		return TW_OK;
	*l = (struct line){ .from = 1, .since = 1 };
	if (k->n == GRAPH_MAX_NODES ||
	    sscanf(text, "instance %79s %u %u %u %" SCNd64 " %*d %*d %*u %79s %" SCNu64 " %" SCNu64 " %u", l->name,
		   &l->space, &l->version, &l->size, &l->now, l->plugin, &l->from, &l->since, &l->group) < 5 ||
	    l->space >= k->n_spaces)
		return damaged(e);
	if (l->now > k->now)
		k->now = l->now;
	if (l->group > k->groups)
		k->groups = l->group;
	k->n++;
	return TW_OK;
}

/* TW_AGAIN: there is no checkpoint. */
static int32_t read_known(struct known *k, struct store *s, struct tw_err *e)
{
	struct buf text = { 0 };
	char *rest, *line;
	int32_t rc = store_checkpoint_value(s, SPACE_CATALOGUE, 0, &k->seq, &text, e);

	k->now = INT64_MIN;
	if (rc == TW_OK) {
		k->lines = calloc(GRAPH_MAX_NODES + 1, sizeof *k->lines);
		if (!k->lines || buf_add(&text, "", 1) < 0)
			rc = err_set(e, TW_E_FATAL, "memory is out");
	}
	rest = (char *)text.data;
	while (rc == TW_OK && (line = strsep(&rest, "\n")) != NULL)
		rc = add_line(k, line, e);
	buf_free(&text);
	return rc;
}

/* The line a detector goes on from. One that has become another, or whose state has another size, starts afresh, and
 * checkpoint_restore() says so. */
static const struct line *find_line(const struct known *k, const struct graph_node *d)
{
	for (uint32_t i = 0; i < k->n; i++) {
		const struct line *l = &k->lines[i];
		if (strcmp(l->name, d->name) != 0)
			continue;
		if ((*l->plugin && strcmp(l->plugin, d->plugin->name) != 0) ||
		    k->fields[l->space] != (uint32_t)d->key ||
		    (l->version == d->plugin->detector.state_version && l->size != d->state_size))
			return NULL;
		return l;
	}
	return NULL;
}

/* ---- who joins ---- */

static int32_t time_of(struct store *s, uint64_t seq, int64_t *ret, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	const unsigned char *event;
	struct block b;
	uint16_t source;
	size_t at = 0, len;
	int32_t rc = log_reader_open(&reader, s, LOG_TAPE, seq, e);

	if (rc == TW_OK)
		rc = log_reader_next(reader, &b, e);
	if (rc == TW_OK) {
		rc = TW_AGAIN;
		while (rc == TW_AGAIN && tape_record(&b, &at, &source, &event, &len))
			if (event_seq(event) == seq) {
				*ret = event_ts(event);
				rc = TW_OK;
			}
	}
	log_reader_close(reader);
	return rc;
}

/* From which event on it is warmed; unchanged when there is none. */
static int32_t find_from(struct pipeline *p, const struct known *k, const struct graph_node *d, uint64_t *from,
			 struct tw_err *e)
{
	int64_t now = k->now, start;
	int32_t rc = TW_OK;

	if (!d->detector.warm.ns)
		return TW_OK;
	if (now == INT64_MIN)
		rc = time_of(p->o.store, k->seq, &now, e);
	if (rc != TW_OK)
		return rc < 0 ? rc : TW_OK;
	if (__builtin_sub_overflow(now, d->detector.warm.ns, &start))
		start = INT64_MIN;
	rc = store_find_time(p->o.store, start, k->seq, from, e);
	return rc < 0 ? rc : TW_OK;
}

static int32_t join(struct pipeline *p, const struct known *k, uint32_t i, struct tw_err *e)
{
	uint64_t through = store_complete(p->o.store);
	struct join *j = &p->joins[i];

	/* What is logged already stays as it is: it is judged from the checkpoint on, and counts from there on. */
	j->from = k->seq + 1;
	j->since = (through > k->seq ? through : k->seq) + 1;
	j->group = k->groups + 1;
	j->fresh = true;
	p->joining = true;
	return find_from(p, k, graph_detector(p->graph, i), &j->from, e);
}

int32_t joins_read(struct pipeline *p, struct tw_err *e)
{
	struct store *s = p->o.recording ? p->o.recording : p->o.record ? p->o.store : NULL;
	bool anew = p->o.recording || p->o.rebuild; /* who is not known there is judged from the first event on */
	struct known *k = calloc(1, sizeof *k);
	int32_t rc = TW_AGAIN;

	p->joins = calloc(p->graph->n_detectors + 1, sizeof *p->joins);
	if (!p->joins || !k) {
		free(k);
		return err_set(e, TW_E_FATAL, "memory is out");
	}
	for (uint32_t i = 0; i < p->graph->n_detectors; i++)
		p->joins[i] = (struct join){ .from = 1, .since = 1 };
	if (s && !p->o.whole)
		rc = read_known(k, s, e);
	for (uint32_t i = 0; rc == TW_OK && i < p->graph->n_detectors; i++) {
		const struct line *l = find_line(k, graph_detector(p->graph, i));
		if (l)
			p->joins[i] = (struct join){ .from = l->from, .since = l->since, .group = l->group };
		else if (!anew && k->seq)
			rc = join(p, k, i, e);
		if (l && l->since > 1 && p->o.recording)
			log_info(l->name,
				 "takes part from event %" PRIu64 " on, as when this was recorded (--whole: from "
				 "the first)",
				 l->since);
	}
	p->joins_open = rc == TW_OK;
	free(k->lines);
	free(k);
	return rc == TW_AGAIN ? TW_OK : rc;
}

/* ---- the warm-up ---- */

static void say_what_comes(const struct pipeline *p, uint32_t i)
{
	const struct graph_node *d = graph_detector(p->graph, i);
	const struct join *j = &p->joins[i];

	if (j->from > p->as_of) {
		log_info(d->name, "is new and takes part from event %" PRIu64 " on", j->since);
		return;
	}
	log_info(d->name,
		 "is new: events %" PRIu64 " to %" PRIu64 " of the tape fill it (warmup: %s), then it takes part from "
		 "event %" PRIu64 " on",
		 j->from, p->as_of, d->detector.warmup, j->since);
	for (uint32_t n = 0; n < d->n_inputs; n++) {
		uint32_t x = d->inputs[n];
		if (x >= p->graph->n_sources && x < p->graph->n_sources + p->graph->n_detectors &&
		    !p->joins[x - p->graph->n_sources].fresh)
			log_warn(d->name, "the scores of '%s' before that are not on the tape; it begins without them",
				 p->graph->nodes[x].name);
	}
}

int32_t joins_begin(struct pipeline *p, struct tw_err *e)
{
	uint64_t from = UINT64_MAX;

	for (uint32_t i = 0; i < p->graph->n_detectors; i++) {
		if (!p->joins[i].fresh)
			continue;
		say_what_comes(p, i);
		if (p->joins[i].from < from)
			from = p->joins[i].from;
	}
	if (from > p->as_of)
		return TW_OK;
	p->warming = true;
	p->warm_began = os->mono();
	p->seq = p->batch_seq = from - 1;
	atomic_store(&p->catching_up, true);
	CRASH_POINT("joins.begin");
	return sequencer_open_tape(p, p->o.store, from, p->as_of, e);
}

void joins_warmed(struct pipeline *p)
{
	uint64_t events = 0;

	for (uint32_t i = 0; i < p->n_instances; i++) {
		struct instance *in = &p->instances[i];
		if (!p->joins[i].fresh)
			continue;
		in->alerts = in->errors = 0; /* what is told at the end is about what it took part in */
		for (uint32_t n = 0; n < p->crew.n_shards; n++) {
			struct share *s = &p->crew.shards[n].shares[i];
			events += s->events;
			s->events = s->scores = s->quiet = s->warming = s->unkeyed = s->timer_errors = 0;
			memset(s->counters, 0, sizeof s->counters);
		}
	}
	log_info("host", "the warm-up took %.1f s: detectors have judged %" PRIu64 " events of the tape",
		 (double)(os->mono() - p->warm_began) / 1e9, events);
	p->warming = false;
	p->block = (struct block){ 0 };
	p->block_at = 0;
	p->seq = p->batch_seq = p->as_of;
	CRASH_POINT("joins.warmed");
}

/* ---- who is judged when ---- */

static bool hears(const struct pipeline *p, uint32_t x, uint32_t y, uint64_t seq)
{
	const struct join *a = &p->joins[x], *b = &p->joins[y];

	return a->group == b->group || (seq >= a->since && seq >= b->since);
}

void joins_apply(struct pipeline *p, const struct batch *b)
{
	uint32_t first = p->graph->n_sources, end = first + p->graph->n_detectors;
	uint64_t seq = b->base.ev[0]->seq;
	bool open = p->warming;

	if (!p->joins_open)
		return;
	for (uint32_t i = 0; i < p->n_instances; i++) {
		struct instance *in = &p->instances[i];
		in->absent = seq < p->joins[i].from || (p->warming && !p->joins[i].fresh);
		open |= seq < p->joins[i].since;
		for (uint32_t n = 0; n < in->node->n_inputs; n++) {
			uint32_t x = in->node->inputs[n];
			if (x >= first && x < end)
				in->allowed[x] = hears(p, x - first, i, seq) ? (uint16_t)in->kinds : 0;
		}
	}
	p->joins_open = open || p->joining;
}

uint64_t joins_cut(const struct pipeline *p)
{
	uint64_t cut = UINT64_MAX;

	for (uint32_t i = 0; i < p->graph->n_detectors; i++) {
		const struct join *j = &p->joins[i];
		if (j->from > p->seq && j->from < cut)
			cut = j->from;
		if (j->since > p->seq && j->since < cut)
			cut = j->since;
	}
	return cut;
}

bool joins_keyed(const struct pipeline *p, uint32_t keyspace, uint64_t seq)
{
	const struct keyspace *k = &p->keyspaces[keyspace];

	return seq >= k->from && (!p->warming || k->fresh);
}
