/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink for tests that keeps the cursor with its data: flush() puts all lines and the cursor into a new file and moves
 * that to its place, which is a transaction. It refuses every `refuse`th record by its sequence number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>

struct ledger {
	const char *path;
	int64_t refuse;

	char *text; /* what is kept, and what was accepted since */
	size_t len, kept;
	struct tw_pos pos;
};

static const struct tw_option options[] = {
	TW_STRING(struct ledger, path, TW_REQUIRED, "file: the cursor in hexadecimal digits, then an id a line"),
	TW_INT(struct ledger, refuse, "0", "0", "1000000", "refuse records whose seq is a multiple; 0: none"),
	TW_END,
};

static int32_t fail(struct tw_err *e, const char *what)
{
	snprintf(e->msg, sizeof e->msg, "ledger: cannot %s", what);
	return e->code = TW_E_IO;
}

static int32_t ledger_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct ledger *l = self;
	FILE *f = fopen(l->path, "r");
	unsigned byte;
	int c;

	(void)host;
	free(l->text);
	l->text = NULL;
	l->len = l->kept = 0;
	l->pos.len = 0;
	if (!f)
		return TW_OK;
	while (l->pos.len < sizeof l->pos.data && fscanf(f, "%2x", &byte) == 1) {
		l->pos.data[l->pos.len++] = (unsigned char)byte;
		c = fgetc(f);
		if (c == '\n')
			break;
		ungetc(c, f);
	}
	l->text = malloc(1 << 24);
	if (l->text)
		l->len = l->kept = fread(l->text, 1, 1 << 24, f);
	fclose(f);
	return l->text ? TW_OK : fail(e, "get memory");
}

static int32_t ledger_position(void *self, struct tw_pos *pos, struct tw_err *e)
{
	const struct ledger *l = self;

	(void)e;
	if (!l->pos.len)
		return TW_AGAIN;
	*pos = l->pos;
	return TW_OK;
}

static int32_t ledger_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			    struct tw_err *e)
{
	struct ledger *l = self;

	if (!l->text)
		l->text = malloc(1 << 24);
	if (!l->text)
		return fail(e, "get memory");
	for (*done = 0; *done < n; ++*done) {
		const struct tw_event *ev = records[*done];
		if (l->refuse && ev->seq % (uint64_t)l->refuse == 0) {
			snprintf(e->msg, sizeof e->msg, "seq %llu is not wanted", (unsigned long long)ev->seq);
			return TW_E_DATA;
		}
		if (l->len + ev->alert.id.len + 1 > 1 << 24)
			return fail(e, "keep so much");
		memcpy(l->text + l->len, ev->alert.id.s, ev->alert.id.len);
		l->len += ev->alert.id.len;
		l->text[l->len++] = '\n';
	}
	return TW_OK;
}

static int32_t ledger_mark(void *self, const struct tw_pos *pos, struct tw_err *e)
{
	struct ledger *l = self;

	(void)e;
	l->pos = *pos;
	return TW_OK;
}

static int32_t ledger_flush(void *self, struct tw_err *e)
{
	struct ledger *l = self;
	char path[4096];
	FILE *f;
	int bad;

	snprintf(path, sizeof path, "%s.new", l->path);
	f = fopen(path, "w");
	if (!f)
		return fail(e, "make the file");
	for (uint64_t i = 0; i < l->pos.len; i++)
		fprintf(f, "%02x", l->pos.data[i]);
	bad = fputc('\n', f) == EOF || fwrite(l->text, 1, l->len, f) != l->len;
	bad |= fclose(f) != 0;
	if (bad || rename(path, l->path) != 0)
		return fail(e, "write the file");
	l->kept = l->len;
	return TW_OK;
}

static void ledger_close(void *self)
{
	struct ledger *l = self;

	free(l->text);
	l->text = NULL;
}

TW_SINK(.name = "ledger_sink", .version = "1.0.0", .summary = "keeps the cursor with its data", .options = options,
	.self_size = sizeof(struct ledger), .open = ledger_open, .write = ledger_write, .flush = ledger_flush,
	.close = ledger_close, .position = ledger_position, .mark = ledger_mark)
