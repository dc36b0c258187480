/* SPDX-License-Identifier: Apache-2.0
 *
 * A live source for tests/torture: trades whose size counts 1, 2, 3 ..., so that one lost or doubled shows on the tape.
 * It can go on from every position it has marked, and marks more seldom than it is polled.
 */
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>
#include <time.h>

struct counting {
	const char *symbol;
	int64_t burst, pause, mark_every;

	uint64_t count, polls;
	const struct tw_host *host;
};

static const struct tw_option options[] = {
	TW_STRING(struct counting, symbol, TW_REQUIRED, "symbol of the trades"),
	TW_INT(struct counting, burst, "20", "1", "4096", "trades for each poll"),
	TW_DURATION(struct counting, pause, "1ms", "0s", "1s", "rest before each poll"),
	TW_INT(struct counting, mark_every, "3", "1", "1000", "polls between two marks"),
	TW_END,
};

static int32_t counting_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct counting *c = self;

	(void)e;
	c->host = host;
	c->count = c->polls = 0;
	if (resume)
		memcpy(&c->count, resume->data, sizeof c->count);
	return TW_OK;
}

static int32_t counting_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct counting *c = self;
	struct timespec rest = { 0, (long)(c->pause % 1000000000) };
	struct tw_pos pos = { .len = sizeof c->count };

	(void)e;
	if (timeout_ms > 0)
		nanosleep(&rest, NULL);
	for (int64_t i = 0; i < c->burst && (uint32_t)i < w->credit; i++) {
		int32_t rc = tw_push_trade(w, c->host->wall(c->host), tw_textz(c->symbol), 1.0 + (double)(c->count % 7),
					   (double)(c->count + 1), 0, tw_none, tw_none, tw_none);
		if (rc < 0)
			return rc;
		c->count++;
	}
	if (++c->polls % (uint64_t)c->mark_every)
		return TW_OK;
	memcpy(pos.data, &c->count, sizeof c->count);
	return w->mark(w, &pos);
}

TW_SOURCE(.name = "counting_source", .version = "1.0.0", .summary = "trades that count, without an end",
	  .options = options, .self_size = sizeof(struct counting), .open = counting_open, .poll = counting_poll)
