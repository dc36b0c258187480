/* SPDX-License-Identifier: Apache-2.0
 *
 * Two runs side by side: alert logs and tapes record by record, checkpoints state by state.
 */
#include "event/event.h"
#include "sim.h"
#include "state/catalogue.h"
#include "state/keyspace.h"
#include "state/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- logs ---- */

struct walk {
	const struct disk_log *log;
	bool tape;
	uint32_t block;
	struct block b;
	size_t at;
};

static bool walk_next(struct walk *w, const unsigned char **event, size_t *len)
{
	uint16_t source;

	for (;;) {
		if (w->b.bytes && (w->tape ? tape_record(&w->b, &w->at, &source, event, len)
					   : alert_record(&w->b, &w->at, event, len)))
			return true;
		if (w->block == w->log->n)
			return false;
		w->b = disk_block(w->log, w->block++);
		w->at = 0;
	}
}

void describe(struct buf *out, const unsigned char *event, size_t len)
{
	_Alignas(16) unsigned char room[512];
	struct intern *names = must(intern_new(100));
	struct arena scratch = { 0 };

	if (!event)
		(void)buf_addf(out, "(nothing)");
	else if (event_decode((struct tw_event *)(void *)room, event, len, names, &scratch) == len)
		(void)event_json(out, (struct tw_event *)(void *)room, names);
	(void)buf_add(out, "", 1);
	arena_free(&scratch);
	intern_free(names);
}

static uint64_t compare_logs(const struct disk_log *is, const struct disk_log *should, bool tape, const char *what,
			     const char *against)
{
	struct walk a = { .log = is, .tape = tape }, b = { .log = should, .tape = tape };
	uint64_t n = 0;

	while (!sim->violated) {
		const unsigned char *x = NULL, *y = NULL;
		size_t x_len = 0, y_len = 0;
		bool more = walk_next(&a, &x, &x_len), due = walk_next(&b, &y, &y_len);
		if (!more && !due)
			break;
		n++;
		if (more && due && x_len == y_len && !memcmp(x, y, x_len))
			continue;
		struct buf is_text = { 0 }, should_text = { 0 };
		describe(&is_text, more ? x : NULL, x_len);
		describe(&should_text, due ? y : NULL, y_len);
		violate("record %" PRIu64 " of the %s differs from %s\n  is     %.800s\n  should %.800s", n, what,
			against, (const char *)is_text.data, (const char *)should_text.data);
		buf_free(&is_text);
		buf_free(&should_text);
	}
	return n;
}

void compare_alerts(const struct disk *is, const struct disk *should, const char *against)
{
	sim->tally->compared += compare_logs(&is->alerts, &should->alerts, false, "alert log", against);
}

void compare_tapes(const struct disk *is, const struct disk *should, const char *against)
{
	(void)compare_logs(&is->tape, &should->tape, true, "tape", against);
}

/* ---- states ----
 * The number of a key depends on when the host was started; its names do not. So a state is found by the name of its
 * instance and the names of its key, and then must be the same to the last byte. The spaces are those of
 * core/state/catalogue.h.
 */

struct known {
	char who[16];
	uint64_t symbol, account; /* checksums of the texts */
	const struct disk_value *value;
};

struct states {
	struct known *list;
	uint32_t n;
};

static uint64_t name_sum(const struct disk *d, uint32_t id)
{
	const struct disk_value *v = id ? disk_get(d, SPACE_NAMES, id) : NULL;

	if (id && !v)
		violate("a key of the checkpoint has name %u, which is not in it", id);
	return v ? hash_bytes(v->data, v->len) : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int d = strcmp(x->who, y->who);

	if (d)
		return d;
	if (x->symbol != y->symbol)
		return x->symbol < y->symbol ? -1 : 1;
	return x->account < y->account ? -1 : x->account > y->account;
}

/* "instance NAME KEYSPACE ..." lines, in the order of the state spaces. */
static uint32_t read_catalogue(const struct disk *d, char names[16][16], uint32_t spaces[16])
{
	const struct disk_value *v = disk_get(d, SPACE_CATALOGUE, 0);
	char *text = must(strndup(v ? v->data : "", v ? v->len : 0)), *rest = text, *line;
	uint32_t n = 0;

	while (n < 16 && (line = strsep(&rest, "\n")) != NULL)
		n += sscanf(line, "instance %15s %u", names[n], &spaces[n]) == 2;
	free(text);
	return n;
}

static struct states states_of(const struct disk *d)
{
	struct states s = { .list = must(calloc(d->n_values + 1, sizeof *s.list)) };
	char names[16][16];
	uint32_t spaces[16], n = read_catalogue(d, names, spaces);

	for (uint32_t i = 0; i < d->n_values; i++) {
		const struct disk_value *v = &d->values[i], *key;
		uint32_t space = (uint32_t)(v->key >> 32), symbol, account;
		struct known *k = &s.list[s.n];
		if (space < SPACE_STATE)
			continue;
		space -= SPACE_STATE;
		key = space < n ? disk_get(d, SPACE_KEYS + spaces[space], (uint32_t)v->key) : NULL;
		if (!key || key->len != KEY_VALUE_BYTES) {
			violate("state %u of instance %u belongs to no key", (uint32_t)v->key, space);
			break;
		}
		memcpy(&symbol, (const char *)key->data + 8, 4);
		memcpy(&account, (const char *)key->data + 12, 4);
		memcpy(k->who, names[space], sizeof k->who);
		k->symbol = name_sum(d, symbol);
		k->account = name_sum(d, account);
		k->value = v;
		s.n++;
	}
	qsort(s.list, s.n, sizeof *s.list, by_name);
	return s;
}

static bool same_state(const struct disk_value *a, const struct disk_value *b)
{
	struct slot x, y;

	if (a->len != b->len || a->len < sizeof x)
		return false;
	memcpy(&x, a->data, sizeof x);
	memcpy(&y, b->data, sizeof y);
	return x.first_ts == y.first_ts && x.seen == y.seen && x.quiet_ts == y.quiet_ts &&
	       x.quiet_seen == y.quiet_seen && x.due == y.due &&
	       !memcmp((const char *)a->data + sizeof x, (const char *)b->data + sizeof y, a->len - sizeof x);
}

void compare_states(const struct disk *is, const struct disk *should, const char *against)
{
	struct states a = states_of(is), b = states_of(should);

	if (is->has_checkpoint != should->has_checkpoint || is->checkpoint_seq != should->checkpoint_seq)
		violate("the last checkpoint is as of %" PRIu64 ", that of %s as of %" PRIu64, is->checkpoint_seq,
			against, should->checkpoint_seq);
	for (uint32_t i = 0; i < a.n || i < b.n; i++) {
		if (i < a.n && i < b.n && by_name(&a.list[i], &b.list[i]) == 0 &&
		    same_state(a.list[i].value, b.list[i].value))
			continue;
		violate("state %u of %u of the last checkpoint, of detector %s, is not that of %s (%u states, %s)", i,
			a.n, i < a.n ? a.list[i].who : "(none)", against, b.n, i < b.n ? b.list[i].who : "(none)");
		break;
	}
	sim->tally->states += a.n;
	free(a.list);
	free(b.list);
}
