/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator as a source: the same seed gives the same bytes, positions resume, time goes forward, options are
 * checked, live follows the clock. What the simulated world is like: test_source_demo_world.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "source_kit.h"
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define MONDAY (INT64_C(1767571200) * SECOND) /* 2026-01-05T00:00:00Z */

/* What an observer keeps of a run. */
struct seen {
	uint64_t all, market; /* hashes of the canonical bytes: of all, and of quotes, anonymous trades and news */
	uint64_t events, quotes, kinds[EVENT_KINDS];
	int64_t first, last;
	bool backwards;
	uint64_t *bytes; /* hash of each event, when wanted */
};

static uint64_t mix(uint64_t h, uint64_t x)
{
	return hash_u64(h * 31 + x);
}

static void see(void *arg, const struct tw_event *ev)
{
	struct seen *s = arg;
	uint64_t h = hash_bytes(ev->raw, ev->raw_len);

	if (!s->events)
		s->first = ev->ts;
	else if (ev->ts < s->last)
		s->backwards = true;
	s->last = ev->ts;
	s->all = mix(s->all, h);
	if (ev->kind == TW_QUOTE || ev->kind == TW_NEWS || (ev->kind == TW_TRADE && !ev->trade.account))
		s->market = mix(s->market, h);
	s->kinds[__builtin_ctz(ev->kind)]++;
	if (s->bytes)
		s->bytes[s->events] = h;
	s->events++;
}

static void finish(struct source_kit *k)
{
	k->source->close(k->self);
	source_kit_free(k);
}

static struct seen run(const char *yaml)
{
	struct source_kit k;
	struct seen s = { 0 };

	source_kit_load(&k, PLUGIN_DIR, "demo", yaml);
	k.count_only = true;
	k.each = see;
	k.arg = &s;
	assert_int_equal(source_kit_all(&k, 4096), TW_DONE);
	assert_int_equal(k.n_dead, 0);
	source_kit_free(&k);
	return s;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
	struct seen a = run("seed: 7\nduration: 3h\n"), b = run("seed: 7\nduration: 3h\n");

	assert_int_equal(a.all, b.all);
	assert_true(a.events > 50000);
	(void)state;
}

static void another_seed_gives_another_world(void **state)
{
	assert_int_not_equal(run("seed: 7\nduration: 1h\n").market, run("seed: 8\nduration: 1h\n").market);
	(void)state;
}

static void the_number_of_accounts_does_not_change_the_market(void **state)
{
	uint64_t forty = run("accounts: 40\nduration: 12h\n").market;

	assert_int_equal(run("accounts: 0\nduration: 12h\n").market, forty);
	assert_int_equal(run("accounts: 333\nduration: 12h\n").market, forty);
	(void)state;
}

static void without_accounts_nobody_trades(void **state)
{
	struct seen s = run("accounts: 0\nduration: 20h\n");

	assert_int_equal(s.kinds[__builtin_ctz(TW_DEAL)], 0);
	assert_int_equal(s.kinds[__builtin_ctz(TW_ORDER)], 0);
	assert_int_equal(s.kinds[__builtin_ctz(TW_ACCOUNT)], 0);
	(void)state;
}

static void a_day_has_its_size_and_a_clock_every_second(void **state)
{
	struct seen s = run("seed: 1\n");

	assert_false(s.backwards);
	assert_int_equal(s.first, MONDAY);
	assert_int_equal(s.last, MONDAY + 86400 * SECOND);
	assert_int_equal(s.kinds[__builtin_ctz(TW_CLOCK)], 86401);
	assert_in_range(s.events, 1000000, 2000000);
	assert_in_range(s.kinds[__builtin_ctz(TW_DEAL)], 200, 2000);
	assert_true(s.kinds[__builtin_ctz(TW_ORDER)] > 2 * 200);
	assert_true(s.kinds[__builtin_ctz(TW_ACCOUNT)] >= 40 * 24);
	assert_true(s.kinds[__builtin_ctz(TW_LABEL)] >= 20);
	(void)state;
}

static void without_abuses_there_are_no_labels(void **state)
{
	assert_int_equal(run("abuses: false\nduration: 12h\n").kinds[__builtin_ctz(TW_LABEL)], 0);
	(void)state;
}

static void the_rate_scales_the_market(void **state)
{
	double one = (double)run("rate: 1\nduration: 2h\n").kinds[__builtin_ctz(TW_QUOTE)];
	double five = (double)run("rate: 5\nduration: 2h\n").kinds[__builtin_ctz(TW_QUOTE)];

	assert_true(five > 4 * one && five < 6 * one);
	(void)state;
}

static void more_symbols_are_valid_and_in_order(void **state)
{
	struct seen s = run("symbols: 60\nstart: 2026-01-05T14:00:00Z\nduration: 2h\n");

	assert_false(s.backwards);
	assert_true(s.events > 300000);
	(void)state;
}

/* Positions of a run with odd credit, each taken up by a new instance. */
static void every_position_goes_on_with_the_rest(void **state)
{
	static const char yaml[] = "seed: 5\nduration: 6h\n";
	struct source_kit whole, rest;
	struct seen s = { 0 };

	s.bytes = calloc(2000000, sizeof *s.bytes);
	assert_non_null(s.bytes);
	source_kit_load(&whole, PLUGIN_DIR, "demo", yaml);
	whole.count_only = true;
	whole.each = see;
	whole.arg = &s;
	assert_int_equal(source_kit_all(&whole, 997), TW_DONE);
	assert_int_equal(whole.marks[whole.n_marks - 1].events, s.events);
	for (int i = 0; i < 5; i++) {
		const struct kit_mark *m = &whole.marks[(whole.n_marks - 1) * (uint64_t)i / 4];
		struct seen t = { 0 };

		t.bytes = calloc(2000000, sizeof *t.bytes);
		assert_non_null(t.bytes);
		source_kit_load(&rest, PLUGIN_DIR, "demo", yaml);
		rest.count_only = true;
		rest.each = see;
		rest.arg = &t;
		assert_int_equal(source_kit_open(&rest, &m->pos), TW_OK);
		assert_int_equal(source_kit_run(&rest, 4096), TW_DONE);
		assert_int_equal(m->events + t.events, s.events);
		assert_memory_equal(s.bytes + m->events, t.bytes, t.events * sizeof *t.bytes);
		finish(&rest);
		free(t.bytes);
	}
	finish(&whole);
	free(s.bytes);
	(void)state;
}

static void a_position_of_another_world_is_refused(void **state)
{
	static const char *const others[] = { "seed: 2\nduration: 1m\n", "seed: 1\nduration: 1m\naccounts: 41\n",
					      "seed: 1\nduration: 2m\n",
					      "seed: 1\nduration: 1m\nstart: 2026-01-06T00:00:00Z\n",
					      "seed: 1\nlive: true\n" };
	struct source_kit k, other;

	source_kit_load(&k, PLUGIN_DIR, "demo", "seed: 1\nduration: 1m\n");
	assert_int_equal(source_kit_all(&k, 100), TW_DONE);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		source_kit_load(&other, PLUGIN_DIR, "demo", others[i]);
		other.wall = MONDAY;
		assert_int_equal(source_kit_open(&other, &k.marks[0].pos), TW_E_CONFIG);
		assert_non_null(strstr(other.err.msg, "another world"));
		finish(&other);
	}
	finish(&k);
	(void)state;
}

static void a_position_of_garbage_is_refused(void **state)
{
	struct tw_pos pos = { .len = 5 };
	struct source_kit k;

	for (int i = 0; i < 3; i++, pos.len = i == 1 ? 32 : 120) {
		source_kit_load(&k, PLUGIN_DIR, "demo", "seed: 1\n");
		memset(pos.data, 0xa5, sizeof pos.data);
		assert_int_equal(source_kit_open(&k, &pos), TW_E_CONFIG);
		finish(&k);
	}
	(void)state;
}

static void mistakes_in_options_get_a_sentence(void **state)
{
	static const char *const bad[][2] = {
		{ "start: yesterday\n", "start" },
		{ "start: 2026-02-30T00:00:00Z\n", "start" },
		{ "start: 2026-01-05T00:00:00\n", "start" },
		{ "speed: fast\n", "speed" },
		{ "speed: 0x\n", "speed" },
		{ "live: true\nspeed: 60x\n", "speed" },
	};
	struct source_kit k;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(source_kit_check(&k, PLUGIN_DIR, "demo", bad[i][0]), TW_E_CONFIG);
		assert_non_null(strstr(k.err.msg, bad[i][1]));
		source_kit_free(&k);
	}
	(void)state;
}

static void start_understands_dates_times_and_zones(void **state)
{
	static const struct {
		const char *yaml;
		int64_t seconds;
	} good[] = {
		{ "start: 2026-01-05\nduration: 1s\n", 1767571200 },
		{ "start: 2026-01-05T01:30:00+01:30\nduration: 1s\n", 1767571200 },
		{ "start: 2024-02-29T23:59:59Z\nduration: 1s\n", 1709251199 },
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(run(good[i].yaml).first, good[i].seconds * SECOND);
	(void)state;
}

/* Nothing of the future is pushed, everything of the past is, and the source never ends. */
static void live_follows_the_clock(void **state)
{
	struct source_kit k;
	struct seen s = { 0 };
	int64_t now = MONDAY + 9 * 3600 * SECOND + 123456789;

	source_kit_load(&k, PLUGIN_DIR, "demo", "live: true\n");
	assert_false(k.source->finite(k.self));
	k.count_only = true;
	k.each = see;
	k.arg = &s;
	k.wall = now;
	assert_int_equal(source_kit_open(&k, NULL), TW_OK);
	for (int i = 0; i < 100; i++, k.wall += 700 * 1000000) {
		assert_int_equal(source_kit_run(&k, 64), TW_AGAIN);
		assert_true(s.last <= k.wall);
	}
	assert_true(s.first >= now - SECOND);
	assert_in_range(s.kinds[__builtin_ctz(TW_CLOCK)], 69, 71);
	assert_true(s.kinds[__builtin_ctz(TW_QUOTE)] > 200);
	finish(&k);
	(void)state;
}

static void live_goes_on_after_a_pause_without_its_past(void **state)
{
	struct source_kit k, next;
	struct seen s = { 0 }, t = { 0 };
	int64_t now = MONDAY + 9 * 3600 * SECOND;

	source_kit_load(&k, PLUGIN_DIR, "demo", "live: true\n");
	k.count_only = true;
	k.each = see;
	k.arg = &s;
	k.wall = now;
	assert_int_equal(source_kit_open(&k, NULL), TW_OK);
	k.wall = now + 60 * SECOND;
	assert_int_equal(source_kit_run(&k, 4096), TW_AGAIN);

	source_kit_load(&next, PLUGIN_DIR, "demo", "live: true\n");
	next.count_only = true;
	next.each = see;
	next.arg = &t;
	next.wall = now + 600 * SECOND;
	assert_int_equal(source_kit_open(&next, &k.marks[k.n_marks - 1].pos), TW_OK);
	next.wall += 10 * SECOND;
	assert_int_equal(source_kit_run(&next, 4096), TW_AGAIN);
	assert_true(t.first >= now + 600 * SECOND);
	assert_true(t.events > 20);
	finish(&next);
	finish(&k);
	(void)state;
}

/* At 60x a second of the wall is a minute of the world. */
static void speed_paces_a_finite_world(void **state)
{
	struct source_kit k;
	struct seen s = { 0 };

	source_kit_load(&k, PLUGIN_DIR, "demo", "speed: 60x\n");
	k.count_only = true;
	k.each = see;
	k.arg = &s;
	k.wall = 1000 * SECOND;
	assert_int_equal(source_kit_open(&k, NULL), TW_OK);
	k.wall += SECOND;
	assert_int_equal(source_kit_run(&k, 4096), TW_AGAIN);
	assert_int_equal(s.last / SECOND, MONDAY / SECOND + 60);
	finish(&k);
	(void)state;
}

static void progress_goes_from_nothing_to_all(void **state)
{
	struct source_kit k;
	uint64_t done, total;

	source_kit_load(&k, PLUGIN_DIR, "demo", "duration: 10s\n");
	k.source->progress(k.self, &done, &total);
	assert_int_equal(done, 0);
	assert_int_equal(total, 10 * SECOND);
	assert_int_equal(source_kit_open(&k, NULL), TW_OK);
	assert_int_equal(source_kit_run(&k, 100), TW_DONE);
	k.source->progress(k.self, &done, &total);
	assert_int_equal(done, total);
	finish(&k);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_bytes),
		cmocka_unit_test(another_seed_gives_another_world),
		cmocka_unit_test(the_number_of_accounts_does_not_change_the_market),
		cmocka_unit_test(without_accounts_nobody_trades),
		cmocka_unit_test(a_day_has_its_size_and_a_clock_every_second),
		cmocka_unit_test(without_abuses_there_are_no_labels),
		cmocka_unit_test(the_rate_scales_the_market),
		cmocka_unit_test(more_symbols_are_valid_and_in_order),
		cmocka_unit_test(every_position_goes_on_with_the_rest),
		cmocka_unit_test(a_position_of_another_world_is_refused),
		cmocka_unit_test(a_position_of_garbage_is_refused),
		cmocka_unit_test(mistakes_in_options_get_a_sentence),
		cmocka_unit_test(start_understands_dates_times_and_zones),
		cmocka_unit_test(live_follows_the_clock),
		cmocka_unit_test(live_goes_on_after_a_pause_without_its_past),
		cmocka_unit_test(speed_paces_a_finite_world),
		cmocka_unit_test(progress_goes_from_nothing_to_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
