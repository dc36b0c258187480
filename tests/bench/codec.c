/* SPDX-License-Identifier: Apache-2.0
 *
 * What the canonical codec costs: CPU ns an event to encode and to decode quotes, trades and deals, beside one memcpy
 * of the same bytes as the yardstick of a noisy machine. Medians of interleaved rounds over events that fit the second
 * cache, as the batches of the host do; symbols, accounts and sides come in random order.
 */
#include "event/event.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS   4096u
#define SYMBOLS  1000u
#define ACCOUNTS 500u
#define ROUNDS   101

struct work {
	const char *name;
	uint32_t kind;
	union tw_num *numbers; /* EVENTS x 9 */
	struct tw_str *texts;  /* EVENTS x 5 */
	unsigned char *bytes, *copy;
	size_t len, *at;
	double put[ROUNDS], decode[ROUNDS], check[ROUNDS], copied[ROUNDS];
};

enum { PER_NUMBERS = 9, PER_TEXTS = 5 };

static int64_t cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t seed = 88172645463325252u;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static struct tw_str name(char (*table)[16], uint64_t i)
{
	return (struct tw_str){ table[i], (uint32_t)strlen(table[i]), 0 };
}

static int fill(struct work *w, char (*symbols)[16], char (*accounts)[16])
{
	w->numbers = calloc(EVENTS * PER_NUMBERS, sizeof *w->numbers);
	w->texts = calloc(EVENTS * PER_TEXTS, sizeof *w->texts);
	w->bytes = malloc(EVENTS * 512);
	w->copy = malloc(EVENTS * 512);
	w->at = calloc(EVENTS + 1, sizeof *w->at);
	if (!w->numbers || !w->texts || !w->bytes || !w->copy || !w->at)
		return -1;
	memset(w->copy, 1, EVENTS * 512);
	for (uint32_t i = 0; i < EVENTS; i++) {
		union tw_num *n = w->numbers + i * PER_NUMBERS;
		struct tw_str *t = w->texts + i * PER_TEXTS;
		for (int j = 0; j < PER_NUMBERS; j++)
			n[j].f = (double)(rnd() % 100000 + 1) / 100;
		struct tw_str symbol = name(symbols, rnd() % SYMBOLS), account = name(accounts, rnd() % ACCOUNTS);
		struct tw_str side = rnd() & 1 ? (struct tw_str){ "buy", 3, 0 } : (struct tw_str){ "sell", 4, 0 };
		if (w->kind == TW_QUOTE) {
			t[0] = symbol;
		} else if (w->kind == TW_TRADE) {
			t[0] = symbol;
			t[1] = side;
			t[2] = account;
			t[3] = name(accounts, rnd() % ACCOUNTS);
			t[4] = name(accounts, rnd() % ACCOUNTS);
		} else {
			n[0].i = 1;
			t[0] = account;
			t[1] = symbol;
			t[2] = side;
			t[3] = name(accounts, rnd() % ACCOUNTS);
		}
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_value);
	return v[ROUNDS / 2];
}

static int round_of(struct work *w, struct intern *in, int r)
{
	const struct kind *k = kind_of(w->kind);
	int64_t t0 = cpu();
	size_t len = 0;
	for (uint32_t i = 0; i < EVENTS; i++) {
		w->at[i] = len;
		len += event_put(w->bytes + len, k, 1000000 + i, w->numbers + i * PER_NUMBERS,
				 w->texts + i * PER_TEXTS);
	}
	w->at[EVENTS] = w->len = len;
	int64_t t1 = cpu();
	struct tw_event view[256];
	uint64_t bad = 0;
	for (uint32_t i = 0; i < EVENTS; i++) {
		size_t size = w->at[i + 1] - w->at[i];
		bad += event_decode(&view[i & 255], w->bytes + w->at[i], size, in, NULL) != size;
	}
	int64_t t2 = cpu();
	for (uint32_t i = 0; i < EVENTS; i++)
		bad += event_check(k, 1000000 + i, w->numbers + i * PER_NUMBERS, w->texts + i * PER_TEXTS, NULL) !=
		       NULL;
	int64_t t3 = cpu();
	memcpy(w->copy, w->bytes, len);
	__asm__ volatile("" : : "r"(w->copy), "r"(view) : "memory");
	int64_t t4 = cpu();
	w->put[r] = (double)(t1 - t0) / EVENTS;
	w->decode[r] = (double)(t2 - t1) / EVENTS;
	w->check[r] = (double)(t3 - t2) / EVENTS;
	w->copied[r] = (double)(t4 - t3) / EVENTS;
	return bad ? -1 : 0;
}

int main(void)
{
	static char symbols[SYMBOLS][16], accounts[ACCOUNTS][16];
	struct work work[] = { { .name = "quote", .kind = TW_QUOTE },
			       { .name = "trade", .kind = TW_TRADE },
			       { .name = "deal", .kind = TW_DEAL } };
	struct intern *in = intern_new(100000);
	for (unsigned i = 0; i < SYMBOLS; i++)
		snprintf(symbols[i], sizeof symbols[i], "SYM/%03u", i);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		snprintf(accounts[i], sizeof accounts[i], "%u", 100000 + i);
	for (unsigned i = 0; i < 3; i++)
		if (!in || fill(&work[i], symbols, accounts))
			return 1;
	for (int r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < 3; i++)
			if (round_of(&work[i], in, r)) {
				fprintf(stderr, "codec: %s does not decode\n", work[i].name);
				return 1;
			}
	printf("%-8s %6s %10s %10s %10s %10s   CPU ns an event, median of %d rounds of %u\n", "kind", "bytes", "encode",
	       "decode", "check", "memcpy", ROUNDS, EVENTS);
	for (unsigned i = 0; i < 3; i++) {
		struct work *w = &work[i];
		printf("%-8s %6.1f %10.1f %10.1f %10.1f %10.1f\n", w->name, (double)w->len / EVENTS, median(w->put),
		       median(w->decode), median(w->check), median(w->copied));
		free(w->numbers);
		free(w->texts);
		free(w->bytes);
		free(w->copy);
		free(w->at);
	}
	intern_free(in);
	return 0;
}
