/* SPDX-License-Identifier: Apache-2.0
 *
 * A broker's feed: lines of JSON over TCP. feed.c follows it, connection.c has the socket.
 */
#ifndef FEED_H
#define FEED_H

#include <stdbool.h>
#include <tapewatch/push.h>

#define LINE_MAX_BYTES 65536u

/* ---- connection.c: lines from a socket ---- */
struct connection {
	int fd; /* -1: none */
	uint32_t from, to; /* what is read and not taken yet */
	bool cutting;      /* inside a line that was too long: leave out its rest */
	int64_t heard;     /* when something came last, ns of the monotonic clock */
	char in[LINE_MAX_BYTES];
};

enum { LINE, LINE_TOO_LONG, LINE_NONE, LINE_END, LINE_ERROR };

int64_t monotonic_ns(void);
int32_t connection_open(struct connection *, const char *host, int64_t port, int64_t timeout, struct tw_err *);
int32_t connection_send(struct connection *, const char *text, struct tw_err *);
void connection_close(struct connection *);
/* The next line without its end, borrowed until the next call; LINE_TOO_LONG: the beginning of one that is left out. */
int connection_line(struct connection *, const char **line, uint32_t *len);
/* The line that was taken last comes again. */
void connection_unread(struct connection *, uint32_t len);
/* Wait until there may be more, at most so long. */
void connection_wait(const struct connection *, int32_t timeout_ms);

#endif
