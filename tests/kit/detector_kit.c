/* SPDX-License-Identifier: Apache-2.0
 *
 * A host for one detector, see detector_kit.h.
 */
#include "detector_kit.h"
#include "config/config.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct kit_key {
	uint32_t symbol, account;
	int64_t due; /* 0: no timer */
	_Alignas(16) unsigned char state[];
};

struct kit_now { /* the batch or timer the plugin is called for */
	const struct tw_batch *batch;
	struct kit_key **keys; /* of the batch's events */
	uint32_t first;        /* number of the batch's first event */
	struct kit_key *timer;
	int64_t due;
};

static struct detector_kit *kit_of(const struct tw_host *h)
{
	return (struct detector_kit *)(uintptr_t)((const char *)h - offsetof(struct detector_kit, host));
}

static void *grown(void *list, uint32_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	list = realloc(list, (n ? 2 * (size_t)n : 1) * size);
	assert_non_null(list);
	return list;
}

static void TW_PRINTF(3, 4) host_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	(void)h, (void)level, (void)fmt;
}

static uint32_t number_of(const struct detector_kit *k, const struct tw_event *ev)
{
	const struct kit_now *now = k->judging;

	assert_non_null(now);
	if (now->timer) {
		assert_null(ev);
		return KIT_NO_EVENT;
	}
	assert_true(k->ctx.i < now->batch->n);
	if (ev)
		assert_ptr_equal(ev, now->batch->ev[k->ctx.i]);
	return now->first + k->ctx.i;
}

static int32_t TW_PRINTF(4, 5)
	host_alert(struct tw_ctx *c, const struct tw_event *ev, const struct tw_finding *f, const char *fmt, ...)
{
	struct detector_kit *k = kit_of(c->host);
	struct kit_alert a = { .event = number_of(k, ev), .finding = *f };
	const struct kit_key *key;
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	assert_in_range(vsnprintf(text, sizeof text, fmt, ap), 1, 499);
	va_end(ap);
	assert_int_equal(f->struct_size, sizeof *f);
	key = a.event == KIT_NO_EVENT ? k->judging->timer : k->judging->keys[c->i];
	a.ts = a.event == KIT_NO_EVENT ? k->judging->due : ev->ts;
	a.key = c->host->name(c->host, key->symbol ? key->symbol : key->account);
	a.type = arena_text(&k->arena, f->type ? f->type : "", f->type ? strlen(f->type) : 0);
	a.text = arena_text(&k->arena, text, strlen(text));
	k->alerts = grown(k->alerts, k->n_alerts, sizeof *k->alerts);
	k->alerts[k->n_alerts++] = a;
	return TW_OK;
}

static int32_t host_emit(struct tw_ctx *c, const struct tw_event *ev)
{
	struct detector_kit *k = kit_of(c->host);
	struct kit_score s = { .event = number_of(k, NULL), .score = ev->score };

	assert_int_equal(ev->kind, TW_SCORE);
	assert_true(k->detector->emits & TW_SCORE);
	s.n_features = ev->score.n_features < 16 ? ev->score.n_features : 16;
	if (s.n_features)
		memcpy(s.features, ev->score.features, s.n_features * sizeof(double));
	k->scores = grown(k->scores, k->n_scores, sizeof *k->scores);
	k->scores[k->n_scores++] = s;
	return TW_OK;
}

static void host_timer(struct tw_ctx *c, int64_t due)
{
	struct detector_kit *k = kit_of(c->host);

	assert_non_null(k->judging);
	(k->judging->timer ? k->judging->timer : k->judging->keys[c->i])->due = due;
}

static const char *host_name(const struct tw_host *h, uint32_t id)
{
	const struct detector_kit *k = kit_of(h);

	return id && id <= k->n_names ? k->names[id - 1] : "";
}

static int64_t host_wall(const struct tw_host *h)
{
	(void)h;
	fail_msg("a detector asked for the wall clock");
	return 0;
}

static const void *host_extension(const struct tw_host *h, const char *id)
{
	(void)h, (void)id;
	return NULL;
}

static const struct tw_option *option_named(const struct detector_kit *k, const char *name)
{
	for (const struct tw_option *o = k->detector->options; o && o->type != TW_T_END; o++)
		if (!strcmp(o->name, name))
			return o;
	fail_msg("detector %s has no option %s", k->detector->name, name);
	return NULL;
}

static void set_option(struct detector_kit *k, const struct tw_option *o, const char *text)
{
	const char *wrong = option_parse(o, text, k->self, &k->arena);

	if (wrong)
		fail_msg("option %s of %s: '%s': %s", o->name, k->detector->name, text, wrong);
}

/* A list is written "a,b"; option_parse() takes one item. */
static void set_list(struct detector_kit *k, const struct tw_option *o, const char *text)
{
	const char **items = arena_alloc(&k->arena, 16 * sizeof *items);
	struct tw_list list = { items, 0 };

	for (size_t len; *text && list.n < 16; text += len + (text[len] == ',')) {
		len = strcspn(text, ",");
		items[list.n++] = arena_text(&k->arena, text, len);
	}
	memcpy((char *)k->self + o->offset, &list, sizeof list);
}

int32_t detector_kit_check(struct detector_kit *k, const char *dir, const char *name, const char *const *options)
{
	const struct tw_manifest *m;
	tw_plugin_fn *fn;
	const char *wrong;
	void *symbol;
	char path[4096];

	memset(k, 0, sizeof *k);
	snprintf(path, sizeof path, "%s/%s.so", dir, name);
	k->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!k->library)
		fail_msg("%s", dlerror());
	symbol = dlsym(k->library, "tw_plugin");
	assert_non_null(symbol);
	memcpy(&fn, &symbol, sizeof fn);
	m = fn();
	assert_int_equal(m->magic, TW_MAGIC);
	k->detector = m->detectors[0];
	assert_string_equal(k->detector->name, name);
	k->self = calloc(1, k->detector->self_size);
	assert_non_null(k->self);
	wrong = options_lint(k->detector->options, k->detector->option_size, &k->arena);
	if (wrong)
		fail_msg("the options of %s: %s", name, wrong);
	for (const struct tw_option *o = k->detector->options; o && o->type != TW_T_END; o++) {
		if (o->def && o->type == TW_T_LIST)
			set_list(k, o, o->def);
		else if (o->def)
			set_option(k, o, o->def);
	}
	for (; options && options[0]; options += 2) {
		const struct tw_option *o = option_named(k, options[0]);
		if (o->type == TW_T_LIST)
			set_list(k, o, options[1]);
		else
			set_option(k, o, options[1]);
	}
	return k->detector->check ? k->detector->check(k->self, &k->err) : TW_OK;
}

void detector_kit_load(struct detector_kit *k, const char *dir, const char *name, const char *const *options)
{
	if (detector_kit_check(k, dir, name, options) < 0)
		fail_msg("%s: %s", name, k->err.msg);
	k->host = (struct tw_host){ .struct_size = sizeof k->host,
				    .abi = TW_ABI,
				    .log = host_log,
				    .alert = host_alert,
				    .emit = host_emit,
				    .timer = host_timer,
				    .name = host_name,
				    .wall = host_wall,
				    .extension = host_extension,
				    .instance = name };
	k->ctx = (struct tw_ctx){
		.struct_size = sizeof k->ctx, .host = &k->host, .self = k->self, .counters = k->counters
	};
	k->now = INT64_MIN;
	if (k->detector->open && k->detector->open(k->self, &k->host, &k->err) < 0)
		fail_msg("%s: %s", name, k->err.msg);
}

void detector_kit_reset(struct detector_kit *k)
{
	for (uint32_t i = 0; i < k->n_keys; i++)
		free(k->keys[i]);
	free(k->keys);
	free(k->alerts);
	free(k->scores);
	k->keys = NULL;
	k->alerts = NULL;
	k->scores = NULL;
	k->n_keys = k->n_alerts = k->n_scores = k->fed = 0;
	k->now = INT64_MIN;
	memset(k->counters, 0, sizeof k->counters);
}

void detector_kit_free(struct detector_kit *k)
{
	detector_kit_reset(k);
	if (k->detector && k->detector->close)
		k->detector->close(k->self);
	for (uint32_t i = 0; i < k->n_names; i++)
		free(k->names[i]);
	free(k->names);
	free(k->self);
	arena_free(&k->arena);
	dlclose(k->library);
}

uint32_t detector_kit_name(struct detector_kit *k, const char *text)
{
	for (uint32_t i = 0; i < k->n_names; i++)
		if (!strcmp(k->names[i], text))
			return i + 1;
	k->names = grown(k->names, k->n_names, sizeof *k->names);
	k->names[k->n_names] = strdup(text);
	assert_non_null(k->names[k->n_names]);
	return ++k->n_names;
}

static void ids_of(const struct tw_event *ev, uint32_t *symbol, uint32_t *account)
{
	*symbol = *account = 0;
	switch (ev->kind) {
	case TW_QUOTE:
		*symbol = ev->quote.symbol;
		break;
	case TW_TRADE:
		*symbol = ev->trade.symbol;
		*account = ev->trade.account;
		break;
	case TW_BAR:
		*symbol = ev->bar.symbol;
		break;
	case TW_DEAL:
		*symbol = ev->deal.symbol;
		*account = ev->deal.account;
		break;
	case TW_ACCOUNT:
		*account = ev->account.account;
		break;
	case TW_SCORE:
		*symbol = ev->score.symbol;
		*account = ev->score.account;
		break;
	default:
		break;
	}
}

static struct kit_key *key_of(struct detector_kit *k, const struct tw_event *ev)
{
	const char *by = k->key ? k->key : k->detector->key;
	uint32_t symbol, account, size;
	struct kit_key *key;

	ids_of(ev, &symbol, &account);
	if (!by || !strstr(by, "symbol"))
		symbol = 0;
	if (!by || !strstr(by, "account"))
		account = 0;
	for (uint32_t i = k->n_keys; i > 0; i--)
		if (k->keys[i - 1]->symbol == symbol && k->keys[i - 1]->account == account)
			return k->keys[i - 1];
	size = k->detector->state_size_of ? k->detector->state_size_of(k->self) : k->detector->state_size;
	assert_in_range(size, 0, 65536);
	/* exactly as large as asked for, so that the address sanitizer sees a step outside */
	key = aligned_alloc(16, (sizeof *key + size + 15) & ~(size_t)15);
	assert_non_null(key);
	memset(key, 0, sizeof *key + size);
	key->symbol = symbol;
	key->account = account;
	k->keys = grown(k->keys, k->n_keys, sizeof *k->keys);
	return k->keys[k->n_keys++] = key;
}

static int32_t fire_timers(struct detector_kit *k)
{
	int32_t rc = TW_OK;

	for (;;) {
		struct kit_key *next = NULL;
		struct kit_now now = { 0 };
		int32_t r;
		for (uint32_t i = 0; i < k->n_keys; i++)
			if (k->keys[i]->due && k->keys[i]->due <= k->now && (!next || k->keys[i]->due < next->due))
				next = k->keys[i];
		if (!next)
			return rc;
		now.timer = next;
		now.due = next->due;
		next->due = 0;
		k->judging = &now;
		k->ctx.now = now.due;
		r = k->detector->timer(&k->ctx, next->state, now.due);
		k->judging = NULL;
		if (r < 0)
			rc = r;
	}
}

static int32_t judge(struct detector_kit *k, const struct tw_event *const *ev, struct kit_key **keys, uint32_t n,
		     uint32_t first)
{
	void *states[1024];
	struct tw_batch b = { sizeof b, n, ev, states };
	struct kit_now now = { .batch = &b, .keys = keys, .first = first };
	int32_t rc;

	for (uint32_t i = 0; i < n; i++)
		states[i] = keys[i]->state;
	k->judging = &now;
	k->ctx.i = 0;
	k->ctx.now = k->detector->timer ? k->now : 0;
	rc = k->detector->process(&k->ctx, &b);
	k->judging = NULL;
	return rc;
}

int32_t detector_kit_feed(struct detector_kit *k, const struct tw_event *ev, uint32_t n, uint32_t batch)
{
	const struct tw_event *chosen[1024];
	struct kit_key *keys[1024];
	uint32_t m = 0, first = 0;
	int32_t rc = TW_OK, r = TW_OK;

	assert_in_range(batch, 1, 1024);
	for (uint32_t i = 0; i < n; i++, k->fed++) {
		bool wanted = ev[i].kind & k->detector->kinds;
		if (m && (m == batch || !wanted || k->detector->timer)) { /* a batch is a run of wanted events */
			r = judge(k, chosen, keys, m, first);
			m = 0;
			rc = r < 0 ? r : rc;
		}
		if (ev[i].ts > k->now)
			k->now = ev[i].ts;
		if (k->detector->timer) {
			r = fire_timers(k);
			rc = r < 0 ? r : rc;
		}
		if (!wanted)
			continue;
		if (!m)
			first = k->fed;
		chosen[m] = &ev[i];
		keys[m++] = key_of(k, &ev[i]);
	}
	if (m)
		r = judge(k, chosen, keys, m, first);
	return r < 0 ? r : rc;
}

uint64_t detector_kit_counter(const struct detector_kit *k, const char *name)
{
	for (uint32_t i = 0; k->detector->counters && k->detector->counters[i]; i++)
		if (!strcmp(k->detector->counters[i], name))
			return k->counters[i];
	fail_msg("detector %s has no counter %s", k->detector->name, name);
	return 0;
}

int64_t detector_kit_column(struct detector_kit *k, const char *path, char separator, uint32_t column, double **ret)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	int64_t n = 0;
	double *values = NULL;

	if (!f)
		return -1;
	while (getline(&line, &cap, f) > 0) {
		const char *at = line;
		char *end;
		double v;
		for (uint32_t i = 0; at && i < column; i++) {
			at = strchr(at, separator);
			at = at ? at + 1 : NULL;
		}
		v = at ? strtod(at, &end) : 0;
		if (!at || end == at) /* a header */
			continue;
		values = grown(values, (uint32_t)n, sizeof *values);
		values[n++] = v;
	}
	free(line);
	fclose(f);
	*ret = arena_alloc(&k->arena, (size_t)(n ? n : 1) * sizeof **ret);
	if (n)
		memcpy(*ret, values, (size_t)n * sizeof **ret);
	free(values);
	return n;
}

const char *detector_kit_data(struct detector_kit *k, const char *source_dir, const char *file)
{
	const char *dir = getenv("TAPEWATCH_DATA");
	const char *path = dir ? arena_printf(&k->arena, "%s/%s", dir, file)
			       : arena_printf(&k->arena, "%s/../shared/data/%s", source_dir, file);
	FILE *f = fopen(path, "r");

	if (!f) {
		detector_kit_free(k);
		skip(); /* no real data here: set TAPEWATCH_DATA */
	}
	fclose(f);
	return path;
}

void detector_kit_expect(const struct detector_kit *k, const struct kit_expected *want, uint32_t n)
{
	for (uint32_t i = 0; i < n || i < k->n_alerts; i++) {
		const struct kit_alert *a = i < k->n_alerts ? &k->alerts[i] : NULL;
		if (!a || (i < n && want[i].event < a->event)) {
			fail_msg("no alert about event %u, expected score %.9g", want[i].event, want[i].score);
			return;
		}
		if (i >= n || want[i].event != a->event)
			fail_msg("alert about event %u that is not due: %s", a->event, a->text);
		if (want[i].type && strcmp(want[i].type, a->type))
			fail_msg("event %u: type %s, expected %s", a->event, a->type, want[i].type);
		if (!(fabs(a->finding.score - want[i].score) <= 1e-6 * fabs(want[i].score) + 1e-9))
			fail_msg("event %u: score %.12g, expected %.12g", a->event, a->finding.score, want[i].score);
	}
}

struct tw_event kit_quote(int64_t ts, uint32_t symbol, double bid, double ask)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_QUOTE, .ts = ts };

	ev.quote = (struct tw_quote){ .symbol = symbol, .bid = bid, .ask = ask, .bid_size = NAN, .ask_size = NAN };
	return ev;
}

struct tw_event kit_trade(int64_t ts, uint32_t symbol, double price, double size)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_TRADE, .ts = ts };

	ev.trade = (struct tw_trade){ .symbol = symbol, .price = price, .size = size };
	return ev;
}

struct tw_event kit_value(int64_t ts, uint32_t symbol, double value)
{
	struct tw_event ev = { .struct_size = sizeof ev, .kind = TW_SCORE, .ts = ts };

	ev.score = (struct tw_score){ .symbol = symbol, .score = value, .p_value = NAN };
	return ev;
}
