/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding decoded views: what detectors say, however badly, becomes bytes that every reader can read, or an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_samples.h"

static bool str_is(struct tw_str s, const char *want)
{
	return s.len == strlen(want) && !memcmp(s.s, want, s.len);
}

static void broken_utf8_in_a_sentence_becomes_the_replacement_character(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct tw_detail details[3];
	struct tw_event ev, back;
	sample_alert(&ev, details);
	ev.alert.reason = T("cut \xe2\x82"); /* half a euro sign */
	ev.alert.n_details = 0;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_OK);
	assert_int_equal(event_decode(&back, out.data, out.len, NULL, NULL), out.len);
	assert_true(str_is(back.alert.reason, "cut \xef\xbf\xbd\xef\xbf\xbd"));
	buf_free(&out);
}

static void what_cannot_be_encoded_leaves_the_buffer_alone(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_CLOCK };
	char *text = malloc(70000);
	memset(text, 'x', 70000);
	buf_add(&out, "ab", 2);
	ev.clock.source = tw_text(text, 65500);
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	ev.clock.source = tw_text(text, 70000);
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	ev.kind = 3;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	ev = (struct tw_event){ .struct_size = sizeof ev, .kind = TW_TRADE };
	ev.trade.side = 3;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	assert_int_equal(out.len, 2);
	free(text);
	buf_free(&out);
}

static void broken_utf8_in_details_is_repaired_too(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct arena scratch = { 0 };
	struct tw_detail details[3];
	struct tw_event ev, back;
	sample_alert(&ev, details);
	details[0].name = T("\xff");
	details[1].text = T("a\xc3");
	details[2].name = tw_none;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_OK);
	assert_int_equal(event_decode(&back, out.data, out.len, NULL, &scratch), out.len);
	assert_true(str_is(back.alert.details[0].name, "\xef\xbf\xbd"));
	assert_true(str_is(back.alert.details[1].text, "a\xef\xbf\xbd"));
	assert_int_equal(back.alert.details[2].name.len, 0);
	arena_free(&scratch);
	buf_free(&out);
}

static void details_and_features_fill_an_event_to_its_limit(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct arena scratch = { 0 };
	double *f = calloc(8000, sizeof *f);
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_SCORE }, back;
	ev.score = (struct tw_score){ .score = 1, .p_value = TW_NONE, .features = f, .n_features = 7000 };
	f[6999] = 42;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_OK);
	assert_int_equal(event_decode(&back, out.data, out.len, NULL, &scratch), out.len);
	assert_int_equal(back.score.n_features, 7000);
	assert_true(back.score.features[6999] == 42);
	/* without room for them they are left out, but still checked */
	assert_int_equal(event_decode(&back, out.data, out.len, NULL, NULL), out.len);
	assert_int_equal(back.score.n_features, 0);
	out.data[out.len - 9] = 0xca;
	assert_int_equal(event_decode(&back, out.data, out.len, NULL, NULL), 0);
	ev.score.n_features = 8000;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	ev.score.n_features = UINT32_MAX;
	assert_int_equal(event_encode(&out, &ev, NULL), TW_E_DATA);
	free(f);
	arena_free(&scratch);
	buf_free(&out);
}

static void names_of_unknown_ids_are_absent(void **state)
{
	(void)state;
	struct intern *in = intern_new(10);
	struct buf out = { 0 };
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_QUOTE }, back;
	ev.quote = (struct tw_quote){ .symbol = 7, .bid = 1, .ask = 2 };
	assert_int_equal(event_encode(&out, &ev, in), TW_OK);
	assert_int_equal(event_decode(&back, out.data, out.len, in, NULL), out.len);
	assert_int_equal(back.quote.symbol, 0);
	buf_free(&out);
	intern_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_utf8_in_a_sentence_becomes_the_replacement_character),
		cmocka_unit_test(broken_utf8_in_details_is_repaired_too),
		cmocka_unit_test(what_cannot_be_encoded_leaves_the_buffer_alone),
		cmocka_unit_test(details_and_features_fill_an_event_to_its_limit),
		cmocka_unit_test(names_of_unknown_ids_are_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
