/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink with one fault, chosen by an option, for the tests of the test kit. With `fault: none` it is sound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>

enum fault { NONE, TWICE, MOODY, BATCHES, DEAF, BOAST, LONG_TEXT };

struct self {
	int64_t fault;
};

static const struct tw_option options[] = {
	TW_ENUM(struct self, fault, "none", "none|twice|moody|batches|deaf|boast|long", "what is wrong with it"),
	TW_END,
};

static int32_t refuse(struct tw_err *e, int32_t code, const char *what)
{
	e->code = code;
	(void)snprintf(e->msg, sizeof e->msg, "%s", what);
	return code;
}

static int32_t write_it(void *of, const struct tw_event *const *records, uint32_t n, uint32_t *done, struct tw_err *e)
{
	static uint64_t calls;
	static int64_t first_ts;
	const struct self *s = of;

	calls++;
	if (!first_ts)
		first_ts = records[0]->ts;
	if (s->fault == TWICE && calls > 1 && records[0]->ts == first_ts)
		return refuse(e, TW_E_FATAL, "this record was here before");
	if (s->fault == BATCHES && n > 100)
		return refuse(e, TW_E_IO, "too many at once");
	if (s->fault == DEAF)
		return TW_AGAIN;
	if (s->fault == BOAST)
		*done = n + 1;
	for (uint32_t i = 0; i < n; i++) {
		if (s->fault == LONG_TEXT && records[i]->kind == TW_ALERT && records[i]->alert.reason.len > 1000)
			abort();
		if (s->fault == MOODY && calls == 1 && i == 3) {
			*done = i;
			return refuse(e, TW_E_DATA, "not this one, not today");
		}
	}
	if (s->fault != BOAST)
		*done = n;
	return s->fault == BOAST ? TW_AGAIN : TW_OK;
}

TW_SINK(.name = "faulty_sink", .version = "1.0.0", .summary = "has one fault, chosen by an option",
	.doc = "For the tests of the test kit.", .options = options, .self_size = sizeof(struct self),
	.write = write_it)
