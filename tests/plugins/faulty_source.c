/* SPDX-License-Identifier: Apache-2.0
 *
 * A source with one fault, chosen by an option, for the tests of the test kit. It reads lines "SYMBOL BID ASK", one
 * event for each second from a fixed day on. With `fault: none` it is sound: its position holds the offset and a sum
 * over all bytes before it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/push.h>

enum fault { NONE, UNMARKED, BEHIND, BLIND, DROPS, MEMORY, GREEDY };

struct self {
	const char *path;
	int64_t fault;
	FILE *file;
	uint64_t sum, lines;
};
struct where {
	uint64_t offset, sum, lines;
};

static const struct tw_option options[] = {
	TW_STRING(struct self, path, TW_REQUIRED, "the file of lines SYMBOL BID ASK"),
	TW_ENUM(struct self, fault, "none", "none|unmarked|behind|blind|drops|memory|greedy", "what is wrong with it"),
	TW_END,
};

static uint64_t more(uint64_t sum, const char *s)
{
	for (; *s; s++)
		sum = (sum ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return sum;
}

static int32_t refuse(struct tw_err *e, int32_t code, const char *what)
{
	e->code = code;
	(void)snprintf(e->msg, sizeof e->msg, "%s", what);
	return code;
}

static int32_t open_it(void *of, const struct tw_host *h, const struct tw_pos *resume, struct tw_err *e)
{
	struct self *s = of;
	char line[256];
	struct where at = { 0 };

	(void)h;
	if (resume)
		memcpy(&at, resume->data, sizeof at);
	s->file = fopen(s->path, "re");
	if (!s->file)
		return refuse(e, TW_E_IO, "cannot read the file");
	if (s->fault == BLIND && resume) {
		s->lines = at.lines;
		return fseek(s->file, (long)at.offset, SEEK_SET) == 0 ? TW_OK : TW_E_IO;
	}
	while ((uint64_t)ftell(s->file) < at.offset && fgets(line, sizeof line, s->file)) {
		s->sum = more(s->sum, line);
		s->lines++;
	}
	if (resume && (s->sum != at.sum || (uint64_t)ftell(s->file) != at.offset)) {
		(void)fclose(s->file);
		s->file = NULL;
		return refuse(e, TW_E_DATA, "the file changed behind the recorded position");
	}
	return TW_OK;
}

static void close_it(void *of)
{
	struct self *s = of;

	if (s->file && s->fault != GREEDY)
		(void)fclose(s->file);
	s->file = NULL;
}

static int32_t poll_it(void *of, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	static uint64_t polls;
	struct self *s = of;
	struct tw_pos pos = { .len = sizeof(struct where) };
	struct where at, before = { (uint64_t)ftell(s->file), s->sum, s->lines };
	uint32_t n = 0;
	char line[256], symbol[64];
	double bid, ask;

	(void)timeout_ms, (void)e;
	polls++;
	while (n < w->credit && fgets(line, sizeof line, s->file)) {
		n++;
		s->sum = more(s->sum, line);
		s->lines++;
		if (s->fault == DROPS && n == 5 && w->credit < 10)
			continue;
		if (sscanf(line, "%63s %lf %lf", symbol, &bid, &ask) == 3)
			(void)tw_push_quote(w, INT64_C(1767571200000000000) + (int64_t)s->lines * 1000000000,
					    tw_textz(symbol), bid + (s->fault == MEMORY ? (double)(polls % 7) : 0), ask,
					    TW_NONE, TW_NONE);
	}
	at = (struct where){ (uint64_t)ftell(s->file), s->sum, s->lines };
	memcpy(pos.data, s->fault == BEHIND ? &before : &at, sizeof at);
	if (n && s->fault != UNMARKED)
		(void)w->mark(w, &pos);
	return n ? TW_OK : TW_DONE;
}

static int32_t is_finite(const void *self)
{
	(void)self;
	return 1;
}

TW_SOURCE(.name = "faulty_source", .version = "1.0.0", .summary = "has one fault, chosen by an option",
	  .doc = "For the tests of the test kit.", .options = options, .self_size = sizeof(struct self),
	  .open = open_it, .poll = poll_it, .close = close_it, .finite = is_finite)
