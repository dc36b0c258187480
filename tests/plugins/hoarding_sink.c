/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink for tests/torture that keeps what it is given in memory, and writes the ids to its file when it is flushed,
 * after a while: whoever kills the process takes away what was not flushed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <time.h>
#include <unistd.h>

struct hoard {
	const char *path;
	int64_t pause;

	char *text;
	size_t len, cap;
};

static const struct tw_option options[] = {
	TW_STRING(struct hoard, path, TW_REQUIRED, "the file, one id a line"),
	TW_DURATION(struct hoard, pause, "3ms", "0s", "1s", "how long a flush takes"),
	TW_END,
};

static int32_t hoard_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			   struct tw_err *e)
{
	struct hoard *h = self;

	for (*done = 0; *done < n; ++*done) {
		const struct tw_str *id = &records[*done]->alert.id;
		if (h->cap - h->len < id->len + 1) {
			char *more = realloc(h->text, h->cap * 2 + id->len + 64);
			if (!more) {
				snprintf(e->msg, sizeof e->msg, "memory is out");
				return e->code = TW_E_IO;
			}
			h->text = more;
			h->cap = h->cap * 2 + id->len + 64;
		}
		memcpy(h->text + h->len, id->s, id->len);
		h->len += id->len;
		h->text[h->len++] = '\n';
	}
	return TW_OK;
}

static int32_t hoard_flush(void *self, struct tw_err *e)
{
	struct hoard *h = self;
	struct timespec rest = { 0, (long)(h->pause % 1000000000) };
	int fd;
	ssize_t n;

	if (!h->len)
		return TW_OK;
	nanosleep(&rest, NULL);
	fd = open(h->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	n = fd < 0 ? -1 : write(fd, h->text, h->len);
	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)h->len) {
		snprintf(e->msg, sizeof e->msg, "cannot write to %s", h->path);
		return e->code = TW_E_IO;
	}
	h->len = 0;
	return TW_OK;
}

static void hoard_close(void *self)
{
	struct hoard *h = self;

	free(h->text);
	h->text = NULL;
	h->len = h->cap = 0;
}

TW_SINK(.name = "hoarding_sink", .version = "1.0.0", .summary = "writes when it is flushed", .options = options,
	.self_size = sizeof(struct hoard), .write = hoard_write, .flush = hoard_flush, .close = hoard_close)
