/* SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd, driven by libev: its epoll descriptor is one more that the loop watches, its timeout one more timer.
 */
#include "run/endpoint.h"
#include "base/err.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS  32u
#define TIMEOUT_S        10u
#define CONNECTION_BYTES ((size_t)16 * 1024)

struct endpoint {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	struct endpoint_pages pages;
	ev_io io;
	ev_timer timer;
	ev_prepare prepare;
};

/* ---- answers ---- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, struct buf *body)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result queued;

	if (!r) {
		buf_free(body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, "Content-Type", type);
	(void)MHD_add_response_header(r, "Cache-Control", "no-store");
	(void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, "Allow", "GET, HEAD");
	queued = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
	struct buf body = { 0 };

	if (buf_add(&body, text, strlen(text)) != 0)
		return MHD_NO;
	return reply(c, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result on_request(void *of, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_len, void **seen)
{
	struct endpoint *e = of;
	struct buf body = { 0 };

	(void)version, (void)data;
	if (!*seen) { /* the headers; the body of whatever it is follows, and is not waited for */
		*seen = e;
		return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0
			       ? MHD_YES
			       : say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	}
	if (*data_len) {
		*data_len = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/healthz") == 0)
		return e->pages.healthy(e->pages.arg) ? say(c, MHD_HTTP_OK, "ok\n")
						      : say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
	if (strcmp(url, "/metrics") != 0)
		return say(c, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n");
	if (e->pages.metrics(e->pages.arg, &body) != 0) {
		buf_free(&body);
		return say(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "memory is out\n");
	}
	return reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

/* ---- on the loop ---- */

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct endpoint *e = w->data;

	(void)loop, (void)events;
	(void)MHD_run(e->daemon);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct endpoint *e = w->data;

	(void)loop, (void)events;
	(void)MHD_run(e->daemon);
}

/* Before the loop sleeps: when does the daemon want to be looked after? */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct endpoint *e = w->data;
	MHD_UNSIGNED_LONG_LONG ms;

	(void)events;
	ev_timer_stop(loop, &e->timer);
	if (MHD_get_timeout(e->daemon, &ms) != MHD_YES)
		return;
	ev_timer_set(&e->timer, (double)ms / 1000, 0);
	ev_timer_start(loop, &e->timer);
}

static void watch(struct endpoint *e, int fd)
{
	ev_io_init(&e->io, on_io, fd, EV_READ);
	ev_timer_init(&e->timer, on_timer, 0, 0);
	ev_prepare_init(&e->prepare, on_prepare);
	e->io.data = e->timer.data = e->prepare.data = e;
	ev_io_start(e->loop, &e->io);
	ev_prepare_start(e->loop, &e->prepare);
}

static struct MHD_Daemon *listen_at(const struct address *a, struct endpoint *e)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
	const struct sockaddr *at = a->six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;

	if (inet_pton(a->six ? AF_INET6 : AF_INET, a->host, a->six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) !=
	    1) {
		errno = EINVAL;
		return NULL;
	}
	return MHD_start_daemon(MHD_USE_EPOLL | (a->six ? MHD_USE_IPv6 : 0u), a->port, NULL, NULL, on_request, e,
				MHD_OPTION_SOCK_ADDR, at, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				CONNECTION_BYTES, MHD_OPTION_END);
}

struct endpoint *endpoint_new(struct ev_loop *loop, const struct address *a, const struct endpoint_pages *pages,
			      struct tw_err *err)
{
	struct endpoint *e = calloc(1, sizeof *e);
	const union MHD_DaemonInfo *info, *port;
	const char *open = a->six ? "[" : "", *close = a->six ? "]" : "";

	if (!e) {
		err_set(err, TW_E_FATAL, "memory is out");
		return NULL;
	}
	e->loop = loop;
	e->pages = *pages;
	errno = 0;
	e->daemon = listen_at(a, e);
	info = e->daemon ? MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	port = e->daemon ? MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info || !port) {
		err_sys(err, errno, "option 'metrics': cannot listen at %s%s%s:%u", open, a->host, close, a->port);
		if (e->daemon)
			MHD_stop_daemon(e->daemon);
		free(e);
		return NULL;
	}
	log_info("host", "metrics at http://%s%s%s:%u/metrics", open, a->host, close, port->port);
	watch(e, info->epoll_fd);
	return e;
}

void endpoint_free(struct endpoint *e)
{
	if (!e)
		return;
	ev_io_stop(e->loop, &e->io);
	ev_timer_stop(e->loop, &e->timer);
	ev_prepare_stop(e->loop, &e->prepare);
	MHD_stop_daemon(e->daemon);
	free(e);
}
