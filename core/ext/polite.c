/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic of good manners.
 */
#include "ext/polite.h"

void polite_limit(struct polite *p, double rate, double burst)
{
	double most = burst >= 1 ? burst : 1;

	if (!p->filled || p->tokens > most)
		p->tokens = most;
	p->rate = rate;
	p->burst = most;
}

int64_t polite_token(struct polite *p, int64_t now)
{
	if (!(p->rate > 0))
		return 0;
	if (p->filled && now > p->filled)
		p->tokens += (double)(now - p->filled) / 1e9 * p->rate;
	p->filled = now > 0 ? now : 1;
	if (p->tokens > p->burst)
		p->tokens = p->burst;
	if (p->tokens >= 1) {
		p->tokens -= 1;
		return 0;
	}
	return (int64_t)((1 - p->tokens) / p->rate * 1e9) + 1;
}

int64_t breaker_left(const struct polite *p, int64_t now)
{
	return p->open_until > now ? p->open_until - now : 0;
}

bool breaker_trying(const struct polite *p)
{
	return p->failures >= BREAKER_FAILURES;
}

void breaker_failure(struct polite *p, int64_t now)
{
	if (p->failures < BREAKER_FAILURES)
		p->failures++;
	if (p->failures >= BREAKER_FAILURES)
		p->open_until = now + BREAKER_NS;
}

void breaker_success(struct polite *p)
{
	p->failures = 0;
	p->open_until = 0;
}

int64_t backoff_pause(uint32_t n, uint64_t random)
{
	int64_t most = n < 16 ? BACKOFF_FIRST_NS << n : BACKOFF_MOST_NS;

	if (most > BACKOFF_MOST_NS)
		most = BACKOFF_MOST_NS;
	return (int64_t)(random % (uint64_t)(most + 1));
}
