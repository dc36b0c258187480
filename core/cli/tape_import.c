/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape import: a new store with the tape that the lines of `tape export` describe. It is made under another
 * name and moved to its place when it is whole.
 */
#include "base/err.h"
#include "base/os.h"
#include "base/scratch.h"
#include "cli/tape.h"
#include "event/tape_line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES  262144u
#define BLOCK_BYTES 524288u
#define SYNC_NEVER  (INT64_C(3600) * 1000000000) /* between syncs: a store that is not whole is thrown away */

struct importer {
	const struct tape_args *args;
	const char *file;
	char *dir; /* under the other name */
	int fd;
	bool at_end;
	struct buf input; /* lines not taken yet, from `taken` on */
	size_t taken;
	struct store *store;
	struct buf event, block;
	uint64_t line, first, seq, last_first; /* last_first: number of the block's first event */
	uint32_t count, n_sources;
	char source[EVENT_MAX_NAME + 1]; /* of the last event, under this number */
	uint16_t number;
};

/* ---- reading lines ---- */
static int32_t fill(struct importer *m, struct tw_err *e)
{
	unsigned char *p;
	ssize_t n;

	if (m->input.data && m->taken)
		memmove(m->input.data, m->input.data + m->taken, m->input.len - m->taken);
	m->input.len -= m->taken;
	m->taken = 0;
	p = buf_reserve(&m->input, READ_BYTES);
	if (!p)
		return err_set(e, TW_E_FATAL, "out of memory");
	do
		n = os->read(m->fd, p, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "cannot read %s", m->file);
	m->at_end = n == 0;
	m->input.len += (size_t)n;
	return TW_OK;
}

/* TW_AGAIN: there is none left. The line lives until the next call. */
static int32_t next_line(struct importer *m, const char **ret, size_t *len, struct tw_err *e)
{
	size_t seen = 0;
	int32_t rc = m->input.data ? TW_OK : fill(m, e);

	while (rc == TW_OK) {
		const unsigned char *from = m->input.data + m->taken;
		size_t n = m->input.len - m->taken;
		const unsigned char *end = n > seen ? memchr(from + seen, '\n', n - seen) : NULL;

		if (end || (m->at_end && n)) {
			*ret = (const char *)from;
			*len = end ? (size_t)(end - from) : n;
			m->taken += *len + (end != NULL);
			m->line++;
			return TW_OK;
		}
		if (m->at_end)
			return TW_AGAIN;
		if (n > TAPE_LINE_MAX)
			return err_set(e, TW_E_DATA, "the line has more than %u bytes", TAPE_LINE_MAX);
		seen = n;
		rc = fill(m, e);
	}
	return rc;
}

/* ---- writing ---- */
static int32_t open_store(struct importer *m, uint64_t first, struct tw_err *e)
{
	struct store_options o = { .sync = SYNC_INTERVAL, .sync_interval = SYNC_NEVER, .first = first };

	m->first = m->last_first = first;
	m->seq = first - 1;
	return store_open(&m->store, m->dir, STORE_WRITE, &o, e);
}

static int32_t commit(struct importer *m, struct tw_err *e)
{
	struct block b = { m->last_first, m->count, m->block.data, m->block.len };
	struct tape_commit c = { .blocks = &b, .n_blocks = 1 };
	int32_t rc;

	if (!m->count)
		return TW_OK;
	rc = store_commit_tape(m->store, &c, e);
	m->last_first += m->count;
	m->count = 0;
	m->block.len = 0;
	return rc == STORE_FULL ? TW_E_IO : rc;
}

static int32_t find_source(struct importer *m, const struct tape_line *l, struct tw_err *e)
{
	const char *name = l->source[0] ? l->source : m->args->source;
	int32_t rc;

	if (!name)
		return err_set(e, TW_E_DATA, "no tape_source: name one with --source");
	if (m->n_sources && strcmp(name, m->source) == 0)
		return TW_OK;
	rc = store_source(m->store, name, &m->number, e);
	if (rc == TW_OK) {
		snprintf(m->source, sizeof m->source, "%s", name);
		if (m->number >= m->n_sources)
			m->n_sources = m->number + 1u;
	}
	return rc;
}

/* The number that the event gets. */
static int32_t number(struct importer *m, const struct tape_line *l, uint64_t *ret, struct tw_err *e)
{
	bool given = l->numbered && !m->args->renumber;

	if (!m->store) {
		*ret = given ? l->seq : 1;
		if (!*ret || *ret > UINT64_MAX / 2)
			return err_set(e, TW_E_DATA, "seq is %" PRIu64 ": expected a number from 1", *ret);
		return TW_OK;
	}
	*ret = m->seq + 1;
	if (given && l->seq != *ret)
		return err_set(e, TW_E_DATA,
			       "seq is %" PRIu64 " behind %" PRIu64
			       ": a tape has no gaps; export everything, or give new numbers with --renumber",
			       l->seq, m->seq);
	return TW_OK;
}

static int32_t take_line(struct importer *m, const char *line, size_t len, struct tw_err *e)
{
	struct tape_line l;
	uint64_t seq = 0;
	int32_t rc;

	m->event.len = 0;
	rc = tape_line_read(&m->event, &l, line, len, e);
	if (rc == TW_OK)
		rc = number(m, &l, &seq, e);
	if (rc == TW_OK && !m->store)
		rc = open_store(m, seq, e);
	if (rc == TW_OK)
		rc = find_source(m, &l, e);
	if (rc != TW_OK)
		return rc;
	event_stamp(m->event.data, seq);
	if (tape_add(&m->block, m->number, m->event.data, m->event.len) < 0)
		return err_set(e, TW_E_FATAL, "out of memory");
	m->seq = seq;
	m->count++;
	return m->block.len < BLOCK_BYTES ? TW_OK : commit(m, e);
}

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
			return false;
	return true;
}

static int32_t take_all(struct importer *m, struct tw_err *e)
{
	const char *line = NULL;
	size_t len = 0;
	int32_t rc;

	while ((rc = next_line(m, &line, &len, e)) == TW_OK) {
		if (is_blank(line, len))
			continue;
		rc = take_line(m, line, len, e);
		if (rc != TW_OK)
			return err_prefix(e, "%s, line %" PRIu64, m->file, m->line);
	}
	if (rc == TW_AGAIN)
		rc = m->store ? commit(m, e) : err_set(e, TW_E_DATA, "%s has no events", m->file);
	else
		rc = err_prefix(e, "%s, line %" PRIu64, m->file, m->line + 1);
	return rc;
}

/* ---- the folder ---- */
/* Nothing, or an empty folder, is at the place. */
static bool is_free(const char *dir)
{
	struct dirent *entry;
	struct stat st;
	bool empty = true;

	if (os->stat(dir, &st) < 0)
		return errno == ENOENT;
	DIR *d = opendir(dir);
	while (d && empty && (entry = readdir(d)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (d)
		closedir(d);
	return d && empty;
}

static int32_t put_in_place(const struct importer *m, struct tw_err *e)
{
	char *copy = strdup(m->dir), *slash = copy ? strrchr(copy, '/') : NULL;
	int32_t rc = TW_OK;

	if (slash)
		*slash = '\0';
	if (!copy)
		rc = err_set(e, TW_E_FATAL, "out of memory");
	else if (os->rename(m->dir, m->args->dir) < 0)
		rc = err_sys(e, errno, "cannot rename %s to %s", m->dir, m->args->dir);
	else if (os_sync_dir(!slash ? "." : *copy ? copy : "/") < 0)
		rc = err_sys(e, errno, "cannot sync the folder of %s", m->args->dir);
	free(copy);
	return rc;
}

static int check_places(struct importer *m)
{
	const struct tape_args *a = m->args;
	size_t len = strlen(a->dir);
	struct stat st;

	while (len > 1 && a->dir[len - 1] == '/')
		len--;
	if (!is_free(a->dir))
		return cli_fail(CLI_USAGE, "tape", "there is something at %s; import makes a new folder", a->dir);
	if (asprintf(&m->dir, "%.*s.importing", (int)len, a->dir) < 0) {
		m->dir = NULL;
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	}
	if (os->stat(m->dir, &st) == 0)
		return cli_fail(CLI_USAGE, "tape",
				"%s is there: another import is running, or was interrupted; then remove it", m->dir);
	if (strcmp(m->file, "-") == 0) {
		m->fd = STDIN_FILENO;
		m->file = "standard input";
		return CLI_GO;
	}
	m->fd = os->open(m->file, O_RDONLY | O_CLOEXEC, 0);
	return m->fd < 0 ? cli_fail(CLI_USAGE, "tape", "cannot open %s: %s", m->file, strerror(errno)) : CLI_GO;
}

int tape_import(const struct tape_args *a, const char *file)
{
	struct importer m = { .args = a, .file = file, .fd = -1 };
	struct tw_err e = { 0 };
	int32_t rc;

	int code = check_places(&m);
	if (code != CLI_GO)
		goto out;
	rc = take_all(&m, &e);
	store_close(m.store); /* syncs what was written */
	if (rc == TW_OK)
		rc = put_in_place(&m, &e);
	if (rc != TW_OK)
		scratch_remove(m.dir);
	code = rc == TW_OK
		       ? CLI_OK
		       : cli_fail(rc == TW_E_DATA ? CLI_USAGE : CLI_GAVE_UP, "tape", "%s; nothing was imported", e.msg);
	if (rc == TW_OK)
		fprintf(stderr, "imported %" PRIu64 " events, numbers %" PRIu64 " to %" PRIu64 ", of %u source%s\n",
			m.seq + 1 - m.first, m.first, m.seq, m.n_sources, m.n_sources == 1 ? "" : "s");
out:
	if (m.fd > STDIN_FILENO)
		os->close(m.fd);
	buf_free(&m.input);
	buf_free(&m.event);
	buf_free(&m.block);
	free(m.dir);
	return code;
}
