/* SPDX-License-Identifier: Apache-2.0
 *
 * The pump against sources that fail, repeat and misbehave: what comes out of the chunks, in order, exactly once.
 */
#include "bus/pump.h"
#include "event/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>

#include <cmocka.h>

/* A scripted source: offers things numbered from its position on; a thing divisible by `bad_every` is refused. */
struct script {
	int64_t fail_opens, things, per_poll, fail_poll_at, bad_every;
	int64_t next, opens, polls, acked;
	bool had_resume;
	struct pump *stop_in_open, *stop_in_poll, *stop_in_close; /* as another thread would at that moment */
	int64_t wakeups;
};

static int32_t script_open(void *self, const struct tw_host *h, const struct tw_pos *resume, struct tw_err *e)
{
	struct script *s = self;

	(void)h;
	s->opens++;
	s->had_resume = resume != NULL;
	if (s->stop_in_open)
		pump_stop(s->stop_in_open);
	if (s->fail_opens > 0) {
		s->fail_opens--;
		snprintf(e->msg, sizeof e->msg, "the server is down");
		return e->code = TW_E_IO;
	}
	s->next = 1;
	if (resume)
		memcpy(&s->next, resume->data, sizeof s->next);
	return TW_OK;
}

static int32_t script_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct script *s = self;
	struct tw_pos pos = { .len = sizeof s->next };

	(void)timeout_ms;
	s->polls++;
	if (s->stop_in_poll)
		pump_stop(s->stop_in_poll);
	for (int64_t i = 0; i < s->per_poll && s->next <= s->things; i++, s->next++) {
		if (s->fail_poll_at == s->next) {
			s->fail_poll_at = 0;
			snprintf(e->msg, sizeof e->msg, "the line broke");
			return e->code = TW_E_IO;
		}
		if (s->bad_every && s->next % s->bad_every == 0)
			(void)w->reject(w, "bad_row", "here", "it is bad", &s->next, sizeof s->next);
		else
			(void)tw_push_clock(w, s->next, tw_none);
	}
	if (s->next % 2 == 0) { /* now and then */
		memcpy(pos.data, &s->next, sizeof s->next);
		(void)w->mark(w, &pos);
	}
	return s->next > s->things ? TW_DONE : TW_OK;
}

static void script_close(void *self)
{
	struct script *s = self;

	if (s->stop_in_close)
		pump_stop(s->stop_in_close);
}

static void script_wakeup(void *self)
{
	struct script *s = self;

	s->wakeups++;
}

static int32_t script_finite(const void *self)
{
	(void)self;
	return 1;
}

struct rig {
	struct script script;
	struct plugin plugin;
	struct graph_node node;
	struct bell bell;
	struct pump *pump;
};

static void rig_start(struct rig *r, const struct tw_pos *resume, uint64_t after)
{
	r->plugin = (struct plugin){ .kind = PLUGIN_SOURCE, .name = "script" };
	r->plugin.source = (struct tw_source){ .struct_size = sizeof r->plugin.source,
					       .open = script_open,
					       .poll = script_poll,
					       .close = script_close,
					       .wakeup = script_wakeup,
					       .finite = script_finite };
	r->node = (struct graph_node){ .kind = PLUGIN_SOURCE, .name = "src", .plugin = &r->plugin, .self = &r->script };
	r->node.source = (struct source_options){ .max_bad = "50%", .bad_share = 0.5, .retries = 10 };
	bell_init(&r->bell);
	r->pump = pump_new(&r->node, resume, after, &r->bell);
	assert_non_null(r->pump);
}

static void rig_stop(struct rig *r)
{
	pump_free(r->pump);
	bell_free(&r->bell);
}

/* Everything that comes, as "1 2 !3 4": event times and, with '!', dead letters, in the order of the chunk. */
static void drain(struct rig *r, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	while (!pump_ended(r->pump)) {
		struct chunk *c;
		uint32_t dead = 0;
		size_t byte = 0;
		enum step s = pump_step(r->pump, 0);

		c = pump_peek(r->pump);
		assert_true(c || s != STEP_DONE);
		if (!c)
			continue; /* in a pause before the next attempt: time passes by itself */
		for (uint32_t i = 0; i <= c->n; i++) {
			for (; dead < c->n_dead && c->dead[dead].at <= i; dead++) {
				int64_t thing;
				memcpy(&thing, c->dead[dead].letter.raw.s, sizeof thing);
				n += (size_t)snprintf(out + n, size - n, "!%" PRId64 " ", thing);
			}
			if (i == c->n)
				break;
			const unsigned char *record = c->records.data + byte;
			byte += 4u + record[2] + 256u * record[3];
			n += (size_t)snprintf(out + n, size - n, "%" PRId64 " ", event_ts(record + 4));
		}
		pump_give_back(r->pump);
	}
}

static struct tw_pos position(int64_t next)
{
	struct tw_pos pos = { .len = sizeof next };
	memcpy(pos.data, &next, sizeof next);
	return pos;
}

static void events_and_dead_letters_come_in_the_order_they_were_offered(void **state)
{
	struct rig r = { .script = { .things = 7, .per_poll = 3, .bad_every = 3 } };
	char out[256];

	(void)state;
	rig_start(&r, NULL, 0);
	drain(&r, out, sizeof out);
	assert_string_equal(out, "1 2 !3 4 5 !6 7 ");
	rig_stop(&r);
}

static void what_is_recorded_behind_the_mark_is_dropped_when_it_comes_again(void **state)
{
	struct rig r = { .script = { .things = 7, .per_poll = 2, .bad_every = 3 } };
	struct tw_pos pos = position(2);
	char out[256];

	(void)state;
	rig_start(&r, &pos, 3); /* 2, !3 and 4 are recorded */
	drain(&r, out, sizeof out);
	assert_string_equal(out, "5 !6 7 ");
	rig_stop(&r);
}

static void repetitions_are_dropped_once_even_when_opening_fails_first(void **state)
{
	struct rig r = { .script = { .things = 6, .per_poll = 4, .fail_opens = 2 } };
	struct tw_pos pos = position(2);
	char out[256];

	(void)state;
	rig_start(&r, &pos, 3); /* 2, 3 and 4 are recorded */
	drain(&r, out, sizeof out);
	assert_string_equal(out, "5 6 ");
	assert_int_equal(r.script.opens, 3);
	rig_stop(&r);
}

static void repetitions_are_dropped_once_even_when_the_line_breaks_among_them(void **state)
{
	struct rig r = { .script = { .things = 6, .per_poll = 4, .fail_poll_at = 4 } };
	struct tw_pos pos = position(2);
	char out[256];

	(void)state;
	rig_start(&r, &pos, 3); /* breaks after 2 and 3 came again */
	drain(&r, out, sizeof out);
	assert_string_equal(out, "5 6 ");
	rig_stop(&r);
}

static void a_line_that_breaks_doubles_nothing(void **state)
{
	struct rig r = { .script = { .things = 9, .per_poll = 4, .fail_poll_at = 7 } };
	char out[256];

	(void)state;
	rig_start(&r, NULL, 0);
	drain(&r, out, sizeof out);
	assert_string_equal(out, "1 2 3 4 5 6 7 8 9 ");
	assert_true(r.script.opens == 2);
	rig_stop(&r);
}

static void a_source_that_is_all_rubbish_is_stopped(void **state)
{
	struct rig r = { .script = { .things = 100000, .per_poll = 500, .bad_every = 1 } };
	char *out = malloc(1 << 20);

	(void)state;
	assert_non_null(out);
	rig_start(&r, NULL, 0);
	drain(&r, out, 1 << 20);
	assert_true(pump_failed(r.pump));
	assert_true(r.script.next < 2000);
	rig_stop(&r);
	free(out);
}

static void a_source_that_never_opens_is_given_up_after_its_retries(void **state)
{
	struct rig r = { .script = { .things = 5, .per_poll = 5, .fail_opens = 1000 } };
	char out[64];

	(void)state;
	rig_start(&r, NULL, 0);
	r.node.source.retries = 2;
	drain(&r, out, sizeof out);
	assert_string_equal(out, "");
	assert_true(pump_failed(r.pump));
	assert_int_equal(r.script.opens, 3);
	rig_stop(&r);
}

static void a_stop_wakes_a_source_that_polls(void **state)
{
	struct rig r = { .script = { .things = 5, .per_poll = 1 } };

	(void)state;
	rig_start(&r, NULL, 0);
	r.script.stop_in_poll = r.pump;
	assert_int_equal(pump_step(r.pump, 0), STEP_MORE);
	assert_int_equal(r.script.wakeups, 1);
	assert_int_equal(pump_step(r.pump, 0), STEP_DONE);
	assert_int_equal(r.script.polls, 1);
	rig_stop(&r);
}

static void a_source_that_is_being_opened_is_not_woken_nor_polled_afterwards(void **state)
{
	struct rig r = { .script = { .things = 5, .per_poll = 5 } };
	char out[64];

	(void)state;
	rig_start(&r, NULL, 0);
	r.script.stop_in_open = r.pump;
	drain(&r, out, sizeof out);
	assert_int_equal(r.script.opens, 1);
	assert_int_equal(r.script.wakeups, 0);
	assert_int_equal(r.script.polls, 0);
	assert_string_equal(out, "");
	rig_stop(&r);
}

static void a_source_that_is_being_closed_is_not_woken(void **state)
{
	struct rig r = { .script = { .things = 5, .per_poll = 5 } };
	char out[64];

	(void)state;
	rig_start(&r, NULL, 0);
	r.script.stop_in_close = r.pump;
	drain(&r, out, sizeof out);
	assert_string_equal(out, "1 2 3 4 5 ");
	pump_stop(r.pump);
	assert_int_equal(r.script.wakeups, 0);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_and_dead_letters_come_in_the_order_they_were_offered),
		cmocka_unit_test(what_is_recorded_behind_the_mark_is_dropped_when_it_comes_again),
		cmocka_unit_test(repetitions_are_dropped_once_even_when_opening_fails_first),
		cmocka_unit_test(repetitions_are_dropped_once_even_when_the_line_breaks_among_them),
		cmocka_unit_test(a_line_that_breaks_doubles_nothing),
		cmocka_unit_test(a_source_that_is_all_rubbish_is_stopped),
		cmocka_unit_test(a_source_that_never_opens_is_given_up_after_its_retries),
		cmocka_unit_test(a_stop_wakes_a_source_that_polls),
		cmocka_unit_test(a_source_that_is_being_opened_is_not_woken_nor_polled_afterwards),
		cmocka_unit_test(a_source_that_is_being_closed_is_not_woken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
