/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics, values, secrets and models of an instance.
 */
#include "ext/ext.h"
#include "ext/kv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tapewatch/ext.h>
#include <unistd.h>

#include <cmocka.h>

static struct tw_err e;

/* ---- metrics ---- */

static char *page(struct services *s)
{
	struct buf out = { 0 };

	assert_int_equal(services_metrics(s, &out), 0);
	assert_int_equal(buf_add(&out, "", 1), 0);
	return (char *)out.data;
}

static void figures_appear_as_prometheus_reads_them(void **state)
{
	struct services *s = services_new();
	struct ext *x = ext_new(s, PLUGIN_SOURCE, "web-feed", "a\"b");
	const struct tw_metrics *m = ext_find(x, "metrics/1");
	const char *const side[] = { "side", "back\\slash\n", NULL };
	const double bounds[] = { 0.1, 1 };
	struct tw_metric *c = m->counter(m, "rows", "Rows.", side, &e), *g = m->gauge(m, "depth", "Depth.", NULL, &e);
	struct tw_metric *h = m->histogram(m, "wait_seconds", "Waits.", NULL, bounds, 2, &e);
	char *text;

	(void)state;
	m->add(c, 3);
	m->add(c, 4);
	m->set(g, -2.5);
	m->observe(h, 0.1); /* a bound belongs to its bucket */
	m->observe(h, 0.5);
	m->observe(h, 8);
	m->observe(h, (double)NAN);
	m->add(NULL, 1);
	m->add(g, 1); /* not a counter: nothing */
	text = page(s);
	assert_string_equal(text,
			    "# HELP tapewatch_plugin_web_feed_depth Depth.\n"
			    "# TYPE tapewatch_plugin_web_feed_depth gauge\n"
			    "tapewatch_plugin_web_feed_depth{instance=\"a\\\"b\"} -2.5\n"
			    "# HELP tapewatch_plugin_web_feed_rows_total Rows.\n"
			    "# TYPE tapewatch_plugin_web_feed_rows_total counter\n"
			    "tapewatch_plugin_web_feed_rows_total{instance=\"a\\\"b\",side=\"back\\\\slash\\n\"} 7\n"
			    "# HELP tapewatch_plugin_web_feed_wait_seconds Waits.\n"
			    "# TYPE tapewatch_plugin_web_feed_wait_seconds histogram\n"
			    "tapewatch_plugin_web_feed_wait_seconds_bucket{instance=\"a\\\"b\",le=\"0.1\"} 1\n"
			    "tapewatch_plugin_web_feed_wait_seconds_bucket{instance=\"a\\\"b\",le=\"1\"} 2\n"
			    "tapewatch_plugin_web_feed_wait_seconds_bucket{instance=\"a\\\"b\",le=\"+Inf\"} 3\n"
			    "tapewatch_plugin_web_feed_wait_seconds_sum{instance=\"a\\\"b\"} 8.6\n"
			    "tapewatch_plugin_web_feed_wait_seconds_count{instance=\"a\\\"b\"} 3\n");
	free(text);
	ext_free(x);
	text = page(s);
	assert_string_equal(text, ""); /* with the last who registered it */
	free(text);
	services_free(s);
}

static void a_figure_goes_on_over_a_reload(void **state)
{
	struct services *s = services_new();
	struct ext *old = ext_new(s, PLUGIN_DETECTOR, "p", "d"), *young = ext_new(s, PLUGIN_DETECTOR, "p", "d");
	const struct tw_metrics *a = ext_find(old, "metrics/1"), *b = ext_find(young, "metrics/1");
	struct tw_metric *first = a->counter(a, "n", "N.", NULL, &e);
	char *text;

	(void)state;
	a->add(first, 5);
	assert_ptr_equal(a->counter(a, "n", "N.", NULL, &e), first);
	assert_ptr_equal(b->counter(b, "n", "N.", NULL, &e), first);
	ext_free(old);
	b->add(first, 1);
	text = page(s);
	assert_non_null(strstr(text, "tapewatch_plugin_p_n_total{instance=\"d\"} 6\n"));
	free(text);
	ext_free(young);
	services_free(s);
}

static void a_metric_that_breaks_a_rule_is_refused(void **state)
{
	struct services *s = services_new();
	struct ext *x = ext_new(s, PLUGIN_SINK, "p", "d");
	const struct tw_metrics *m = ext_find(x, "metrics/1");
	const char *const own[] = { "instance", "x", NULL }, *const twice[] = { "a", "1", "a", "2", NULL };
	const double down[] = { 2, 1 };
	char name[16];

	(void)state;
	assert_null(m->counter(m, "Bad", "B.", NULL, &e));
	assert_null(m->counter(m, "ok", "", NULL, &e));
	assert_null(m->counter(m, "ok", "B.", own, &e));
	assert_null(m->counter(m, "ok", "B.", twice, &e));
	assert_null(m->histogram(m, "ok", "B.", NULL, down, 2, &e));
	assert_non_null(m->gauge(m, "taken", "T.", NULL, &e));
	assert_null(m->histogram(m, "taken", "T.", NULL, down + 1, 1, &e));
	assert_non_null(strstr(e.msg, "is a gauge already"));
	for (uint32_t i = 1; i < TW_METRIC_SERIES; i++) {
		(void)snprintf(name, sizeof name, "m%u", i);
		assert_non_null(m->counter(m, name, "M.", NULL, &e));
	}
	assert_null(m->counter(m, "one_more", "M.", NULL, &e));
	ext_free(x);
	services_free(s);
}

/* ---- values ---- */

struct marked {
	char text[256];
};

static bool take(void *arg, const struct source_value *v)
{
	struct marked *m = arg;
	size_t n = strlen(m->text);

	(void)snprintf(m->text + n, sizeof m->text - n, "%s=%.*s;", v->name, v->data ? (int)v->len : 1,
		       v->data ? (const char *)v->data : "-");
	return true;
}

static const char *value(const struct tw_kv *kv, const char *name)
{
	static char text[64];
	const void *data;
	uint64_t len;

	if (kv->get(kv, name, &data, &len) != TW_OK)
		return NULL;
	(void)snprintf(text, sizeof text, "%.*s", (int)len, (const char *)data);
	return text;
}

static void values_go_with_the_mark_and_come_back_without_it(void **state)
{
	struct ext *x = ext_new(NULL, PLUGIN_SOURCE, "p", "s");
	const struct tw_kv *kv = ext_find(x, "kv/1");
	struct marked m = { "" };

	(void)state;
	assert_int_equal(kv_load(ext_kv(x), &(struct source_value){ "s", "b", "old", 3 }, &e), TW_OK);
	assert_string_equal(value(kv, "b"), "old");
	assert_int_equal(kv->put(kv, "a", "1", 1, &e), TW_OK);
	assert_int_equal(kv->put(kv, "a", "2", 1, &e), TW_OK);
	assert_int_equal(kv->remove(kv, "b", &e), TW_OK);
	assert_null(value(kv, "b"));
	assert_string_equal(kv->next(kv, NULL), "a");
	assert_null(kv->next(kv, "a"));
	kv_rewind(ext_kv(x));
	assert_string_equal(value(kv, "b"), "old");
	assert_null(value(kv, "a"));
	assert_int_equal(kv->put(kv, "a", "3", 1, &e), TW_OK);
	assert_int_equal(kv->remove(kv, "b", &e), TW_OK);
	assert_true(kv_marked(ext_kv(x), take, &m));
	assert_string_equal(m.text, "a=3;b=-;");
	kv_rewind(ext_kv(x));
	assert_string_equal(value(kv, "a"), "3");
	assert_null(value(kv, "b"));
	m.text[0] = '\0';
	assert_true(kv_marked(ext_kv(x), take, &m));
	assert_string_equal(m.text, ""); /* nothing twice */
	ext_free(x);
}

static void values_have_limits(void **state)
{
	static char large[TW_KV_VALUE + 1];
	struct ext *x = ext_new(NULL, PLUGIN_SOURCE, "p", "s");
	const struct tw_kv *kv = ext_find(x, "kv/1");
	char name[128];

	(void)state;
	assert_int_equal(kv->put(kv, "v", large, sizeof large, &e), TW_E_DATA);
	assert_int_equal(kv->put(kv, "", "x", 1, &e), TW_E_DATA);
	assert_int_equal(kv->put(kv, "a\nb", "x", 1, &e), TW_E_DATA);
	memset(name, 'n', sizeof name);
	name[101] = '\0';
	assert_int_equal(kv->put(kv, name, "x", 1, &e), TW_E_DATA);
	for (uint32_t i = 0; i < TW_KV_VALUES; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		assert_int_equal(kv->put(kv, name, "x", 1, &e), TW_OK);
	}
	assert_int_equal(kv->put(kv, "more", "x", 1, &e), TW_E_DATA);
	assert_int_equal(kv->put(kv, "7", "other", 5, &e), TW_OK);
	for (uint32_t i = 0; i < TW_KV_VALUES; i++) {
		(void)snprintf(name, sizeof name, "%u", i);
		assert_int_equal(kv->remove(kv, name, &e), TW_OK);
	}
	kv_polling(ext_kv(x));
	for (uint32_t i = 0; i < 63; i++)
		assert_int_equal(kv->put(kv, "v", large, TW_KV_VALUE, &e), TW_OK);
	assert_int_equal(kv->put(kv, "v", large, TW_KV_VALUE, &e), TW_E_DATA); /* 4 MiB in one poll */
	kv_polling(ext_kv(x));
	assert_int_equal(kv->put(kv, "v", large, TW_KV_VALUE, &e), TW_OK);
	ext_free(x);
}

static void only_sources_have_values(void **state)
{
	struct ext *x = ext_new(NULL, PLUGIN_DETECTOR, "p", "s");

	(void)state;
	assert_null(ext_find(x, "kv/1"));
	assert_null(ext_find(x, "http/2"));
	ext_free(x);
}

/* ---- files ---- */

static char dir[64];

static void put(const char *name, const char *text)
{
	char path[128], fresh[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)snprintf(fresh, sizeof fresh, "%s/fresh", dir);
	f = fopen(fresh, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	assert_int_equal(chmod(fresh, 0600), 0);
	assert_int_equal(rename(fresh, path), 0);
}

static void drop(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)unlink(path);
}

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/tapewatch-ext-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	drop("key");
	drop("m");
	drop("m.version");
	drop("m.sha256");
	return rmdir(dir);
}

static void a_secret_is_renewed_with_its_file(void **state)
{
	struct ext *x = ext_new(NULL, PLUGIN_SOURCE, "p", "s");
	const struct tw_secrets *all = ext_find(x, "secrets/1");
	struct tw_secret *s;
	char what[128];

	(void)state;
	(void)snprintf(what, sizeof what, "file:%s/key", dir);
	assert_null(all->open(all, what, &e));
	put("key", "first\n");
	s = all->open(all, what, &e);
	assert_non_null(s);
	assert_string_equal(all->get(s), "first");
	put("key", "second\r\n");
	assert_string_equal(all->get(s), "second");
	put("key", "\n");
	assert_string_equal(all->get(s), "second"); /* what is no secret is not taken */
	drop("key");
	assert_string_equal(all->get(s), "second");
	assert_ptr_equal(all->open(all, what, &e), s);
	setenv("TAPEWATCH_TEST_KEY", "third", 1);
	s = all->open(all, "env:TAPEWATCH_TEST_KEY", &e);
	assert_string_equal(all->get(s), "third");
	assert_null(all->open(all, "env:TAPEWATCH_TEST_NONE", &e));
	assert_null(all->open(all, "plain text", &e));
	assert_null(strstr(e.msg, "plain text")); /* perhaps it was one */
	ext_free(x);
}

static void a_model_has_its_digest_version_and_generation(void **state)
{
	/* echo -n 'weights 1' | sha256sum */
	static const char hex[] = "3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915";
	struct services *all = services_new();
	struct ext *x = ext_new(all, PLUGIN_SOURCE, "p", "s"), *y = ext_new(all, PLUGIN_SINK, "p", "t");
	const struct tw_model *m = ext_find(x, "model/1"), *n = ext_find(y, "model/1");
	const struct tw_model_file *f, *g;
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/m", dir);
	assert_null(m->open(m, path, 100, &e));
	put("m", "weights 1");
	assert_null(m->open(m, path, 8, &e)); /* larger than it may be */
	f = m->open(m, path, 9, &e);
	assert_non_null(f);
	assert_memory_equal(f->bytes, "weights 1", 9);
	assert_int_equal(f->len, 9);
	assert_string_equal(f->digest, hex);
	assert_int_equal(f->generation, 1);
	assert_int_equal(strlen(f->version), 12);
	assert_memory_equal(f->version, hex, 12);
	assert_int_equal(m->refresh(m, &f, &e), TW_AGAIN);
	put("m.version", "2026-11 b\nmore\n");
	put("m", "weights 2");
	g = n->open(n, path, 9, &e);
	assert_int_equal(g->generation, 2);
	assert_memory_equal(f->bytes, "weights 1", 9); /* stays for whom it was opened */
	assert_int_equal(m->refresh(m, &f, &e), TW_OK);
	assert_memory_equal(f->bytes, "weights 2", 9);
	assert_string_equal(f->version, "2026-11 b");
	assert_int_equal(f->generation, 2);
	put("m.sha256", hex); /* of the first */
	put("m", "weights 3");
	assert_true(m->refresh(m, &f, &e) < 0);
	assert_memory_equal(f->bytes, "weights 2", 9);
	assert_non_null(strstr(e.msg, "digest"));
	put("m", "weights 1");
	assert_int_equal(m->refresh(m, &f, &e), TW_OK);
	assert_int_equal(f->generation, 3);
	ext_free(x);
	ext_free(y);
	services_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_appear_as_prometheus_reads_them),
		cmocka_unit_test(a_figure_goes_on_over_a_reload),
		cmocka_unit_test(a_metric_that_breaks_a_rule_is_refused),
		cmocka_unit_test(values_go_with_the_mark_and_come_back_without_it),
		cmocka_unit_test(values_have_limits),
		cmocka_unit_test(only_sources_have_values),
		cmocka_unit_test_setup_teardown(a_secret_is_renewed_with_its_file, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_model_has_its_digest_version_and_generation, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
