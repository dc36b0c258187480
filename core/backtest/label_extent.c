/* SPDX-License-Identifier: Apache-2.0
 *
 * Which labels are about the data at all: whom it names, and when.
 */
#include "backtest/labels.h"
#include "base/err.h"
#include <stdlib.h>
#include <string.h>

struct extent {
	int64_t from, to; /* from > to: never seen */
};

struct extents {
	struct extent all, *of[2]; /* by number in the intern table: symbols, accounts */
	uint32_t n[2];
};

static const struct extent never = { INT64_MAX, INT64_MIN };

static void stretch(struct extent *x, int64_t ts)
{
	if (ts < x->from)
		x->from = ts;
	if (ts > x->to)
		x->to = ts;
}

static bool seen(struct extents *x, int which, uint32_t id, int64_t ts)
{
	if (!id)
		return true;
	if (id >= x->n[which]) {
		uint32_t n = x->n[which] ? x->n[which] : 256;
		struct extent *list;
		while (n <= id)
			n *= 2;
		list = realloc(x->of[which], n * sizeof *list);
		if (!list)
			return false;
		for (uint32_t i = x->n[which]; i < n; i++)
			list[i] = never;
		x->of[which] = list;
		x->n[which] = n;
	}
	stretch(&x->of[which][id], ts);
	return true;
}

static bool note(struct extents *x, const struct tw_event *ev)
{
	uint32_t symbol = 0, account = 0, other = 0;

	switch (ev->kind) {
	case TW_QUOTE:
		symbol = ev->quote.symbol;
		break;
	case TW_TRADE:
		symbol = ev->trade.symbol;
		account = ev->trade.account;
		other = ev->trade.counterparty;
		break;
	case TW_BAR:
		symbol = ev->bar.symbol;
		break;
	case TW_ORDER:
		symbol = ev->order.symbol;
		account = ev->order.account;
		break;
	case TW_DEAL:
		symbol = ev->deal.symbol;
		account = ev->deal.account;
		break;
	case TW_ACCOUNT:
		account = ev->account.account;
		break;
	case TW_NEWS:
		symbol = ev->news.symbol;
		break;
	case TW_SCORE:
		symbol = ev->score.symbol;
		account = ev->score.account;
		break;
	default: /* labels and clocks are not what is watched */
		return true;
	}
	stretch(&x->all, ev->ts);
	return seen(x, 0, symbol, ev->ts) && seen(x, 1, account, ev->ts) && seen(x, 1, other, ev->ts);
}

static bool overlaps(const struct label *l, const struct extent *x, int64_t tolerance)
{
	return l->from - tolerance <= x->to && l->to + tolerance >= x->from;
}

static bool within(const struct extents *x, const struct label *l, int64_t tolerance)
{
	const struct extent *symbol = l->symbol < x->n[0] ? &x->of[0][l->symbol] : &never;
	const struct extent *account = l->account < x->n[1] ? &x->of[1][l->account] : &never;

	return overlaps(l, &x->all, tolerance) && (!l->symbol || overlaps(l, symbol, tolerance)) &&
	       (!l->account || overlaps(l, account, tolerance));
}

int32_t labels_within(struct labels *labels, const char *tape, int64_t tolerance, struct intern *names,
		      struct tw_err *e)
{
	struct extents x = { .all = never };
	struct log_reader *reader = NULL;
	struct store *s = NULL;
	struct block b;
	uint32_t kept = 0;
	bool ok = true;
	int32_t rc = store_open(&s, tape, STORE_READ, NULL, e);

	if (rc == TW_OK)
		rc = log_reader_open(&reader, s, LOG_TAPE, 1, e);
	while (rc == TW_OK && ok && (rc = log_reader_next(reader, &b, e)) == TW_OK) {
		const unsigned char *event;
		struct tw_event ev;
		size_t at = 0, len;
		uint16_t source;
		while (ok && tape_record(&b, &at, &source, &event, &len))
			ok = event_decode(&ev, event, len, names, NULL) != len || note(&x, &ev);
	}
	log_reader_close(reader);
	store_close(s);
	if (!ok)
		rc = err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; i < labels->n && rc == TW_AGAIN; i++)
		if (within(&x, &labels->list[i], tolerance))
			labels->list[kept++] = labels->list[i];
	if (rc == TW_AGAIN) {
		labels->outside += labels->n - kept;
		labels->n = kept;
		rc = TW_OK;
	}
	free(x.of[0]);
	free(x.of[1]);
	return rc;
}
