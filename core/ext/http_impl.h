/* SPDX-License-Identifier: Apache-2.0
 *
 * Between http.c (clients; retries), fetch.c (one attempt, over libcurl) and tags.c (what was seen already).
 */
#ifndef EXT_HTTP_IMPL_H
#define EXT_HTTP_IMPL_H

#include "ext/ext_impl.h"
#include "ext/polite.h"
#include <curl/curl.h>

#define HTTP_NAME    32u /* bytes of a client's name */
#define HTTP_URL     8192u
#define HTTP_HEADERS 64u
#define HTTP_TAG     256u /* bytes of an ETag or a date; longer ones are not kept */
#define HTTP_TAGS    256u /* URLs that are known, by client */

struct http_tag {
	char etag[HTTP_TAG], modified[HTTP_TAG]; /* "": none */
};

struct http_service;

struct tw_http_client {
	struct ext *ext;
	char name[HTTP_NAME + 1];
	CURL *curl;
	struct tw_http_options opt; /* with defaults; texts are ours */
	struct polite polite;

	/* the answer */
	struct buf body;
	long status;
	bool too_large, no_memory;
	char content_type[128];
	struct http_tag got;   /* of this answer */
	int64_t retry_after;   /* ns; 0: the server does not say */
	char error[CURL_ERROR_SIZE];
};

/* What an attempt came to. */
enum fetched {
	FETCH_ANSWER,  /* there is a status */
	FETCH_BROKEN,  /* no answer, or half of one: trying again may help */
	FETCH_REFUSED, /* it cannot work like this: err says why */
	FETCH_STOPPED  /* the host is stopping */
};

/* fetch.c */
int32_t fetch_setup(struct tw_err *); /* libcurl, once for the process */
/* One attempt, redirects included. known: what to ask for only if it has changed, or NULL. */
enum fetched fetch(struct tw_http_client *, const struct tw_http_request *, const struct http_tag *known, struct tw_err *);
/* "https://host/path?..." for people. */
void fetch_name(const struct tw_http_client *, const char *url, char out[200]);

/* tags.c: false: there is none. The instance has values. */
bool tag_find(const struct tw_http_client *, const char *url, struct http_tag *ret);
void tag_keep(struct tw_http_client *, const char *url, const struct http_tag *);

#endif
