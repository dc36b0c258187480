/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of sources and sinks.
 */
#include "impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLLS 1000000u /* until a source that never ends is called one */
#define TRIED 256u     /* positions that are resumed from, at most */

/* ---- sources ---- */

int32_t tw_poll(struct tw_test *t, uint32_t room)
{
	struct tw_err e = { 0 };
	int32_t rc;

	if (!test_is(t, PLUGIN_SOURCE))
		return TW_E_FATAL;
	rc = kit_source_poll(t->source, room ? room : 1, &e);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", t->plan.name, e.msg);
	return rc;
}

int32_t tw_poll_all(struct tw_test *t)
{
	for (uint32_t i = 0; i < POLLS; i++) {
		int32_t rc = tw_poll(t, 1024);
		if (rc != TW_OK)
			return rc;
	}
	test_over(t, "the source neither ended nor said that it has nothing for now in %u polls", POLLS);
	return TW_E_FATAL;
}

uint32_t tw_position_count(const struct tw_test *t)
{
	return t->source ? kit_source_got(t->source)->n_marks : 0;
}

int32_t tw_resume(struct tw_test *t, uint32_t i)
{
	struct tw_err e = { 0 };
	struct tw_pos pos;

	if (!test_is(t, PLUGIN_SOURCE))
		return TW_E_FATAL;
	if (i >= tw_position_count(t)) {
		test_over(t, "there is no position %u: it marked %u", i, tw_position_count(t));
		return TW_E_FATAL;
	}
	pos = kit_source_got(t->source)->marks[i].pos;
	kit_source_free(t->source);
	t->source = kit_source_new(&t->plan, &pos, &e);
	t->next_event = t->next_dead = 0;
	t->once = true; /* what it brings from here on is not all */
	if (!t->source)
		test_over(t, "%s", e.msg);
	return t->source ? TW_OK : TW_E_FATAL;
}

int tw_expect_event_(struct tw_test *t, const char *file, int line, const char *want)
{
	_Alignas(16) unsigned char room[512];
	struct tw_event *ev = (void *)room;
	const struct kit_got *g;
	struct arena a = { 0 };
	struct intern *names;
	struct tw_err e = { 0 };
	struct kit_want w;
	size_t len;
	int bad = 0;

	if (!test_is(t, PLUGIN_SOURCE))
		return 1;
	if (kit_line_want(&w, want, t->start, true, &e) != TW_OK) {
		test_over(t, "%s:%d: %s", file, line, e.msg);
		return 1;
	}
	t->checks++;
	g = kit_source_got(t->source);
	if (t->next_event >= g->events.n)
		return test_failed(t, file, line, "expected %s: no event is left", want);
	names = intern_new(16);
	const unsigned char *bytes = kit_event(&g->events, t->next_event++, &len);
	if (!names || event_decode(ev, bytes, len, names, &a) != len)
		test_over(t, "memory is out");
	else if (!kit_matches(&w, ev, names))
		bad = test_failed(t, file, line, "expected %s, event %u is another one", want, t->next_event);
	arena_free(&a);
	intern_free(names);
	return bad;
}

int tw_expect_events_(struct tw_test *t, const char *file, int line, uint64_t n)
{
	uint64_t left;

	if (!test_is(t, PLUGIN_SOURCE))
		return 1;
	t->checks++;
	left = kit_source_got(t->source)->events.n - t->next_event;
	if (n == 0)
		return left ? test_failed(t, file, line, "expected no more events, %" PRIu64 " are left", left) : 0;
	if (left < n)
		return test_failed(t, file, line, "expected %" PRIu64 " more events, %" PRIu64 " are left", n, left);
	t->next_event += (uint32_t)n;
	return 0;
}

int tw_expect_reject_(struct tw_test *t, const char *file, int line, const char *reason)
{
	const struct kit_got *g;

	if (!test_is(t, PLUGIN_SOURCE))
		return 1;
	t->checks++;
	g = kit_source_got(t->source);
	if (!reason)
		return t->next_dead < g->n_dead ? test_failed(t, file, line, "expected nothing more to be rejected")
						: 0;
	if (t->next_dead >= g->n_dead)
		return test_failed(t, file, line, "expected something rejected as %s: nothing is left", reason);
	if (strcmp(g->dead[t->next_dead++].reason, reason) != 0)
		return test_failed(t, file, line, "expected something rejected as %s, the next was %s", reason,
				   g->dead[t->next_dead - 1].reason);
	return 0;
}

static uint32_t compare(struct tw_test *t, const struct kit_mark *from, uint32_t room)
{
	struct buf why = { 0 };
	int32_t rc = kit_source_compare(&t->plan, kit_source_got(t->source), from, room, t->start, &why);

	if (rc != TW_OK)
		fprintf(stderr, "tapewatch test: %s, read again %.*s", t->plan.name, (int)why.len,
			(const char *)why.data);
	buf_free(&why);
	return rc != TW_OK;
}

uint32_t test_repeat_source(struct tw_test *t)
{
	const struct kit_got *g = kit_source_got(t->source);
	uint32_t step = g->n_marks / TRIED + 1, wrong = 0;

	kit_source_end(t->source);
	wrong += compare(t, NULL, 1);
	wrong += compare(t, NULL, 4096);
	for (uint32_t i = 0; i < g->n_marks && wrong < 3; i += step)
		wrong += compare(t, &g->marks[i], 1024);
	return wrong;
}

/* ---- sinks ---- */

int32_t tw_deliver(struct tw_test *t)
{
	struct tw_err e = { 0 };
	uint32_t done = 0;
	int32_t rc;

	if (!test_is(t, PLUGIN_SINK))
		return TW_E_FATAL;
	rc = kit_sink_deliver(t->sink, &t->events, t->next_event, t->events.n, &done, &e);
	t->next_event += done;
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", t->plan.name, e.msg);
	return rc;
}

void tw_reopen(struct tw_test *t)
{
	struct tw_err e = { 0 };

	if (!test_is(t, PLUGIN_SINK))
		return;
	kit_sink_close(t->sink);
	if (kit_sink_open(t->sink, &e) != TW_OK)
		test_over(t, "'%s' does not open again: %s", t->plan.name, e.msg);
}

void tw_output(struct tw_test *t, const char *path)
{
	t->output = tw_format("%s", path);
}

int tw_expect_refused_(struct tw_test *t, const char *file, int line, uint64_t n)
{
	uint64_t is;

	if (!test_is(t, PLUGIN_SINK))
		return 1;
	t->checks++;
	is = kit_sink_refused(t->sink);
	return is == n ? 0
		       : test_failed(t, file, line, "expected %" PRIu64 " records to be refused, %" PRIu64 " were", n,
				     is);
}

/* Once more into an output that was put away. step: records between two closings; 0: all at once. */
static uint32_t give_again(struct tw_test *t, uint32_t step, bool reopen, const char *what, const char *before)
{
	struct tw_err e = { 0 };
	struct kit_sink *s;
	uint32_t done = 0;
	int32_t rc = TW_OK;

	if (t->output)
		(void)unlink(t->output);
	s = kit_sink_new(&t->plan, &e);
	for (uint32_t at = 0; s && rc >= 0 && at < t->events.n; at += done) {
		uint32_t upto = step && at + step < t->events.n ? at + step : t->events.n;
		rc = kit_sink_deliver(s, &t->events, at, upto, &done, &e);
		if (rc >= 0 && !done)
			break;
		if (reopen)
			kit_sink_close(s);
	}
	kit_sink_free(s);
	if (rc < 0 || !s) {
		fprintf(stderr, "tapewatch test: %s, given the records again %s: %s\n", t->plan.name, what, e.msg);
		return 1;
	}
	if (t->output && strcmp(tw_read(t->output), before) != 0) {
		fprintf(stderr, "tapewatch test: %s, given the records again %s, wrote something else into %s\n",
			t->plan.name, what, t->output);
		return 1;
	}
	return 0;
}

uint32_t test_repeat_sink(struct tw_test *t)
{
	const char *before;
	uint32_t wrong = 0;

	kit_sink_close(t->sink);
	before = t->output ? tw_read(t->output) : "";
	wrong += give_again(t, 1, false, "one by one", before);
	wrong += give_again(t, 0, false, "all at once", before);
	wrong += give_again(t, 1, true, "closed and opened between every two", before);
	return wrong;
}
