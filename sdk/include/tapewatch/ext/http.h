/* SPDX-License-Identifier: Apache-2.0
 *
 * "http/1": polite HTTP for sources and sinks, over libcurl: one request at a time, on the plugin's own thread.
 *
 *     static const struct tw_http_options slow = { sizeof slow, 0, .rate = 2, .user_agent = "acme desk@acme.example" };
 *     http->client(http, "prices", &slow, &client, err);            in open()
 *     rc = http->get(client, "https://example.com/ticks", &answer, err);   in poll()
 *
 * What a client does by itself:
 *   rate limit     a token bucket; a request waits for its token
 *   retries        after no connection, a connection that broke, 429 and 5xx, with exponential backoff and full jitter:
 *                  the nth pause is between 0 and min(30 s, 500 ms * 2^n), evenly
 *                  (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
 *   Retry-After    is kept to. One beyond max_wait is not waited for: the request ends with TW_E_IO, and so does every
 *                  other until then, without a word to the server
 *   breaker        after 5 failed attempts in a row (no answer, or 5xx) nothing is sent for 60 s; then one request
 *                  tries, and its failure means 60 s more
 *   conditional    with TW_HTTP_CONDITIONAL the ETag and Last-Modified of up to 256 URLs are kept in the kv of the
 *                  instance (see kv.h), so a document counts as seen exactly when the mark behind it is durable
 *   gzip           is asked for and unpacked; max_body bounds what it unpacks to
 *   redirects      of a GET are followed up to max_redirects, never from https to http; headers of the plugin do not
 *                  go to another host
 *   cookies        with TW_HTTP_COOKIES are kept in memory
 *
 * A client belongs to the instance and outlives close() and open() of the plugin, so a source that is opened again
 * finds the breaker as it was. When the host stops, a call of a source returns within about a second with TW_E_IO.
 * NULL-safe for detectors: there, client() says TW_E_FATAL, for a worker must not block.
 */
#ifndef TAPEWATCH_EXT_HTTP_H
#define TAPEWATCH_EXT_HTTP_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_HTTP_CLIENTS 8u       /* of one instance */
#define TW_HTTP_CONDITIONAL 1u
#define TW_HTTP_COOKIES 2u
#define TW_HTTP_SECRET_PATHS 4u  /* URLs hold a token in their path: sentences name the host only */

struct tw_http_client;

/* 0 or NULL: the default in brackets. Texts are copied. */
struct tw_http_options {
	uint32_t struct_size, flags;
	int64_t timeout;         /* ns, of one attempt as a whole [30 s] */
	int64_t connect_timeout; /* ns [10 s] */
	int64_t max_wait;        /* ns, the longest Retry-After that is waited for [60 s] */
	int64_t retries;         /* after the first attempt, at most 10; -1: none [3] */
	double rate;             /* requests a second; attempts count [no limit] */
	double burst;            /* tokens the bucket holds [1] */
	uint64_t max_body;       /* bytes, unpacked [16 MiB] */
	int64_t max_redirects;   /* at most 20; -1: none [5] */
	const char *user_agent;  /* say who you are and how to reach you [tapewatch/VERSION] */
	const char *proxy;       /* "http://host:port"; "": none [as the environment says] */
	const char *ca_file;     /* PEM, in place of the system's certificates */
};

struct tw_http_header {
	const char *name, *value;
};

struct tw_http_request {
	uint32_t struct_size;
	uint32_t repeatable;         /* 1: may be sent again after a failure. A GET always may */
	const char *url;             /* http or https */
	const struct tw_http_header *headers;
	uint64_t n_headers;          /* at most 64 */
	const void *body;            /* not NULL: POST */
	uint64_t body_len;
};

struct tw_http_response { /* borrowed until the client's next request */
	uint32_t struct_size;
	uint32_t status;             /* 0: there was no answer */
	const void *body;            /* body[body_len] is NUL */
	uint64_t body_len;
	const char *content_type;    /* "" when absent */
	uint32_t attempts, reserved; /* that were made */
};

struct tw_http {
	uint32_t struct_size, reserved;

	/* The client of this name, made when there is none yet; options replace earlier ones. TW_OK, TW_E_CONFIG,
	 * or TW_E_FATAL: too many, or this is a detector. [source] [sink] */
	int32_t (*client)(const struct tw_http *, const char *name, const struct tw_http_options *,
	                  struct tw_http_client **ret, struct tw_err *);

	/* ret and its struct_size are set by the caller; it is filled whatever comes back.
	 *   TW_OK       2xx
	 *   TW_AGAIN    304: nothing new since the last time
	 *   TW_E_DATA   another 3xx or 4xx, or a body beyond max_body: this request is at fault
	 *   TW_E_IO     no answer, 429, 5xx, the breaker, a stop: later, perhaps. Return TW_AGAIN from poll() to be
	 *               polled again; returning this makes the host close and open the source
	 *   TW_E_CONFIG the URL, a header or 401 and 403
	 * The sentence in err names the URL without user, password and query. [source] [sink] */
	int32_t (*send)(struct tw_http_client *, const struct tw_http_request *, struct tw_http_response *ret,
	                struct tw_err *);
	/* The same for a GET without headers. */
	int32_t (*get)(struct tw_http_client *, const char *url, struct tw_http_response *ret, struct tw_err *);
};

#ifdef __cplusplus
}
#endif
#endif
