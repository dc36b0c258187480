/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of every kind of event, one line each, in wire order. Encoder, decoder, field tables, JSON and the
 * validators' positions are all made from these lines, so a field is added here and nowhere else.
 *
 *   NUMBERS_kind(X)  X(kind, I64|U64|F64, member, flags)   fixed width, at an offset known when this is compiled
 *   TEXTS_kind(X)    X(kind, NAME|TEXT|ENUM, member, words) NAME: interned in the decoded view; words: of an ENUM
 *   TAIL_kind(X)     X(kind, F64S|DETAILS, member)         the one field of variable length, or nothing
 *
 * An empty text is an absent one, so there is one encoding for it: nil. The order of numbers and texts is that of
 * tapewatch/push.h. A field that is appended changes the bytes: raise TW_EVENT_SCHEMA with it.
 */
#ifndef EVENT_SCHEMA_H
#define EVENT_SCHEMA_H

#include <tapewatch/plugin.h>

/* kind, its bit, whether its map has up to 15 entries (FIX, one byte of header) or more (M16, three bytes), and its
 * first text, whose name still lies at a fixed offset */
#define EVENT_SCHEMA(X)                                                                                            \
	X(quote, TW_QUOTE, FIX, symbol)                                                                            \
	X(trade, TW_TRADE, FIX, symbol)                                                                            \
	X(bar, TW_BAR, FIX, symbol)                                                                                \
	X(order, TW_ORDER, FIX, symbol)                                                                            \
	X(deal, TW_DEAL, M16, account)                                                                             \
	X(account, TW_ACCOUNT, FIX, account)                                                                       \
	X(news, TW_NEWS, FIX, symbol)                                                                              \
	X(score, TW_SCORE, FIX, symbol)                                                                            \
	X(alert, TW_ALERT, M16, id)                                                                                \
	X(label, TW_LABEL, FIX, symbol)                                                                            \
	X(clock, TW_CLOCK, FIX, source)                                                                            \
	X(correction, TW_CORRECTION, FIX, symbol)

#define NUMBERS_quote(X) X(quote, F64, bid, 0) X(quote, F64, ask, 0) X(quote, F64, bid_size, 0) X(quote, F64, ask_size, 0)
#define TEXTS_quote(X) X(quote, NAME, symbol, none)
#define TAIL_quote(X)

#define NUMBERS_trade(X) X(trade, F64, price, 0) X(trade, F64, size, 0)
#define TEXTS_trade(X)                                                                                             \
	X(trade, NAME, symbol, none)                                                                               \
	X(trade, ENUM, side, side)                                                                                 \
	X(trade, NAME, account, none)                                                                              \
	X(trade, NAME, counterparty, none)                                                                         \
	X(trade, TEXT, trade_id, none)
#define TAIL_trade(X)

#define NUMBERS_bar(X)                                                                                             \
	X(bar, I64, interval, FIELD_ZERO_NONE)                                                                     \
	X(bar, F64, open, 0)                                                                                       \
	X(bar, F64, high, 0)                                                                                       \
	X(bar, F64, low, 0)                                                                                        \
	X(bar, F64, close, 0)                                                                                      \
	X(bar, F64, volume, 0)                                                                                     \
	X(bar, I64, count, FIELD_MINUS_NONE)
#define TEXTS_bar(X) X(bar, NAME, symbol, none)
#define TAIL_bar(X)

#define NUMBERS_order(X) X(order, F64, price, 0) X(order, F64, size, 0) X(order, F64, remaining, 0)
#define TEXTS_order(X)                                                                                             \
	X(order, NAME, symbol, none)                                                                               \
	X(order, NAME, account, none)                                                                              \
	X(order, ENUM, action, action)                                                                             \
	X(order, ENUM, side, side)                                                                                 \
	X(order, TEXT, order_id, none)
#define TAIL_order(X)

#define NUMBERS_deal(X)                                                                                            \
	X(deal, I64, open_ts, FIELD_IS_TIME)                                                                       \
	X(deal, F64, size, 0)                                                                                      \
	X(deal, F64, open_price, 0)                                                                                \
	X(deal, F64, close_price, 0)                                                                               \
	X(deal, F64, stop_loss, 0)                                                                                 \
	X(deal, F64, take_profit, 0)                                                                               \
	X(deal, F64, commission, 0)                                                                                \
	X(deal, F64, swap, 0)                                                                                      \
	X(deal, F64, profit, 0)
#define TEXTS_deal(X)                                                                                              \
	X(deal, NAME, account, none)                                                                               \
	X(deal, NAME, symbol, none)                                                                                \
	X(deal, ENUM, side, side)                                                                                  \
	X(deal, TEXT, ticket, none)                                                                                \
	X(deal, TEXT, comment, none)
#define TAIL_deal(X)

#define NUMBERS_account(X)                                                                                         \
	X(account, F64, amount, 0)                                                                                 \
	X(account, F64, balance, 0)                                                                                \
	X(account, F64, equity, 0)                                                                                 \
	X(account, F64, margin, 0)                                                                                 \
	X(account, F64, leverage, 0)
#define TEXTS_account(X)                                                                                           \
	X(account, NAME, account, none)                                                                            \
	X(account, ENUM, event, event)                                                                             \
	X(account, TEXT, currency, none)                                                                           \
	X(account, TEXT, group, none)                                                                              \
	X(account, TEXT, comment, none)
#define TAIL_account(X)

#define NUMBERS_news(X) X(news, F64, actual, 0) X(news, F64, forecast, 0) X(news, F64, previous, 0)
#define TEXTS_news(X)                                                                                              \
	X(news, NAME, symbol, none)                                                                                \
	X(news, ENUM, category, category)                                                                          \
	X(news, ENUM, impact, impact)                                                                              \
	X(news, TEXT, source, none)                                                                                \
	X(news, TEXT, id, none)                                                                                    \
	X(news, TEXT, currency, none)                                                                              \
	X(news, TEXT, title, none)
#define TAIL_news(X)

#define NUMBERS_score(X) X(score, F64, score, 0) X(score, F64, p_value, 0)
#define TEXTS_score(X)                                                                                             \
	X(score, NAME, symbol, none)                                                                               \
	X(score, NAME, account, none)                                                                              \
	X(score, TEXT, detector, none)
#define TAIL_score(X) X(score, F64S, features)

#define NUMBERS_alert(X)                                                                                           \
	X(alert, F64, score, 0)                                                                                    \
	X(alert, F64, p_value, 0)                                                                                  \
	X(alert, F64, value, 0)                                                                                    \
	X(alert, F64, expected, 0)                                                                                 \
	X(alert, F64, threshold, 0)                                                                                \
	X(alert, U64, evidence_from, FIELD_ZERO_NONE)                                                              \
	X(alert, U64, evidence_to, FIELD_ZERO_NONE)
#define TEXTS_alert(X) /* an alert is stored, so its symbol and account are texts */                              \
	X(alert, TEXT, id, none)                                                                                   \
	X(alert, TEXT, detector, none)                                                                             \
	X(alert, TEXT, version, none)                                                                              \
	X(alert, TEXT, config, none)                                                                               \
	X(alert, TEXT, symbol, none)                                                                               \
	X(alert, TEXT, account, none)                                                                              \
	X(alert, TEXT, type, none)                                                                                 \
	X(alert, ENUM, severity, severity)                                                                         \
	X(alert, TEXT, reason, none)
#define TAIL_alert(X) X(alert, DETAILS, details)

#define NUMBERS_label(X)                                                                                           \
	X(label, I64, from, FIELD_IS_TIME | FIELD_ZERO_NONE) X(label, I64, to, FIELD_IS_TIME | FIELD_ZERO_NONE)
#define TEXTS_label(X)                                                                                             \
	X(label, NAME, symbol, none)                                                                               \
	X(label, NAME, account, none)                                                                              \
	X(label, TEXT, alert_id, none)                                                                             \
	X(label, TEXT, verdict, none)                                                                              \
	X(label, TEXT, category, none)                                                                             \
	X(label, TEXT, author, none)                                                                               \
	X(label, TEXT, comment, none)
#define TAIL_label(X)

#define NUMBERS_clock(X)
#define TEXTS_clock(X) X(clock, TEXT, source, none)
#define TAIL_clock(X)

#define NUMBERS_correction(X)                                                                                      \
	X(correction, U64, ref_seq, FIELD_ZERO_NONE) X(correction, F64, price, 0) X(correction, F64, size, 0)
#define TEXTS_correction(X)                                                                                        \
	X(correction, NAME, symbol, none)                                                                          \
	X(correction, ENUM, action, correction)                                                                    \
	X(correction, TEXT, trade_id, none)
#define TAIL_correction(X)

/* The words of enumerations, at most 8 bytes each; the number 0 is the absent one. */
#define ENUM_LISTS(X) X(side) X(action) X(event) X(category) X(impact) X(correction) X(severity)
#define ENUM_side(X) X(TW_BUY, "buy") X(TW_SELL, "sell")
#define ENUM_action(X)                                                                                             \
	X(TW_NEW, "new") X(TW_MODIFY, "modify") X(TW_CANCEL, "cancel") X(TW_FILL, "fill") X(TW_REJECT, "reject")
#define ENUM_event(X) X(TW_BALANCE, "balance") X(TW_CREDIT, "credit") X(TW_SNAPSHOT, "snapshot")
#define ENUM_category(X) X(TW_CALENDAR, "calendar") X(TW_FILING, "filing") X(TW_HEADLINE, "headline")
#define ENUM_impact(X) X(TW_IMPACT_LOW, "low") X(TW_IMPACT_MEDIUM, "medium") X(TW_IMPACT_HIGH, "high")
#define ENUM_correction(X) X(TW_BUST, "bust") X(TW_AMEND, "amend")
#define ENUM_severity(X)                                                                                           \
	X(TW_INFO, "info") X(TW_LOW, "low") X(TW_MEDIUM, "medium") X(TW_HIGH, "high") X(TW_CRITICAL, "critical")

/* Counting and positions, from the same lines. */
#define SCHEMA_ONE(...) +1
#define N_NUMBERS(K) (0 NUMBERS_##K(SCHEMA_ONE))
#define N_TEXTS(K) (0 TEXTS_##K(SCHEMA_ONE))
#define N_TAIL(K) (0 TAIL_##K(SCHEMA_ONE))

#define SCHEMA_NUMBER_AT(K, T, N, F) NUMBER_##K##_##N,
#define SCHEMA_TEXT_AT(K, T, N, E) TEXT_##K##_##N,
#define SCHEMA_POSITIONS(K, BIT, MAP, FIRST)                                                                           \
	enum { NUMBERS_##K(SCHEMA_NUMBER_AT) NUMBER_##K##_END };                                                   \
	enum { TEXTS_##K(SCHEMA_TEXT_AT) TEXT_##K##_END };
EVENT_SCHEMA(SCHEMA_POSITIONS)

#define SCHEMA_INDEX(K, BIT, MAP, FIRST) KIND_##K,
enum { EVENT_SCHEMA(SCHEMA_INDEX) KIND_END };

#define EVENT_MAX_NUMBERS 9u
#define EVENT_MAX_TEXTS 9u

#endif
