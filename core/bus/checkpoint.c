/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: what changed since the last one is copied at a batch boundary; the recorder writes it. What the values
 * mean is in state/catalogue.h.
 *
 * Key numbers are the ids of keyspaces. How keys are dealt to shards is not stored: any number of workers goes on from
 * the checkpoint of any other.
 *
 * An instance is found again by its name. When keyspaces or instances have changed, states are moved to the numbers
 * they have now, and the next checkpoint replaces everything.
 */
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "bus/pipeline_impl.h"
#include "state/catalogue.h"
#include <stdlib.h>
#include <string.h>

/* ---- taking ---- */

static bool add_catalogue(struct pipeline *p, struct snapshot *s)
{
	struct buf text = { 0 };
	bool ok = true;

	for (uint32_t k = 0; k < p->n_keyspaces; k++) {
		const struct keyspace *ks = &p->keyspaces[k];
		ok = ok && buf_addf(&text, "keyspace %u %u %u %" PRId64 " %" PRIu64 " %u\n", ks->fields, ks->level,
				    ks->max_keys, ks->ttl, ks->from, ks->group) == 0;
	}
	for (uint32_t i = 0; i < p->n_instances; i++) {
		const struct instance *in = &p->instances[i];
		ok = ok && buf_addf(&text,
				    "instance %s %u %u %u %" PRId64 " %d %" PRId64 " %" PRIu64 " %s %" PRIu64
				    " %" PRIu64 " %u\n",
				    in->node->name, in->keyspace, in->detector->state_version, in->node->state_size,
				    in->now, in->quarantined, in->error_minute, in->errors_now, in->node->plugin->name,
				    p->joins[i].from, p->joins[i].since, p->joins[i].group) == 0;
	}
	ok = ok && snapshot_add(s, SPACE_CATALOGUE, 0, text.data, (uint32_t)text.len);
	buf_free(&text);
	return ok;
}

static struct slot *slot_of(struct pipeline *p, const struct instance *in, const struct key *key)
{
	return key->live ? table_find(&pipeline_share(p, in, key)->table, key->place) : NULL;
}

static bool add_slot(const struct table *t, uint32_t space, uint32_t id, struct slot *slot, struct snapshot *s)
{
	uint32_t len = (uint32_t)sizeof *slot + t->state_size;
	struct slot head = *slot;

	slot->dirty = 0;
	if (!snapshot_add(s, space, id, slot, len))
		return false;
	/* What only this process understands stays here. */
	head.key = id;
	head.dirty = head.symbol = head.account = 0;
	memcpy(s->bytes.data + s->bytes.len - len, &head, sizeof head);
	return true;
}

/* The states of a key that was forgotten, in all instances that did not see it again. */
static bool drop_states(struct pipeline *p, uint32_t space, uint32_t id, struct snapshot *s)
{
	for (uint32_t i = 0; i < p->n_instances; i++) {
		const struct instance *in = &p->instances[i];
		if (in->keyspace == space && !slot_of(p, in, &p->keyspaces[space].keys[id]) &&
		    !snapshot_add(s, SPACE_STATE + i, id, NULL, 0))
			return false;
	}
	return true;
}

static bool add_keys(struct pipeline *p, uint32_t space, struct snapshot *s)
{
	struct keyspace *k = &p->keyspaces[space];
	unsigned char value[KEY_VALUE_BYTES];
	bool ok = true;

	for (uint32_t id = 1; s->whole && ok && id <= k->n; id++) {
		if (!k->keys[id].live)
			continue;
		keyspace_value(k, id, value);
		ok = snapshot_add(s, SPACE_KEYS + space, id, value, sizeof value);
	}
	for (uint32_t i = 0; i < k->n_dirty; i++) {
		uint32_t id = k->dirty[i];
		struct key *key = &k->keys[id];
		bool lost = key->lost;
		key->dirty = key->lost = false;
		if (s->whole || !ok)
			continue;
		keyspace_value(k, id, value);
		ok = snapshot_add(s, SPACE_KEYS + space, id, key->live ? value : NULL, sizeof value) &&
		     (!lost || drop_states(p, space, id, s));
	}
	k->n_dirty = 0;
	return ok;
}

static bool add_states(struct pipeline *p, const struct instance *in, struct snapshot *s)
{
	struct keyspace *k = &p->keyspaces[in->keyspace];
	uint32_t space = SPACE_STATE + in->number;
	bool ok = true;

	for (uint32_t id = 1; s->whole && ok && id <= k->n; id++) {
		struct slot *slot = slot_of(p, in, &k->keys[id]);
		ok = !slot || add_slot(&pipeline_share(p, in, &k->keys[id])->table, space, id, slot, s);
	}
	for (uint32_t i = 0; i < p->crew.n_shards; i++) {
		struct table *t = &p->crew.shards[i].shares[in->number].table;
		const struct places *places = &k->shards[k->n_shards > 1 ? i : 0];
		for (uint32_t d = 0; !s->whole && ok && d < t->n_dirty; d++) {
			struct slot *slot = table_find(t, t->dirty[d]); /* NULL or clean: gone, or another's by now */
			ok = !slot || !slot->dirty || add_slot(t, space, places->id[t->dirty[d]], slot, s);
		}
		t->n_dirty = 0;
	}
	return ok;
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
		ok = add_keys(p, k, s);
	for (uint32_t i = 0; ok && i < p->n_instances; i++)
		ok = add_states(p, &p->instances[i], s);
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
	uint32_t fields, level, max_keys, group;
	int64_t ttl;
	uint64_t from;
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
	return err_set(e, STORE_E_DAMAGED,
		       "the checkpoint's %s cannot be read; start with --rebuild to compute it from the tape", what);
}

static int32_t old_keyspace(struct restore *r, const char *line, struct tw_err *e)
{
	struct old_space *o = &r->spaces[r->n_spaces];

	if (r->n_spaces == GRAPH_MAX_NODES || sscanf(line, "keyspace %u %u %u %" SCNd64 " %" SCNu64 " %u", &o->fields,
						     &o->level, &o->max_keys, &o->ttl, &o->from, &o->group) < 4)
		return damaged(e, "catalogue");
	if (!o->from) /* written before there were joins */
		o->from = 1;
	o->same = -1;
	for (uint32_t k = 0; k < r->p->n_keyspaces; k++) {
		const struct keyspace *n = &r->p->keyspaces[k];
		if (n->fields == o->fields && n->level == o->level && n->max_keys == o->max_keys && n->ttl == o->ttl &&
		    n->from == o->from && n->group == o->group)
			o->same = (int32_t)k;
	}
	r->moved |= o->same != (int32_t)r->n_spaces;
	r->n_spaces++;
	return TW_OK;
}

static int32_t check_version(struct old_instance *o, struct instance *in, struct tw_err *e)
{
	if (o->version != in->detector->state_version && !in->detector->migrate)
		return err_set(
			e, TW_E_CONFIG,
			"detector '%s': its state was stored by version %u of the state of plugin '%s', which now has "
			"version %u and no migration; go back to the old plugin, give the instance another name to "
			"start "
			"afresh, or use a plugin with a migrate()",
			in->node->name, o->version, in->node->plugin->name, in->detector->state_version);
	if (o->version == in->detector->state_version && o->size != in->node->state_size) {
		log_warn(in->node->name,
			 "its options changed the size of its state from %u to %u bytes: it starts afresh", o->size,
			 in->node->state_size);
		o->now = -1;
	}
	return TW_OK;
}

/* Under this name there is something else now, to which the old states mean nothing. */
static bool is_another(const struct restore *r, const struct old_instance *o, const struct instance *in,
		       const char *plugin)
{
	if (*plugin && strcmp(plugin, in->node->plugin->name) != 0)
		log_warn(in->node->name, "its plugin was '%s' and is '%s' now: it starts afresh", plugin,
			 in->node->plugin->name);
	else if (r->spaces[o->space].fields != (uint32_t)in->node->key)
		log_warn(in->node->name, "its key was %s and is %s now: it starts afresh",
			 graph_key_name((enum key_field)(r->spaces[o->space].fields & 3)),
			 graph_key_name(in->node->key));
	else
		return false;
	return true;
}

static int32_t old_detector(struct restore *r, const char *line, struct tw_err *e)
{
	struct old_instance *o = &r->instances[r->n_instances];
	char name[80], plugin[80] = "";
	int64_t now, minute;
	uint64_t errors;
	int quarantined;

	if (r->n_instances == GRAPH_MAX_NODES ||
	    sscanf(line, "instance %79s %u %u %u %" SCNd64 " %d %" SCNd64 " %" SCNu64 " %79s", name, &o->space,
		   &o->version, &o->size, &now, &quarantined, &minute, &errors, plugin) < 8 ||
	    o->space >= r->n_spaces)
		return damaged(e, "catalogue");
	o->now = -1;
	for (uint32_t i = 0; i < r->p->n_instances; i++) {
		struct instance *in = &r->p->instances[i];
		if (strcmp(in->node->name, name) != 0 || is_another(r, o, in, plugin))
			continue;
		o->now = (int32_t)i;
		in->now = now;
		in->error_minute = minute;
		in->errors_now = errors;
		if (check_version(o, in, e) < 0)
			return TW_E_CONFIG;
		break;
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
	r->moved |= r->n_spaces != r->p->n_keyspaces || r->n_instances != r->p->n_instances;
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
	if (o->same >= 0 &&
	    keyspace_restore(&r->p->keyspaces[o->same], v->key, v->data, v->len, intern_count(r->p->intern)) < 0)
		return damaged(e, "keys");
	return TW_OK;
}

/* A key of an old keyspace in the keyspace of this instance; NULL: unknown. */
static const struct key *key_now(struct restore *r, const struct old_instance *o, const struct instance *in,
				 uint32_t id)
{
	const struct old_space *space = &r->spaces[o->space];
	struct keyspace *k = &r->p->keyspaces[in->keyspace];

	if (space->same != (int32_t)in->keyspace)
		id = id < space->n ? keyspace_touch(k, space->keys[id].symbol, space->keys[id].account,
						    space->keys[id].last_ts, 0)
				   : 0;
	return id && id < k->cap && k->keys[id].live ? &k->keys[id] : NULL;
}

static int32_t read_state(struct restore *r, const struct state_value *v, struct tw_err *e)
{
	uint32_t i = v->space - SPACE_STATE;
	const struct old_instance *o = &r->instances[i];
	const struct key *key;
	struct instance *in;
	struct share *share;
	struct slot head, *s;
	int64_t due;

	if (i >= r->n_instances || v->len != sizeof head + o->size)
		return damaged(e, "states");
	if (o->now < 0)
		return TW_OK;
	in = &r->p->instances[o->now];
	key = key_now(r, o, in, v->key);
	if (!key)
		return damaged(e, "states");
	share = pipeline_share(r->p, in, key);
	if (table_find(&share->table, key->place))
		return damaged(e, "states");
	s = table_add(&share->table, key->place, 0);
	if (!s)
		return err_set(e, TW_E_FATAL, "memory is out");
	memcpy(&head, v->data, sizeof head);
	due = head.due;
	head.key = key->place;
	head.symbol = key->symbol;
	head.account = key->account;
	head.dirty = 0;
	head.due = 0;
	*s = head;
	if (o->version == in->detector->state_version)
		memcpy(slot_state(s), (const char *)v->data + sizeof head, o->size);
	else if (in->detector->migrate(in->node->self, o->version, (const char *)v->data + sizeof head, o->size,
				       slot_state(s)) < 0)
		return err_set(e, TW_E_CONFIG, "detector '%s': its plugin cannot migrate the state of version %u",
			       in->node->name, o->version);
	if (due && !timers_arm(&share->timers, &share->table, s, due))
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

/* All keys are back. Those that a lower max_keys leaves no room for take their states with them. */
static int32_t settle_keys(struct pipeline *p, uint32_t space, struct tw_err *e)
{
	struct keyspace *k = &p->keyspaces[space];
	struct gone gone = { 0 };
	int32_t rc;

	keyspace_begin(k, &gone);
	rc = keyspace_restored(k);
	for (uint32_t i = 0; i < gone.n; i++)
		for (uint32_t n = 0; n < p->n_instances; n++) {
			const struct instance *in = &p->instances[n];
			uint32_t shard = in->home != UINT32_MAX ? in->home : gone.list[i].shard;
			if (in->keyspace == space)
				table_drop(&p->crew.shards[shard].shares[n].table, gone.list[i].place);
		}
	k->gone = NULL;
	free(gone.list);
	return rc < 0 ? err_set(e, rc, "memory is out") : TW_OK;
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
	for (uint32_t k = 0; k < p->n_keyspaces; k++)
		p->keyspaces[k].restoring = true;
	rc = store_read_checkpoint(p->o.store, &seq, &note, read_value, r, e);
	for (uint32_t k = 0; k < p->n_keyspaces; k++)
		p->keyspaces[k].restoring = false;
	if (rc == TW_OK) {
		p->names_saved = intern_count(p->intern);
		p->whole = r->moved;
		for (uint32_t k = 0; k < p->n_keyspaces && rc == TW_OK; k++)
			rc = settle_keys(p, k, e);
		*ret_seq = seq;
		CRASH_POINT("checkpoint.restored");
	}
	for (uint32_t k = 0; k < r->n_spaces; k++)
		free(r->spaces[k].keys);
	buf_free(&note);
	free(r);
	return rc;
}
