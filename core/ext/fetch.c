/* SPDX-License-Identifier: Apache-2.0
 *
 * One attempt over libcurl's easy interface. Redirects are followed here and not by libcurl, because its rule for what
 * may be sent to another host knows only the headers it knows.
 */
#include "base/err.h"
#include "ext/http_impl.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int32_t setup_result = TW_OK;

static void setup(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		setup_result = TW_E_FATAL;
}

int32_t fetch_setup(struct tw_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, setup);
	return setup_result == TW_OK ? TW_OK : err_set(err, setup_result, "http: libcurl does not start");
}

/* ---- callbacks ---- */

static size_t on_body(char *data, size_t size, size_t n, void *of)
{
	struct tw_http_client *c = of;

	n *= size;
	if (c->body.len + n > c->opt.max_body) {
		c->too_large = true;
		return 0;
	}
	if (buf_add(&c->body, data, n) != 0) {
		c->no_memory = true;
		return 0;
	}
	return n;
}

static bool header_is(const char *line, size_t n, const char *name, const char **ret, size_t *ret_len)
{
	size_t len = strlen(name);

	if (n <= len || line[len] != ':' || strncasecmp(line, name, len) != 0)
		return false;
	line += len + 1;
	n -= len + 1;
	while (n && (*line == ' ' || *line == '\t'))
		line++, n--;
	while (n && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	*ret = line;
	*ret_len = n;
	return true;
}

static void keep(char *out, size_t room, const char *s, size_t n)
{
	out[0] = '\0';
	if (n >= room)
		return; /* half a tag is none */
	memcpy(out, s, n);
	out[n] = '\0';
}

static size_t on_header(char *line, size_t size, size_t n, void *of)
{
	struct tw_http_client *c = of;
	const char *s;
	size_t len;

	n *= size;
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0) { /* of a 100, or of a proxy: the last one counts */
		c->got = (struct http_tag){ 0 };
		c->content_type[0] = '\0';
	} else if (header_is(line, n, "ETag", &s, &len)) {
		keep(c->got.etag, sizeof c->got.etag, s, len);
	} else if (header_is(line, n, "Last-Modified", &s, &len)) {
		keep(c->got.modified, sizeof c->got.modified, s, len);
	} else if (header_is(line, n, "Content-Type", &s, &len)) {
		keep(c->content_type, sizeof c->content_type, s, len);
	}
	return n;
}

/* libcurl asks at least once a second, also while nothing moves. */
static int on_progress(void *of, curl_off_t a, curl_off_t b, curl_off_t d, curl_off_t e)
{
	const struct tw_http_client *c = of;

	(void)a, (void)b, (void)d, (void)e;
	return c->ext->kind == PLUGIN_SOURCE && atomic_load_explicit(&c->ext->stop, memory_order_relaxed);
}

/* ---- URLs ---- */

static char *url_part(CURLU *u, CURLUPart part)
{
	char *s = NULL;

	return curl_url_get(u, part, &s, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK ? s : NULL;
}

void fetch_name(const struct tw_http_client *c, const char *url, char out[200])
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL, *query = NULL;
	bool usual, hidden = c->opt.flags & TW_HTTP_SECRET_PATHS;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
		(void)snprintf(out, 200, "a URL that is none");
		curl_url_cleanup(u);
		return;
	}
	scheme = url_part(u, CURLUPART_SCHEME);
	host = url_part(u, CURLUPART_HOST);
	port = url_part(u, CURLUPART_PORT);
	path = url_part(u, CURLUPART_PATH);
	query = url_part(u, CURLUPART_QUERY);
	usual = !port || strcmp(port, "80") == 0 || strcmp(port, "443") == 0;
	(void)snprintf(out, 200, "%s://%.80s%s%s%.90s%s", scheme ? scheme : "?", host ? host : "?", usual ? "" : ":",
		       usual ? "" : port,
		       hidden ? "/..."
		       : path ? path
			      : "/",
		       query && !hidden ? "?..." : "");
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_free(query);
	curl_url_cleanup(u);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = url_part(a, part), *y = url_part(b, part);
	bool same = x && y && strcasecmp(x, y) == 0;

	curl_free(x);
	curl_free(y);
	return same;
}

/* Same scheme, host and port. */
static bool same_origin(const char *a, const char *b)
{
	CURLU *u = curl_url(), *v = curl_url();
	bool same = u && v && curl_url_set(u, CURLUPART_URL, a, 0) == CURLUE_OK &&
		    curl_url_set(v, CURLUPART_URL, b, 0) == CURLUE_OK && same_part(u, v, CURLUPART_SCHEME) &&
		    same_part(u, v, CURLUPART_HOST) && same_part(u, v, CURLUPART_PORT);

	curl_url_cleanup(u);
	curl_url_cleanup(v);
	return same;
}

/* ---- the attempt ---- */

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (more)
		*list = more;
	return more != NULL;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct buf line = { 0 };
	bool ok;

	/* libcurl drops a header "Name:"; with a semicolon it sends it empty */
	ok = buf_addf(&line, *value ? "%s: %s" : "%s;%s", name, value) == 0 && buf_add(&line, "", 1) == 0 &&
	     add_line(list, (const char *)line.data);
	buf_free(&line);
	return ok;
}

static bool header_lines(const struct tw_http_request *q, const struct http_tag *known, bool own,
			 struct curl_slist **list)
{
	bool ok = true, typed = false;

	for (uint64_t i = 0; own && i < q->n_headers && ok; i++) {
		typed |= strcasecmp(q->headers[i].name, "Content-Type") == 0;
		ok = add_header(list, q->headers[i].name, q->headers[i].value);
	}
	if (q->body && !typed)
		ok = ok && add_header(list, "Content-Type", "application/octet-stream");
	if (q->body)
		ok = ok && add_line(list, "Expect:"); /* not a second round for the sake of a status 100 */
	if (known && known->etag[0])
		ok = ok && add_header(list, "If-None-Match", known->etag);
	if (known && known->modified[0])
		ok = ok && add_header(list, "If-Modified-Since", known->modified);
	return ok;
}

static long milliseconds(int64_t ns)
{
	return ns < 1000000 ? 1 : (long)(ns / 1000000);
}

static void set_up(struct tw_http_client *c, const struct tw_http_request *q, const char *url,
		   struct curl_slist *headers)
{
	CURL *h = c->curl;

	curl_easy_reset(h); /* connections, cookies and the cache of names stay */
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, milliseconds(c->opt.timeout));
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(c->opt.connect_timeout));
	curl_easy_setopt(h, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	curl_easy_setopt(h, CURLOPT_USERAGENT, c->opt.user_agent);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	if (c->opt.proxy)
		curl_easy_setopt(h, CURLOPT_PROXY, c->opt.proxy);
	if (c->opt.ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->opt.ca_file);
	if (c->opt.flags & TW_HTTP_COOKIES)
		curl_easy_setopt(h, CURLOPT_COOKIEFILE, "");
	if (q->body) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body);
	}
	c->body.len = 0;
	c->status = 0;
	c->retry_after = 0;
	c->too_large = c->no_memory = false;
	c->got = (struct http_tag){ 0 };
	c->content_type[0] = c->error[0] = '\0';
}

static enum fetched judge(struct tw_http_client *c, CURLcode rc, const char *url, struct tw_err *err)
{
	char name[200];
	curl_off_t wait = 0;

	fetch_name(c, url, name);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
	if (curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
		c->retry_after = wait > 86400 * 365 ? 86400LL * 365 * 1000000000 : (int64_t)wait * 1000000000;
	switch (rc) {
	case CURLE_OK:
		return FETCH_ANSWER;
	case CURLE_ABORTED_BY_CALLBACK:
		err_set(err, TW_E_IO, "%s: given up, because the host is stopping", name);
		return FETCH_STOPPED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(err, TW_E_CONFIG, "%s: expected http:// or https:// and a host", name);
		return FETCH_REFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		err_set(err, TW_E_CONFIG,
			"%s: its certificate is not to be trusted (%s); name the authority's file, or mend the clock",
			name, c->error[0] ? c->error : curl_easy_strerror(rc));
		return FETCH_REFUSED;
	case CURLE_WRITE_ERROR:
		if (c->too_large)
			err_set(err, TW_E_DATA,
				"%s: the body is larger than %" PRIu64 " bytes; raise max_body if it may be", name,
				c->opt.max_body);
		else
			err_set(err, TW_E_FATAL, "memory is out");
		return FETCH_REFUSED;
	default:
		err_set(err, TW_E_IO, "%s: %s", name, c->error[0] ? c->error : curl_easy_strerror(rc));
		return FETCH_BROKEN;
	}
}

/* Where an answer sends us; NULL: nowhere. */
static const char *redirect_of(struct tw_http_client *c, const struct tw_http_request *q)
{
	char *to = NULL;

	if (q->body || c->status < 300 || c->status > 308 || c->status == 304)
		return NULL;
	return curl_easy_getinfo(c->curl, CURLINFO_REDIRECT_URL, &to) == CURLE_OK ? to : NULL;
}

static enum fetched may_follow(const struct tw_http_client *c, const char *from, const char *to, int64_t n,
			       struct tw_err *err)
{
	char name[200];

	fetch_name(c, from, name);
	if (n >= c->opt.max_redirects)
		err_set(err, TW_E_DATA, "%s: redirected more than %" PRId64 " times", name, c->opt.max_redirects);
	else if (strlen(to) >= HTTP_URL)
		err_set(err, TW_E_DATA, "%s: redirects to a URL of more than %u bytes", name, HTTP_URL - 1);
	else if (strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0)
		err_set(err, TW_E_DATA, "%s: redirects from https to something else, which is not followed", name);
	else
		return FETCH_ANSWER;
	return FETCH_REFUSED;
}

enum fetched fetch(struct tw_http_client *c, const struct tw_http_request *q, const struct http_tag *known,
		   struct tw_err *err)
{
	char url[HTTP_URL];
	enum fetched r;
	const char *to;

	(void)snprintf(url, sizeof url, "%s", q->url);
	for (int64_t n = 0;; n++) {
		struct curl_slist *headers = NULL;
		bool own = n == 0 || same_origin(q->url, url);
		if (!header_lines(q, n ? NULL : known, own, &headers)) {
			curl_slist_free_all(headers);
			err_set(err, TW_E_FATAL, "memory is out");
			return FETCH_REFUSED;
		}
		set_up(c, q, url, headers);
		r = judge(c, curl_easy_perform(c->curl), url, err);
		curl_slist_free_all(headers);
		to = r == FETCH_ANSWER ? redirect_of(c, q) : NULL;
		if (!to)
			return r;
		r = may_follow(c, url, to, n, err);
		if (r != FETCH_ANSWER)
			return r;
		(void)snprintf(url, sizeof url, "%s", to);
	}
}
