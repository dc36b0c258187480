/* SPDX-License-Identifier: Apache-2.0
 *
 * One event of every kind, written through the wrappers of push.h as a source would, for the tests of the codec.
 */
#ifndef EVENT_SAMPLES_H
#define EVENT_SAMPLES_H

#include "event/event.h"
#include <stdlib.h>
#include <tapewatch/push.h>

#define SAMPLE_TS INT64_C(1767323045678901234)

/* A writer that encodes what it is given; bytes is exactly as long as the bound allows. */
struct sample {
	struct tw_writer writer; /* first */
	unsigned char *bytes;
	size_t len, bound;
	const char *refused; /* event_check()'s word */
	struct tw_err err;
	bool check_only;
};

static inline int32_t sample_put(struct tw_writer *w, uint32_t kind, int64_t ts, const union tw_num *n,
                                 const struct tw_str *s)
{
	struct sample *out = (struct sample *)w;
	const struct kind *k = kind_of(kind);
	out->refused = event_check(k, ts, n, s, &out->err);
	if (out->check_only)
		return out->refused ? TW_E_DATA : TW_OK;
	out->bound = event_bound(k, s);
	free(out->bytes);
	out->bytes = malloc(out->bound);
	out->len = event_put(out->bytes, k, ts, n, s);
	return TW_OK;
}

#define SAMPLE_WRITER { .struct_size = sizeof(struct tw_writer), .put = sample_put }
#define T(text) tw_text(text, sizeof(text) - 1)

static inline void sample_push(struct sample *out, uint32_t kind)
{
	struct tw_writer *w = &out->writer;
	struct tw_deal_in deal = { .account = T("10001"),
		                   .symbol = T("XAUUSD"),
		                   .ticket = T("0123456789012345678901234567890123456789"),
		                   .comment = T("sl \xe2\x82\xac"),
		                   .side = TW_SELL,
		                   .open_ts = SAMPLE_TS - 1000,
		                   .size = 0.5,
		                   .open_price = 1900.25,
		                   .close_price = 1899.75,
		                   .stop_loss = TW_NONE,
		                   .take_profit = 1890,
		                   .commission = -3.5,
		                   .swap = 0,
		                   .profit = 25 };
	switch (kind) {
	case TW_QUOTE:
		tw_push_quote(w, SAMPLE_TS, T("EUR/USD"), 1.25, 1.5, TW_NONE, 1e6);
		break;
	case TW_TRADE:
		tw_push_trade(w, SAMPLE_TS, T("AAPL"), 190.5, 100, TW_BUY, T("alice"), T("bob"), T("t-17"));
		break;
	case TW_BAR:
		tw_push_bar(w, SAMPLE_TS, T("^GSPC.INDEX.LONG.NAME"), INT64_C(60000000000), 10, 12, 9, 11, 5000, 42);
		break;
	case TW_ORDER:
		tw_push_order(w, SAMPLE_TS, T("MSFT"), tw_none, T("cancel"), TW_SELL, 300.5, 10, 4, T("o1"));
		break;
	case TW_DEAL:
		tw_push_deal(w, SAMPLE_TS, &deal);
		break;
	case TW_ACCOUNT:
		tw_push_account(w, SAMPLE_TS, T("10001"), T("snapshot"), TW_NONE, 1000, 990.5, 100, 30, T("EUR"),
		                T("real\\a"), tw_none);
		break;
	case TW_NEWS:
		tw_push_news(w, SAMPLE_TS, T("ff"), T("n1"), T("calendar"), tw_none, T("USD"), T("high"), T("Non-Farm"),
		             150, 180.5, TW_NONE);
		break;
	case TW_SCORE:
		tw_push_score(w, SAMPLE_TS, T("outside"), T("EURUSD"), tw_none, 3.25, 0.001);
		break;
	case TW_LABEL:
		tw_push_label(w, SAMPLE_TS, T("EURUSD"), tw_none, SAMPLE_TS - 5, 0, T("a-1"), T("true"), T("spike"),
		              T("ann"), tw_none);
		break;
	case TW_CLOCK:
		tw_push_clock(w, SAMPLE_TS, T("ticks"));
		break;
	case TW_CORRECTION:
		tw_push_correction(w, SAMPLE_TS, T("AAPL"), T("bust"), UINT64_C(18446744073709551615), T("t-17"),
		                   190.5, TW_NONE);
		break;
	default: /* an alert has no wrapper: sources do not raise any */
		break;
	}
}

static const double sample_features[] = { 1.5, -2, 0.0625 };

static inline void sample_alert(struct tw_event *ev, struct tw_detail details[3])
{
	details[0] = (struct tw_detail){ T("window"), tw_none, 256 };
	details[1] = (struct tw_detail){ T("style"), T("scalper"), TW_NONE };
	details[2] = (struct tw_detail){ T("empty"), T(""), TW_NONE };
	*ev = (struct tw_event){ .struct_size = sizeof *ev, .kind = TW_ALERT, .ts = SAMPLE_TS, .seq = 77 };
	ev->alert = (struct tw_alert){ .severity = TW_HIGH,
		                       .n_details = 3,
		                       .score = 0.9,
		                       .p_value = TW_NONE,
		                       .value = 7.5,
		                       .expected = 1,
		                       .threshold = 6,
		                       .evidence_from = 70,
		                       .evidence_to = 77,
		                       .id = T("0123456789abcdef-77-spikes-0"),
		                       .detector = T("spikes"),
		                       .version = T("1.0.0"),
		                       .config = T("c0ffee"),
		                       .symbol = T("EUR/USD"),
		                       .account = tw_none,
		                       .type = T("price_spike"),
		                       .reason = T("price moved 7.5 deviations, more than 6 allow"),
		                       .details = details };
}

static inline void sample_score(struct tw_event *ev, uint32_t symbol)
{
	*ev = (struct tw_event){ .struct_size = sizeof *ev, .kind = TW_SCORE, .ts = SAMPLE_TS, .seq = 78 };
	ev->score = (struct tw_score){ .symbol = symbol,
		                       .score = 2.5,
		                       .p_value = TW_NONE,
		                       .detector = T("zs"),
		                       .features = sample_features,
		                       .n_features = 3 };
}

/* The bytes of one event of a kind, in a buffer of exactly their length. Freed by the caller. */
static inline unsigned char *sample_bytes(uint32_t kind, struct intern *in, size_t *len)
{
	struct sample s = { .writer = SAMPLE_WRITER };
	struct buf b = { 0 };
	struct tw_event ev;
	struct tw_detail details[3];

	if (kind == TW_ALERT || kind == TW_SCORE) {
		if (kind == TW_ALERT)
			sample_alert(&ev, details);
		else
			sample_score(&ev, intern_id(in, "EURUSD", 6));
		event_encode(&b, &ev, in);
	} else {
		sample_push(&s, kind);
		buf_add(&b, s.bytes, s.len);
	}
	unsigned char *bytes = malloc(b.len);
	memcpy(bytes, b.data, b.len);
	*len = b.len;
	buf_free(&b);
	free(s.bytes);
	return bytes;
}

#endif
