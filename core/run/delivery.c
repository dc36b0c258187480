/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink's loop.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "event/event.h"
#include "run/delivery_impl.h"
#include "run/screen.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_ROOM     256u
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS   10000
#define IDLE_MS        200
#define LAST_ATTEMPTS  10
#define MAX_NAMES      1000000u

static void host_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_linev(level, h->instance, fmt, ap);
	va_end(ap);
}

static int64_t host_wall(const struct tw_host *h)
{
	(void)h;
	return os->wall();
}

static const char *host_name(const struct tw_host *h, uint32_t id)
{
	const struct delivery *d =
		(const struct delivery *)(const void *)((const char *)h - offsetof(struct delivery, host));
	return intern_name(d->names, id);
}

static const void *host_extension(const struct tw_host *h, const char *id)
{
	const struct delivery *d =
		(const struct delivery *)(const void *)((const char *)h - offsetof(struct delivery, host));
	return strcmp(id, "screen/1") == 0 ? screen_extension() : ext_find(d->ext, id);
}

/* The first of the records it was handed; which of them it had come to, it alone knows. */
static void about_delivery(const struct call *c, struct call_about *ret)
{
	const struct delivery *d =
		(const struct delivery *)(const void *)((const char *)c - offsetof(struct delivery, call));

	if (d->accepted < d->n)
		ret->seq = d->pending[d->accepted]->seq;
}

static void close_sink(struct delivery *d)
{
	call_enter(&d->call);
	if (d->open && d->sink->close)
		d->sink->close(d->self);
	call_leave();
	d->open = false;
}

struct delivery *delivery_new(const struct graph *g, const struct graph_node *node, struct store *store,
			      struct recorder *recorder, uint64_t start, bool known, bool ends, struct tw_err *e)
{
	struct delivery *d = calloc(1, sizeof *d);

	if (!d)
		goto fail;
	d->graph = g;
	d->node = node;
	d->sink = &node->plugin->sink;
	d->self = node->self;
	d->call = (struct call){
		.kind = "sink", .plugin = node->plugin->name, .instance = node->name, .about = about_delivery
	};
	d->recorder = recorder;
	d->store = store;
	d->ends = ends;
	d->first_kept = known ? 0 : store_first_alert(store);
	d->record = start;
	atomic_store(&d->cursor, start);
	bell_init(&d->bell);
	d->names = intern_new(MAX_NAMES);
	d->room = malloc((size_t)BATCH_RECORDS * EVENT_ROOM);
	d->ext = ext_new(NULL, PLUGIN_SINK, node->plugin->name, node->name);
	if (!d->names || !d->room || !d->ext)
		goto fail;
	if (log_reader_open(&d->reader, store, LOG_ALERTS, start + 1, e) < 0) {
		delivery_free(d);
		return NULL;
	}
	d->number = recorder_sink(recorder, node->name, &d->bell, start);
	d->host = (struct tw_host){ .struct_size = sizeof d->host,
				    .abi = TW_ABI,
				    .log = host_log,
				    .name = host_name,
				    .wall = host_wall,
				    .extension = host_extension,
				    .instance = node->name };
	return d;
fail:
	err_set(e, TW_E_FATAL, "memory is out");
	delivery_free(d);
	return NULL;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	close_sink(d);
	ext_free(d->ext);
	log_reader_close(d->reader);
	intern_free(d->names);
	arena_free(&d->scratch);
	free(d->room);
	free(d->letters);
	free(d);
}

void delivery_serve(struct delivery *d, struct services *s)
{
	ext_serve(d->ext, s);
}

/* ---- choosing records ---- */

static bool wanted(const struct delivery *d, const struct tw_event *ev)
{
	const struct tw_str *from = ev->kind == TW_ALERT ? &ev->alert.detector : &ev->score.detector;
	const struct where *w = &d->node->where;

	if (!(d->node->sink.wants & ev->kind))
		return false;
	if (d->node->has_where && ev->kind == TW_ALERT) {
		char name[EVENT_MAX_NAME + 1];
		const struct tw_str *texts[2] = { &ev->alert.symbol, &ev->alert.account };
		const struct where_names *globs[2] = { &w->symbol, &w->account };
		for (size_t i = 0; i < 2; i++) {
			if (!globs[i]->n)
				continue;
			memcpy(name, texts[i]->s ? texts[i]->s : "", texts[i]->len);
			name[texts[i]->len] = '\0';
			if (!where_name(globs[i], name))
				return false;
		}
	}
	for (uint32_t i = 0; i < d->node->n_inputs; i++) {
		const char *name = d->graph->nodes[d->node->inputs[i]].name;
		if (strlen(name) == from->len && !memcmp(name, from->s, from->len))
			return true;
	}
	return false;
}

/* false: memory is out. */
static bool gather(struct delivery *d)
{
	const unsigned char *event;
	size_t len, used = 0;

	d->n = d->accepted = 0;
	arena_reset(&d->scratch);
	while (d->n < BATCH_RECORDS && d->block.bytes && alert_record(&d->block, &d->at, &event, &len)) {
		struct tw_event *ev = (struct tw_event *)(void *)(d->room + used);
		uint64_t record = d->block.first++;
		if (record <= d->record)
			continue;
		d->record = record;
		size_t decoded = event_decode(ev, event, len, d->names, &d->scratch);
		if (d->scratch.failed || intern_starved(d->names)) /* it would be told without its names */
			return false;
		if (decoded != len) {
			log_error(d->node->name,
				  "record %" PRIu64 " of the alert log does not decode; it is left out; run `tapewatch "
				  "tape verify`",
				  record);
			continue;
		}
		if (!wanted(d, ev))
			continue;
		d->numbers[d->n] = record;
		d->pending[d->n++] = ev;
		used += EVENT_ROOM;
	}
	return true;
}

static void move_cursor(struct delivery *d, uint64_t record)
{
	if (record == atomic_load(&d->cursor))
		return;
	atomic_store(&d->cursor, record);
	recorder_cursor(d->recorder, d->number, record);
	place_passed(d);
}

/* ---- failure ---- */

static enum step give_up(struct delivery *d, const char *doing, const struct tw_err *e)
{
	log_error(d->node->name, "%s: %s; the sink gives up; records from %" PRIu64 " on wait for the next run", doing,
		  e->msg[0] ? e->msg : "no reason given", atomic_load(&d->cursor) + 1);
	d->failed = true;
	close_sink(d);
	recorder_sink_gone(d->recorder, d->number);
	return STEP_FAILED;
}

static enum step try_later(struct delivery *d, const char *doing, const struct tw_err *e)
{
	unsigned char r = 0;

	/* An end that waits for this sink would never come. */
	bool hurry = atomic_load(&d->hurry) || (d->ends && recorder_held(d->recorder));

	d->attempts++;
	atomic_fetch_add(&d->all_attempts, 1);
	if (hurry && d->attempts >= LAST_ATTEMPTS)
		return give_up(d, doing, e);
	d->pause_ms = d->pause_ms ? d->pause_ms * 2 : PAUSE_FIRST_MS;
	if (d->pause_ms > PAUSE_MAX_MS)
		d->pause_ms = PAUSE_MAX_MS;
	if (hurry && d->pause_ms > 1000)
		d->pause_ms = 1000;
	(void)os->random(&r, 1);
	d->not_before = os->mono() + ((int64_t)d->pause_ms * 750000 + (int64_t)d->pause_ms * r * 1950); /* 75..125 % */
	if (d->attempts == 1 || d->attempts % 10 == 0)
		log_warn(d->node->name, "%s: %s; trying again (attempt %d)", doing,
			 e->msg[0] ? e->msg : "no reason given", d->attempts);
	return STEP_IDLE;
}

static enum step refuse(struct delivery *d, const struct tw_err *e)
{
	const struct tw_event *ev = d->pending[d->accepted];
	struct dead_letter letter = {
		.wall = os->wall(),
		.seq = ev->seq,
		.source = { .s = d->node->name, .len = (uint32_t)strlen(d->node->name) },
		.reason = { .s = "sink_refused", .len = 12 },
		.detail = { .s = e->msg, .len = (uint32_t)strlen(e->msg) },
		.raw = { .s = (const char *)ev->raw, .len = ev->raw ? ev->raw_len : 0 },
	};
	struct tw_err why = { 0 };
	int32_t rc = place_letter(d, d->numbers[d->accepted], &letter, &why);

	if (rc < 0)
		return give_up(d, "reading the dead letters", &why);
	if (rc != TW_OK)
		return STEP_IDLE; /* offered again */
	CRASH_POINT("delivery.refused");
	atomic_fetch_add(&d->refused, 1);
	/* Done with for good, also when the rest of the batch is offered again. */
	d->n--;
	memmove(d->pending + d->accepted, d->pending + d->accepted + 1, (d->n - d->accepted) * sizeof *d->pending);
	memmove(d->numbers + d->accepted, d->numbers + d->accepted + 1, (d->n - d->accepted) * sizeof *d->numbers);
	return STEP_MORE;
}

/* The connection is gone, and with it what was accepted and not flushed: after the next open() the batch is offered
 * again from its beginning, which is where the cursor is. */
static void fall_back(struct delivery *d)
{
	close_sink(d);
	d->accepted = 0;
}

/* ---- the step ---- */

static enum step end(struct delivery *d)
{
	close_sink(d);
	d->ended = true;
	return STEP_DONE;
}

/* Time to go: it fails, or it has been given its time and is between two batches. */
static bool leaves_now(const struct delivery *d)
{
	int64_t leave_by = atomic_load(&d->leave_by);

	if (!leave_by)
		return false;
	return !d->open || d->attempts ||
	       (d->accepted == d->n && d->record == atomic_load(&d->cursor) && os->mono() >= leave_by);
}

static enum step open_sink(struct delivery *d)
{
	struct tw_err e = { 0 };
	int32_t rc = d->sink->open ? CALL(&d->call, d->sink->open(d->self, &d->host, &e)) : TW_OK;

	if (rc == TW_E_IO || rc == TW_AGAIN)
		return try_later(d, "cannot open", &e);
	if (rc < 0)
		return give_up(d, "cannot open", &e);
	d->open = true;
	rc = place_open(d, &e);
	if (rc != TW_OK)
		close_sink(d);
	if (rc == TW_E_IO || rc == TW_AGAIN)
		return try_later(d, "cannot read its position", &e);
	if (rc < 0)
		return give_up(d, "its position", &e);
	CRASH_POINT("delivery.opened");
	return STEP_MORE;
}

static enum step flush_and_move(struct delivery *d, uint64_t record)
{
	struct tw_err e = { 0 };
	int32_t rc = place_mark(d, record, &e);

	if (rc == TW_AGAIN && !e.msg[0])
		return STEP_IDLE;
	if (rc == TW_OK && d->sink->flush)
		rc = CALL(&d->call, d->sink->flush(d->self, &e));
	if (rc == TW_E_FATAL || rc == TW_E_CONFIG)
		return give_up(d, "flushing", &e);
	if (rc < 0)
		fall_back(d);
	if (rc != TW_OK)
		return try_later(d, "flushing", &e);
	CRASH_POINT("delivery.flushed");
	d->attempts = d->pause_ms = 0;
	move_cursor(d, record);
	CRASH_POINT("delivery.moved");
	return STEP_MORE;
}

static enum step write_pending(struct delivery *d)
{
	struct tw_err e = { 0 };
	uint32_t done = 0, n = d->n - d->accepted;
	int32_t rc = CALL(&d->call, d->sink->write(d->self, d->pending + d->accepted, n, &done, &e));

	CRASH_POINT("delivery.written");
	if (done > n)
		done = n;
	if (rc == TW_OK)
		done = n;
	d->accepted += done;
	atomic_fetch_add(&d->delivered, done);
	if (rc == TW_OK)
		return flush_and_move(d, d->record);
	if (rc == TW_E_DATA && d->accepted < d->n) {
		return refuse(d, &e);
	}
	if (rc == TW_E_FATAL || rc == TW_E_CONFIG)
		return give_up(d, "writing", &e);
	if (rc < 0)
		fall_back(d);
	else if (done)
		d->attempts = d->pause_ms = 0;
	return try_later(d, "writing", &e);
}

static enum step skip(struct delivery *d, uint64_t first, struct tw_err *e)
{
	int32_t rc = place_skip(d, first, e);

	return rc < 0 ? give_up(d, "reading the alert log", e) : rc == TW_OK ? STEP_MORE : STEP_IDLE;
}

enum step delivery_step(struct delivery *d)
{
	struct tw_err e = { 0 };
	bool last;

	if (d->ended)
		return d->failed ? STEP_FAILED : STEP_DONE;
	if (d->failed) {
		d->ended = true;
		return STEP_FAILED;
	}
	if (leaves_now(d))
		return end(d);
	if (d->not_before && os->mono() < d->not_before)
		return STEP_IDLE;
	d->not_before = 0;
	if (!d->open) {
		enum step opened = open_sink(d);
		if (opened != STEP_MORE)
			return opened;
	}
	if (d->accepted < d->n)
		return write_pending(d);
	if (d->record > atomic_load(&d->cursor)) { /* what was flushed late, or not wanted */
		enum step flushed = flush_and_move(d, d->record);
		if (flushed != STEP_MORE)
			return flushed;
	}
	if (!gather(d)) {
		err_set(&e, TW_E_FATAL, "memory is out");
		return give_up(d, "reading the alert log", &e);
	}
	if (d->n || d->record > atomic_load(&d->cursor))
		return STEP_MORE;
	last = recorder_last_durable(d->recorder); /* asked before the log is: a record in between is seen */
	d->at = 0;
	d->block = (struct block){ 0 };
	switch (log_reader_next(d->reader, &d->block, &e)) {
	case TW_OK:
		if (d->block.first <= d->record + 1)
			return STEP_MORE;
		return skip(d, d->block.first, &e);
	case TW_AGAIN:
		return last || atomic_load(&d->leave_by) ? end(d) : STEP_IDLE;
	default:
		if (store_first_alert(d->store) > d->record + 1) /* while it was about to read them */
			return skip(d, store_first_alert(d->store), &e);
		return give_up(d, "reading the alert log", &e);
	}
}

struct bell *delivery_bell(struct delivery *d)
{
	return &d->bell;
}

int32_t delivery_pause_ms(const struct delivery *d)
{
	int64_t left;

	if (!d->not_before)
		return IDLE_MS;
	left = (d->not_before - os->mono()) / 1000000 + 1;
	return left < 1 ? 1 : left > PAUSE_MAX_MS ? PAUSE_MAX_MS : (int32_t)left;
}

void delivery_leave(struct delivery *d, int64_t deadline)
{
	atomic_store(&d->leave_by, deadline);
	bell_ring(&d->bell);
}

bool delivery_over(const struct delivery *d)
{
	return d->ended || d->failed || atomic_load(&d->leave_by);
}

void delivery_move(struct delivery *d, const struct graph *g, const struct graph_node *node, struct recorder *recorder)
{
	d->graph = g;
	d->node = node;
	d->recorder = recorder;
	d->number = recorder_sink(recorder, node->name, &d->bell, atomic_load(&d->cursor));
}

void delivery_hurry(struct delivery *d)
{
	atomic_store(&d->hurry, true);
	bell_ring(&d->bell);
}

void delivery_stats(const struct delivery *d, struct delivery_stats *ret)
{
	ret->delivered = atomic_load(&d->delivered);
	ret->refused = atomic_load(&d->refused);
	ret->attempts = atomic_load(&d->all_attempts);
	ret->cursor = atomic_load(&d->cursor);
}
