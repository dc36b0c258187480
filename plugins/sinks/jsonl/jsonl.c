/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonl: one record a line as JSON, to a file that is rotated by size or day, or to standard output.
 */
#include "jsonl.h"

#include <string.h>

#define CHUNK_BYTES 65536u /* lines are written together up to this */
#define DAY_NS      INT64_C(86400000000000)

struct jsonl {
	const char *path;
	int64_t rotate_size, rotate_daily, keep, fsync;

	const struct tw_host *host;
	struct file file;
	struct text text;
	size_t rest; /* bytes at the start of text: the end of a line whose beginning a full pipe has taken */
};

static const struct tw_option options[] = {
	TW_STRING(struct jsonl, path, TW_REQUIRED, "the file; `-` is standard output"),
	TW_SIZE(struct jsonl, rotate_size, "0", "0", "1024GiB",
		"begin a new file before this one grows beyond; 0: never"),
	TW_BOOL(struct jsonl, rotate_daily, "false", "begin a new file at midnight UTC, by the wall clock"),
	TW_INT(struct jsonl, keep, "7", "0", "1000", "rotated files to keep, as PATH.1 (the latest) to PATH.n"),
	TW_BOOL(struct jsonl, fsync, "true", "a line counts as delivered once it is on the disk"),
	TW_END,
};

static bool to_stdout(const struct jsonl *j)
{
	return strcmp(j->path, "-") == 0;
}

static int32_t jsonl_check(const void *self, struct tw_err *e)
{
	const struct jsonl *j = self;
	if (!*j->path)
		return fail(e, TW_E_CONFIG, 0, "`path` is empty; name a file, or `-` for standard output");
	if (to_stdout(j) && (j->rotate_size || j->rotate_daily))
		return fail(e, TW_E_CONFIG, 0,
			    "standard output cannot be rotated; name a file, or leave out `rotate_%s`",
			    j->rotate_size ? "size" : "daily");
	return TW_OK;
}

static int32_t jsonl_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct jsonl *j = self;
	int64_t cut;

	j->host = host;
	j->rest = 0;
	int32_t rc = file_open(&j->file, to_stdout(j) ? NULL : j->path, &cut, e);
	if (rc == TW_OK && cut)
		host->log(host, TW_LOG_WARN, "cut half a line of %" PRId64 " bytes off %s, left by a crash", cut,
			  j->path);
	return rc;
}

static uint32_t count_lines(const char *s, size_t n)
{
	uint32_t lines = 0;
	const char *end = s + n;
	for (const char *at = s; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		lines++;
	return lines;
}

/* Write what text holds. Of a line that went halfway into a pipe, the rest is kept. */
static int32_t put(struct jsonl *j, uint32_t *done, struct tw_err *e)
{
	struct text *t = &j->text;
	size_t taken;
	int32_t rc = file_append(&j->file, t->data, t->len, &taken, e);

	bool inside = taken ? t->data[taken - 1] != '\n' : j->rest > 0;

	*done += count_lines(t->data, taken);
	j->rest = 0;
	if (inside) {
		const char *newline = memchr(t->data + taken, '\n', t->len - taken);
		j->rest = (size_t)(newline - (t->data + taken)) + 1;
		memmove(t->data, t->data + taken, j->rest);
	}
	return rc;
}

static int32_t jsonl_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			   struct tw_err *e)
{
	struct jsonl *j = self;
	struct text *t = &j->text;
	int64_t day = j->host->wall(j->host) / DAY_NS;
	bool rotate = j->rotate_daily && j->file.regular && j->file.size && day > j->file.day;
	int32_t rc = TW_OK;

	*done = 0;
	if (j->rest && n) {
		t->len = j->rest;
		rc = put(j, done, e);
	}
	while (rc == TW_OK && *done < n) {
		if (rotate)
			rc = file_rotate(&j->file, j->keep, j->fsync, e);
		if (rc < 0)
			return rc;
		rotate = false;
		text_reset(t);
		for (uint32_t i = *done; i < n && t->len < CHUNK_BYTES && !rotate; i++) {
			size_t before = t->len;
			text_record(t, records[i], j->host);
			if (t->failed)
				return fail(e, TW_E_IO, 0, "jsonl: out of memory");
			rotate = j->rotate_size && j->file.regular && j->file.size + (int64_t)before > 0 &&
				 j->file.size + (int64_t)t->len > j->rotate_size;
			if (rotate)
				t->len = before; /* it goes first into the new file */
		}
		rc = put(j, done, e);
		j->file.day = day;
	}
	return rc;
}

static int32_t jsonl_flush(void *self, struct tw_err *e)
{
	struct jsonl *j = self;
	return j->fsync ? file_sync(&j->file, e) : TW_OK;
}

static void jsonl_close(void *self)
{
	struct jsonl *j = self;
	file_close(&j->file);
	text_free(&j->text);
}

TW_SINK(.name = "jsonl", .version = "1.0.0", .summary = "one alert a line as JSON, to a file or to standard output",
	.options = options, .self_size = sizeof(struct jsonl), .check = jsonl_check, .open = jsonl_open,
	.write = jsonl_write, .flush = jsonl_flush, .close = jsonl_close,
	.doc = "Appends one JSON object a line: kind, ts (RFC 3339 with nanoseconds), seq, id, detector, version,\n"
	       "config, symbol, account, type, severity, score, p_value, value, expected, threshold, reason,\n"
	       "evidence_from, evidence_to and details. What is absent is left out. Numbers read back as the very\n"
	       "same double.\n"
	       "\n"
	       "After a crash, half a line at the end of the file is cut off and the alert is written again; an\n"
	       "alert whose line was complete but not yet confirmed may appear twice: drop repeats by id. When the\n"
	       "disk is full nothing half-written stays behind and the host tries again.\n"
	       "\n"
	       "Rotation renames PATH to PATH.1, PATH.1 to PATH.2 and so on, and removes what is beyond `keep`.\n")
