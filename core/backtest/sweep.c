/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading sweeps, and the combinations they give.
 */
#include "backtest/sweep.h"
#include "base/err.h"
#include <string.h>

/* A decimal with its unit: mantissa / 10^scale. */
struct decimal {
	int64_t mantissa;
	uint32_t scale;
	const char *unit;
	size_t unit_len;
};

static bool read_decimal(const char *s, size_t len, struct decimal *ret)
{
	struct decimal d = { 0 };
	size_t i = 0, digits = 0;
	bool minus = len && s[0] == '-', point = false;

	for (i += minus; i < len; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s[i] < '0' || s[i] > '9')
			break;
		if (++digits > 15)
			return false;
		d.mantissa = d.mantissa * 10 + (s[i] - '0');
		d.scale += point;
	}
	d.unit = s + i;
	d.unit_len = len - i;
	for (size_t k = 0; k < d.unit_len; k++)
		if (!((d.unit[k] >= 'a' && d.unit[k] <= 'z') || (d.unit[k] >= 'A' && d.unit[k] <= 'Z') ||
		      d.unit[k] == '%'))
			return false;
	if (minus)
		d.mantissa = -d.mantissa;
	*ret = d;
	return digits > 0;
}

static bool raise_scale(struct decimal *d, uint32_t scale)
{
	for (; d->scale < scale; d->scale++)
		if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa))
			return false;
	return true;
}

static const char *print_decimal(struct arena *a, const struct decimal *d, const char *unit, size_t unit_len)
{
	int64_t whole = d->mantissa, one = 1, part;
	uint32_t scale = d->scale;

	while (scale && whole % 10 == 0) {
		whole /= 10;
		scale--;
	}
	for (uint32_t i = 0; i < scale; i++)
		one *= 10;
	part = whole % one;
	if (!scale)
		return arena_printf(a, "%" PRId64 "%.*s", whole, (int)unit_len, unit);
	return arena_printf(a, "%s%" PRId64 ".%0*" PRId64 "%.*s", whole < 0 ? "-" : "",
			    (whole < 0 ? -whole : whole) / one, (int)scale, part < 0 ? -part : part, (int)unit_len,
			    unit);
}

static bool same_unit(const struct decimal *d, const struct decimal *hi)
{
	return !d->unit_len || (d->unit_len == hi->unit_len && !memcmp(d->unit, hi->unit, d->unit_len));
}

static int32_t add_value(struct sweep_axis *x, const char *value, struct tw_err *e)
{
	if (!value)
		return err_set(e, TW_E_FATAL, "memory is out");
	if (x->n == SWEEP_RUNS_MAX)
		return err_set(e, TW_E_CONFIG, "--sweep %s: more than %u values", x->name, SWEEP_RUNS_MAX);
	x->values[x->n++] = value;
	return TW_OK;
}

static int32_t add_range(struct sweep *s, struct sweep_axis *x, const char *item, size_t len, const char *dots,
			 struct tw_err *e)
{
	const char *second = dots + 2, *end = item + len;
	const char *colon = memchr(second, ':', (size_t)(end - second));
	struct decimal lo, hi, step = { .mantissa = 1 };
	uint32_t scale;
	int32_t rc = TW_OK;

	if (!read_decimal(item, (size_t)(dots - item), &lo) ||
	    !read_decimal(second, (size_t)((colon ? colon : end) - second), &hi) ||
	    (colon && !read_decimal(colon + 1, (size_t)(end - colon - 1), &step)))
		return err_set(e, TW_E_CONFIG, "--sweep %s: '%.*s' is no range; expected LO..HI:STEP such as 2..6:0.5",
			       x->name, (int)len, item);
	if (!same_unit(&lo, &hi) || !same_unit(&step, &hi))
		return err_set(e, TW_E_CONFIG, "--sweep %s: '%.*s': the units differ; expected one, such as 1m..5m:1m",
			       x->name, (int)len, item);
	scale = lo.scale > hi.scale ? lo.scale : hi.scale;
	scale = step.scale > scale ? step.scale : scale;
	if (!raise_scale(&lo, scale) || !raise_scale(&hi, scale) || !raise_scale(&step, scale))
		return err_set(e, TW_E_CONFIG, "--sweep %s: '%.*s' has too many digits", x->name, (int)len, item);
	if (step.mantissa <= 0 || lo.mantissa > hi.mantissa)
		return err_set(e, TW_E_CONFIG, "--sweep %s: '%.*s' is empty; expected LO below HI and a STEP above 0",
			       x->name, (int)len, item);
	for (struct decimal v = lo; rc == TW_OK && v.mantissa <= hi.mantissa; v.mantissa += step.mantissa)
		rc = add_value(x, print_decimal(&s->arena, &v, hi.unit, hi.unit_len), e);
	return rc;
}

int32_t sweep_add(struct sweep *s, const char *text, struct tw_err *e)
{
	const char *equals = strchr(text, '='), *dot;
	struct sweep_axis *x = &s->axes[s->n];
	int32_t rc = TW_OK;

	if (!equals || equals == text || !equals[1])
		return err_set(e, TW_E_CONFIG,
			       "--sweep: '%s' is no sweep; expected OPTION=LO..HI:STEP or OPTION=VALUE,VALUE", text);
	if (s->n == SWEEP_AXES_MAX)
		return err_set(e, TW_E_CONFIG, "--sweep: more than %u options", SWEEP_AXES_MAX);
	*x = (struct sweep_axis){ .name = arena_text(&s->arena, text, (size_t)(equals - text)),
				  .values = arena_alloc(&s->arena, SWEEP_RUNS_MAX * sizeof *x->values) };
	if (!x->name || !x->values)
		return err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->axes[i].name, x->name))
			return err_set(e, TW_E_CONFIG, "--sweep: '%s' is swept twice", x->name);
	dot = strrchr(x->name, '.');
	x->option = dot ? dot + 1 : x->name;
	if (dot) /* names of detectors may hold dots, those of options do not */
		x->detector = arena_text(&s->arena, x->name, (size_t)(dot - x->name));
	for (const char *p = equals + 1; rc == TW_OK; p++) {
		size_t len = strcspn(p, ",");
		const char *dots = NULL;
		for (size_t i = 0; i + 1 < len && !dots; i++)
			dots = p[i] == '.' && p[i + 1] == '.' ? p + i : NULL;
		if (!len)
			return err_set(e, TW_E_CONFIG, "--sweep %s: a value is missing", x->name);
		rc = dots ? add_range(s, x, p, len, dots, e) : add_value(x, arena_text(&s->arena, p, len), e);
		p += len;
		if (!*p)
			break;
	}
	if (rc != TW_OK)
		return rc;
	if ((s->runs ? s->runs : 1) * (uint64_t)x->n > SWEEP_RUNS_MAX)
		return err_set(e, TW_E_CONFIG, "--sweep: more than %u combinations", SWEEP_RUNS_MAX);
	s->runs = (s->runs ? s->runs : 1) * x->n;
	s->n++;
	return TW_OK;
}

/* ---- which detectors ---- */

static bool table_has(const struct tw_option *table, uint32_t size, const char *name)
{
	for (const char *row = (const char *)table; row; row += size) {
		const struct tw_option *o = (const struct tw_option *)(const void *)row;
		if (o->type == TW_T_END)
			return false;
		if (!strcmp(o->name, name))
			return true;
	}
	return false;
}

static bool has_option(const struct graph_node *n, const char *option)
{
	return table_has(n->plugin->options, n->plugin->option_size, option) ||
	       table_has(graph_detector_options, sizeof(struct tw_option), option);
}

static const char *near_option(const struct graph_node *n, const char *option)
{
	const char *words[256];
	uint32_t k = 0;

	for (const char *row = (const char *)n->plugin->options; row && k < 200; row += n->plugin->option_size) {
		const struct tw_option *o = (const struct tw_option *)(const void *)row;
		if (o->type == TW_T_END)
			break;
		words[k++] = o->name;
	}
	for (const struct tw_option *o = graph_detector_options; o->type != TW_T_END && k < 256; o++)
		words[k++] = o->name;
	return nearest(option, words, k);
}

static int32_t not_there(struct sweep *s, const struct sweep_axis *x, const struct graph *g, struct tw_err *e)
{
	const char *words[GRAPH_MAX_NODES], *near = NULL, *all = "";

	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const char *more = arena_printf(&s->arena, "%s%s%s", all, i ? ", " : "", graph_detector(g, i)->name);
		words[i] = graph_detector(g, i)->name;
		all = more ? more : all;
	}
	for (uint32_t i = 0; i < g->n_detectors; i++)
		if (!x->detector || !strcmp(x->detector, words[i]) || !strcmp(x->detector, "*")) {
			near = near ? near : near_option(graph_detector(g, i), x->option);
			if (x->detector && strcmp(x->detector, "*") != 0)
				return err_set(e, TW_E_CONFIG, "--sweep: detector '%s' has no option '%s'%s%s%s",
					       x->detector, x->option, near ? "; did you mean '" : "", near ? near : "",
					       near ? "'?" : "");
		}
	if (x->detector && strcmp(x->detector, "*") != 0) {
		near = nearest(x->detector, words, g->n_detectors);
		return err_set(e, TW_E_CONFIG, "--sweep: there is no detector '%s'; %s%s%s", x->detector,
			       near ? "did you mean '" : "there are: ", near ? near : all, near ? "'?" : "");
	}
	return err_set(e, TW_E_CONFIG, "--sweep: no detector has an option '%s'%s%s%s", x->option,
		       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int32_t bind_axis(struct sweep *s, struct sweep_axis *x, const struct graph *g, struct tw_err *e)
{
	x->detectors = arena_alloc(&s->arena, (g->n_detectors + 1) * sizeof *x->detectors);
	if (!x->detectors)
		return err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *n = graph_detector(g, i);
		if (x->detector && strcmp(x->detector, "*") != 0 && strcmp(x->detector, n->name) != 0)
			continue;
		if (!has_option(n, x->option))
			continue;
		x->detectors[x->n_detectors] = arena_text(&s->arena, n->name, strlen(n->name)); /* outlives the plan */
		if (!x->detectors[x->n_detectors++])
			return err_set(e, TW_E_FATAL, "memory is out");
	}
	if (!x->n_detectors)
		return not_there(s, x, g, e);
	if (!x->detector && x->n_detectors > 1)
		return err_set(
			e, TW_E_CONFIG,
			"--sweep: %u detectors have an option '%s': say which with %s.%s=..., or *.%s=... for all",
			x->n_detectors, x->option, x->detectors[0], x->option, x->option);
	return TW_OK;
}

int32_t sweep_bind(struct sweep *s, const struct graph *g, struct tw_err *e)
{
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < s->n && rc == TW_OK; i++)
		rc = bind_axis(s, &s->axes[i], g, e);
	return rc;
}

/* ---- combinations ---- */

const char *sweep_value(const struct sweep *s, uint32_t run, uint32_t axis)
{
	uint32_t after = 1;

	for (uint32_t i = axis + 1; i < s->n; i++)
		after *= s->axes[i].n;
	return s->axes[axis].values[run / after % s->axes[axis].n];
}

const struct config_edit *sweep_edits(struct sweep *s, uint32_t run, uint32_t *n)
{
	uint32_t total = 0, k = 0;
	struct config_edit *edits;

	for (uint32_t i = 0; i < s->n; i++)
		total += s->axes[i].n_detectors;
	edits = arena_alloc(&s->arena, (total + 1) * sizeof *edits);
	if (!edits)
		return NULL;
	for (uint32_t i = 0; i < s->n; i++) {
		const char **value = arena_alloc(&s->arena, sizeof *value);
		if (!value)
			return NULL;
		*value = sweep_value(s, run, i);
		for (uint32_t d = 0; d < s->axes[i].n_detectors; d++)
			edits[k++] = (struct config_edit){ .section = "detectors",
							   .instance = s->axes[i].detectors[d],
							   .option = s->axes[i].option,
							   .values = value,
							   .n = 1,
							   .origin = "--sweep" };
	}
	*n = k;
	return edits;
}

const char *sweep_text(struct sweep *s, uint32_t run)
{
	const char *text = "";

	for (uint32_t i = 0; i < s->n && text; i++)
		text = arena_printf(&s->arena, "%s%s%s=%s", text, i ? " " : "", s->axes[i].name,
				    sweep_value(s, run, i));
	return text ? text : "";
}

bool sweep_touches(const struct sweep *s, const char *detector)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t d = 0; d < s->axes[i].n_detectors; d++)
			if (!strcmp(s->axes[i].detectors[d], detector))
				return true;
	return false;
}

void sweep_free(struct sweep *s)
{
	arena_free(&s->arena);
	*s = (struct sweep){ 0 };
}
