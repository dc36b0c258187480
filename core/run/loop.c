/* SPDX-License-Identifier: Apache-2.0
 *
 * Step, and sleep when there is nothing to do: a thread that waits gives its core away.
 */
#include "run/loop.h"
#include "run/death.h"
#include <signal.h>
#include <string.h>

static void doze(struct loop *l, uint32_t seen)
{
	atomic_store_explicit(&l->asleep, true, memory_order_relaxed);
	bell_wait(l->bell, seen, l->pause_ms(l->of));
	atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
}

static void *run(void *arg)
{
	struct loop *l = arg;
	enum step s = STEP_MORE;
	uint64_t turns = atomic_load(&l->turns);
	void *stack = death_stack();

	while (!atomic_load(&l->stop)) {
		uint32_t seen = bell_read(l->bell);
		s = l->step(l->of);
		atomic_store_explicit(&l->turns, ++turns, memory_order_relaxed);
		if (s == STEP_DONE || s == STEP_FAILED)
			break;
		if (s == STEP_IDLE)
			doze(l, seen);
	}
	death_stack_free(stack);
	atomic_store(&l->result, (int)s);
	atomic_store(&l->over, true);
	if (l->ended)
		l->ended(l->arg);
	return NULL;
}

int loop_start(struct loop *l, const char *name)
{
	pthread_attr_t attr;
	sigset_t all, before;
	char short_name[16] = { 0 };
	int rc;

	/* Signals are the main thread's, but for those that mean this one */
	sigfillset(&all);
	death_let_through(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1024 * 1024);
	rc = pthread_create(&l->thread, &attr, run, l);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return rc;
	l->started = true;
	for (size_t i = 0; i + 1 < sizeof short_name && name[i]; i++)
		short_name[i] = name[i];
	pthread_setname_np(l->thread, short_name);
	return 0;
}

bool loop_alive(struct loop *l)
{
	uint64_t turns = atomic_load(&l->turns);
	bool moved = turns != l->seen;

	l->seen = turns;
	return moved || !l->started || atomic_load(&l->asleep) || atomic_load(&l->over);
}

void loop_join(struct loop *l)
{
	if (l->started)
		pthread_join(l->thread, NULL);
	l->started = false;
}
