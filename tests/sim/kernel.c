/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated kernel: a clock that goes when the scheduler says so and randomness out of the seed, in the table of
 * core/base/os.h; and the crash points, each of which may be where the process dies. Files are the real kernel's: the
 * simulation opens none.
 */
#include "base/crash.h"
#include "base/os.h"
#include "sim.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct world *sim;
bool verbose;

int64_t sim_mono(void)
{
	return sim ? sim->now - sim->boot + SECOND : 0;
}

int64_t sim_wall(void)
{
	return sim ? sim->plan.begin + sim->now + sim->wall_off : 0;
}

static int sim_random(void *out, size_t n)
{
	unsigned char *p = out;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)rng_next(&sim->rng);
	return 0;
}

void kernel_install(void)
{
	static struct os table;

	table = os_real;
	table.wall = sim_wall;
	table.mono = sim_mono;
	table.random = sim_random;
	os = &table;
}

/* ---- crash points: in the place of core/base/crash.c ---- */

#define MAX_POINTS 128u

_Atomic bool crash_watched = true;

static struct point {
	const char *name;
	uint64_t passed, deaths;
} points[MAX_POINTS];
static uint32_t n_points;

static struct point *point(const char *name)
{
	uint32_t i = 0;

	while (i < n_points && strcmp(points[i].name, name) != 0)
		i++;
	if (i == n_points && n_points < MAX_POINTS)
		points[n_points++].name = name;
	return &points[i < MAX_POINTS ? i : MAX_POINTS - 1];
}

void crash_point(const char *name)
{
	struct point *p = point(name);

	p->passed++;
	if (sim->dead || !sim->trouble || !sim->crashes_left || !rng_chance(&sim->rng, sim->faults.crash_point))
		return;
	p->deaths++;
	die_now(&sim->tally->crashes_point, name);
}

void kernel_points_print(void)
{
	for (uint32_t i = 0; i < n_points; i++)
		printf("  died %8" PRIu64 " times of %10" PRIu64 " at %s\n", points[i].deaths, points[i].passed,
		       points[i].name);
}

/* ---- words ---- */

void violate(const char *fmt, ...)
{
	va_list ap;

	if (sim->violated)
		return;
	sim->violated = sim->dead = true;
	va_start(ap, fmt);
	(void)vsnprintf(sim->what, sizeof sim->what, fmt, ap);
	va_end(ap);
}

void say(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	printf("%6" PRIu64 " %9.3f s  ", sim->step, (double)sim->now / 1e9);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout); /* in step with the log on stderr */
}

void die_now(uint64_t *counter, const char *where)
{
	say("the process dies: %s", where);
	sim->dead = true;
	if (sim->crashes_left)
		sim->crashes_left--;
	++*counter;
	sim->tally->crashes++;
}
