/* SPDX-License-Identifier: Apache-2.0
 *
 * ${env:NAME}, ${env:NAME:-default} and ${file:PATH} inside a text; $$ is a dollar. What comes in is bounded, is not
 * looked at for further references, and never stands in a message.
 */
#include "base/os.h"
#include "config/internal.h"
#include "event/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* One value being resolved. */
struct resolve {
	struct loader *l;
	struct node *node;
	struct buf out;
};

const char *config_read_file(const char *path, size_t max, struct buf *ret, bool *ret_loose, struct arena *a)
{
	struct stat st;
	struct buf b = { 0 };
	const char *wrong = NULL;
	if (os->stat(path, &st) != 0)
		return errno == ENOENT ? "does not exist" : arena_printf(a, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return S_ISDIR(st.st_mode) ? "is a folder; expected a file" : "is not a file";
	int fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return arena_printf(a, "cannot be read: %s", strerror(errno));
	for (;;) {
		unsigned char *room = buf_reserve(&b, 16384);
		if (!room) {
			wrong = "does not fit in memory";
			break;
		}
		ssize_t got = os->read(fd, room, 16384);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			wrong = arena_printf(a, "cannot be read: %s", strerror(errno));
		if (got <= 0)
			break;
		b.len += (size_t)got;
		if (b.len > max) {
			wrong = arena_printf(a, "is larger than %zu KiB", max / 1024);
			break;
		}
	}
	os->close(fd);
	if (wrong) {
		buf_free(&b);
		return wrong;
	}
	if (ret_loose)
		*ret_loose = (st.st_mode & (S_IRGRP | S_IROTH)) != 0;
	*ret = b;
	return NULL;
}

/* Of the reference itself where it can be seen in the line; escapes and folded lines may hide it. */
static struct place reference_place(const struct node *node, const char *ref, size_t len)
{
	struct place at = node->at;
	if (!at.text)
		return at;
	const char *line = at.text, *end = line + strlen(line);
	for (const char *s = line; (s = strstr(s, "${")); s++) {
		if ((size_t)(end - s) < len || memcmp(s, ref, len) != 0)
			continue;
		int32_t column = 1, width = 0;
		for (const char *p = line; p < s + len; p++) {
			bool starts = ((unsigned char)*p & 0xc0) != 0x80;
			column += starts && p < s;
			width += starts && p >= s;
		}
		if (column < node->at.column)
			continue;
		at.column = column;
		at.width = width;
		break;
	}
	return at;
}

static bool add(struct resolve *rv, const char *s, size_t len)
{
	if (buf_add(&rv->out, s, len) == 0)
		return true;
	rv->l->no_memory = true;
	return false;
}

/* Text from outside: must be text, and within bounds. NULL, or what is wrong. */
static const char *add_foreign(struct resolve *rv, const char *s, size_t len)
{
	rv->node->secret = true;
	rv->l->resolved += len;
	if (memchr(s, '\0', len))
		return "holds a NUL character";
	if (utf8_span(s, len, UTF8_ANY) != len)
		return "is not UTF-8";
	if (len > CONFIG_MAX_VALUE)
		return "is larger than 64 KiB";
	if (rv->l->resolved > CONFIG_MAX_RESOLVED)
		return "is one too many: all references together bring in more than 8 MiB";
	add(rv, s, len);
	return NULL;
}

static bool is_variable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool letter = (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_';
		if (!letter && !(i && s[i] >= '0' && s[i] <= '9'))
			return false;
	}
	return len > 0;
}

static void from_env(struct resolve *rv, const struct place *at, const char *body, size_t len)
{
	struct arena *a = &rv->l->c->arena;
	const char *dash = memmem(body, len, ":-", 2);
	size_t name_len = dash ? (size_t)(dash - body) : len;
	const char *name = arena_text(a, body, name_len);
	if (!name) {
		rv->l->no_memory = true;
		return;
	}
	if (!is_variable(name, name_len)) {
		report_error(rv->l->r, at,
			     "%s is not the name of an environment variable; use ${env:NAME} or "
			     "${env:NAME:-default}",
			     text_quote(a, name));
		rv->node->faulty = true;
		return;
	}
	const char *value = getenv(name);
	if (dash && (!value || !*value)) {
		rv->node->secret = true;
		add(rv, dash + 2, len - name_len - 2);
		return;
	}
	if (!value) {
		report_error(rv->l->r, at,
			     "environment variable '%s' is not set; set it, or give a default: ${env:%s:-...}", name,
			     name);
		rv->node->faulty = true;
		return;
	}
	const char *wrong = add_foreign(rv, value, strlen(value));
	if (wrong) {
		report_error(rv->l->r, at, "environment variable '%s' %s", name, wrong);
		rv->node->faulty = true;
	}
}

static void from_file(struct resolve *rv, const struct place *at, const char *body, size_t len)
{
	struct arena *a = &rv->l->c->arena;
	struct buf b = { 0 };
	bool loose = false;
	const char *path = arena_text(a, body, len), *wrong;
	if (!path) {
		rv->l->no_memory = true;
		return;
	}
	if (!*path)
		wrong = "has no name; use ${file:PATH}";
	else
		wrong = config_read_file(path, CONFIG_MAX_VALUE, &b, &loose, a);
	if (!wrong) {
		size_t n = b.len;
		if (n && b.data[n - 1] == '\n')
			n--;
		if (n && n < b.len && b.data[n - 1] == '\r')
			n--;
		wrong = add_foreign(rv, b.data ? (const char *)b.data : "", n);
	}
	if (wrong) {
		report_error(rv->l->r, at, "file %s %s", text_quote(a, path), wrong);
		rv->node->faulty = true;
	}
	if (loose)
		rv->node->loose = path;
	buf_free(&b);
}

/* s is at "${". Returns what follows the reference. */
static const char *one_reference(struct resolve *rv, const char *s)
{
	struct arena *a = &rv->l->c->arena;
	const char *close = strchr(s, '}');
	size_t len = close ? (size_t)(close - s) + 1 : strlen(s);
	struct place at = reference_place(rv->node, s, len);
	const char *body = s + 2;
	if (close && strncmp(body, "env:", 4) == 0) {
		from_env(rv, &at, body + 4, (size_t)(close - body) - 4);
	} else if (close && strncmp(body, "file:", 5) == 0) {
		from_file(rv, &at, body + 5, (size_t)(close - body) - 5);
	} else {
		const char *ref = arena_text(a, s, len);
		report_error(rv->l->r, &at,
			     close ? "%s is not a reference; use ${env:NAME}, ${env:NAME:-default} or "
				     "${file:PATH}, and $$ for a plain dollar"
				   : "%s has no closing '}'; write $$ for a plain dollar",
			     ref ? text_quote(a, ref) : "this");
		rv->node->faulty = true;
	}
	return s + len;
}

bool config_substitute(struct loader *l, struct node *node)
{
	struct resolve rv = { .l = l, .node = node };
	const char *s = node->raw;
	node->text = node->raw;
	if (!strchr(s, '$'))
		return true;
	while (*s && !l->no_memory) {
		size_t plain = strcspn(s, "$");
		add(&rv, s, plain);
		s += plain;
		if (s[0] == '$' && s[1] == '{') {
			s = one_reference(&rv, s);
		} else if (s[0] == '$') {
			add(&rv, "$", 1);
			s += s[1] == '$' ? 2 : 1;
		}
		if (rv.out.len > CONFIG_MAX_FILE && !node->faulty) {
			report_error(l->r, &node->at,
				     "this value is larger than 1 MiB once its references are resolved");
			node->faulty = true;
			break;
		}
	}
	const char *text = arena_text(&l->c->arena, rv.out.data ? (const char *)rv.out.data : "", rv.out.len);
	buf_free(&rv.out);
	if (!text)
		l->no_memory = true;
	else
		node->text = node->faulty ? "" : text;
	return !l->no_memory;
}
