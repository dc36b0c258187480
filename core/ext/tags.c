/* SPDX-License-Identifier: Apache-2.0
 *
 * ETags and dates, kept among the values of the source under "http/CLIENT/" and a digest of the URL: an answer counts
 * as seen exactly when the mark behind what was made of it is durable.
 */
#include "base/sha256.h"
#include "ext/http_impl.h"
#include "ext/kv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tw_kv *values_of(const struct tw_http_client *c)
{
	return ext_find(c->ext, "kv/1");
}

/* The beginning of the names of all tags of the client. */
static int prefix(const struct tw_http_client *c, char out[HTTP_NAME + 8])
{
	return snprintf(out, HTTP_NAME + 8, "http/%s/", c->name);
}

static bool name_of(const struct tw_http_client *c, const char *url, char out[TW_KV_NAME + 1])
{
	struct sha256 *s = sha256_new();
	char hex[65], head[HTTP_NAME + 8];
	int bad;

	if (!s)
		return false;
	sha256_add(s, url, strlen(url));
	bad = sha256_hex(s, hex);
	sha256_free(s);
	(void)prefix(c, head);
	(void)snprintf(out, TW_KV_NAME + 1, "%s%.32s", head, hex);
	return bad == 0;
}

/* A value is "TURN\nETAG\nDATE"; the turn says which was kept last. */
static bool unpack(const void *data, uint64_t len, uint64_t *turn, struct http_tag *ret)
{
	char text[2 * HTTP_TAG + 32], *etag, *date;

	if (len >= sizeof text)
		return false;
	memcpy(text, data, len);
	text[len] = '\0';
	*turn = strtoull(text, &etag, 10);
	if (*etag++ != '\n')
		return false;
	date = strchr(etag, '\n');
	if (!date)
		return false;
	*date++ = '\0';
	(void)snprintf(ret->etag, sizeof ret->etag, "%s", etag);
	(void)snprintf(ret->modified, sizeof ret->modified, "%s", date);
	return true;
}

bool tag_find(const struct tw_http_client *c, const char *url, struct http_tag *ret)
{
	const struct tw_kv *kv = values_of(c);
	char name[TW_KV_NAME + 1];
	const void *data;
	uint64_t len, turn;

	return kv && name_of(c, url, name) && kv->get(kv, name, &data, &len) == TW_OK && unpack(data, len, &turn, ret);
}

/* The next turn, and the name of the oldest when there is no room for one more. */
static uint64_t look(const struct tw_http_client *c, const struct tw_kv *kv, char oldest[TW_KV_NAME + 1])
{
	char head[HTTP_NAME + 8];
	size_t n = (size_t)prefix(c, head);
	uint64_t most = 0, least = UINT64_MAX;
	uint32_t count = 0;
	const char *name = NULL;
	char first[TW_KV_NAME + 1] = "";

	while ((name = kv->next(kv, name))) {
		struct http_tag tag;
		const void *data;
		uint64_t len, turn = 0;
		if (strncmp(name, head, n) != 0)
			continue;
		count++;
		if (kv->get(kv, name, &data, &len) != TW_OK || !unpack(data, len, &turn, &tag))
			turn = 0;
		most = turn > most ? turn : most;
		if (turn < least) {
			least = turn;
			(void)snprintf(first, sizeof first, "%s", name);
		}
	}
	(void)snprintf(oldest, TW_KV_NAME + 1, "%s", count >= HTTP_TAGS ? first : "");
	return most + 1;
}

void tag_keep(struct tw_http_client *c, const char *url, const struct http_tag *tag)
{
	const struct tw_kv *kv = values_of(c);
	char name[TW_KV_NAME + 1], oldest[TW_KV_NAME + 1], text[2 * HTTP_TAG + 32];
	struct tw_err ignored;
	const void *data;
	uint64_t len, turn;
	int n;

	/* A tag that cannot be kept costs one more transfer, no more. */
	if (!kv || !name_of(c, url, name))
		return;
	if (!tag->etag[0] && !tag->modified[0]) {
		(void)kv->remove(kv, name, &ignored);
		return;
	}
	turn = look(c, kv, oldest);
	if (oldest[0] && kv->get(kv, name, &data, &len) != TW_OK)
		(void)kv->remove(kv, oldest, &ignored);
	n = snprintf(text, sizeof text, "%" PRIu64 "\n%s\n%s", turn, tag->etag, tag->modified);
	(void)kv->put(kv, name, text, (uint64_t)n, &ignored);
}
