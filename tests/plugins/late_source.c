/* SPDX-License-Identifier: Apache-2.0
 *
 * A source for tests/e2e/test_reload.py that has brought everything and takes its time to close: until a file is there.
 */
#include <tapewatch/push.h>
#include <time.h>
#include <unistd.h>

#define REST_NS  2000000L
#define PATIENCE 30000 /* rests: a minute */

struct late {
	const char *until;
	int64_t trades;

	const struct tw_host *host;
};

static const struct tw_option options[] = {
	TW_STRING(struct late, until, TW_REQUIRED, "the file that it waits for when it is closed"),
	TW_INT(struct late, trades, "100", "1", "1000", "trades before the end"),
	TW_END,
};

static int32_t late_finite(const void *self)
{
	(void)self;
	return 1;
}

static int32_t late_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct late *l = self;

	(void)e;
	l->host = host;
	if (resume)
		l->trades = 0;
	return TW_OK;
}

static int32_t late_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct late *l = self;
	struct tw_pos pos = { .len = 1 };

	(void)timeout_ms, (void)e;
	for (; l->trades > 0; l->trades--) {
		int32_t rc = tw_push_trade(w, l->trades * -1000000 + 1767571200000000000, tw_textz("X"),
					   (double)l->trades, 1, 0, tw_none, tw_none, tw_none);
		if (rc < 0)
			return rc;
	}
	(void)w->mark(w, &pos);
	return TW_DONE;
}

static void late_close(void *self)
{
	const struct late *l = self;

	for (int i = 0; i < PATIENCE && access(l->until, F_OK) != 0; i++)
		nanosleep(&(struct timespec){ 0, REST_NS }, NULL);
}

TW_SOURCE(.name = "late_source", .version = "1.0.0", .summary = "closes late", .options = options,
	  .self_size = sizeof(struct late), .finite = late_finite, .open = late_open, .poll = late_poll,
	  .close = late_close)
