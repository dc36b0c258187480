/* SPDX-License-Identifier: Apache-2.0
 *
 * The real kernel behind struct os.
 */
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int real_open(const char *path, int flags, unsigned mode)
{
	return open(path, flags | O_CLOEXEC, mode);
}

static int real_mkdir(const char *path, unsigned mode)
{
	return mkdir(path, (mode_t)mode);
}

static int real_stat(const char *path, struct stat *st)
{
	return stat(path, st);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t real_wall(void)
{
	return clock_ns(CLOCK_REALTIME);
}

static int64_t real_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int64_t real_thread_cpu(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int real_random(void *buf, size_t n)
{
	unsigned char *p = buf;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static void real_pause(int64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	if (ns > 0)
		(void)nanosleep(&ts, NULL);
}

static int real_datagram(const char *address, const void *message, size_t n)
{
	const struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(address);
	int fd, saved = 0;

	if (len < 2 || len >= sizeof to.sun_path || (address[0] != '/' && address[0] != '@')) {
		errno = EINVAL;
		return -1;
	}
	memcpy(to.sun_path, address, len);
	if (address[0] == '@')
		to.sun_path[0] = '\0'; /* a name in no folder */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
	    sendto(fd, message, n, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != (ssize_t)n)
		saved = errno ? errno : EMSGSIZE;
	(void)close(fd);
	errno = saved;
	return saved ? -1 : 0;
}

const struct os os_real = {
	.open = real_open,
	.close = close,
	.read = read,
	.pread = pread,
	.write = write,
	.fsync = fsync,
	.ftruncate = ftruncate,
	.rename = rename,
	.unlink = unlink,
	.mkdir = real_mkdir,
	.stat = real_stat,
	.wall = real_wall,
	.mono = real_mono,
	.thread_cpu = real_thread_cpu,
	.random = real_random,
	.pause = real_pause,
	.datagram = real_datagram,
};

const struct os *os = &os_real;

/* One level; that it is there already is fine, as long as it is a directory. */
static int make_dir(const char *path, unsigned mode)
{
	struct stat st;

	if (os->mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (os->stat(path, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return 0;
}

int os_mkdirs(const char *path, unsigned mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof part) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, len);
	part[len] = '\0';
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/' || part[i - 1] == '/')
			continue;
		part[i] = '\0';
		if (make_dir(part, 0777) != 0)
			return -1;
		part[i] = '/';
	}
	return make_dir(part, mode);
}

int os_sync_dir(const char *path)
{
	int fd = os->open(path, O_RDONLY | O_DIRECTORY, 0);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = os->fsync(fd);
	saved = errno;
	if (os->close(fd) != 0 && rc == 0)
		return -1;
	errno = saved;
	return rc;
}
