/* SPDX-License-Identifier: Apache-2.0
 *
 * The validators: what an event must be before it enters the tape. Odd but real data passes (zero and negative prices,
 * crossed quotes, any UTF-8 in a symbol); what could poison a detector or a reader does not. The words, which are
 * counted and never change:
 *
 *   bad_time      ts, open_ts, from or to outside the years 1900..2200; a deal that opens after it closes
 *   bad_symbol    required and absent; more than 255 bytes; a control character; not UTF-8
 *   bad_account   the same for account and counterparty
 *   bad_price     required and NaN; infinite
 *   bad_size      negative or infinite; a deal's size not above 0; a count below -1
 *   bad_value     any other number: infinite, a score that is NaN, a p_value outside 0..1
 *   bad_interval  negative
 *   bad_bar       high is below low. An open or close outside of them is data: published indices have such days
 *   bad_side, bad_action, bad_event, bad_category, bad_impact, bad_severity
 *                 not one of the field's words, or required and absent
 *   bad_text      not UTF-8; a control character other than tab and newline; more than 32 KiB
 *   missing_field another required field is absent
 *   too_large     the event would take more than 65535 bytes
 */
#include "base/err.h"
#include "event/utf8.h"
#include "event/wire.h"

#define MAX_TEXT 32768u
#define MIN_TIME (INT64_C(-2208988800) * 1000000000) /* 1900-01-01 */
#define MAX_TIME (INT64_C(7258118400) * 1000000000)  /* 2200-01-01 */

struct checked {
	int64_t ts;
	const union tw_num *n;
	const struct tw_str *s;
	struct tw_err *e;
};

#define REFUSE(word, ...) return err_set(c->e, TW_E_DATA, __VA_ARGS__), (word)

/* Each test gives NULL or the word, so that a validator is a chain of them. */
static const char *name_fault(const struct checked *c, const char *word, const char *name, struct tw_str t)
{
	size_t good = utf8_span(t.s, t.len, UTF8_PLAIN);
	REFUSE(word, "%s has byte 0x%02x behind '%.*s': expected UTF-8 without control characters", name,
	       (unsigned char)t.s[good], (int)good, t.s);
}

static inline const char *name_ok(const struct checked *c, const char *word, const char *name, struct tw_str t)
{
	if (!t.s)
		return NULL;
	if (t.len > EVENT_MAX_NAME)
		REFUSE(word, "%s has %" PRIu32 " bytes: expected at most %u", name, t.len, EVENT_MAX_NAME);
	if (utf8_span(t.s, t.len, UTF8_PLAIN) != t.len)
		return name_fault(c, word, name, t);
	return NULL;
}

static inline const char *name_required(const struct checked *c, const char *word, const char *name, struct tw_str t)
{
	if (!t.s || !t.len)
		REFUSE(word, "%s is empty: expected a name", name);
	return name_ok(c, word, name, t);
}

static const char *text_ok(const struct checked *c, const char *name, struct tw_str t)
{
	if (!t.s)
		return NULL;
	if (t.len > MAX_TEXT)
		REFUSE("bad_text", "%s has %" PRIu32 " bytes: expected at most %u", name, t.len, MAX_TEXT);
	size_t good = utf8_span(t.s, t.len, UTF8_LINES);
	if (good != t.len)
		REFUSE("bad_text", "%s has byte 0x%02x at %zu: expected UTF-8 without control characters", name,
		       (unsigned char)t.s[good], good + 1);
	return NULL;
}

static const char *text_required(const struct checked *c, const char *name, struct tw_str t)
{
	if (!t.s || !t.len)
		REFUSE("missing_field", "%s is absent: expected a text", name);
	return text_ok(c, name, t);
}

/* A sentence lists the words: "side is 'bid': expected buy or sell". */
static const char *word_fault(const struct checked *c, const char *word, const struct field *f, struct tw_str t)
{
	char list[128];
	size_t at = 0;
	for (uint32_t i = 1; i < f->n_names; i++) {
		const char *parts[] = { i == 1 ? "" : i + 1 == f->n_names ? " or " : ", ", f->names[i] };
		for (size_t j = 0; j < 2; j++) {
			size_t len = strlen(parts[j]);
			if (at + len < sizeof list) {
				memcpy(list + at, parts[j], len);
				at += len;
			}
		}
	}
	if (!t.s || !t.len)
		REFUSE(word, "%s is absent: expected %.*s", f->name, (int)at, list);
	size_t shown = utf8_span(t.s, t.len < 40 ? t.len : 40, UTF8_PLAIN);
	REFUSE(word, "%s is '%.*s%s': expected %.*s", f->name, (int)shown, t.s, shown < t.len ? "..." : "", (int)at,
	       list);
}

#define REQUIRED true
#define OPTIONAL false
#define ENUM_TEST(E)                                                                                                   \
	static inline const char *enum_##E(const struct checked *c, const char *word, const struct field *f,           \
					   struct tw_str t, bool required)                                             \
	{                                                                                                              \
		if (!t.s || !t.len)                                                                                    \
			return required ? word_fault(c, word, f, t) : NULL;                                            \
		return t.len <= 8 && word_##E(word_load(t.s, t.len)) ? NULL : word_fault(c, word, f, t);               \
	}
ENUM_LISTS(ENUM_TEST)

static const char *number_fault(const struct checked *c, const char *word, const char *name, double v, const char *what)
{
	if (v != v)
		REFUSE(word, "%s is absent or NaN: expected %s", name, what);
	REFUSE(word, "%s is %.17g: expected %s", name, v, what);
}

static inline const char *number_required(const struct checked *c, const char *word, const char *name, union tw_num v)
{
	return isfinite(v.f) ? NULL : number_fault(c, word, name, v.f, "a finite number");
}

static inline const char *not_infinite(const struct checked *c, const char *word, const char *name, union tw_num v)
{
	return isinf(v.f) ? number_fault(c, word, name, v.f, "a finite number, or NaN for absent") : NULL;
}

static inline const char *size_ok(const struct checked *c, const char *name, union tw_num v)
{
	if (v.f < 0 || isinf(v.f))
		return number_fault(c, "bad_size", name, v.f, "a finite number of at least 0, or NaN for absent");
	return NULL;
}

static inline const char *time_ok(const struct checked *c, const char *name, int64_t ts)
{
	if (ts < MIN_TIME || ts >= MAX_TIME)
		REFUSE("bad_time", "%s is %" PRId64 " ns since 1970: expected a year from 1900 to 2199", name, ts);
	return NULL;
}

static inline const char *p_value_ok(const struct checked *c, union tw_num v)
{
	if (v.f < 0 || v.f > 1)
		return number_fault(c, "bad_value", "p_value", v.f, "a probability from 0 to 1, or NaN for absent");
	return NULL;
}

#define NUM(K, N)   c->n[NUMBER_##K##_##N]
#define STR(K, N)   c->s[TEXT_##K##_##N]
#define FIELD(K, N) &event_kinds[KIND_##K].fields[NUMBER_##K##_END + TEXT_##K##_##N]

#define TRY(call)                                                                                                      \
	do {                                                                                                           \
		const char *word_ = (call);                                                                            \
		if (__builtin_expect(word_ != NULL, 0))                                                                \
			return word_;                                                                                  \
	} while (0)
#define TRY_SYMBOL(K)    TRY(name_ok(c, "bad_symbol", "symbol", STR(K, symbol)))
#define TRY_ACCOUNT(K)   TRY(name_ok(c, "bad_account", "account", STR(K, account)))
#define NEED_SYMBOL(K)   TRY(name_required(c, "bad_symbol", "symbol", STR(K, symbol)))
#define NEED_ACCOUNT(K)  TRY(name_required(c, "bad_account", "account", STR(K, account)))
#define TRY_TEXT(K, N)   TRY(text_ok(c, #N, STR(K, N)))
#define TRY_SIZE(K, N)   TRY(size_ok(c, #N, NUM(K, N)))
#define TRY_PRICE(K, N)  TRY(not_infinite(c, "bad_price", #N, NUM(K, N)))
#define NEED_PRICE(K, N) TRY(number_required(c, "bad_price", #N, NUM(K, N)))
#define TRY_VALUE(K, N)  TRY(not_infinite(c, "bad_value", #N, NUM(K, N)))

static const char *check_quote(const struct checked *c)
{
	NEED_SYMBOL(quote);
	NEED_PRICE(quote, bid);
	NEED_PRICE(quote, ask);
	TRY_SIZE(quote, bid_size);
	TRY_SIZE(quote, ask_size);
	return NULL;
}

static const char *check_trade(const struct checked *c)
{
	NEED_SYMBOL(trade);
	NEED_PRICE(trade, price);
	TRY_SIZE(trade, size);
	TRY(enum_side(c, "bad_side", FIELD(trade, side), STR(trade, side), OPTIONAL));
	TRY_ACCOUNT(trade);
	TRY(name_ok(c, "bad_account", "counterparty", STR(trade, counterparty)));
	TRY_TEXT(trade, trade_id);
	return NULL;
}

static const char *check_bar(const struct checked *c)
{
	NEED_SYMBOL(bar);
	NEED_PRICE(bar, open);
	NEED_PRICE(bar, high);
	NEED_PRICE(bar, low);
	NEED_PRICE(bar, close);
	if (NUM(bar, high).f < NUM(bar, low).f)
		REFUSE("bad_bar", "high %.10g is below low %.10g: expected low <= high", NUM(bar, high).f,
		       NUM(bar, low).f);
	TRY_SIZE(bar, volume);
	if (NUM(bar, interval).i < 0)
		REFUSE("bad_interval", "interval is %" PRId64 " ns: expected at least 0, and 0 for unknown",
		       NUM(bar, interval).i);
	if (NUM(bar, count).i < -1)
		REFUSE("bad_size", "count is %" PRId64 ": expected at least 0, or -1 for unknown", NUM(bar, count).i);
	return NULL;
}

static const char *check_order(const struct checked *c)
{
	NEED_SYMBOL(order);
	TRY_ACCOUNT(order);
	TRY(enum_action(c, "bad_action", FIELD(order, action), STR(order, action), REQUIRED));
	TRY(enum_side(c, "bad_side", FIELD(order, side), STR(order, side), OPTIONAL));
	TRY_PRICE(order, price);
	TRY_SIZE(order, size);
	TRY_SIZE(order, remaining);
	TRY_TEXT(order, order_id);
	return NULL;
}

static const char *check_deal(const struct checked *c)
{
	NEED_ACCOUNT(deal);
	NEED_SYMBOL(deal);
	TRY(enum_side(c, "bad_side", FIELD(deal, side), STR(deal, side), REQUIRED));
	TRY(time_ok(c, "open_ts", NUM(deal, open_ts).i));
	if (NUM(deal, open_ts).i > c->ts)
		REFUSE("bad_time", "open_ts is %" PRId64 " ns later than the close, ts: expected it not to be later",
		       NUM(deal, open_ts).i - c->ts);
	if (!(NUM(deal, size).f > 0) || isinf(NUM(deal, size).f))
		return number_fault(c, "bad_size", "size", NUM(deal, size).f, "lots above 0");
	NEED_PRICE(deal, open_price);
	NEED_PRICE(deal, close_price);
	TRY_PRICE(deal, stop_loss);
	TRY_PRICE(deal, take_profit);
	TRY_VALUE(deal, commission);
	TRY_VALUE(deal, swap);
	TRY_VALUE(deal, profit);
	TRY_TEXT(deal, ticket);
	TRY_TEXT(deal, comment);
	return NULL;
}

static const char *check_account(const struct checked *c)
{
	NEED_ACCOUNT(account);
	TRY(enum_event(c, "bad_event", FIELD(account, event), STR(account, event), REQUIRED));
	TRY_VALUE(account, amount);
	TRY_VALUE(account, balance);
	TRY_VALUE(account, equity);
	TRY_VALUE(account, margin);
	TRY_VALUE(account, leverage);
	TRY_TEXT(account, currency);
	TRY_TEXT(account, group);
	TRY_TEXT(account, comment);
	return NULL;
}

static const char *check_news(const struct checked *c)
{
	TRY_SYMBOL(news);
	TRY(enum_category(c, "bad_category", FIELD(news, category), STR(news, category), OPTIONAL));
	TRY(enum_impact(c, "bad_impact", FIELD(news, impact), STR(news, impact), OPTIONAL));
	if ((!STR(news, title).s || !STR(news, title).len) && (!STR(news, id).s || !STR(news, id).len))
		REFUSE("missing_field", "title and id are absent: expected one of them");
	TRY_VALUE(news, actual);
	TRY_VALUE(news, forecast);
	TRY_VALUE(news, previous);
	TRY_TEXT(news, source);
	TRY_TEXT(news, id);
	TRY_TEXT(news, currency);
	TRY_TEXT(news, title);
	return NULL;
}

static const char *check_score(const struct checked *c)
{
	TRY_SYMBOL(score);
	TRY_ACCOUNT(score);
	TRY(number_required(c, "bad_value", "score", NUM(score, score)));
	TRY(p_value_ok(c, NUM(score, p_value)));
	TRY_TEXT(score, detector);
	return NULL;
}

static const char *check_alert(const struct checked *c)
{
	TRY_SYMBOL(alert);
	TRY_ACCOUNT(alert);
	TRY(text_required(c, "detector", STR(alert, detector)));
	TRY(enum_severity(c, "bad_severity", FIELD(alert, severity), STR(alert, severity), OPTIONAL));
	TRY_VALUE(alert, score);
	TRY(p_value_ok(c, NUM(alert, p_value)));
	TRY_VALUE(alert, value);
	TRY_VALUE(alert, expected);
	TRY_VALUE(alert, threshold);
	if (NUM(alert, evidence_from).u > NUM(alert, evidence_to).u)
		REFUSE("bad_value", "evidence_from is %" PRIu64 ", evidence_to %" PRIu64 ": expected from <= to",
		       NUM(alert, evidence_from).u, NUM(alert, evidence_to).u);
	TRY_TEXT(alert, id);
	TRY_TEXT(alert, version);
	TRY_TEXT(alert, config);
	TRY_TEXT(alert, type);
	TRY_TEXT(alert, reason);
	return NULL;
}

static const char *check_label(const struct checked *c)
{
	TRY_SYMBOL(label);
	TRY_ACCOUNT(label);
	TRY(text_required(c, "verdict", STR(label, verdict)));
	TRY(time_ok(c, "from", NUM(label, from).i));
	TRY(time_ok(c, "to", NUM(label, to).i));
	if (NUM(label, from).i && NUM(label, to).i && NUM(label, from).i > NUM(label, to).i)
		REFUSE("bad_time", "from is later than to: expected a stretch of time");
	TRY_TEXT(label, alert_id);
	TRY_TEXT(label, category);
	TRY_TEXT(label, author);
	TRY_TEXT(label, comment);
	return NULL;
}

static const char *check_clock(const struct checked *c)
{
	TRY_TEXT(clock, source);
	return NULL;
}

static const char *check_correction(const struct checked *c)
{
	TRY_SYMBOL(correction);
	TRY(enum_correction(c, "bad_action", FIELD(correction, action), STR(correction, action), REQUIRED));
	TRY_PRICE(correction, price);
	TRY_SIZE(correction, size);
	if (!NUM(correction, ref_seq).u && (!STR(correction, trade_id).s || !STR(correction, trade_id).len))
		REFUSE("missing_field", "ref_seq and trade_id are absent: expected one of them");
	TRY_TEXT(correction, trade_id);
	return NULL;
}

#define CHECK_CASE(K, BIT, MAP, FIRST)                                                                                 \
	case KIND_##K:                                                                                                 \
		word = check_##K(c);                                                                                   \
		break;

const char *event_check(const struct kind *k, int64_t ts, const union tw_num *numbers, const struct tw_str *texts,
			struct tw_err *e)
{
	const struct checked checked = { ts, numbers, texts, e }, *c = &checked;
	const char *word;

	TRY(time_ok(c, "ts", ts));
	switch (k - event_kinds) {
		EVENT_SCHEMA(CHECK_CASE)
	default:
		word = "unknown_kind";
	}
	TRY(word);
	size_t size = event_bound(k, texts);
	if (size > EVENT_MAX_BYTES)
		REFUSE("too_large", "the event takes about %zu bytes: expected at most %u", size, EVENT_MAX_BYTES);
	return NULL;
}
