/* SPDX-License-Identifier: Apache-2.0
 *
 * Where plugins lie when nobody says so.
 */
#include "plugin/internal.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool plugin_name_ok(const char *name, size_t len)
{
	if (len == 0 || len > PLUGIN_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      (c == '-' && i > 0)))
			return false;
	}
	return true;
}

/* The folder of the running program, "" when the kernel does not tell. */
static const char *program_folder(struct arena *a)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	if (n <= 0 || (size_t)n >= sizeof path)
		return "";
	while (n > 0 && path[n - 1] != '/')
		n--;
	return arena_text(a, path, (size_t)n);
}

/* Beside the program, and at home. */
static bool usual(const char **folders, uint32_t *n, struct arena *a)
{
	const char *home = secure_getenv("HOME"), *program = program_folder(a);
	uint32_t first = *n;

	if (!program)
		return false;
	if (*program) {
		folders[(*n)++] = arena_printf(a, "%s../plugins", program);
		folders[(*n)++] = arena_printf(a, "%s../lib/tapewatch/plugins", program);
	}
	if (home && *home == '/')
		folders[(*n)++] = arena_printf(a, "%s/.local/lib/tapewatch/plugins", home);
	for (uint32_t i = first; i < *n; i++)
		if (!folders[i])
			return false;
	return true;
}

#define USUAL 3u /* at most */

const char *const *plugin_default_folders(struct arena *a)
{
	const char *list = secure_getenv("TAPEWATCH_PLUGINS");
	const char **folders = arena_alloc(a, (PLUGIN_MAX_FOLDERS + USUAL + 1) * sizeof *folders);
	bool had_usual = false;
	uint32_t n = 0;

	if (!folders)
		return NULL;
	if (!list || !*list)
		return usual(folders, &n, a) ? folders : NULL;
	/* An empty part means the usual folders, as in $MANPATH, and not "here", as in $PATH. */
	for (;;) {
		size_t len = strcspn(list, ":");

		if (len == 0 && !had_usual) {
			had_usual = true;
			if (!usual(folders, &n, a))
				return NULL;
		} else if (len > 0) {
			folders[n] = arena_text(a, list, len);
			if (!folders[n++])
				return NULL;
		}
		if (!list[len] || n >= PLUGIN_MAX_FOLDERS)
			return folders;
		list += len + 1;
	}
}
