/* SPDX-License-Identifier: Apache-2.0
 *
 * The canonical codec: msgpack-c says what the bytes mean, and this file, not the schema, says what is expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>

#include "event_samples.h"

/* What each sample must unpack to: names in order; values as "i17", "u17", "f1.5", "sTEXT", or "-" for nil, "n" for
 * NaN. ts and seq are checked apart. */
struct expect {
	uint32_t kind;
	const char *name;
	const char *fields[20][2];
};

static const struct expect expected[] = {
	{ TW_QUOTE,
	  "quote",
	  { { "bid", "f1.25" },
	    { "ask", "f1.5" },
	    { "bid_size", "n" },
	    { "ask_size", "f1e6" },
	    { "symbol", "sEUR/USD" } } },
	{ TW_TRADE,
	  "trade",
	  { { "price", "f190.5" },
	    { "size", "f100" },
	    { "symbol", "sAAPL" },
	    { "side", "sbuy" },
	    { "account", "salice" },
	    { "counterparty", "sbob" },
	    { "trade_id", "st-17" } } },
	{ TW_BAR,
	  "bar",
	  { { "interval", "i60000000000" },
	    { "open", "f10" },
	    { "high", "f12" },
	    { "low", "f9" },
	    { "close", "f11" },
	    { "volume", "f5000" },
	    { "count", "i42" },
	    { "symbol", "s^GSPC.INDEX.LONG.NAME" } } },
	{ TW_ORDER,
	  "order",
	  { { "price", "f300.5" },
	    { "size", "f10" },
	    { "remaining", "f4" },
	    { "symbol", "sMSFT" },
	    { "account", "-" },
	    { "action", "scancel" },
	    { "side", "ssell" },
	    { "order_id", "so1" } } },
	{ TW_DEAL,
	  "deal",
	  { { "open_ts", "i1767323045678900234" },
	    { "size", "f0.5" },
	    { "open_price", "f1900.25" },
	    { "close_price", "f1899.75" },
	    { "stop_loss", "n" },
	    { "take_profit", "f1890" },
	    { "commission", "f-3.5" },
	    { "swap", "f0" },
	    { "profit", "f25" },
	    { "account", "s10001" },
	    { "symbol", "sXAUUSD" },
	    { "side", "ssell" },
	    { "ticket", "s0123456789012345678901234567890123456789" },
	    { "comment", "ssl \xe2\x82\xac" } } },
	{ TW_ACCOUNT,
	  "account",
	  { { "amount", "n" },
	    { "balance", "f1000" },
	    { "equity", "f990.5" },
	    { "margin", "f100" },
	    { "leverage", "f30" },
	    { "account", "s10001" },
	    { "event", "ssnapshot" },
	    { "currency", "sEUR" },
	    { "group", "sreal\\a" },
	    { "comment", "-" } } },
	{ TW_NEWS,
	  "news",
	  { { "actual", "f150" },
	    { "forecast", "f180.5" },
	    { "previous", "n" },
	    { "symbol", "-" },
	    { "category", "scalendar" },
	    { "impact", "shigh" },
	    { "source", "sff" },
	    { "id", "sn1" },
	    { "currency", "sUSD" },
	    { "title", "sNon-Farm" } } },
	{ TW_SCORE,
	  "score",
	  { { "score", "f2.5" },
	    { "p_value", "n" },
	    { "symbol", "sEURUSD" },
	    { "account", "-" },
	    { "detector", "szs" },
	    { "features", "F" } } },
	{ TW_ALERT,
	  "alert",
	  { { "score", "f0.9" },
	    { "p_value", "n" },
	    { "value", "f7.5" },
	    { "expected", "f1" },
	    { "threshold", "f6" },
	    { "evidence_from", "u70" },
	    { "evidence_to", "u77" },
	    { "id", "s0123456789abcdef-77-spikes-0" },
	    { "detector", "sspikes" },
	    { "version", "s1.0.0" },
	    { "config", "sc0ffee" },
	    { "symbol", "sEUR/USD" },
	    { "account", "-" },
	    { "type", "sprice_spike" },
	    { "severity", "shigh" },
	    { "reason", "sprice moved 7.5 deviations, more than 6 allow" },
	    { "details", "D" } } },
	{ TW_LABEL,
	  "label",
	  { { "from", "i1767323045678901229" },
	    { "to", "i0" },
	    { "symbol", "sEURUSD" },
	    { "account", "-" },
	    { "alert_id", "sa-1" },
	    { "verdict", "strue" },
	    { "category", "sspike" },
	    { "author", "sann" },
	    { "comment", "-" } } },
	{ TW_CLOCK, "clock", { { "source", "sticks" } } },
	{ TW_CORRECTION,
	  "correction",
	  { { "ref_seq", "u18446744073709551615" },
	    { "price", "f190.5" },
	    { "size", "n" },
	    { "symbol", "sAAPL" },
	    { "action", "sbust" },
	    { "trade_id", "st-17" } } },
};
#define N_EXPECTED (sizeof expected / sizeof *expected)

static bool text_is(const msgpack_object *o, const char *text)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(text) &&
	       !memcmp(o->via.str.ptr, text, strlen(text));
}

static void assert_value(const msgpack_object *o, const char *want)
{
	switch (want[0]) {
	case '-':
		assert_int_equal(o->type, MSGPACK_OBJECT_NIL);
		break;
	case 'n':
		assert_int_equal(o->type, MSGPACK_OBJECT_FLOAT64);
		assert_true(isnan(o->via.f64));
		break;
	case 'f':
		assert_int_equal(o->type, MSGPACK_OBJECT_FLOAT64);
		assert_true(o->via.f64 == strtod(want + 1, NULL));
		break;
	case 'i':
	case 'u':
		assert_int_equal(o->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
		assert_true(o->via.u64 == strtoull(want + 1, NULL, 10));
		break;
	case 's':
		assert_true(text_is(o, want + 1));
		break;
	case 'F':
		assert_int_equal(o->type, MSGPACK_OBJECT_ARRAY);
		assert_int_equal(o->via.array.size, 3);
		for (uint32_t i = 0; i < 3; i++)
			assert_true(o->via.array.ptr[i].via.f64 == sample_features[i]);
		break;
	case 'D':
		assert_int_equal(o->type, MSGPACK_OBJECT_MAP);
		assert_int_equal(o->via.map.size, 3);
		assert_true(text_is(&o->via.map.ptr[0].key, "window") && o->via.map.ptr[0].val.via.f64 == 256);
		assert_true(text_is(&o->via.map.ptr[1].key, "style") && text_is(&o->via.map.ptr[1].val, "scalper"));
		assert_true(text_is(&o->via.map.ptr[2].key, "empty") && text_is(&o->via.map.ptr[2].val, ""));
		break;
	default:
		fail();
	}
}

static void every_kind_unpacks_with_msgpack_c(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	for (size_t i = 0; i < N_EXPECTED; i++) {
		const struct expect *x = &expected[i];
		size_t len, off = 0;
		unsigned char *p = sample_bytes(x->kind, in, &len);
		msgpack_unpacked u;
		msgpack_unpacked_init(&u);
		event_stamp(p, UINT64_C(0x8877665544332211));
		assert_int_equal(msgpack_unpack_next(&u, (char *)p, len, &off), MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(off, len);
		assert_int_equal(u.data.type, MSGPACK_OBJECT_MAP);
		const msgpack_object_map *m = &u.data.via.map;
		assert_true(text_is(&m->ptr[0].key, "kind") && text_is(&m->ptr[0].val, x->name));
		assert_true(text_is(&m->ptr[1].key, "ts") && m->ptr[1].val.via.i64 == SAMPLE_TS);
		assert_true(text_is(&m->ptr[2].key, "seq") && m->ptr[2].val.via.u64 == UINT64_C(0x8877665544332211));
		uint32_t n = 0;
		for (; x->fields[n][0]; n++) {
			assert_true(text_is(&m->ptr[3 + n].key, x->fields[n][0]));
			assert_value(&m->ptr[3 + n].val, x->fields[n][1]);
		}
		assert_int_equal(m->size, 3 + n);
		msgpack_unpacked_destroy(&u);
		free(p);
	}
	intern_free(in);
}

static void numbers_have_a_fixed_width(void **state)
{
	(void)state;
	size_t len;
	unsigned char *p = sample_bytes(TW_QUOTE, NULL, &len);
	static const unsigned char head[] = "\x88\xa4kind\xa5quote\xa2ts\xd3";
	assert_memory_equal(p, head, sizeof head - 1);
	static const unsigned char bid[] = "\xa3seq\xcf\0\0\0\0\0\0\0\0\xa3"
					   "bid\xcb\x3f\xf4\0\0\0\0\0\0\xa3"
					   "ask\xcb\x3f\xf8\0\0\0\0\0\0\xa8"
					   "bid_size\xcb\x7f\xf8\0\0\0\0\0\0";
	assert_memory_equal(p + 24, bid, sizeof bid - 1);
	assert_int_equal(len, 114);
	free(p);
}

static void a_nan_is_always_the_same_one(void **state)
{
	(void)state;
	double odd;
	uint64_t bits = UINT64_C(0xfff0dead0000beef);
	memcpy(&odd, &bits, 8);
	struct sample a = { .writer = SAMPLE_WRITER }, b = { .writer = SAMPLE_WRITER };
	tw_push_quote(&a.writer, 1, T("A"), 1, 2, odd, TW_NONE);
	tw_push_quote(&b.writer, 1, T("A"), 1, 2, TW_NONE, odd);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.bytes, b.bytes, a.len);
	free(a.bytes);
	free(b.bytes);
}

static bool str_is(struct tw_str s, const char *want)
{
	return s.len == strlen(want) && (!s.len || !memcmp(s.s, want, s.len));
}

static void quote_trade_and_deal_come_back(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	struct tw_event ev;
	size_t len;
	unsigned char *p = sample_bytes(TW_QUOTE, in, &len);
	event_stamp(p, 9);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.kind == TW_QUOTE && ev.ts == SAMPLE_TS && ev.seq == 9 && ev.raw == p && ev.raw_len == len);
	assert_true(ev.quote.bid == 1.25 && ev.quote.ask == 1.5 && isnan(ev.quote.bid_size) &&
		    ev.quote.ask_size == 1e6);
	assert_string_equal(intern_name(in, ev.quote.symbol), "EUR/USD");
	free(p);

	p = sample_bytes(TW_TRADE, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.trade.price == 190.5 && ev.trade.size == 100 && ev.trade.side == TW_BUY);
	assert_string_equal(intern_name(in, ev.trade.account), "alice");
	assert_string_equal(intern_name(in, ev.trade.counterparty), "bob");
	assert_true(str_is(ev.trade.trade_id, "t-17"));
	free(p);

	p = sample_bytes(TW_DEAL, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.deal.open_ts == SAMPLE_TS - 1000 && ev.deal.size == 0.5 && ev.deal.open_price == 1900.25 &&
		    ev.deal.close_price == 1899.75 && isnan(ev.deal.stop_loss) && ev.deal.take_profit == 1890 &&
		    ev.deal.commission == -3.5 && ev.deal.swap == 0 && ev.deal.profit == 25);
	assert_int_equal(ev.deal.side, TW_SELL);
	assert_string_equal(intern_name(in, ev.deal.account), "10001");
	assert_string_equal(intern_name(in, ev.deal.symbol), "XAUUSD");
	assert_true(str_is(ev.deal.ticket, "0123456789012345678901234567890123456789"));
	assert_true(str_is(ev.deal.comment, "sl \xe2\x82\xac"));
	free(p);
	intern_free(in);
}

static void the_other_kinds_come_back(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	struct arena scratch = { 0 };
	struct tw_event ev;
	size_t len;
	unsigned char *p = sample_bytes(TW_BAR, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.bar.interval == INT64_C(60000000000) && ev.bar.high == 12 && ev.bar.low == 9 &&
		    ev.bar.count == 42);
	assert_string_equal(intern_name(in, ev.bar.symbol), "^GSPC.INDEX.LONG.NAME");
	free(p);
	p = sample_bytes(TW_ORDER, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.order.action == TW_CANCEL && ev.order.side == TW_SELL && ev.order.account == 0);
	assert_true(ev.order.remaining == 4 && str_is(ev.order.order_id, "o1"));
	free(p);
	p = sample_bytes(TW_ACCOUNT, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.account.event == TW_SNAPSHOT && ev.account.leverage == 30 &&
		    str_is(ev.account.group, "real\\a"));
	assert_null(ev.account.comment.s);
	free(p);
	p = sample_bytes(TW_NEWS, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.news.category == TW_CALENDAR && ev.news.impact == TW_IMPACT_HIGH && ev.news.actual == 150);
	free(p);
	p = sample_bytes(TW_LABEL, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.label.from == SAMPLE_TS - 5 && ev.label.to == 0 && str_is(ev.label.verdict, "true"));
	free(p);
	p = sample_bytes(TW_CLOCK, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(str_is(ev.clock.source, "ticks"));
	free(p);
	p = sample_bytes(TW_CORRECTION, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, NULL), len);
	assert_true(ev.correction.action == TW_BUST && ev.correction.ref_seq == UINT64_MAX);
	free(p);
	p = sample_bytes(TW_SCORE, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, &scratch), len);
	assert_true(ev.score.n_features == 3 && !memcmp(ev.score.features, sample_features, sizeof sample_features));
	free(p);
	p = sample_bytes(TW_ALERT, in, &len);
	assert_int_equal(event_decode(&ev, p, len, in, &scratch), len);
	assert_true(ev.alert.severity == TW_HIGH && ev.alert.evidence_to == 77 && str_is(ev.alert.symbol, "EUR/USD"));
	assert_int_equal(ev.alert.n_details, 3);
	assert_true(str_is(ev.alert.details[0].name, "window") && ev.alert.details[0].number == 256);
	assert_null(ev.alert.details[0].text.s);
	assert_true(str_is(ev.alert.details[1].text, "scalper") && isnan(ev.alert.details[1].number));
	assert_non_null(ev.alert.details[2].text.s);
	free(p);
	arena_free(&scratch);
	intern_free(in);
}

/* Decoding and encoding again gives the same bytes. */
static void a_decoded_view_encodes_to_the_same_bytes(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	for (size_t i = 0; i < N_EXPECTED; i++) {
		struct arena scratch = { 0 };
		struct buf out = { 0 };
		struct tw_event ev;
		size_t len;
		unsigned char *p = sample_bytes(expected[i].kind, in, &len);
		event_stamp(p, 123456789);
		assert_int_equal(event_decode(&ev, p, len, in, &scratch), len);
		assert_int_equal(event_encode(&out, &ev, in), TW_OK);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, p, len);
		buf_free(&out);
		arena_free(&scratch);
		free(p);
	}
	intern_free(in);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	struct arena scratch = { 0 };
	for (size_t i = 0; i < N_EXPECTED; i++) {
		size_t len;
		unsigned char *p = sample_bytes(expected[i].kind, in, &len);
		for (size_t n = 0; n < len; n++) {
			struct tw_event ev;
			unsigned char *cut = malloc(n ? n : 1); /* exactly n bytes: reading on is seen by ASan */
			memcpy(cut, p, n);
			assert_int_equal(event_decode(&ev, cut, n, in, &scratch), 0);
			free(cut);
		}
		free(p);
	}
	arena_free(&scratch);
	intern_free(in);
}

/* Marks the bytes of an event that are values: numbers, texts but the kind's, details. Written against the format. */
static void mark(const unsigned char *p, size_t len, bool *value)
{
	size_t at = p[0] == 0xde ? 3 : 1, entries = p[0] == 0xde ? (size_t)(p[1] << 8 | p[2]) : p[0] & 15u;
	for (size_t i = 0; i < entries; i++) {
		at += 1 + (p[at] & 31u); /* name */
		size_t items = 1;
		if (p[at] == 0xdc || p[at] == 0xde) {
			items = (size_t)(p[at + 1] << 8 | p[at + 2]) * (p[at] == 0xde ? 2 : 1);
			at += 3;
		}
		for (size_t j = 0; j < items; j++) {
			size_t head = 1, body = 0;
			if (p[at] == 0xcb || p[at] == 0xd3 || p[at] == 0xcf)
				body = 8;
			else if ((p[at] & 0xe0) == 0xa0)
				body = p[at] & 31;
			else if (p[at] == 0xd9)
				head = 2, body = p[at + 1];
			else
				assert_int_equal(p[at], 0xc0);
			for (size_t b = 0; b < body && i > 0; b++)
				value[at + head + b] = true;
			at += head + body;
		}
	}
	assert_int_equal(at, len);
}

static void every_flipped_bit_beside_the_values_is_refused(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	struct arena scratch = { 0 };
	for (size_t i = 0; i < N_EXPECTED; i++) {
		size_t len;
		unsigned char *p = sample_bytes(expected[i].kind, in, &len);
		bool value[1024] = { false };
		assert_true(len < sizeof value);
		mark(p, len, value);
		for (size_t at = 0; at < len; at++) {
			for (int bit = 0; bit < 8 && !value[at]; bit++) {
				struct tw_event ev;
				p[at] ^= (unsigned char)(1 << bit);
				/* a shorter last text is a shorter event, so the length tells */
				assert_int_not_equal(event_decode(&ev, p, len, in, &scratch), len);
				p[at] ^= (unsigned char)(1 << bit);
			}
		}
		struct tw_event ev;
		assert_int_equal(event_decode(&ev, p, len, in, &scratch), len);
		free(p);
	}
	arena_free(&scratch);
	intern_free(in);
}

static void an_unknown_word_is_refused(void **state)
{
	(void)state;
	size_t len;
	struct tw_event ev;
	unsigned char *p = sample_bytes(TW_TRADE, NULL, &len);
	unsigned char *side = memmem(p, len, "side\xa3", 5);
	assert_non_null(side);
	memcpy(side + 5, "bid", 3);
	assert_int_equal(event_decode(&ev, p, len, NULL, NULL), 0);
	free(p);
}

static void texts_longer_than_needed_encoded_are_refused(void **state)
{
	(void)state;
	struct tw_event ev;
	struct sample s = { .writer = SAMPLE_WRITER };
	char text[300];
	memset(text, 'x', sizeof text);
	static const uint32_t lens[] = { 31, 32, 255, 256, 300 };
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		tw_push_clock(&s.writer, 1, tw_text(text, lens[i]));
		assert_true(s.len <= s.bound);
		assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), s.len);
		assert_int_equal(ev.clock.source.len, lens[i]);
	}
	tw_push_clock(&s.writer, 1, tw_text(text, 32)); /* d9 20 ... becomes d9 1f ... */
	s.bytes[s.len - 33] = 31;
	assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), 0);
	tw_push_clock(&s.writer, 1, tw_text(text, 256)); /* da 01 00 ... becomes da 00 ff ... */
	s.bytes[s.len - 258] = 0;
	s.bytes[s.len - 257] = 255;
	assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), 0);
	tw_push_clock(&s.writer, 1, tw_text(text, 1)); /* an empty text is nil, never a0 */
	s.bytes[s.len - 2] = 0xa0;
	assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), 0);
	free(s.bytes);
}

static void names_beyond_255_bytes_are_refused(void **state)
{
	(void)state;
	struct tw_event ev;
	struct sample s = { .writer = SAMPLE_WRITER };
	char text[256];
	memset(text, 'x', sizeof text);
	tw_push_quote(&s.writer, 1, tw_text(text, 255), 1, 1, 1, 1);
	assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), s.len);
	tw_push_quote(&s.writer, 1, tw_text(text, 256), 1, 1, 1, 1);
	assert_int_equal(event_decode(&ev, s.bytes, s.len, NULL, NULL), 0);
	free(s.bytes);
}

static void a_refused_event_interns_nothing_and_leaves_the_view(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	struct tw_event ev, before;
	size_t len;
	memset(&ev, 0x55, sizeof ev);
	before = ev;
	unsigned char *p = sample_bytes(TW_TRADE, in, &len);
	assert_int_equal(event_decode(&ev, p, len - 1, in, NULL), 0);
	assert_int_equal(intern_count(in), 0);
	assert_memory_equal(&ev, &before, sizeof ev);
	free(p);
	intern_free(in);
}

static void peeks_agree_with_the_decoder(void **state)
{
	(void)state;
	struct intern *in = intern_new(100);
	for (size_t i = 0; i < N_EXPECTED; i++) {
		size_t len;
		unsigned char *p = sample_bytes(expected[i].kind, in, &len);
		event_stamp(p, UINT64_MAX - 1);
		assert_int_equal(event_kind(p), expected[i].kind);
		assert_true(event_ts(p) == SAMPLE_TS);
		assert_true(event_seq(p) == UINT64_MAX - 1);
		free(p);
	}
	intern_free(in);
}

static void tables_name_every_field_in_wire_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_EXPECTED; i++) {
		const struct kind *k = kind_of(expected[i].kind);
		assert_ptr_equal(k, &event_kinds[i]);
		assert_ptr_equal(kind_named(expected[i].name, strlen(expected[i].name)), k);
		uint32_t n = 0;
		for (; expected[i].fields[n][0]; n++)
			assert_string_equal(k->fields[n].name, expected[i].fields[n][0]);
		assert_int_equal(k->n_fields, n);
		assert_int_equal(k->size % 16, 0);
	}
	assert_null(kind_of(0));
	assert_null(kind_of(3));
	assert_null(kind_of(1u << 12));
	assert_null(kind_named("quotes", 6));
	const struct field *f = field_named(kind_of(TW_DEAL), "profit", 6);
	assert_int_equal(f->offset, offsetof(struct tw_event, deal.profit));
	assert_int_equal(f->type, FIELD_F64);
	assert_null(field_named(kind_of(TW_DEAL), "ts", 2));
	f = field_named(kind_of(TW_ALERT), "severity", 8);
	assert_null(f->names[0]);
	assert_string_equal(f->names[TW_CRITICAL], "critical");
	assert_int_equal(f->n_names, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_unpacks_with_msgpack_c),
		cmocka_unit_test(numbers_have_a_fixed_width),
		cmocka_unit_test(a_nan_is_always_the_same_one),
		cmocka_unit_test(quote_trade_and_deal_come_back),
		cmocka_unit_test(the_other_kinds_come_back),
		cmocka_unit_test(a_decoded_view_encodes_to_the_same_bytes),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_flipped_bit_beside_the_values_is_refused),
		cmocka_unit_test(an_unknown_word_is_refused),
		cmocka_unit_test(texts_longer_than_needed_encoded_are_refused),
		cmocka_unit_test(names_beyond_255_bytes_are_refused),
		cmocka_unit_test(a_refused_event_interns_nothing_and_leaves_the_view),
		cmocka_unit_test(peeks_agree_with_the_decoder),
		cmocka_unit_test(tables_name_every_field_in_wire_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
