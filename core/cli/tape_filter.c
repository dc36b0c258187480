/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking over a tape, and which of its events were asked for.
 */
#include "cli/tape_filter.h"
#include "base/os.h"
#include "config/config.h"

#include <string.h>

#define MAX_NAMES 100000u /* then the table of names begins anew, */
#define ONE_EVENT 8u      /* and before an event whose names might not all find room */

static int find_kinds(const struct tape_args *a, uint32_t *ret)
{
	const char *words[EVENT_KINDS];
	uint32_t kinds = a->kinds.n ? 0 : TW_ANY;

	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		words[i] = event_kinds[i].name;
	for (uint32_t i = 0; i < a->kinds.n; i++) {
		const char *name = a->kinds.items[i];
		const struct kind *k = kind_named(name, strlen(name));
		const char *near = k ? NULL : nearest(name, words, EVENT_KINDS);
		if (!k)
			return near ? cli_misuse(&verb_tape, "--kind: there is no kind '%s'; did you mean '%s'?", name,
						 near)
				    : cli_misuse(&verb_tape, "--kind: there is no kind '%s'", name);
		kinds |= k->bit;
	}
	*ret = kinds;
	return CLI_GO;
}

int tape_filter_init(struct tape_filter *f, const struct tape_args *a)
{
	int64_t now = os->wall();

	*f = (struct tape_filter){ .args = a, .from = INT64_MIN, .to = INT64_MAX };
	int code = find_kinds(a, &f->kinds);
	if (code != CLI_GO)
		return code;
	if (a->from && parse_time(a->from, now, &f->from) < 0)
		return cli_misuse(&verb_tape, "--from: '%s' is no time such as 2026-01-31T10:30:00Z or 1h", a->from);
	if (a->to && parse_time(a->to, now, &f->to) < 0)
		return cli_misuse(&verb_tape, "--to: '%s' is no time such as 2026-01-31T10:30:00Z or 1h", a->to);
	f->names = intern_new(MAX_NAMES);
	return f->names ? CLI_GO : cli_fail(CLI_GAVE_UP, "tape", "out of memory");
}

void tape_filter_free(struct tape_filter *f)
{
	intern_free(f->names);
	arena_free(&f->scratch);
}

static bool field_matches(const struct tape_filter *f, const struct tw_event *ev, const char *name, const char *glob)
{
	const struct field *field = field_named(kind_of(ev->kind), name, strlen(name));
	struct tw_str text;
	uint32_t id;

	if (!glob)
		return true;
	if (!field)
		return false;
	if (field->type == FIELD_NAME) {
		memcpy(&id, (const char *)ev + field->offset, sizeof id);
		return glob_match(glob, intern_name(f->names, id));
	}
	/* an alert's are texts, not terminated */
	char copy[EVENT_MAX_NAME + 1];
	memcpy(&text, (const char *)ev + field->offset, sizeof text);
	snprintf(copy, sizeof copy, "%.*s", text.s ? (int)text.len : 0, text.s ? text.s : "");
	return glob_match(glob, copy);
}

static int walk_block(struct tape_filter *f, const struct block *b,
		      int (*show)(void *arg, const struct tw_event *, uint16_t source), void *arg)
{
	const unsigned char *bytes;
	struct tw_event ev;
	uint16_t source;
	size_t at = 0, len;
	int code = CLI_GO;

	while (code == CLI_GO && tape_record(b, &at, &source, &bytes, &len)) {
		uint32_t kind = event_kind(bytes);
		int64_t ts = event_ts(bytes);
		if (!(kind & f->kinds) || ts < f->from || ts >= f->to)
			continue;
		if (intern_count(f->names) + ONE_EVENT > MAX_NAMES) {
			intern_free(f->names);
			f->names = intern_new(MAX_NAMES);
			if (!f->names)
				return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
		}
		arena_reset(&f->scratch);
		if (event_decode(&ev, bytes, len, f->names, &f->scratch) != len)
			return cli_fail(CLI_STORE, "tape", "event %" PRIu64 " cannot be read", event_seq(bytes));
		if (!field_matches(f, &ev, "symbol", f->args->symbol) ||
		    !field_matches(f, &ev, "account", f->args->account))
			continue;
		code = show(arg, &ev, source);
		if (code == CLI_GO && ++f->shown == f->args->limit)
			code = CLI_OK;
	}
	return code;
}

int tape_walk(struct tape_filter *f, struct store *s, int (*show)(void *arg, const struct tw_event *, uint16_t source),
	      void *arg)
{
	struct log_reader *reader = NULL;
	struct tw_err e = { 0 };
	struct block b;
	int code = CLI_GO;

	int32_t rc = log_reader_open(&reader, s, LOG_TAPE, 1, &e);
	while (rc == TW_OK && code == CLI_GO) {
		rc = log_reader_next(reader, &b, &e);
		if (rc == TW_OK)
			code = walk_block(f, &b, show, arg);
	}
	log_reader_close(reader);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	return code == CLI_GO ? CLI_OK : code;
}
