/* SPDX-License-Identifier: Apache-2.0
 *
 * A test from its loading to its end.
 */
#include "base/err.h"
#include "base/log.h"
#include "impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AROUND 8u /* events and alerts shown with a failure */

/* What a test is when there was no memory for one. */
static struct tw_test *no_memory(void)
{
	fprintf(stderr, "tapewatch test: memory is out\n");
	exit(1);
}

void test_over(struct tw_test *t, const char *fmt, ...)
{
	va_list ap;

	if (t->over)
		return;
	t->over = true;
	t->failures++;
	fprintf(stderr, "tapewatch test: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  the test ends here\n");
}

static struct tw_test *load(enum plugin_kind kind, const char *plugin, const char *options)
{
	struct tw_test *t = calloc(1, sizeof *t);
	struct tw_err e = { 0 };
	struct buf why = { 0 };

	if (!t)
		return no_memory();
	log_setup(LOG_TEXT, TW_LOG_WARN);
	t->start = t->now = KIT_START;
	if (kit_plan_make(&t->plan, kind, plugin, options, &why) != TW_OK) {
		test_over(t, "%s '%s' does not load:\n  %.*s", plugin_kind_names[kind], plugin, (int)why.len,
			  why.data ? (const char *)why.data : "no reason given");
		buf_free(&why);
		return t;
	}
	buf_free(&why);
	if (kind == PLUGIN_DETECTOR)
		t->engine = kit_engine_new(&t->plan, &kit_first, &e);
	else if (kind == PLUGIN_SOURCE)
		t->source = kit_source_new(&t->plan, NULL, &e);
	else
		t->sink = kit_sink_new(&t->plan, &e);
	if (!t->engine && !t->source && !t->sink)
		test_over(t, "%s", e.msg);
	return t;
}

struct tw_test *tw_test_detector(const char *plugin, const char *options)
{
	return load(PLUGIN_DETECTOR, plugin, options);
}

struct tw_test *tw_test_source(const char *plugin, const char *options)
{
	return load(PLUGIN_SOURCE, plugin, options);
}

struct tw_test *tw_test_sink(const char *plugin, const char *options)
{
	return load(PLUGIN_SINK, plugin, options);
}

/* Whatever kind of plugin it is. */
int tw_test_refuses(const char *plugin, const char *options, const char *part)
{
	struct buf why = { 0 };
	int32_t rc = TW_OK;
	bool held = false;

	log_setup(LOG_TEXT, TW_LOG_WARN);
	for (int kind = 0; kind < PLUGIN_KINDS && !held; kind++) {
		struct kit_plan p;
		struct buf one = { 0 };
		int32_t was = kit_plan_make(&p, (enum plugin_kind)kind, plugin, options, &one);
		bool other = one.data && memmem(one.data, one.len, "it belongs under", 16) != NULL;
		if (!other) {
			rc = was;
			held = was != TW_OK && one.data && memmem(one.data, one.len, part, strlen(part)) != NULL;
			why.len = 0;
			(void)buf_add(&why, one.data ? one.data : (const unsigned char *)"", one.len);
		}
		kit_plan_free(&p);
		buf_free(&one);
	}
	if (!held && rc == TW_OK)
		fprintf(stderr, "tapewatch test: '%s' takes these options, expected '%s':\n%s\n", plugin, part,
			options ? options : "");
	else if (!held)
		fprintf(stderr, "tapewatch test: '%s' refuses its options, expected '%s' in:\n  %.*s\n", plugin, part,
			(int)why.len, (const char *)why.data);
	buf_free(&why);
	return held ? 0 : 1;
}

void tw_test_once(struct tw_test *t)
{
	t->once = true;
}

/* ---- what failed ---- */

static void show_event(const struct tw_test *t, const struct kit_events *l, uint32_t i)
{
	_Alignas(16) unsigned char room[512];
	struct tw_event *ev = (void *)room;
	struct arena a = { 0 };
	struct buf line = { 0 };
	struct intern *names = intern_new(16);
	size_t len;
	const unsigned char *bytes = kit_event(l, i, &len);

	if (names && event_decode(ev, bytes, len, names, &a) == len) {
		kit_event_line(&line, ev, names, t->start);
		fprintf(stderr, "    %5u  %.*s\n", i + 1, (int)line.len, (const char *)line.data);
	}
	buf_free(&line);
	arena_free(&a);
	intern_free(names);
}

static void show_events(const struct tw_test *t, const struct kit_events *l, const char *what)
{
	fprintf(stderr, "  %s: %u%s\n", what, l->n, l->n > AROUND ? ", the last of them:" : "");
	for (uint32_t i = l->n > AROUND ? l->n - AROUND : 0; i < l->n; i++)
		show_event(t, l, i);
}

static void show_said(const struct tw_test *t)
{
	const struct kit_said *said;
	uint32_t n = kit_engine_said(t->engine, &said), from = n > AROUND ? n - AROUND : 0;

	fprintf(stderr, "  it said: %s\n", n ? from ? "(the last of it)" : "" : "nothing");
	for (uint32_t i = from; i < n; i++) {
		struct buf line = { 0 };
		kit_event_line(&line, said[i].ev, kit_engine_names(t->engine), t->start);
		fprintf(stderr, "    %5" PRIu64 "  %.*s%s\n", said[i].ev->seq, (int)line.len, (const char *)line.data,
			i < t->cap_spoken && t->spoken[i] ? "  (expected)" : "");
		buf_free(&line);
	}
}

int test_failed(struct tw_test *t, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	t->failures++;
	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	if (t->engine) {
		show_events(t, &t->events, "events so far");
		show_said(t);
	} else if (t->source) {
		const struct kit_got *g = kit_source_got(t->source);
		show_events(t, &g->events, "it pushed");
		for (uint32_t i = g->n_dead > AROUND ? g->n_dead - AROUND : 0; i < g->n_dead; i++)
			fprintf(stderr, "    rejected %s %s: %s\n", g->dead[i].where, g->dead[i].reason,
				g->dead[i].detail);
	} else {
		show_events(t, &t->events, "records given");
	}
	return 1;
}

bool test_is(struct tw_test *t, enum plugin_kind kind)
{
	if (!t->over && t->plan.kind != kind)
		test_over(t, "this call is for tests of a %s; '%s' is a %s", plugin_kind_names[kind], t->plan.name,
			  plugin_kind_names[t->plan.kind]);
	return !t->over;
}

/* ---- the end ---- */

static uint32_t repeat_detector(struct tw_test *t)
{
	uint32_t wrong = 0;

	kit_engine_end(t->engine);
	if (kit_engine_trespass(t->engine)) {
		fprintf(stderr, "tapewatch test: %s: %s\n", t->plan.name, kit_engine_trespass(t->engine));
		wrong++;
	}
	for (uint32_t i = 0; i < kit_n_repeats && (i != 1 || !wrong); i++) { /* see kit_repeats */
		struct buf why = { 0 };
		if (kit_repeat(&t->plan, &kit_repeats[i], &t->events, t->engine, t->start, &why) != TW_OK) {
			fprintf(stderr, "tapewatch test: %s, repeated %.*s", t->plan.name, (int)why.len,
				(const char *)why.data);
			wrong++;
		}
		buf_free(&why);
	}
	return wrong;
}

static void free_all(struct tw_test *t)
{
	kit_engine_free(t->engine);
	kit_source_free(t->source);
	kit_sink_free(t->sink);
	kit_plan_free(&t->plan);
	kit_events_free(&t->events);
	free(t->spoken);
	free(t);
}

int tw_test_done(struct tw_test *t)
{
	uint32_t n = t->events.n, failures;

	if (!t->over && t->engine)
		(void)test_judge(t);
	if (!t->over && !t->once) {
		if (t->engine)
			t->failures += repeat_detector(t);
		else
			t->failures += t->source ? test_repeat_source(t) : test_repeat_sink(t);
	}
	if (t->source)
		n = kit_source_got(t->source)->events.n;
	failures = t->failures;
	if (failures)
		fprintf(stderr, "tapewatch test: %s: %u failed, of %u expectations%s, %u events\n",
			t->plan.name[0] ? t->plan.name : "plugin", failures, t->checks,
			t->over || t->once ? "" : " and the repetitions", n);
	else
		printf("tapewatch test: %s: ok, %u expectations, %u events%s\n", t->plan.name, t->checks, n,
		       t->once ? "" : ", the same in all repetitions");
	free_all(t);
	return failures ? 1 : 0;
}
