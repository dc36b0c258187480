/* SPDX-License-Identifier: Apache-2.0
 *
 * The cursor that a sink keeps with its data, records that were given up before it had them, and dead letters that are
 * written once.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "run/delivery_impl.h"
#include <stdlib.h>
#include <string.h>

#define TAPE_ID 32u /* hexadecimal digits */

/* ---- the cursor in the sink ---- */

static int32_t read_position(struct delivery *d, const struct tw_pos *pos, uint64_t *ret, struct tw_err *e)
{
	const char *id = store_tape_id(d->store);
	uint64_t record = 0;

	if (pos->len != TAPE_ID + 8)
		return err_set(e, TW_E_CONFIG,
			       "the sink's data has a cursor of %" PRIu64
			       " bytes, expected %u: it was not written by this version of tapewatch",
			       pos->len, TAPE_ID + 8);
	if (memcmp(pos->data, id, TAPE_ID) != 0)
		return err_set(
			e, TW_E_CONFIG,
			"the sink's data belongs to the tape %.32s, and this is the tape %s: alerts of two tapes would "
			"mix; "
			"give the sink another place, or empty the one it has",
			(const char *)pos->data, id);
	for (uint32_t i = 0; i < 8; i++)
		record |= (uint64_t)pos->data[TAPE_ID + i] << (8 * i);
	*ret = record;
	return TW_OK;
}

static int32_t go_on_behind(struct delivery *d, uint64_t record, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	int32_t rc = log_reader_open(&reader, d->store, LOG_ALERTS, record + 1, e);

	if (rc != TW_OK)
		return rc;
	log_reader_close(d->reader);
	d->reader = reader;
	d->block = (struct block){ 0 };
	d->at = 0;
	d->n = d->accepted = 0;
	d->record = record;
	return TW_OK;
}

int32_t place_open(struct delivery *d, struct tw_err *e)
{
	struct tw_pos pos = { 0 };
	uint64_t record = 0, cursor = atomic_load(&d->cursor);
	int32_t rc;

	if (!d->sink->position)
		return TW_OK;
	rc = CALL(&d->call, d->sink->position(d->self, &pos, e));
	if (rc == TW_AGAIN)
		return TW_OK;
	if (rc == TW_OK)
		rc = read_position(d, &pos, &record, e);
	if (rc != TW_OK || record == cursor)
		return rc;
	log_info(d->node->name,
		 "its data holds alerts through record %" PRIu64 ", the store says %" PRIu64
		 ": it goes on behind what it holds",
		 record, cursor);
	rc = go_on_behind(d, record, e);
	if (rc == TW_OK) {
		atomic_store(&d->cursor, record);
		recorder_cursor(d->recorder, d->number, record);
	}
	return rc;
}

int32_t place_mark(struct delivery *d, uint64_t record, struct tw_err *e)
{
	struct tw_pos pos = { .len = TAPE_ID + 8 };

	if (!d->sink->mark)
		return TW_OK;
	/* What the sink keeps passes them for good. */
	if (d->n_letters && recorder_refused_waits(d->recorder))
		return TW_AGAIN;
	memcpy(pos.data, store_tape_id(d->store), TAPE_ID);
	for (uint32_t i = 0; i < 8; i++)
		pos.data[TAPE_ID + i] = (unsigned char)(record >> (8 * i));
	return CALL(&d->call, d->sink->mark(d->self, &pos, e));
}

/* ---- letters ---- */

static bool note(struct delivery *d, uint64_t record)
{
	if (d->n_letters == d->cap_letters) {
		uint32_t cap = d->cap_letters ? d->cap_letters * 2 : 64;
		uint64_t *letters = realloc(d->letters, cap * sizeof *letters);
		if (!letters)
			return false;
		d->letters = letters;
		d->cap_letters = cap;
	}
	d->letters[d->n_letters++] = record;
	return true;
}

/* The record a letter of this sink is about; 0: it is not of this sink. */
static uint64_t record_of(const struct delivery *d, const struct dead_letter *l)
{
	char text[32] = "";
	uint64_t record = 0;

	if (l->source.len != strlen(d->node->name) || memcmp(l->source.s, d->node->name, l->source.len) != 0 ||
	    !l->where.len || l->where.len >= sizeof text)
		return 0;
	memcpy(text, l->where.s, l->where.len);
	return sscanf(text, "record %" SCNu64, &record) == 1 ? record : 0;
}

/* A letter is durable before the cursor passes its record: those behind the cursor are of a run that was killed in
 * between. Looked for when the first is to be written, which is seldom. */
static int32_t read_letters(struct delivery *d, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct block b;
	int32_t rc = log_reader_open(&reader, d->store, LOG_DEAD, 1, e);

	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		struct dead_letter l;
		size_t at = 0;
		while (rc == TW_OK && dead_record(&b, &at, &l))
			if (record_of(d, &l) > atomic_load(&d->cursor) && !note(d, record_of(d, &l)))
				rc = err_set(e, TW_E_FATAL, "memory is out");
	}
	log_reader_close(reader);
	d->letters_read = rc == TW_AGAIN;
	return rc == TW_AGAIN ? TW_OK : rc;
}

int32_t place_letter(struct delivery *d, uint64_t record, struct dead_letter *l, struct tw_err *e)
{
	char where[32];
	int32_t rc = d->letters_read ? TW_OK : read_letters(d, e);

	if (rc != TW_OK)
		return rc;
	for (uint32_t i = 0; i < d->n_letters; i++)
		if (d->letters[i] == record)
			return TW_OK;
	(void)snprintf(where, sizeof where, "record %" PRIu64, record);
	l->where = (struct tw_str){ .s = where, .len = (uint32_t)strlen(where) };
	rc = recorder_refused(d->recorder, l);
	if (rc == TW_OK && !note(d, record))
		rc = err_set(e, TW_E_FATAL, "memory is out");
	return rc;
}

void place_passed(struct delivery *d)
{
	d->n_letters = 0;
}

/* ---- records that are gone ---- */

int32_t place_skip(struct delivery *d, uint64_t first, struct tw_err *e)
{
	uint64_t from = d->record + 1 > d->first_kept ? d->record + 1 : d->first_kept;
	char detail[160];
	struct dead_letter letter = { .wall = os->wall(),
				      .source = { .s = d->node->name, .len = (uint32_t)strlen(d->node->name) },
				      .reason = { .s = "given_up", .len = 8 } };
	int32_t rc = TW_OK;

	if (from < first) {
		(void)snprintf(detail, sizeof detail,
			       "records %" PRIu64 " to %" PRIu64
			       " of the alert log were given up before this sink had them (host: when_full)",
			       from, first - 1);
		letter.detail = (struct tw_str){ .s = detail, .len = (uint32_t)strlen(detail) };
		letter.seq = store_last_seq(d->store);
		rc = place_letter(d, from, &letter, e);
		if (rc == TW_OK)
			log_error(d->node->name, "%s", detail);
	}
	return rc == TW_OK ? go_on_behind(d, first - 1, e) : rc;
}
