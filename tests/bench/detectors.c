/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector costs an event: ns inside process(), for each shared object given, over quotes of 200 symbols in
 * batches of 256, medians of interleaved runs. Linked to nothing but dlopen(); options keep their defaults but for
 * those given.
 *
 *   detectors PLUGIN.so[:name=value,...] ...
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <time.h>

enum { EVENTS = 1 << 17, SYMBOLS = 200, BATCH = 256, RUNS = 31, DETECTORS = 32 };

struct bench {
	const struct tw_detector *detector;
	void *self;
	struct tw_ctx ctx;
	uint64_t counters[32];
	unsigned char *states;
	uint64_t alerts;
	double ns[RUNS];
};

static struct tw_quote quotes[EVENTS];
static struct tw_event batch_events[BATCH]; /* the host decodes each batch into the same place */
static const struct tw_event *pointers[BATCH];
static uint64_t seed = 1;

static double uniform(void) /* xorshift */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) * 0x1p-53;
}

static int32_t on_alert(struct tw_ctx *c, const struct tw_event *ev, const struct tw_finding *f, const char *fmt, ...)
{
	(void)ev, (void)f, (void)fmt;
	((struct bench *)((char *)c - offsetof(struct bench, ctx)))->alerts++;
	return TW_OK;
}

static int32_t on_emit(struct tw_ctx *c, const struct tw_event *ev)
{
	(void)c, (void)ev;
	return TW_OK;
}

static void on_timer(struct tw_ctx *c, int64_t due)
{
	(void)c, (void)due;
}

static const char *on_name(const struct tw_host *h, uint32_t id)
{
	(void)h, (void)id;
	return "EUR/USD";
}

static const struct tw_host host = { .struct_size = sizeof host,
				     .abi = TW_ABI,
				     .alert = on_alert,
				     .emit = on_emit,
				     .timer = on_timer,
				     .name = on_name,
				     .instance = "bench" };

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* What these detectors use, without the units of sizes. */
static int set_option(const struct tw_option *o, const char *def, void *self)
{
	static const char *items[64];
	static int n_items;
	char *end = NULL;
	int64_t i = 0;
	double f = 0;
	struct tw_list list = { &items[n_items], 1 };
	void *at = (char *)self + o->offset;

	if (!def)
		return -1;
	switch (o->type) {
	case TW_T_FLOAT:
		f = strtod(def, &end);
		memcpy(at, &f, sizeof f);
		return 0;
	case TW_T_LIST:
		if (n_items == 64)
			return -1;
		items[n_items++] = def;
		memcpy(at, &list, sizeof list);
		return 0;
	case TW_T_ENUM:
		for (const char *s = o->min; s && strncmp(s, def, strlen(def)); i++) {
			s = strchr(s, '|');
			s = s ? s + 1 : NULL;
		}
		break;
	case TW_T_BOOL:
		i = !strcmp(def, "true");
		break;
	case TW_T_INT:
	case TW_T_DURATION:
		i = strtoll(def, &end, 10);
		if (o->type == TW_T_DURATION && *end)
			i *= *end == 'd'     ? 86400000000000
			     : *end == 'h'   ? 3600000000000
			     : end[1] == 's' ? 1000000
			     : *end == 'm'   ? 60000000000
					     : 1000000000;
		break;
	default:
		return -1;
	}
	memcpy(at, &i, sizeof i);
	return 0;
}

static int set_given(const struct tw_option *o, char *given, void *self)
{
	const struct tw_option *first = o;

	for (; given && *given; o = first) {
		char *value = strchr(given, '='), *end = value ? strchr(value, ',') : NULL;
		if (!value)
			return -1;
		*value++ = '\0';
		if (end)
			*end++ = '\0';
		for (; o->type != TW_T_END && strcmp(o->name, given); o++)
			;
		if (o->type == TW_T_END || set_option(o, value, self) < 0)
			return -1;
		given = end;
	}
	return 0;
}

static int load(struct bench *b, char *path)
{
	char *given = strchr(path, ':');
	void *library, *symbol;
	tw_plugin_fn *fn;
	struct tw_err e = { 0 };
	uint32_t size;

	if (given)
		*given++ = '\0';
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	symbol = library ? dlsym(library, "tw_plugin") : NULL;
	if (!symbol) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	memcpy(&fn, &symbol, sizeof fn);
	b->detector = fn()->detectors[0];
	b->self = calloc(1, b->detector->self_size);
	if (!b->self)
		return -1;
	for (const struct tw_option *o = b->detector->options; o->type != TW_T_END; o++)
		if (set_option(o, o->def, b->self) < 0) {
			fprintf(stderr, "%s: cannot set option %s\n", path, o->name);
			return -1;
		}
	if (set_given(b->detector->options, given, b->self) < 0) {
		fprintf(stderr, "%s: cannot set what is given\n", path);
		return -1;
	}
	if ((b->detector->check && b->detector->check(b->self, &e) < 0) ||
	    (b->detector->open && b->detector->open(b->self, &host, &e) < 0)) {
		fprintf(stderr, "%s: %s\n", path, e.msg);
		return -1;
	}
	size = b->detector->state_size_of ? b->detector->state_size_of(b->self) : b->detector->state_size;
	size = ((size + 15) & ~15u) + 64; /* a header of the host's lies between */
	b->states = aligned_alloc(64, ((size_t)size * SYMBOLS + 63) & ~(size_t)63);
	if (!b->states)
		return -1;
	memset(b->states, 0, (size_t)size * SYMBOLS);
	b->ctx = (struct tw_ctx){
		.struct_size = sizeof b->ctx, .host = &host, .self = b->self, .counters = b->counters
	};
	return (int)size;
}

static double run(struct bench *b, int size)
{
	void *states[BATCH];
	int64_t spent = 0;

	for (uint32_t i = 0; i < EVENTS; i += BATCH) {
		struct tw_batch batch = { sizeof batch, BATCH, pointers, states };
		int64_t start;
		for (uint32_t j = 0; j < BATCH; j++) {
			batch_events[j].ts = 1700000000000000000 + (i + j) * 1000000LL;
			batch_events[j].quote = quotes[i + j];
			states[j] = b->states + (size_t)size * (quotes[i + j].symbol - 1) + 64;
		}
		start = now();
		(void)b->detector->process(&b->ctx, &batch);
		spent += now() - start;
	}
	return (double)spent / EVENTS;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct bench list[DETECTORS];
	int sizes[DETECTORS], n = argc - 1 < DETECTORS ? argc - 1 : DETECTORS;
	double price[SYMBOLS], clock_ns = 0;

	for (int i = 0; i < SYMBOLS; i++)
		price[i] = 1 + uniform();
	for (int i = 0; i < EVENTS; i++) {
		uint32_t s = (uint32_t)(uniform() * SYMBOLS);
		price[s] *= 1 + (uniform() + uniform() + uniform() - 1.5) * 1e-4;
		quotes[i] = (struct tw_quote){ .symbol = s + 1,
					       .bid = price[s],
					       .ask = price[s] + 1e-5 * (1 + (int)(3 * uniform())),
					       .bid_size = (double)(int)(100 * uniform() * uniform()) + 1,
					       .ask_size = (double)(int)(100 * uniform() * uniform()) + 1 };
	}
	for (int i = 0; i < BATCH; i++) {
		batch_events[i].struct_size = sizeof batch_events[i];
		batch_events[i].kind = TW_QUOTE;
		pointers[i] = &batch_events[i];
	}
	for (int i = 0; i < n; i++) {
		sizes[i] = load(&list[i], argv[i + 1]);
		if (sizes[i] < 0)
			return 2;
	}
	for (int i = 0; i < 100000; i++) {
		int64_t start = now();
		clock_ns += (double)(now() - start) / 100000;
	}
	for (int r = 0; r < RUNS; r++)
		for (int i = 0; i < n; i++)
			list[i].ns[r] = run(&list[i], sizes[i]) - clock_ns / BATCH;
	printf("%-16s %8s %8s %8s %14s\n", "detector", "median", "best", "state", "alerts");
	for (int i = 0; i < n; i++) {
		qsort(list[i].ns, RUNS, sizeof(double), by_size);
		printf("%-16s %5.1f ns %5.1f ns %6d B %7.2f / 1000\n", list[i].detector->name, list[i].ns[RUNS / 2],
		       list[i].ns[0], sizes[i] - 64, 1000.0 * (double)list[i].alerts / RUNS / EVENTS);
	}
	printf("(%d quotes of %d symbols, batches of %d, %d runs)\n", EVENTS, SYMBOLS, BATCH, RUNS);
	return 0;
}
