/* SPDX-License-Identifier: Apache-2.0
 *
 * When the process dies of a signal: who did it. A handler for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT writes one
 * line to stderr and one to DIR/crash, with nothing but write(), then lets the signal do what it does without it: a core
 * is dumped as always. The next start reads the records.
 */
#ifndef RUN_DEATH_H
#define RUN_DEATH_H

#include "bus/poison.h"
#include <signal.h>

/* Install the handler; records go to DIR/crash. The calling thread gets a stack for it. [control] */
int32_t death_watch(const char *dir, struct tw_err *);
/* Back to how it was. Accepts that nothing was installed. */
void death_unwatch(void);

/* Take the deadly signals out of a set that is going to be blocked: a fault that is blocked kills without a word. */
void death_let_through(sigset_t *);

/* A stack for the handler on this thread, so that one that has run out of stack can be named. NULL: memory is out, and
 * the thread has to do without. */
void *death_stack(void);
void death_stack_free(void *);

/* Did a process die outside of any plugin call, and has the whole store not been read since? A damaged file can do
 * that, in a place where the quick look at the start sees nothing. */
bool death_unexplained(const char *dir);
/* The whole store was read and is good; after death_watch(). */
void death_settled(void);

/* The records of deaths inside detectors, in DIR/crash; none when there is no such file. A file that has grown large
 * loses its oldest records. */
int32_t deaths_read(const char *dir, struct death **ret, uint32_t *ret_n, struct tw_err *);

#endif
