/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector may call while it judges: alert, emit, timer, name, log.
 */
#include "base/format.h"
#include "base/log.h"
#include "bus/shard.h"
#include <stdarg.h>
#include <string.h>

#define REASON_MAX 512u

static struct share *share_of(struct tw_ctx *c)
{
	return (struct share *)(void *)c;
}

/* The slot of the event being judged, and how many events its key had seen by then. */
static struct slot *current_slot(struct share *s, uint64_t *seen)
{
	if (s->timer_slot) {
		*seen = s->timer_slot->seen;
		return s->timer_slot;
	}
	if (s->ctx.i >= s->n_subset - s->first)
		return NULL;
	*seen = s->desk->seen[s->first + s->ctx.i];
	return s->desk->slots[s->first + s->ctx.i];
}

/* A bound, not a hope: a detector that says more than this about one thing is broken. It is counted per item, so that
 * it is the same for batches and workers of any number. */
static bool may_say(struct share *s, uint32_t at)
{
	if (at != s->said_at) {
		s->said_at = at;
		s->said = 0;
	}
	return s->said++ < MAX_SAID;
}

static struct out *add_out(struct share *s, const struct tw_event *about, const struct slot *slot)
{
	struct voice *v = s->voice;
	uint32_t at = s->timer_slot ? s->at_now : s->desk->at[s->first + s->ctx.i];
	struct out *out;

	if (!may_say(s, at))
		return NULL;
	if (!batch_grow((void **)&v->outs, &v->cap, v->n + 1, sizeof *v->outs)) {
		v->memory_out = true;
		return NULL;
	}
	out = &v->outs[v->n];
	*out = (struct out){ .seq = s->items->ev[at]->seq,
			     .due = s->timer_slot ? s->timer_due : INT64_MAX,
			     .instance = s->instance->number,
			     .origin = s->items->origin[at],
			     .at = at,
			     .n = v->n,
			     .symbol = s->timer_slot ? slot->symbol : s->items->symbol[at],
			     .account = s->timer_slot ? slot->account : s->items->account[at] };
	out->ev = arena_alloc(&v->arena, sizeof *out->ev);
	if (!out->ev) {
		v->memory_out = true;
		return NULL;
	}
	out->ev->struct_size = sizeof(struct tw_event);
	out->ev->ts = s->timer_slot ? s->timer_due : about->ts;
	out->ev->seq = out->seq;
	out->ev->source = s->instance->node->index;
	v->n++;
	return out;
}

static struct tw_str name_text(const struct intern *names, uint32_t id)
{
	return (struct tw_str){ .s = id ? intern_name(names, id) : NULL, .len = intern_len(names, id), .reserved = id };
}

static struct tw_str static_text(const char *s)
{
	return (struct tw_str){ .s = s, .len = s ? (uint32_t)strlen(s) : 0 };
}

/* Details are the caller's: copy list and texts. */
static void copy_details(struct arena *a, struct tw_alert *alert, const struct tw_finding *f)
{
	uint32_t n = f->n_details < 64 ? f->n_details : 64;
	struct tw_detail *d = n ? arena_alloc(a, n * sizeof *d) : NULL;

	if (!d)
		return;
	memcpy(d, f->details, n * sizeof *d);
	for (uint32_t i = 0; i < n; i++) {
		d[i].name.s = arena_text(a, d[i].name.s ? d[i].name.s : "", d[i].name.len);
		d[i].text.s = d[i].text.s ? arena_text(a, d[i].text.s, d[i].text.len) : NULL;
		if (!d[i].name.s)
			return;
	}
	alert->details = d;
	alert->n_details = n;
}

static bool still_quiet(struct share *s, const struct slot *slot, uint64_t seen, int64_t ts)
{
	const struct detector_options *o = &s->instance->node->detector;

	if (ts < slot->quiet_ts || seen < slot->quiet_seen) {
		s->quiet++;
		return true;
	}
	if ((o->warm.events && seen <= o->warm.events) || (o->warm.ns && ts - slot->first_ts < o->warm.ns)) {
		s->warming++;
		return true;
	}
	return false;
}

static int32_t call_alert(struct tw_ctx *c, const struct tw_event *about, const struct tw_finding *f, const char *fmt,
			  ...)
{
	struct share *s = share_of(c);
	const struct instance *in = s->instance;
	const struct detector_options *o = &in->node->detector;
	struct arena *a = &s->voice->arena;
	uint64_t seen;
	struct slot *slot = current_slot(s, &seen);
	int64_t ts = s->timer_slot ? s->timer_due : about ? about->ts : 0;
	struct tw_alert *alert;
	struct out *out;
	char reason[REASON_MAX];
	va_list ap;
	int n;

	if (!slot || (!about && !s->timer_slot))
		return TW_E_FATAL;
	if (still_quiet(s, slot, seen, ts))
		return TW_OK;
	out = add_out(s, about, slot);
	if (!out)
		return TW_E_FATAL;
	if (o->quiet.ns)
		slot->quiet_ts = ts > INT64_MAX - o->quiet.ns ? INT64_MAX : ts + o->quiet.ns;
	if (o->quiet.events)
		slot->quiet_seen = seen + o->quiet.events + 1;
	va_start(ap, fmt);
	n = format_text(reason, sizeof reason, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof reason)
		n = (int)sizeof reason - 1;
	out->logged = true;
	out->ev->kind = TW_ALERT;
	alert = &out->ev->alert;
	alert->score = f->score;
	alert->p_value = f->p_value;
	alert->value = f->value;
	alert->expected = f->expected;
	alert->threshold = f->threshold;
	alert->evidence_from = f->evidence_from ? f->evidence_from : out->seq;
	alert->evidence_to = f->evidence_to ? f->evidence_to : out->seq;
	alert->severity = o->severity ? (uint32_t)o->severity : f->severity ? f->severity : TW_MEDIUM;
	if (alert->severity > TW_CRITICAL)
		alert->severity = TW_CRITICAL;
	alert->detector = static_text(in->node->name);
	alert->version = static_text(in->node->plugin->version);
	alert->config = (struct tw_str){ .s = in->node->digest, .len = 16 };
	alert->symbol = name_text(in->intern, out->symbol);
	alert->account = name_text(in->intern, out->account);
	alert->type = f->type ? (struct tw_str){ .s = arena_text(a, f->type, strlen(f->type)),
						 .len = (uint32_t)strlen(f->type) }
			      : static_text(in->node->plugin->name);
	alert->reason = (struct tw_str){ .s = arena_text(a, reason, (size_t)n), .len = (uint32_t)n };
	copy_details(a, alert, f);
	return TW_OK;
}

static int32_t call_emit(struct tw_ctx *c, const struct tw_event *said)
{
	struct share *s = share_of(c);
	const struct instance *in = s->instance;
	struct arena *a = &s->voice->arena;
	uint64_t seen;
	struct slot *slot = current_slot(s, &seen);
	struct out *out;
	struct tw_score *score;

	if (said->kind != TW_SCORE || !slot)
		return TW_E_DATA;
	s->scores++;
	if (!in->heard)
		return TW_OK;
	out = add_out(s, s->timer_slot ? NULL : s->desk->evs[s->first + c->i], slot);
	if (!out)
		return TW_E_FATAL;
	out->logged = in->node->logged_scores;
	out->ev->kind = TW_SCORE;
	score = &out->ev->score;
	*score = said->score;
	score->detector = static_text(in->node->name);
	score->symbol = out->symbol;
	score->account = out->account;
	if (score->n_features > 1024)
		score->n_features = 1024;
	if (score->n_features) {
		double *features = arena_alloc(a, score->n_features * sizeof *features);
		if (features)
			memcpy(features, said->score.features, score->n_features * sizeof *features);
		score->features = features;
		score->n_features = features ? score->n_features : 0;
	}
	return TW_OK;
}

static void call_timer(struct tw_ctx *c, int64_t due)
{
	struct share *s = share_of(c);
	uint64_t seen;
	struct slot *slot = current_slot(s, &seen);

	if (slot && !timers_arm(&s->timers, &s->table, slot, due))
		s->voice->memory_out = true;
}

static const char *call_name(const struct tw_host *h, uint32_t id)
{
	const struct instance *in =
		(const struct instance *)(const void *)((const char *)h - offsetof(struct instance, host));
	return intern_name(in->intern, id);
}

static void call_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_linev(level, h->instance, fmt, ap);
	va_end(ap);
}

static int64_t call_wall(const struct tw_host *h)
{
	(void)h;
	return 0; /* a detector's time is event time */
}

static const void *call_extension(const struct tw_host *h, const char *id)
{
	const struct instance *in =
		(const struct instance *)(const void *)((const char *)h - offsetof(struct instance, host));
	return ext_find(in->ext, id);
}

const struct tw_host shard_host = { .struct_size = sizeof(struct tw_host),
				    .abi = TW_ABI,
				    .log = call_log,
				    .alert = call_alert,
				    .emit = call_emit,
				    .timer = call_timer,
				    .name = call_name,
				    .wall = call_wall,
				    .extension = call_extension };
