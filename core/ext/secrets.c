/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets by name. A value is never logged, and zeroed before its memory goes.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "event/utf8.h"
#include "ext/ext_impl.h"
#include "ext/file.h"
#include <stdlib.h>
#include <string.h>

struct tw_secret {
	struct ext *ext;
	char *what; /* "file:PATH" */
	char *value;
	size_t len;
	struct file_mark mark, refused; /* refused: it was read, and is no secret */
};

struct secrets_service {
	struct tw_secrets pub;
	struct ext *ext;
	struct tw_secret *list[TW_SECRETS];
	uint32_t n;
};

static void wipe(char *value, size_t len)
{
	if (value)
		explicit_bzero(value, len);
	free(value);
}

/* Takes the bytes over. */
static int32_t set_value(struct tw_secret *s, struct buf *b, struct tw_err *err)
{
	size_t n = b->len;
	const char *text = (const char *)b->data;
	char *value;

	if (n && text[n - 1] == '\n')
		n--;
	if (n && n < b->len && text[n - 1] == '\r')
		n--;
	if (n == 0)
		return err_set(err, TW_E_CONFIG, "secret '%s' is empty", s->what);
	if (memchr(text, '\0', n) || utf8_span(text, n, UTF8_ANY) != n)
		return err_set(err, TW_E_CONFIG, "secret '%s' is not UTF-8 text", s->what);
	value = malloc(n + 1);
	if (!value)
		return err_set(err, TW_E_FATAL, "memory is out");
	memcpy(value, text, n);
	value[n] = '\0';
	wipe(s->value, s->len);
	s->value = value;
	s->len = n;
	return TW_OK;
}

static int32_t read_file(struct tw_secret *s, struct tw_err *err)
{
	struct buf b = { 0 };
	struct file_mark mark;
	unsigned mode = 0;
	int32_t rc = file_read_whole(s->what + 5, TW_SECRET_BYTES, &b, &mark, &mode, err);

	if (rc != TW_OK)
		return rc == TW_AGAIN ? TW_E_CONFIG : rc;
	rc = set_value(s, &b, err);
	if (b.data)
		explicit_bzero(b.data, b.len);
	buf_free(&b);
	if (rc != TW_OK) {
		s->refused = mark;
		return rc;
	}
	s->mark = mark;
	if (mode & (S_IRGRP | S_IROTH))
		log_warn(s->ext->instance, "secret file %s can be read by group or others; chmod 600 it", s->what + 5);
	return rc;
}

static int32_t read_env(struct tw_secret *s, struct tw_err *err)
{
	const char *value = getenv(s->what + 4);
	struct buf b = { .data = (unsigned char *)(uintptr_t)value };

	if (!value)
		return err_set(err, TW_E_CONFIG, "environment variable '%s' is not set", s->what + 4);
	b.len = strlen(value);
	if (b.len > TW_SECRET_BYTES)
		return err_set(err, TW_E_CONFIG, "environment variable '%s' is larger than 64 KiB", s->what + 4);
	return set_value(s, &b, err);
}

static void secret_free(struct tw_secret *s)
{
	if (!s)
		return;
	wipe(s->value, s->len);
	free(s->what);
	free(s);
}

static bool is_file(const struct tw_secret *s)
{
	return strncmp(s->what, "file:", 5) == 0;
}

static struct tw_secret *secrets_open(const struct tw_secrets *pub, const char *what, struct tw_err *err)
{
	struct secrets_service *all = (struct secrets_service *)(void *)(uintptr_t)pub;
	struct tw_secret *s;

	for (uint32_t i = 0; i < all->n; i++)
		if (strcmp(all->list[i]->what, what) == 0)
			return all->list[i];
	if ((strncmp(what, "env:", 4) != 0 || !what[4]) && (strncmp(what, "file:", 5) != 0 || !what[5])) {
		err_set(err, TW_E_CONFIG, "a secret is env:NAME or file:PATH");
		return NULL;
	}
	if (all->n == TW_SECRETS) {
		err_set(err, TW_E_CONFIG, "an instance has at most %u secrets", TW_SECRETS);
		return NULL;
	}
	s = calloc(1, sizeof *s);
	if (s)
		s->what = strdup(what);
	if (!s || !s->what) {
		secret_free(s);
		err_set(err, TW_E_FATAL, "memory is out");
		return NULL;
	}
	s->ext = all->ext;
	if ((is_file(s) ? read_file(s, err) : read_env(s, err)) < 0) {
		secret_free(s);
		return NULL;
	}
	all->list[all->n++] = s;
	return s;
}

static const char *secrets_get(struct tw_secret *s)
{
	struct tw_err e;
	struct file_mark now;
	struct stat st;

	if (!is_file(s) || os->stat(s->what + 5, &st) != 0)
		return s->value;
	now = file_mark_of(&st);
	if (!file_mark_same(&now, &s->mark) && !file_mark_same(&now, &s->refused) && read_file(s, &e) < 0)
		log_warn(s->ext->instance, "%s; its old value stands", e.msg);
	return s->value;
}

void *secrets_service_new(struct ext *x)
{
	struct secrets_service *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->ext = x;
	s->pub = (struct tw_secrets){ .struct_size = sizeof s->pub, .open = secrets_open, .get = secrets_get };
	return s;
}

void secrets_service_free(void *of)
{
	struct secrets_service *s = of;

	for (uint32_t i = 0; i < s->n; i++)
		secret_free(s->list[i]);
	free(s);
}
