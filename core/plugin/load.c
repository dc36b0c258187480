/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a plugin's shared object.
 *
 * RTLD_NOW, so that a missing symbol is found here and not at the first event. RTLD_LOCAL, so that plugins do not see
 * each other's symbols. RTLD_NODELETE and never dlclose(): threads, atexit handlers and thread-local destructors of a
 * library may outlive its last use. Not RTLD_DEEPBIND: sanitizers refuse it.
 */
#include "base/err.h"
#include "base/os.h"
#include "plugin/internal.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int32_t plugin_open(const char *real, const char *name, struct arena *a, struct plugin_set *ret, struct tw_err *e)
{
	void *library = dlopen(real, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	tw_plugin_fn *entry;
	void *symbol;

	if (!library) {
		const char *why = dlerror();
		size_t len = strlen(real);

		/* The loader begins with the path, too. */
		if (why && strncmp(why, real, len) == 0 && strncmp(why + len, ": ", 2) == 0)
			why += len + 2;
		return err_set(e, TW_E_CONFIG, "%s does not load: %s; rebuild it here, or install what it misses", real,
			       why ? why : "no reason given");
	}
	symbol = dlsym(library, "tw_plugin");
	if (!symbol)
		return err_set(e, TW_E_CONFIG,
			       "%s has no function tw_plugin(), so it is no tapewatch plugin; end its source with "
			       "TW_DETECTOR, TW_SOURCE or TW_SINK of tapewatch/plugin.h",
			       real);
	memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function pointer */
	return plugin_manifest_check(entry(), real, name, a, ret, e);
}

bool plugin_is_open(const char *real)
{
	void *library = dlopen(real, RTLD_NOW | RTLD_NOLOAD);

	if (library)
		(void)dlclose(library); /* only the count that was just taken */
	return library != NULL;
}

/* A line of /proc/self/maps: "from-to rights offset device inode   path", with " (deleted)" behind a path that has
 * another file, or none, by now. */
static uint64_t inode_of(const char *line, const char *real)
{
	const char *at = line, *path = strchr(line, '/');

	if (!path || strncmp(path, real, strlen(real)) != 0)
		return 0;
	path += strlen(real);
	if (*path && strcmp(path, " (deleted)") != 0)
		return 0;
	for (int skip = 0; at && skip < 4; skip++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t plugin_mapped(const char *real)
{
	int fd = os->open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	struct buf text = { 0 };
	char *rest = NULL, *line;
	uint64_t inode = 0;
	ssize_t n = -1;

	while (fd >= 0 && buf_reserve(&text, 65536) && (n = os->read(fd, text.data + text.len, 65535)) > 0)
		text.len += (size_t)n;
	if (n == 0) {
		text.data[text.len] = '\0';
		rest = (char *)text.data;
	}
	while (!inode && rest && (line = strsep(&rest, "\n")) != NULL)
		inode = inode_of(line, real);
	if (fd >= 0)
		(void)os->close(fd);
	buf_free(&text);
	return inode;
}
