/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of files: each path of the option, its globs expanded, sorted and without repeats, so that the same folder
 * always gives the same list.
 */
#include "csv.h"

#include <glob.h>
#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static int32_t add(struct csv *s, const char *path, struct tw_err *e)
{
	if (s->n_files >= FILES_MAX)
		return csv_fail(e, TW_E_CONFIG, "path: more than %u files; split them over several sources", FILES_MAX);
	if ((s->n_files & (s->n_files - 1)) == 0) { /* full at 1, 2, 4 ... */
		struct file *files = realloc(s->files, (s->n_files ? 2 * s->n_files : 1) * sizeof *files);

		if (!files)
			return csv_fail(e, TW_E_IO, "path: memory is out");
		s->files = files;
	}
	s->files[s->n_files] = (struct file){ .r.fd = -1 };
	s->files[s->n_files].path = strdup(path);
	if (!s->files[s->n_files].path)
		return csv_fail(e, TW_E_IO, "path: memory is out");
	s->n_files++;
	return TW_OK;
}

int32_t paths_expand(struct csv *s, struct tw_err *e)
{
	uint32_t kept = 0;
	int32_t rc = TW_OK;

	s->heap = calloc(FILES_MAX, sizeof *s->heap);
	if (!s->heap)
		return csv_fail(e, TW_E_IO, "path: memory is out");
	if (s->memory)
		return add(s, "memory.csv", e);
	for (uint64_t i = 0; i < s->path.n && rc == TW_OK; i++) {
		const char *path = s->path.items[i];
		glob_t found;
		int got;

		if (!strpbrk(path, "*?[")) {
			rc = add(s, path, e);
			continue;
		}
		got = glob(path, GLOB_ERR, NULL, &found);
		if (got == GLOB_NOMATCH)
			return csv_fail(e, TW_E_CONFIG, "path: no file matches '%s'", path);
		if (got != 0)
			return csv_fail(e, TW_E_IO, "path: the folder of '%s' cannot be read", path);
		for (size_t k = 0; k < found.gl_pathc && rc == TW_OK; k++)
			rc = add(s, found.gl_pathv[k], e);
		globfree(&found);
	}
	if (rc != TW_OK)
		return rc;
	if (!s->n_files)
		return csv_fail(e, TW_E_CONFIG, "path: names no file");
	qsort(s->files, s->n_files, sizeof *s->files, by_name);
	for (uint32_t i = 1; i < s->n_files; i++) {
		if (strcmp(s->files[i].path, s->files[kept].path) == 0) {
			free(s->files[i].path);
			s->files[i].path = NULL;
			continue;
		}
		kept++;
		if (kept != i) {
			s->files[kept].path = s->files[i].path;
			s->files[i].path = NULL;
		}
	}
	s->n_files = kept + 1;
	return TW_OK;
}
