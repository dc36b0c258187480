/* SPDX-License-Identifier: Apache-2.0
 *
 * http/1 against a real server on the loopback. Time is ours: pauses only move the clock, so nothing waits.
 */
#include "base/os.h"
#include "ext/ext.h"
#include "ext/kv.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/ext.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

/* ---- the clock ---- */
static struct os fake;
static int64_t now, paused;
static uint64_t dice;

static int64_t fake_mono(void)
{
	return now;
}

static void fake_pause(int64_t ns)
{
	now += ns;
	paused += ns;
}

static int fake_random(void *buf, size_t n)
{
	assert_true(n <= sizeof dice);
	memcpy(buf, &dice, n);
	return 0;
}

/* ---- the server ---- */
static struct MHD_Daemon *server, *other;
static unsigned port, other_port;
static _Atomic unsigned requests, failures_left;
static _Atomic unsigned status_wanted;
static char retry_after[32], seen_agent[128], seen_key[64], seen_body[64], seen_method[8];
static int gate[2]; /* the slow page waits here */

static ssize_t cut_off(void *arg, uint64_t at, char *buf, size_t max)
{
	(void)arg;
	if (at >= 10)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memset(buf, 'x', max < 10 ? max : 10);
	return 10;
}

static enum MHD_Result send_bytes(struct MHD_Connection *c, unsigned status, const void *data, size_t n,
				  const char *key, const char *value)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (key)
		(void)MHD_add_response_header(r, key, value);
	if (status == 304 || strcmp(key ? key : "", "ETag") == 0)
		(void)MHD_add_response_header(r, "Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, const char *text, const char *key,
				 const char *value)
{
	return send_bytes(c, status, text, strlen(text), key, value);
}

/* 8 MiB of zeros in 8 KiB */
static enum MHD_Result bomb(struct MHD_Connection *c)
{
	static unsigned char zeros[8u << 20], packed[64u << 10];
	z_stream z = { .next_in = zeros, .avail_in = sizeof zeros, .next_out = packed, .avail_out = sizeof packed };

	if (deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK || deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&z);
	return send_bytes(c, 200, packed, z.total_out, "Content-Encoding", "gzip");
}

static enum MHD_Result slow(struct MHD_Connection *c)
{
	char byte;

	if (read(gate[0], &byte, 1) < 0)
		abort();
	return send_text(c, 200, "late", NULL, NULL);
}

static enum MHD_Result truncated(struct MHD_Connection *c)
{
	struct MHD_Response *r = MHD_create_response_from_callback(1000, 100, cut_off, NULL, NULL);
	enum MHD_Result rc = MHD_queue_response(c, 200, r);

	MHD_destroy_response(r);
	return rc;
}

static void note(char *to, size_t n, const char *text)
{
	(void)snprintf(to, n, "%s", text ? text : "");
}

static enum MHD_Result on_request(void *of, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *n, void **seen)
{
	static int marker;
	char to[128];
	const char *tag;

	(void)of, (void)version;
	if (!*seen) {
		*seen = &marker;
		note(seen_body, sizeof seen_body, "");
		return MHD_YES;
	}
	if (*n) {
		(void)snprintf(seen_body, sizeof seen_body, "%.*s", (int)*n, data);
		*n = 0;
		return MHD_YES;
	}
	requests++;
	note(seen_method, sizeof seen_method, method);
	note(seen_agent, sizeof seen_agent, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "User-Agent"));
	note(seen_key, sizeof seen_key, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Api-Key"));
	if (failures_left) {
		failures_left--;
		return send_text(c, status_wanted, "no", retry_after[0] ? "Retry-After" : NULL, retry_after);
	}
	if (strcmp(url, "/slow") == 0)
		return slow(c);
	if (strcmp(url, "/truncated") == 0)
		return truncated(c);
	if (strcmp(url, "/bomb") == 0)
		return bomb(c);
	if (strcmp(url, "/loop") == 0)
		return send_text(c, 302, "", "Location", "/loop");
	if (strcmp(url, "/moved") == 0)
		return send_text(c, 301, "", "Location", "/page");
	if (strcmp(url, "/away") == 0) {
		(void)snprintf(to, sizeof to, "http://127.0.0.1:%u/page", other_port);
		return send_text(c, 302, "", "Location", to);
	}
	if (strcmp(url, "/tagged") == 0) {
		tag = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
		return tag && strcmp(tag, "\"v1\"") == 0 ? send_text(c, 304, "", "ETag", "\"v1\"")
							 : send_text(c, 200, "first", "ETag", "\"v1\"");
	}
	if (strcmp(url, "/gone") == 0)
		return send_text(c, 404, "", NULL, NULL);
	if (strcmp(url, "/locked") == 0)
		return send_text(c, 403, "", NULL, NULL);
	return send_text(c, 200, "hello", "Content-Type", "text/x-test");
}

static struct MHD_Daemon *serve(unsigned *ret)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *d =
		MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL,
				 on_request, NULL, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_END);

	assert_non_null(d);
	*ret = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
	return d;
}

/* ---- the rig ---- */
struct rig {
	struct ext *ext;
	const struct tw_http *http;
	struct tw_http_client *client;
	struct tw_http_response r;
	struct tw_err e;
};

static struct rig rig_new(enum plugin_kind kind, struct tw_http_options o)
{
	struct rig rig = { .ext = ext_new(NULL, kind, "test", "t"), .r = { .struct_size = sizeof rig.r } };

	now = 1000 * SECOND;
	paused = 0;
	dice = UINT64_MAX / 2;
	requests = failures_left = 0;
	retry_after[0] = '\0';
	o.struct_size = sizeof o;
	o.proxy = "";
	rig.http = ext_find(rig.ext, "http/1");
	assert_non_null(rig.http);
	assert_int_equal(rig.http->client(rig.http, "c", &o, &rig.client, &rig.e), TW_OK);
	return rig;
}

static int32_t get(struct rig *rig, const char *path)
{
	char url[128];

	(void)snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%u%s?token=secret", port, path);
	rig->e = (struct tw_err){ 0 };
	return rig->http->get(rig->client, url, &rig->r, &rig->e);
}

static void fail_next(unsigned n, unsigned status)
{
	failures_left = n;
	status_wanted = status;
}

static void an_answer_has_its_body_status_and_type(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .user_agent = "me (me@example.com)" });

	(void)state;
	assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(rig.r.status, 200);
	assert_string_equal(rig.r.body, "hello");
	assert_int_equal(rig.r.body_len, 5);
	assert_string_equal(rig.r.content_type, "text/x-test");
	assert_string_equal(seen_agent, "me (me@example.com)");
	assert_int_equal(rig.r.attempts, 1);
	ext_free(rig.ext);
}

static void a_post_carries_its_body_and_headers(void **state)
{
	struct rig rig = rig_new(PLUGIN_SINK, (struct tw_http_options){ 0 });
	struct tw_http_header h = { "X-Api-Key", "k1" };
	char url[64];
	struct tw_http_request q = {
		.struct_size = sizeof q, .url = url, .headers = &h, .n_headers = 1, .body = "abc", .body_len = 3
	};

	(void)state;
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/page", port);
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_OK);
	assert_string_equal(seen_method, "POST");
	assert_string_equal(seen_body, "abc");
	assert_string_equal(seen_key, "k1");
	fail_next(1, 500);
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_E_IO); /* it may have been done */
	assert_int_equal(rig.r.attempts, 1);
	q.repeatable = 1;
	fail_next(1, 500);
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_OK);
	h.value = "k\r\nEvil: 1";
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_E_CONFIG);
	ext_free(rig.ext);
}

static void failures_are_retried_after_growing_random_pauses(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ 0 });

	(void)state;
	dice = 499999999; /* below every bound: the pause itself */
	fail_next(3, 503);
	assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(rig.r.attempts, 4);
	assert_int_equal(paused, 3 * 499999999LL);
	paused = 0;
	dice = 3 * 500000001ULL + 7; /* 7 of [0,500 ms]; 500000010 of [0,1 s]: what is left by 1000000001; and so on */
	fail_next(2, 503);
	assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(paused, (int64_t)(dice % 500000001ULL + dice % 1000000001ULL));
	ext_free(rig.ext);
}

static void retry_after_is_kept_to_within_its_bound(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .max_wait = 20 * SECOND });

	(void)state;
	fail_next(1, 429);
	(void)snprintf(retry_after, sizeof retry_after, "7");
	assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(paused, 7 * SECOND);
	fail_next(1, 429);
	(void)snprintf(retry_after, sizeof retry_after, "100");
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_non_null(strstr(rig.e.msg, "429"));
	assert_int_equal(requests, 3);
	assert_int_equal(get(&rig, "/page"), TW_E_IO); /* without a word to the server */
	assert_int_equal(requests, 3);
	now += 81 * SECOND;
	assert_int_equal(get(&rig, "/page"), TW_OK);
	ext_free(rig.ext);
}

static void five_failures_open_the_breaker_for_a_minute(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .retries = -1 });

	(void)state;
	fail_next(6, 500);
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(requests, 5);
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(requests, 5);
	assert_non_null(strstr(rig.e.msg, "5 times"));
	now += 59 * SECOND;
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(requests, 5);
	now += 2 * SECOND;
	assert_int_equal(get(&rig, "/page"), TW_E_IO); /* the one trial, which fails */
	assert_int_equal(requests, 6);
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(requests, 6);
	now += 61 * SECOND;
	assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(get(&rig, "/page"), TW_OK); /* closed again */
	ext_free(rig.ext);
}

static void the_rate_is_that_of_the_bucket(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .rate = 2, .burst = 3 });

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_int_equal(paused, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(get(&rig, "/page"), TW_OK);
	assert_in_range(paused, 2 * SECOND, 2 * SECOND + 100); /* four at two a second */
	ext_free(rig.ext);
}

static void what_has_not_changed_is_not_sent_again(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .flags = TW_HTTP_CONDITIONAL });

	(void)state;
	assert_int_equal(get(&rig, "/tagged"), TW_OK);
	assert_string_equal(rig.r.body, "first");
	assert_int_equal(get(&rig, "/tagged"), TW_AGAIN);
	assert_int_equal(rig.r.status, 304);
	/* the source failed before its mark: it must get the document again */
	kv_rewind(ext_kv(rig.ext));
	assert_int_equal(get(&rig, "/tagged"), TW_OK);
	ext_free(rig.ext);
}

static void a_bomb_and_half_a_body_are_errors(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .max_body = 1u << 20, .retries = 1 });

	(void)state;
	assert_int_equal(get(&rig, "/bomb"), TW_E_DATA);
	assert_non_null(strstr(rig.e.msg, "max_body"));
	assert_in_range(rig.r.body_len, 0, 1u << 20);
	requests = 0;
	assert_int_equal(get(&rig, "/truncated"), TW_E_IO);
	assert_int_equal(requests, 2);
	ext_free(rig.ext);
}

static void a_slow_server_costs_the_timeout_and_no_more(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .timeout = SECOND / 10, .retries = -1 });

	(void)state;
	assert_int_equal(get(&rig, "/slow"), TW_E_IO);
	assert_int_equal(rig.r.status, 0);
	assert_int_equal(write(gate[1], "x", 1), 1);
	ext_free(rig.ext);
}

static void redirects_are_bounded_and_keep_keys_at_home(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .max_redirects = 3 });
	struct tw_http_header h = { "X-Api-Key", "k2" };
	char url[64];
	struct tw_http_request q = { .struct_size = sizeof q, .url = url, .headers = &h, .n_headers = 1 };

	(void)state;
	assert_int_equal(get(&rig, "/moved"), TW_OK);
	assert_string_equal(rig.r.body, "hello");
	requests = 0;
	assert_int_equal(get(&rig, "/loop"), TW_E_DATA);
	assert_int_equal(requests, 4);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/away", port);
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_OK);
	assert_string_equal(seen_key, "");
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/moved", port);
	assert_int_equal(rig.http->send(rig.client, &q, &rig.r, &rig.e), TW_OK);
	assert_string_equal(seen_key, "k2");
	ext_free(rig.ext);
}

static void sentences_name_the_page_and_no_secret(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .retries = -1 });

	(void)state;
	assert_int_equal(get(&rig, "/gone"), TW_E_DATA);
	assert_non_null(strstr(rig.e.msg, "/gone"));
	assert_non_null(strstr(rig.e.msg, "404"));
	assert_null(strstr(rig.e.msg, "secret"));
	assert_int_equal(get(&rig, "/locked"), TW_E_CONFIG);
	assert_null(strstr(rig.e.msg, "secret"));
	assert_int_equal(rig.http->get(rig.client, "ftp://127.0.0.1/x", &rig.r, &rig.e), TW_E_CONFIG);
	assert_int_equal(rig.http->get(rig.client, "file:///etc/passwd", &rig.r, &rig.e), TW_E_CONFIG);
	assert_int_equal(rig.http->get(rig.client, "http://127.0.0.1:1/none", &rig.r, &rig.e), TW_E_IO);
	ext_free(rig.ext);
}

static void a_stop_ends_a_source_that_waits(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .rate = 0.001 });

	(void)state;
	assert_int_equal(get(&rig, "/page"), TW_OK);
	ext_stop(rig.ext);
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(paused, 0);
	assert_int_equal(requests, 1);
	ext_free(rig.ext);
}

static void a_client_outlives_the_plugins_open(void **state)
{
	struct rig rig = rig_new(PLUGIN_SOURCE, (struct tw_http_options){ .retries = -1 });
	struct tw_http_options o = { .struct_size = sizeof o, .retries = -1, .proxy = "" };
	struct tw_http_client *again;

	(void)state;
	fail_next(5, 500);
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(rig.http->client(rig.http, "c", &o, &again, &rig.e), TW_OK);
	assert_ptr_equal(again, rig.client);
	assert_int_equal(get(&rig, "/page"), TW_E_IO);
	assert_int_equal(requests, 5);
	ext_free(rig.ext);
}

static void a_detector_is_told_why_not(void **state)
{
	struct ext *x = ext_new(NULL, PLUGIN_DETECTOR, "test", "t");
	const struct tw_http *http = ext_find(x, "http/1");
	struct tw_http_client *c;
	struct tw_err e = { 0 };

	(void)state;
	assert_int_equal(http->client(http, "c", NULL, &c, &e), TW_E_FATAL);
	assert_non_null(strstr(e.msg, "must not block"));
	ext_free(x);
}

static int start(void **state)
{
	(void)state;
	fake = os_real;
	fake.mono = fake_mono;
	fake.pause = fake_pause;
	fake.random = fake_random;
	os = &fake;
	if (pipe(gate) != 0)
		return -1;
	server = serve(&port);
	other = serve(&other_port);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	MHD_stop_daemon(server);
	MHD_stop_daemon(other);
	close(gate[0]);
	close(gate[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_its_body_status_and_type),
		cmocka_unit_test(a_post_carries_its_body_and_headers),
		cmocka_unit_test(failures_are_retried_after_growing_random_pauses),
		cmocka_unit_test(retry_after_is_kept_to_within_its_bound),
		cmocka_unit_test(five_failures_open_the_breaker_for_a_minute),
		cmocka_unit_test(the_rate_is_that_of_the_bucket),
		cmocka_unit_test(what_has_not_changed_is_not_sent_again),
		cmocka_unit_test(a_bomb_and_half_a_body_are_errors),
		cmocka_unit_test(a_slow_server_costs_the_timeout_and_no_more),
		cmocka_unit_test(redirects_are_bounded_and_keep_keys_at_home),
		cmocka_unit_test(sentences_name_the_page_and_no_secret),
		cmocka_unit_test(a_stop_ends_a_source_that_waits),
		cmocka_unit_test(a_client_outlives_the_plugins_open),
		cmocka_unit_test(a_detector_is_told_why_not),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
