/* @NAME@: alerts as lines of a file: ID SEVERITY DETECTOR SYMBOL REASON, with tabs between.
 *
 * This works as it stands. Edit what is marked EDIT: the options, where records go, and their form.
 * The manual is tapewatch/plugin.h. After a crash the last records may come again, with the same id.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <unistd.h>

/* The options first, then what belongs to the run. The host zero-fills all of it. */
struct sink {
	const char *path; /* EDIT */
	FILE *file;
};

static const struct tw_option options[] = {
	TW_STRING(struct sink, path, TW_REQUIRED, "the file to append to"), /* EDIT */
	TW_END,
};

static int32_t fail(const struct sink *s, struct tw_err *e, const char *what)
{
	if (e) {
		e->code = TW_E_IO;
		snprintf(e->msg, sizeof e->msg, "cannot %s %s: %s", what, s->path, strerror(errno));
	}
	return TW_E_IO; /* the host closes, waits, opens and offers the records again */
}

/* EDIT: connect, or open. */
static int32_t sink_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct sink *s = (struct sink *)self;

	(void)host;
	s->file = fopen(s->path, "ab");
	return s->file ? TW_OK : fail(s, e, "open");
}

static void sink_close(void *self)
{
	struct sink *s = (struct sink *)self;

	if (s->file)
		fclose(s->file);
	s->file = NULL;
}

/* Texts of events are not terminated, and may hold anything. */
static void put_text(FILE *f, struct tw_str text, char end)
{
	for (uint32_t i = 0; i < text.len; i++)
		fputc((unsigned char)text.s[i] < ' ' ? ' ' : text.s[i], f);
	fputc(end, f);
}

/* EDIT: records in order. *done is how many were taken. */
static int32_t sink_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			  struct tw_err *e)
{
	static const char *const severities[] = { "none", "info", "low", "medium", "high", "critical" };
	struct sink *s = (struct sink *)self;

	for (uint32_t i = 0; i < n; i++) {
		const struct tw_alert *a = &records[i]->alert;

		if (records[i]->kind == TW_ALERT) { /* scores come only where `inputs:` asks for them */
			put_text(s->file, a->id, '\t');
			fprintf(s->file, "%s\t", severities[a->severity < 6 ? a->severity : 0]);
			put_text(s->file, a->detector, '\t');
			put_text(s->file, a->symbol, '\t');
			put_text(s->file, a->reason, '\n');
		}
		if (ferror(s->file))
			return fail(s, e, "write");
		*done = i + 1;
	}
	return TW_OK;
}

/* Everything accepted is safe; only then the host's cursor moves. */
static int32_t sink_flush(void *self, struct tw_err *e)
{
	struct sink *s = (struct sink *)self;

	if (fflush(s->file) != 0 || fdatasync(fileno(s->file)) != 0)
		return fail(s, e, "write");
	return TW_OK;
}

TW_SINK(.name = "@NAME@", .version = "0.1.0", .summary = "alerts as lines of a file", /* EDIT */
	.doc = "A line: ID SEVERITY DETECTOR SYMBOL REASON, with tabs between. After a crash the last lines may come\n"
	       "again, with the same id.", /* EDIT */
	.options = options, .self_size = sizeof(struct sink), .open = sink_open, .write = sink_write,
	.flush = sink_flush, .close = sink_close)
