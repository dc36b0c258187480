/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as maps, for those that are not on a tape yet: what other detectors said. Same names and same meaning of
 * absent values as on the tape: NaN for a number, nil for a text.
 */
#include "exec.h"

#include <string.h>

enum as {
	AS_F64,
	AS_I64,
	AS_U64,
	AS_NAME,
	AS_TEXT,
	AS_SIDE,
	AS_ACTION,
	AS_ACCOUNT_EVENT,
	AS_CATEGORY,
	AS_IMPACT,
	AS_CORRECTION,
	AS_SEVERITY
};

struct member {
	uint16_t kind; /* its bit */
	uint8_t type;
	const char *name;
	size_t offset;
};

#define FIELD(bit, kind, type, name)                                                                                   \
	{                                                                                                              \
		bit, AS_##type, #name, offsetof(struct tw_event, kind.name)                                            \
	}

static const struct member members[] = {
	FIELD(TW_QUOTE, quote, NAME, symbol),
	FIELD(TW_QUOTE, quote, F64, bid),
	FIELD(TW_QUOTE, quote, F64, ask),
	FIELD(TW_QUOTE, quote, F64, bid_size),
	FIELD(TW_QUOTE, quote, F64, ask_size),
	FIELD(TW_TRADE, trade, NAME, symbol),
	FIELD(TW_TRADE, trade, SIDE, side),
	FIELD(TW_TRADE, trade, NAME, account),
	FIELD(TW_TRADE, trade, NAME, counterparty),
	FIELD(TW_TRADE, trade, F64, price),
	FIELD(TW_TRADE, trade, F64, size),
	FIELD(TW_TRADE, trade, TEXT, trade_id),
	FIELD(TW_BAR, bar, NAME, symbol),
	FIELD(TW_BAR, bar, I64, interval),
	FIELD(TW_BAR, bar, F64, open),
	FIELD(TW_BAR, bar, F64, high),
	FIELD(TW_BAR, bar, F64, low),
	FIELD(TW_BAR, bar, F64, close),
	FIELD(TW_BAR, bar, F64, volume),
	FIELD(TW_BAR, bar, I64, count),
	FIELD(TW_ORDER, order, NAME, symbol),
	FIELD(TW_ORDER, order, NAME, account),
	FIELD(TW_ORDER, order, ACTION, action),
	FIELD(TW_ORDER, order, SIDE, side),
	FIELD(TW_ORDER, order, F64, price),
	FIELD(TW_ORDER, order, F64, size),
	FIELD(TW_ORDER, order, F64, remaining),
	FIELD(TW_ORDER, order, TEXT, order_id),
	FIELD(TW_DEAL, deal, NAME, account),
	FIELD(TW_DEAL, deal, NAME, symbol),
	FIELD(TW_DEAL, deal, SIDE, side),
	FIELD(TW_DEAL, deal, I64, open_ts),
	FIELD(TW_DEAL, deal, F64, size),
	FIELD(TW_DEAL, deal, F64, open_price),
	FIELD(TW_DEAL, deal, F64, close_price),
	FIELD(TW_DEAL, deal, F64, stop_loss),
	FIELD(TW_DEAL, deal, F64, take_profit),
	FIELD(TW_DEAL, deal, F64, commission),
	FIELD(TW_DEAL, deal, F64, swap),
	FIELD(TW_DEAL, deal, F64, profit),
	FIELD(TW_DEAL, deal, TEXT, ticket),
	FIELD(TW_DEAL, deal, TEXT, comment),
	FIELD(TW_ACCOUNT, account, NAME, account),
	FIELD(TW_ACCOUNT, account, ACCOUNT_EVENT, event),
	FIELD(TW_ACCOUNT, account, F64, amount),
	FIELD(TW_ACCOUNT, account, F64, balance),
	FIELD(TW_ACCOUNT, account, F64, equity),
	FIELD(TW_ACCOUNT, account, F64, margin),
	FIELD(TW_ACCOUNT, account, F64, leverage),
	FIELD(TW_ACCOUNT, account, TEXT, currency),
	FIELD(TW_ACCOUNT, account, TEXT, group),
	FIELD(TW_ACCOUNT, account, TEXT, comment),
	FIELD(TW_NEWS, news, NAME, symbol),
	FIELD(TW_NEWS, news, CATEGORY, category),
	FIELD(TW_NEWS, news, IMPACT, impact),
	FIELD(TW_NEWS, news, F64, actual),
	FIELD(TW_NEWS, news, F64, forecast),
	FIELD(TW_NEWS, news, F64, previous),
	FIELD(TW_NEWS, news, TEXT, source),
	FIELD(TW_NEWS, news, TEXT, id),
	FIELD(TW_NEWS, news, TEXT, currency),
	FIELD(TW_NEWS, news, TEXT, title),
	FIELD(TW_SCORE, score, NAME, symbol),
	FIELD(TW_SCORE, score, NAME, account),
	FIELD(TW_SCORE, score, F64, score),
	FIELD(TW_SCORE, score, F64, p_value),
	FIELD(TW_SCORE, score, TEXT, detector),
	FIELD(TW_ALERT, alert, SEVERITY, severity),
	FIELD(TW_ALERT, alert, F64, score),
	FIELD(TW_ALERT, alert, F64, p_value),
	FIELD(TW_ALERT, alert, F64, value),
	FIELD(TW_ALERT, alert, F64, expected),
	FIELD(TW_ALERT, alert, F64, threshold),
	FIELD(TW_ALERT, alert, U64, evidence_from),
	FIELD(TW_ALERT, alert, U64, evidence_to),
	FIELD(TW_ALERT, alert, TEXT, id),
	FIELD(TW_ALERT, alert, TEXT, detector),
	FIELD(TW_ALERT, alert, TEXT, version),
	FIELD(TW_ALERT, alert, TEXT, config),
	FIELD(TW_ALERT, alert, TEXT, symbol),
	FIELD(TW_ALERT, alert, TEXT, account),
	FIELD(TW_ALERT, alert, TEXT, type),
	FIELD(TW_ALERT, alert, TEXT, reason),
	FIELD(TW_LABEL, label, NAME, symbol),
	FIELD(TW_LABEL, label, NAME, account),
	FIELD(TW_LABEL, label, I64, from),
	FIELD(TW_LABEL, label, I64, to),
	FIELD(TW_LABEL, label, TEXT, alert_id),
	FIELD(TW_LABEL, label, TEXT, verdict),
	FIELD(TW_LABEL, label, TEXT, category),
	FIELD(TW_LABEL, label, TEXT, author),
	FIELD(TW_LABEL, label, TEXT, comment),
	FIELD(TW_CLOCK, clock, TEXT, source),
	FIELD(TW_CORRECTION, correction, NAME, symbol),
	FIELD(TW_CORRECTION, correction, CORRECTION, action),
	FIELD(TW_CORRECTION, correction, U64, ref_seq),
	FIELD(TW_CORRECTION, correction, F64, price),
	FIELD(TW_CORRECTION, correction, F64, size),
	FIELD(TW_CORRECTION, correction, TEXT, trade_id),
};
#define N_MEMBERS (sizeof members / sizeof *members)

static const char *const kinds[] = { "quote", "trade", "bar",   "order", "deal",  "account",
				     "news",  "score", "alert", "label", "clock", "correction" };
#define N_KINDS (sizeof kinds / sizeof *kinds)

/* by type, from AS_SIDE on; the number 0 is the absent one */
static const char *const words[][6] = {
	{ NULL, "buy", "sell" },
	{ NULL, "new", "modify", "cancel", "fill", "reject" },
	{ NULL, "balance", "credit", "snapshot" },
	{ NULL, "calendar", "filing", "headline" },
	{ NULL, "low", "medium", "high" },
	{ NULL, "bust", "amend" },
	{ NULL, "info", "low", "medium", "high", "critical" },
};

uint32_t exec_kind(const char *s, size_t len)
{
	for (uint32_t i = 0; i < N_KINDS; i++)
		if (strlen(kinds[i]) == len && memcmp(kinds[i], s, len) == 0)
			return 1u << i;
	return 0;
}

const char *exec_kind_name(uint32_t kind)
{
	for (uint32_t i = 0; i < N_KINDS; i++)
		if (kind == 1u << i)
			return kinds[i];
	return "";
}

static void put_value(struct bytes *b, const struct tw_host *host, const struct tw_event *ev, const struct member *f)
{
	const void *at = (const char *)ev + f->offset;
	const struct tw_str *text = at;
	uint32_t id = 0;
	const char *word = NULL;

	switch (f->type) {
	case AS_F64:
		put_f64(b, *(const double *)at);
		return;
	case AS_I64:
		put_i64(b, *(const int64_t *)at);
		return;
	case AS_U64:
		put_u64(b, *(const uint64_t *)at);
		return;
	case AS_TEXT:
		if (text->s)
			put_text(b, text->s, text->len);
		else
			put_nil(b);
		return;
	case AS_NAME:
		id = *(const uint32_t *)at;
		word = id ? host->name(host, id) : NULL;
		break;
	default:
		id = *(const uint32_t *)at;
		word = id < 6 ? words[f->type - AS_SIDE][id] : NULL;
	}
	if (word)
		put_word(b, word);
	else
		put_nil(b);
}

static void put_features(struct bytes *b, const struct tw_score *s)
{
	put_word(b, "features");
	put_array(b, s->n_features);
	for (uint32_t i = 0; i < s->n_features; i++)
		put_f64(b, s->features[i]);
}

static void put_details(struct bytes *b, const struct tw_alert *a)
{
	put_word(b, "details");
	put_map(b, a->n_details);
	for (uint32_t i = 0; i < a->n_details; i++) {
		const struct tw_detail *d = &a->details[i];
		put_text(b, d->name.s, d->name.len);
		if (d->text.s)
			put_text(b, d->text.s, d->text.len);
		else
			put_f64(b, d->number);
	}
}

void put_event(struct bytes *b, const struct tw_host *host, const struct tw_event *ev)
{
	uint32_t n = 3;

	for (size_t i = 0; i < N_MEMBERS; i++)
		n += members[i].kind == ev->kind;
	put_map(b, n + (ev->kind == TW_SCORE || ev->kind == TW_ALERT));
	put_word(b, "kind");
	put_word(b, exec_kind_name(ev->kind));
	put_word(b, "ts");
	put_i64(b, ev->ts);
	put_word(b, "seq");
	put_u64(b, ev->seq);
	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (members[i].kind != ev->kind)
			continue;
		put_word(b, members[i].name);
		put_value(b, host, ev, &members[i]);
	}
	if (ev->kind == TW_SCORE)
		put_features(b, &ev->score);
	else if (ev->kind == TW_ALERT)
		put_details(b, &ev->alert);
}
