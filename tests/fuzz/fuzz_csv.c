/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file of the csv source: the first byte picks options, the rest is the file, plain or packed. Beyond
 * not crashing: every line becomes exactly one event, dead letter or skipped row, and a run that is resumed at a mark
 * gives what is left. The zone reader gets the same bytes as a file.
 *
 * The plugin's parts are compiled in, since a shared object that was built without counters shows the fuzzer nothing.
 */
#include "../../plugins/sources/csv/csv.c"
#include "../../plugins/sources/csv/file.c"
#include "../../plugins/sources/csv/format_bare.c"
#include "../../plugins/sources/csv/format_statement.c"
#include "../../plugins/sources/csv/format_truefx.c"
#include "../../plugins/sources/csv/header.c"
#include "../../plugins/sources/csv/layout.c"
#include "../../plugins/sources/csv/merge.c"
#include "../../plugins/sources/csv/number.c"
#include "../../plugins/sources/csv/paths.c"
#include "../../plugins/sources/csv/position.c"
#include "../../plugins/sources/csv/reader.c"
#include "../../plugins/sources/csv/row.c"
#include "../../plugins/sources/csv/sort.c"
#include "../../plugins/sources/csv/timestamp.c"
#include "../../plugins/sources/csv/timezone.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct taker { /* what a run gave */
	struct tw_writer writer;
	uint64_t events, dead, skipped, hash;
	uint64_t mark_events, mark_hash; /* before the mark that is kept */
	uint32_t marks, keep;
	struct tw_pos pos;
	bool have;
};

static uint64_t touch(const void *p, size_t n) /* reads every byte, so that the sanitizer sees it */
{
	return p ? csv_hash(1, p, n) : 0;
}

static int32_t take_put(struct tw_writer *w, uint32_t kind, int64_t ts, const union tw_num *n, const struct tw_str *s)
{
	struct taker *t = (struct taker *)(void *)w;
	const struct kind_shape *shape = kind_shapes;
	uint64_t h;

	while (shape->kind != kind)
		shape++;
	h = csv_hash(kind, &ts, sizeof ts);
	for (int i = 0; i < NUMBERS && shape->numbers[i]; i++)
		h = csv_hash(h, &n[i], sizeof n[i]);
	for (int i = 0; i < TEXTS && shape->texts[i]; i++)
		h = csv_hash(h, s[i].s ? s[i].s : "-", s[i].s ? s[i].len : 1);
	touch(w->raw, w->raw_len);
	touch(w->where, strlen(w->where));
	t->hash += h;
	t->events++;
	return TW_OK;
}

static int32_t take_mark(struct tw_writer *w, const struct tw_pos *pos)
{
	struct taker *t = (struct taker *)(void *)w;

	if (t->marks++ == t->keep) {
		t->pos = *pos;
		t->mark_events = t->events;
		t->mark_hash = t->hash;
		t->have = true;
	}
	return TW_OK;
}

static int32_t take_reject(struct tw_writer *w, const char *reason, const char *where, const char *detail,
			   const void *raw, uint64_t len)
{
	struct taker *t = (struct taker *)(void *)w;

	touch(reason, strlen(reason));
	touch(where, strlen(where));
	touch(detail, strlen(detail));
	touch(raw, len);
	if (len > RAW_MAX_BYTES)
		__builtin_trap();
	t->dead++;
	return TW_OK;
}

static void take_skip(struct tw_writer *w, uint64_t n)
{
	((struct taker *)(void *)w)->skipped += n;
}

TW_PRINTF(3, 4) static void take_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	(void)h, (void)level;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
}

static struct csv source_of(uint8_t pick, const uint8_t *data, size_t n)
{
	static const char *const mapped[] = { "ts", "1", "price", "2", "symbol", "3", "side", "4" };
	static const char *const zones[] = { "", "EST", "metatrader", "+05:30" };
	struct csv s = { .format = pick % 5,
			 .symbol = pick & 32 ? "{2}{stem}" : "",
			 .account = "",
			 .time_format = "auto",
			 .timezone = zones[pick >> 6],
			 .delimiter = "auto",
			 .decimal = pick & 16 ? "," : ".",
			 .speed = "max",
			 .strict = (pick & 8) != 0,
			 .memory = data,
			 .memory_len = n };

	if (pick % 16 == 15) {
		s.format = FORMAT_AUTO;
		s.columns = (struct tw_list){ mapped, 8 };
	}
	if (s.decimal[0] == ',')
		s.delimiter = ";";
	return s;
}

static int32_t go(struct csv *s, struct taker *t, const struct tw_pos *resume, uint32_t credit)
{
	static const struct tw_host host = { .struct_size = sizeof host, .log = take_log, .instance = "fuzz" };
	struct tw_err e = { 0 };
	int32_t rc;

	t->writer = (struct tw_writer){ .struct_size = sizeof t->writer,
					.credit = credit,
					.put = take_put,
					.mark = take_mark,
					.reject = take_reject,
					.skip = take_skip };
	rc = csv_open(s, &host, resume, &e);
	if (rc != TW_OK)
		return rc;
	while ((rc = csv_poll(s, &t->writer, 0, &e)) == TW_OK)
		;
	csv_close(s);
	if (rc != TW_DONE && rc != TW_E_FATAL)
		__builtin_trap();
	return rc;
}

static uint64_t lines_in(const uint8_t *p, size_t n)
{
	uint64_t lines = 0;

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n' || i + 1 == n;
	return lines;
}

static bool is_packed(const uint8_t *p, size_t n)
{
	return (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) || (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct zone z = { 0 };
	struct taker whole = { 0 }, rest = { 0 };
	struct csv s;
	int32_t rc;

	zone_decode(&z, data, n);
	if (z.n)
		zone_utc(&z, 1400000000);
	zone_free(&z);
	if (n < 2)
		return 0;
	whole.keep = data[1] % 4u;
	s = source_of(data[0], data + 1, n - 1);
	rc = go(&s, &whole, NULL, 3);
	if (rc == TW_DONE && !is_packed(data + 1, n - 1) &&
	    whole.events + whole.dead + whole.skipped != lines_in(data + 1, n - 1))
		__builtin_trap();
	if (rc == TW_DONE && whole.have) {
		s = source_of(data[0], data + 1, n - 1);
		if (go(&s, &rest, &whole.pos, 5) != TW_DONE || rest.events != whole.events - whole.mark_events ||
		    rest.hash != whole.hash - whole.mark_hash)
			__builtin_trap();
	}
	return 0;
}
