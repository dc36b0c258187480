/* SPDX-License-Identifier: Apache-2.0
 *
 * All of a backtest as one JSON object.
 */
#include "base/format.h"
#include "cli/backtest.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NULL in, NULL out: what could not be made shows at the end. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *text(const char *s, size_t len)
{
	json_t *v = json_stringn(s ? s : "", len);

	return v ? v : json_string("(not UTF-8)");
}

static json_t *stamp(int64_t ts)
{
	char out[40];

	return json_stringn(out, (size_t)format_time(out, ts));
}

static json_t *row_json(const struct backtest *b, const struct row *r)
{
	static const char *const areas[] = { NULL, "alerts", "scores" };
	const struct metrics *m = &r->m;
	json_t *o = json_object();
	int rc = json_object_set_new(o, "detector", *r->detector ? json_string(r->detector) : json_null());

	rc |= json_object_set_new(o, "events", json_integer((json_int_t)r->events));
	rc |= json_object_set_new(o, "alerts", json_integer((json_int_t)m->alerts));
	rc |= json_object_set_new(o, "episodes", json_integer((json_int_t)m->episodes));
	rc |= json_object_set_new(o, "quiet", json_integer((json_int_t)r->quiet));
	rc |= json_object_set_new(o, "warming", json_integer((json_int_t)r->warming));
	rc |= json_object_set_new(o, "errors", json_integer((json_int_t)r->errors));
	if (b->m.labels) {
		rc |= json_object_set_new(o, "alerts_inside", json_integer((json_int_t)m->inside));
		rc |= json_object_set_new(o, "episodes_right", json_integer((json_int_t)m->right));
		rc |= json_object_set_new(o, "labels", json_integer((json_int_t)m->labels));
		rc |= json_object_set_new(o, "labels_found", json_integer((json_int_t)m->found));
		rc |= json_object_set_new(o, "precision", number(m->precision));
		rc |= json_object_set_new(o, "precision_alerts", number(m->precision_alerts));
		rc |= json_object_set_new(o, "recall", number(m->recall));
		rc |= json_object_set_new(o, "f1", number(m->f1));
		rc |= json_object_set_new(o, "pr_auc", number(m->auc));
		rc |= json_object_set_new(o, "pr_auc_of",
					  areas[m->auc_of] ? json_string(areas[m->auc_of]) : json_null());
		rc |= json_object_set_new(o, "delay_s", number(m->delay));
	}
	rc |= json_object_set_new(o, "busy_ns", json_integer((json_int_t)r->busy_ns));
	rc |= json_object_set_new(o, "ns_per_event", number(r->ns));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *rows_json(const struct backtest *b, const struct rows *rows)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < rows->n; i++)
		if (json_array_append_new(list, row_json(b, &rows->list[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *backtest_found_json(const struct backtest *b, const struct result *r, const struct found *f)
{
	static const char *const severities[] = { "none", "info", "low", "medium", "high", "critical" };
	uint32_t ids[4] = { f->detector, f->type, f->symbol, f->account };
	static const char *const names[4] = { "detector", "type", "symbol", "account" };
	json_t *o = json_object();
	int rc = json_object_set_new(o, "ts", stamp(f->ts));

	rc |= json_object_set_new(o, "seq", json_integer((json_int_t)f->seq));
	for (size_t i = 0; i < 4; i++)
		if (ids[i])
			rc |= json_object_set_new(o, names[i],
						  text(intern_name(b->names, ids[i]), intern_len(b->names, ids[i])));
	rc |= json_object_set_new(o, "severity", json_string(severities[f->severity < 6 ? f->severity : 0]));
	rc |= json_object_set_new(o, "score", number(f->score));
	rc |= json_object_set_new(
		o, "reason", text(r->reasons.data ? (const char *)r->reasons.data + f->reason : "", f->reason_len));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *sweep_json(const struct backtest *b)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < b->sweep.runs && rc == 0; i++) {
		json_t *run = json_object(), *options = json_object();
		for (uint32_t k = 0; k < b->sweep.n; k++)
			rc |= json_object_set_new(options, b->sweep.axes[k].name,
						  json_string(sweep_value(&b->sweep, i, k)));
		rc |= json_object_set_new(run, "options", options);
		rc |= json_object_set_new(run, "detectors", rows_json(b, &b->sweep_runs[i].rows));
		rc |= json_array_append_new(list, run);
	}
	return list;
}

static json_t *compare_json(const struct backtest *b)
{
	json_t *o = json_object(), *list = json_array();
	int rc = json_object_set_new(o, "with", json_string(b->a->compare));

	rc |= json_object_set_new(o, "same", json_integer((json_int_t)b->changes.same));
	for (int k = 0; k < CHANGE_KINDS; k++)
		rc |= json_object_set_new(o, change_names[k], json_integer((json_int_t)b->changes.kinds[k]));
	rc |= json_object_set_new(o, "detectors", rows_json(b, &b->other_rows));
	for (uint32_t i = 0; i < b->changes.n && rc == 0; i++) {
		const struct change *c = &b->changes.list[i];
		json_t *one = json_object();
		rc |= json_object_set_new(one, "change", json_string(change_names[c->kind]));
		if (c->before)
			rc |= json_object_set_new(one, "before", backtest_found_json(b, &b->result, c->before));
		if (c->after)
			rc |= json_object_set_new(one, "after", backtest_found_json(b, &b->other, c->after));
		rc |= json_array_append_new(list, one);
	}
	rc |= json_object_set_new(o, "alerts", list);
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *causality_json(const struct backtest *b)
{
	const struct causality_fault *f = &b->fault;
	json_t *o = json_object(), *first;
	int rc = json_object_set_new(o, "prefixes", json_integer(b->prefixes));

	rc |= json_object_set_new(o, "look_ahead", json_boolean(b->faults > 0));
	rc |= json_object_set_new(o, "faults", json_integer(b->faults));
	rc |= json_object_set_new(o, "seed", json_integer((json_int_t)b->a->seed));
	if (b->faults) {
		first = json_object();
		rc |= json_object_set_new(first, "events", json_integer((json_int_t)f->until));
		rc |= json_object_set_new(first, "alerts_that_differ", json_integer((json_int_t)f->wrong));
		rc |= json_object_set_new(first, "all_data",
					  f->whole ? backtest_found_json(b, &b->result, f->whole) : json_null());
		rc |= json_object_set_new(first, "prefix",
					  f->prefix ? backtest_found_json(b, f->of_prefix, f->prefix) : json_null());
		rc |= json_object_set_new(o, "first", first);
	}
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

json_t *backtest_json(const struct backtest *b)
{
	json_t *o = json_object();
	int rc = json_object_set_new(o, "events", json_integer((json_int_t)b->outcome->events));

	rc |= json_object_set_new(o, "seconds", number(b->outcome->seconds));
	rc |= json_object_set_new(o, "refused", json_integer((json_int_t)b->outcome->dead));
	rc |= json_object_set_new(o, "left_out", json_integer((json_int_t)b->outcome->skipped));
	rc |= json_object_set_new(o, "labels", b->m.labels ? json_integer(b->labels.n) : json_null());
	rc |= json_object_set_new(o, "labels_outside",
				  json_integer((json_int_t)b->labels.outside + (json_int_t)b->labels.left_out));
	rc |= json_object_set_new(o, "tolerance_ns", json_integer(b->m.tolerance));
	rc |= json_object_set_new(o, "episode_ns", json_integer(b->m.episode));
	rc |= json_object_set_new(o, "detectors", rows_json(b, &b->rows));
	if (b->sweep.runs)
		rc |= json_object_set_new(o, "sweep", sweep_json(b));
	if (b->compared)
		rc |= json_object_set_new(o, "compare", compare_json(b));
	if (b->a->causality)
		rc |= json_object_set_new(o, "causality", causality_json(b));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

int backtest_print_json(struct backtest *b)
{
	json_t *o = backtest_json(b);
	char *dump = o ? json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	struct buf out = { 0 };
	int code = CLI_GO;

	if (!dump || buf_addf(&out, "%s\n", dump) != 0)
		code = cli_fail(CLI_USAGE, "backtest", "memory is out");
	else if (!cli_write(&out, "backtest", &code))
		b->faults = 0;
	buf_free(&out);
	free(dump);
	json_decref(o);
	return code;
}
