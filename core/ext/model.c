/* SPDX-License-Identifier: Apache-2.0
 *
 * Model files: bytes, version, digest. What an instance has opened stays as it is until the instance goes, or asks for
 * what is new; generations are counted for the run, so that all instances speak of the same one.
 */
#include "base/err.h"
#include "base/os.h"
#include "base/sha256.h"
#include "event/utf8.h"
#include "ext/ext_impl.h"
#include "ext/file.h"
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES   (4ull << 30)
#define MAX_VERSION 120u
#define MAX_PATHS   256u /* whose generations are counted */
#define SIDE_FILE   4096u

struct generation {
	char *path, digest[65];
	uint64_t number;
};

struct generations {
	pthread_mutex_t lock;
	struct generation list[MAX_PATHS];
	uint32_t n;
};

struct opened {
	struct tw_model_file pub;
	struct file_mark mark;
	char *path;
	unsigned char *bytes;
	char version[MAX_VERSION + 1];
	uint64_t max;
};

struct model_service {
	struct tw_model pub;
	struct ext *ext;
	struct opened *list[TW_MODELS];
	uint32_t n;
};

/* ---- generations ---- */

struct generations *generations_new(void)
{
	struct generations *g = calloc(1, sizeof *g);

	if (g)
		pthread_mutex_init(&g->lock, NULL);
	return g;
}

void generations_free(struct generations *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n; i++)
		free(g->list[i].path);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static uint64_t count_generation(struct generations *g, const char *path, const char *digest)
{
	struct generation *at = NULL;
	uint64_t number = 1;

	if (!g)
		return 1;
	pthread_mutex_lock(&g->lock);
	for (uint32_t i = 0; i < g->n && !at; i++)
		if (strcmp(g->list[i].path, path) == 0)
			at = &g->list[i];
	if (!at && g->n < MAX_PATHS) {
		g->list[g->n].path = strdup(path);
		if (g->list[g->n].path)
			at = &g->list[g->n++];
	}
	if (at) {
		if (strcmp(at->digest, digest) != 0) {
			memcpy(at->digest, digest, sizeof at->digest);
			at->number++;
		}
		number = at->number;
	}
	pthread_mutex_unlock(&g->lock);
	return number;
}

/* ---- a file ---- */

static void opened_free(struct opened *o)
{
	if (!o)
		return;
	free(o->bytes);
	free(o->path);
	free(o);
}

/* The first word or line of PATH.suffix. TW_AGAIN: there is no such file. */
static int32_t side_file(const char *path, const char *suffix, bool word, char *out, size_t room, struct tw_err *err)
{
	struct buf name = { 0 }, b = { 0 };
	struct file_mark mark;
	size_t n;
	int32_t rc;

	if (buf_addf(&name, "%s%s", path, suffix) != 0 || buf_add(&name, "", 1) != 0) {
		buf_free(&name);
		return err_set(err, TW_E_FATAL, "memory is out");
	}
	rc = file_read_whole((const char *)name.data, SIDE_FILE, &b, &mark, NULL, err);
	if (rc == TW_OK && buf_add(&b, "", 1) != 0)
		rc = err_set(err, TW_E_FATAL, "memory is out");
	if (rc == TW_OK) {
		n = strcspn((const char *)b.data, word ? " \t\r\n" : "\r\n");
		if (n == 0 || n >= room || utf8_span((const char *)b.data, n, UTF8_ANY) != n)
			rc = err_set(err, TW_E_CONFIG, "%s: expected one line of 1 to %zu bytes",
				     (const char *)name.data, room - 1);
	}
	if (rc == TW_OK) {
		memcpy(out, b.data, n);
		out[n] = '\0';
	}
	buf_free(&b);
	buf_free(&name);
	return rc;
}

static int32_t digest_of(const struct buf *b, char out[65], struct tw_err *err)
{
	struct sha256 *s = sha256_new();
	int bad = -1;

	if (s) {
		sha256_add(s, b->data, b->len);
		bad = sha256_hex(s, out);
	}
	sha256_free(s);
	return bad ? err_set(err, TW_E_FATAL, "memory is out") : TW_OK;
}

static int32_t check_digest(const char *path, const char *digest, struct tw_err *err)
{
	char want[65] = "";
	int32_t rc = side_file(path, ".sha256", true, want, sizeof want, err);

	if (rc == TW_AGAIN)
		return TW_OK;
	if (rc < 0)
		return rc;
	if (strcasecmp(want, digest) != 0)
		return err_set(
			err, TW_E_CONFIG,
			"model %s has the digest %.12s..., but %s.sha256 says %.12s...: the file is damaged, or one "
			"of the two is old",
			path, digest, path, want);
	return TW_OK;
}

static int32_t fill(struct opened *o, struct buf *b, struct tw_err *err)
{
	int32_t rc = digest_of(b, o->pub.digest, err);

	if (rc == TW_OK)
		rc = check_digest(o->path, o->pub.digest, err);
	if (rc < 0)
		return rc;
	rc = side_file(o->path, ".version", false, o->version, sizeof o->version, err);
	if (rc < 0)
		return rc;
	if (rc == TW_AGAIN)
		memcpy(o->version, o->pub.digest, 12);
	o->bytes = aligned_alloc(64, (b->len + 64) & ~(size_t)63);
	if (!o->bytes)
		return err_set(err, TW_E_FATAL, "model %s: memory is out", o->path);
	if (b->len)
		memcpy(o->bytes, b->data, b->len);
	o->pub.struct_size = sizeof o->pub;
	o->pub.bytes = o->bytes;
	o->pub.len = b->len;
	o->pub.version = o->version;
	return TW_OK;
}

static struct opened *read_model(struct ext *x, const char *path, uint64_t max, struct tw_err *err)
{
	struct opened *o = calloc(1, sizeof *o);
	struct buf b = { 0 };
	int32_t rc;

	if (o)
		o->path = strdup(path);
	if (!o || !o->path) {
		opened_free(o);
		err_set(err, TW_E_FATAL, "memory is out");
		return NULL;
	}
	o->max = max && max < MAX_BYTES ? max : MAX_BYTES;
	rc = file_read_whole(path, o->max, &b, &o->mark, NULL, err);
	if (rc == TW_OK)
		rc = fill(o, &b, err);
	buf_free(&b);
	if (rc != TW_OK) {
		opened_free(o);
		if (err && err->code >= 0)
			err->code = TW_E_CONFIG;
		return NULL;
	}
	o->pub.generation = count_generation(x->services ? x->services->generations : NULL, path, o->pub.digest);
	return o;
}

/* ---- the service ---- */

static const struct tw_model_file *model_open(const struct tw_model *pub, const char *path, uint64_t max,
					      struct tw_err *err)
{
	struct model_service *s = (struct model_service *)(void *)(uintptr_t)pub;
	struct opened *o;

	/* A source that is opened again: its file may be another one by now */
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->list[i]->path, path) == 0) {
			o = read_model(s->ext, path, max, err);
			if (!o)
				return NULL;
			opened_free(s->list[i]);
			s->list[i] = o;
			return &o->pub;
		}
	if (s->n == TW_MODELS) {
		err_set(err, TW_E_CONFIG, "an instance has at most %u models", TW_MODELS);
		return NULL;
	}
	o = read_model(s->ext, path, max, err);
	if (!o)
		return NULL;
	s->list[s->n++] = o;
	return &o->pub;
}

static int32_t model_refresh(const struct tw_model *pub, const struct tw_model_file **file, struct tw_err *err)
{
	struct model_service *s = (struct model_service *)(void *)(uintptr_t)pub;
	struct stat st;

	if (s->ext->kind == PLUGIN_DETECTOR)
		return err_set(err, TW_E_FATAL, "model: a detector gets a new one by a reload");
	for (uint32_t i = 0; i < s->n; i++) {
		struct opened *old = s->list[i], *o;
		if (&old->pub != *file)
			continue;
		if (os->stat(old->path, &st) == 0) {
			struct file_mark now = file_mark_of(&st);
			if (file_mark_same(&now, &old->mark))
				return TW_AGAIN;
		}
		o = read_model(s->ext, old->path, old->max, err);
		if (!o)
			return TW_E_CONFIG;
		if (strcmp(o->pub.digest, old->pub.digest) == 0 && strcmp(o->version, old->version) == 0) {
			opened_free(o);
			return TW_AGAIN;
		}
		opened_free(old);
		s->list[i] = o;
		*file = &o->pub;
		return TW_OK;
	}
	return err_set(err, TW_E_CONFIG, "model: this file is not open");
}

void *model_service_new(struct ext *x)
{
	struct model_service *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->ext = x;
	s->pub = (struct tw_model){ .struct_size = sizeof s->pub, .open = model_open, .refresh = model_refresh };
	return s;
}

void model_service_free(void *of)
{
	struct model_service *s = of;

	for (uint32_t i = 0; i < s->n; i++)
		opened_free(s->list[i]);
	free(s);
}
