/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate: as many seeds as are asked for, and the sums.
 */
#include "base/log.h"
#include "base/os.h"
#include "sim.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: simulate [--seeds N] [--first S] [--seed S] [--verbose] [--tap]\n"
			    "\n"
			    "The whole host in one thread, under one scheduler that a seed drives, with a simulated "
			    "disk and clock that crash,\n"
			    "fail and fill up; then every log compared with runs to which nothing happened.\n"
			    "\n"
			    "  --seeds N   so many seeds (1000)\n"
			    "  --first S   from seed S on (1)\n"
			    "  --seed S    this one only; it goes as it went before\n"
			    "  --verbose   every step\n"
			    "  --tap       a last line for test harnesses\n";

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool tap;

static int options(int argc, char **argv, uint64_t *first, uint64_t *seeds)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
		} else if (!strcmp(argv[i], "--tap")) {
			tap = true;
		} else if (!strcmp(argv[i], "--seeds") && more && number(argv[i + 1], seeds)) {
			i++;
		} else if (!strcmp(argv[i], "--first") && more && number(argv[i + 1], first)) {
			i++;
		} else if (!strcmp(argv[i], "--seed") && more && number(argv[i + 1], first)) {
			*seeds = 1;
			i++;
		} else {
			fputs(usage, !strcmp(argv[i], "--help") ? stdout : stderr);
			return !strcmp(argv[i], "--help") ? 0 : 2;
		}
	}
	return -1;
}

static void summary(const struct tally *t, uint64_t first, double seconds, bool good)
{
	printf("%" PRIu64 " seeds from %" PRIu64 " in %.1f s: %.0f a minute\n", t->seeds, first, seconds,
	       seconds > 0 ? (double)t->seeds * 60 / seconds : 0);
	printf("  %" PRIu64 " starts, %" PRIu64 " steps, %" PRIu64 " clean stops\n", t->starts, t->steps, t->stops);
	printf("  %" PRIu64 " crashes: %" PRIu64 " between steps, %" PRIu64 " in commits, %" PRIu64
	       " at crash points, %" PRIu64 " soon after a start, %" PRIu64 " by a failed sync\n",
	       t->crashes, t->crashes_step, t->crashes_commit, t->crashes_point, t->crashes_start, t->crashes_fatal);
	printf("  %" PRIu64 " commits, %" PRIu64 " times a full disk, %" PRIu64 " segments rolled\n", t->commits,
	       t->full, t->segments);
	printf("  %" PRIu64 " events (%" PRIu64 " of the host's clock), %" PRIu64 " dead letters, %" PRIu64
	       " rows skipped\n",
	       t->events, t->clock_events, t->dead, t->skipped);
	printf("  %" PRIu64 " alerts and scores logged; %" PRIu64 " compared, %" PRIu64 " states compared\n", t->alerts,
	       t->compared, t->states);
	printf("  %" PRIu64 " records accepted by sinks, %" PRIu64 " of them again, %" PRIu64 " refused\n",
	       t->delivered, t->repeated, t->refused);
	printf("  %" PRIu64 " errors of sources, %" PRIu64 " of sinks, %" PRIu64 " allocations refused\n",
	       t->source_errors, t->sink_errors, t->starved);
	kernel_points_print();
	printf("%s violations\n", good ? "0" : "1 or more");
}

int main(int argc, char **argv)
{
	struct tally t = { 0 };
	uint64_t first = 1, seeds = 1000;
	bool good = true;
	int64_t start;
	int rc = options(argc, argv, &first, &seeds);

	if (rc >= 0)
		return rc;
	/* big tables are asked for at each start and hardly touched: fresh zero pages are cheaper than clearing old
	 * ones */
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	kernel_install();
	log_setup(LOG_TEXT, verbose ? TW_LOG_DEBUG : TW_LOG_ERROR + 1);
	start = os_real.mono();
	for (uint64_t i = 0; i < seeds && good; i++)
		good = seed_run(first + i, &t);
	plugins_free(plugins_new(NULL));
	summary(&t, first, (double)(os_real.mono() - start) / 1e9, good);
	if (tap)
		printf("%s 1 - a simulation of %" PRIu64 " seeds\n", good ? "ok" : "not ok", seeds);
	(void)fflush(stdout); /* before a sanitizer has the last word */
	return good ? 0 : 1;
}
