/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a checkpoint for tools: values come in order of their spaces, so names, the lines of the catalogue and keys
 * are known before the first state.
 */
#include "state/catalogue.h"
#include "base/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16u /* last_ts, symbol, account */

struct name {
	size_t at;
	uint32_t len;
};

struct key_entry {
	int64_t last_ts;
	uint32_t symbol, account;
};

struct reading {
	struct catalogue *c;
	const char *wanted;
	const struct catalogue_instance *instance; /* of that name, once the lines are read */
	int32_t (*each)(void *arg, const struct state_entry *, struct tw_err *);
	void *arg;
	struct buf texts, names, keys; /* names, keys: arrays of the structs above by number - 1 */
	int32_t stopped;
};

static int32_t damaged(struct tw_err *err, const char *what)
{
	return err_set(err, STORE_E_DAMAGED,
		       "the checkpoint's %s cannot be read; `tapewatch run --rebuild` computes it anew", what);
}

/* Room for entry number n >= 1 of an array, zeros in between. */
static void *place(struct buf *b, uint32_t n, size_t size)
{
	size_t want = (size_t)n * size;

	if (want > b->len) {
		unsigned char *p = buf_reserve(b, want - b->len);

		if (!p)
			return NULL;
		memset(p, 0, want - b->len);
		b->len = want;
	}
	return b->data + want - size;
}

static int32_t read_name(struct reading *r, const struct state_value *v, struct tw_err *err)
{
	struct name *n;

	/* They are numbered without a gap. */
	if (v->key != r->names.len / sizeof *n + 1)
		return damaged(err, "names");
	n = place(&r->names, v->key, sizeof *n);
	if (!n || buf_add(&r->texts, v->data, v->len) < 0)
		return err_set(err, TW_E_FATAL, "memory is out");
	*n = (struct name){ r->texts.len - v->len, v->len };
	return TW_OK;
}

static int32_t read_line(struct catalogue *c, const char *line, struct tw_err *err)
{
	struct catalogue_instance in = { 0 };

	if (strncmp(line, "keyspace ", 9) == 0) {
		if (c->n_spaces == CATALOGUE_MAX || sscanf(line, "keyspace %u", &c->fields[c->n_spaces]) != 1)
			return damaged(err, "catalogue");
		c->n_spaces++;
	} else if (strncmp(line, "instance ", 9) == 0) {
		if (c->n == CATALOGUE_MAX ||
		    sscanf(line, "instance %79s %u %u %u", in.name, &in.space, &in.version, &in.size) != 4 ||
		    in.space >= c->n_spaces)
			return damaged(err, "catalogue");
		in.fields = c->fields[in.space];
		c->instances[c->n++] = in;
	}
	return TW_OK;
}

static int32_t read_lines(struct reading *r, const struct state_value *v, struct tw_err *err)
{
	char *copy = strndup(v->data, v->len), *rest = copy, *line;
	int32_t rc = TW_OK;

	if (!copy || buf_add(&r->c->text, v->data, v->len) < 0)
		rc = err_set(err, TW_E_FATAL, "memory is out");
	while (rc == TW_OK && (line = strsep(&rest, "\n")) != NULL)
		rc = read_line(r->c, line, err);
	free(copy);
	if (r->wanted)
		r->instance = catalogue_find(r->c, r->wanted);
	return rc;
}

static int32_t read_key(struct reading *r, const struct state_value *v, struct tw_err *err)
{
	struct key_entry *k;

	if (v->space - SPACE_KEYS >= r->c->n_spaces || v->len != KEY_BYTES || v->key == 0 || v->key == UINT32_MAX)
		return damaged(err, "keys");
	if (!r->instance || r->instance->space != v->space - SPACE_KEYS)
		return TW_OK;
	k = place(&r->keys, v->key, sizeof *k);
	if (!k)
		return err_set(err, TW_E_FATAL, "memory is out");
	memcpy(&k->last_ts, v->data, 8);
	memcpy(&k->symbol, (const char *)v->data + 8, 4);
	memcpy(&k->account, (const char *)v->data + 12, 4);
	return TW_OK;
}

static struct tw_str text_of(const struct reading *r, uint32_t id)
{
	struct name n;

	if (!id || id > r->names.len / sizeof n)
		return (struct tw_str){ "", 0, 0 };
	memcpy(&n, r->names.data + (id - 1) * sizeof n, sizeof n);
	return (struct tw_str){ (const char *)r->texts.data + n.at, n.len, 0 };
}

static int32_t give_state(struct reading *r, const struct state_value *v, struct tw_err *err)
{
	struct state_entry e = { .key = v->key };
	struct key_entry k = { 0 };

	if (v->key && v->key <= r->keys.len / sizeof k)
		memcpy(&k, r->keys.data + (v->key - 1) * sizeof k, sizeof k);
	e.symbol = text_of(r, k.symbol);
	e.account = text_of(r, k.account);
	e.last_ts = k.last_ts;
	memcpy(&e.head, v->data, sizeof e.head);
	e.bytes = (const unsigned char *)v->data + sizeof e.head;
	e.len = v->len - (uint32_t)sizeof e.head;
	r->stopped = r->each(r->arg, &e, err);
	return r->stopped;
}

static int32_t read_state(struct reading *r, const struct state_value *v, struct tw_err *err)
{
	uint32_t i = v->space - SPACE_STATE;
	struct catalogue_instance *in = &r->c->instances[i];

	if (i >= r->c->n || v->len != sizeof(struct slot) + in->size)
		return damaged(err, "states");
	in->keys++;
	in->bytes += v->len;
	return r->each && in == r->instance ? give_state(r, v, err) : TW_OK;
}

static int32_t read_value(void *arg, const struct state_value *v, struct tw_err *err)
{
	struct reading *r = arg;

	if (v->space == SPACE_NAMES)
		return read_name(r, v, err);
	if (v->space == SPACE_CATALOGUE)
		return v->key == 0 ? read_lines(r, v, err) : TW_OK;
	if (v->space >= SPACE_STATE)
		return read_state(r, v, err);
	if (v->space >= SPACE_KEYS)
		return read_key(r, v, err);
	return damaged(err, "spaces");
}

int32_t catalogue_read(struct catalogue *ret, struct store *s, const char *instance,
		       int32_t (*each)(void *arg, const struct state_entry *, struct tw_err *), void *arg,
		       struct tw_err *err)
{
	struct reading r = { .c = ret, .wanted = instance, .each = each, .arg = arg };
	int32_t rc;

	*ret = (struct catalogue){ 0 };
	rc = store_read_checkpoint(s, &ret->seq, &ret->note, read_value, &r, err);
	if (rc > 0 && r.stopped > 0)
		rc = TW_OK;
	buf_free(&r.texts);
	buf_free(&r.names);
	buf_free(&r.keys);
	return rc;
}

void catalogue_free(struct catalogue *c)
{
	buf_free(&c->note);
	buf_free(&c->text);
}

const struct catalogue_instance *catalogue_find(const struct catalogue *c, const char *instance)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (strcmp(c->instances[i].name, instance) == 0 && strcmp(instance, CATALOGUE_NOBODY) != 0)
			return &c->instances[i];
	return NULL;
}

int catalogue_rename(const struct catalogue *c, const char *from, const char *to, struct buf *out)
{
	const char *line = (const char *)c->text.data, *end = line + c->text.len;
	size_t len = strlen(from);

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline + 1 : end) - line);
		bool here = n > 9 + len + 1 && memcmp(line, "instance ", 9) == 0 && memcmp(line + 9, from, len) == 0 &&
			    line[9 + len] == ' ';

		if (here ? buf_addf(out, "instance %s", to) || buf_add(out, line + 9 + len, n - 9 - len)
			 : buf_add(out, line, n))
			return -1;
		line += n;
	}
	return 0;
}
