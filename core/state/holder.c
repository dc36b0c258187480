/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the holder of the lock without touching it: whoever tried the lock, even for a moment, could make a run that
 * is just starting believe that somebody else has the store. The number in the file alone may be that of a process
 * long gone, so it must also be the one that /proc/locks names for this file.
 *
 * Processes are not among what a test replaces in base/os: they are met directly.
 */
#include "state/holder.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define FILE_BYTES (1u << 22)

static int32_t read_text(const char *path, struct buf *b, struct tw_err *e)
{
	int fd = os->open(path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd < 0)
		return errno == ENOENT ? TW_AGAIN : err_sys(e, errno, "cannot read %s", path);
	while (b->len < FILE_BYTES && buf_reserve(b, 65536)) {
		n = os->read(fd, b->data + b->len, 65535);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += (size_t)n;
	}
	if (n < 0)
		err_sys(e, errno, "cannot read %s", path);
	(void)os->close(fd);
	if (n < 0 || !b->data)
		return TW_E_IO;
	b->data[b->len] = '\0';
	return TW_OK;
}

/* "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF". Device numbers are left out of it: some file systems show others
 * here than stat() does. */
static bool names(const char *line, int pid, uint64_t inode)
{
	unsigned long long ino;
	int who;

	if (sscanf(line, "%*s FLOCK %*s WRITE %d %*[0-9a-f]:%*[0-9a-f]:%llu", &who, &ino) != 2)
		return false;
	return who == pid && ino == inode;
}

static int32_t has_lock(const char *path, int pid, struct tw_err *e)
{
	struct buf b = { 0 };
	struct stat st;
	char *rest, *line;
	int32_t rc;

	if (os->stat(path, &st) != 0)
		return errno == ENOENT ? TW_AGAIN : err_sys(e, errno, "cannot look at %s", path);
	rc = read_text("/proc/locks", &b, e);
	if (rc == TW_AGAIN)
		rc = err_set(e, TW_E_IO, "/proc/locks is not there: who holds %s cannot be told", path);
	if (rc == TW_OK) {
		rc = TW_AGAIN;
		rest = (char *)b.data;
		while (rc == TW_AGAIN && (line = strsep(&rest, "\n")) != NULL)
			if (names(line, pid, (uint64_t)st.st_ino))
				rc = TW_OK;
	}
	buf_free(&b);
	return rc;
}

int32_t holder_find(const char *dir, struct holder *ret, struct tw_err *e)
{
	char path[PATH_MAX];
	struct buf b = { 0 };
	struct holder h = { .fd = -1 };
	int32_t rc;

	if (snprintf(path, sizeof path, "%s/LOCK", dir) >= (int)sizeof path)
		return err_sys(e, ENAMETOOLONG, "cannot look at %s/LOCK", dir);
	rc = read_text(path, &b, e);
	if (rc != TW_OK)
		goto out;
	rc = TW_AGAIN;
	long pid = strtol((char *)b.data, NULL, 10);
	if (pid <= 0 || pid > INT_MAX)
		goto out;
	h.pid = (int)pid;
	h.fd = pidfd_open(h.pid, 0);
	if (h.fd < 0) {
		if (errno != ESRCH && errno != EINVAL)
			rc = err_sys(e, errno, "cannot look at process %d, which has %s", h.pid, dir);
		goto out;
	}
	/* Now that the number cannot change its meaning: is it the one? */
	rc = has_lock(path, h.pid, e);
	if (rc == TW_OK)
		*ret = h;
	else
		holder_close(&h);
out:
	buf_free(&b);
	return rc;
}

int32_t holder_signal(const struct holder *h, int number, struct tw_err *e)
{
	if (pidfd_send_signal(h->fd, number, NULL, 0) == 0)
		return TW_OK;
	return err_sys(e, errno, "cannot send a signal to process %d", h->pid);
}

int32_t holder_wait(const struct holder *h, int32_t timeout_ms)
{
	int64_t end = os->mono() + (int64_t)timeout_ms * 1000000;

	for (;;) {
		struct pollfd p = { .fd = h->fd, .events = POLLIN };
		int64_t left = (end - os->mono() + 999999) / 1000000;
		int rc = poll(&p, 1, left < 0 ? 0 : (int)left);
		if (rc > 0)
			return TW_OK;
		if (rc == 0 || errno != EINTR)
			return TW_AGAIN;
	}
}

void holder_close(struct holder *h)
{
	if (h->fd >= 0)
		(void)os->close(h->fd);
	h->fd = -1;
}
