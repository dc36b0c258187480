/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector for the tests of workers: its state is a chain over everything it has been shown, so that one event or
 * timer too many, too few or elsewhere changes every alert behind it; it fails on some events, speaks in timers, and
 * hands its chain on as a score.
 */
#include <tapewatch/plugin.h>

struct self {
	int64_t every, span, fail, after, emit, twice;
};
struct state {
	uint64_t chain, events, timers;
};

static const char *const counters[] = { "events", NULL };

static const struct tw_option options[] = {
	TW_INT(struct self, every, "50", "1", "1000000000", "events of a key between two alerts"),
	TW_DURATION(struct self, span, "0s", "0s", "24h", "event time from an event to the timer; 0: no timer"),
	TW_INT(struct self, fail, "0", "0", "1000000000", "fail on one event in so many, by its time; 0: on none"),
	TW_DURATION(struct self, after, "0s", "0s", "365d", "on none in so much time after midnight"),
	TW_BOOL(struct self, emit, "false", "emit a score for each event"),
	TW_BOOL(struct self, twice, "false", "say everything twice"),
	TW_END,
};

static uint64_t mix(uint64_t chain, uint64_t v)
{
	chain = (chain ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return chain ^ chain >> 29;
}

static int32_t say(struct tw_ctx *c, const struct self *self, const struct tw_event *ev, const struct state *s)
{
	for (int64_t i = 0; i <= self->twice; i++) {
		int32_t rc = tw_alert(c, ev, (double)(s->chain >> 11),
				      "chain %016" PRIx64 " after %" PRIu64 " events and %" PRIu64 " timers", s->chain,
				      s->events, s->timers);
		if (rc < 0)
			return rc;
	}
	return TW_OK;
}

static int32_t emit(struct tw_ctx *c, const struct self *self, const struct state *s)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_SCORE };

	if (!self->emit)
		return TW_OK;
	ev.score.score = (double)(s->chain >> 40);
	ev.score.p_value = (double)NAN;
	return c->host->emit(c, &ev);
}

static int32_t on_event(struct tw_ctx *c, const struct self *self, const struct tw_event *ev, struct state *s)
{
	int32_t rc;

	s->chain = mix(mix(s->chain, (uint64_t)ev->ts), ev->seq);
	if (ev->kind == TW_SCORE)
		s->chain = mix(s->chain, (uint64_t)ev->score.score);
	c->counters[0]++;
	if (self->span)
		c->host->timer(c, ev->ts + self->span);
	if (self->fail && ev->ts % INT64_C(86400000000000) >= self->after && (ev->ts / 1000000) % self->fail == 0)
		return TW_E_DATA;
	rc = emit(c, self, s);
	if (rc < 0 || ++s->events % (uint64_t)self->every)
		return rc;
	return say(c, self, ev, s);
}

static int32_t on_timer(struct tw_ctx *c, void *state, int64_t due)
{
	struct state *s = state;

	s->chain = mix(s->chain, ~(uint64_t)due);
	if (++s->timers % 3 == 0)
		(void)say(c, c->self, NULL, s);
	return emit(c, c->self, s);
}

TW_DETECTOR(on_event, .name = "touchy_detector", .version = "1.0.0",
	    .summary = "remembers everything and takes offence", .kinds = TW_ANY & ~(TW_ALERT | TW_CLOCK | TW_LABEL),
	    .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct self), .state_size = sizeof(struct state), .state_version = 1,
	    .counters = counters, .timer = on_timer)
