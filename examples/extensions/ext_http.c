/* SPDX-License-Identifier: Apache-2.0
 *
 * http/1: a source that asks a server for a number every second, and says it as a trade when it has changed.
 */
#include <stdlib.h>
#include <tapewatch/ext.h>
#include <tapewatch/push.h>

struct me {
	const char *url;
	const struct tw_host *host;
	const struct tw_http *http;
	struct tw_http_client *client;
};
static const struct tw_option options[] = { TW_STRING(struct me, url, TW_REQUIRED, "where the number is"), TW_END };

static int32_t me_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *err)
{
	struct tw_http_options o = { sizeof o, TW_HTTP_CONDITIONAL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL };
	struct me *me = (struct me *)self;

	(void)resume;
	o.rate = 1;
	o.user_agent = "tapewatch-example (you@example.com)";
	me->host = host;
	me->http = (const struct tw_http *)host->extension(host, "http/1");
	return me->http ? me->http->client(me->http, "number", &o, &me->client, err) : TW_E_FATAL;
}

static int32_t me_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *err)
{
	struct tw_http_response answer = { sizeof answer, 0, NULL, 0, NULL, 0, 0 };
	struct tw_pos pos = { 0, { 0 } };
	struct me *me = (struct me *)self;
	int32_t rc = me->http->get(me->client, me->url, &answer, err);

	(void)timeout_ms;
	if (rc != TW_OK)
		return rc == TW_E_IO ? TW_AGAIN : rc; /* unchanged, or unreachable: the next poll asks again */
	(void)tw_push_trade(w, me->host->wall(me->host), tw_textz("NUMBER"), strtod((const char *)answer.body, NULL), 1,
			    0, tw_none, tw_none, tw_none);
	return w->mark(w, &pos); /* from here on the answer counts as seen */
}

TW_SOURCE(.name = "ext_http", .version = "1.0.0", .summary = "asks a server for a number", .options = options,
	  .self_size = sizeof(struct me), .open = me_open, .poll = me_poll)
