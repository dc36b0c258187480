/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert log, the sinks' cursors, checkpoints, and the digest over the alerts.
 */
#include "test_store_kit.h"

static void alerts_and_cursors_come_back(void **state)
{
	struct store *s = open_store(NULL);
	struct cursor k[2] = { { "console", 3 }, { "file", 7 } };
	struct alert_commit c = { .complete = 40, .cursors = k, .n_cursors = 2 };
	struct log_reader *r;
	struct block b;
	uint64_t at, next = 1;

	(void)state;
	ok(commit_quotes(s, 1, 1, 100));
	ok(commit_alerts(s, 1, 5, 20));
	ok(commit_alerts(s, 6, 2, 40));
	ok(store_commit_alerts(s, &c, &kit_err));
	store_close(s);
	s = open_store(NULL);
	assert_int_equal(store_last_alert(s), 7);
	assert_int_equal(store_complete(s), 40);
	ok(store_cursor(s, "console", &at, &kit_err));
	assert_int_equal(at, 3);
	ok(store_cursor(s, "file", &at, &kit_err));
	assert_int_equal(at, 7);
	assert_int_equal(store_cursor(s, "other", &at, &kit_err), TW_AGAIN);

	ok(log_reader_open(&r, s, LOG_ALERTS, 1, &kit_err));
	while (log_reader_next(r, &b, &kit_err) == TW_OK) {
		const unsigned char *p;
		size_t i = 0, len;

		assert_int_equal(b.first, next);
		while (alert_record(&b, &i, &p, &len)) {
			assert_int_equal(event_kind(p), TW_ALERT);
			assert_int_equal(event_seq(p), next);
			next++;
		}
	}
	assert_int_equal(next, 8);
	log_reader_close(r);
	store_close(s);
}

static void alerts_never_run_ahead_of_the_tape(void **state)
{
	struct store *s = open_store(NULL);
	struct cursor k = { "console", 1 };
	struct alert_commit c = { .cursors = &k, .n_cursors = 1 };

	(void)state;
	ok(commit_quotes(s, 1, 1, 10));
	assert_int_equal(commit_alerts(s, 1, 1, 11), TW_E_FATAL);
	assert_int_equal(store_last_alert(s), 0);
	assert_int_equal(commit_alerts(s, 2, 1, 10), TW_E_FATAL);           /* number 1 is missing */
	assert_int_equal(store_commit_alerts(s, &c, &kit_err), TW_E_FATAL); /* delivered what is not there */
	ok(commit_alerts(s, 1, 1, 10));
	ok(store_commit_alerts(s, &c, &kit_err));
	assert_int_equal(store_complete(s), 10);
	store_close(s);
}

static void a_full_map_is_no_error_and_passes(void **state)
{
	struct store *s = open_store(NULL);
	uint64_t n = 1;
	int32_t rc = TW_OK;

	(void)state;
	ok(commit_quotes(s, 1, 1, 100));
	ok(store_set_map(s, 0, 128 << 10, &kit_err));
	while (n < 10000 && (rc = commit_alerts(s, n, 50, 100)) == TW_OK)
		n += 50;
	assert_int_equal(rc, STORE_FULL);
	assert_int_equal(store_last_alert(s), n - 1);
	ok(store_set_map(s, 0, 4 << 20, &kit_err));
	ok(commit_alerts(s, n, 50, 100));
	assert_int_equal(store_last_alert(s), n + 49);
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

/* ---- checkpoints ---- */
struct seen {
	char text[512];
};

static int32_t note_value(void *arg, const struct state_value *v, struct tw_err *err)
{
	struct seen *seen = arg;
	size_t n = strlen(seen->text);

	(void)err;
	snprintf(seen->text + n, sizeof seen->text - n, "%u/%u=%.*s ", v->space, v->key, (int)v->len,
		 (const char *)v->data);
	return TW_OK;
}

static void check_values(struct store *s, uint64_t seq, const char *note, const char *values)
{
	struct seen seen = { "" };
	struct buf got = { 0 };
	uint64_t at = 0;

	ok(store_read_checkpoint(s, &at, &got, note_value, &seen, &kit_err));
	assert_int_equal(at, seq);
	assert_string_equal((char *)got.data, note);
	assert_int_equal(got.len, strlen(note));
	assert_string_equal(seen.text, values);
	buf_free(&got);
}

static int32_t commit_values(struct store *s, uint64_t seq, bool whole, const struct state_value *v, uint64_t n)
{
	struct checkpoint c = { .seq = seq, .note = "config 12ab", .whole = whole, .values = v, .n = n };

	return store_commit_checkpoint(s, &c, &kit_err);
}

static struct store *judged_store(void)
{
	struct store *s = open_store(NULL);

	ok(commit_quotes(s, 1, 1, 100));
	ok(commit_alerts(s, 1, 0, 90));
	return s;
}

static void checkpoints_replace_delete_and_forget(void **state)
{
	static const struct state_value first[] = {
		{ 1, 300, "three hundred", 13 }, { 1, 2, "two", 3 }, { 0, 7, "seven", 5 }, { 2, 1, "", 0 }
	};
	static const struct state_value delta[] = {
		{ 1, 2, "TWO!", 4 }, { 0, 7, NULL, 0 }, { 9, 9, NULL, 0 }, { 1, 3, "three", 5 }
	};
	static const struct state_value whole[] = { { 5, 5, "five", 4 } };
	struct store *s = judged_store();
	struct seen seen = { "" };

	(void)state;
	assert_int_equal(store_read_checkpoint(s, NULL, NULL, note_value, &seen, &kit_err), TW_AGAIN);
	ok(commit_values(s, 50, false, first, 4));
	check_values(s, 50, "config 12ab", "0/7=seven 1/2=two 1/300=three hundred 2/1= ");
	ok(commit_values(s, 60, false, delta, 4));
	store_close(s);
	s = open_store(NULL);
	check_values(s, 60, "config 12ab", "1/2=TWO! 1/3=three 1/300=three hundred 2/1= ");
	ok(commit_values(s, 60, true, whole, 1));
	check_values(s, 60, "config 12ab", "5/5=five ");
	ok(commit_values(s, 61, true, NULL, 0));
	check_values(s, 61, "config 12ab", "");
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
}

static void a_checkpoint_is_never_ahead_of_the_alerts(void **state)
{
	struct store *s = judged_store();
	struct seen seen = { "" };

	(void)state;
	assert_int_equal(commit_values(s, 91, false, NULL, 0), TW_E_FATAL);
	assert_int_equal(store_read_checkpoint(s, NULL, NULL, note_value, &seen, &kit_err), TW_AGAIN);
	ok(commit_values(s, 90, false, NULL, 0));
	assert_int_equal(commit_values(s, 89, false, NULL, 0), TW_E_FATAL);
	store_close(s);
}

static void many_values_come_back(void **state)
{
	enum { N = 50000 };
	struct state_value *v = calloc(N, sizeof *v);
	struct store *s = judged_store();

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		v[i] = (struct state_value){ i % 3, N - i, "0123456789abcdef0123456789abcdef", 32 };
	ok(commit_values(s, 10, true, v, N));
	for (uint32_t i = 0; i < N; i += 2)
		v[i].data = NULL;
	ok(commit_values(s, 20, false, v, N));
	assert_int_equal(s->state_head.n_values, N / 2);
	ok(store_read_checkpoint(s, NULL, NULL, NULL, NULL, &kit_err));
	store_close(s);
	ok(store_verify(kit_dir, NULL, &kit_err));
	free(v);
}

static int32_t refuse(void *arg, const struct state_value *v, struct tw_err *err)
{
	(void)arg;
	(void)v;
	(void)err;
	return TW_E_DATA;
}

static void the_callers_refusal_ends_the_reading(void **state)
{
	static const struct state_value v[] = { { 1, 1, "a", 1 } };
	struct store *s = judged_store();

	(void)state;
	ok(commit_values(s, 10, true, v, 1));
	assert_int_equal(store_read_checkpoint(s, NULL, NULL, refuse, NULL, &kit_err), TW_E_DATA);
	store_close(s);
}

/* ---- the digest ---- */
static void digest_of(const char *sub, const char *id_tail, double score, const char *reason, uint32_t n, char hex[65])
{
	struct buf bytes = { 0 };
	struct block b = { .first = 1, .count = n };
	struct alert_commit c = { .blocks = &b, .n_blocks = 1, .complete = 1 };
	char dir[128], id[80];
	struct store *s;
	uint64_t count = 0;

	kit_path(dir, "%s", sub);
	ok(store_open(&s, dir, STORE_WRITE, NULL, &kit_err));
	ok(commit_quotes(s, 1, 1, 1));
	snprintf(id, sizeof id, "%s-%s", store_tape_id(s), id_tail);
	for (uint32_t i = 0; i < n; i++)
		add_alert(&bytes, id, 1 + i, score, reason);
	b.bytes = bytes.data;
	b.len = bytes.len;
	ok(store_commit_alerts(s, &c, &kit_err));
	ok(alerts_digest(s, hex, &count, &kit_err));
	assert_int_equal(count, n);
	buf_free(&bytes);
	store_close(s);
}

static void the_digest_is_of_what_was_said(void **state)
{
	char a[65], b[65], other[65];

	(void)state;
	digest_of("1", "9-spikes-0", 3.5, "up", 2, a);
	digest_of("2", "9-spikes-0", 3.5, "up", 2, b);
	assert_string_equal(a, b); /* the tapes have different ids */
	digest_of("3", "9-spikes-1", 3.5, "up", 2, other);
	assert_string_not_equal(a, other);
	digest_of("4", "9-spikes-0", 3.25, "up", 2, other);
	assert_string_not_equal(a, other);
	digest_of("5", "9-spikes-0", 3.5, "down", 2, other);
	assert_string_not_equal(a, other);
	digest_of("6", "9-spikes-0", 3.5, "up", 3, other);
	assert_string_not_equal(a, other);
	assert_int_equal(strlen(a), 64);
}

static void the_digest_of_nothing_is_that_of_no_bytes(void **state)
{
	struct store *s = open_store(NULL);
	uint64_t n = 9;
	char hex[65];

	(void)state;
	ok(alerts_digest(s, hex, &n, &kit_err));
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(n, 0);
	store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(alerts_and_cursors_come_back),
		T(alerts_never_run_ahead_of_the_tape),
		T(a_full_map_is_no_error_and_passes),
		T(checkpoints_replace_delete_and_forget),
		T(a_checkpoint_is_never_ahead_of_the_alerts),
		T(many_values_come_back),
		T(the_callers_refusal_ends_the_reading),
		T(the_digest_is_of_what_was_said),
		T(the_digest_of_nothing_is_that_of_no_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
