/* SPDX-License-Identifier: Apache-2.0
 *
 * Generated events, ordinary and hostile.
 */
#include "base/hash.h"
#include "event/wire.h"
#include "kit/conform.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND    INT64_C(1000000000)
#define LONG_TEXT 2048u
#define MAX_TIME  (INT64_C(7258118399) * SECOND)
#define MIN_TIME  (INT64_C(-2208988800) * SECOND)

struct making {
	uint64_t rng;
	bool hostile;
	int64_t ts;
	uint32_t number;
	double prices[8];
	const struct kind *kind;
	union tw_num n[EVENT_MAX_NUMBERS];
	struct tw_str s[EVENT_MAX_TEXTS];
	char id[24], long_text[LONG_TEXT];
};

static uint64_t next(struct making *m)
{
	return hash_u64(m->rng += UINT64_C(0x9e3779b97f4a7c15));
}

static uint32_t below(struct making *m, uint32_t n)
{
	return (uint32_t)((next(m) >> 32) * n >> 32);
}

static double unit(struct making *m)
{
	return (double)(next(m) >> 11) * 0x1p-53;
}

static const char *const symbols[] = { "EURUSD", "USDJPY", "GBPUSD", "XAUUSD", "AAPL", "BTC/USD" };
static const char *const accounts[] = { "100001", "100002", "100003", "100004", "100005" };

static struct tw_str text(const char *s)
{
	return (struct tw_str){ .s = s, .len = s ? (uint32_t)strlen(s) : 0 };
}

static struct tw_str odd_text(struct making *m, bool name)
{
	switch (below(m, 8)) {
	case 0:
		return (struct tw_str){ 0 };
	case 1:
		return text("");
	case 2:
		return (struct tw_str){ .s = m->long_text, .len = LONG_TEXT };
	case 3:
		return (struct tw_str){ .s = m->long_text, .len = 255 };
	case 4:
		return text("%s%n%d {}[]\\\"';--");
	case 5:
		return text("\xe2\x82\xac\xf0\x9f\x92\xb6");
	default:
		return text(name ? symbols[below(m, 3)] : "x");
	}
}

static double odd_number(struct making *m)
{
	static const double list[] = {
		NAN,    0.0,      -0.0,      1e308, -1e308, 1e-320, 2.2250738585072014e-308, 1e150,
		-1e150, INFINITY, -INFINITY, -1,    0.5,    1e16,   9007199254740993.0,      1.1
	};

	return list[below(m, sizeof list / sizeof *list)];
}

static bool is_price(const char *name)
{
	static const char *const names[] = { "bid",   "ask",        "price",       "open",      "high",       "low",
					     "close", "open_price", "close_price", "stop_loss", "take_profit" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* A walk with a jump now and then. */
static double price_of(struct making *m, uint32_t symbol)
{
	double *p = &m->prices[symbol];

	*p *= 1 + (unit(m) - 0.5) * 2e-4;
	return m->number % 97 == 96 ? *p * 1.25 : *p;
}

static double plain_number(struct making *m, const char *name, double price)
{
	if (!strcmp(name, "ask")) /* a spread that is wide now and then */
		return price * (1 + (m->number % 53 == 52 ? 2e-3 : (0.8 + 0.4 * unit(m)) * 1e-4));
	if (!strcmp(name, "high"))
		return price * 1.0001;
	if (!strcmp(name, "low"))
		return price * 0.9999;
	if (is_price(name))
		return price;
	if (!strcmp(name, "p_value"))
		return unit(m);
	if (strstr(name, "size") || !strcmp(name, "volume") || !strcmp(name, "remaining"))
		return m->number % 61 == 60 ? 5000 : (double)(1 + below(m, 40));
	if (!strcmp(name, "balance") || !strcmp(name, "equity"))
		return 10000 + 500 * unit(m);
	return (unit(m) - 0.45) * 200;
}

static void fill_number(struct making *m, uint32_t i, double price)
{
	const struct field *f = &m->kind->fields[i];

	if (f->type == FIELD_F64)
		m->n[i].f = m->hostile && below(m, 2) ? odd_number(m) : plain_number(m, f->name, price);
	else if (!strcmp(f->name, "to"))
		m->n[i].i = m->ts;
	else if (!strcmp(f->name, "evidence_from") || !strcmp(f->name, "evidence_to"))
		m->n[i].u = m->number + 1u;
	else if (f->flags & FIELD_IS_TIME)
		m->n[i].i = m->ts - (int64_t)below(m, 600) * SECOND;
	else if (!strcmp(f->name, "interval"))
		m->n[i].i = 60 * SECOND;
	else
		m->n[i].i = f->flags & FIELD_MINUS_NONE ? -1 : (int64_t)below(m, 1000);
}

static void fill_text(struct making *m, uint32_t i, uint32_t symbol)
{
	const struct field *f = &m->kind->fields[kind_numbers(m->kind) + i];
	bool name = f->type == FIELD_NAME;

	if (m->hostile && f->type != FIELD_ENUM && below(m, 3) == 0)
		m->s[i] = odd_text(m, name);
	else if (f->type == FIELD_ENUM)
		m->s[i] = text(f->names[1 + below(m, f->n_names - 1)]);
	else if (!strcmp(f->name, "symbol"))
		m->s[i] = text(symbols[symbol]);
	else if (!strcmp(f->name, "account") || !strcmp(f->name, "counterparty"))
		m->s[i] = text(accounts[below(m, sizeof accounts / sizeof *accounts)]);
	else
		m->s[i] = text(m->id);
}

static int64_t next_time(struct making *m)
{
	if (!m->hostile)
		return m->ts + (int64_t)below(m, 2000) * (SECOND / 1000);
	switch (below(m, 12)) {
	case 0:
		return m->ts - (int64_t)below(m, 1000000) * SECOND;
	case 1:
		return m->ts; /* twice */
	case 2:
		return below(m, 2) ? MAX_TIME : MIN_TIME;
	case 3:
		return KIT_START;
	default:
		return m->ts > MAX_TIME - SECOND ? KIT_START : m->ts + (int64_t)below(m, 5000) * (SECOND / 1000);
	}
}

static const struct kind *some_kind(struct making *m, uint32_t kinds)
{
	uint32_t list[EVENT_KINDS] = { 0 }, n = 0;

	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		if (kinds & event_kinds[i].bit)
			list[n++] = i;
	return &event_kinds[n ? list[below(m, n)] : 0];
}

int32_t conform_events(struct kit_events *l, uint32_t kinds, uint32_t n, uint64_t seed, bool hostile)
{
	struct making *m = calloc(1, sizeof *m);
	struct buf one = { 0 };
	int32_t rc = m ? TW_OK : TW_E_FATAL;

	if (m) {
		*m = (struct making){ .rng = seed, .hostile = hostile, .ts = KIT_START };
		memset(m->long_text, 'L', sizeof m->long_text);
		for (uint32_t i = 0; i < 8; i++)
			m->prices[i] = 1 + 20.0 * i;
	}
	for (uint32_t i = 0; rc == TW_OK && i < n; i++) {
		uint32_t symbol = below(m, sizeof symbols / sizeof *symbols);
		double price = price_of(m, symbol);
		unsigned char *room;
		m->number = i;
		m->ts = next_time(m);
		m->kind = some_kind(m, kinds);
		(void)snprintf(m->id, sizeof m->id, "id-%u", i);
		for (uint32_t k = 0; k < kind_numbers(m->kind); k++)
			fill_number(m, k, price);
		for (uint32_t k = 0; k < kind_texts(m->kind); k++)
			fill_text(m, k, symbol);
		one.len = 0;
		room = buf_reserve(&one, event_bound(m->kind, m->s));
		rc = room ? kit_events_add(l, room, event_put(room, m->kind, m->ts, m->n, m->s)) : TW_E_FATAL;
	}
	buf_free(&one);
	free(m);
	return rc;
}
