/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/window/base.h - what all statistics of tapewatch/window.h share: which values they take, how their sizes are
 * rounded. Include tapewatch/window.h.
 */
#ifndef TAPEWATCH_WINDOW_BASE_H
#define TAPEWATCH_WINDOW_BASE_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* For the function that judges an event, and for what it needs only now and then: compilers guess otherwise, and a call
 * for each event costs a fifth of a small detector. */
#define TW_HOT static inline __attribute__((always_inline))
#define TW_RARE static __attribute__((noinline, unused))

#define TW_STATE_MAX 65536u /* bytes of state the host gives a key, see plugin.h */

#define TW_NONE ((double)NAN) /* "there is no such number": too early, or not defined; the same as in push.h */

/* Neither NaN nor infinite, and small enough that the squares of 100,000 of them still have a sum. Numbers too small to
 * be normal are usable. */
static inline int tw_usable(double x)
{
	return fabs(x) <= 1e150;
}

/* Sizes are multiples of 16, so that one statistic can stand behind another in a key's state. */
static inline uint32_t tw_align16(uint64_t bytes)
{
	return (uint32_t)((bytes + 15) & ~(uint64_t)15);
}

/* 0 for what is so small that going on with it is slow and says nothing. */
static inline double tw_faded(double x)
{
	return fabs(x) < 1e-290 ? 0 : x;
}

#ifdef __cplusplus
}
#endif
#endif
