/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of plugins. A registry of the run holds families of series; an instance holds on to those it registered.
 * Registering and rendering take a lock, counting does not.
 */
#include "base/err.h"
#include "event/utf8.h"
#include "ext/ext_impl.h"
#include "ext/prom.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SERIES 4096u /* of all instances */
#define MAX_NAME   60u
#define MAX_VALUE  120u

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_names[] = { "counter", "gauge", "histogram" };

struct tw_metric {
	enum type type;
	char *labels; /* as they are written: instance="ticks",side="buy" */
	uint32_t holders, n_bounds;
	struct tw_metric *next;
	double *bounds;
	_Atomic uint64_t count;    /* of a counter or a histogram */
	_Atomic uint64_t bits;     /* a double: value of a gauge, sum of a histogram */
	_Atomic uint64_t *buckets; /* what fell into each; the last: above all bounds */
};

struct family {
	char *name, *help;
	enum type type;
	struct tw_metric *series;
	struct family *next; /* ascending names */
};

struct registry {
	pthread_mutex_t lock;
	struct family *families;
	uint32_t n_series;
};

struct metrics_service {
	struct tw_metrics pub;
	struct ext *ext;
	struct tw_metric *held[TW_METRIC_SERIES];
	uint32_t n_held;
};

static double double_of(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

static uint64_t bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return bits;
}

/* ---- counting ---- */

static void metric_add(struct tw_metric *m, uint64_t n)
{
	if (m && m->type == COUNTER)
		atomic_fetch_add_explicit(&m->count, n, memory_order_relaxed);
}

static void metric_set(struct tw_metric *m, double value)
{
	if (m && m->type == GAUGE)
		atomic_store_explicit(&m->bits, bits_of(value), memory_order_relaxed);
}

static void metric_observe(struct tw_metric *m, double value)
{
	uint64_t before, after;
	uint32_t i = 0;

	if (!m || m->type != HISTOGRAM || isnan(value))
		return;
	while (i < m->n_bounds && value > m->bounds[i])
		i++;
	atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
	before = atomic_load_explicit(&m->bits, memory_order_relaxed);
	do
		after = bits_of(double_of(before) + value);
	while (!atomic_compare_exchange_weak_explicit(&m->bits, &before, after, memory_order_relaxed,
						      memory_order_relaxed));
}

/* ---- registering ---- */

static bool name_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > MAX_NAME || s[0] < 'a' || s[0] > 'z')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static int32_t check(const char *name, const char *help, const char *const *labels, const double *bounds, uint32_t n,
		     enum type type, struct tw_err *err)
{
	uint32_t k = 0;

	if (!name_ok(name))
		return err_set(err, TW_E_CONFIG, "metric '%.80s': a name is [a-z][a-z0-9_]*, at most %u characters",
			       name ? name : "", MAX_NAME);
	if (!help || !*help)
		return err_set(err, TW_E_CONFIG, "metric '%s' has no help: say in a sentence what it counts", name);
	for (; labels && labels[2 * k]; k++) {
		const char *key = labels[2 * k], *value = labels[2 * k + 1];
		bool taken = strcmp(key, "instance") == 0 || strcmp(key, "le") == 0;
		if (k == TW_METRIC_LABELS)
			return err_set(err, TW_E_CONFIG, "metric '%s' has more than %u labels", name, TW_METRIC_LABELS);
		if (!name_ok(key) || taken)
			return err_set(err, TW_E_CONFIG, "metric '%s': label '%.80s' is %s", name, key,
				       taken ? "the host's own" : "no name such as side");
		for (uint32_t i = 0; i < k; i++)
			if (strcmp(labels[2 * i], key) == 0)
				return err_set(err, TW_E_CONFIG, "metric '%s' has label '%s' twice", name, key);
		if (!value || strlen(value) > MAX_VALUE || utf8_span(value, strlen(value), UTF8_ANY) != strlen(value))
			return err_set(err, TW_E_CONFIG,
				       "metric '%s': the value of label '%s' is not at most %u bytes of UTF-8", name,
				       key, MAX_VALUE);
	}
	if (type == HISTOGRAM && (n < 1 || n > TW_METRIC_BUCKETS))
		return err_set(err, TW_E_CONFIG, "metric '%s' has %u bounds; expected 1 to %u", name, n,
			       TW_METRIC_BUCKETS);
	for (uint32_t i = 0; i < n; i++)
		if (!isfinite(bounds[i]) || (i && bounds[i] <= bounds[i - 1]))
			return err_set(err, TW_E_CONFIG, "metric '%s': its bounds are not finite and ascending", name);
	return TW_OK;
}

static void series_free(struct tw_metric *m)
{
	if (!m)
		return;
	free(m->labels);
	free(m->bounds);
	free((void *)m->buckets);
	free(m);
}

static void family_free(struct family *f)
{
	free(f->name);
	free(f->help);
	free(f);
}

static char *label_text(const struct ext *x, const char *const *labels)
{
	struct buf out = { 0 };
	int bad = prom_label(&out, true, "instance", x->instance);

	for (uint32_t i = 0; labels && labels[i]; i += 2)
		bad |= prom_label(&out, false, labels[i], labels[i + 1]);
	bad |= buf_add(&out, "", 1);
	if (bad) {
		buf_free(&out);
		return NULL;
	}
	return (char *)out.data;
}

/* tapewatch_plugin_PLUGIN_NAME, counters with _total. Names of plugins may hold a '-', those of metrics not. */
static char *family_name(const struct ext *x, const char *name, enum type type)
{
	static const char head[] = "tapewatch_plugin_", total[] = "_total";
	size_t n = strlen(name), tail = sizeof total - 1;
	bool add = type == COUNTER && (n < tail || strcmp(name + n - tail, total) != 0);
	struct buf out = { 0 };

	if (buf_addf(&out, "%s%s_%s%s", head, x->plugin, name, add ? total : "") != 0 || buf_add(&out, "", 1) != 0) {
		buf_free(&out);
		return NULL;
	}
	for (char *p = (char *)out.data; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *p))
			*p = '_';
	return (char *)out.data;
}

static struct tw_metric *series_new(enum type type, char *labels, const double *bounds, uint32_t n)
{
	struct tw_metric *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->type = type;
	m->n_bounds = n;
	if (n) {
		m->bounds = malloc(n * sizeof *m->bounds);
		m->buckets = calloc(n + 1, sizeof *m->buckets);
		if (!m->bounds || !m->buckets) {
			series_free(m);
			return NULL;
		}
		memcpy(m->bounds, bounds, n * sizeof *bounds);
	}
	m->labels = labels;
	return m;
}

/* The family of that name, made when there is none. */
static struct family *family_get(struct registry *r, char **name, const char *help, enum type type)
{
	struct family **at = &r->families, *f;

	while (*at && strcmp((*at)->name, *name) < 0)
		at = &(*at)->next;
	if (*at && strcmp((*at)->name, *name) == 0)
		return *at;
	f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->help = strdup(help);
	if (!f->help) {
		free(f);
		return NULL;
	}
	f->name = *name;
	*name = NULL;
	f->type = type;
	f->next = *at;
	*at = f;
	return f;
}

static bool same_bounds(const struct tw_metric *m, const double *bounds, uint32_t n)
{
	return m->n_bounds == n && (!n || memcmp(m->bounds, bounds, n * sizeof *bounds) == 0);
}

/* Under the lock of the registry. The series is held once more if it is new to this instance. */
static struct tw_metric *series_get(struct metrics_service *s, struct family *f, char **labels, const double *bounds,
				    uint32_t n, struct tw_err *err)
{
	struct registry *r = s->ext->services->registry;
	struct tw_metric *m = f->series, **last = &f->series;

	for (; m && strcmp(m->labels, *labels) != 0; m = m->next)
		last = &m->next;
	for (uint32_t i = 0; m && i < s->n_held; i++)
		if (s->held[i] == m)
			return m;
	if (s->n_held == TW_METRIC_SERIES) {
		err_set(err, TW_E_CONFIG, "metrics: an instance has at most %u of them", TW_METRIC_SERIES);
		return NULL;
	}
	if (m && !same_bounds(m, bounds, n)) {
		err_set(err, TW_E_CONFIG, "metric '%s' is there with other bounds", f->name);
		return NULL;
	}
	if (!m) {
		if (r->n_series == MAX_SERIES) {
			err_set(err, TW_E_CONFIG, "metrics: all instances together have at most %u", MAX_SERIES);
			return NULL;
		}
		m = series_new(f->type, *labels, bounds, n);
		if (!m) {
			err_set(err, TW_E_FATAL, "memory is out");
			return NULL;
		}
		*labels = NULL;
		*last = m;
		r->n_series++;
	}
	m->holders++;
	s->held[s->n_held++] = m;
	return m;
}

/* A family without series is not one. */
static void sweep(struct registry *r)
{
	struct family **at = &r->families;

	while (*at) {
		struct family *f = *at;
		if (f->series) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		family_free(f);
	}
}

static struct tw_metric *get(const struct tw_metrics *pub, enum type type, const char *name, const char *help,
			     const char *const *labels, const double *bounds, uint32_t n, struct tw_err *err)
{
	struct metrics_service *s = (struct metrics_service *)(void *)(uintptr_t)pub;
	struct registry *r = s->ext->services->registry;
	struct tw_metric *m = NULL;
	struct family *f;
	char *full, *text;

	if (check(name, help, labels, bounds, n, type, err) < 0)
		return NULL;
	full = family_name(s->ext, name, type);
	text = label_text(s->ext, labels);
	if (!full || !text) {
		err_set(err, TW_E_FATAL, "memory is out");
		goto out;
	}
	pthread_mutex_lock(&r->lock);
	f = family_get(r, &full, help, type);
	if (!f)
		err_set(err, TW_E_FATAL, "memory is out");
	else if (f->type != type)
		err_set(err, TW_E_CONFIG, "metric '%s' is a %s already, and cannot be a %s", f->name,
			type_names[f->type], type_names[type]);
	else
		m = series_get(s, f, &text, bounds, n, err);
	sweep(r);
	pthread_mutex_unlock(&r->lock);
out:
	free(full);
	free(text);
	return m;
}

static struct tw_metric *counter(const struct tw_metrics *s, const char *name, const char *help,
				 const char *const *labels, struct tw_err *err)
{
	return get(s, COUNTER, name, help, labels, NULL, 0, err);
}

static struct tw_metric *gauge(const struct tw_metrics *s, const char *name, const char *help,
			       const char *const *labels, struct tw_err *err)
{
	return get(s, GAUGE, name, help, labels, NULL, 0, err);
}

static struct tw_metric *histogram(const struct tw_metrics *s, const char *name, const char *help,
				   const char *const *labels, const double *bounds, uint32_t n, struct tw_err *err)
{
	return get(s, HISTOGRAM, name, help, labels, bounds, n, err);
}

void *metrics_service_new(struct ext *x)
{
	struct metrics_service *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->ext = x;
	s->pub = (struct tw_metrics){ .struct_size = sizeof s->pub,
				      .counter = counter,
				      .gauge = gauge,
				      .histogram = histogram,
				      .add = metric_add,
				      .set = metric_set,
				      .observe = metric_observe };
	return s;
}

void metrics_service_free(void *of)
{
	struct metrics_service *s = of;
	struct registry *r = s->ext->services->registry;

	pthread_mutex_lock(&r->lock);
	for (uint32_t i = 0; i < s->n_held; i++)
		s->held[i]->holders--;
	for (struct family *f = r->families; f; f = f->next)
		for (struct tw_metric **at = &f->series; *at;) {
			struct tw_metric *m = *at;
			if (m->holders) {
				at = &m->next;
				continue;
			}
			*at = m->next;
			series_free(m);
			r->n_series--;
		}
	sweep(r);
	pthread_mutex_unlock(&r->lock);
	free(s);
}

/* ---- the registry ---- */

struct registry *registry_new(void)
{
	struct registry *r = calloc(1, sizeof *r);

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r); /* the families went with their instances */
}

static int render_histogram(struct buf *out, const struct family *f, const struct tw_metric *m)
{
	uint64_t sum = 0;
	int bad = 0;

	for (uint32_t i = 0; i <= m->n_bounds; i++) {
		sum += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		bad |= buf_addf(out, "%s_bucket{%s,le=\"", f->name, m->labels);
		bad |= prom_number(out, i < m->n_bounds ? m->bounds[i] : (double)INFINITY);
		bad |= buf_addf(out, "\"} %" PRIu64 "\n", sum);
	}
	bad |= buf_addf(out, "%s_sum{%s} ", f->name, m->labels);
	bad |= prom_number(out, double_of(atomic_load_explicit(&m->bits, memory_order_relaxed)));
	return bad | buf_addf(out, "\n%s_count{%s} %" PRIu64 "\n", f->name, m->labels, sum);
}

int registry_render(struct registry *r, struct buf *out)
{
	int bad = 0;

	pthread_mutex_lock(&r->lock);
	for (const struct family *f = r->families; f; f = f->next) {
		bad |= prom_family(out, f->name, type_names[f->type], f->help);
		for (const struct tw_metric *m = f->series; m; m = m->next) {
			if (f->type == HISTOGRAM) {
				bad |= render_histogram(out, f, m);
				continue;
			}
			bad |= buf_addf(out, "%s{%s} ", f->name, m->labels);
			if (f->type == COUNTER)
				bad |= buf_addf(out, "%" PRIu64 "\n",
						atomic_load_explicit(&m->count, memory_order_relaxed));
			else
				bad |= prom_number(out,
						   double_of(atomic_load_explicit(&m->bits, memory_order_relaxed))) |
				       buf_add(out, "\n", 1);
		}
	}
	pthread_mutex_unlock(&r->lock);
	return bad;
}
