/* SPDX-License-Identifier: Apache-2.0
 *
 * Which plugin the thread is inside of: one pointer per thread, set before a call and cleared after it, read by the
 * handler of deadly signals. What is behind the pointer is made once and stands as long as the plugin may be called.
 */
#ifndef BASE_CALLCTX_H
#define BASE_CALLCTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_about; /* what a call is about */

struct call {
	const char *kind;             /* "detector", "source" or "sink" */
	const char *plugin, *instance;
	/* Fill in what is known beyond that. Runs in the handler of a signal: it reads what lies there and calls nothing
	 * that locks or allocates. NULL: nothing is. */
	void (*about)(const struct call *, struct call_about *ret);
};

struct call_about {
	const char *source; /* the event's; NULL: none */
	uint64_t seq;       /* 0: none */
	bool timer;
	int64_t ts;         /* of the event; for a timer, when it was due */
	uint64_t id;        /* of the event's contents or of the timer's key: what it is known by if it comes again under
	                       another number */
};

extern _Thread_local const struct call *call_now __attribute__((tls_model("initial-exec")));

/* The fence is for the compiler: a signal interrupts the same thread. */
static inline void call_enter(const struct call *c)
{
	call_now = c;
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void call_leave(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	call_now = NULL;
}

/* rc = CALL(&s->call, source->poll(...)); */
#define CALL(call, expression)                                                                                         \
	({                                                                                                             \
		call_enter(call);                                                                                      \
		__auto_type call_rc = (expression);                                                                    \
		call_leave();                                                                                          \
		call_rc;                                                                                               \
	})

#endif
