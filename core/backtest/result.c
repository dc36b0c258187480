/* SPDX-License-Identifier: Apache-2.0
 *
 * From the alert log to lists in memory.
 */
#include "backtest/result.h"
#include "backtest/score.h"
#include "base/err.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

/* Room for one more; false: at the limit, or memory is out. */
static bool grow(void **list, uint32_t n, uint32_t *cap, uint32_t limit, size_t size)
{
	uint32_t more = *cap ? 2 * *cap : 256;
	void *p;

	if (n < *cap)
		return true;
	if (more > limit)
		more = limit;
	if (n >= more)
		return false;
	p = realloc(*list, (size_t)more * size);
	if (!p)
		return false;
	*list = p;
	*cap = more;
	return true;
}

static uint32_t name_id(struct intern *names, struct tw_str s)
{
	return s.s && s.len ? intern_id(names, s.s, s.len) : 0;
}

/* Two runs over the same tape give the same bytes, but for the digest of what they were configured with. */
static bool digest_of(const struct tw_event *ev, struct intern *names, struct buf *room, uint64_t *ret)
{
	struct tw_event copy = *ev;

	copy.alert.config = (struct tw_str){ 0 };
	room->len = 0;
	if (event_encode(room, &copy, names) < 0)
		return false;
	*ret = hash_bytes(room->data, room->len);
	return true;
}

static bool add_alert(struct result *r, const struct tw_event *ev, struct intern *names, struct buf *room)
{
	const struct tw_alert *a = &ev->alert;
	struct found f = { .ts = ev->ts,
			   .seq = ev->seq,
			   .score = a->score,
			   .value = a->value,
			   .expected = a->expected,
			   .threshold = a->threshold,
			   .p_value = a->p_value,
			   .severity = a->severity,
			   .detector = name_id(names, a->detector),
			   .symbol = name_id(names, a->symbol),
			   .account = name_id(names, a->account),
			   .type = name_id(names, a->type),
			   .reason = (uint32_t)r->reasons.len,
			   .reason_len = a->reason.len };
	void *list = r->alerts;

	if (!grow(&list, r->n_alerts, &r->cap_alerts, RESULT_ALERTS, sizeof *r->alerts)) {
		r->dropped++;
		return true;
	}
	r->alerts = list;
	if (!digest_of(ev, names, room, &f.digest) ||
	    buf_add(&r->reasons, a->reason.s ? a->reason.s : "", a->reason.len))
		return false;
	r->alerts[r->n_alerts++] = f;
	return true;
}

static void add_score(struct result *r, const struct tw_event *ev, const struct matching *m, struct intern *names)
{
	void *list = r->scores;

	if (!m->labels)
		return;
	if (!grow(&list, r->n_scores, &r->cap_scores, RESULT_SCORES, sizeof *r->scores)) {
		r->dropped++;
		return;
	}
	r->scores = list;
	r->scores[r->n_scores++] = (struct emitted){
		.score = ev->score.score,
		.detector = name_id(names, ev->score.detector),
		.hit = score_inside(m, ev->ts, ev->score.symbol, ev->score.account, NULL),
	};
}

int32_t result_read(struct result *r, const char *dir, const struct matching *m, struct intern *names, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct store *s = NULL;
	struct arena scratch = { 0 };
	struct buf room = { 0 };
	struct block b;
	int32_t rc;

	*r = (struct result){ 0 };
	rc = store_open(&s, dir, STORE_READ, NULL, e);
	if (rc == TW_OK)
		rc = log_reader_open(&reader, s, LOG_ALERTS, 1, e);
	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event ev;
		size_t at = 0, len;
		while (rc == TW_OK && alert_record(&b, &at, &event, &len)) {
			arena_reset(&scratch);
			if (event_decode(&ev, event, len, names, &scratch) != len)
				continue;
			if (ev.kind == TW_SCORE)
				add_score(r, &ev, m, names);
			else if (ev.kind == TW_ALERT && !add_alert(r, &ev, names, &room))
				rc = err_set(e, TW_E_FATAL, "memory is out");
		}
	}
	log_reader_close(reader);
	store_close(s);
	arena_free(&scratch);
	buf_free(&room);
	if (rc != TW_OK && rc != TW_AGAIN) {
		result_free(r);
		return rc;
	}
	return TW_OK;
}

void result_free(struct result *r)
{
	free(r->alerts);
	free(r->scores);
	buf_free(&r->reasons);
	*r = (struct result){ 0 };
}
