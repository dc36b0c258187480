/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from other encoders: any order, any width, and everything hostile. The bytes are written here by hand or with
 * msgpack-c's packer; what must come out is what event_put() writes for the same fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>

#include "event_samples.h"

struct pack {
	msgpack_sbuffer sb;
	msgpack_packer pk;
};

static void pack_begin(struct pack *p, size_t entries)
{
	msgpack_sbuffer_init(&p->sb);
	msgpack_packer_init(&p->pk, &p->sb, msgpack_sbuffer_write);
	msgpack_pack_map(&p->pk, entries);
}

static void text(struct pack *p, const char *s)
{
	msgpack_pack_str(&p->pk, strlen(s));
	msgpack_pack_str_body(&p->pk, s, strlen(s));
}

static void kind_ts(struct pack *p, const char *kind)
{
	text(p, "kind");
	text(p, kind);
	text(p, "ts");
	msgpack_pack_int64(&p->pk, SAMPLE_TS);
}

/* The word for these bytes, and the canonical bytes in out. */
static const char *canonical(struct buf *out, const struct pack *p, struct tw_err *e)
{
	out->len = 0;
	return event_canonical(out, p->sb.data, p->sb.size, e);
}

#define assert_refused(p, word)                                                                                        \
	do {                                                                                                           \
		struct buf out_ = { 0 };                                                                               \
		struct tw_err e_ = { 0 };                                                                              \
		const char *got_ = canonical(&out_, p, &e_);                                                           \
		assert_non_null(got_);                                                                                 \
		assert_string_equal(got_, word);                                                                       \
		assert_int_equal(e_.code, TW_E_DATA);                                                                  \
		assert_int_not_equal(e_.msg[0], 0);                                                                    \
		assert_int_equal(out_.len, 0);                                                                         \
		buf_free(&out_);                                                                                       \
		msgpack_sbuffer_destroy(&(p)->sb);                                                                     \
	} while (0)

#define assert_bytes_refused(bytes, word)                                                                              \
	do {                                                                                                           \
		struct buf out_ = { 0 };                                                                               \
		struct tw_err e_ = { 0 };                                                                              \
		unsigned char *copy_ = calloc(1, sizeof(bytes) - 1 ? sizeof(bytes) - 1 : 1); /* exact, for ASan */     \
		memcpy(copy_, bytes, sizeof(bytes) - 1);                                                               \
		const char *got_ = event_canonical(&out_, copy_, sizeof(bytes) - 1, &e_);                              \
		assert_non_null(got_);                                                                                 \
		assert_string_equal(got_, word);                                                                       \
		assert_int_equal(out_.len, 0);                                                                         \
		free(copy_);                                                                                           \
		buf_free(&out_);                                                                                       \
	} while (0)

static void canonical_bytes_pass_as_they_are(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	for (uint32_t bit = 1; bit < TW_ANY; bit <<= 1) {
		struct buf out = { 0 };
		struct tw_err e;
		size_t len;
		unsigned char *p = sample_bytes(bit, in, &len);
		event_stamp(p, 99);
		assert_null(event_canonical(&out, p, len, &e));
		event_stamp(p, 0); /* the sequence number is the sequencer's to give */
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, p, len);
		free(p);
		buf_free(&out);
	}
	intern_free(in);
}

static void any_order_and_width_will_do(void **state)
{
	(void)state;
	struct pack p;
	struct buf out = { 0 };
	struct tw_err e;
	pack_begin(&p, 9);
	text(&p, "symbol");
	text(&p, "EUR/USD");
	text(&p, "ask");
	msgpack_pack_float(&p.pk, 1.5f);
	text(&p, "unknown");
	msgpack_pack_array(&p.pk, 2);
	msgpack_pack_true(&p.pk);
	msgpack_pack_bin(&p.pk, 2);
	msgpack_pack_bin_body(&p.pk, "\xff\xfe", 2);
	text(&p, "ask_size");
	msgpack_pack_int(&p.pk, 1000000);
	text(&p, "ts");
	msgpack_pack_uint64(&p.pk, (uint64_t)SAMPLE_TS);
	text(&p, "seq");
	msgpack_pack_int(&p.pk, 12);
	text(&p, "bid");
	msgpack_pack_double(&p.pk, 1.25);
	text(&p, "bid_size");
	msgpack_pack_nil(&p.pk);
	text(&p, "kind");
	text(&p, "quote");
	struct sample s = { .writer = SAMPLE_WRITER };
	sample_push(&s, TW_QUOTE);
	assert_null(canonical(&out, &p, &e));
	assert_int_equal(out.len, s.len);
	assert_memory_equal(out.data, s.bytes, s.len);
	msgpack_sbuffer_destroy(&p.sb);
	buf_free(&out);
	free(s.bytes);
}

/* str8, str16, str32 heads and int8..int64, by hand: msgpack-c's packer only writes the shortest. */
static void heads_longer_than_needed_are_accepted(void **state)
{
	(void)state;
	static const unsigned char bytes[] = "\xdf\x00\x00\x00\x05" /* map32 */
					     "\xd9\x04kind\xda\x00\x05quote"
					     "\xdb\x00\x00\x00\x02ts\xd1\xff\xf0"
					     "\xa3"
					     "bid\xcc\x07"
					     "\xa3"
					     "ask\xd3\xff\xff\xff\xff\xff\xff\xff\xf9"
					     "\xa6symbol\xd9\x01X";
	struct buf out = { 0 };
	struct tw_err e;
	struct tw_event ev;
	assert_null(event_canonical(&out, bytes, sizeof bytes - 1, &e));
	assert_int_equal(event_decode(&ev, out.data, out.len, NULL, NULL), out.len);
	assert_true(ev.ts == -16 && ev.quote.bid == 7 && ev.quote.ask == -7 && isnan(ev.quote.bid_size));
	buf_free(&out);
}

static void absent_optional_fields_take_their_absent_form(void **state)
{
	(void)state;
	struct pack p;
	struct buf out = { 0 };
	struct tw_err e;
	struct tw_event ev;
	pack_begin(&p, 7);
	kind_ts(&p, "bar");
	text(&p, "symbol");
	text(&p, "X");
	static const char *const prices[] = { "open", "high", "low", "close" };
	for (int i = 0; i < 4; i++) {
		text(&p, prices[i]);
		msgpack_pack_int(&p.pk, 3);
	}
	assert_null(canonical(&out, &p, &e));
	assert_int_equal(event_decode(&ev, out.data, out.len, NULL, NULL), out.len);
	assert_true(ev.bar.interval == 0 && ev.bar.count == -1 && isnan(ev.bar.volume) && ev.bar.low == 3);
	msgpack_sbuffer_destroy(&p.sb);
	buf_free(&out);
}

static void floats_stand_for_integers_only_when_exact(void **state)
{
	(void)state;
	struct pack p;
	struct buf out = { 0 };
	struct tw_err e;
	static const struct {
		double ts;
		bool good;
	} cases[] = { { 1e18, true },   { 1.5, false },         { 1e19, false },
		      { -1e19, false }, { (double)NAN, false }, { (double)INFINITY, false } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pack_begin(&p, 2);
		text(&p, "kind");
		text(&p, "clock");
		text(&p, "ts");
		msgpack_pack_double(&p.pk, cases[i].ts);
		if (cases[i].good) {
			assert_null(canonical(&out, &p, &e));
			assert_true(event_ts(out.data) == (int64_t)cases[i].ts);
			msgpack_sbuffer_destroy(&p.sb);
		} else {
			assert_refused(&p, "bad_field");
		}
	}
	buf_free(&out);
}

static void integers_stand_for_floats_only_when_exact(void **state)
{
	(void)state;
	struct pack p;
	static const uint64_t values[] = { UINT64_C(9007199254740993), UINT64_MAX };
	for (int i = 0; i < 2; i++) {
		pack_begin(&p, 5);
		kind_ts(&p, "quote");
		text(&p, "symbol");
		text(&p, "X");
		text(&p, "bid");
		msgpack_pack_uint64(&p.pk, values[i]);
		text(&p, "ask");
		msgpack_pack_int(&p.pk, 1);
		assert_refused(&p, "bad_field");
	}
	pack_begin(&p, 5);
	kind_ts(&p, "quote");
	text(&p, "symbol");
	text(&p, "X");
	text(&p, "bid");
	msgpack_pack_int64(&p.pk, INT64_C(-9007199254740993));
	text(&p, "ask");
	msgpack_pack_int(&p.pk, 1);
	assert_refused(&p, "bad_field");
}

static void a_value_of_the_wrong_type_is_a_bad_field(void **state)
{
	(void)state;
	struct pack p;
	for (int i = 0; i < 6; i++) {
		pack_begin(&p, 3);
		kind_ts(&p, "quote");
		text(&p, i < 4 ? "bid" : "symbol");
		if (i == 0)
			text(&p, "1.5");
		else if (i == 1)
			msgpack_pack_true(&p.pk);
		else if (i == 2)
			msgpack_pack_array(&p.pk, 0);
		else if (i == 3)
			msgpack_pack_map(&p.pk, 0);
		else if (i == 4)
			msgpack_pack_int(&p.pk, 5);
		else
			msgpack_pack_bin(&p.pk, 1), msgpack_pack_bin_body(&p.pk, "X", 1);
		assert_refused(&p, "bad_field");
	}
}

static void a_name_twice_is_refused(void **state)
{
	(void)state;
	struct pack p;
	static const char *const names[] = { "kind", "ts", "bid", "symbol" };
	for (int i = 0; i < 4; i++) {
		pack_begin(&p, 4);
		kind_ts(&p, "quote");
		for (int j = 0; j < 2; j++) {
			text(&p, names[i]);
			if (i == 0 || i == 3)
				text(&p, "quote");
			else
				msgpack_pack_int(&p.pk, 1);
		}
		assert_refused(&p, "bad_field");
	}
}

static void kind_ts_and_open_ts_are_required(void **state)
{
	(void)state;
	struct pack p;
	pack_begin(&p, 1);
	text(&p, "ts");
	msgpack_pack_int(&p.pk, 1);
	assert_refused(&p, "unknown_kind");
	pack_begin(&p, 1);
	text(&p, "kind");
	text(&p, "quotes");
	assert_refused(&p, "unknown_kind");
	pack_begin(&p, 1);
	text(&p, "kind");
	msgpack_pack_int(&p.pk, 1);
	assert_refused(&p, "unknown_kind");
	pack_begin(&p, 1);
	text(&p, "kind");
	text(&p, "clock");
	assert_refused(&p, "missing_field");
	pack_begin(&p, 3);
	kind_ts(&p, "deal");
	text(&p, "open_ts");
	msgpack_pack_nil(&p.pk);
	assert_refused(&p, "missing_field");
}

static void validators_speak_for_foreign_events_too(void **state)
{
	(void)state;
	struct pack p;
	pack_begin(&p, 2);
	kind_ts(&p, "quote");
	assert_refused(&p, "bad_symbol");
	pack_begin(&p, 3);
	kind_ts(&p, "quote");
	text(&p, "symbol");
	text(&p, "\xff");
	assert_refused(&p, "bad_symbol");
	pack_begin(&p, 3);
	kind_ts(&p, "quote");
	text(&p, "symbol");
	text(&p, "X");
	assert_refused(&p, "bad_price");
	pack_begin(&p, 3);
	kind_ts(&p, "clock");
	text(&p, "other");
	text(&p, "\xff");
	assert_refused(&p, "bad_text");
}

static void canonical_bytes_are_validated_too(void **state)
{
	(void)state;
	struct sample s = { .writer = SAMPLE_WRITER };
	struct buf out = { 0 };
	struct tw_err e;
	tw_push_quote(&s.writer, 1, T("X\n"), 1, 1, 1, 1);
	assert_string_equal(event_canonical(&out, s.bytes, s.len, &e), "bad_symbol");
	assert_int_equal(out.len, 0);
	free(s.bytes);
}

static void features_and_details_come_through(void **state)
{
	(void)state;
	struct pack p;
	struct buf out = { 0 };
	struct arena scratch = { 0 };
	struct tw_err e;
	struct tw_event ev;
	pack_begin(&p, 4);
	kind_ts(&p, "score");
	text(&p, "features");
	msgpack_pack_array(&p.pk, 3);
	msgpack_pack_int(&p.pk, -1);
	msgpack_pack_nil(&p.pk);
	msgpack_pack_float(&p.pk, 0.5f);
	text(&p, "score");
	msgpack_pack_int(&p.pk, 2);
	assert_null(canonical(&out, &p, &e));
	assert_int_equal(event_decode(&ev, out.data, out.len, NULL, &scratch), out.len);
	assert_int_equal(ev.score.n_features, 3);
	assert_true(ev.score.features[0] == -1 && isnan(ev.score.features[1]) && ev.score.features[2] == 0.5);
	msgpack_sbuffer_destroy(&p.sb);

	pack_begin(&p, 4);
	kind_ts(&p, "alert");
	text(&p, "detector");
	text(&p, "far");
	text(&p, "details");
	msgpack_pack_map(&p.pk, 2);
	text(&p, "n");
	msgpack_pack_int(&p.pk, 3);
	text(&p, "who");
	text(&p, "ann");
	assert_null(canonical(&out, &p, &e));
	assert_int_equal(event_decode(&ev, out.data, out.len, NULL, &scratch), out.len);
	assert_int_equal(ev.alert.n_details, 2);
	assert_true(ev.alert.details[0].number == 3 && ev.alert.details[1].text.len == 3);
	msgpack_sbuffer_destroy(&p.sb);

	pack_begin(&p, 3);
	kind_ts(&p, "score");
	text(&p, "features");
	msgpack_pack_array(&p.pk, 1);
	text(&p, "x");
	assert_refused(&p, "bad_field");
	pack_begin(&p, 3);
	kind_ts(&p, "alert");
	text(&p, "details");
	msgpack_pack_map(&p.pk, 1);
	text(&p, "x");
	msgpack_pack_array(&p.pk, 0);
	assert_refused(&p, "bad_field");
	arena_free(&scratch);
	buf_free(&out);
}

static void bombs_are_refused_without_memory(void **state)
{
	(void)state;
	assert_bytes_refused("", "bad_msgpack");
	assert_bytes_refused("\xdd\xff\x00\x00\x00", "bad_msgpack"); /* a list of 4 billion */
	assert_bytes_refused("\xdf\xff\xff\xff\xff", "bad_msgpack"); /* a map of 4 billion */
	assert_bytes_refused("\x81\xa1x\xdd\x7f\xff\xff\xff", "bad_msgpack");
	assert_bytes_refused("\x81\xa1x\xc6\xff\xff\xff\xff"
			     "a",
			     "bad_msgpack");
	assert_bytes_refused("\x81\xa1x\xdb\xff\xff\xff\xff"
			     "a",
			     "bad_msgpack");
	assert_bytes_refused("\x81\xa1x\xdf\x80\x00\x00\x00", "bad_msgpack"); /* twice that many is 0 in 32 bits */
	assert_bytes_refused("\xc1", "bad_msgpack");
	assert_bytes_refused("\x81\xa1x\xc1", "bad_msgpack");
	assert_bytes_refused("\x81\xa1x\xd6\xff\0\0\0\0", "bad_msgpack"); /* an extension: a timestamp */
	assert_bytes_refused("\x81\xa1x\xc7\x01\x05z", "bad_msgpack");
	assert_bytes_refused("\x81\xa1x", "bad_msgpack");
	assert_bytes_refused("\x80\xc0", "bad_msgpack"); /* something behind */
	assert_bytes_refused("\x93\x01\x02\x03", "bad_msgpack");
	assert_bytes_refused("\xa5quote", "bad_msgpack");
	assert_bytes_refused("\x82\x01\x02\xa4kind\xa5"
			     "clock",
			     "bad_msgpack"); /* a name that is a number */
	assert_bytes_refused("\x82\xa2\xff\xfe\x02\xa4kind\xa5"
			     "clock",
			     "bad_msgpack");
}

static void deep_nesting_is_refused(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct tw_err e;
	unsigned char *deep = malloc(60000);
	memset(deep, 0x91, 60000);
	memcpy(deep, "\x81\xa1x", 3);
	assert_string_equal(event_canonical(&out, deep, 60000, &e), "bad_msgpack");
	free(deep);
	/* seven lists inside the map are the most */
	static const unsigned char eight[] = "\x83\xa4kind\xa5"
					     "clock\xa2ts\x01\xa1x\x91\x91\x91\x91\x91\x91\x91\x00";
	assert_null(event_canonical(&out, eight, sizeof eight - 1, &e));
	out.len = 0;
	assert_bytes_refused("\x83\xa4kind\xa5"
			     "clock\xa2ts\x01\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x00",
			     "bad_msgpack");
	buf_free(&out);
}

static void more_than_64_kib_is_refused_unread(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct tw_err e;
	unsigned char *big = calloc(1, 65536);
	big[0] = 0x80;
	assert_string_equal(event_canonical(&out, big, 65536, &e), "bad_msgpack");
	free(big);
	buf_free(&out);
}

static void every_truncation_of_a_foreign_map_is_refused(void **state)
{
	(void)state;
	static const unsigned char bytes[] = "\x85\xa2ts\x01\xa4kind\xa5quote\xa6symbol\xa1X\xa3"
					     "ask\x01\xa3"
					     "bid\x01";
	struct buf out = { 0 };
	struct tw_err e;
	for (size_t n = 0; n < sizeof bytes - 1; n++) {
		unsigned char *cut = malloc(n ? n : 1);
		memcpy(cut, bytes, n);
		assert_string_equal(event_canonical(&out, cut, n, &e), "bad_msgpack");
		free(cut);
	}
	assert_null(event_canonical(&out, bytes, sizeof bytes - 1, &e));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_bytes_pass_as_they_are),
		cmocka_unit_test(any_order_and_width_will_do),
		cmocka_unit_test(heads_longer_than_needed_are_accepted),
		cmocka_unit_test(absent_optional_fields_take_their_absent_form),
		cmocka_unit_test(floats_stand_for_integers_only_when_exact),
		cmocka_unit_test(integers_stand_for_floats_only_when_exact),
		cmocka_unit_test(a_value_of_the_wrong_type_is_a_bad_field),
		cmocka_unit_test(a_name_twice_is_refused),
		cmocka_unit_test(kind_ts_and_open_ts_are_required),
		cmocka_unit_test(validators_speak_for_foreign_events_too),
		cmocka_unit_test(canonical_bytes_are_validated_too),
		cmocka_unit_test(features_and_details_come_through),
		cmocka_unit_test(bombs_are_refused_without_memory),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(more_than_64_kib_is_refused_unread),
		cmocka_unit_test(every_truncation_of_a_foreign_map_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
