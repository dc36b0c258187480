/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 through libcrypto's EVP interface, which picks the fastest code for the processor.
 */
#include "base/sha256.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD_CTX *md;
	bool failed;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	/* Without memory for its default context libcrypto says so here, and dies of it everywhere else. */
	if (!OSSL_LIB_CTX_get0_global_default()) {
		free(s);
		return NULL;
	}
	s->md = EVP_MD_CTX_new();
	if (!s->md || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1) {
		sha256_free(s);
		return NULL;
	}
	return s;
}

void sha256_add(struct sha256 *s, const void *data, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(s->md, data, n) != 1)
		s->failed = true;
}

int sha256_hex(const struct sha256 *s, char out[65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[32];
	unsigned len = 0;
	int rc = -1;
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	if (s->failed || !copy || EVP_MD_CTX_copy_ex(copy, s->md) != 1)
		goto out;
	if (EVP_DigestFinal_ex(copy, sum, &len) != 1 || len != sizeof sum)
		goto out;
	for (unsigned i = 0; i < sizeof sum; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[64] = '\0';
	rc = 0;
out:
	EVP_MD_CTX_free(copy);
	return rc;
}

void sha256_free(struct sha256 *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->md);
	free(s);
}
