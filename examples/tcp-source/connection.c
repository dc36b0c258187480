/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines from a socket that is never waited for longer than asked, into a buffer of one size.
 */
#include "feed.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000

int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000 * MS + t.tv_nsec;
}

static int32_t fail(struct tw_err *e, const char *host, int64_t port, const char *why)
{
	snprintf(e->msg, sizeof e->msg, "%s port %" PRId64 ": %s", host, port, why);
	return e->code = TW_E_IO;
}

/* Connects without blocking longer than the timeout. 0, or an error number. */
static int try_address(struct connection *c, const struct addrinfo *a, int64_t timeout)
{
	struct pollfd p;
	int error = 0;
	socklen_t size = sizeof error;

	c->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (c->fd < 0)
		return errno;
	if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS) {
		error = errno;
		goto out;
	}
	p = (struct pollfd){ c->fd, POLLOUT, 0 };
	if (poll(&p, 1, (int)(timeout / MS)) <= 0)
		error = ETIMEDOUT;
	else if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
out:
	if (error)
		connection_close(c);
	return error;
}

int32_t connection_open(struct connection *c, const char *host, int64_t port, int64_t timeout, struct tw_err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char service[8];
	int rc, error = EADDRNOTAVAIL;

	c->fd = -1;
	c->from = c->to = 0;
	c->cutting = false;
	snprintf(service, sizeof service, "%d", (int)port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc)
		return fail(e, host, port, gai_strerror(rc));
	for (struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next)
		error = try_address(c, a, timeout);
	freeaddrinfo(list);
	c->heard = monotonic_ns();
	return c->fd < 0 ? fail(e, host, port, strerror(error)) : TW_OK;
}

int32_t connection_send(struct connection *c, const char *text, struct tw_err *e)
{
	size_t n = strlen(text);

	/* A few bytes into an empty buffer go out at once, or something is wrong. */
	if (send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n)
		return TW_OK;
	snprintf(e->msg, sizeof e->msg, "cannot send: %s", strerror(errno));
	return e->code = TW_E_IO;
}

void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Room at the end, then what the socket has. */
static int fill(struct connection *c)
{
	ssize_t n;

	if (c->from) {
		memmove(c->in, c->in + c->from, c->to - c->from);
		c->to -= c->from;
		c->from = 0;
	}
	n = recv(c->fd, c->in + c->to, sizeof c->in - c->to, 0);
	if (n > 0) {
		c->to += (uint32_t)n;
		c->heard = monotonic_ns();
		return LINE;
	}
	if (n == 0)
		return LINE_END;
	return errno == EAGAIN || errno == EINTR ? LINE_NONE : LINE_ERROR;
}

int connection_line(struct connection *c, const char **line, uint32_t *len)
{
	for (;;) {
		const char *begin = c->in + c->from, *end = memchr(begin, '\n', c->to - c->from);
		int got;
		if (end) {
			bool rest = c->cutting;
			c->from = (uint32_t)(end + 1 - c->in);
			c->cutting = false;
			if (rest)
				continue;
			*line = begin;
			*len = (uint32_t)(end - begin);
			return LINE;
		}
		if (c->from == 0 && c->to == sizeof c->in) {
			bool rest = c->cutting;
			c->from = c->to;
			c->cutting = true;
			if (rest)
				continue;
			*line = c->in;
			*len = 256; /* enough to know it by */
			return LINE_TOO_LONG;
		}
		got = fill(c);
		if (got != LINE)
			return got;
	}
}

void connection_unread(struct connection *c, uint32_t len)
{
	c->from -= len + 1;
}

void connection_wait(const struct connection *c, int32_t timeout_ms)
{
	struct pollfd p = { c->fd, POLLIN, 0 };

	(void)poll(&p, 1, timeout_ms);
}
