/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: a detector that remembers everything it was shown. Its state is a checksum over each event of a key and each
 * timer, in order, and its alerts carry that: an event that is missing, doubled, out of order, or judged with the state
 * of another moment changes every alert of the key from there on.
 */
#define tw_plugin tw_plugin_trace
#include <tapewatch/plugin.h>

struct trace {
	int64_t every, gap, fail, emit;
};

struct state {
	uint64_t sum, count, timers;
};

static const struct tw_option options[] = {
	TW_INT(struct trace, every, "5", "1", "1000", "an alert with every so many-th event"),
	TW_DURATION(struct trace, gap, "0", "0", "1h", "a timer so long after each event; 0: none"),
	TW_INT(struct trace, fail, "0", "0", "1000000", "fail on one in so many events; 0: never"),
	TW_BOOL(struct trace, emit, "false", "emit the checksum with every event"),
	TW_END,
};

static uint64_t mix(uint64_t sum, uint64_t x)
{
	sum = (sum ^ x) * UINT64_C(0x9fb21c651e98df25);
	return sum ^ sum >> 29;
}

static double number(uint64_t sum)
{
	return (double)(sum >> 12); /* exact in a double */
}

static int32_t on_event(struct tw_ctx *c, const struct trace *o, const struct tw_event *ev, struct state *s)
{
	int32_t rc = TW_OK;

	/* what an emitted event says counts too */
	s->sum = mix(mix(mix(s->sum, ev->seq), (uint64_t)ev->ts), ev->kind);
	if (ev->kind == TW_SCORE)
		s->sum = mix(s->sum, (uint64_t)(int64_t)(ev->score.score < 1e15 ? ev->score.score * 1024 : 1));
	if (ev->kind == TW_ALERT)
		s->sum = mix(s->sum, (uint64_t)(int64_t)(ev->alert.score < 1e15 ? ev->alert.score * 1024 : 1));
	s->count++;
	if (o->fail && mix(ev->seq, (uint64_t)ev->ts) % (uint64_t)o->fail == 0)
		return TW_E_DATA;
	if (o->gap)
		c->host->timer(c, ev->ts + o->gap);
	if (s->count % (uint64_t)o->every == 0)
		rc = tw_alert(c, ev, number(s->sum), "%" PRIu64 " events, %" PRIu64 " timers", s->count, s->timers);
	if (o->emit && rc == TW_OK) {
		struct tw_event out = { .struct_size = sizeof out, .kind = TW_SCORE };
		out.score.score = number(s->sum);
		out.score.p_value = (double)NAN;
		rc = c->host->emit(c, &out);
	}
	return rc;
}

static int32_t on_timer(struct tw_ctx *c, void *state, int64_t due)
{
	const struct trace *o = c->self;
	struct state *s = state;

	s->sum = mix(s->sum, (uint64_t)due);
	if (++s->timers % 3 == 1 && s->timers % (uint64_t)o->every == 0)
		return TW_OK;
	return tw_alert(c, NULL, number(s->sum), "timer %" PRIu64 " after %" PRIu64 " events", s->timers, s->count);
}

const struct tw_manifest *tw_plugin(void);

TW_DETECTOR(on_event, .name = "trace", .version = "1", .summary = "a checksum over everything it was shown",
	    .kinds = TW_ANY, .emits = TW_SCORE, .key = "symbol", .flags = TW_FREE_KEY, .options = options,
	    .self_size = sizeof(struct trace), .state_size = sizeof(struct state), .state_version = 1,
	    .timer = on_timer)
