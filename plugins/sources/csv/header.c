/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of columns: our own, and what the world writes in headers instead. A loosely written name is compared by
 * its letters and digits alone, so "Open Time", "open_time" and "OpenTime" are one.
 */
#include "csv.h"

#include <ctype.h>

const char *const field_names[FIELDS] = {
	[F_TS] = "ts",
	[F_TS2] = "ts_time",
	[F_OPEN_TS] = "open_ts",
	[F_SYMBOL] = "symbol",
	[F_ACCOUNT] = "account",
	[F_COUNTERPARTY] = "counterparty",
	[F_BID] = "bid",
	[F_ASK] = "ask",
	[F_BID_SIZE] = "bid_size",
	[F_ASK_SIZE] = "ask_size",
	[F_PRICE] = "price",
	[F_SIZE] = "size",
	[F_SIDE] = "side",
	[F_TRADE_ID] = "trade_id",
	[F_OPEN] = "open",
	[F_HIGH] = "high",
	[F_LOW] = "low",
	[F_CLOSE] = "close",
	[F_VOLUME] = "volume",
	[F_COUNT] = "count",
	[F_ORDER_ID] = "order_id",
	[F_ACTION] = "action",
	[F_REMAINING] = "remaining",
	[F_TICKET] = "ticket",
	[F_OPEN_PRICE] = "open_price",
	[F_CLOSE_PRICE] = "close_price",
	[F_STOP_LOSS] = "stop_loss",
	[F_TAKE_PROFIT] = "take_profit",
	[F_COMMISSION] = "commission",
	[F_TAXES] = "taxes",
	[F_SWAP] = "swap",
	[F_PROFIT] = "profit",
	[F_COMMENT] = "comment",
	[F_TYPE] = "type",
	[F_VALUE] = "value",
	[F_P_VALUE] = "p_value",
	[F_DETECTOR] = "detector",
	[F_EVENT] = "event",
	[F_AMOUNT] = "amount",
	[F_BALANCE] = "balance",
	[F_EQUITY] = "equity",
	[F_MARGIN] = "margin",
	[F_LEVERAGE] = "leverage",
	[F_CURRENCY] = "currency",
	[F_GROUP] = "group",
	[F_TITLE] = "title",
	[F_IMPACT] = "impact",
	[F_CATEGORY] = "category",
	[F_SOURCE] = "source",
	[F_ID] = "id",
	[F_ACTUAL] = "actual",
	[F_FORECAST] = "forecast",
	[F_PREVIOUS] = "previous",
	[F_FROM] = "from",
	[F_TO] = "to",
	[F_ALERT_ID] = "alert_id",
	[F_VERDICT] = "verdict",
	[F_AUTHOR] = "author",
	[F_REF_SEQ] = "ref_seq",
};

enum field field_find(const char *name, size_t n)
{
	for (int f = F_NONE + 1; f < FIELDS; f++)
		if (field_names[f] && strlen(field_names[f]) == n && memcmp(field_names[f], name, n) == 0)
			return (enum field)f;
	return F_NONE;
}

static const struct alias {
	const char *name;
	enum field field;
} aliases[] = {
	{ "time", F_TS },
	{ "timestamp", F_TS },
	{ "date", F_TS },
	{ "datetime", F_TS },
	{ "timeutc", F_TS },
	{ "dateutc", F_TS },
	{ "datetimeutc", F_TS },
	{ "tradedate", F_TS },
	{ "tradetime", F_TS },
	{ "closetime", F_TS },
	{ "gmttime", F_TS },
	{ "utc", F_TS },
	{ "epoch", F_TS },
	{ "epochms", F_TS },
	{ "unixtime", F_TS },
	{ "opentime", F_OPEN_TS },
	{ "entrytime", F_OPEN_TS },
	{ "pair", F_SYMBOL },
	{ "currencypair", F_SYMBOL },
	{ "instrument", F_SYMBOL },
	{ "ticker", F_SYMBOL },
	{ "item", F_SYMBOL },
	{ "coin", F_SYMBOL },
	{ "accountid", F_ACCOUNT },
	{ "login", F_ACCOUNT },
	{ "bidprice", F_BID },
	{ "askprice", F_ASK },
	{ "offer", F_ASK },
	{ "bidvolume", F_BID_SIZE },
	{ "bidvol", F_BID_SIZE },
	{ "bidqty", F_BID_SIZE },
	{ "askvolume", F_ASK_SIZE },
	{ "askvol", F_ASK_SIZE },
	{ "askqty", F_ASK_SIZE },
	{ "tradeprice", F_PRICE },
	{ "lastprice", F_PRICE },
	{ "qty", F_SIZE },
	{ "quantity", F_SIZE },
	{ "lots", F_SIZE },
	{ "highprice", F_HIGH },
	{ "lowprice", F_LOW },
	{ "tickvolume", F_VOLUME },
	{ "vol", F_VOLUME },
	{ "trades", F_COUNT },
	{ "tradescount", F_COUNT },
	{ "sl", F_STOP_LOSS },
	{ "tp", F_TAKE_PROFIT },
	{ "tax", F_TAXES },
	{ "val", F_VALUE },
	{ "headline", F_TITLE },
	{ "importance", F_IMPACT },
	{ "consensus", F_FORECAST },
};

enum field header_field(const char *p, size_t n)
{
	char word[24], ours[24];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)p[i]))
			continue;
		if (len + 1 >= sizeof word)
			return F_NONE;
		word[len++] = (char)tolower((unsigned char)p[i]);
	}
	word[len] = 0;
	if (!len)
		return F_NONE;
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(aliases[i].name, word) == 0)
			return aliases[i].field;
	for (int f = F_NONE + 1; f < FIELDS; f++) {
		size_t k = 0;

		if (!field_names[f] || f == F_TS2)
			continue;
		for (const char *s = field_names[f]; *s; s++)
			if (*s != '_')
				ours[k++] = *s;
		ours[k] = 0;
		if (strcmp(ours, word) == 0)
			return (enum field)f;
	}
	return F_NONE;
}

static void rename_field(struct layout *l, enum field from, enum field to)
{
	if (layout_has(l, from) && !layout_has(l, to)) {
		l->column[to] = l->column[from];
		l->column[from] = -1;
	}
}

uint32_t layout_kind(const struct layout *l)
{
	if (layout_has(l, F_BID) && layout_has(l, F_ASK))
		return TW_QUOTE;
	if (layout_has(l, F_OPEN) && layout_has(l, F_HIGH) && layout_has(l, F_LOW) && layout_has(l, F_CLOSE))
		return TW_BAR;
	if (layout_has(l, F_CLOSE_PRICE) && layout_has(l, F_PROFIT))
		return TW_DEAL;
	if (layout_has(l, F_ACTION) && (layout_has(l, F_ORDER_ID) || layout_has(l, F_PRICE)))
		return TW_ORDER;
	if (layout_has(l, F_PRICE))
		return TW_TRADE;
	if (layout_has(l, F_VERDICT) || (layout_has(l, F_FROM) && layout_has(l, F_TO)))
		return TW_LABEL;
	if (layout_has(l, F_TITLE))
		return TW_NEWS;
	if (layout_has(l, F_BALANCE) || layout_has(l, F_EQUITY))
		return TW_ACCOUNT;
	if (layout_has(l, F_VALUE))
		return TW_SCORE;
	return 0;
}

bool layout_header(struct layout *l, const struct cell *cells, uint32_t n)
{
	const struct cell *time = NULL;

	for (uint32_t i = 0; i < n; i++) {
		enum field f = header_field(cells[i].p, cells[i].n);

		if (f == F_NONE)
			continue;
		if (!layout_has(l, f)) {
			l->column[f] = (int16_t)i;
			if (f == F_TS)
				time = &cells[i];
		} else if (f == F_TS && !layout_has(l, F_TS2) && cell_is(time, "date") && cell_is(&cells[i], "time")) {
			l->column[F_TS2] = (int16_t)i;
		}
	}
	if (layout_has(l, F_HIGH) && layout_has(l, F_LOW)) {
		rename_field(l, F_OPEN_PRICE, F_OPEN);
		rename_field(l, F_CLOSE_PRICE, F_CLOSE);
	}
	if (layout_has(l, F_IMPACT) || layout_has(l, F_FORECAST))
		rename_field(l, F_EVENT, F_TITLE);
	if (layout_has(l, F_TYPE) && layout_has(l, F_OPEN_TS) && layout_has(l, F_TS) && layout_has(l, F_PROFIT)) {
		rename_field(l, F_VOLUME, F_SIZE);
		l->statement = l->by_time = l->broker_time = true;
		l->tickets = !layout_has(l, F_TICKET);
	} else if (layout_has(l, F_PRICE)) {
		rename_field(l, F_TYPE, F_SIDE);
		rename_field(l, F_AMOUNT, F_SIZE);
		rename_field(l, F_VOLUME, F_SIZE);
	}
	l->kind = l->statement ? TW_DEAL : layout_kind(l);
	l->header = true;
	return layout_has(l, F_TS) && l->kind != 0;
}
