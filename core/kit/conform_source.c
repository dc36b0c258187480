/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of sources. A file that the options name is copied first, and the copy's path put in its place: it can be cut
 * and replaced behind the source.
 */
#include "base/err.h"
#include "base/os.h"
#include "base/scratch.h"
#include "kit/conform.h"
#include "kit/endpoint.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLLS     20000u
#define EVENTS    5000u /* read of a source that has more */
#define ROOM      7u    /* of a poll: many positions */
#define POSITIONS 512u  /* resumed from, at most, spread over all */

static enum conform_result check_starts(const struct conform *c, struct buf *why)
{
	return conform_start_stop(c, PLUGIN_SOURCE, why);
}

/* Read all there is. NULL: see why and *ret. */
static struct kit_source *read_all(const struct conform *c, struct kit_plan *p, enum conform_result *ret,
				   struct buf *why)
{
	struct tw_err e = { 0 };
	struct kit_source *s;
	int32_t rc;

	*ret = conform_plan(c, PLUGIN_SOURCE, p, why);
	if (*ret != CONFORM_OK)
		return NULL;
	s = kit_source_new(p, NULL, &e);
	rc = s ? kit_source_all(s, ROOM, POLLS, EVENTS, &e) : TW_E_FATAL;
	if (rc >= 0 && kit_source_got(s)->events.n)
		return s;
	*ret = rc < 0 ? CONFORM_FAIL : CONFORM_SKIP;
	(void)buf_addf(why, "%s", rc < 0 ? e.msg : "it brought no events, so there is nothing to compare");
	kit_source_free(s);
	kit_plan_free(p);
	return NULL;
}

static enum conform_result check_read(const struct conform *c, struct buf *why)
{
	enum conform_result r;
	struct kit_plan p;
	struct kit_source *s = read_all(c, &p, &r, why);
	const struct kit_got *g;

	if (!s)
		return r;
	g = kit_source_got(s);
	(void)buf_addf(why, "%u events, %u positions, %u rejected rows", g->events.n, g->n_marks, g->n_dead);
	if (!g->n_marks) {
		(void)buf_addf(why, "; it never calls mark(), so after a restart it begins again");
		r = CONFORM_FAIL;
	}
	kit_source_free(s);
	kit_plan_free(&p);
	return r;
}

static enum conform_result again(const struct conform *c, uint32_t room, bool resume, struct buf *why)
{
	enum conform_result r;
	struct kit_plan p;
	struct kit_source *s = read_all(c, &p, &r, why);
	const struct kit_got *g;
	int32_t rc = TW_OK;

	if (!s)
		return r;
	g = kit_source_got(s);
	kit_source_end(s);
	if (!resume)
		rc = kit_source_compare(&p, g, NULL, room, KIT_START, why);
	for (uint32_t i = 0; resume && rc == TW_OK && i < g->n_marks; i += g->n_marks / POSITIONS + 1)
		rc = kit_source_compare(&p, g, &g->marks[i], room, KIT_START, why);
	kit_source_free(s);
	kit_plan_free(&p);
	return rc == TW_OK ? CONFORM_OK : CONFORM_FAIL;
}

static enum conform_result check_small(const struct conform *c, struct buf *why)
{
	return again(c, 1, false, why);
}
static enum conform_result check_large(const struct conform *c, struct buf *why)
{
	return again(c, 4096, false, why);
}
static enum conform_result check_resume(const struct conform *c, struct buf *why)
{
	return again(c, 64, true, why);
}

/* ---- a log that changes behind it ---- */

struct copied {
	char folder[256], file[4352];
	struct buf options, bytes;
};

static int32_t write_bytes(const char *path, const unsigned char *bytes, size_t len)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fwrite(bytes, 1, len, f) == len;

	return f && fclose(f) == 0 && ok ? TW_OK : TW_E_IO;
}

static bool read_bytes(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	while (f && buf_reserve(out, 65536) && (n = fread(out->data + out->len, 1, 65536, f)) > 0)
		out->len += n;
	if (f)
		(void)fclose(f);
	return f != NULL;
}

/* The longest word of the options that is a file. */
static bool find_file(const char *options, char *out, size_t size)
{
	bool found = false;

	for (const char *s = options; s && *s;) {
		size_t n = strcspn(s, " \t\n\"'[]{},");
		struct stat st;
		if (n && n < size && n < 4096) {
			char word[4096];
			memcpy(word, s, n);
			word[n] = '\0';
			if (os->stat(word, &st) == 0 && S_ISREG(st.st_mode)) {
				memcpy(out, word, n + 1);
				found = true;
			}
		}
		s += n + (s[n] != '\0');
	}
	return found;
}

static enum conform_result copy_file(const struct conform *c, struct copied *d, struct buf *why)
{
	char path[4096];
	const char *at, *slash;
	struct conform plain = *c;
	struct kit_plan p;
	enum conform_result r = conform_plan(&plain, PLUGIN_SOURCE, &p, why);

	*d = (struct copied){ 0 };
	if (r != CONFORM_OK)
		return r;
	kit_plan_free(&p);
	if (!find_file(c->options, path, sizeof path) || !read_bytes(path, &d->bytes)) {
		(void)buf_addf(why, "its options name no file that could be changed behind it");
		return CONFORM_SKIP;
	}
	if (!scratch_memory(d->folder, sizeof d->folder, "conform")) {
		(void)buf_addf(why, "cannot make a folder for a copy of %s: %m", path);
		return CONFORM_SKIP;
	}
	slash = strrchr(path, '/');
	(void)snprintf(d->file, sizeof d->file, "%s/%s", d->folder, slash ? slash + 1 : path);
	at = strstr(c->options, path);
	(void)buf_addf(&d->options, "%.*s%s%s", (int)(at - c->options), c->options, d->file, at + strlen(path));
	(void)buf_add(&d->options, "", 1);
	return write_bytes(d->file, d->bytes.data, d->bytes.len) == TW_OK ? CONFORM_OK : CONFORM_SKIP;
}

static void copied_free(struct copied *d)
{
	if (d->folder[0])
		scratch_remove(d->folder);
	buf_free(&d->options);
	buf_free(&d->bytes);
}

static bool same_events(const struct kit_events *a, const struct kit_events *b)
{
	return a->n == b->n && a->bytes.len == b->bytes.len &&
	       (!a->n || !memcmp(a->bytes.data, b->bytes.data, a->bytes.len));
}

/* Go on from its last position on a log that is another one now: refused, or read from its beginning. */
static enum conform_result changed(const struct conform *c, void (*change)(struct copied *), const char *what,
				   struct buf *why)
{
	struct copied d;
	enum conform_result r = copy_file(c, &d, why);
	struct conform on_copy = *c;
	struct kit_source *s = NULL, *whole = NULL, *rest = NULL;
	struct tw_err e = { 0 }, ignored = { 0 };
	struct kit_plan p = { 0 };
	struct tw_pos pos;
	int32_t rc;

	if (r != CONFORM_OK)
		goto out;
	on_copy.options = (const char *)d.options.data;
	s = read_all(&on_copy, &p, &r, why);
	if (!s)
		goto out;
	if (kit_source_got(s)->n_marks < 2) {
		(void)buf_addf(why, "it marked fewer than two positions");
		r = CONFORM_SKIP;
		goto out;
	}
	pos = kit_source_got(s)->marks[kit_source_got(s)->n_marks - 1].pos;
	kit_source_free(s);
	s = NULL;
	change(&d);
	rest = kit_source_new(&p, &pos, &e);
	rc = rest ? kit_source_all(rest, 64, POLLS, UINT32_MAX, &e) : TW_E_FATAL;
	if (rc < 0) {
		(void)buf_addf(why, "refused: %s", e.msg);
		goto out;
	}
	kit_source_end(rest);
	whole = kit_source_new(&p, NULL, &ignored);
	if (whole && kit_source_all(whole, 64, POLLS, UINT32_MAX, &ignored) >= 0 &&
	    same_events(&kit_source_got(rest)->events, &kit_source_got(whole)->events)) {
		(void)buf_addf(why, "read again from its beginning");
		goto out;
	}
	(void)buf_addf(why,
		       "%s and it went on from its old position with %u events as if nothing had happened; put what "
		       "identifies the log (inode, size, a checksum of what lies before) into the position, and refuse "
		       "or begin again",
		       what, kit_source_got(rest)->events.n);
	r = CONFORM_FAIL;
out:
	kit_source_free(s);
	kit_source_free(whole);
	kit_source_free(rest);
	if (p.plugins)
		kit_plan_free(&p);
	copied_free(&d);
	return r;
}

static void cut_in_half(struct copied *d)
{
	size_t half = d->bytes.len / 2;

	while (half > 0 && d->bytes.data[half - 1] != '\n')
		half--;
	(void)write_bytes(d->file, d->bytes.data, half);
}

/* Another file of the same name and size: its first line, then the others from the last to the first. */
static void replace(struct copied *d)
{
	const unsigned char *b = d->bytes.data;
	struct buf other = { 0 };
	size_t head = 0, end = d->bytes.len;

	while (head < end && b[head] != '\n')
		head++;
	head += head < end;
	(void)buf_add(&other, b, head);
	while (end > head) {
		size_t from = end - 1;
		while (from > head && b[from - 1] != '\n')
			from--;
		(void)buf_add(&other, b + from, end - from);
		if (b[end - 1] != '\n')
			(void)buf_add(&other, "\n", 1);
		end = from;
	}
	(void)os->unlink(d->file);
	(void)write_bytes(d->file, other.data, other.len);
	buf_free(&other);
}

static enum conform_result check_cut(const struct conform *c, struct buf *why)
{
	return changed(c, cut_in_half, "its file was cut in half", why);
}
static enum conform_result check_replaced(const struct conform *c, struct buf *why)
{
	return changed(c, replace, "its file was replaced by another", why);
}

const struct conform_row conform_source[] = {
	{ "ten thousand starts and stops", check_starts, true, false },
	{ "it reads, and marks positions", check_read, true, false },
	{ "one event a poll gives the same", check_small, true, false },
	{ "4096 events a poll give the same", check_large, true, false },
	{ "from every position it goes on with exactly the rest", check_resume, true, false },
	{ "a log that was cut behind it is noticed", check_cut, true, false },
	{ "a log that was replaced behind it is noticed", check_replaced, true, false },
	{ NULL, NULL, true, false },
};
