/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector for tests/e2e/test_poison.py: it kills the process when it is shown a score of a certain value, in the way
 * it is told to. Its state is a chain over all it has survived, so that an event left out at another place, or not left
 * out, changes every alert behind it.
 */
#include <signal.h>
#include <stdlib.h>
#include <tapewatch/plugin.h>

enum { BY_SEGV, BY_ABORT, BY_FPE, BY_STACK, BY_TIMER };

struct self {
	double mark;
	int64_t by, every;
};
struct state {
	uint64_t chain, events;
};

static const struct tw_option options[] = {
	TW_FLOAT(struct self, mark, "666", NULL, NULL, "the value that kills"),
	TW_ENUM(struct self, by, "segv", "segv|abort|fpe|stack|timer", "how; timer: a second after it, in a timer"),
	TW_INT(struct self, every, "10", "1", "1000000", "events of a key between two alerts"),
	TW_END,
};

/* Deeper than any stack; the number only keeps it from being endless by its looks. */
static int fall(volatile char *above, unsigned deep)
{
	volatile char here[4096];

	here[0] = *above;
	return deep ? fall(here, deep - 1) + here[0] : 0;
}

static void die(int64_t by)
{
	volatile char *volatile nowhere = NULL;
	volatile char start = 1;

	if (by == BY_ABORT)
		abort();
	if (by == BY_FPE)
		raise(SIGFPE);
	if (by == BY_STACK)
		start = (char)fall(&start, UINT32_MAX);
	*nowhere = start; /* NOLINT(clang-analyzer-core.NullDereference): what is wanted */
}

static int32_t on_event(struct tw_ctx *c, const struct self *self, const struct tw_event *ev, struct state *s)
{
	if (ev->score.score == self->mark && self->by == BY_TIMER)
		c->host->timer(c, ev->ts + 1000000000);
	else if (ev->score.score == self->mark)
		die(self->by);
	s->chain = (s->chain ^ ev->seq) * UINT64_C(0x9e3779b97f4a7c15);
	if (++s->events % (uint64_t)self->every)
		return TW_OK;
	return tw_alert(c, ev, (double)s->events, "chain %016" PRIx64 " after %" PRIu64 " events", s->chain, s->events);
}

static int32_t on_timer(struct tw_ctx *c, void *state, int64_t due)
{
	(void)c, (void)state, (void)due;
	die(BY_SEGV);
	return TW_OK;
}

TW_DETECTOR(on_event, .name = "poison_detector", .version = "1.0.0", .summary = "kills the process on a marked event",
	    .kinds = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct self), .state_size = sizeof(struct state), .state_version = 1, .timer = on_timer)
