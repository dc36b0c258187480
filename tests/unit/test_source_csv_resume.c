/* SPDX-License-Identifier: Apache-2.0
 *
 * Packings, merging by time, pacing, and going on from any recorded position.
 */
#include "test_source_csv_kit.h"

#define TEXT_MAX_BYTES 65536

/* Quotes of a symbol every `step` ms from a start, with a bad and an empty row now and then. */
static size_t ticks(char *out, const char *symbol, int rows, int start, int step)
{
	size_t len = 0;

	for (int i = 0; i < rows; i++) {
		int t = start + i * step;

		if (i % 7 == 3)
			len += (size_t)snprintf(out + len, TEXT_MAX_BYTES - len, "%s,bad row %d\n", symbol, i);
		if (i % 11 == 5)
			out[len++] = '\n';
		len += (size_t)snprintf(out + len, TEXT_MAX_BYTES - len, "%s,20140501 05:%02d:%02d.%03d,1.%d,1.%d\n",
					symbol, t / 60000, t / 1000 % 60, t % 1000, 1000 + i, 1001 + i);
	}
	return len;
}

/* Start anew from each mark of a whole run: exactly the events and dead letters behind it must come. */
static void resume_everywhere(struct world *w, const char *path, const char *options, uint32_t credit)
{
	load(w, &w->kit, path, options);
	assert_int_equal(source_kit_all(&w->kit, credit), TW_DONE);
	assert_true(w->kit.n_marks > 5);
	for (uint64_t m = 0; m < w->kit.n_marks; m++) {
		const struct kit_mark *from = &w->kit.marks[m];
		struct source_kit *k = &w->other;

		load(w, k, path, options);
		if (source_kit_open(k, &from->pos) != TW_OK)
			fail_msg("mark %d: %s", (int)m, k->err.msg);
		assert_int_equal(source_kit_run(k, credit + 1), TW_DONE);
		k->source->close(k->self);
		assert_int_equal(k->n_events, w->kit.n_events - from->events);
		assert_int_equal(k->n_dead, w->kit.n_dead - from->dead);
		assert_int_equal(k->skipped, w->kit.skipped - from->skipped);
		for (uint64_t i = 0; i < k->n_events; i++)
			assert_true(kit_same_event(k, k->events[i], &w->kit, w->kit.events[from->events + i]));
		for (uint64_t i = 0; i < k->n_dead; i++)
			assert_string_equal(k->dead[i].where, w->kit.dead[from->dead + i].where);
		source_kit_free(k);
	}
	source_kit_free(&w->kit);
}

static void a_plain_file_goes_on_from_every_position(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];

	write_bytes(w, "t.csv", text, ticks(text, "A/B", 60, 0, 250));
	resume_everywhere(w, "t.csv", "", 1);
	resume_everywhere(w, "t.csv", "", 7);
	resume_everywhere(w, "t.csv", "timezone: America/New_York", 3);
}

static void a_file_with_a_header_goes_on_from_every_position(void **state)
{
	struct world *w = *state;

	write_file(w, "t.csv",
		   "\xef\xbb\xbftimestamp,value\r\n2020-01-01T00:00:02Z,1\r\n2020-01-01T00:00:01Z,2\r\nrubbish\r\n"
		   "2020-01-01T00:00:03Z,3\r\n2020-01-01T00:00:04Z,4\r\n2020-01-01T00:00:04Z,5\r\n"
		   "2020-01-01T00:00:05Z,6\r\n2020-01-01T00:00:04Z,7");
	resume_everywhere(w, "t.csv", "", 1);
	resume_everywhere(w, "t.csv", "strict: true", 1);
}

static void a_long_line_may_lie_at_the_position(void **state)
{
	struct world *w = *state;
	size_t big = (3u << 20), len;
	char *text = calloc(1, big + TEXT_MAX_BYTES);

	assert_non_null(text);
	len = ticks(text, "A/B", 10, 0, 250);
	memset(text + len, 'x', big);
	len += big;
	text[len++] = '\n';
	len += ticks(text + len, "C/D", 10, 2500, 250);
	write_bytes(w, "t.csv", text, len);
	free(text);
	resume_everywhere(w, "t.csv", "", 1);
}

static void packed_files_go_on_from_every_position(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];
	static unsigned char packed[TEXT_MAX_BYTES];
	size_t n = ticks(text, "A/B", 40, 0, 250);

	write_gzip(w, "t.csv.gz", text, n);
	resume_everywhere(w, "t.csv.gz", "", 3);
	write_bytes(w, "t.csv.zst", packed, pack_zstd(packed, sizeof packed, text, n));
	resume_everywhere(w, "t.csv.zst", "", 3);
}

static void merged_files_go_on_from_every_position(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];

	write_bytes(w, "a.csv", text, ticks(text, "A/A", 30, 0, 300));
	write_bytes(w, "b.csv", text, ticks(text, "B/B", 30, 100, 200));
	write_gzip(w, "c.csv", text, ticks(text, "C/C", 30, 300, 300));
	resume_everywhere(w, "*.csv", "", 4);
}

static void sorted_files_go_on_from_every_position(void **state)
{
	struct world *w = *state;
	char text[8192] = "Time;Type;Volume;Symbol;Price;Volume;Time;Price;Commission;Swap;Profit\n";

	for (int i = 0; i < 20; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
			 "2026.08.01 22:39:54;Sell;0.01;X;1;0.01;2026.09.02 04:%02d:01;1;;;%d\n%s", 59 - i / 3, i,
			 i % 5 ? "" : "2026.08.01 22:39:54;Nonsense;1;X;1;1;2026.09.02 04:13:01;1;;;1\n");
	write_file(w, "t.csv", text);
	resume_everywhere(w, "t.csv", "", 1);
}

static void files_may_grow_at_the_end(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];
	static const char *const packings[] = { "t.csv", "t.csv.gz" };
	size_t n = ticks(text, "A/B", 20, 0, 250);
	struct tw_pos end;

	for (int i = 0; i < 2; i++) {
		if (i)
			write_gzip(w, packings[i], text, n);
		else
			write_bytes(w, packings[i], text, n);
		assert_int_equal(run(w, packings[i], ""), TW_DONE);
		end = w->kit.marks[w->kit.n_marks - 1].pos;
		snprintf(text + n, sizeof text - n, "%s", "A/B,20140501 06:00:00.000,7,8\n");
		if (i)
			write_gzip(w, packings[i], text, strlen(text));
		else
			write_bytes(w, packings[i], text, strlen(text));
		load(w, &w->other, packings[i], "");
		assert_int_equal(source_kit_open(&w->other, &end), TW_OK);
		assert_int_equal(source_kit_run(&w->other, 9), TW_DONE);
		w->other.source->close(w->other.self);
		assert_int_equal(w->other.n_events, 1);
		assert_double(w->other.events[0]->quote.bid, 7.0);
		source_kit_free(&w->other);
	}
}

/* The last line had no newline when it was read. That it is complete now may mean that it was only half there. */
static void a_last_line_that_grew_is_refused(void **state)
{
	struct world *w = *state;
	struct tw_pos end;

	run_text(w, "t.csv", "timestamp,value\n2020-01-01T00:00:02Z,1\n2020-01-01T00:00:03Z,1", "");
	end = w->kit.marks[w->kit.n_marks - 1].pos;
	write_file(w, "t.csv", "timestamp,value\n2020-01-01T00:00:02Z,1\n2020-01-01T00:00:03Z,15\n");
	load(w, &w->other, "t.csv", "");
	assert_int_equal(source_kit_open(&w->other, &end), TW_E_CONFIG);
	assert_non_null(strstr(w->other.err.msg, "had no end"));
	source_kit_free(&w->other);
	write_file(w, "t.csv",
		   "timestamp,value\n2020-01-01T00:00:02Z,1\n2020-01-01T00:00:03Z,1\n2020-01-01T00:00:04Z,9\n");
	load(w, &w->other, "t.csv", "");
	assert_int_equal(source_kit_open(&w->other, &end), TW_OK);
	assert_int_equal(source_kit_run(&w->other, 9), TW_DONE);
	w->other.source->close(w->other.self);
	assert_int_equal(w->other.n_events, 1);
	assert_double(w->other.events[0]->score.score, 9.0);
}

static void changed(struct world *w, const char *path, const struct tw_pos *pos)
{
	load(w, &w->other, path, "");
	assert_int_equal(source_kit_open(&w->other, pos), TW_E_CONFIG);
	assert_non_null(strstr(w->other.err.msg, "changed behind the recorded position"));
	source_kit_free(&w->other);
}

static void changed_files_are_refused(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];
	size_t n = ticks(text, "A/B", 20, 0, 250);
	struct tw_pos pos;

	write_bytes(w, "t.csv", text, n);
	assert_int_equal(run(w, "t.csv", ""), TW_DONE);
	pos = w->kit.marks[w->kit.n_marks - 1].pos;
	write_bytes(w, "t.csv", text, n / 2); /* shorter */
	changed(w, "t.csv", &pos);
	text[n - 3] = text[n - 3] == '1' ? '2' : '1'; /* other bytes */
	write_bytes(w, "t.csv", text, n);
	changed(w, "t.csv", &pos);
	write_gzip(w, "t.csv", text, n); /* packed */
	changed(w, "t.csv", &pos);
}

static void changed_sets_of_files_are_refused(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];
	struct tw_pos pos;

	write_bytes(w, "a.csv", text, ticks(text, "A/A", 20, 0, 250));
	write_bytes(w, "b.csv", text, ticks(text, "B/B", 20, 0, 250));
	assert_int_equal(run(w, "*.csv", ""), TW_DONE);
	pos = w->kit.marks[w->kit.n_marks - 1].pos;
	write_bytes(w, "b.csv", text, ticks(text, "B/B", 20, 10, 250)); /* its first rows are others */
	changed(w, "*.csv", &pos);
	write_bytes(w, "b.csv", text, ticks(text, "B/B", 19, 0, 250)); /* shorter */
	changed(w, "*.csv", &pos);
	write_bytes(w, "b.csv", text, ticks(text, "B/B", 20, 0, 250));
	write_bytes(w, "aa.csv", text, ticks(text, "C/C", 20, 0, 250)); /* one came between */
	changed(w, "*.csv", &pos);
	write_bytes(w, "aa.csv", text, ticks(text, "C/C", 20, 3000000, 250)); /* one that is later than all is fine */
	load(w, &w->other, "*.csv", "");
	assert_int_equal(source_kit_open(&w->other, &pos), TW_OK);
	assert_int_equal(source_kit_run(&w->other, 9), TW_DONE);
	w->other.source->close(w->other.self);
	assert_int_equal(w->other.n_events, 20);
}

static void a_damaged_position_is_refused(void **state)
{
	struct world *w = *state;
	struct tw_pos pos = { .len = 7 };

	write_file(w, "t.csv", "A/B,20140501 05:00:01.000,1.5,1.6\n");
	load(w, &w->kit, "t.csv", "");
	assert_int_equal(source_kit_open(&w->kit, &pos), TW_E_CONFIG);
	memset(&pos, 0xff, sizeof pos);
	pos.len = 56;
	assert_int_equal(source_kit_open(&w->kit, &pos), TW_E_CONFIG);
}

static void packed_and_plain_files_give_the_same_events(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];
	static unsigned char packed[2 * TEXT_MAX_BYTES];
	size_t n = ticks(text, "A/B", 800, 0, 250), half = n / 2, first;

	write_bytes(w, "plain.csv", text, n);
	assert_int_equal(run(w, "plain.csv", ""), TW_DONE);
	assert_int_equal(w->kit.n_events, 800);
	for (int i = 0; i < 4; i++) {
		if (i == 0) {
			write_gzip(w, "packed.csv", text, n);
		} else if (i == 1) {
			write_bytes(w, "packed.csv", packed, pack_zstd(packed, sizeof packed, text, n));
		} else if (i == 2) { /* two frames, one behind the other */
			first = pack_zstd(packed, sizeof packed, text, half);
			first += pack_zstd(packed + first, sizeof packed - first, text + half, n - half);
			write_bytes(w, "packed.csv", packed, first);
		} else { /* two members */
			write_gzip(w, "packed.csv", text, half);
			first = read_back(w, "packed.csv", packed, sizeof packed);
			write_gzip(w, "packed.csv", text + half, n - half);
			first += read_back(w, "packed.csv", packed + first, sizeof packed - first);
			write_bytes(w, "packed.csv", packed, first);
		}
		load(w, &w->other, "packed.csv", "");
		assert_int_equal(source_kit_all(&w->other, 50), TW_DONE);
		assert_int_equal(w->other.n_events, 800);
		assert_int_equal(w->other.n_dead, w->kit.n_dead);
		for (uint64_t k = 0; k < 800; k++)
			assert_true(kit_same_event(&w->kit, event(w, k), &w->other, w->other.events[k]));
		source_kit_free(&w->other);
	}
}

struct row {
	int64_t ts;
	int file, line;
};

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return x->file != y->file ? x->file - y->file : x->line - y->line;
}

/* Files in order each, with many equal times: the merge must be the stable sort by time, then file, then line. */
static void a_merge_is_a_sort_by_time_and_file(void **state)
{
	enum { FILES = 40, ROWS = 50 };
	static struct row rows[FILES * ROWS];
	struct world *w = *state;
	char text[8192], name[32];
	uint32_t seed = 7;
	uint64_t n = 0;

	for (int f = 0; f < FILES; f++) {
		int64_t t = 1577836800;
		size_t len = 0;

		for (int i = 0; i < ROWS; i++) {
			seed = seed * 1664525 + 1013904223;
			t += seed >> 30;
			len += (size_t)snprintf(text + len, sizeof text - len, "%" PRId64 ",%d\n", t, f * 1000 + i);
			rows[n++] = (struct row){ t, f, i };
		}
		snprintf(name, sizeof name, "%02d.csv", f);
		write_bytes(w, name, text, len);
	}
	qsort(rows, n, sizeof *rows, by_time);
	assert_int_equal(run(w, "*.csv", ""), TW_DONE);
	assert_int_equal(w->kit.n_events, n);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(event(w, i)->ts, rows[i].ts * SECOND);
		assert_double(event(w, i)->score.score, rows[i].file * 1000.0 + rows[i].line);
	}
}

static void a_path_may_be_a_list_and_names_a_file_once(void **state)
{
	struct world *w = *state;
	char yaml[512];

	write_file(w, "a.csv", "1577836800,1\n");
	write_file(w, "b.csv", "1577836801,2\n");
	snprintf(yaml, sizeof yaml, "path: ['%s/b.csv', '%s/*.csv', '%s/a.csv']", w->dir, w->dir, w->dir);
	source_kit_load(&w->kit, PLUGIN_DIR, "csv", yaml);
	assert_int_equal(source_kit_all(&w->kit, 9), TW_DONE);
	assert_int_equal(w->kit.n_events, 2);
	assert_name(w, event(w, 1)->score.symbol, "b");
}

static void credit_is_never_exceeded(void **state)
{
	struct world *w = *state;
	static char text[TEXT_MAX_BYTES];

	write_bytes(w, "t.csv", text, ticks(text, "A/B", 50, 0, 250));
	load(w, &w->kit, "t.csv", "");
	assert_int_equal(source_kit_open(&w->kit, NULL), TW_OK);
	assert_int_equal(source_kit_poll(&w->kit, 5, 0), TW_OK);
	assert_int_equal(w->kit.n_events, 5);
	assert_int_equal(w->kit.n_marks, 1);
	w->kit.source->close(w->kit.self);
}

static void speed_paces_by_the_hosts_clock(void **state)
{
	struct world *w = *state;
	struct source_kit *k = &w->kit;

	write_file(w, "t.csv", "1577836800,1\n1577836860,2\n1577836920,3\n");
	load(w, k, "t.csv", "speed: 60x");
	k->wall = 5000 * SECOND;
	assert_int_equal(source_kit_open(k, NULL), TW_OK);
	assert_int_equal(source_kit_poll(k, 10, 0), TW_AGAIN);
	assert_int_equal(k->n_events, 1);
	k->wall += 999 * MILLI;
	assert_int_equal(source_kit_poll(k, 10, 0), TW_AGAIN);
	assert_int_equal(k->n_events, 1);
	assert_int_equal(k->n_marks, 1);
	k->wall += 1 * MILLI;
	assert_int_equal(source_kit_poll(k, 10, 0), TW_AGAIN);
	assert_int_equal(k->n_events, 2);
	k->wall += SECOND;
	assert_int_equal(source_kit_poll(k, 10, 0), TW_DONE);
	assert_int_equal(k->n_events, 3);
	k->source->close(k->self);
}

static void wakeup_ends_the_wait_for_the_next_row(void **state)
{
	struct world *w = *state;
	struct source_kit *k = &w->kit;

	write_file(w, "t.csv", "1577836800,1\n1577836860,2\n");
	load(w, k, "t.csv", "speed: 1x");
	k->wall = 5000 * SECOND;
	assert_int_equal(source_kit_open(k, NULL), TW_OK);
	k->source->wakeup(k->self);
	assert_int_equal(source_kit_poll(k, 10, 600000), TW_AGAIN); /* ten minutes, if it were not awake */
	k->source->close(k->self);
}

static void progress_reaches_the_total(void **state)
{
	struct world *w = *state;
	uint64_t done, total;

	write_file(w, "t.csv", "1577836800,1\n1577836860,2\n");
	load(w, &w->kit, "t.csv", "");
	assert_int_equal(w->kit.source->finite(w->kit.self), 1);
	assert_int_equal(source_kit_open(&w->kit, NULL), TW_OK);
	assert_int_equal(source_kit_run(&w->kit, 10), TW_DONE);
	w->kit.source->progress(w->kit.self, &done, &total);
	assert_int_equal(done, 26);
	assert_int_equal(total, 26);
	w->kit.source->close(w->kit.self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, enter, leave)
		T(a_plain_file_goes_on_from_every_position),
		T(a_file_with_a_header_goes_on_from_every_position),
		T(a_long_line_may_lie_at_the_position),
		T(packed_files_go_on_from_every_position),
		T(merged_files_go_on_from_every_position),
		T(sorted_files_go_on_from_every_position),
		T(files_may_grow_at_the_end),
		T(a_last_line_that_grew_is_refused),
		T(changed_files_are_refused),
		T(changed_sets_of_files_are_refused),
		T(a_damaged_position_is_refused),
		T(packed_and_plain_files_give_the_same_events),
		T(a_merge_is_a_sort_by_time_and_file),
		T(a_path_may_be_a_list_and_names_a_file_once),
		T(credit_is_never_exceeded),
		T(speed_paces_by_the_hosts_clock),
		T(wakeup_ends_the_wait_for_the_next_row),
		T(progress_reaches_the_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
