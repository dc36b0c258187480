/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests/bench, all three by the name of pace: a source that keeps a pace, a detector that speaks when it is told
 * to, and a sink that measures how long an alert took from push() to delivery, which is behind the commit.
 *
 * An event carries the wall clock of its push as its time; every event is a trade of one of `accounts` accounts, and
 * every `flag`th has size 1, which is what the detector waits for.
 */
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>
#include <time.h>

/* ---- source ---- */
struct pace {
	int64_t rate, events, accounts, sweep, flag;

	uint64_t count, began_at;
	int64_t began;
	const struct tw_host *host;
};

static const struct tw_option source_options[] = {
	TW_INT(struct pace, rate, "0", "0", "100000000", "events a second; 0: as fast as they are taken"),
	TW_INT(struct pace, events, "1000000", "1", "10000000000", "events in all"),
	TW_INT(struct pace, accounts, "200", "1", "10000000", "accounts that trade"),
	TW_INT(struct pace, sweep, "0", "0", "10000000",
	       "events at first, one account after the other, without a pace"),
	TW_INT(struct pace, flag, "100", "1", "1000000000", "every so many events one that is alerted on"),
	TW_END,
};

static int32_t pace_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct pace *p = self;

	(void)e;
	p->host = host;
	if (resume)
		memcpy(&p->count, resume->data, sizeof p->count);
	return TW_OK;
}

static int32_t push_one(struct pace *p, struct tw_writer *w)
{
	uint64_t n = p->count, mixed = n * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t account = n < (uint64_t)p->sweep ? n % (uint64_t)p->accounts : (mixed >> 20) % (uint64_t)p->accounts;
	char text[16] = "a000000000";

	for (char *at = text + 9; at > text; at--, account /= 10)
		*at = (char)('0' + account % 10);
	p->count++;
	return tw_push_trade(w, p->host->wall(p->host), tw_textz("EURUSD"), 1.1 + (double)(n % 100) / 1e5,
			     p->count % (uint64_t)p->flag ? 2 : 1, 0, tw_textz(text), tw_none, tw_none);
}

static int32_t pace_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct pace *p = self;
	struct tw_pos pos = { .len = sizeof p->count };
	uint64_t due = UINT64_MAX;

	(void)e;
	if (p->rate && p->count >= (uint64_t)p->sweep) {
		int64_t now = p->host->wall(p->host);
		if (!p->began) {
			p->began = now;
			p->began_at = p->count;
		}
		due = p->began_at + (uint64_t)((double)(now - p->began) / 1e9 * (double)p->rate);
		if (due <= p->count && timeout_ms > 0) {
			struct timespec rest = { 0, 50000 };
			nanosleep(&rest, NULL);
			return TW_AGAIN;
		}
	} else if (p->rate) {
		due = (uint64_t)p->sweep;
	}
	for (uint32_t i = 0; i < w->credit && p->count < due && p->count < (uint64_t)p->events; i++)
		if (push_one(p, w) < 0)
			return TW_E_FATAL;
	memcpy(pos.data, &p->count, sizeof p->count);
	return w->mark(w, &pos) < 0 ? TW_E_FATAL : p->count == (uint64_t)p->events ? TW_DONE : TW_OK;
}

static const struct tw_source source = { TW_HEAD_(struct tw_source), .name = "pace",
					 .version = "1.0.0",         .summary = "trades at a pace",
					 .options = source_options,  .self_size = sizeof(struct pace),
					 .open = pace_open,          .poll = pace_poll };

/* ---- detector ---- */
struct told_state {
	double sums[32];
};

static int32_t told(struct tw_ctx *c, const struct tw_batch *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct told_state *s = b->state[i];
		c->i = i;
		s->sums[b->ev[i]->seq % 32] += b->ev[i]->trade.price;
		if (b->ev[i]->trade.size == 1)
			tw_alert(c, b->ev[i], 1.0, "a trade of size %.0f", b->ev[i]->trade.size);
	}
	return TW_OK;
}

static const struct tw_detector detector = {
	TW_HEAD_(struct tw_detector), .name = "pace",   .version = "1.0.0", .summary = "alerts on trades of size 1",
	.flags = TW_FREE_KEY,         .key = "account", .kinds = TW_TRADE,  .state_size = sizeof(struct told_state),
	.state_version = 1,           .process = told
};

/* ---- sink ---- */
#define MAX_SEEN 4000000u
#define SKIP     100u /* at the start: threads and pages are new */

struct meter {
	const struct tw_host *host;
	int64_t *seen;
	uint64_t n;
};

static int32_t meter_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct meter *m = self;

	(void)e;
	m->host = host;
	m->seen = m->seen ? m->seen : malloc(MAX_SEEN * sizeof *m->seen);
	return m->seen ? TW_OK : TW_E_FATAL;
}

static int32_t meter_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			   struct tw_err *e)
{
	struct meter *m = self;
	int64_t now = m->host->wall(m->host);

	(void)e;
	for (uint32_t i = 0; i < n; i++, m->n++)
		if (m->n >= SKIP && m->n - SKIP < MAX_SEEN)
			m->seen[m->n - SKIP] = now - records[i]->ts;
	*done = n;
	return TW_OK;
}

static int32_t meter_flush(void *self, struct tw_err *e)
{
	(void)self;
	(void)e;
	return TW_OK;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void meter_close(void *self)
{
	struct meter *m = self;
	uint64_t n = m->n > SKIP ? m->n - SKIP : 0;

	n = n < MAX_SEEN ? n : MAX_SEEN;
	if (n) {
		qsort(m->seen, n, sizeof *m->seen, compare);
		int64_t p50 = m->seen[n / 2], p99 = m->seen[n * 99 / 100], p999 = m->seen[n * 999 / 1000];
		m->host->log(m->host, TW_LOG_WARN, "latency us: n %" PRIu64 " p50 %.1f p99 %.1f p99.9 %.1f", n,
			     (double)p50 / 1e3, (double)p99 / 1e3, (double)p999 / 1e3);
	}
	free(m->seen);
	m->seen = NULL;
}

static const struct tw_sink sink = { TW_HEAD_(struct tw_sink),
				     .name = "pace",
				     .version = "1.0.0",
				     .summary = "how long alerts took",
				     .self_size = sizeof(struct meter),
				     .open = meter_open,
				     .write = meter_write,
				     .flush = meter_flush,
				     .close = meter_close };

static const struct tw_source *const sources[] = { &source, NULL };
static const struct tw_detector *const detectors[] = { &detector, NULL };
static const struct tw_sink *const sinks[] = { &sink, NULL };
TW_MANIFEST_(.detectors = detectors, .sources = sources, .sinks = sinks)
