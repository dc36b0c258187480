/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/fields.h - for detectors: the number to judge, by name.
 *
 * A detector that judges numbers takes an option `fields`, a list of up to four of the names below, and judges each
 * with a window of its own. What a name means depends on the kind of the event; where it means nothing, or the number
 * is absent, not finite or beyond 1e150, the value is NaN: count it as absent, neither judge nor push it.
 *
 *   value       quote: mid, trade: price, bar: close, deal: profit, account: equity, score: score
 *   price       quote: mid, trade: price, bar: close, deal: close price
 *   return      price / the key's price before - 1; needs a price before that is above 0
 *   log_return  logarithm of price / the key's price before; needs both above 0
 *   spread      quote: ask - bid
 *   size        quote: bid size + ask size, trade: size, bar: volume, deal: lots; `volume` is the same
 *   bid, ask    quote
 *   open, high, low, close, range    bar; range is high - low; deal: open and close price
 *   profit, lots                     deal
 *   balance, equity                  account
 *   score                            score
 */
#ifndef TAPEWATCH_FIELDS_H
#define TAPEWATCH_FIELDS_H

#include <stdio.h>
#include <tapewatch/plugin.h>
#include <tapewatch/window.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tw_field {
	TW_FIELD_VALUE,
	TW_FIELD_PRICE,
	TW_FIELD_RETURN,
	TW_FIELD_LOG_RETURN,
	TW_FIELD_SPREAD,
	TW_FIELD_SIZE,
	TW_FIELD_VOLUME,
	TW_FIELD_BID,
	TW_FIELD_ASK,
	TW_FIELD_OPEN,
	TW_FIELD_HIGH,
	TW_FIELD_LOW,
	TW_FIELD_CLOSE,
	TW_FIELD_RANGE,
	TW_FIELD_PROFIT,
	TW_FIELD_LOTS,
	TW_FIELD_BALANCE,
	TW_FIELD_EQUITY,
	TW_FIELD_SCORE,
	TW_FIELDS_KNOWN
};

#define TW_FIELDS_MAX 4
#define TW_FIELD_KINDS (TW_QUOTE | TW_TRADE | TW_BAR | TW_DEAL | TW_ACCOUNT | TW_SCORE)
#define TW_FIELD_NAMES                                                                                             \
	"value, price, return, log_return, spread, size, volume, bid, ask, open, high, low, close, range, profit, " \
	"lots, balance, equity or score"

/* What the option `fields` says, ready for use: part of a detector's self, filled by tw_fields_open(). */
struct tw_fields {
	uint32_t n, previous; /* previous: one of them needs the price before */
	uint32_t id[TW_FIELDS_MAX];
};

struct tw_words {
	const char *name, *up, *down; /* the types of alerts above and below what was expected */
};

static inline const struct tw_words *tw_field_words(uint32_t field)
{
	static const struct tw_words words[TW_FIELDS_KNOWN] = {
		{ "value", "value_spike", "value_drop" },
		{ "price", "price_spike", "price_drop" },
		{ "return", "return_spike", "return_drop" },
		{ "log_return", "return_spike", "return_drop" },
		{ "spread", "spread_spike", "spread_drop" },
		{ "size", "size_spike", "size_drop" },
		{ "volume", "volume_spike", "volume_drop" },
		{ "bid", "price_spike", "price_drop" },
		{ "ask", "price_spike", "price_drop" },
		{ "open", "price_spike", "price_drop" },
		{ "high", "price_spike", "price_drop" },
		{ "low", "price_spike", "price_drop" },
		{ "close", "price_spike", "price_drop" },
		{ "range", "range_spike", "range_drop" },
		{ "profit", "profit_spike", "profit_drop" },
		{ "lots", "size_spike", "size_drop" },
		{ "balance", "balance_spike", "balance_drop" },
		{ "equity", "equity_spike", "equity_drop" },
		{ "score", "score_spike", "score_drop" },
	};
	return &words[field];
}

/* The number of a name; -1 if there is none of that name. */
static inline int32_t tw_field_parse(const char *name)
{
	int32_t i;

	for (i = 0; i < TW_FIELDS_KNOWN; i++)
		if (!strcmp(name, tw_field_words((uint32_t)i)->name))
			return i;
	return -1;
}

/* What `value` stands for in an event of this kind; other fields stand for themselves. */
static inline uint32_t tw_field_resolve(const struct tw_event *ev, uint32_t field)
{
	if (field != TW_FIELD_VALUE)
		return field;
	return ev->kind == TW_QUOTE || ev->kind == TW_TRADE ? TW_FIELD_PRICE :
	       ev->kind == TW_BAR                           ? TW_FIELD_CLOSE :
	       ev->kind == TW_DEAL                          ? TW_FIELD_PROFIT :
	       ev->kind == TW_ACCOUNT                       ? TW_FIELD_EQUITY :
	                                                      TW_FIELD_VALUE;
}

static inline double tw_field_price(const struct tw_event *ev)
{
	switch (ev->kind) {
	case TW_QUOTE:
		return 0.5 * (ev->quote.bid + ev->quote.ask);
	case TW_TRADE:
		return ev->trade.price;
	case TW_BAR:
		return ev->bar.close;
	case TW_DEAL:
		return ev->deal.close_price;
	default:
		return (double)NAN;
	}
}

static inline double tw_field_of_quote(const struct tw_quote *q, uint32_t field)
{
	switch (field) {
	case TW_FIELD_VALUE:
	case TW_FIELD_PRICE:
		return 0.5 * (q->bid + q->ask);
	case TW_FIELD_SPREAD:
		return q->ask - q->bid;
	case TW_FIELD_SIZE:
	case TW_FIELD_VOLUME:
		return q->bid_size + q->ask_size;
	case TW_FIELD_BID:
		return q->bid;
	case TW_FIELD_ASK:
		return q->ask;
	default:
		return (double)NAN;
	}
}

static inline double tw_field_of_bar(const struct tw_bar *b, uint32_t field)
{
	switch (field) {
	case TW_FIELD_VALUE:
	case TW_FIELD_PRICE:
	case TW_FIELD_CLOSE:
		return b->close;
	case TW_FIELD_SIZE:
	case TW_FIELD_VOLUME:
		return b->volume;
	case TW_FIELD_OPEN:
		return b->open;
	case TW_FIELD_HIGH:
		return b->high;
	case TW_FIELD_LOW:
		return b->low;
	case TW_FIELD_RANGE:
		return b->high - b->low;
	default:
		return (double)NAN;
	}
}

static inline double tw_field_of_deal(const struct tw_deal *d, uint32_t field)
{
	switch (field) {
	case TW_FIELD_VALUE:
	case TW_FIELD_PROFIT:
		return d->profit;
	case TW_FIELD_PRICE:
	case TW_FIELD_CLOSE:
		return d->close_price;
	case TW_FIELD_OPEN:
		return d->open_price;
	case TW_FIELD_SIZE:
	case TW_FIELD_VOLUME:
	case TW_FIELD_LOTS:
		return d->size;
	default:
		return (double)NAN;
	}
}

/* price against the price before; NaN where there is no such change. */
static inline double tw_field_change(double price, double previous, int logarithm)
{
	if (!(previous > 0) || (logarithm && !(price > 0)))
		return (double)NAN;
	return logarithm ? log(price / previous) : price / previous - 1;
}

TW_RARE double tw_field_other(const struct tw_event *ev, uint32_t field, double previous)
{
	if (field == TW_FIELD_RETURN || field == TW_FIELD_LOG_RETURN)
		return tw_field_change(tw_field_price(ev), previous, field == TW_FIELD_LOG_RETURN);
	switch (ev->kind) {
	case TW_QUOTE:
		return tw_field_of_quote(&ev->quote, field);
	case TW_TRADE:
		return field <= TW_FIELD_PRICE                            ? ev->trade.price :
		       field == TW_FIELD_SIZE || field == TW_FIELD_VOLUME ? ev->trade.size :
		                                                            (double)NAN;
	case TW_BAR:
		return tw_field_of_bar(&ev->bar, field);
	case TW_DEAL:
		return tw_field_of_deal(&ev->deal, field);
	case TW_ACCOUNT:
		return field == TW_FIELD_VALUE || field == TW_FIELD_EQUITY ? ev->account.equity :
		       field == TW_FIELD_BALANCE                           ? ev->account.balance :
		                                                             (double)NAN;
	case TW_SCORE:
		return field == TW_FIELD_VALUE || field == TW_FIELD_SCORE ? ev->score.score : (double)NAN;
	default:
		return (double)NAN;
	}
}

/* The value of a field. previous: the key's price before this event, 0 where there was none. */
static inline double tw_field_get(const struct tw_event *ev, uint32_t field, double previous)
{
	if (field <= TW_FIELD_PRICE && ev->kind == TW_QUOTE) /* by far the most frequent */
		return 0.5 * (ev->quote.bid + ev->quote.ask);
	return tw_field_other(ev, field, previous);
}

/* A deviation up to this is rounding in the last digits of the prices that a value comes from, and no spread. */
static inline double tw_field_noise(const struct tw_event *ev, uint32_t field, double value, double expected)
{
	double size = fabs(value) > fabs(expected) ? fabs(value) : fabs(expected);

	if (field == TW_FIELD_SPREAD && ev->kind == TW_QUOTE)
		size = fabs(ev->quote.ask);
	else if (field == TW_FIELD_RANGE && ev->kind == TW_BAR)
		size = fabs(ev->bar.high);
	else if (field == TW_FIELD_RETURN || field == TW_FIELD_LOG_RETURN)
		size = 1;
	return 4 * DBL_EPSILON * size;
}

/* After the fields of an event were judged: keep its price for the next return. */
static inline void tw_fields_done(const struct tw_fields *f, const struct tw_event *ev, double *previous)
{
	if (f->previous) {
		double price = tw_field_price(ev);
		if (tw_usable(price))
			*previous = price;
	}
}

/* For check(): TW_OK, or TW_E_CONFIG and a sentence. */
static inline int32_t tw_fields_check(const struct tw_list *list, struct tw_err *e)
{
	uint64_t i, j;

	if (list->n < 1 || list->n > TW_FIELDS_MAX) {
		snprintf(e->msg, sizeof e->msg, "fields: %llu names; expected 1 to %d of " TW_FIELD_NAMES,
		         (unsigned long long)list->n, TW_FIELDS_MAX);
		return e->code = TW_E_CONFIG;
	}
	for (i = 0; i < list->n; i++) {
		if (tw_field_parse(list->items[i]) < 0) {
			snprintf(e->msg, sizeof e->msg, "fields: unknown field '%.80s'; expected " TW_FIELD_NAMES,
			         list->items[i]);
			return e->code = TW_E_CONFIG;
		}
		for (j = 0; j < i; j++)
			if (!strcmp(list->items[i], list->items[j])) {
				snprintf(e->msg, sizeof e->msg, "fields: '%.80s' is there twice; name it once",
				         list->items[i]);
				return e->code = TW_E_CONFIG;
			}
	}
	return TW_OK;
}

/* For open(), behind a check() that was fine. */
static inline void tw_fields_open(struct tw_fields *f, const struct tw_list *list)
{
	uint32_t i;

	f->n = list->n < TW_FIELDS_MAX ? (uint32_t)list->n : TW_FIELDS_MAX;
	f->previous = 0;
	for (i = 0; i < f->n; i++) {
		int32_t id = tw_field_parse(list->items[i]);
		f->id[i] = (uint32_t)(id < 0 ? 0 : id);
		if (f->id[i] == TW_FIELD_RETURN || f->id[i] == TW_FIELD_LOG_RETURN)
			f->previous = 1;
	}
}

/* For check(): does the state of n windows of that many bytes fit? */
static inline int32_t tw_state_check(uint64_t bytes, struct tw_err *e)
{
	if (bytes <= TW_STATE_MAX)
		return TW_OK;
	snprintf(e->msg, sizeof e->msg,
	         "window: this takes %llu bytes of state for each key and %u is the limit; "
	         "choose a smaller window or fewer fields",
	         (unsigned long long)bytes, TW_STATE_MAX);
	return e->code = TW_E_CONFIG;
}

/* ---- for the sentence of an alert ------------------------------------------------------------------------------*/

/* Whom an event is about, as three texts for "%s%s%s": the account of deals and account events, and the symbol. */
struct tw_subject {
	const char *account, *gap, *symbol;
};

static inline void tw_event_ids(const struct tw_event *ev, uint32_t *symbol, uint32_t *account)
{
	*symbol = *account = 0;
	switch (ev->kind) {
	case TW_QUOTE:
		*symbol = ev->quote.symbol;
		break;
	case TW_TRADE:
		*symbol = ev->trade.symbol;
		*account = ev->trade.account;
		break;
	case TW_BAR:
		*symbol = ev->bar.symbol;
		break;
	case TW_DEAL:
		*symbol = ev->deal.symbol;
		*account = ev->deal.account;
		break;
	case TW_ACCOUNT:
		*account = ev->account.account;
		break;
	case TW_SCORE:
		*symbol = ev->score.symbol;
		*account = ev->score.account;
		break;
	default:
		break;
	}
}

static inline struct tw_subject tw_subject_of(const struct tw_host *host, const struct tw_event *ev)
{
	struct tw_subject s;
	uint32_t symbol, account;

	tw_event_ids(ev, &symbol, &account);
	if (ev->kind == TW_TRADE)
		account = 0; /* a tape is about the symbol */
	s.symbol = host->name(host, symbol);
	s.account = host->name(host, account);
	s.gap = *s.symbol && *s.account ? " " : "";
	return s;
}

/* Emit what was thought of an event (NULL inside timer()): the largest of n scores, and with n > 1 each as a feature.
 * NaN: not judged; nothing is emitted when all are. */
TW_RARE int32_t tw_emit_scores(struct tw_ctx *c, const struct tw_event *ev, const double *scores, uint32_t n)
{
	struct tw_event out;
	uint32_t i;

	memset(&out, 0, sizeof out);
	out.struct_size = sizeof out;
	out.kind = TW_SCORE;
	if (ev) {
		out.ts = ev->ts;
		tw_event_ids(ev, &out.score.symbol, &out.score.account);
	}
	out.score.score = out.score.p_value = (double)NAN;
	for (i = 0; i < n; i++)
		if (!(out.score.score >= scores[i]) && scores[i] == scores[i])
			out.score.score = scores[i];
	if (out.score.score != out.score.score)
		return TW_OK;
	out.score.detector.s = c->host->instance;
	out.score.detector.len = c->host->instance ? (uint32_t)strlen(c->host->instance) : 0;
	if (n > 1) {
		out.score.features = scores;
		out.score.n_features = n;
	}
	return c->host->emit(c, &out);
}

#ifdef __cplusplus
}
#endif
#endif
