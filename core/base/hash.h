/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes for tables: the same on every machine and in every run, so that nothing behind them depends on a seed.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

/* A bijection of 64 bits in which every input bit moves half of the output (the finalizer of splitmix64). For two
 * 32-bit ids: hash_u64((uint64_t)a << 32 | b). */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return x;
}

/* XXH3, 64 bits. */
static inline uint64_t hash_bytes(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}

#endif
