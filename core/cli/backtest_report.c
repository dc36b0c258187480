/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTML page with everything in it: the page is backtest_report.html, and here is what goes into it.
 */
#include "backtest/series.h"
#include "base/err.h"
#include "base/os.h"
#include "cli/backtest.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALERTS_SHOWN 5000u
#define LABELS_SHOWN 5000u
#define PLACE        "@DATA@"

/* core/cli/backtest_report.html, as it was when this was built */
extern const char report_html[], report_html_end[];
__asm__(".pushsection .rodata\n"
	".global report_html, report_html_end\n"
	"report_html:\n"
	".incbin \"" REPORT_HTML "\"\n"
	"report_html_end:\n"
	".byte 0\n"
	".popsection\n");

/* A script's text ends at "</script" wherever that stands; inside JSON a < is only ever part of a text. */
static int put_json(struct buf *out, const json_t *v)
{
	char *dump = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
	int rc = dump ? 0 : -1;

	for (const char *p = dump; p && rc == 0;) {
		size_t n = strcspn(p, "<");
		rc = buf_add(out, p, n);
		if (!p[n])
			break;
		rc |= buf_addf(out, "\\u003c");
		p += n + 1;
	}
	free(dump);
	return rc;
}

static json_t *name_json(const struct backtest *b, uint32_t id)
{
	const char *s = intern_name(b->names, id);
	json_t *v = json_stringn(s, intern_len(b->names, id));

	return v ? v : json_string("(not UTF-8)");
}

static double ms(int64_t ts)
{
	int64_t us = ts / 1000;

	return (double)us / 1000;
}

/* ---- lines ---- */

static int put_values(struct buf *out, const char *name, const double *v, uint32_t n)
{
	int rc = buf_addf(out, ",\"%s\":[", name);

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = (i ? buf_addf(out, ",") : 0) |
		     (isfinite(v[i]) ? buf_addf(out, "%.8g", v[i]) : buf_addf(out, "null"));
	return rc | buf_addf(out, "]");
}

static int put_times(struct buf *out, const char *name, const int64_t *at, uint32_t n)
{
	int rc = buf_addf(out, ",\"%s\":[", name);

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = buf_addf(out, "%s%.3f", i ? "," : "", ms(at[i]));
	return rc | buf_addf(out, "]");
}

static int put_series(const struct backtest *b, struct buf *out, const struct series *s)
{
	json_t *text = json_pack("[o]", name_json(b, s->name)); /* a text by itself is no JSON for older readers */
	int rc = text ? buf_addf(out, "{\"name\":") | put_json(out, text) : -1;

	json_decref(text);
	rc |= buf_addf(out, ",\"account\":%s,\"events\":%" PRIu64 ",\"alerts\":%" PRIu64 ",\"from\":%.3f,\"to\":%.3f",
		       s->account ? "true" : "false", s->events, s->alerts, ms(s->from), ms(s->to));
	if (s->points)
		rc |= put_times(out, "at", s->at, s->n);
	rc |= put_values(out, "low", s->low, s->n);
	if (memcmp(s->low, s->high, s->n * sizeof *s->low) != 0)
		rc |= put_values(out, "high", s->high, s->n);
	return rc | buf_addf(out, "}");
}

/* ---- alerts and labels ---- */

static int by_weight(const void *x, const void *y)
{
	const struct found *a = *(const struct found *const *)x, *b = *(const struct found *const *)y;

	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->score != b->score && !isnan(a->score) && !isnan(b->score))
		return a->score > b->score ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int by_place(const void *x, const void *y)
{
	const struct found *a = *(const struct found *const *)x, *b = *(const struct found *const *)y;

	return a < b ? -1 : a > b;
}

/* Where there are too many, those that weigh most. */
static json_t *alerts_json(const struct backtest *b)
{
	const struct result *r = &b->result;
	const struct found **order = malloc((r->n_alerts + 1) * sizeof *order);
	uint32_t n = r->n_alerts < ALERTS_SHOWN ? r->n_alerts : ALERTS_SHOWN;
	json_t *list = json_array();

	if (!order || !list) {
		free(order);
		json_decref(list);
		return NULL;
	}
	for (uint32_t i = 0; i < r->n_alerts; i++)
		order[i] = &r->alerts[i];
	if (n < r->n_alerts) {
		qsort(order, r->n_alerts, sizeof *order, by_weight);
		qsort(order, n, sizeof *order, by_place);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct found *f = order[i];
		json_t *o = backtest_found_json(b, r, f);
		int rc = json_object_set_new(o, "ms", json_real(ms(f->ts)));
		if (b->m.labels)
			rc |= json_object_set_new(
				o, "inside", json_boolean(score_inside(&b->m, f->ts, f->symbol, f->account, NULL)));
		rc |= json_array_append_new(list, o);
		if (rc != 0) {
			json_decref(list);
			list = NULL;
			break;
		}
	}
	free(order);
	return list;
}

static json_t *labels_json_list(const struct backtest *b)
{
	json_t *list = json_array();
	int rc = 0;

	for (uint32_t i = 0; i < b->labels.n && i < LABELS_SHOWN && rc == 0; i++) {
		const struct label *l = &b->labels.list[i];
		json_t *o = json_object();
		rc |= json_object_set_new(o, "from", json_real(ms(l->from)));
		rc |= json_object_set_new(o, "to", json_real(ms(l->to)));
		if (l->symbol)
			rc |= json_object_set_new(o, "symbol", name_json(b, l->symbol));
		if (l->account)
			rc |= json_object_set_new(o, "account", name_json(b, l->account));
		if (l->category)
			rc |= json_object_set_new(o, "category", name_json(b, l->category));
		rc |= json_array_append_new(list, o);
	}
	return list;
}

/* ---- the page ---- */

static int put_data(const struct backtest *b, const struct series_list *series, struct buf *out)
{
	json_t *o = backtest_json(b);
	int rc = json_object_set_new(o, "alerts", alerts_json(b));

	rc |= json_object_set_new(o, "alerts_in_all", json_integer(b->result.n_alerts));
	rc |= json_object_set_new(o, "stretches", labels_json_list(b));
	rc |= json_object_set_new(o, "lines_left_out", json_integer((json_int_t)series->left_out));
	rc |= json_object_set_new(o, "pipeline", json_string(b->base_variant.paths[0]));
	rc |= json_object_set_new(o, "label_origin", b->label_origin ? json_string(b->label_origin) : json_null());
	rc |= json_object_set_new(o, "version", json_string(TAPEWATCH_VERSION));
	if (rc == 0)
		rc = put_json(out, o);
	json_decref(o);
	if (rc != 0 || !out->len)
		return -1;
	out->len--; /* the brace: the lines go in before it */
	rc = buf_addf(out, ",\"lines\":[");
	for (uint32_t i = 0; i < series->n && rc == 0; i++)
		rc = (i ? buf_addf(out, ",") : 0) | put_series(b, out, &series->list[i]);
	return rc | buf_addf(out, "]}");
}

static int write_page(const char *path, const struct buf *data)
{
	const char *place = strstr(report_html, PLACE);
	const char *rest = place + strlen(PLACE);
	const struct {
		const void *p;
		size_t n;
	} parts[] = { { report_html, (size_t)(place - report_html) },
		      { data->data, data->len },
		      { rest, (size_t)(report_html_end - rest) } };
	int fd = os->open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		return cli_fail(CLI_GAVE_UP, "backtest", "--report: %s cannot be written: %s", path, strerror(errno));
	for (size_t i = 0; i < 3; i++)
		for (size_t done = 0; done < parts[i].n;) {
			ssize_t n = os->write(fd, (const char *)parts[i].p + done, parts[i].n - done);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				int why = n < 0 ? errno : EIO;
				(void)os->close(fd);
				return cli_fail(CLI_GAVE_UP, "backtest", "--report: %s cannot be written: %s", path,
						strerror(why));
			}
			done += (size_t)n;
		}
	if (os->close(fd) != 0)
		return cli_fail(CLI_GAVE_UP, "backtest", "--report: %s cannot be written: %s", path, strerror(errno));
	return CLI_GO;
}

int backtest_report(struct backtest *b)
{
	struct series_list series = { 0 };
	struct buf data = { 0 };
	struct tw_err e = { 0 };
	int32_t rc = series_read(&series, b->tape, &b->result, b->names, &e);
	int code;

	if (rc < 0)
		return backtest_fail(rc, &e);
	code = put_data(b, &series, &data) == 0 ? write_page(b->a->report, &data)
						: cli_fail(CLI_USAGE, "backtest", "memory is out");
	series_free(&series);
	buf_free(&data);
	return code;
}
