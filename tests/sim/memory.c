/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that runs out: the linker sends every allocation of the program here (--wrap), and one of those that the host
 * makes within a step may fail. The simulator's own do not: it could not go on.
 */
#include "sim.h"
#include <stdlib.h>

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);

static uint32_t calm; /* how deep in the simulator's own code */

void calm_begin(void)
{
	calm++;
}

void calm_end(void)
{
	calm--;
}

static bool refused(void)
{
	if (!sim || !sim->memory_fuse || calm || --sim->memory_fuse)
		return false;
	sim->starved = true;
	sim->tally->starved++;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refused() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return refused() ? NULL : __real_aligned_alloc(align, n);
}
