/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows from a result and the counts of its run.
 */
#include "backtest/rows.h"
#include "base/err.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct target *target_of(const struct target *list, uint32_t n, const char *detector)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(list[i].detector, detector))
			return &list[i];
	return NULL;
}

static double per_event(uint64_t ns, const struct outcome *o)
{
	return o->events ? (double)ns / (double)o->events : (double)NAN;
}

int32_t rows_make(struct rows *rows, const struct result *r, const struct outcome *o, const struct matching *m,
		  const struct target *targets, uint32_t n_targets, struct intern *names, struct tw_err *e)
{
	uint32_t n = o->n_detectors + (o->n_detectors > 1);
	struct row *list = calloc(n ? n : 1, sizeof *list);
	int32_t rc = list ? TW_OK : err_set(e, TW_E_FATAL, "memory is out");
	uint64_t busy = 0;

	for (uint32_t i = 0; i < o->n_detectors && rc == TW_OK; i++) {
		const struct outcome_detector *d = &o->detectors[i];
		uint32_t id = intern_id(names, d->name, strlen(d->name));
		const struct target *t = target_of(targets, n_targets, d->name);
		list[i] = (struct row){ .detector = intern_name(names, id),
					.events = d->events,
					.quiet = d->quiet,
					.warming = d->warming,
					.errors = d->errors,
					.quarantined = d->quarantined,
					.busy_ns = d->busy_ns,
					.ns = per_event(d->busy_ns, o) };
		busy += d->busy_ns;
		rc = score_metrics(r, m, id, t ? t->categories : NULL, t ? t->n : 0, &list[i].m, e);
	}
	if (rc == TW_OK && o->n_detectors > 1) {
		struct row *all = &list[o->n_detectors];
		*all = (struct row){ .detector = "", .events = o->events, .busy_ns = busy, .ns = per_event(busy, o) };
		rc = score_metrics(r, m, 0, NULL, 0, &all->m, e);
	}
	if (rc < 0) {
		free(list);
		return rc;
	}
	*rows = (struct rows){ .list = list, .n = n };
	return TW_OK;
}

const struct row *rows_find(const struct rows *rows, const char *detector)
{
	for (uint32_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->list[i].detector, detector))
			return &rows->list[i];
	return NULL;
}

void rows_free(struct rows *rows)
{
	free(rows->list);
	*rows = (struct rows){ 0 };
}
