/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of lines: it holds full lines only, at every moment a reader may look, but for the instant of a write. One
 * process writes it, kept by a lock, because cutting off half a line is only safe when nobody is about to finish it.
 */
#include "jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1 << 20) /* an event is at most 64 KiB, and an escape at most sixfold */
#define DAY            86400

int32_t fail(struct tw_err *e, int32_t code, int error, const char *fmt, ...)
{
	if (!e)
		return code;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	if (error && n >= 0 && (size_t)n < sizeof e->msg)
		snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", strerror(error));
	e->code = code;
	return code;
}

static bool no_room(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Where the last full line ends. */
static int32_t find_end(struct file *f, int64_t size, int64_t *ret, struct tw_err *e)
{
	char block[65536];
	int64_t at = size;
	while (at > 0) {
		int64_t from = at > (int64_t)sizeof block ? at - (int64_t)sizeof block : 0;
		ssize_t n = pread(f->fd, block, (size_t)(at - from), from);
		if (n != at - from)
			return fail(e, TW_E_IO, n < 0 ? errno : 0, "jsonl: cannot read %s", f->path);
		const char *newline = memrchr(block, '\n', (size_t)n);
		if (newline) {
			at = from + (newline - block) + 1;
			break;
		}
		at = from;
		if (size - at > LINE_MAX_BYTES)
			break;
	}
	/* Cutting is for a half-written line of ours, not for somebody's file that a typing mistake names. */
	char first = '{';
	if (at < size && pread(f->fd, &first, 1, at) != 1)
		return fail(e, TW_E_IO, errno, "jsonl: cannot read %s", f->path);
	if (size - at > LINE_MAX_BYTES || first != '{')
		return fail(e, TW_E_CONFIG, 0,
			    "jsonl: %s does not end in a line of JSON; move it away or name another path", f->path);
	*ret = at;
	return TW_OK;
}

int32_t file_open(struct file *f, const char *path, int64_t *cut, struct tw_err *e)
{
	struct stat st;
	int64_t end = 0;
	int32_t rc;

	*f = (struct file){ .path = path, .fd = -1, .day = -1 };
	*cut = 0;
	if (!path) {
		f->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return f->fd < 0 ? fail(e, TW_E_IO, errno, "jsonl: standard output is not open") : TW_OK;
	}
	f->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (f->fd < 0)
		return fail(e, TW_E_IO, errno, "jsonl: cannot open %s for writing", path);
	if (fstat(f->fd, &st) < 0) {
		rc = fail(e, TW_E_IO, errno, "jsonl: cannot look at %s", path);
		goto out;
	}
	f->regular = S_ISREG(st.st_mode);
	if (!f->regular)
		return TW_OK;
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0) {
		rc = fail(e, TW_E_IO, 0, "jsonl: another process or sink is writing to %s; give each its own path",
			  path);
		goto out;
	}
	rc = find_end(f, st.st_size, &end, e);
	if (rc < 0)
		goto out;
	if (end < st.st_size && ftruncate(f->fd, end) < 0) {
		rc = fail(e, TW_E_IO, errno, "jsonl: cannot cut a half-written line off %s", path);
		goto out;
	}
	*cut = st.st_size - end;
	f->size = end;
	if (end)
		f->day = st.st_mtim.tv_sec / DAY;
	return TW_OK;
out:
	file_close(f);
	return rc;
}

/* A new or renamed file survives a power failure once its folder is on the disk. */
static int32_t sync_folder(const char *path, struct tw_err *e)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = slash ? snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path)
		      : snprintf(folder, sizeof folder, ".");
	if (n < 0 || (size_t)n >= sizeof folder)
		return fail(e, TW_E_CONFIG, 0, "jsonl: the path is longer than %d bytes", PATH_MAX);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) /* whoever lets us write here and not look made the file, too */
		return TW_OK;
	if (fd < 0)
		return fail(e, TW_E_IO, errno, "jsonl: cannot open the folder %s", folder);
	int bad = fsync(fd) < 0 ? errno : 0;
	close(fd);
	/* some file systems cannot do it and say EINVAL */
	return bad && bad != EINVAL ? fail(e, TW_E_IO, bad, "jsonl: cannot write the folder %s to the disk", folder)
				    : TW_OK;
}

int32_t file_sync(struct file *f, struct tw_err *e)
{
	if (f->regular && fsync(f->fd) < 0)
		return fail(e, TW_E_IO, errno, "jsonl: cannot write %s to the disk", f->path);
	/* Even if the file was here before: the process that made it may have died before it came to this. */
	if (f->regular && !f->named) {
		int32_t rc = sync_folder(f->path, e);
		if (rc < 0)
			return rc;
		f->named = true;
	}
	return TW_OK;
}

int32_t file_rotate(struct file *f, int64_t keep, bool sync, struct tw_err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	int64_t cut;
	const char *path = f->path;

	if (sync) {
		int32_t rc = file_sync(f, e);
		if (rc < 0)
			return rc;
	}
	for (int64_t i = keep; i > 0; i--) {
		int n = snprintf(to, sizeof to, "%s.%" PRId64, path, i);
		int m = i > 1 ? snprintf(from, sizeof from, "%s.%" PRId64, path, i - 1)
			      : snprintf(from, sizeof from, "%s", path);
		if (n < 0 || m < 0 || (size_t)n >= sizeof to || (size_t)m >= sizeof from)
			return fail(e, TW_E_CONFIG, 0, "jsonl: the path is longer than %d bytes", PATH_MAX);
		if (rename(from, to) < 0 && errno != ENOENT)
			return fail(e, TW_E_IO, errno, "jsonl: cannot rename %s to %s", from, to);
	}
	if (keep == 0 && unlink(path) < 0 && errno != ENOENT)
		return fail(e, TW_E_IO, errno, "jsonl: cannot remove %s", path);
	file_close(f);
	int32_t rc = file_open(f, path, &cut, e);
	return rc < 0 || !sync ? rc : file_sync(f, e);
}

int32_t file_append(struct file *f, const char *data, size_t len, size_t *taken, struct tw_err *e)
{
	size_t at = 0, full = 0;
	int bad = 0;

	*taken = 0;
	while (at < len && !bad) {
		ssize_t n = write(f->fd, data + at, len - at);
		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			bad = n ? errno : EIO;
	}
	const char *newline = at ? memrchr(data, '\n', at) : NULL;
	if (newline)
		full = (size_t)(newline - data) + 1;
	if (!f->regular) {
		/* What went into a pipe cannot be taken back: the caller offers the rest, from the very byte. */
		*taken = at;
		if (bad == EAGAIN || no_room(bad))
			return fail(e, TW_AGAIN, bad, "jsonl: %s takes no more", f->path ? f->path : "standard output");
		if (bad == EPIPE)
			return fail(e, TW_E_FATAL, 0, "jsonl: the reader of %s is gone",
				    f->path ? f->path : "standard output");
		return bad ? fail(e, TW_E_IO, bad, "jsonl: cannot write to %s", f->path ? f->path : "standard output")
			   : TW_OK;
	}
	if (at > full && ftruncate(f->fd, f->size + (int64_t)full) < 0)
		return fail(e, TW_E_IO, errno, "jsonl: cannot take back half a line from %s", f->path);
	f->size += (int64_t)full;
	*taken = full;
	if (no_room(bad))
		return fail(e, TW_AGAIN, bad, "jsonl: no room for %s", f->path);
	return bad ? fail(e, TW_E_IO, bad, "jsonl: cannot write to %s", f->path) : TW_OK;
}

void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
