/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing prefixes, comparing alerts, cutting files off.
 */
#include "backtest/causality.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* ---- prefixes ---- */

static uint64_t next_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_u64(*state);
}

static bool insert(uint64_t *list, uint32_t *n, uint64_t v)
{
	uint32_t at = *n;

	for (uint32_t i = 0; i < *n; i++)
		if (list[i] == v)
			return false;
	for (; at > 0 && list[at - 1] > v; at--)
		list[at] = list[at - 1];
	list[at] = v;
	++*n;
	return true;
}

uint32_t causality_prefixes(uint64_t *ret, uint32_t n, uint64_t total, uint64_t seed, const struct result *whole)
{
	uint64_t state = seed;
	uint32_t count = 0;

	if (total < 2)
		return 0;
	/* few events have few prefixes: after so many draws what is there will do */
	for (uint64_t draws = 0; count < n && draws < 64 * (uint64_t)n; draws++) {
		uint64_t v = 1 + next_random(&state) % (total - 1);
		if (draws % 2 && whole->n_alerts)
			v = whole->alerts[next_random(&state) % whole->n_alerts].seq;
		if (v >= 1 && v < total)
			(void)insert(ret, &count, v);
	}
	return count;
}

/* ---- comparing ---- */

bool causality_check(const struct result *whole, const struct result *prefix, uint64_t until,
		     struct causality_fault *ret)
{
	struct causality_fault f = { .until = until, .of_prefix = prefix };
	uint32_t i = 0, k = 0;

	for (;;) {
		const struct found *a = i < whole->n_alerts && whole->alerts[i].seq <= until ? &whole->alerts[i] : NULL;
		const struct found *b = k < prefix->n_alerts ? &prefix->alerts[k] : NULL;
		if (!a && !b)
			break;
		if (a && b && a->digest == b->digest) {
			i++;
			k++;
			continue;
		}
		if (!f.wrong++) {
			f.whole = a && (!b || a->seq <= b->seq) ? a : NULL;
			f.prefix = b && (!a || b->seq <= a->seq) ? b : NULL;
		}
		if (a && (!b || a->seq <= b->seq))
			i++;
		if (b && (!a || b->seq <= a->seq))
			k++;
	}
	*ret = f;
	return f.wrong == 0;
}

/* ---- files ---- */

static const char *data_file(const char *text, const struct data_files *files)
{
	struct stat a, b;

	if (!*text || os->stat(text, &a) != 0)
		return NULL;
	for (uint32_t i = 0; i < files->n; i++)
		if (os->stat(files->paths[i], &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			return files->paths[i];
	return NULL;
}

static int32_t copy_part(const char *from, const char *to, uint64_t bytes, struct tw_err *e)
{
	int in = os->open(from, O_RDONLY, 0), out = -1;
	char room[65536];
	int32_t rc = TW_OK;

	if (in < 0)
		return err_sys(e, errno, "%s: cannot be read", from);
	out = os->open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (out < 0)
		rc = err_sys(e, errno, "%s: cannot be written", to);
	while (rc == TW_OK && bytes) {
		ssize_t n = os->read(in, room, bytes < sizeof room ? bytes : sizeof room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(e, errno, "%s: cannot be read", from);
		if (n <= 0)
			break;
		bytes -= (uint64_t)n;
		for (ssize_t done = 0; rc == TW_OK && done < n;) {
			ssize_t w = os->write(out, room + done, (size_t)(n - done));
			if (w > 0)
				done += w;
			else if (w == 0 || errno != EINTR)
				rc = err_sys(e, w ? errno : EIO, "%s: cannot be written", to);
		}
	}
	(void)os->close(in);
	if (out >= 0 && os->close(out) != 0 && rc == TW_OK)
		rc = err_sys(e, errno, "%s: cannot be written", to);
	return rc;
}

struct cutting {
	struct arena *arena;
	const struct data_files *files;
	const char *dir;
	uint64_t part, total;
	struct config_edit *edits;
	uint32_t n, cap;
};

/* One option of a detector: does it, or a part of it, name a data file? */
static int32_t cut_option(struct cutting *c, const char *detector, const struct node *option, struct tw_err *e)
{
	uint32_t n = option->kind == NODE_LIST ? option->n : option->kind == NODE_TEXT;
	const char **values = arena_alloc(c->arena, (n + 1) * sizeof *values);
	bool any = false;

	if (!values)
		return err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; i < n; i++) {
		const struct node *one = option->kind == NODE_LIST ? &option->items[i] : option;
		const char *file = one->kind == NODE_TEXT ? data_file(one->text, c->files) : NULL;
		struct stat st;
		values[i] = one->kind == NODE_TEXT ? one->text : "";
		if (!file || os->stat(file, &st) != 0)
			continue;
		values[i] = arena_printf(c->arena, "%s/%u-%s", c->dir, c->n,
					 strrchr(file, '/') ? strrchr(file, '/') + 1 : file);
		if (!values[i])
			return err_set(e, TW_E_FATAL, "memory is out");
		if (copy_part(file, values[i], (uint64_t)((double)st.st_size * (double)c->part / (double)c->total), e) <
		    0)
			return e->code;
		any = true;
	}
	if (!any || c->n == c->cap)
		return TW_OK;
	c->edits[c->n++] = (struct config_edit){ .section = "detectors",
						 .instance = detector,
						 .option = option->name,
						 .values = values,
						 .n = n,
						 .list = option->kind == NODE_LIST,
						 .origin = "--causality" };
	return TW_OK;
}

int32_t causality_cut_files(struct arena *a, const struct config *config, const struct data_files *files,
			    const char *dir, uint64_t part, uint64_t total, const struct config_edit **ret, uint32_t *n,
			    struct tw_err *e)
{
	const struct node *detectors = node_get(&config->root, "detectors");
	struct cutting c = { .arena = a, .files = files, .dir = dir, .part = part, .total = total };
	int32_t rc = TW_OK;

	for (uint32_t i = 0; detectors && i < detectors->n; i++)
		c.cap += detectors->items[i].n;
	c.edits = arena_alloc(a, (c.cap + 1) * sizeof *c.edits);
	if (!c.edits)
		return err_set(e, TW_E_FATAL, "memory is out");
	for (uint32_t i = 0; detectors && i < detectors->n; i++) {
		const struct node *d = &detectors->items[i];
		for (uint32_t k = 0; d->kind == NODE_MAP && k < d->n && rc == TW_OK; k++)
			rc = cut_option(&c, d->name, &d->items[k], e);
	}
	if (rc != TW_OK)
		return rc;
	*ret = c.edits;
	*n = c.n;
	return TW_OK;
}
