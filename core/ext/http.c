/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients, and the way from a request to an answer: wait for one's turn, try, try again.
 */
#include "base/err.h"
#include "base/os.h"
#include "ext/http_impl.h"
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define SLICE  INT64_C(200000000) /* a pause looks this often whether the host is stopping */

struct http_service {
	struct tw_http pub;
	struct ext *ext;
	struct tw_http_client *clients[TW_HTTP_CLIENTS];
	uint32_t n;
};

static bool stopping(const struct tw_http_client *c)
{
	return c->ext->kind == PLUGIN_SOURCE && atomic_load(&c->ext->stop);
}

/* ---- clients ---- */

static void client_free(struct tw_http_client *c)
{
	if (!c)
		return;
	if (c->curl)
		curl_easy_cleanup(c->curl);
	buf_free(&c->body);
	free((void *)(uintptr_t)c->opt.user_agent);
	free((void *)(uintptr_t)c->opt.proxy);
	free((void *)(uintptr_t)c->opt.ca_file);
	free(c);
}

static int32_t check_options(const struct tw_http_client *c, const struct tw_http_options *o, struct tw_err *err)
{
	if (o->timeout < 0 || o->connect_timeout < 0 || o->max_wait < 0 || o->retries < -1 || o->retries > 10 ||
	    o->max_redirects < -1 || o->max_redirects > 20 || !(o->rate >= 0) || !(o->burst >= 0))
		return err_set(err, TW_E_CONFIG, "http: an option of client '%s' is out of range, see ext/http.h",
			       c->name);
	if (o->flags & ~(TW_HTTP_CONDITIONAL | TW_HTTP_COOKIES | TW_HTTP_SECRET_PATHS))
		return err_set(err, TW_E_CONFIG, "http: client '%s' has flags that this host does not know", c->name);
	if ((o->flags & TW_HTTP_CONDITIONAL) && c->ext->kind != PLUGIN_SOURCE)
		return err_set(err, TW_E_CONFIG,
			       "http: client '%s': conditional requests are for sources, which have a position",
			       c->name);
	return TW_OK;
}

static bool copy_text(const char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return !text || *to;
}

static int32_t configure(struct tw_http_client *c, const struct tw_http_options *given, struct tw_err *err)
{
	struct tw_http_options o = { 0 }, old = c->opt;
	int32_t rc;

	if (given)
		memcpy(&o, given, given->struct_size < sizeof o ? given->struct_size : sizeof o);
	rc = check_options(c, &o, err);
	if (rc < 0)
		return rc;
	o.timeout = o.timeout ? o.timeout : 30 * SECOND;
	o.connect_timeout = o.connect_timeout ? o.connect_timeout : 10 * SECOND;
	o.max_wait = o.max_wait ? o.max_wait : 60 * SECOND;
	o.retries = o.retries < 0 ? 0 : o.retries ? o.retries : 3;
	o.max_redirects = o.max_redirects < 0 ? 0 : o.max_redirects ? o.max_redirects : 5;
	o.max_body = o.max_body ? o.max_body : 16u << 20;
	c->opt = o;
	if (!copy_text(&c->opt.user_agent, o.user_agent ? o.user_agent : "tapewatch/" TAPEWATCH_VERSION) ||
	    !copy_text(&c->opt.proxy, o.proxy) || !copy_text(&c->opt.ca_file, o.ca_file))
		rc = err_set(err, TW_E_FATAL, "memory is out");
	free((void *)(uintptr_t)old.user_agent);
	free((void *)(uintptr_t)old.proxy);
	free((void *)(uintptr_t)old.ca_file);
	polite_limit(&c->polite, o.rate, o.burst);
	return rc;
}

static bool name_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n > 0 && n <= HTTP_NAME &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n;
}

static struct tw_http_client *client_new(struct ext *x, const char *name)
{
	struct tw_http_client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->ext = x;
	memcpy(c->name, name, strlen(name) + 1);
	c->curl = curl_easy_init();
	if (!c->curl) {
		client_free(c);
		return NULL;
	}
	return c;
}

static int32_t http_client(const struct tw_http *pub, const char *name, const struct tw_http_options *o,
			   struct tw_http_client **ret, struct tw_err *err)
{
	struct http_service *s = (struct http_service *)(void *)(uintptr_t)pub;
	struct tw_http_client *c = NULL;
	int32_t rc;

	if (s->ext->kind == PLUGIN_DETECTOR)
		return err_set(
			err, TW_E_FATAL,
			"http is not for detectors: a worker must not block; fetch in a source, whose events the "
			"detector gets");
	if (!name_ok(name))
		return err_set(err, TW_E_CONFIG, "http: the name of a client is 1 to %u letters, digits, '_', '-', '.'",
			       HTTP_NAME);
	for (uint32_t i = 0; i < s->n && !c; i++)
		if (strcmp(s->clients[i]->name, name) == 0)
			c = s->clients[i];
	if (!c) {
		if (s->n == TW_HTTP_CLIENTS)
			return err_set(err, TW_E_FATAL, "http: an instance has at most %u clients", TW_HTTP_CLIENTS);
		if (fetch_setup(err) < 0)
			return TW_E_FATAL;
		c = client_new(s->ext, name);
		if (!c)
			return err_set(err, TW_E_FATAL, "memory is out");
		s->clients[s->n++] = c;
	}
	rc = configure(c, o, err);
	if (rc == TW_OK)
		*ret = c;
	return rc;
}

/* ---- a request ---- */

static bool header_ok(const struct tw_http_header *h)
{
	return h->name && h->value && *h->name && !strpbrk(h->name, "\r\n: \t") && !strpbrk(h->value, "\r\n") &&
	       strlen(h->name) < 256 && strlen(h->value) < 16384;
}

static int32_t check_request(const struct tw_http_client *c, const struct tw_http_request *q, struct tw_err *err)
{
	char name[200];

	if (!q->url || strlen(q->url) >= HTTP_URL || strpbrk(q->url, "\r\n"))
		return err_set(err, TW_E_CONFIG, "http: the URL is missing, longer than %u bytes, or has line ends",
			       HTTP_URL - 1);
	fetch_name(c, q->url, name);
	if (q->n_headers > HTTP_HEADERS)
		return err_set(err, TW_E_CONFIG, "%s: more than %u headers", name, HTTP_HEADERS);
	for (uint64_t i = 0; i < q->n_headers; i++)
		if (!header_ok(&q->headers[i]))
			return err_set(err, TW_E_CONFIG,
				       "%s: header %" PRIu64 " is missing, too long, or has line ends", name, i + 1);
	return TW_OK;
}

static int32_t stopped(struct tw_err *err)
{
	return err_set(err, TW_E_IO, "http: nothing is sent any more, because the host is stopping");
}

/* false: the host is stopping. */
static bool pause_for(const struct tw_http_client *c, int64_t ns)
{
	int64_t until = os->mono() + ns;

	for (;;) {
		int64_t left = until - os->mono();
		if (stopping(c))
			return false;
		if (left <= 0)
			return true;
		os->pause(left < SLICE ? left : SLICE);
	}
}

/* Breaker, the server's wish, and a token. */
static int32_t wait_turn(struct tw_http_client *c, const char *name, struct tw_err *err)
{
	int64_t now = os->mono(), left = breaker_left(&c->polite, now);

	if (left)
		return err_set(err, TW_E_IO,
			       "%s: the server failed %u times in a row; nothing is sent for another %" PRId64 " s",
			       name, BREAKER_FAILURES, left / SECOND + 1);
	left = c->polite.not_before - now;
	if (left > c->opt.max_wait)
		return err_set(err, TW_E_IO, "%s: the server asked to be left alone for another %" PRId64 " s", name,
			       left / SECOND + 1);
	if (left > 0 && !pause_for(c, left))
		return stopped(err);
	while ((left = polite_token(&c->polite, os->mono())) > 0)
		if (!pause_for(c, left))
			return stopped(err);
	return stopping(c) ? stopped(err) : TW_OK;
}

static int32_t answer(struct tw_http_client *c, const struct tw_http_request *q, const char *name, struct tw_err *err)
{
	if (c->status >= 200 && c->status < 300) {
		if ((c->opt.flags & TW_HTTP_CONDITIONAL) && !q->body)
			tag_keep(c, q->url, &c->got);
		return TW_OK;
	}
	if (c->status == 304)
		return TW_AGAIN;
	if (c->status == 401 || c->status == 403)
		return err_set(err, TW_E_CONFIG, "%s: status %ld; is the key right, and may it do this?", name,
			       c->status);
	if (c->status == 429 || c->status >= 500 || c->status < 200)
		return err_set(err, TW_E_IO, "%s: status %ld%s", name, c->status,
			       c->status == 429 ? ", too many requests; a lower rate would help" : "");
	return err_set(err, TW_E_DATA, "%s: status %ld; is the URL right?", name, c->status);
}

static uint64_t random64(void)
{
	uint64_t r = 0;

	(void)os->random(&r, sizeof r); /* without it there is no jitter, and the pause is 0 */
	return r;
}

/* How long to pause before retry n; negative: there is none. */
static int64_t retry_pause(struct tw_http_client *c, const struct tw_http_request *q, uint32_t n)
{
	int64_t now = os->mono();

	if (c->retry_after) {
		c->polite.not_before = now + c->retry_after;
		if (c->retry_after > c->opt.max_wait)
			return -1;
	}
	if (n >= (uint32_t)c->opt.retries || (q->body && !q->repeatable) || breaker_left(&c->polite, now))
		return -1;
	return c->retry_after ? 0 : backoff_pause(n, random64()); /* wait_turn() waits for the server's wish */
}

static int32_t try_all(struct tw_http_client *c, const struct tw_http_request *q, uint32_t *attempts,
		       struct tw_err *err)
{
	bool conditional = (c->opt.flags & TW_HTTP_CONDITIONAL) && !q->body;
	struct http_tag known;
	char name[200];
	int32_t rc;

	fetch_name(c, q->url, name);
	for (uint32_t n = 0;; n++) {
		struct tw_err last = { 0 };
		enum fetched f;
		int64_t pause;
		bool trying;
		rc = wait_turn(c, name, err);
		if (rc < 0)
			return rc;
		trying = breaker_trying(&c->polite);
		++*attempts;
		f = fetch(c, q, conditional && tag_find(c, q->url, &known) ? &known : NULL, &last);
		if (f == FETCH_STOPPED || f == FETCH_REFUSED) {
			*err = last;
			return last.code;
		}
		if (f == FETCH_ANSWER && c->status < 500) {
			breaker_success(&c->polite);
			rc = answer(c, q, name, &last);
			if (c->status != 429) {
				if (rc < 0)
					*err = last;
				return rc;
			}
		} else {
			if (f == FETCH_ANSWER)
				(void)answer(c, q, name, &last);
			breaker_failure(&c->polite, os->mono());
		}
		pause = retry_pause(c, q, n);
		if (pause < 0 || trying) {
			*err = last;
			if (c->retry_after > c->opt.max_wait)
				err_prefix(err, "the server asks for a pause of %" PRId64 " s",
					   c->retry_after / SECOND);
			else if (breaker_left(&c->polite, os->mono()))
				err_prefix(err, "nothing is sent for %" PRId64 " s after %u failures",
					   BREAKER_NS / SECOND, BREAKER_FAILURES);
			return TW_E_IO;
		}
		if (!pause_for(c, pause))
			return stopped(err);
	}
}

static int32_t http_send(struct tw_http_client *c, const struct tw_http_request *given, struct tw_http_response *ret,
			 struct tw_err *err)
{
	struct tw_http_request q = { 0 };
	struct tw_http_response r = { 0 };
	struct tw_err own = { 0 };
	uint32_t attempts = 0, size = ret->struct_size < sizeof r ? ret->struct_size : (uint32_t)sizeof r;
	int32_t rc;

	memcpy(&q, given, given->struct_size < sizeof q ? given->struct_size : sizeof q);
	c->body.len = 0;
	c->status = 0;
	c->content_type[0] = '\0';
	rc = check_request(c, &q, &own);
	if (rc == TW_OK)
		rc = try_all(c, &q, &attempts, &own);
	if (rc < 0 && err)
		*err = own;
	if (buf_add(&c->body, "", 1) != 0)
		return err_set(err, TW_E_FATAL, "memory is out");
	c->body.len--;
	r = (struct tw_http_response){ .struct_size = size,
				       .status = (uint32_t)c->status,
				       .body = c->body.data,
				       .body_len = c->body.len,
				       .content_type = c->content_type,
				       .attempts = attempts };
	memcpy(ret, &r, size);
	return rc;
}

static int32_t http_get(struct tw_http_client *c, const char *url, struct tw_http_response *ret, struct tw_err *err)
{
	struct tw_http_request q = { .struct_size = sizeof q, .url = url };

	return http_send(c, &q, ret, err);
}

void *http_service_new(struct ext *x)
{
	struct http_service *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->ext = x;
	s->pub = (struct tw_http){
		.struct_size = sizeof s->pub, .client = http_client, .send = http_send, .get = http_get
	};
	return s;
}

void http_service_free(void *of)
{
	struct http_service *s = of;

	for (uint32_t i = 0; i < s->n; i++)
		client_free(s->clients[i]);
	free(s);
}
