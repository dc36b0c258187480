/* @NAME@: trades from a file with one of them a line: NANOSECONDS SYMBOL PRICE SIZE.
 *
 * This works as it stands. Edit what is marked EDIT: the options, where data comes from, and the form of a line.
 * The manual is tapewatch/plugin.h; tapewatch/push.h has a call for every kind of event.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <tapewatch/push.h>

#define LINE 512

/* The options first, then what belongs to the run. The host zero-fills all of it. */
struct source {
	const char *path; /* EDIT */
	FILE *file;
	int64_t line;
	char first[64]; /* how the file begins: another file of that name is noticed */
};

static const struct tw_option options[] = {
	TW_STRING(struct source, path, TW_REQUIRED, "the file to read"), /* EDIT */
	TW_END,
};

/* Where to go on: what the file began with, and how far it was read. At most 120 bytes; the host keeps them. */
struct place {
	int64_t offset, line;
	char first[64];
};

static int32_t fail(struct tw_err *e, int32_t code, const char *what, const char *path, const char *why)
{
	if (e) {
		e->code = code;
		snprintf(e->msg, sizeof e->msg, "%s %s: %s", what, path, why);
	}
	return code;
}

static void source_close(void *self)
{
	struct source *s = (struct source *)self;

	if (s->file)
		fclose(s->file);
	s->file = NULL;
}

/* EDIT: connect, or open; go on at resume when there is one. */
static int32_t source_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct source *s = (struct source *)self;
	struct place at;

	(void)host;
	memset(&at, 0, sizeof at);
	memset(s->first, 0, sizeof s->first);
	s->line = 0;
	s->file = fopen(s->path, "rb");
	if (!s->file)
		return fail(e, TW_E_IO, "cannot open", s->path, strerror(errno));
	if (!resume) {
		size_t n = fread(s->first, 1, sizeof s->first, s->file);
		(void)n;
		if (fseek(s->file, 0, SEEK_SET) != 0)
			return fail(e, TW_E_IO, "cannot read", s->path, strerror(errno));
		return TW_OK;
	}
	if (resume->len != sizeof at)
		return fail(e, TW_E_DATA, "cannot go on in", s->path, "the position is of another version");
	memcpy(&at, resume->data, sizeof at);
	size_t known = strnlen(at.first, sizeof at.first);
	size_t n = fread(s->first, 1, known, s->file);
	if (n != known || memcmp(s->first, at.first, known) != 0)
		return fail(e, TW_E_DATA, "cannot go on in", s->path, "it begins differently now; was it replaced?");
	if (fseek(s->file, 0, SEEK_END) != 0 || ftell(s->file) < at.offset ||
	    fseek(s->file, (long)at.offset, SEEK_SET) != 0)
		return fail(e, TW_E_DATA, "cannot go on in", s->path, "it is shorter than what was read; was it cut?");
	s->line = at.line;
	return TW_OK;
}

/* EDIT: one line is one event. What is none goes to the dead letters with a reason. */
static int32_t push_line(struct source *s, struct tw_writer *w, const char *line, size_t len)
{
	char symbol[64], where[64], rest;
	double price, size;
	long long ts;

	snprintf(where, sizeof where, "line %lld", (long long)s->line);
	w->where = where;
	w->raw = line;
	w->raw_len = len;
	if (sscanf(line, "%lld %63s %lf %lf %c", &ts, symbol, &price, &size, &rest) != 4)
		return w->reject(w, "bad_line", where, "expected NANOSECONDS SYMBOL PRICE SIZE", line, len);
	return tw_push_trade(w, ts, tw_textz(symbol), price, size, TW_SIDE_NONE, tw_none, tw_none, tw_none);
}

static int32_t source_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct source *s = (struct source *)self;
	int32_t rc = TW_OK;
	char line[LINE];
	struct tw_pos pos;
	struct place at;

	(void)timeout_ms; /* a file does not keep us waiting */
	for (uint32_t n = 0; n < w->credit; n++) {
		if (!fgets(line, sizeof line, s->file)) {
			if (ferror(s->file))
				return fail(e, TW_E_IO, "cannot read", s->path, strerror(errno));
			rc = TW_DONE;
			break;
		}
		s->line++;
		int32_t pushed = push_line(s, w, line, strcspn(line, "\n"));
		if (pushed < 0 && pushed != TW_E_DATA) /* TW_E_DATA: a dead letter; go on */
			return pushed;
	}
	/* All that was pushed lies behind this place. */
	memset(&at, 0, sizeof at);
	memset(&pos, 0, sizeof pos);
	at.offset = ftell(s->file);
	at.line = s->line;
	memcpy(at.first, s->first, sizeof at.first);
	pos.len = sizeof at;
	memcpy(pos.data, &at, sizeof at);
	int32_t marked = w->mark(w, &pos);
	return marked < 0 ? marked : rc;
}

/* It comes to an end: 1. A feed that goes on: 0, and poll() returns TW_AGAIN when there is nothing. */
static int32_t source_finite(const void *self)
{
	(void)self;
	return 1;
}

TW_SOURCE(.name = "@NAME@", .version = "0.1.0", .summary = "trades from a file with one of them a line",    /* EDIT */
	  .doc = "A line: NANOSECONDS SYMBOL PRICE SIZE, with blanks between; the time is UTC since 1970.", /* EDIT */
	  .options = options, .self_size = sizeof(struct source), .open = source_open, .poll = source_poll,
	  .close = source_close, .finite = source_finite)
