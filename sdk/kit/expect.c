/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector is expected to say.
 */
#include "impl.h"
#include <stdlib.h>
#include <string.h>

bool test_judge(struct tw_test *t)
{
	struct tw_err e = { 0 };

	if (!test_is(t, PLUGIN_DETECTOR))
		return false;
	if (kit_engine_feed(t->engine, &t->events, &e) != TW_OK)
		test_over(t, "%s", e.msg);
	return !t->over;
}

const struct kit_said *test_said(struct tw_test *t, uint32_t *ret_n)
{
	const struct kit_said *said = NULL;

	*ret_n = 0;
	if (!test_judge(t))
		return NULL;
	*ret_n = kit_engine_said(t->engine, &said);
	if (*ret_n > t->cap_spoken) {
		bool *spoken = realloc(t->spoken, *ret_n);
		if (!spoken) {
			test_over(t, "memory is out");
			*ret_n = 0;
			return NULL;
		}
		memset(spoken + t->cap_spoken, 0, *ret_n - t->cap_spoken);
		t->spoken = spoken;
		t->cap_spoken = *ret_n;
	}
	return said;
}

static void add_range(struct kit_want *w, const char *name, struct tw_range r)
{
	if (r.set)
		(void)kit_want_range(w, name, r.from, r.to);
}

static bool convert(struct tw_test *t, struct tw_want want, uint32_t kind, struct kit_want *ret)
{
	const struct {
		const char *name, *text;
		enum kit_op op;
	} texts[] = { { "symbol", want.symbol, KIT_IS },
		      { "account", want.account, KIT_IS },
		      { "type", want.type, KIT_IS },
		      { "severity", want.severity, KIT_IS },
		      { "reason", want.reason, KIT_HAS } };

	*ret = (struct kit_want){ .kind = kind, .times = 1 };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].text && !kit_want_text(ret, texts[i].name, texts[i].op, texts[i].text)) {
			test_over(t, "the expected %s is too long", texts[i].name);
			return false;
		}
	ret->timed = want.at != NULL;
	if (want.at && kit_when(want.at, t->start, t->now, &ret->at) != 0) {
		test_over(t, ".at = \"%s\": expected an offset such as 10s", want.at);
		return false;
	}
	add_range(ret, "score", want.score);
	add_range(ret, "p_value", want.p_value);
	add_range(ret, "value", want.value);
	add_range(ret, "expected", want.expected);
	add_range(ret, "threshold", want.threshold);
	return true;
}

static int expect(struct tw_test *t, const char *file, int line, const struct kit_want *w, uint32_t times)
{
	const struct kit_said *said;
	uint32_t n, found = 0;
	struct buf words = { 0 };

	said = test_said(t, &n);
	if (t->over)
		return 1;
	t->checks++;
	for (uint32_t i = 0; i < n && found < times; i++)
		if (!t->spoken[i] && kit_matches(w, said[i].ev, kit_engine_names(t->engine))) {
			t->spoken[i] = true;
			found++;
		}
	if (found == times)
		return 0;
	kit_want_line(&words, w, t->start);
	if (times == 1)
		test_failed(t, file, line, "expected %.*s: none is left", (int)words.len, (const char *)words.data);
	else
		test_failed(t, file, line, "expected %u times %.*s: found %u", times, (int)words.len,
			    (const char *)words.data, found);
	buf_free(&words);
	return 1;
}

int tw_expect_alert_(struct tw_test *t, const char *file, int line, struct tw_want want)
{
	struct kit_want w;

	return t->over || !convert(t, want, TW_ALERT, &w) ? 1 : expect(t, file, line, &w, 1);
}

int tw_expect_alerts_(struct tw_test *t, uint32_t n, const char *file, int line, struct tw_want want)
{
	struct kit_want w;

	return t->over || !convert(t, want, TW_ALERT, &w) ? 1 : expect(t, file, line, &w, n);
}

int tw_expect_score_(struct tw_test *t, const char *file, int line, struct tw_want want)
{
	struct kit_want w;

	return t->over || !convert(t, want, TW_SCORE, &w) ? 1 : expect(t, file, line, &w, 1);
}

int tw_expect_line_(struct tw_test *t, const char *file, int line, const char *want)
{
	struct kit_want w;
	struct tw_err e = { 0 };

	if (t->over)
		return 1;
	if (kit_line_want(&w, want, t->start, false, &e) != TW_OK) {
		test_over(t, "%s:%d: %s", file, line, e.msg);
		return 1;
	}
	w.kind = TW_ALERT;
	return expect(t, file, line, &w, w.times);
}

static int expect_none(struct tw_test *t, const char *file, int line, uint32_t kind, const char *what)
{
	const struct kit_said *said;
	uint32_t n, left = 0;

	said = test_said(t, &n);
	if (t->over)
		return 1;
	t->checks++;
	for (uint32_t i = 0; i < n; i++)
		left += !t->spoken[i] && said[i].ev->kind == kind;
	return left ? test_failed(t, file, line, "expected no %s, %u %s left", what, left, left == 1 ? "is" : "are")
		    : 0;
}

int tw_expect_no_alert_(struct tw_test *t, const char *file, int line)
{
	return expect_none(t, file, line, TW_ALERT, "alert");
}

int tw_expect_no_score_(struct tw_test *t, const char *file, int line)
{
	return expect_none(t, file, line, TW_SCORE, "score");
}

int tw_expect_counter_(struct tw_test *t, const char *file, int line, const char *name, uint64_t n)
{
	uint64_t is = 0;

	if (!test_judge(t))
		return 1;
	t->checks++;
	if (!kit_engine_counter(t->engine, name, &is)) {
		test_over(t, "%s:%d: '%s' has no counter '%s'", file, line, t->plan.name, name);
		return 1;
	}
	return is == n ? 0
		       : test_failed(t, file, line, "expected counter %s to be %" PRIu64 ", it is %" PRIu64, name, n,
				     is);
}

int tw_expect_errors_(struct tw_test *t, const char *file, int line, uint64_t n)
{
	uint64_t is;

	if (!test_judge(t))
		return 1;
	t->checks++;
	is = kit_engine_errors(t->engine);
	return is == n ? 0
		       : test_failed(t, file, line,
				     "expected process() to fail on %" PRIu64 " events, it failed on %" PRIu64, n, is);
}

int tw_check_(struct tw_test *t, const char *file, int line, int ok, const char *text)
{
	if (t->over)
		return 1;
	t->checks++;
	return ok ? 0 : test_failed(t, file, line, "%s does not hold", text);
}

uint32_t tw_alert_count(struct tw_test *t)
{
	const struct kit_said *said;
	uint32_t n, alerts = 0;

	said = t->over ? NULL : test_said(t, &n);
	for (uint32_t i = 0; said && i < n; i++)
		alerts += said[i].ev->kind == TW_ALERT;
	return alerts;
}

const struct tw_event *tw_alert_get(struct tw_test *t, uint32_t which)
{
	const struct kit_said *said;
	uint32_t n;

	said = t->over ? NULL : test_said(t, &n);
	for (uint32_t i = 0; said && i < n; i++)
		if (said[i].ev->kind == TW_ALERT && which-- == 0)
			return said[i].ev;
	return NULL;
}
