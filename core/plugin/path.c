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

/* The parts of a colon-separated list; empty parts do not mean "here", as they do in $PATH. */
static const char *const *split(const char *list, struct arena *a)
{
	const char **folders = arena_alloc(a, (PLUGIN_MAX_FOLDERS + 1) * sizeof *folders);
	uint32_t n = 0;

	if (!folders)
		return NULL;
	while (n < PLUGIN_MAX_FOLDERS) {
		size_t len = strcspn(list, ":");

		if (len > 0) {
			folders[n] = arena_text(a, list, len);
			if (!folders[n++])
				return NULL;
		}
		if (!list[len])
			break;
		list += len + 1;
	}
	return folders;
}

const char *const *plugin_default_folders(struct arena *a)
{
	const char *set = secure_getenv("TAPEWATCH_PLUGINS"), *home = secure_getenv("HOME");
	const char **folders, *program;
	uint32_t n = 0;

	if (set && *set)
		return split(set, a);
	folders = arena_alloc(a, 4 * sizeof *folders);
	program = program_folder(a);
	if (!folders || !program)
		return NULL;
	if (*program) {
		folders[n++] = arena_printf(a, "%s../plugins", program);
		folders[n++] = arena_printf(a, "%s../lib/tapewatch/plugins", program);
	}
	if (home && *home == '/')
		folders[n++] = arena_printf(a, "%s/.local/lib/tapewatch/plugins", home);
	for (uint32_t i = 0; i < n; i++)
		if (!folders[i])
			return NULL;
	return folders;
}
