/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector with one fault, chosen by an option, for the tests of the test kit: each is a mistake that authors make,
 * and that one of the kit's checks must find. With `fault: none` it is sound.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <unistd.h>

enum fault {
	NONE,
	GLOBAL,
	SELF,
	POINTER,
	BATCH,
	STACK,
	OVERRUN,
	SELF_OVERRUN,
	LEAK,
	FILES,
	THREADS,
	CRASH,
	HANG,
	NOT_A_NUMBER,
	LONG_REASON,
	ORDER
};

struct self {
	int64_t fault, every;
	uint64_t count; /* no option: what SELF counts */
};
struct state {
	uint64_t count;
	const uint64_t *where; /* what POINTER keeps */
	uint64_t last;
};

static const struct tw_option options[] = {
	TW_ENUM(struct self, fault, "none",
		"none|global|self|pointer|batch|stack|overrun|self_overrun|leak|files|threads|crash|hang|nan|long|"
		"order",
		"what is wrong with it"),
	TW_INT(struct self, every, "10", "1", "1000", "events of a key between two alerts"),
	TW_END,
};

static uint64_t counted_by_all;
static uint32_t last_symbol;

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int32_t open_it(void *self, const struct tw_host *h, struct tw_err *e)
{
	const struct self *s = self;
	static volatile char *kept;
	pthread_t thread;
	int ends[2];

	(void)h, (void)e;
	if (s->fault == LEAK && (kept = malloc(100)) != NULL)
		kept[0] = 1;
	if (s->fault == FILES && pipe(ends) != 0)
		return TW_E_IO;
	if (s->fault == THREADS && pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		return TW_OK; /* as many as there may be */
	return TW_OK;
}

/* What lies on the stack; to the compiler it looks as if it had been set. */
static __attribute__((noinline)) uint64_t from_the_stack(void)
{
	uint64_t unset[64];

	__asm__ volatile("" : "=m"(unset));
	return unset[17] & 1;
}

static int32_t say(struct tw_ctx *c, const struct tw_event *ev, uint64_t n, double score)
{
	return tw_alert(c, ev, score, "event %" PRIu64, n);
}

static int32_t on_quote(struct tw_ctx *c, struct self *self, const struct tw_event *ev, struct state *s)
{
	static const char *const text = "0123456789012345678901234567890123456789012345678901234567890123456789";
	uint64_t n = ++s->count;

	switch ((enum fault)self->fault) {
	case GLOBAL:
		n = ++counted_by_all;
		break;
	case SELF:
		n = ++self->count;
		break;
	case POINTER:
		if (!s->where)
			s->where = &s->count;
		n = *s->where;
		break;
	case BATCH:
		n += c->i ? 0 : 1;
		break;
	case STACK:
		n += from_the_stack();
		break;
	case OVERRUN:
		memset((char *)s + sizeof *s, 7, 8);
		break;
	case SELF_OVERRUN:
		memset((char *)self + sizeof *self, 7, 8);
		break;
	case CRASH:
		if (ev->quote.bid < -1e300)
			abort();
		break;
	case HANG:
		while (ev->quote.bid < -1e300)
			(void)usleep(1000);
		break;
	case ORDER:
		n += last_symbol != ev->quote.symbol;
		last_symbol = ev->quote.symbol;
		break;
	default:
		break;
	}
	if (n % (uint64_t)self->every)
		return TW_OK;
	if (self->fault == NOT_A_NUMBER)
		return say(c, ev, n, (double)NAN);
	if (self->fault == LONG_REASON)
		return tw_alert(c, ev, 1, "%s%s%s%s%s%s%s%s", text, text, text, text, text, text, text, text);
	return say(c, ev, n, (double)n);
}

TW_DETECTOR(on_quote, .name = "faulty_detector", .version = "1.0.0", .summary = "has one fault, chosen by an option",
	    .doc = "For the tests of the test kit.", .kinds = TW_QUOTE, .key = "symbol", .options = options,
	    .self_size = sizeof(struct self), .state_size = sizeof(struct state), .state_version = 1, .open = open_it)
