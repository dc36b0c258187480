/* SPDX-License-Identifier: Apache-2.0
 *
 * secrets/1: a source whose key may be renewed while it runs. It pushes the length of the key, never the key.
 */
#include <string.h>
#include <tapewatch/ext.h>
#include <tapewatch/push.h>

struct me {
	const char *key;
	const struct tw_host *host;
	const struct tw_secrets *secrets;
	struct tw_secret *secret;
	size_t last;
};
static const struct tw_option options[] = { TW_STRING(struct me, key, TW_REQUIRED, "env:NAME or file:PATH"), TW_END };

static int32_t me_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *err)
{
	struct me *me = (struct me *)self;

	(void)resume;
	me->host = host;
	me->secrets = (const struct tw_secrets *)host->extension(host, "secrets/1");
	me->secret = me->secrets ? me->secrets->open(me->secrets, me->key, err) : NULL;
	return me->secret ? TW_OK : TW_E_CONFIG;
}

static int32_t me_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *err)
{
	struct me *me = (struct me *)self;
	size_t len = strlen(me->secrets->get(me->secret)); /* a new one as soon as the file is */

	(void)timeout_ms, (void)err;
	if (len == me->last)
		return TW_AGAIN;
	me->last = len;
	return tw_push_trade(w, me->host->wall(me->host), tw_textz("KEY"), (double)len, 1, 0, tw_none, tw_none,
			     tw_none);
}

TW_SOURCE(.name = "ext_secrets", .version = "1.0.0", .summary = "watches a key", .options = options,
	  .self_size = sizeof(struct me), .open = me_open, .poll = me_poll)
