/* SPDX-License-Identifier: Apache-2.0
 *
 * The distributions of the simulator, and ln and exp from basic operations only.
 */
#include "random.h"
#include <math.h>

#define LN2 0.69314718055994530942

/* 1/n! */
#define C2  (1. / 2)
#define C3  (1. / 6)
#define C4  (1. / 24)
#define C5  (1. / 120)
#define C6  (1. / 720)
#define C7  (1. / 5040)
#define C8  (1. / 40320)
#define C9  (1. / 362880)
#define C10 (1. / 3628800)
#define C11 (1. / 39916800)
#define C12 (1. / 479001600)

double exact_ln(double x)
{
	uint64_t bits;
	int e;
	double m, s, z;

	memcpy(&bits, &x, sizeof bits);
	e = (int)(bits >> 52 & 0x7ff) - 1023;
	bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
	memcpy(&m, &bits, sizeof m);
	if (m > 1.41421356237309504880) {
		m *= 0.5;
		e++;
	}
	/* ln m = 2 artanh((m - 1) / (m + 1)), |s| < 0.172: the first term left out is below 1e-15 */
	s = (m - 1) / (m + 1);
	z = s * s;
	z = z * (1. / 3 + z * (1. / 5 + z * (1. / 7 + z * (1. / 9 + z * (1. / 11 + z * (1. / 13 + z / 15))))));
	return e * LN2 + 2 * s * (1 + z);
}

double exact_exp(double x)
{
	double n, r, y;
	int64_t k;
	uint64_t bits;

	if (x > 700)
		x = 700;
	if (x < -700)
		x = -700;
	n = x * 1.44269504088896340736;
	k = (int64_t)(n + (n < 0 ? -0.5 : 0.5));
	r = x - (double)k * LN2;
	/* Taylor to the 12th power, |r| < 0.347: the first term left out is below 2e-16; in pairs, to shorten the chain
	 */
	double q = r * r;
	double even = 1 + q * (C2 + q * (C4 + q * (C6 + q * (C8 + q * (C10 + q * C12)))));
	double odd = 1 + q * (C3 + q * (C5 + q * (C7 + q * (C9 + q * C11))));

	y = even + r * odd;
	bits = (uint64_t)(k + 1023) << 52;
	memcpy(&n, &bits, sizeof n);
	return y * n;
}

double random_normal(struct random *r)
{
	double u, v, q;

	if (r->has_spare) {
		r->has_spare = false;
		return r->spare;
	}
	do { /* Marsaglia's polar method */
		u = 2 * random_unit(r) - 1;
		v = 2 * random_unit(r) - 1;
		q = u * u + v * v;
	} while (q >= 1 || q < 1e-300);
	q = sqrt(-2 * exact_ln(q) / q);
	r->spare = v * q;
	r->has_spare = true;
	return u * q;
}

double random_exponential(struct random *r)
{
	return -exact_ln(1 - random_unit(r));
}
