/* SPDX-License-Identifier: Apache-2.0
 *
 * kv/1: a source that counts, and keeps beside its position a second count that a position could not hold.
 */
#include <string.h>
#include <tapewatch/ext.h>
#include <tapewatch/push.h>

struct me {
	int64_t events;
	const struct tw_kv *kv;
	uint64_t at;
};
static const struct tw_option options[] = { TW_INT(struct me, events, "1000", "1", "1000000000", "to push"), TW_END };

static int32_t me_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *err)
{
	struct me *me = (struct me *)self;

	(void)err;
	me->at = 0;
	if (resume)
		memcpy(&me->at, resume->data, sizeof me->at);
	me->kv = (const struct tw_kv *)host->extension(host, "kv/1");
	return me->kv ? TW_OK : TW_E_FATAL;
}

static int32_t me_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *err)
{
	struct me *me = (struct me *)self;
	struct tw_pos pos = { sizeof me->at, { 0 } };
	uint64_t sum = 0, len = 0;
	const void *kept;

	(void)timeout_ms;
	if (me->kv->get(me->kv, "sum", &kept, &len) == TW_OK && len == sizeof sum)
		memcpy(&sum, kept, sizeof sum);
	if (sum != me->at * (me->at + 1) / 2) {
		(void)w->reject(w, "torn", "ext_kv", "the value and the position are of two moments", &sum, sizeof sum);
		return TW_E_FATAL;
	}
	for (int i = 0; i < 10 && me->at < (uint64_t)me->events; i++) {
		me->at++;
		(void)tw_push_trade(w, (int64_t)me->at, tw_textz("SUM"), (double)me->at, 1, 0, tw_none, tw_none,
				    tw_none);
		sum += me->at;
	}
	if (me->kv->put(me->kv, "sum", &sum, sizeof sum, err) < 0)
		return TW_E_FATAL;
	memcpy(pos.data, &me->at, sizeof me->at);
	if (w->mark(w, &pos) < 0)
		return TW_E_FATAL;
	return me->at < (uint64_t)me->events ? TW_OK : TW_DONE;
}

static int32_t me_finite(const void *self)
{
	(void)self;
	return 1;
}

TW_SOURCE(.name = "ext_kv", .version = "1.0.0", .summary = "counts, and keeps the sum", .options = options,
	  .self_size = sizeof(struct me), .open = me_open, .poll = me_poll, .finite = me_finite)
