/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/push.h - for sources: one readable call per kind of event.
 *
 * Each returns what tw_writer.put returns: TW_OK, or TW_E_DATA when the event is not valid (already recorded as a
 * dead letter: go on), or another negative result, which poll() should return. An absent text is tw_none, an absent
 * number TW_NONE. Texts are copied.
 */
#ifndef TAPEWATCH_PUSH_H
#define TAPEWATCH_PUSH_H

#include <string.h>
#include <tapewatch/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TW_NONE ((double)NAN)

static inline struct tw_str tw_text(const char *s, uint64_t len)
{
	struct tw_str t;
	t.s = s;
	t.len = (uint32_t)len;
	t.reserved = 0;
	return t;
}
static inline struct tw_str tw_textz(const char *s)
{
	return tw_text(s, s ? strlen(s) : 0);
}
#define tw_none tw_text(NULL, 0)

static inline union tw_num tw_f64(double v)
{
	union tw_num n;
	n.f = v;
	return n;
}
static inline union tw_num tw_i64(int64_t v)
{
	union tw_num n;
	n.i = v;
	return n;
}
static inline union tw_num tw_u64(uint64_t v)
{
	union tw_num n;
	n.u = v;
	return n;
}

/* The texts of enumerations, by their number; the text of 0 is absent. */
static inline struct tw_str tw_side_text(uint32_t side)
{
	return side == TW_BUY ? tw_text("buy", 3) : side == TW_SELL ? tw_text("sell", 4) : tw_none;
}

static inline int32_t tw_push_quote(struct tw_writer *w, int64_t ts, struct tw_str symbol, double bid, double ask,
                                    double bid_size, double ask_size)
{
	union tw_num n[] = { tw_f64(bid), tw_f64(ask), tw_f64(bid_size), tw_f64(ask_size) };
	struct tw_str s[] = { symbol };
	return w->put(w, TW_QUOTE, ts, n, s);
}

static inline int32_t tw_push_trade(struct tw_writer *w, int64_t ts, struct tw_str symbol, double price, double size,
                                    uint32_t side, struct tw_str account, struct tw_str counterparty,
                                    struct tw_str trade_id)
{
	union tw_num n[] = { tw_f64(price), tw_f64(size) };
	struct tw_str s[] = { symbol, tw_side_text(side), account, counterparty, trade_id };
	return w->put(w, TW_TRADE, ts, n, s);
}

static inline int32_t tw_push_bar(struct tw_writer *w, int64_t ts, struct tw_str symbol, int64_t interval, double open,
                                  double high, double low, double close, double volume, int64_t count)
{
	union tw_num n[] = { tw_i64(interval), tw_f64(open),   tw_f64(high), tw_f64(low),
		             tw_f64(close),    tw_f64(volume), tw_i64(count) };
	struct tw_str s[] = { symbol };
	return w->put(w, TW_BAR, ts, n, s);
}

/* action: "new", "modify", "cancel", "fill" or "reject" */
static inline int32_t tw_push_order(struct tw_writer *w, int64_t ts, struct tw_str symbol, struct tw_str account,
                                    struct tw_str action, uint32_t side, double price, double size, double remaining,
                                    struct tw_str order_id)
{
	union tw_num n[] = { tw_f64(price), tw_f64(size), tw_f64(remaining) };
	struct tw_str s[] = { symbol, account, action, tw_side_text(side), order_id };
	return w->put(w, TW_ORDER, ts, n, s);
}

/* ts is the close time. */
struct tw_deal_in {
	struct tw_str account, symbol, ticket, comment;
	uint32_t side;
	int64_t open_ts;
	double size, open_price, close_price, stop_loss, take_profit, commission, swap, profit;
};

static inline int32_t tw_push_deal(struct tw_writer *w, int64_t ts, const struct tw_deal_in *d)
{
	union tw_num n[] = { tw_i64(d->open_ts),   tw_f64(d->size),        tw_f64(d->open_price),
		             tw_f64(d->close_price), tw_f64(d->stop_loss),   tw_f64(d->take_profit),
		             tw_f64(d->commission),  tw_f64(d->swap),        tw_f64(d->profit) };
	struct tw_str s[] = { d->account, d->symbol, tw_side_text(d->side), d->ticket, d->comment };
	return w->put(w, TW_DEAL, ts, n, s);
}

/* event: "balance", "credit" or "snapshot" */
static inline int32_t tw_push_account(struct tw_writer *w, int64_t ts, struct tw_str account, struct tw_str event,
                                      double amount, double balance, double equity, double margin, double leverage,
                                      struct tw_str currency, struct tw_str group, struct tw_str comment)
{
	union tw_num n[] = { tw_f64(amount), tw_f64(balance), tw_f64(equity), tw_f64(margin), tw_f64(leverage) };
	struct tw_str s[] = { account, event, currency, group, comment };
	return w->put(w, TW_ACCOUNT, ts, n, s);
}

/* category: "calendar", "filing" or "headline"; impact: "low", "medium" or "high" */
static inline int32_t tw_push_news(struct tw_writer *w, int64_t ts, struct tw_str source, struct tw_str id,
                                   struct tw_str category, struct tw_str symbol, struct tw_str currency,
                                   struct tw_str impact, struct tw_str title, double actual, double forecast,
                                   double previous)
{
	union tw_num n[] = { tw_f64(actual), tw_f64(forecast), tw_f64(previous) };
	struct tw_str s[] = { symbol, category, impact, source, id, currency, title };
	return w->put(w, TW_NEWS, ts, n, s);
}

/* A plain series of numbers, or the judgement of an outside model. */
static inline int32_t tw_push_score(struct tw_writer *w, int64_t ts, struct tw_str detector, struct tw_str symbol,
                                    struct tw_str account, double score, double p_value)
{
	union tw_num n[] = { tw_f64(score), tw_f64(p_value) };
	struct tw_str s[] = { symbol, account, detector };
	return w->put(w, TW_SCORE, ts, n, s);
}

static inline int32_t tw_push_label(struct tw_writer *w, int64_t ts, struct tw_str symbol, struct tw_str account,
                                    int64_t from, int64_t to, struct tw_str alert_id, struct tw_str verdict,
                                    struct tw_str category, struct tw_str author, struct tw_str comment)
{
	union tw_num n[] = { tw_i64(from), tw_i64(to) };
	struct tw_str s[] = { symbol, account, alert_id, verdict, category, author, comment };
	return w->put(w, TW_LABEL, ts, n, s);
}

static inline int32_t tw_push_clock(struct tw_writer *w, int64_t ts, struct tw_str source)
{
	union tw_num n[] = { tw_i64(0) }; /* has no numbers */
	struct tw_str s[] = { source };
	return w->put(w, TW_CLOCK, ts, n, s);
}

/* action: "bust" or "amend" */
static inline int32_t tw_push_correction(struct tw_writer *w, int64_t ts, struct tw_str symbol, struct tw_str action,
                                         uint64_t ref_seq, struct tw_str trade_id, double price, double size)
{
	union tw_num n[] = { tw_u64(ref_seq), tw_f64(price), tw_f64(size) };
	struct tw_str s[] = { symbol, action, trade_id };
	return w->put(w, TW_CORRECTION, ts, n, s);
}

#ifdef __cplusplus
}
#endif
#endif
