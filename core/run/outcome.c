/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading DIR/reload.
 */
#include "run/outcome.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "none", "done", "refused", "failed" };

static bool one_line(const char *s)
{
	return s && *s && !strchr(s, '\n');
}

static int compose(const struct outcome *o, struct buf *b)
{
	int rc = buf_addf(b, "pid %" PRId64 "\ngeneration %" PRIu64 "\noutcome %s\n", o->pid, o->generation,
			  words[o->word]);

	if (rc == 0 && one_line(o->cwd))
		rc = buf_addf(b, "cwd %s\n", o->cwd);
	for (uint32_t i = 0; i < o->n_paths && rc == 0; i++)
		if (one_line(o->paths[i]))
			rc = buf_addf(b, "config %s\n", o->paths[i]);
	return rc ? rc : buf_addf(b, "\n%s", o->text ? o->text : "");
}

static int write_whole(int fd, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = os->write(fd, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

int32_t outcome_write(const char *dir, const struct outcome *o, struct tw_err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	struct buf b = { 0 };
	int32_t rc = TW_OK;
	int fd = -1;

	if (compose(o, &b) != 0) {
		rc = err_set(e, TW_E_FATAL, "memory is out");
		goto out;
	}
	if (snprintf(path, sizeof path, "%s/reload", dir) >= (int)sizeof path ||
	    snprintf(fresh, sizeof fresh, "%s/reload.new", dir) >= (int)sizeof fresh) {
		rc = err_sys(e, ENAMETOOLONG, "cannot write %s/reload", dir);
		goto out;
	}
	fd = os->open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write_whole(fd, &b) != 0)
		rc = err_sys(e, errno, "cannot write %s", fresh);
	if (fd >= 0 && os->close(fd) != 0 && rc == TW_OK)
		rc = err_sys(e, errno, "cannot write %s", fresh);
	if (rc == TW_OK && os->rename(fresh, path) != 0)
		rc = err_sys(e, errno, "cannot rename %s to %s", fresh, path);
	if (rc != TW_OK)
		(void)os->unlink(fresh);
out:
	buf_free(&b);
	return rc;
}

void outcome_remove(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/reload", dir) < (int)sizeof path)
		(void)os->unlink(path);
}

/* ---- reading ---- */

static int read_whole(int fd, struct buf *b)
{
	for (;;) {
		unsigned char *room = buf_reserve(b, 4096);
		ssize_t n;
		if (!room || b->len > OUTCOME_BYTES)
			return -1;
		n = os->read(fd, room, 4095);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		b->len += (size_t)n;
		room[n] = '\0';
		if (n == 0)
			return 0;
	}
}

static bool number(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end && !errno;
}

static bool take_line(struct outcome *o, const char *line, struct arena *a)
{
	const char *value = strchr(line, ' ');
	size_t len = value ? (size_t)(value - line) : 0;
	uint64_t n;

	if (!value++)
		return false;
	if (len == 3 && !memcmp(line, "pid", len)) {
		if (!number(value, &n) || n == 0 || n > INT32_MAX)
			return false;
		o->pid = (int64_t)n;
	} else if (len == 10 && !memcmp(line, "generation", len)) {
		return number(value, &o->generation);
	} else if (len == 7 && !memcmp(line, "outcome", len)) {
		for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
			if (!strcmp(value, words[i]))
				o->word = (enum outcome_word)i;
	} else if (len == 3 && !memcmp(line, "cwd", len)) {
		o->cwd = arena_text(a, value, strlen(value));
	} else if (len == 6 && !memcmp(line, "config", len) && o->n_paths < OUTCOME_PATHS) {
		o->paths[o->n_paths] = arena_text(a, value, strlen(value));
		o->n_paths += o->paths[o->n_paths] != NULL;
	}
	return true; /* a name of a later version is passed over */
}

int32_t outcome_read(const char *dir, struct outcome *ret, struct arena *a, struct tw_err *e)
{
	struct outcome o = { 0 };
	char path[PATH_MAX], *line, *rest;
	struct buf b = { 0 };
	bool good = true;
	int fd, rc;

	if (snprintf(path, sizeof path, "%s/reload", dir) >= (int)sizeof path)
		return err_sys(e, ENAMETOOLONG, "cannot read %s/reload", dir);
	fd = os->open(path, O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT ? TW_AGAIN : err_sys(e, errno, "cannot read %s", path);
	rc = read_whole(fd, &b);
	(void)os->close(fd);
	if (rc != 0 || strlen((char *)b.data) != b.len) {
		buf_free(&b);
		return err_set(e, TW_E_DATA, "%s is not what a run writes there", path);
	}
	rest = (char *)b.data;
	while (good && (line = strsep(&rest, "\n")) != NULL && *line)
		good = take_line(&o, line, a);
	o.text = arena_text(a, rest ? rest : "", rest ? strlen(rest) : 0);
	buf_free(&b);
	if (!good || !o.pid || !o.text)
		return err_set(e, TW_E_DATA, "%s is not what a run writes there", path);
	*ret = o;
	return TW_OK;
}
