/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape cat: events or dead letters, one line each, in the order of the tape.
 */
#include "base/format.h"
#include "base/os.h"
#include "cli/tape.h"
#include "config/config.h"
#include "event/event.h"

#include <string.h>

#define FLUSH_BYTES 65536u
#define MAX_NAMES   100000u /* then the table of names begins anew: ids mean nothing beyond one event here */
#define RAW_COLUMNS 200u    /* of a dead letter's raw text in a line for people */

struct view {
	const struct tape_args *args;
	struct store *store;
	uint32_t kinds;
	int64_t from, to;
	uint64_t shown;
	struct intern *names;
	struct arena scratch;
	struct buf out;
};

/* A field of a decoded event as " name=value" when it is present. */
static int add_field(struct view *v, const struct tw_event *ev, const struct field *f)
{
	const void *at = (const char *)ev + f->offset;
	struct tw_str text = { 0 };
	char value[40];
	int64_t i;
	double d;
	uint32_t id;

	switch ((enum field_type)f->type) {
	case FIELD_I64:
	case FIELD_U64:
		memcpy(&i, at, sizeof i);
		if ((i == 0 && (f->flags & FIELD_ZERO_NONE)) || (i == -1 && (f->flags & FIELD_MINUS_NONE)))
			return 0;
		if (f->flags & FIELD_IS_TIME)
			format_time(value, i);
		else
			snprintf(value, sizeof value, f->type == FIELD_U64 ? "%" PRIu64 : "%" PRId64, i);
		return buf_addf(&v->out, " %s=%s", f->name, value);
	case FIELD_F64:
		memcpy(&d, at, sizeof d);
		if (isnan(d))
			return 0;
		format_double(value, d);
		return buf_addf(&v->out, " %s=%s", f->name, value);
	case FIELD_ENUM:
		memcpy(&id, at, sizeof id);
		return id && id < f->n_names ? buf_addf(&v->out, " %s=%s", f->name, f->names[id]) : 0;
	case FIELD_NAME:
		memcpy(&id, at, sizeof id);
		text = (struct tw_str){ intern_name(v->names, id), intern_len(v->names, id), 0 };
		break;
	case FIELD_TEXT:
		memcpy(&text, at, sizeof text);
		break;
	case FIELD_F64S:
	case FIELD_DETAILS:
		return 0; /* in --json */
	}
	if (!text.len)
		return 0;
	return buf_addf(&v->out, " %s=", f->name) | cli_text(&v->out, text.s, text.len, 0);
}

static int show_event(struct view *v, const struct tw_event *ev, uint16_t source)
{
	const struct kind *k = kind_of(ev->kind);
	const char *name = store_source_name(v->store, source);
	char time[40];

	if (v->args->json)
		return event_json(&v->out, ev, v->names) < 0 ? -1 : buf_addf(&v->out, "\n");
	format_time(time, ev->ts);
	int bad = buf_addf(&v->out, "%" PRIu64 " %s ", ev->seq, time);
	bad |= name ? cli_text(&v->out, name, strlen(name), 0) : buf_addf(&v->out, "%u", source);
	bad |= buf_addf(&v->out, " %s", k->name);
	for (uint32_t i = 0; i < k->n_fields; i++)
		bad |= add_field(v, ev, &k->fields[i]);
	return bad | buf_addf(&v->out, "\n");
}

static bool field_matches(const struct view *v, const struct tw_event *ev, const char *name, const char *glob)
{
	const struct field *f = field_named(kind_of(ev->kind), name, strlen(name));
	uint32_t id;

	if (!glob)
		return true;
	if (!f || f->type != FIELD_NAME)
		return false;
	memcpy(&id, (const char *)ev + f->offset, sizeof id);
	return glob_match(glob, intern_name(v->names, id));
}

/* A full buffer goes out; CLI_GO: read on. */
static int count_shown(struct view *v, int bad)
{
	int code = CLI_GO;

	if (bad)
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	if (++v->shown == v->args->limit)
		return CLI_OK;
	return v->out.len < FLUSH_BYTES || cli_write(&v->out, "tape", &code) ? CLI_GO : code;
}

static int show_events(struct view *v, const struct block *b)
{
	const unsigned char *bytes;
	struct tw_event ev;
	uint16_t source;
	size_t at = 0, len;
	int code = CLI_GO;

	while (code == CLI_GO && tape_record(b, &at, &source, &bytes, &len)) {
		uint32_t kind = event_kind(bytes);
		int64_t ts = event_ts(bytes);
		if (!(kind & v->kinds) || ts < v->from || ts >= v->to)
			continue;
		if (intern_full(v->names)) {
			intern_free(v->names);
			v->names = intern_new(MAX_NAMES);
			if (!v->names)
				return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
		}
		arena_reset(&v->scratch);
		if (event_decode(&ev, bytes, len, v->names, &v->scratch) != len)
			return cli_fail(CLI_STORE, "tape", "event %" PRIu64 " cannot be read", event_seq(bytes));
		if (!field_matches(v, &ev, "symbol", v->args->symbol) ||
		    !field_matches(v, &ev, "account", v->args->account))
			continue;
		code = count_shown(v, show_event(v, &ev, source));
	}
	return code;
}

static int show_dead_letter(struct view *v, const struct dead_letter *d)
{
	const struct {
		const char *name;
		struct tw_str text;
	} fields[] = { { "source", d->source },
		       { "reason", d->reason },
		       { "where", d->where },
		       { "detail", d->detail },
		       { "raw", d->raw } };
	char time[40];
	int bad;

	format_time(time, d->wall);
	if (v->args->json)
		bad = buf_addf(&v->out, "{\"wall\":\"%s\",\"seq\":%" PRIu64, time, d->seq);
	else
		bad = buf_addf(&v->out, "%" PRIu64 " %s", d->seq, time);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct tw_str s = fields[i].text;
		if (!s.s || !s.len)
			continue;
		if (v->args->json) {
			bad |= buf_addf(&v->out, ",\"%s\":", fields[i].name);
			bad |= json_text(&v->out, s.s, s.len);
		} else {
			bad |= buf_addf(&v->out, " %s=", fields[i].name);
			bad |= cli_text(&v->out, s.s, s.len, RAW_COLUMNS);
		}
	}
	return bad | buf_addf(&v->out, v->args->json ? "}\n" : "\n");
}

static int show_dead_letters(struct view *v, const struct block *b)
{
	struct dead_letter d;
	int code = CLI_GO;

	for (size_t at = 0; code == CLI_GO && dead_record(b, &at, &d);)
		if (d.wall >= v->from && d.wall < v->to)
			code = count_shown(v, show_dead_letter(v, &d));
	return code;
}

static int read_log(struct view *v)
{
	struct log_reader *reader = NULL;
	struct tw_err e = { 0 };
	struct block b;
	int code = CLI_GO, written = CLI_OK;

	int32_t rc = log_reader_open(&reader, v->store, v->args->dead ? LOG_DEAD : LOG_TAPE, 1, &e);
	while (rc == TW_OK && code == CLI_GO) {
		rc = log_reader_next(reader, &b, &e);
		if (rc == TW_OK)
			code = v->args->dead ? show_dead_letters(v, &b) : show_events(v, &b);
	}
	log_reader_close(reader);
	if (!cli_write(&v->out, "tape", &written) && written != CLI_OK)
		return written;
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	return code == CLI_GO ? CLI_OK : code;
}

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

int tape_cat(const struct tape_args *a, struct store *s)
{
	struct view v = { .args = a, .store = s, .from = INT64_MIN, .to = INT64_MAX };
	int64_t now = os->wall();

	int code = find_kinds(a, &v.kinds);
	if (code != CLI_GO)
		return code;
	if (a->from && cli_time(a->from, now, &v.from) < 0)
		return cli_misuse(&verb_tape, "--from: '%s' is no time such as 2026-01-31T10:30:00Z or 1h", a->from);
	if (a->to && cli_time(a->to, now, &v.to) < 0)
		return cli_misuse(&verb_tape, "--to: '%s' is no time such as 2026-01-31T10:30:00Z or 1h", a->to);
	if (a->dead && (a->kinds.n || a->symbol || a->account))
		return cli_misuse(&verb_tape, "dead letters have no kind, symbol or account; leave those options out");
	v.names = intern_new(MAX_NAMES);
	if (!v.names)
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	code = read_log(&v);
	intern_free(v.names);
	arena_free(&v.scratch);
	buf_free(&v.out);
	return code;
}
