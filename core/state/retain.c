/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: giving up the oldest segments of the tape and the oldest blocks of the alert log, never more than every
 * cursor has passed.
 *
 * A segment goes in three steps: its file, its lock file, the folder's sync. The next one goes only after that, so a
 * crash or a power failure leaves the tape without a hole: at worst a lock file without a segment, which the next
 * writer clears away.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "event/event.h"
#include "state/store_impl.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_AGAIN (3600 * INT64_C(1000000000)) /* while a sink holds something back */
#define MIB       (1024.0 * 1024.0)

/* The sink that is furthest behind. */
struct slowest {
	char name[MAX_NAME + 1];
	uint64_t record;
	bool any, here; /* here: it belongs to this run */
};

/* What it holds back beyond its time. */
struct held {
	uint32_t segments;
	uint64_t bytes;
	bool alerts;
};

/* ---- cursors ---- */
struct gathering {
	const struct retention *limits;
	struct slowest *slowest;
};

static void consider(struct slowest *s, const struct cursor *c, bool here)
{
	if (s->any && c->record >= s->record)
		return;
	*s = (struct slowest){ .record = c->record, .any = true, .here = here };
	snprintf(s->name, sizeof s->name, "%s", c->sink);
}

static int32_t consider_stored(void *arg, const struct cursor *c, struct tw_err *err)
{
	const struct gathering *g = arg;

	(void)err;
	for (uint32_t i = 0; i < g->limits->n_cursors; i++)
		if (strcmp(g->limits->cursors[i].sink, c->sink) == 0)
			return TW_OK;
	consider(g->slowest, c, false);
	return TW_OK;
}

static int32_t find_slowest(struct store *s, const struct retention *r, struct slowest *ret, struct tw_err *err)
{
	struct gathering g = { r, ret };

	*ret = (struct slowest){ 0 };
	for (uint32_t i = 0; i < r->n_cursors; i++)
		consider(ret, &r->cursors[i], true);
	return store_cursors(s, consider_stored, &g, err);
}

/* The event that a record of the alert log is about. */
static int32_t seq_of_record(struct store *s, uint64_t record, uint64_t *ret, struct tw_err *err)
{
	struct log_reader *reader = NULL;
	const unsigned char *event;
	struct tw_event ev;
	struct block b;
	uint64_t n;
	size_t at = 0, len;
	int32_t rc = log_reader_open(&reader, s, LOG_ALERTS, record, err);

	if (rc == TW_OK)
		rc = log_reader_next(reader, &b, err);
	if (rc != TW_OK)
		goto out;
	n = b.first;
	if (record < n)
		record = n; /* what was before is given up */
	while (n <= record && alert_record(&b, &at, &event, &len))
		n++;
	if (n <= record || event_decode(&ev, event, len, NULL, NULL) != len)
		rc = err_set(err, STORE_E_DAMAGED, "record %" PRIu64 " of the alert log cannot be read", record);
	else
		*ret = ev.seq;
out:
	log_reader_close(reader);
	return rc;
}

/* ---- the tape ---- */
/* What a sealed segment says of its end; `next` is the segment behind it. */
static int32_t look_at_end(struct store *s, struct segment *g, struct segment *next, struct tw_err *err)
{
	struct segment_head h, after;
	struct stat st;
	int32_t rc;

	if (g->end.known)
		return TW_OK;
	rc = segment_ref(s, g, err);
	if (rc != TW_OK)
		return rc;
	rc = segment_head_now(s, g, &h, err);
	segment_unref(s, g);
	if (rc == TW_OK)
		rc = segment_ref(s, next, err);
	if (rc != TW_OK)
		return rc;
	rc = segment_head_now(s, next, &after, err);
	segment_unref(s, next);
	if (rc == TW_OK && os->stat(g->file.path, &st) < 0)
		rc = err_sys(err, errno, "%s", g->file.name);
	if (rc != TW_OK)
		return rc;
	/* The next one began when this one ended, and an empty one begins anew with its first commit. */
	g->end.known = after.last >= after.first || after.dead_last >= after.dead_first;
	g->end.unrecorded = h.unrecorded != 0;
	g->end.last = h.last;
	g->end.size = (uint64_t)st.st_size;
	g->end.sealed = after.created;
	return TW_OK;
}

static int32_t all_sizes(struct store *s, uint64_t *ret, struct tw_err *err)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n_segs; i++) {
		struct segment *g = s->segs[i];
		struct stat st;

		if (g->end.known) {
			sum += g->end.size;
			continue;
		}
		if (os->stat(g->file.path, &st) < 0)
			return err_sys(err, errno, "%s", g->file.name);
		sum += (uint64_t)st.st_size;
	}
	*ret = sum;
	return TW_OK;
}

/* Nothing will be computed from it again: it is behind the checkpoint, or was never kept. */
static bool is_passed(const struct store *s, const struct segment *g)
{
	const struct state_head *h = &s->state_head;

	if (g->end.last > h->complete)
		return false;
	if (g->end.unrecorded && s->opt.no_tape)
		return true;
	return h->has_checkpoint && g->end.last <= h->checkpoint_seq;
}

static int32_t sync_folder(struct store *s, struct tw_err *err)
{
	/* A later removal that lasts and an earlier one that does not would be a hole in the tape. */
	return os_sync_dir(s->tape_dir) < 0 ? err_set(err, STORE_E_FATAL, "cannot sync the folder %s: %s; start again",
						      s->tape_dir, strerror(errno))
					    : TW_OK;
}

/* The oldest segment. TW_OK: a reader of this process is in it, later. */
static int32_t give_up_segment(struct store *s, struct tw_err *err)
{
	struct segment *g = s->segs[0];
	char *lock = NULL;
	int32_t rc = TW_OK;

	if (asprintf(&lock, "%s-lock", g->file.path) < 0)
		return err_set(err, TW_E_IO, "out of memory");
	/* The checkpoint that has passed it must be there for longer than the segment. */
	if (s->opt.sync != SYNC_ALWAYS) {
		rc = file_sync(&s->cur->file, err);
		if (rc == TW_OK)
			rc = file_sync(&s->state, err);
	}
	pthread_mutex_lock(&s->mutex);
	if (rc != TW_OK || g->refs) {
		g = NULL;
	} else if (os->unlink(g->file.path) < 0 && errno != ENOENT) {
		rc = err_sys(err, errno, "cannot remove %s", g->file.path);
		g = NULL;
	} else {
		s->n_segs--;
		memmove(s->segs, s->segs + 1, s->n_segs * sizeof(struct segment *));
		if (g->file.env)
			s->n_open--;
	}
	pthread_mutex_unlock(&s->mutex);
	if (!g)
		goto out;
	CRASH_POINT("retain.unlinked");
	log_debug("store", "%s is given up: it ended at event %" PRIu64, g->file.name, g->end.last);
	file_free(&g->file);
	free(g);
	if (os->unlink(lock) < 0 && errno != ENOENT)
		log_warn("store", "cannot remove %s: %s", lock, strerror(errno));
	rc = sync_folder(s, err);
	if (rc == TW_OK) {
		CRASH_POINT("retain.synced");
		rc = TW_AGAIN;
	}
out:
	free(lock);
	return rc;
}

static int32_t retain_tape(struct store *s, const struct retention *r, const struct slowest *slow, struct held *held,
			   struct tw_err *err)
{
	uint64_t total = 0, first_held = UINT64_MAX;
	int64_t now = os->wall();
	int32_t rc = TW_OK;

	if (r->tape_bytes)
		rc = all_sizes(s, &total, err);
	/* Only this thread changes the list, so it may be walked without the lock. */
	for (uint32_t i = 0; rc == TW_OK && i + 1 < s->n_segs; i++) {
		struct segment *g = s->segs[i];

		rc = look_at_end(s, g, s->segs[i + 1], err);
		if (rc != TW_OK)
			break;
		if (!(r->tape_age && now - g->end.sealed > r->tape_age) && !(r->tape_bytes && total > r->tape_bytes))
			break;
		if (!is_passed(s, g))
			break;
		if (i == 0 && slow->any && slow->record < s->state_head.last_alert)
			rc = seq_of_record(s, slow->record + 1, &first_held, err);
		if (rc != TW_OK)
			break;
		if (g->end.last < first_held)
			return i ? TW_OK : give_up_segment(s, err);
		held->segments++;
		held->bytes += g->end.size;
		total -= g->end.size;
	}
	return rc;
}

/* ---- both ---- */
const char *store_holder(const struct store *s)
{
	return s->holder[0] ? s->holder : NULL;
}

static int32_t forget_stranger(struct store *s, const struct slowest *slow, struct tw_err *err)
{
	int32_t rc = store_move_cursor(s, slow->name, NULL, err);

	if (rc == TW_OK)
		log_warn("store",
			 "sink '%s' is not in the configuration and stands at record %" PRIu64 " of %" PRIu64
			 "; what waits for it is beyond its time (retain, retain_size, retain_alerts): its cursor is "
			 "forgotten. Configured again it begins with the oldest alert that is kept",
			 slow->name, slow->record, s->state_head.last_alert);
	return rc == TW_OK || rc == TW_AGAIN ? TW_AGAIN : rc;
}

static void say_who_holds(struct store *s, const struct slowest *slow, const struct held *held, int64_t patience)
{
	char what[128];
	int n = 0;

	if (!held->segments && !held->alerts) {
		if (s->holder[0])
			log_warn("store", "sink '%s' does not hold anything back any more: sources are read again",
				 s->holder);
		s->holder[0] = '\0';
		s->held_since = 0;
		return;
	}
	if (!s->held_since || (s->holder[0] && strcmp(s->holder, slow->name) != 0)) {
		s->held_since = os->mono();
		s->holder[0] = '\0';
	}
	if (!s->holder[0] && os->mono() - s->held_since < patience)
		return; /* perhaps it has just begun to fetch */
	if (strcmp(s->holder, slow->name) == 0 && (s->holder_segments || !held->segments) &&
	    os->mono() - s->holder_said < SAY_AGAIN)
		return;
	what[0] = '\0';
	if (held->segments)
		n = snprintf(what, sizeof what, "%u segment%s / %.0f MiB", held->segments,
			     held->segments == 1 ? "" : "s", (double)held->bytes / MIB);
	if (held->alerts)
		snprintf(what + n, sizeof what - (size_t)n, "%srecords of the alert log", n ? " and " : "");
	log_error(
		"store",
		"sink '%s' is at record %" PRIu64 " of %" PRIu64
		"; %s wait for it: that is the bound (retain, retain_size, "
		"retain_alerts), so sources are not read until it has fetched its %" PRIu64
		" records; nothing is lost. Its own lines say why it does not. To go on without it: take it out of the "
		"configuration and reload, or set `host: when_full: drop`",
		slow->name, slow->record, s->state_head.last_alert, what, s->state_head.last_alert - slow->record);
	snprintf(s->holder, sizeof s->holder, "%s", slow->name);
	s->holder_said = os->mono();
	s->holder_segments = held->segments > 0;
}

int32_t store_retain(struct store *s, const struct retention *r, struct tw_err *err)
{
	bool tape = r->tape_age || r->tape_bytes, more = false;
	struct slowest slow;
	struct held held = { 0 };
	int32_t rc;

	if (!tape && !r->alert_age)
		return TW_OK;
	if (s->mode != STORE_WRITE)
		return err_set(err, TW_E_FATAL, "%s was opened for reading", s->dir);
	rc = find_slowest(s, r, &slow, err);
	if (r->drop)
		slow.any = false;
	if (rc == TW_OK && tape) {
		rc = retain_tape(s, r, &slow, &held, err);
		more = rc == TW_AGAIN;
	}
	if (rc >= 0 && r->alert_age) {
		rc = retain_alerts(s, r, slow.any ? slow.record : s->state_head.last_alert, &held.alerts, err);
		more |= rc == TW_AGAIN;
	}
	if (rc < 0 || rc == STORE_FULL)
		return rc;
	if (!more && (held.segments || held.alerts) && !slow.here)
		return forget_stranger(s, &slow, err);
	if (!more || !(held.segments || held.alerts))
		say_who_holds(s, &slow, &held, r->patience);
	return more ? TW_AGAIN : TW_OK;
}

/* ---- after a crash ---- */
static bool is_left_over(const struct store *s, const char *name)
{
	if (strlen(name) != strlen("000001.tape-lock") || strcmp(name + 6, ".tape-lock") != 0)
		return false;
	for (uint32_t i = 0; i < s->n_segs; i++) {
		char own[32];

		snprintf(own, sizeof own, "%06u.tape-lock", s->segs[i]->number);
		if (strcmp(own, name) == 0)
			return false;
	}
	return true;
}

static void sweep(struct store *s)
{
	DIR *d = opendir(s->tape_dir);
	struct dirent *e;
	char *path = NULL;

	while (d && (e = readdir(d)) != NULL) {
		if (!is_left_over(s, e->d_name) || asprintf(&path, "%s/%s", s->tape_dir, e->d_name) < 0)
			continue;
		if (os->unlink(path) < 0 && errno != ENOENT)
			log_warn("store", "cannot remove %s: %s", path, strerror(errno));
		CRASH_POINT("retain.swept");
		free(path);
	}
	if (d)
		closedir(d);
}

int32_t retain_resume(struct store *s, struct tw_err *err)
{
	const struct state_head *h = &s->state_head;
	uint64_t from = h->has_checkpoint ? h->checkpoint_seq : 0;
	struct segment_head first;
	int32_t rc;

	sweep(s);
	if (!s->n_segs || s->segs[0]->number == 1)
		return TW_OK;
	rc = segment_ref(s, s->segs[0], err);
	if (rc != TW_OK)
		return rc;
	rc = segment_head_now(s, s->segs[0], &first, err);
	segment_unref(s, s->segs[0]);
	if (rc == TW_OK && !first.unrecorded && first.first > from + 1)
		rc = err_set(err, STORE_E_DAMAGED,
			     "%s: the tape begins at event %" PRIu64 ", but the last checkpoint is as of event %" PRIu64
			     ": what lies between is missing, restore a copy",
			     s->dir, first.first, from);
	return rc;
}
