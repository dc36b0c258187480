/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert digest. Each alert is fed as a fixed sequence of fields, numbers as 8 little-endian bytes, texts behind
 * their length, so that no two different alerts feed the same bytes.
 */
#include "state/digest.h"
#include "base/err.h"
#include "base/sha256.h"
#include "event/event.h"
#include <string.h>

static void add_u64(struct sha256 *sha, uint64_t v)
{
	unsigned char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	sha256_add(sha, b, sizeof b);
}

static void add_f64(struct sha256 *sha, double v)
{
	uint64_t bits = UINT64_C(0x7ff8000000000000); /* every NaN means the same: absent */

	if (!isnan(v))
		memcpy(&bits, &v, sizeof bits);
	add_u64(sha, bits);
}

static void add_text(struct sha256 *sha, struct tw_str t)
{
	/* Absent is not empty. */
	add_u64(sha, t.s ? (uint64_t)t.len + 1 : 0);
	if (t.s)
		sha256_add(sha, t.s, t.len);
}

static struct tw_str without_tape(struct tw_str id)
{
	const char *dash = id.s ? memchr(id.s, '-', id.len) : NULL;

	if (dash) {
		id.len -= (uint32_t)(dash + 1 - id.s);
		id.s = dash + 1;
	}
	return id;
}

static void add_alert(struct sha256 *sha, const struct tw_event *e)
{
	const struct tw_alert *a = &e->alert;

	add_u64(sha, (uint64_t)e->ts);
	add_u64(sha, e->seq);
	add_u64(sha, a->severity);
	add_f64(sha, a->score);
	add_f64(sha, a->p_value);
	add_f64(sha, a->value);
	add_f64(sha, a->expected);
	add_f64(sha, a->threshold);
	add_u64(sha, a->evidence_from);
	add_u64(sha, a->evidence_to);
	add_text(sha, without_tape(a->id));
	add_text(sha, a->detector);
	add_text(sha, a->version);
	add_text(sha, a->config);
	add_text(sha, a->symbol);
	add_text(sha, a->account);
	add_text(sha, a->type);
	add_text(sha, a->reason);
	add_u64(sha, a->n_details);
	for (uint32_t i = 0; i < a->n_details; i++) {
		add_text(sha, a->details[i].name);
		add_text(sha, a->details[i].text);
		if (!a->details[i].text.s)
			add_f64(sha, a->details[i].number);
	}
}

static int32_t add_block(struct sha256 *sha, const struct block *b, struct arena *arena, uint64_t *n,
			 struct tw_err *err)
{
	const unsigned char *p;
	size_t at = 0, len;

	while (alert_record(b, &at, &p, &len)) {
		struct tw_event e;

		arena_reset(arena);
		if (!event_decode(&e, p, len, NULL, arena))
			return err_set(err, STORE_E_DAMAGED,
				       "the alert log has a record after number %" PRIu64 " that is no event",
				       b->first - 1);
		if (e.kind == TW_ALERT) {
			add_alert(sha, &e);
			*n += 1;
		}
	}
	return TW_OK;
}

int32_t alerts_digest(struct store *s, char hex[65], uint64_t *ret_n, struct tw_err *err)
{
	struct sha256 *sha = sha256_new();
	struct log_reader *r = NULL;
	struct arena arena = { 0 };
	struct block b;
	uint64_t n = 0;
	int32_t rc = TW_E_IO;

	if (!sha)
		err_set(err, TW_E_IO, "out of memory");
	else
		rc = log_reader_open(&r, s, LOG_ALERTS, 1, err);
	while (rc == TW_OK) {
		rc = log_reader_next(r, &b, err);
		if (rc == TW_OK)
			rc = add_block(sha, &b, &arena, &n, err);
	}
	if (rc == TW_AGAIN) {
		char out[65];

		if (sha256_hex(sha, out) < 0) {
			rc = err_set(err, TW_E_IO, "SHA-256 failed: out of memory");
		} else {
			memcpy(hex, out, sizeof out);
			if (ret_n)
				*ret_n = n;
			rc = TW_OK;
		}
	}
	log_reader_close(r);
	arena_free(&arena);
	sha256_free(sha);
	return rc;
}
