/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers for the simulator: xoshiro256** (Blackman and Vigna 2018) seeded through splitmix64. Every symbol,
 * account and day has a stream of its own, so that more accounts never change the market.
 *
 * ln and exp are written out here because those of libm differ in the last bit between machines, and a simulated day
 * must not. sqrt and the four basic operations are exact in IEEE 754.
 */
#ifndef DEMO_RANDOM_H
#define DEMO_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct random {
	uint64_t s[4];
	double spare; /* the second value of a normal pair */
	bool has_spare;
};

static inline uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline void random_seed(struct random *r, uint64_t seed, uint64_t stream, uint64_t index)
{
	uint64_t x = seed;

	x = splitmix(&x) ^ stream;
	x = splitmix(&x) ^ index;
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&x);
	r->has_spare = false;
	r->spare = 0;
}

static inline uint64_t random_next(struct random *r)
{
	uint64_t *s = r->s, x = s[1] * 5, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return (x << 7 | x >> 57) * 9;
}

/* In [0, 1). */
static inline double random_unit(struct random *r)
{
	return (double)(random_next(r) >> 11) * 0x1p-53;
}

static inline double random_range(struct random *r, double lo, double hi)
{
	return lo + (hi - lo) * random_unit(r);
}

/* In [0, n), n > 0. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

double exact_ln(double x); /* x > 0 and normal */
double exact_exp(double x);
double random_normal(struct random *r);
double random_exponential(struct random *r); /* mean 1 */

#endif
