/* SPDX-License-Identifier: Apache-2.0
 *
 * What the exec detector writes to its helper, read back by the host's own codec, and what it believes of replies.
 */
#include "base/err.h"
#include "event/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/detectors/exec/event.c"
#include "../../plugins/detectors/exec/reply.c"
#include "../../plugins/detectors/exec/request.c"
#include "event_samples.h"

static struct intern *names;

static const char *name_of(const struct tw_host *h, uint32_t id)
{
	(void)h;
	return intern_name(names, id);
}
static const struct tw_host host = { .struct_size = sizeof host, .name = name_of };

/* ---- events ---- */

static void an_event_that_is_on_no_tape_is_written_as_the_tape_would_have_it(void **state)
{
	(void)state;
	for (uint32_t kind = TW_QUOTE; kind <= TW_CORRECTION; kind <<= 1) {
		struct tw_event *ev = calloc(1, sizeof *ev);
		struct bytes out = { 0 };
		struct buf canonical = { 0 };
		struct arena scratch = { 0 };
		struct tw_err e = { 0 };
		size_t len;
		unsigned char *bytes = sample_bytes(kind, names, &len);
		const char *word;

		assert_int_equal(event_decode(ev, bytes, len, names, &scratch), len);
		put_event(&out, &host, ev);
		assert_false(out.failed);
		word = event_canonical(&canonical, out.p, out.n, &e);
		if (word)
			fail_msg("%s: %s: %s", exec_kind_name(kind), word, e.msg);
		assert_int_equal(canonical.len, len);
		event_stamp(bytes, 0);
		event_stamp(canonical.data, 0);
		assert_memory_equal(canonical.data, bytes, len);
		free(bytes);
		free(out.p);
		free(ev);
		buf_free(&canonical);
		arena_free(&scratch);
	}
}

static void kinds_are_known_by_their_names(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		assert_int_equal(exec_kind(event_kinds[i].name, strlen(event_kinds[i].name)), event_kinds[i].bit);
	assert_int_equal(exec_kind("quotes", 6), 0);
	assert_int_equal(exec_kind("", 0), 0);
}

/* ---- requests ---- */

static void a_state_goes_along_once_and_unwanted_kinds_do_not(void **state)
{
	struct exec x = { .state_size = 64, .wanted = TW_QUOTE };
	_Alignas(16) unsigned char room[2][80] = { { 0 } };
	struct tw_event quote = { .struct_size = sizeof quote, .kind = TW_QUOTE }, trade = { .kind = TW_TRADE };
	const struct tw_event *evs[] = { &quote, &trade, &quote, &quote };
	void *states[] = { room[0], room[1], room[1], room[0] };
	struct tw_batch b = { sizeof b, 4, evs, states };
	struct request *q = calloc(1, sizeof *q);
	uint32_t at = 0;

	(void)state;
	assert_true(request_batch(q, &x, &host, &b, &at, EVENTS_MAX));
	assert_int_equal(at, 4);
	assert_int_equal(q->n, 3);
	assert_int_equal(q->at[1], 2);
	assert_int_equal(q->n_states, 2);
	assert_int_equal(q->state_of[0], 0);
	assert_int_equal(q->state_of[1], 1);
	assert_int_equal(q->state_of[2], 0);
	at = 0;
	assert_true(request_batch(q, &x, &host, &b, &at, 1));
	assert_int_equal(at, 1);
	assert_int_equal(q->number, 2);
	free(q->frame.p);
	free(q);
}

static void a_batch_is_cut_before_it_gets_too_large_but_never_empty(void **state)
{
	enum { N = 200 };
	struct exec x = { .state_size = 60 << 10, .wanted = TW_ANY };
	unsigned char *room = calloc(N, 61 << 10), *raw = calloc(1, 65535);
	struct tw_event *ev = calloc(1, sizeof *ev);
	const struct tw_event *evs[N];
	void *states[N];
	struct tw_batch b = { sizeof b, N, evs, states };
	struct request *q = calloc(1, sizeof *q);
	uint32_t at = 0, rounds = 0;

	(void)state;
	*ev = (struct tw_event){ .kind = TW_QUOTE, .raw = raw, .raw_len = 65535 };
	for (uint32_t i = 0; i < N; i++) {
		evs[i] = ev;
		states[i] = room + (size_t)i * (61 << 10);
	}
	for (; at < N; rounds++) {
		uint32_t before = at;
		assert_true(request_batch(q, &x, &host, &b, &at, EVENTS_MAX));
		assert_true(at > before && q->n == at - before && q->n_states == q->n);
		assert_true(q->frame.n < REQUEST_BYTES + (1 << 17));
	}
	assert_in_range(rounds, 5, 8); /* 200 x 125 KB */
	free(q->frame.p);
	free(q);
	free(ev);
	free(raw);
	free(room);
}

/* ---- replies ---- */

static void good_reply(struct bytes *b)
{
	static const double numbers[] = { 1.5, -2 };

	b->n = 0;
	put_map(b, 6);
	put_word(b, "n");
	put_u64(b, 7);
	put_word(b, "done");
	put_u64(b, 2);
	put_word(b, "error");
	put_word(b, "no");
	put_word(b, "states");
	put_array(b, 1);
	put_array(b, 2);
	put_u64(b, 1);
	put_bin(b, "state", 5);
	put_word(b, "alerts");
	put_array(b, 1);
	put_map(b, 7);
	put_word(b, "i");
	put_u64(b, 1);
	put_word(b, "score");
	put_f64(b, numbers[0]);
	put_word(b, "reason");
	put_word(b, "\xc3\xa4");
	put_word(b, "type");
	put_word(b, "t");
	put_word(b, "severity");
	put_word(b, "high");
	put_word(b, "value");
	put_nil(b);
	put_word(b, "details");
	put_map(b, 2);
	put_word(b, "a");
	put_i64(b, -3);
	put_word(b, "b");
	put_word(b, "text");
	put_word(b, "scores");
	put_array(b, 2);
	put_array(b, 2);
	put_u64(b, 0);
	put_f64(b, numbers[1]);
	put_array(b, 3);
	put_u64(b, 1);
	put_u64(b, 3);
	put_f64(b, 0.5);
}

struct fixture {
	struct request *q;
	struct reply *r;
	struct bytes good;
	char why[WHY_BYTES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->q = calloc(1, sizeof *f->q);
	f->r = calloc(1, sizeof *f->r);
	f->q->number = 7;
	f->q->n = 3;
	f->q->n_states = 2;
	good_reply(&f->good);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->good.p);
	free(f->q);
	free(f->r);
	free(f);
	return 0;
}

/* From memory that ends where the reply does, so that a sanitizer sees one byte too many. */
static bool read_exact(struct fixture *f, const unsigned char *p, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);
	bool ok;

	memcpy(copy, p, n);
	ok = reply_batch(f->r, f->q, 64, copy, n, f->why);
	if (ok) { /* what it lets through is within the bounds that the detector relies on */
		struct reply *r = f->r;
		assert_true(r->done <= f->q->n && r->n_states <= f->q->n_states);
		for (uint32_t i = 0; i < r->n_states; i++)
			assert_true(r->states[i].state < f->q->n_states && r->states[i].len <= 64);
		for (uint32_t i = 0; i < r->n_alerts; i++)
			assert_true(r->alerts[i].event < r->done && isfinite(r->alerts[i].score) &&
				    r->alerts[i].reason.len >= 1 && r->alerts[i].reason.len <= REASON_MAX &&
				    r->alerts[i].severity <= TW_CRITICAL && r->alerts[i].type.len <= TYPE_MAX &&
				    r->alerts[i].first_detail + r->alerts[i].n_details <= r->n_details);
		for (uint32_t i = 0; i < r->n_scores; i++)
			assert_true(r->scores[i].event < r->done && isfinite(r->scores[i].score));
	}
	free(copy);
	return ok;
}

static void a_reply_is_read_with_all_its_fields(void **state)
{
	struct fixture *f = *state;
	const struct said *a = &f->r->alerts[0];

	if (!reply_batch(f->r, f->q, 64, f->good.p, f->good.n, f->why))
		fail_msg("%s", f->why);
	assert_int_equal(f->r->done, 2);
	assert_int_equal(f->r->n_states, 1);
	assert_int_equal(f->r->states[0].state, 1);
	assert_memory_equal(f->r->states[0].blob, "state", 5);
	assert_int_equal(f->r->n_alerts, 1);
	assert_int_equal(a->event, 1);
	assert_true(a->score == 1.5 && isnan(a->value));
	assert_int_equal(a->severity, TW_HIGH);
	assert_memory_equal(a->reason.s, "\xc3\xa4", 2);
	assert_int_equal(a->n_details, 2);
	assert_true(f->r->details[0].number == -3 && f->r->details[1].text.len == 4);
	assert_int_equal(f->r->n_scores, 2);
	assert_true(f->r->scores[0].score == -2 && isnan(f->r->scores[0].p_value));
	assert_true(f->r->scores[1].score == 3 && f->r->scores[1].p_value == 0.5);
}

static void every_beginning_of_a_reply_is_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 0; n < f->good.n; n++)
		assert_false(read_exact(f, f->good.p, n));
	assert_true(read_exact(f, f->good.p, f->good.n));
}

static void a_reply_with_any_byte_changed_is_refused_or_within_bounds(void **state)
{
	struct fixture *f = *state;
	uint32_t refused = 0;

	for (size_t i = 0; i < f->good.n; i++) {
		unsigned char was = f->good.p[i];
		for (unsigned v = 0; v < 256; v++) {
			f->good.p[i] = (unsigned char)v;
			refused += !read_exact(f, f->good.p, f->good.n);
		}
		f->good.p[i] = was;
	}
	assert_true(refused > f->good.n * 100);
}

static void bytes_without_sense_are_refused_or_within_bounds(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 88172645463325252u;
	unsigned char noise[256];

	for (uint32_t round = 0; round < 200000; round++) {
		size_t n = f->good.n < sizeof noise ? f->good.n : sizeof noise;
		memcpy(noise, f->good.p, n);
		for (uint32_t k = 0; k < 6; k++) { /* a few bytes anywhere, often a first byte of something */
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			noise[seed % n] = (unsigned char)(seed >> 40 & 1 ? 0xc0 | (seed >> 32 & 0x1f) : seed >> 32);
		}
		(void)read_exact(f, noise, n);
	}
}

static void too_many_things_about_one_event_are_refused(void **state)
{
	struct fixture *f = *state;
	struct bytes b = { 0 };

	for (uint32_t n = SAID_PER_EVENT; n <= SAID_PER_EVENT + 1; n++) {
		b.n = 0;
		put_map(&b, 3);
		put_word(&b, "n");
		put_u64(&b, 7);
		put_word(&b, "done");
		put_u64(&b, 3);
		put_word(&b, "scores");
		put_array(&b, n);
		for (uint32_t i = 0; i < n; i++) {
			put_array(&b, 2);
			put_u64(&b, 1);
			put_u64(&b, 1);
		}
		assert_int_equal(read_exact(f, b.p, b.n), n == SAID_PER_EVENT);
	}
	assert_non_null(strstr(f->why, "more than 16 'scores' about event 1"));
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_that_is_on_no_tape_is_written_as_the_tape_would_have_it),
		cmocka_unit_test(kinds_are_known_by_their_names),
		cmocka_unit_test(a_state_goes_along_once_and_unwanted_kinds_do_not),
		cmocka_unit_test(a_batch_is_cut_before_it_gets_too_large_but_never_empty),
		cmocka_unit_test_setup_teardown(a_reply_is_read_with_all_its_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_beginning_of_a_reply_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reply_with_any_byte_changed_is_refused_or_within_bounds, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(bytes_without_sense_are_refused_or_within_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many_things_about_one_event_are_refused, set_up, tear_down),
	};
	int rc;

	names = intern_new(1000);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	intern_free(names);
	return rc;
}
