/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch tape info: the segments of a recording, and its dead letters counted by source and reason.
 */
#include "base/format.h"
#include "cli/tape.h"
#include "event/event.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SEGMENTS 65536u
#define MAX_REASONS  256u

struct reason {
	char source[64], word[64];
	uint64_t n;
};

struct summary {
	struct segment_info *segments;
	uint32_t n_segments, n_reasons;
	struct reason reasons[MAX_REASONS];
	uint64_t events, bytes, dead, other_dead; /* other: of reasons beyond the table */
};

static bool same(const char *copy, size_t size, struct tw_str s)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;
	return strlen(copy) == n && (n == 0 || memcmp(copy, s.s, n) == 0);
}

static void copy(char *out, size_t size, struct tw_str s)
{
	snprintf(out, size, "%.*s", s.s ? (int)s.len : 0, s.s ? s.s : "");
}

static void count(struct summary *sum, const struct dead_letter *d)
{
	sum->dead++;
	for (uint32_t i = 0; i < sum->n_reasons; i++) {
		struct reason *r = &sum->reasons[i];
		if (same(r->source, sizeof r->source, d->source) && same(r->word, sizeof r->word, d->reason)) {
			r->n++;
			return;
		}
	}
	if (sum->n_reasons == MAX_REASONS) {
		sum->other_dead++;
		return;
	}
	struct reason *r = &sum->reasons[sum->n_reasons++];
	copy(r->source, sizeof r->source, d->source);
	copy(r->word, sizeof r->word, d->reason);
	r->n = 1;
}

static int32_t count_dead(struct summary *sum, struct store *s, struct tw_err *e)
{
	struct log_reader *reader = NULL;
	struct dead_letter d;
	struct block b;

	int32_t rc = log_reader_open(&reader, s, LOG_DEAD, 1, e);
	while (rc == TW_OK && (rc = log_reader_next(reader, &b, e)) == TW_OK)
		for (size_t at = 0; dead_record(&b, &at, &d);)
			count(sum, &d);
	log_reader_close(reader);
	return rc < 0 ? rc : TW_OK;
}

/* All of them, however many there are. */
static int32_t read_segments(struct summary *sum, struct store *s)
{
	for (uint32_t cap = 64; cap <= MAX_SEGMENTS; cap *= 4) {
		struct segment_info *more = realloc(sum->segments, cap * sizeof *more);
		if (!more)
			return TW_E_IO;
		sum->segments = more;
		sum->n_segments = store_segments(s, more, cap);
		if (sum->n_segments < cap)
			break;
	}
	for (uint32_t i = 0; i < sum->n_segments; i++) {
		sum->events += sum->segments[i].events;
		sum->bytes += sum->segments[i].bytes;
	}
	return TW_OK;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int text_form(const struct summary *sum, struct store *s, struct buf *out)
{
	char from[40], to[40];
	int bad = buf_addf(out, "tape %s\n", store_tape_id(s));

	bad |= buf_addf(out,
			"%" PRIu64 " events, %" PRIu64 " bytes, %u segment%s, %" PRIu64
			" dead letters, last event %" PRIu64 ", alerts complete through %" PRIu64 "\n\n",
			sum->events, sum->bytes, sum->n_segments, sum->n_segments == 1 ? "" : "s", sum->dead,
			store_last_seq(s), store_complete(s));
	bad |= buf_addf(out, "%-14s %12s %12s %12s %14s %8s  %-30s %s\n", "SEGMENT", "FIRST", "LAST", "EVENTS", "BYTES",
			"DEAD", "FROM", "TO");
	for (uint32_t i = 0; i < sum->n_segments; i++) {
		const struct segment_info *g = &sum->segments[i];
		snprintf(from, sizeof from, "-");
		snprintf(to, sizeof to, "-");
		if (g->events) {
			format_time(from, g->from);
			format_time(to, g->to);
		}
		bad |= cli_text(out, base_name(g->path), strlen(base_name(g->path)), 14);
		bad |= buf_addf(out,
				"%*s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %14" PRIu64 " %8" PRIu64 "  %-30s %s\n",
				(int)(14 - (strlen(base_name(g->path)) < 14 ? strlen(base_name(g->path)) : 14)), "",
				g->first, g->last, g->events, g->bytes, g->dead, from, to);
	}
	if (sum->dead)
		bad |= buf_addf(out, "\n%12s  %s\n", "DEAD LETTERS", "SOURCE: REASON");
	for (uint32_t i = 0; i < sum->n_reasons; i++) {
		const struct reason *r = &sum->reasons[i];
		bad |= buf_addf(out, "%12" PRIu64 "  ", r->n);
		bad |= cli_text(out, r->source, strlen(r->source), 0);
		bad |= buf_addf(out, ": ");
		bad |= cli_text(out, r->word, strlen(r->word), 0);
		bad |= buf_addf(out, "\n");
	}
	if (sum->other_dead)
		bad |= buf_addf(out, "%12" PRIu64 "  (further reasons)\n", sum->other_dead);
	return bad;
}

static int json_time(struct buf *out, const char *name, int64_t ts)
{
	char text[40];
	format_time(text, ts);
	return buf_addf(out, ",\"%s\":\"%s\"", name, text);
}

static int json_form(const struct summary *sum, struct store *s, struct buf *out)
{
	int bad = buf_addf(out,
			   "{\"tape\":\"%s\",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"last_seq\":%" PRIu64
			   ",\"complete\":%" PRIu64 ",\"segments\":[",
			   store_tape_id(s), sum->events, sum->bytes, store_last_seq(s), store_complete(s));

	for (uint32_t i = 0; i < sum->n_segments; i++) {
		const struct segment_info *g = &sum->segments[i];
		bad |= buf_addf(out, "%s{\"number\":%u,\"path\":", i ? "," : "", g->number);
		bad |= json_text(out, g->path, strlen(g->path));
		bad |= buf_addf(out,
				",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
				",\"dead\":%" PRIu64 ",\"schema\":%u",
				g->first, g->last, g->events, g->bytes, g->dead, g->schema);
		if (g->events) {
			bad |= json_time(out, "from", g->from);
			bad |= json_time(out, "to", g->to);
		}
		bad |= buf_addf(out, "}");
	}
	bad |= buf_addf(out, "],\"dead\":%" PRIu64 ",\"dead_reasons\":[", sum->dead);
	for (uint32_t i = 0; i < sum->n_reasons; i++) {
		const struct reason *r = &sum->reasons[i];
		bad |= buf_addf(out, "%s{\"source\":", i ? "," : "");
		bad |= json_text(out, r->source, strlen(r->source));
		bad |= buf_addf(out, ",\"reason\":");
		bad |= json_text(out, r->word, strlen(r->word));
		bad |= buf_addf(out, ",\"count\":%" PRIu64 "}", r->n);
	}
	return bad | buf_addf(out, "]}\n");
}

int tape_info(const struct tape_args *a, struct store *s)
{
	struct summary *sum = calloc(1, sizeof *sum);
	struct tw_err e = { 0 };
	struct buf out = { 0 };
	int code = CLI_OK;

	if (!sum || read_segments(sum, s) < 0) {
		code = cli_fail(CLI_GAVE_UP, "tape", "out of memory");
		goto out;
	}
	int32_t rc = count_dead(sum, s, &e);
	if (rc < 0) {
		code = cli_fail(cli_store_code(rc), "tape", "%s", e.msg);
		goto out;
	}
	if (a->json ? json_form(sum, s, &out) : text_form(sum, s, &out))
		code = cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	else
		cli_write(&out, "tape", &code);
out:
	buf_free(&out);
	if (sum)
		free(sum->segments);
	free(sum);
	return code;
}
