/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: what changed since the last one is copied at a batch boundary; the recorder writes it. Values are keyed
 * (space, key):
 *
 *   SPACE_NAMES      interned number -> text
 *   SPACE_CATALOGUE  0 -> which keyspaces and instances the other numbers mean, one line each
 *   SPACE_KEYS + k   key number in keyspace k -> last_ts, symbol, account
 *   SPACE_STATE + i  key number -> the slot of instance i: the host's header, then the detector's bytes
 *
 * An instance is found again by its name. When keyspaces or instances have changed, states are moved to the numbers
 * they have now, and the next checkpoint replaces everything.
 */
#include "base/err.h"
#include "base/log.h"
#include "bus/pipeline_impl.h"
#include <stdlib.h>
#include <string.h>

enum { SPACE_NAMES = 1, SPACE_CATALOGUE = 2, SPACE_KEYS = 0x10000, SPACE_STATE = 0x20000 };

/* ---- taking ---- */

static bool add_catalogue(struct pipeline *p, struct snapshot *s)
{
	struct buf text = { 0 };
	bool ok = true;

	for (uint32_t k = 0; k < p->n_keyspaces; k++) {
		const struct keyspace *ks = &p->keyspaces[k];
		ok = ok && buf_addf(&text, "keyspace %u %u %u %" PRId64 "\n", ks->fields, ks->level, ks->max_keys, ks->ttl) == 0;
	}
	for (uint32_t i = 0; i < p->worker.n_instances; i++) {
		const struct instance *in = &p->worker.instances[i];
		ok = ok && buf_addf(&text, "instance %s %u %u %u %" PRId64 " %d %" PRId64 " %" PRIu64 "\n", in->node->name,
		                    in->keyspace, in->detector->state_version, in->table.state_size, in->now, in->quarantined,
		                    in->error_minute, in->errors_now) == 0;
	}
	ok = ok && snapshot_add(s, SPACE_CATALOGUE, 0, text.data, (uint32_t)text.len);
	buf_free(&text);
	return ok;
}

static bool add_keys(struct keyspace *k, uint32_t space, struct snapshot *s)
{
	unsigned char value[KEY_VALUE_BYTES];

	if (s->whole) {
		for (uint32_t id = 1; id <= k->n; id++) {
			if (!k->keys[id].live)
				continue;
			keyspace_value(k, id, value);
			if (!snapshot_add(s, space, id, value, sizeof value))
				return false;
		}
	}
	for (uint32_t i = 0; i < k->n_dirty; i++) {
		uint32_t id = k->dirty[i];
		k->keys[id].dirty = false;
		if (s->whole)
			continue;
		keyspace_value(k, id, value);
		if (!snapshot_add(s, space, id, k->keys[id].live ? value : NULL, sizeof value))
			return false;
	}
	k->n_dirty = 0;
	return true;
}

static bool add_slot(struct table *t, uint32_t space, uint32_t key, struct snapshot *s)
{
	struct slot *slot = table_find(t, key);
	uint32_t len = (uint32_t)sizeof *slot + t->state_size;

	if (!slot)
		return s->whole || snapshot_add(s, space, key, NULL, 0);
	slot->dirty = 0;
	return snapshot_add(s, space, key, slot, len);
}

static bool add_states(struct table *t, uint32_t space, struct snapshot *s)
{
	if (s->whole)
		for (uint32_t key = 1; key < t->cap; key++)
			if (!add_slot(t, space, key, s))
				return false;
	for (uint32_t i = 0; !s->whole && i < t->n_dirty; i++)
		if (!add_slot(t, space, t->dirty[i], s))
			return false;
	t->n_dirty = 0;
	return true;
}

struct snapshot *checkpoint_take(struct pipeline *p)
{
	struct snapshot *s = calloc(1, sizeof *s);
	bool ok = s != NULL;

	if (!p->o.store || !p->o.record || !s) {
		free(s);
		return NULL;
	}
	s->seq = p->batch_seq;
	s->whole = p->whole;
	ok = ok && buf_addf(&s->note, "config %s", p->graph->digest) == 0 && add_catalogue(p, s);
	for (uint32_t id = s->whole ? 1 : p->names_saved + 1; ok && id <= intern_count(p->intern); id++)
		ok = snapshot_add(s, SPACE_NAMES, id, intern_name(p->intern, id), intern_len(p->intern, id));
	for (uint32_t k = 0; ok && k < p->n_keyspaces; k++)
		ok = add_keys(&p->keyspaces[k], SPACE_KEYS + k, s);
	for (uint32_t i = 0; ok && i < p->worker.n_instances; i++)
		ok = add_states(&p->worker.instances[i].table, SPACE_STATE + i, s);
	if (!ok) { /* some dirty marks are gone: the next one must be complete */
		p->whole = true;
		snapshot_free(s);
		return NULL;
	}
	p->names_saved = intern_count(p->intern);
	p->whole = false;
	p->checkpoint_seq = s->seq;
	return s;
}

/* ---- restoring ---- */

struct old_key {
	int64_t last_ts;
	uint32_t symbol, account;
};

struct old_space {
	uint32_t fields, level, max_keys;
	int64_t ttl;
	int32_t same; /* number of the keyspace with the same parameters now, or -1 */
	struct old_key *keys;
	uint32_t n;
};

struct old_instance {
	int32_t now; /* number of the instance of that name now, or -1: gone, or started afresh */
	uint32_t space, version, size;
};

struct restore {
	struct pipeline *p;
	struct old_space spaces[GRAPH_MAX_NODES];
	uint32_t n_spaces;
	struct old_instance instances[GRAPH_MAX_NODES];
	uint32_t n_instances;
	bool moved; /* anything but the same numbers */
};

static int32_t damaged(struct tw_err *e, const char *what)
{
	return err_set(e, STORE_E_DAMAGED, "the checkpoint's %s cannot be read; start with --rebuild to compute it from the tape",
	               what);
}

static int32_t old_keyspace(struct restore *r, const char *line, struct tw_err *e)
{
	struct old_space *o = &r->spaces[r->n_spaces];

	if (r->n_spaces == GRAPH_MAX_NODES ||
	    sscanf(line, "keyspace %u %u %u %" SCNd64, &o->fields, &o->level, &o->max_keys, &o->ttl) != 4)
		return damaged(e, "catalogue");
	o->same = -1;
	for (uint32_t k = 0; k < r->p->n_keyspaces; k++) {
		const struct keyspace *n = &r->p->keyspaces[k];
		if (n->fields == o->fields && n->level == o->level && n->max_keys == o->max_keys && n->ttl == o->ttl)
			o->same = (int32_t)k;
	}
	r->moved |= o->same != (int32_t)r->n_spaces;
	r->n_spaces++;
	return TW_OK;
}

static int32_t check_version(struct old_instance *o, struct instance *in, struct tw_err *e)
{
	if (o->version != in->detector->state_version && !in->detector->migrate)
		return err_set(e, TW_E_CONFIG,
		               "detector '%s': its state was stored by version %u of the state of plugin '%s', which now has "
		               "version %u and no migration; go back to the old plugin, give the instance another name to start "
		               "afresh, or use a plugin with a migrate()",
		               in->node->name, o->version, in->node->plugin->name, in->detector->state_version);
	if (o->version == in->detector->state_version && o->size != in->table.state_size) {
		log_warn(in->node->name, "its options changed the size of its state from %u to %u bytes: it starts afresh", o->size,
		         in->table.state_size);
		o->now = -1;
	}
	return TW_OK;
}

static int32_t old_detector(struct restore *r, const char *line, struct tw_err *e)
{
	struct old_instance *o = &r->instances[r->n_instances];
	char name[80];
	int64_t now, minute;
	uint64_t errors;
	int quarantined;

	if (r->n_instances == GRAPH_MAX_NODES ||
	    sscanf(line, "instance %79s %u %u %u %" SCNd64 " %d %" SCNd64 " %" SCNu64, name, &o->space, &o->version, &o->size,
	           &now, &quarantined, &minute, &errors) != 8 ||
	    o->space >= r->n_spaces)
		return damaged(e, "catalogue");
	o->now = -1;
	for (uint32_t i = 0; i < r->p->worker.n_instances; i++) {
		struct instance *in = &r->p->worker.instances[i];
		if (strcmp(in->node->name, name) != 0)
			continue;
		o->now = (int32_t)i;
		in->now = now;
		in->error_minute = minute;
		in->errors_now = errors;
		if (check_version(o, in, e) < 0)
			return TW_E_CONFIG;
	}
	r->moved |= o->now != (int32_t)r->n_instances;
	r->n_instances++;
	return TW_OK;
}

static int32_t read_catalogue(struct restore *r, const struct state_value *v, struct tw_err *e)
{
	char *text = strndup(v->data, v->len), *rest = text, *line;
	int32_t rc = text ? TW_OK : err_set(e, TW_E_FATAL, "memory is out");

	while (rc == TW_OK && (line = strsep(&rest, "\n")) != NULL) {
		if (!strncmp(line, "keyspace ", 9))
			rc = old_keyspace(r, line, e);
		else if (!strncmp(line, "instance ", 9))
			rc = old_detector(r, line, e);
	}
	free(text);
	r->moved |= r->n_spaces != r->p->n_keyspaces || r->n_instances != r->p->worker.n_instances;
	return rc;
}

static int32_t read_key(struct restore *r, const struct state_value *v, struct tw_err *e)
{
	uint32_t k = v->space - SPACE_KEYS;
	struct old_space *o = &r->spaces[k];

	if (k >= r->n_spaces || v->len != KEY_VALUE_BYTES || v->key == 0)
		return damaged(e, "keys");
	if (v->key >= o->n) {
		uint32_t n = v->key * 2 < 256 ? 256 : v->key * 2;
		struct old_key *keys = realloc(o->keys, n * sizeof *keys);
		if (!keys)
			return err_set(e, TW_E_FATAL, "memory is out");
		memset(keys + o->n, 0, (n - o->n) * sizeof *keys);
		o->keys = keys;
		o->n = n;
	}
	memcpy(&o->keys[v->key].last_ts, v->data, 8);
	memcpy(&o->keys[v->key].symbol, (const char *)v->data + 8, 4);
	memcpy(&o->keys[v->key].account, (const char *)v->data + 12, 4);
	if (o->same >= 0 && keyspace_restore(&r->p->keyspaces[o->same], v->key, v->data, v->len, intern_count(r->p->intern)) < 0)
		return damaged(e, "keys");
	return TW_OK;
}

/* The number a key of an old keyspace has in the keyspace of this instance. */
static uint32_t key_now(struct restore *r, const struct old_instance *o, const struct instance *in, uint32_t key)
{
	const struct old_space *space = &r->spaces[o->space];

	if (space->same == (int32_t)in->keyspace)
		return key;
	if (key >= space->n)
		return 0;
	return keyspace_touch(&r->p->keyspaces[in->keyspace], space->keys[key].symbol, space->keys[key].account,
	                      space->keys[key].last_ts, 0);
}

static int32_t read_state(struct restore *r, const struct state_value *v, struct tw_err *e)
{
	uint32_t i = v->space - SPACE_STATE, key;
	const struct old_instance *o = &r->instances[i];
	struct instance *in;
	struct slot head, *s;
	int64_t due;

	if (i >= r->n_instances || v->len != sizeof head + o->size)
		return damaged(e, "states");
	if (o->now < 0)
		return TW_OK;
	in = &r->p->worker.instances[o->now];
	key = key_now(r, o, in, v->key);
	if (!key || table_find(&in->table, key))
		return damaged(e, "states");
	s = table_add(&in->table, key, 0);
	if (!s)
		return err_set(e, TW_E_FATAL, "memory is out");
	memcpy(&head, v->data, sizeof head);
	due = head.due;
	head.key = key;
	head.dirty = 0;
	head.due = 0;
	*s = head;
	if (o->version == in->detector->state_version)
		memcpy(slot_state(s), (const char *)v->data + sizeof head, o->size);
	else if (in->detector->migrate(in->node->self, o->version, (const char *)v->data + sizeof head, o->size, slot_state(s)) < 0)
		return err_set(e, TW_E_CONFIG, "detector '%s': its plugin cannot migrate the state of version %u", in->node->name,
		               o->version);
	if (due && !timers_arm(&in->timers, &in->table, s, due))
		return err_set(e, TW_E_FATAL, "memory is out");
	return TW_OK;
}

static int32_t read_value(void *arg, const struct state_value *v, struct tw_err *e)
{
	struct restore *r = arg;

	if (v->space == SPACE_NAMES)
		return intern_id(r->p->intern, v->data, v->len) == v->key ? TW_OK : damaged(e, "names");
	if (v->space == SPACE_CATALOGUE)
		return read_catalogue(r, v, e);
	if (v->space >= SPACE_STATE)
		return read_state(r, v, e);
	if (v->space >= SPACE_KEYS)
		return read_key(r, v, e);
	return damaged(e, "spaces");
}

int32_t checkpoint_restore(struct pipeline *p, uint64_t *ret_seq, struct tw_err *e)
{
	struct restore *r = calloc(1, sizeof *r);
	struct buf note = { 0 };
	uint64_t seq = 0;
	int32_t rc;

	if (!r)
		return err_set(e, TW_E_FATAL, "memory is out");
	r->p = p;
	rc = store_read_checkpoint(p->o.store, &seq, &note, read_value, r, e);
	if (rc == TW_OK) {
		p->names_saved = intern_count(p->intern);
		p->whole = r->moved;
		for (uint32_t k = 0; k < p->n_keyspaces && rc == TW_OK; k++) {
			keyspace_begin(&p->keyspaces[k]);
			rc = keyspace_restored(&p->keyspaces[k]);
		}
		*ret_seq = seq;
	}
	for (uint32_t k = 0; k < r->n_spaces; k++)
		free(r->spaces[k].keys);
	buf_free(&note);
	free(r);
	return rc;
}
