/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector for tests/torture: it takes as long as it is told to, and its state is a chain over everything it has been
 * shown, so that one event lost, doubled or out of order, or one timer that fires at another place, changes every alert
 * behind it.
 */
#include <tapewatch/plugin.h>

struct self {
	int64_t rounds, every, span;
};
struct state {
	uint64_t chain, events, timers;
};

static const struct tw_option options[] = {
	TW_INT(struct self, rounds, "0", "0", "100000000", "multiplications for each event"),
	TW_INT(struct self, every, "100", "1", "1000000000", "events of a key between two alerts"),
	TW_DURATION(struct self, span, "5s", "0s", "24h", "event time from an event to the timer; 0: no timer"),
	TW_END,
};

static uint64_t mix(uint64_t chain, uint64_t v)
{
	chain = (chain ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return chain ^ chain >> 29;
}

static int32_t on_event(struct tw_ctx *c, const struct self *self, const struct tw_event *ev, struct state *s)
{
	uint64_t slow = s->chain;

	for (int64_t i = 0; i < self->rounds; i++)
		slow = mix(slow, (uint64_t)i);
	s->chain = mix(mix(s->chain ^ slow, (uint64_t)ev->ts), ev->seq);
	if (self->span)
		c->host->timer(c, ev->ts + self->span);
	if (++s->events % (uint64_t)self->every)
		return TW_OK;
	return tw_alert(c, ev, (double)(s->chain >> 11),
			"chain %016" PRIx64 " after %" PRIu64 " events and %" PRIu64 " timers", s->chain, s->events,
			s->timers);
}

static int32_t on_timer(struct tw_ctx *c, void *state, int64_t due)
{
	struct state *s = state;

	(void)c;
	s->chain = mix(s->chain, ~(uint64_t)due);
	s->timers++;
	return TW_OK;
}

TW_DETECTOR(on_event, .name = "slow_detector", .version = "1.0.0", .summary = "takes its time and remembers everything",
	    .kinds = TW_ANY & ~(TW_ALERT | TW_CLOCK), .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct self), .state_size = sizeof(struct state), .state_version = 1, .timer = on_timer)
