/* SPDX-License-Identifier: Apache-2.0
 *
 * Temporary folders.
 */
#include "base/scratch.h"
#include "base/os.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *scratch_make(char *out, size_t size, const char *verb)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(out, size, "%s/tapewatch-%s-XXXXXX", tmp && *tmp ? tmp : "/tmp", verb);
	return mkdtemp(out);
}

const char *scratch_memory(char *out, size_t size, const char *verb)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp && strncmp(tmp, "/dev/shm/", 9) == 0)
		return scratch_make(out, size, verb);
	snprintf(out, size, "/dev/shm/tapewatch-%s-XXXXXX", verb);
	return mkdtemp(out) ? out : scratch_make(out, size, verb);
}

void scratch_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		char child[4096];
		struct stat st;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(child, sizeof child, "%s/%s", path, entry->d_name) >= (int)sizeof child)
			continue;
		if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
			scratch_remove(child);
		else
			(void)os->unlink(child);
	}
	if (d)
		closedir(d);
	(void)rmdir(path);
}
