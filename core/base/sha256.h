/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 over what is added piece by piece, for the digests of a configuration and of an alert log.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256;

struct sha256 *sha256_new(void); /* NULL when memory is out */
/* A failure is kept and reported by sha256_hex(). */
void sha256_add(struct sha256 *, const void *data, size_t n);
/* The digest of everything added so far, 64 hex digits and a NUL; more may be added afterwards. 0, or -1. */
int sha256_hex(const struct sha256 *, char out[65]);
void sha256_free(struct sha256 *); /* NULL is fine */

#endif
