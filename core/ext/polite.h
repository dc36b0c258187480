/* SPDX-License-Identifier: Apache-2.0
 *
 * When a client may send: token bucket, circuit breaker, Retry-After and backoff. Nothing but arithmetic on times that
 * the caller gives (monotonic, ns).
 */
#ifndef EXT_POLITE_H
#define EXT_POLITE_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 5u
#define BREAKER_NS       INT64_C(60000000000)
#define BACKOFF_FIRST_NS INT64_C(500000000)
#define BACKOFF_MOST_NS  INT64_C(30000000000)

struct polite {
	double rate, burst, tokens; /* rate 0: no limit */
	int64_t filled;             /* when tokens were counted last; 0: never */
	uint32_t failures;          /* in a row */
	int64_t open_until;         /* the breaker; 0: closed */
	int64_t not_before;         /* the server's wish */
};

void polite_limit(struct polite *, double rate, double burst);
/* Take a token: 0, or how long until there is one (none was taken). */
int64_t polite_token(struct polite *, int64_t now);

/* How long nothing may be sent; 0: go on. */
int64_t breaker_left(const struct polite *, int64_t now);
/* The breaker was open: this one request tries whether the server is back. */
bool breaker_trying(const struct polite *);
void breaker_failure(struct polite *, int64_t now);
void breaker_success(struct polite *);

/* The pause before retry n (from 0): evenly between 0 and min(most, first * 2^n). random: 64 bits of it. */
int64_t backoff_pause(uint32_t n, uint64_t random);

#endif
