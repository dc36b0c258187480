/* SPDX-License-Identifier: Apache-2.0
 *
 * log/1: a detector that says in a structured line when it opens, and how many keys it has seen at most.
 */
#include <tapewatch/ext.h>

struct me {
	int64_t limit;
};
static const struct tw_option options[] = { TW_INT(struct me, limit, "3", "1", "100", "what it is told"), TW_END };

static int32_t me_open(void *self, const struct tw_host *host, struct tw_err *err)
{
	const struct tw_log *log = (const struct tw_log *)host->extension(host, "log/1");
	const struct tw_field fields[] = { { "limit", NULL, (double)((struct me *)self)->limit },
					   { "mode", "strict one", 0 } };

	(void)err;
	if (log)
		log->write(log, TW_LOG_INFO, "open", fields, 2);
	return TW_OK;
}

static int32_t on_event(struct tw_ctx *c, struct me *me, const struct tw_event *ev, void *state)
{
	(void)c, (void)me, (void)ev, (void)state;
	return TW_OK;
}

TW_DETECTOR(on_event, .name = "ext_log", .version = "1.0.0", .summary = "says a structured line", .options = options,
	    .self_size = sizeof(struct me), .kinds = TW_ANY, .open = me_open)
