/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of plugin files: a folder for each test, plugins in it, and what is said about them.
 */
#ifndef TEST_PLUGIN_KIT_H
#define TEST_PLUGIN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/internal.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder of its own for each test ---- */

static char folder[64];

static inline int make_folder(void **state)
{
	(void)state;
	memcpy(folder, "/tmp/tapewatch-test-XXXXXX", sizeof "/tmp/tapewatch-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int remove_folder(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in_folder(const char *name)
{
	static char path[200];

	assert_true(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
	return path;
}

static inline void write_file(const char *name, const void *data, size_t n)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	assert_int_equal(close(fd), 0);
}

/* A test plugin's bytes, to be changed and written to the folder. */
static inline unsigned char *read_plugin(const char *name, size_t *len)
{
	char path[400];
	unsigned char *bytes;
	struct stat st;
	FILE *f;

	assert_true(snprintf(path, sizeof path, "%s/%s.so", TEST_PLUGIN_DIR, name) < (int)sizeof path);
	assert_int_equal(stat(path, &st), 0);
	f = fopen(path, "rb");
	assert_non_null(f);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	*len = fread(bytes, 1, (size_t)st.st_size, f);
	assert_int_equal(*len, st.st_size);
	fclose(f);
	return bytes;
}

static inline void copy_plugin(const char *name, const char *as)
{
	size_t len;
	unsigned char *bytes = read_plugin(name, &len);

	write_file(as, bytes, len);
	free(bytes);
}

/* ---- asking ---- */

static inline struct plugins *plugins_in(const char *where)
{
	const char *const folders[] = { where, NULL };
	struct plugins *ps = plugins_new(folders);

	assert_non_null(ps);
	return ps;
}

/* The plugin is refused, and the sentence says all of the texts (NULL-terminated). */
static inline void refused_in(const char *where, enum plugin_kind kind, const char *name, const char *const *texts)
{
	struct plugins *ps = plugins_in(where);
	struct tw_err e = { 0 };

	assert_null(plugins_get(ps, kind, name, &e));
	assert_true(e.code < 0);
	for (; *texts; texts++)
		if (!strstr(e.msg, *texts))
			fail_msg("'%s' does not say '%s'", e.msg, *texts);
	plugins_free(ps);
}

#define refused(name, ...)                                                                                             \
	refused_in(TEST_PLUGIN_DIR, PLUGIN_DETECTOR, name, (const char *const[]){ __VA_ARGS__, NULL })
#define refused_here(name, ...) refused_in(folder, PLUGIN_SINK, name, (const char *const[]){ __VA_ARGS__, NULL })

#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
