/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as JSON, against strings written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_samples.h"

static void assert_json(const struct tw_event *ev, const struct intern *in, const char *want)
{
	struct buf out = { 0 };
	assert_int_equal(event_json(&out, ev, in), TW_OK);
	buf_add(&out, "", 1);
	assert_string_equal((char *)out.data, want);
	buf_free(&out);
}

static void assert_sample(uint32_t kind, uint64_t seq, const char *want)
{
	struct intern *in = intern_new(100);
	struct arena scratch = { 0 };
	struct tw_event ev;
	size_t len;
	unsigned char *p = sample_bytes(kind, in, &len);
	event_stamp(p, seq);
	assert_int_equal(event_decode(&ev, p, len, in, &scratch), len);
	assert_json(&ev, in, want);
	free(p);
	arena_free(&scratch);
	intern_free(in);
}

static void a_quote_leaves_out_what_is_absent(void **state)
{
	(void)state;
	assert_sample(
		TW_QUOTE, 12,
		"{\"kind\":\"quote\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":12,\"bid\":1.25,\"ask\":1.5,"
		"\"ask_size\":1000000,\"symbol\":\"EUR/USD\"}");
}

static void times_are_times_and_integers_integers(void **state)
{
	(void)state;
	assert_sample(TW_DEAL, UINT64_MAX,
		      "{\"kind\":\"deal\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":18446744073709551615,"
		      "\"open_ts\":\"2026-01-02T03:04:05.678900234Z\",\"size\":0.5,\"open_price\":1900.25,"
		      "\"close_price\":1899.75,\"take_profit\":1890,\"commission\":-3.5,\"swap\":0,\"profit\":25,"
		      "\"account\":\"10001\",\"symbol\":\"XAUUSD\",\"side\":\"sell\","
		      "\"ticket\":\"0123456789012345678901234567890123456789\",\"comment\":\"sl \xe2\x82\xac\"}");
	assert_sample(TW_BAR, 0,
		      "{\"kind\":\"bar\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":0,\"interval\":60000000000,"
		      "\"open\":10,\"high\":12,\"low\":9,\"close\":11,\"volume\":5000,\"count\":42,"
		      "\"symbol\":\"^GSPC.INDEX.LONG.NAME\"}");
	assert_sample(TW_LABEL, 1,
		      "{\"kind\":\"label\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":1,"
		      "\"from\":\"2026-01-02T03:04:05.678901229Z\",\"symbol\":\"EURUSD\",\"alert_id\":\"a-1\","
		      "\"verdict\":\"true\",\"category\":\"spike\",\"author\":\"ann\"}");
}

static void alerts_and_scores_have_their_variable_field(void **state)
{
	(void)state;
	assert_sample(
		TW_ALERT, 77,
		"{\"kind\":\"alert\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":77,\"score\":0.9,\"value\":7.5,"
		"\"expected\":1,\"threshold\":6,\"evidence_from\":70,\"evidence_to\":77,"
		"\"id\":\"0123456789abcdef-77-spikes-0\",\"detector\":\"spikes\",\"version\":\"1.0.0\","
		"\"config\":\"c0ffee\",\"symbol\":\"EUR/USD\",\"type\":\"price_spike\",\"severity\":\"high\","
		"\"reason\":\"price moved 7.5 deviations, more than 6 allow\","
		"\"details\":{\"window\":256,\"style\":\"scalper\",\"empty\":\"\"}}");
	assert_sample(TW_SCORE, 78,
		      "{\"kind\":\"score\",\"ts\":\"2026-01-02T03:04:05.678901234Z\",\"seq\":78,\"score\":2.5,"
		      "\"symbol\":\"EURUSD\",\"detector\":\"zs\",\"features\":[1.5,-2,0.0625]}");
}

static void a_missing_number_in_features_is_null(void **state)
{
	(void)state;
	static const double f[] = { (double)NAN, 1, (double)INFINITY };
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_SCORE };
	ev.score = (struct tw_score){ .score = (double)INFINITY, .p_value = TW_NONE, .features = f, .n_features = 3 };
	assert_json(&ev, NULL,
		    "{\"kind\":\"score\",\"ts\":\"1970-01-01T00:00:00Z\",\"seq\":0,\"features\":[null,1,null]}");
}

static void details_without_a_number_are_left_out(void **state)
{
	(void)state;
	struct tw_detail d[] = { { T("a"), tw_none, TW_NONE }, { T("b"), tw_none, 2 } };
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_ALERT, .ts = -1 };
	ev.alert = (struct tw_alert){ .score = TW_NONE,
				      .p_value = TW_NONE,
				      .value = TW_NONE,
				      .expected = TW_NONE,
				      .threshold = TW_NONE,
				      .n_details = 2,
				      .details = d };
	assert_json(&ev, NULL,
		    "{\"kind\":\"alert\",\"ts\":\"1969-12-31T23:59:59.999999999Z\",\"seq\":0,\"details\":{\"b\":2}}");
}

static void texts_are_escaped(void **state)
{
	(void)state;
	struct buf out = { 0 };
	assert_int_equal(json_text(&out, "a\"b\\c\n\t\r\b\f\0\x1f\x7f/\xc3\xa9", 16), TW_OK);
	buf_add(&out, "", 1);
	assert_string_equal((char *)out.data, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0000\\u001f\\u007f/\xc3\xa9\"");
	buf_free(&out);
}

static void invalid_utf8_becomes_the_replacement_character(void **state)
{
	(void)state;
	struct buf out = { 0 };
	assert_int_equal(json_text(&out, "a\xff\xc3z\xe2\x82", 6), TW_OK);
	buf_add(&out, "", 1);
	assert_string_equal((char *)out.data, "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_free(&out);
}

static void an_empty_text_is_two_quotes(void **state)
{
	(void)state;
	struct buf out = { 0 };
	assert_int_equal(json_text(&out, NULL, 0), TW_OK);
	assert_int_equal(out.len, 2);
	assert_memory_equal(out.data, "\"\"", 2);
	buf_free(&out);
}

static void an_unknown_kind_leaves_the_buffer_alone(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct tw_event ev = { .struct_size = sizeof ev, .kind = 3 };
	buf_add(&out, "ab", 2);
	assert_int_equal(event_json(&out, &ev, NULL), TW_E_DATA);
	assert_int_equal(out.len, 2);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quote_leaves_out_what_is_absent),
		cmocka_unit_test(times_are_times_and_integers_integers),
		cmocka_unit_test(alerts_and_scores_have_their_variable_field),
		cmocka_unit_test(a_missing_number_in_features_is_null),
		cmocka_unit_test(details_without_a_number_are_left_out),
		cmocka_unit_test(texts_are_escaped),
		cmocka_unit_test(invalid_utf8_becomes_the_replacement_character),
		cmocka_unit_test(an_empty_text_is_two_quotes),
		cmocka_unit_test(an_unknown_kind_leaves_the_buffer_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
