/* SPDX-License-Identifier: Apache-2.0
 *
 * A host for one source, see source_kit.h.
 */
#include "source_kit.h"
#include "config/config.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct source_kit *kit_of_host(const struct tw_host *h)
{
	return (struct source_kit *)(uintptr_t)((const char *)h - offsetof(struct source_kit, host));
}

static struct source_kit *kit_of(struct tw_writer *w)
{
	return (struct source_kit *)(void *)((char *)w - offsetof(struct source_kit, writer));
}

/* Room for one more element behind n. */
static void *grown(void *list, uint64_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	list = realloc(list, (n ? 2 * n : 1) * size);
	assert_non_null(list);
	return list;
}

static void TW_PRINTF(3, 4) host_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	struct source_kit *k = kit_of_host(h);
	char text[2048];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->lines = grown(k->lines, k->n_lines, sizeof *k->lines);
	k->lines[k->n_lines++] = arena_text(&k->arena, text, strlen(text));
}

static int64_t host_wall(const struct tw_host *h)
{
	return kit_of_host(h)->wall;
}

static const char *host_name(const struct tw_host *h, uint32_t id)
{
	return intern_name(kit_of_host(h)->intern, id);
}

static const void *host_extension(const struct tw_host *h, const char *id)
{
	(void)h, (void)id;
	return NULL;
}

static const char *kept(struct source_kit *k, const void *s, uint64_t len)
{
	const char *copy = arena_text(&k->arena, s ? s : "", s ? len : 0);

	assert_non_null(copy);
	return copy;
}

static void bury(struct source_kit *k, const char *reason, const char *where, const char *detail, const void *raw,
		 uint64_t len)
{
	k->dead = grown(k->dead, k->n_dead, sizeof *k->dead);
	k->dead[k->n_dead++] = (struct kit_dead){ kept(k, reason, strlen(reason)),
						  kept(k, where, where ? strlen(where) : 0),
						  kept(k, detail, detail ? strlen(detail) : 0),
						  kept(k, raw, len),
						  len,
						  k->n_events };
}

static void keep(struct source_kit *k, const unsigned char *bytes, size_t len)
{
	_Alignas(16) struct tw_event ev;
	struct tw_event *copy;
	size_t used;

	if (k->count_only && !k->each) {
		k->n_events++;
		return;
	}
	if (!k->count_only) { /* texts point into the bytes */
		unsigned char *own = arena_alloc(&k->arena, len);

		assert_non_null(own);
		memcpy(own, bytes, len);
		bytes = own;
	}
	used = event_decode(&ev, bytes, len, k->intern, k->count_only ? &k->scratch : &k->arena);
	assert_int_equal(used, len);
	if (k->each)
		k->each(k->arg, &ev);
	arena_reset(&k->scratch);
	if (k->count_only) {
		k->n_events++;
		return;
	}
	copy = arena_alloc(&k->arena, sizeof ev);
	assert_non_null(copy);
	*copy = ev;
	k->events = grown(k->events, k->n_events, sizeof(struct tw_event *));
	k->events[k->n_events++] = copy;
}

static int32_t writer_put(struct tw_writer *w, uint32_t kind, int64_t ts, const union tw_num *n, const struct tw_str *s)
{
	struct source_kit *k = kit_of(w);
	const struct kind *shape = kind_of(kind);
	struct tw_err e = { 0 };
	unsigned char *out;
	const char *fault;

	assert_non_null(shape);
	fault = event_check(shape, ts, n, s, &e);
	if (fault) {
		bury(k, fault, w->where, e.msg, w->raw, w->raw ? w->raw_len : 0);
		return TW_E_DATA;
	}
	k->bytes.len = 0;
	out = buf_reserve(&k->bytes, event_bound(shape, s));
	assert_non_null(out);
	keep(k, out, event_put(out, shape, ts, n, s));
	return TW_OK;
}

static int32_t writer_push(struct tw_writer *w, const void *msgpack, uint64_t len)
{
	struct source_kit *k = kit_of(w);
	struct tw_err e = { 0 };
	const char *fault;

	k->bytes.len = 0;
	fault = event_canonical(&k->bytes, msgpack, len, &e);
	if (fault) {
		bury(k, fault, w->where, e.msg, msgpack, len);
		return TW_E_DATA;
	}
	keep(k, k->bytes.data, k->bytes.len);
	return TW_OK;
}

static int32_t writer_mark(struct tw_writer *w, const struct tw_pos *pos)
{
	struct source_kit *k = kit_of(w);

	assert_in_range(pos->len, 1, sizeof pos->data);
	k->marks = grown(k->marks, k->n_marks, sizeof *k->marks);
	k->marks[k->n_marks++] = (struct kit_mark){ *pos, k->n_events, k->n_dead, k->skipped };
	return TW_OK;
}

static int32_t writer_reject(struct tw_writer *w, const char *reason, const char *where, const char *detail,
			     const void *raw, uint64_t len)
{
	struct source_kit *k = kit_of(w);

	bury(k, reason, where, detail, raw, len);
	return k->n_dead > k->max_bad ? TW_E_DATA : TW_OK;
}

static void writer_skip(struct tw_writer *w, uint64_t n)
{
	kit_of(w)->skipped += n;
}

static const struct tw_source *find(const struct tw_manifest *m, const char *name)
{
	assert_int_equal(m->magic, TW_MAGIC);
	for (const struct tw_source *const *s = m->sources; s && *s; s++)
		if (strcmp((*s)->name, name) == 0)
			return *s;
	fail_msg("the plugin has no source '%s'", name);
	return NULL;
}

/* The options as they stand in a configuration: two levels deeper. */
static void nest(struct buf *out, const char *yaml)
{
	assert_int_equal(buf_addf(out, "sources:\n  kit:\n"), 0);
	while (*yaml) {
		size_t n = strcspn(yaml, "\n");

		assert_int_equal(buf_addf(out, "    %.*s\n", (int)n, yaml), 0);
		yaml += n + (yaml[n] == '\n');
	}
}

int32_t source_kit_check(struct source_kit *k, const char *dir, const char *name, const char *yaml)
{
	struct config config = { 0 };
	struct report report = { 0 };
	struct buf nested = { 0 };
	struct binding binding;
	char path[4096];
	tw_plugin_fn *entry;
	int32_t rc = TW_OK;

	*k = (struct source_kit){ .max_bad = UINT64_MAX };
	snprintf(path, sizeof path, "%s/%s.so", dir, name);
	k->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!k->library)
		fail_msg("%s", dlerror());
	*(void **)&entry = dlsym(k->library, "tw_plugin");
	assert_non_null(entry);
	k->source = find(entry(), name);
	k->self = calloc(1, k->source->self_size);
	k->intern = intern_new(100000);
	assert_non_null(k->self);
	assert_non_null(k->intern);
	k->writer = (struct tw_writer){ .struct_size = sizeof k->writer,
					.put = writer_put,
					.push = writer_push,
					.mark = writer_mark,
					.reject = writer_reject,
					.skip = writer_skip };
	k->host = (struct tw_host){ .struct_size = sizeof k->host,
				    .abi = TW_ABI,
				    .log = host_log,
				    .name = host_name,
				    .wall = host_wall,
				    .extension = host_extension,
				    .instance = "kit" };
	binding = (struct binding){ k->source->options, k->source->option_size, k->self };
	nest(&nested, yaml);
	if (config_parse(&config, "options.yaml", (const char *)nested.data, nested.len, &report) != TW_OK ||
	    report.errors ||
	    options_bind(node_get(node_get(&config.root, "sources"), "kit"), &binding, 1, NULL, "source 'kit'",
			 &k->arena, &report)) {
		rc = k->err.code = TW_E_CONFIG;
		snprintf(k->err.msg, sizeof k->err.msg, "%s",
			 report.n ? report.list[0].text : "the options cannot be read");
	}
	buf_free(&nested);
	config_free(&config);
	report_free(&report);
	if (rc == TW_OK && k->source->check)
		rc = k->source->check(k->self, &k->err);
	return rc;
}

void source_kit_load(struct source_kit *k, const char *dir, const char *name, const char *yaml)
{
	if (source_kit_check(k, dir, name, yaml) != TW_OK)
		fail_msg("%s", k->err.msg);
}

int32_t source_kit_open(struct source_kit *k, const struct tw_pos *resume)
{
	return k->source->open ? k->source->open(k->self, &k->host, resume, &k->err) : TW_OK;
}

int32_t source_kit_poll(struct source_kit *k, uint32_t credit, int32_t timeout_ms)
{
	k->writer.credit = credit;
	return k->source->poll(k->self, &k->writer, timeout_ms, &k->err);
}

int32_t source_kit_run(struct source_kit *k, uint32_t credit)
{
	int32_t rc;

	do
		rc = source_kit_poll(k, credit, 0);
	while (rc == TW_OK);
	return rc;
}

int32_t source_kit_all(struct source_kit *k, uint32_t credit)
{
	int32_t rc = source_kit_open(k, NULL);

	if (rc == TW_OK) {
		rc = source_kit_run(k, credit);
		if (k->source->close)
			k->source->close(k->self);
	}
	return rc;
}

void source_kit_free(struct source_kit *k)
{
	free(k->self);
	free(k->events);
	free(k->dead);
	free(k->marks);
	free(k->lines);
	buf_free(&k->bytes);
	arena_free(&k->arena);
	arena_free(&k->scratch);
	intern_free(k->intern);
	if (k->library)
		dlclose(k->library);
	*k = (struct source_kit){ 0 };
}

const char *source_kit_name(const struct source_kit *k, uint32_t id)
{
	return intern_name(k->intern, id);
}

bool kit_text_is(struct tw_str t, const char *text)
{
	if (!text)
		return t.s == NULL;
	return t.s && t.len == strlen(text) && memcmp(t.s, text, t.len) == 0;
}

bool kit_same_event(const struct source_kit *a, const struct tw_event *x, const struct source_kit *b,
		    const struct tw_event *y)
{
	struct buf p = { 0 }, q = { 0 };
	bool same;

	assert_int_equal(event_encode(&p, x, a->intern), TW_OK);
	assert_int_equal(event_encode(&q, y, b->intern), TW_OK);
	same = p.len == q.len && memcmp(p.data, q.data, p.len) == 0;
	buf_free(&p);
	buf_free(&q);
	return same;
}

uint64_t source_kit_said(const struct source_kit *k, const char *text)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < k->n_lines; i++)
		n += strstr(k->lines[i], text) != NULL;
	return n;
}
