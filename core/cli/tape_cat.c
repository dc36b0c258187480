/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape cat: events or dead letters, one line each, in the order of the tape.
 */
#include "base/format.h"
#include "cli/tape_filter.h"

#include <string.h>

#define FLUSH_BYTES 65536u
#define RAW_COLUMNS 200u /* of a dead letter's raw text in a line for people */

struct view {
	const struct tape_args *args;
	struct store *store;
	struct tape_filter filter;
	uint64_t shown; /* dead letters */
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
		text = (struct tw_str){ intern_name(v->filter.names, id), intern_len(v->filter.names, id), 0 };
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

static int add_event(struct view *v, const struct tw_event *ev, uint16_t source)
{
	const struct kind *k = kind_of(ev->kind);
	const char *name = store_source_name(v->store, source);
	char time[40];

	if (v->args->json)
		return event_json(&v->out, ev, v->filter.names) < 0 ? -1 : buf_addf(&v->out, "\n");
	format_time(time, ev->ts);
	int bad = buf_addf(&v->out, "%" PRIu64 " %s ", ev->seq, time);
	bad |= name ? cli_text(&v->out, name, strlen(name), 0) : buf_addf(&v->out, "%u", source);
	bad |= buf_addf(&v->out, " %s", k->name);
	for (uint32_t i = 0; i < k->n_fields; i++)
		bad |= add_field(v, ev, &k->fields[i]);
	return bad | buf_addf(&v->out, "\n");
}

/* A full buffer goes out; CLI_GO: read on. */
static int maybe_write(struct view *v, int bad)
{
	int code = CLI_GO;

	if (bad)
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	return v->out.len < FLUSH_BYTES || cli_write(&v->out, "tape", &code) ? CLI_GO : code;
}

static int show_event(void *arg, const struct tw_event *ev, uint16_t source)
{
	struct view *v = arg;

	return maybe_write(v, add_event(v, ev, source));
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

	for (size_t at = 0; code == CLI_GO && dead_record(b, &at, &d);) {
		if (d.wall < v->filter.from || d.wall >= v->filter.to)
			continue;
		code = maybe_write(v, show_dead_letter(v, &d));
		if (code == CLI_GO && ++v->shown == v->args->limit)
			code = CLI_OK;
	}
	return code;
}

static int read_dead_letters(struct view *v)
{
	struct log_reader *reader = NULL;
	struct tw_err e = { 0 };
	struct block b;
	int code = CLI_GO;

	int32_t rc = log_reader_open(&reader, v->store, LOG_DEAD, 1, &e);
	while (rc == TW_OK && code == CLI_GO) {
		rc = log_reader_next(reader, &b, &e);
		if (rc == TW_OK)
			code = show_dead_letters(v, &b);
	}
	log_reader_close(reader);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
	return code == CLI_GO ? CLI_OK : code;
}

int tape_cat(const struct tape_args *a, struct store *s)
{
	struct view v = { .args = a, .store = s };
	int written = CLI_OK;

	int code = tape_filter_init(&v.filter, a);
	if (code == CLI_GO && a->dead && (a->kinds.n || a->symbol || a->account))
		code = cli_misuse(&verb_tape, "dead letters have no kind, symbol or account; leave those options out");
	if (code == CLI_GO) {
		code = a->dead ? read_dead_letters(&v) : tape_walk(&v.filter, s, show_event, &v);
		/* What was read before a fault is shown. */
		if (!cli_write(&v.out, "tape", &written) && code == CLI_OK)
			code = written;
	}
	tape_filter_free(&v.filter);
	buf_free(&v.out);
	return code;
}
