/* SPDX-License-Identifier: Apache-2.0
 *
 * Drawn from counters that the loops publish; it never touches their data.
 */
#include "run/progress.h"
#include "base/log.h"
#include "base/os.h"
#include "run/screen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 28

struct progress {
	const struct pipeline *pipeline;
	struct pump *const *pumps;
	uint32_t n_pumps;
	uint64_t recorded; /* replay: the last seq of the tape */
	int64_t started, last_at;
	uint64_t last_events;
	double rate; /* smoothed */
};

const char *count_text(char *out, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n), k = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = '\0';
	return out;
}

const char *rate_text(char *out, double r)
{
	if (r >= 1e6)
		snprintf(out, 16, "%.1f M", r / 1e6);
	else if (r >= 1e3)
		snprintf(out, 16, "%.1f k", r / 1e3);
	else
		snprintf(out, 16, "%.0f", r);
	return out;
}

struct progress *progress_new(const struct pipeline *p, struct pump *const *pumps, uint32_t n,
			      const struct store *recording)
{
	struct progress *g = calloc(1, sizeof *g);

	if (!g)
		return NULL; /* a run without a bar is still a run */
	g->pipeline = p;
	g->pumps = pumps;
	g->n_pumps = n;
	g->recorded = recording ? store_last_seq(recording) : 0;
	g->started = g->last_at = os->mono();
	log_around(screen_begin, screen_end);
	return g;
}

static double share_done(const struct progress *g, const struct pipeline_stats *ps)
{
	uint64_t done = 0, total = 0;

	if (g->recorded)
		return (double)ps->events / (double)g->recorded;
	for (uint32_t i = 0; i < g->n_pumps; i++) {
		struct pump_stats s;
		pump_stats(g->pumps[i], &s);
		if (!s.total)
			return 0;
		done += s.done;
		total += s.total;
	}
	return total ? (double)done / (double)total : 0;
}

void progress_draw(struct progress *g)
{
	struct pipeline_stats ps;
	int64_t now = os->mono();
	char line[256], bar[WIDTH + 1], events[32], rate[16], left[32] = "";
	double share, now_rate;
	int filled;

	if (!g || now - g->started < 400000000) /* a short run needs none */
		return;
	pipeline_stats(g->pipeline, &ps);
	share = share_done(g, &ps);
	if (share > 1)
		share = 1;
	now_rate = now > g->last_at ? (double)(ps.events - g->last_events) * 1e9 / (double)(now - g->last_at) : 0;
	g->rate = g->rate > 0 ? 0.8 * g->rate + 0.2 * now_rate : now_rate;
	g->last_at = now;
	g->last_events = ps.events;
	filled = (int)(share * WIDTH);
	memset(bar, ' ', WIDTH);
	memset(bar, '=', (size_t)filled);
	if (filled < WIDTH)
		bar[filled] = '>';
	bar[WIDTH] = '\0';
	if (share > 0.001) {
		double s = (double)(now - g->started) / 1e9 * (1 - share) / share;
		if (s < 3600)
			snprintf(left, sizeof left, "  %d:%02d left", (int)s / 60, (int)s % 60);
		else
			snprintf(left, sizeof left, "  %.1f h left", s / 3600);
	}
	snprintf(line, sizeof line, "[%s] %3.0f %%  %s events  %s events/s%s", bar, share * 100,
		 count_text(events, ps.events), rate_text(rate, g->rate), left);
	screen_bar(line);
}

void progress_end(struct progress *g)
{
	if (g)
		screen_bar("");
}

void progress_free(struct progress *g)
{
	if (!g)
		return;
	log_around(NULL, NULL);
	free(g);
}
