/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the csv source: a folder of its own for each test, files written into it, and one call that runs the
 * source over them.
 */
#ifndef TEST_SOURCE_CSV_KIT_H
#define TEST_SOURCE_CSV_KIT_H

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "source_kit.h"

struct world {
	char dir[64];
	struct source_kit kit, other;
};

static int enter(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	if (!w)
		return -1;
	snprintf(w->dir, sizeof w->dir, "/tmp/tapewatch-csv-XXXXXX");
	*state = w;
	return mkdtemp(w->dir) ? 0 : -1;
}

static int leave(void **state)
{
	struct world *w = *state;
	char path[512];
	DIR *d = opendir(w->dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", w->dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(w->dir);
	source_kit_free(&w->kit);
	source_kit_free(&w->other);
	free(w);
	return 0;
}

static inline void write_bytes(const struct world *w, const char *name, const void *data, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static inline void write_file(const struct world *w, const char *name, const char *text)
{
	write_bytes(w, name, text, strlen(text));
}

/* The libraries that the plugin itself uses, so that the tests need not be linked with them. */
static inline void *library_call(const char *library, const char *name)
{
	void *lib = dlopen(library, RTLD_NOW), *call;

	assert_non_null(lib);
	call = dlsym(lib, name);
	assert_non_null(call);
	return call;
}

static inline size_t pack_zstd(unsigned char *out, size_t room, const char *text, size_t n)
{
	size_t (*compress)(void *, size_t, const void *, size_t, int);

	*(void **)&compress = library_call("libzstd.so.1", "ZSTD_compress");
	return compress(out, room, text, n, 3);
}

static inline void write_gzip(const struct world *w, const char *name, const char *text, size_t n)
{
	void *(*open_file)(const char *, const char *);
	int (*write_to)(void *, const void *, unsigned), (*close_file)(void *);
	char path[512];
	void *f;

	*(void **)&open_file = library_call("libz.so.1", "gzopen");
	*(void **)&write_to = library_call("libz.so.1", "gzwrite");
	*(void **)&close_file = library_call("libz.so.1", "gzclose");
	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = open_file(path, "wb");
	assert_non_null(f);
	assert_int_equal(write_to(f, text, (unsigned)n), (int)n);
	assert_int_equal(close_file(f), 0);
}

static inline size_t read_back(const struct world *w, const char *name, void *out, size_t room)
{
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(out, 1, room, f);
	fclose(f);
	return n;
}

static inline void load(const struct world *w, struct source_kit *k, const char *path, const char *options)
{
	char yaml[2048];

	snprintf(yaml, sizeof yaml, "path: '%s/%s'\n%s", w->dir, path, options);
	source_kit_load(k, PLUGIN_DIR, "csv", yaml);
}

/* Run the source over a file or glob of the test's folder, to its end. */
static inline int32_t run(struct world *w, const char *path, const char *options)
{
	source_kit_free(&w->kit);
	load(w, &w->kit, path, options);
	return source_kit_all(&w->kit, 256);
}

/* Write one file and run over it; it must be read to its end without a dead letter. */
static inline void run_text(struct world *w, const char *name, const char *text, const char *options)
{
	write_file(w, name, text);
	if (run(w, name, options) != TW_DONE)
		fail_msg("%s", w->kit.err.msg);
	if (w->kit.n_dead)
		fail_msg("%s at %s: %s", w->kit.dead[0].reason, w->kit.dead[0].where, w->kit.dead[0].detail);
}

static inline const struct tw_event *event(const struct world *w, uint64_t i)
{
	assert_in_range(i + 1, 1, w->kit.n_events);
	return w->kit.events[i];
}

#define assert_name(w, id, text) assert_string_equal(source_kit_name(&(w)->kit, id), text)
#define assert_double(a, b) assert_true((a) == (b))
#define assert_absent(a) assert_true(isnan(a))
#define assert_dead(w, i, reason_, tail)                                                                               \
	do {                                                                                                           \
		assert_in_range((i) + 1, 1, (w)->kit.n_dead);                                                          \
		assert_string_equal((w)->kit.dead[i].reason, reason_);                                                 \
		assert_non_null(strstr((w)->kit.dead[i].where, tail));                                                 \
	} while (0)

#define SECOND INT64_C(1000000000)
#define MILLI  INT64_C(1000000)

#endif
