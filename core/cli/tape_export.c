/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape export: the events of a tape as JSON lines, from which `tape import` makes the same tape again, or as
 * CSV, a file for each kind.
 */
#include "base/format.h"
#include "base/os.h"
#include "cli/tape_filter.h"
#include "cli/tape_out.h"
#include "event/tape_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct exporter {
	const struct tape_args *args;
	struct store *store;
	struct tape_filter filter;
	struct tape_out outs[EVENT_KINDS]; /* JSON lines: the first one only */
	struct buf cell;
};

/* ---- CSV ---- */
/* Quoted where a reader would stumble, and where a spreadsheet would take a text for a formula. */
static int add_cell(struct buf *out, const unsigned char *s, size_t len)
{
	bool quote = len && strchr("=+-@\t\r", s[0]);
	int bad = 0;

	for (size_t i = 0; i < len && !quote; i++)
		quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
	if (!quote)
		return buf_add(out, s, len);
	bad |= buf_add(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			bad |= buf_add(out, "\"", 1);
		bad |= buf_add(out, s + i, 1);
	}
	return bad | buf_add(out, "\"", 1);
}

static int add_text_cell(struct exporter *x, struct buf *out, const struct tw_event *ev, const struct field *f)
{
	struct tw_str text = { 0 };
	uint32_t id;

	if (f->type == FIELD_NAME) {
		memcpy(&id, (const char *)ev + f->offset, sizeof id);
		text = (struct tw_str){ intern_name(x->filter.names, id), intern_len(x->filter.names, id), 0 };
	} else {
		memcpy(&text, (const char *)ev + f->offset, sizeof text);
	}
	return text.s ? add_cell(out, (const unsigned char *)text.s, text.len) : 0;
}

/* Numbers as in the JSON, without the quotes of times and words; lists and maps are JSON in a cell. */
static int add_field_cell(struct exporter *x, struct buf *out, const struct tw_event *ev, const struct field *f)
{
	struct buf *cell = &x->cell;
	bool present;
	int bad;

	if (f->type == FIELD_NAME || f->type == FIELD_TEXT)
		return add_text_cell(x, out, ev, f);
	cell->len = 0;
	bad = tape_value_put(cell, ev, f, x->filter.names, &present);
	if (!present || !cell->len)
		return bad;
	if (f->type == FIELD_F64S || f->type == FIELD_DETAILS)
		return bad | add_cell(out, cell->data, cell->len);
	if (cell->data[0] == '"')
		return bad | buf_add(out, cell->data + 1, cell->len - 2);
	return bad | buf_add(out, cell->data, cell->len);
}

static int csv_head(struct buf *out, const struct kind *k)
{
	int bad = buf_addf(out, "seq,ts,tape_source");

	for (uint32_t i = 0; i < k->n_fields; i++)
		bad |= buf_addf(out, ",%s", k->fields[i].name);
	return bad | buf_addf(out, "\n");
}

static int csv_line(struct exporter *x, struct buf *out, const struct tw_event *ev, const char *source)
{
	const struct kind *k = kind_of(ev->kind);
	char time[40];
	int bad;

	format_time(time, ev->ts);
	bad = buf_addf(out, "%" PRIu64 ",%s,", ev->seq, time);
	bad |= add_cell(out, (const unsigned char *)source, strlen(source));
	for (uint32_t i = 0; i < k->n_fields; i++) {
		bad |= buf_add(out, ",", 1);
		bad |= add_field_cell(x, out, ev, &k->fields[i]);
	}
	return bad | buf_add(out, "\n", 1);
}

/* The output of a kind, made with its first event. */
static int csv_out(struct exporter *x, const struct kind *k, struct tape_out **ret)
{
	struct tape_out *o = &x->outs[k - event_kinds];
	char path[4096];
	int code = CLI_GO;

	*ret = o;
	if (o->open)
		return CLI_GO;
	if (x->args->out && snprintf(path, sizeof path, "%s/%s.csv", x->args->out, k->name) >= (int)sizeof path)
		return cli_fail(CLI_USAGE, "tape", "the name of the folder is too long");
	code = tape_out_open(o, x->args->out ? path : NULL);
	if (code == CLI_GO && csv_head(&o->buf, k))
		code = cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	return code;
}

/* ---- both ---- */
static int show(void *arg, const struct tw_event *ev, uint16_t source)
{
	struct exporter *x = arg;
	const char *name = store_source_name(x->store, source);
	struct tape_out *o = &x->outs[0];
	int code = CLI_GO, bad;

	if (!name)
		return cli_fail(CLI_STORE, "tape", "event %" PRIu64 " is of a source %u that the tape does not name",
				ev->seq, source);
	if (x->args->format == TAPE_CSV) {
		code = csv_out(x, kind_of(ev->kind), &o);
		if (code != CLI_GO)
			return code;
		bad = csv_line(x, &o->buf, ev, name);
	} else {
		bad = tape_line_put(&o->buf, ev, x->filter.names, name) | buf_add(&o->buf, "\n", 1);
	}
	return bad ? cli_fail(CLI_GAVE_UP, "tape", "out of memory") : tape_out_flush(o, false);
}

static int start(struct exporter *x)
{
	const struct tape_args *a = x->args;
	struct tape_out *o;

	if (a->format == TAPE_JSONL)
		return tape_out_open(&x->outs[0], a->out);
	if (a->out)
		return os_mkdirs(a->out, 0777) < 0
			       ? cli_fail(CLI_GAVE_UP, "tape", "cannot make the folder %s: %s", a->out, strerror(errno))
			       : CLI_GO;
	if (a->kinds.n != 1)
		return cli_misuse(&verb_tape, "CSV has a file for each kind: name a folder with -o, or one --kind");
	/* The header comes even when no event does. */
	return csv_out(x, kind_of(x->filter.kinds), &o);
}

static int finish(struct exporter *x, int code)
{
	bool keep = code == CLI_OK;

	for (uint32_t i = 0; i < EVENT_KINDS && keep; i++) {
		int flushed = x->outs[i].open ? tape_out_flush(&x->outs[i], true) : CLI_GO;

		if (flushed != CLI_GO)
			code = flushed;
		keep = flushed == CLI_GO;
	}
	for (uint32_t i = 0; i < EVENT_KINDS; i++) {
		int closed = x->outs[i].open ? tape_out_close(&x->outs[i], keep) : CLI_OK;

		if (closed != CLI_OK)
			code = closed;
	}
	return code;
}

int tape_export(const struct tape_args *a, struct store *s)
{
	struct exporter *x = calloc(1, sizeof *x);

	if (!x)
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	x->args = a;
	x->store = s;
	int code = tape_filter_init(&x->filter, a);
	if (code == CLI_GO)
		code = start(x);
	if (code == CLI_GO)
		code = tape_walk(&x->filter, s, show, x);
	code = finish(x, code);
	tape_filter_free(&x->filter);
	buf_free(&x->cell);
	free(x);
	return code;
}
