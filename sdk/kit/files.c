/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a test program, and texts that live as long as it does.
 */
#include "base/scratch.h"
#include "impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the whole program: there is one folder, however many tests it runs. */
static struct {
	char folder[4096];
	struct arena texts;
} kept;

static void end_of_program(void)
{
	if (kept.folder[0])
		scratch_remove(kept.folder);
	arena_free(&kept.texts);
}

static const char *fatal(const char *what, const char *path)
{
	fprintf(stderr, "tapewatch test: cannot %s %s: %m\n", what, path);
	exit(1);
}

const char *tw_folder(void)
{
	if (kept.folder[0])
		return kept.folder;
	if (!scratch_make(kept.folder, sizeof kept.folder, "test"))
		return fatal("make the folder", kept.folder);
	if (atexit(end_of_program) != 0)
		return fatal("remember to remove", kept.folder);
	return kept.folder;
}

const char *tw_format(const char *fmt, ...)
{
	char *text = NULL;
	const char *copy;
	va_list ap;
	int n;

	(void)tw_folder(); /* so that the arena is freed at the end */
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	copy = n < 0 ? NULL : arena_text(&kept.texts, text, (size_t)n);
	free(text);
	return copy ? copy : fatal("keep", "a text");
}

static const char *write_file(const char *path, const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		return fatal("write", path);
	return path;
}

const char *tw_file(const char *name, const char *text)
{
	return write_file(tw_format("%s/%s", tw_folder(), name), "we", text);
}

const char *tw_append(const char *path, const char *text)
{
	return write_file(path, "ae", text);
}

const char *tw_read(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf all = { 0 };
	const char *copy = "";
	size_t n;

	if (!f)
		return "";
	while (buf_reserve(&all, 65536) && (n = fread(all.data + all.len, 1, 65536, f)) > 0)
		all.len += n;
	fclose(f);
	(void)tw_folder();
	if (all.len)
		copy = arena_text(&kept.texts, (const char *)all.data, all.len);
	buf_free(&all);
	return copy ? copy : fatal("keep", path);
}

int tw_expect_file_(struct tw_test *t, const char *file, int line, const char *path, const char *part)
{
	const char *all;

	if (t->over)
		return 1;
	t->checks++;
	all = tw_read(path);
	return strstr(all, part) ? 0
				 : test_failed(t, file, line, "expected '%s' in %s, which holds:\n%s", part, path, all);
}
