/* SPDX-License-Identifier: Apache-2.0
 *
 * What the values of a checkpoint mean, by (space, key), for whoever writes it and for tools that look into one
 * without the detectors it belongs to.
 *
 *   SPACE_NAMES      interned number -> text
 *   SPACE_CATALOGUE  0 -> which keyspaces and instances the other numbers mean, one line each:
 *                    keyspace FIELDS LEVEL MAX_KEYS TTL FROM GROUP
 *                    instance NAME KEYSPACE STATE_VERSION STATE_SIZE [...] PLUGIN FROM SINCE GROUP
 *                    (FROM, SINCE, GROUP: see bus/joins.h; absent: 1 1 0)
 *   SPACE_KEYS + k   key number in keyspace k -> last_ts, symbol, account
 *   SPACE_STATE + i  key number -> the slot of instance i: the host's header, then the detector's bytes
 */
#ifndef STATE_CATALOGUE_H
#define STATE_CATALOGUE_H

#include "state/store.h"
#include "state/table.h"

enum { SPACE_NAMES = 1, SPACE_CATALOGUE = 2, SPACE_KEYS = 0x10000, SPACE_STATE = 0x20000 };

#define CATALOGUE_MAX 1024u /* lines of a kind */

/* An instance of this name is none: a line with it keeps its number and loses its states at the next restore. */
#define CATALOGUE_NOBODY "-"

struct catalogue_instance {
	char name[80];
	uint32_t space, version, size;
	uint32_t fields;      /* of its keys: 1 symbol, 2 account, 3 both, 0 none */
	uint64_t keys, bytes; /* of its states, with the host's headers */
};

struct catalogue {
	uint64_t seq;    /* the checkpoint is as of this event */
	struct buf note; /* terminated */
	struct buf text; /* the lines */
	uint32_t fields[CATALOGUE_MAX], n_spaces;
	struct catalogue_instance instances[CATALOGUE_MAX];
	uint32_t n;
};

/* One state of an instance. Texts and bytes live until the call returns. */
struct state_entry {
	uint32_t key;
	struct tw_str symbol, account; /* as the fields of the instance say */
	int64_t last_ts;               /* when the key was seen last */
	struct slot head;
	const unsigned char *bytes;
	uint32_t len;
};

/* Read the newest checkpoint. With `instance`, each(arg, entry) is called for its states in order of their numbers; a
 * positive answer ends the reading early, and the counts are then of what was read. TW_AGAIN: there is no checkpoint.
 * Freed by catalogue_free() whatever was returned. */
int32_t catalogue_read(struct catalogue *ret, struct store *, const char *instance,
                       int32_t (*each)(void *arg, const struct state_entry *, struct tw_err *), void *arg,
                       struct tw_err *);
void catalogue_free(struct catalogue *);
/* NULL: there is none. */
const struct catalogue_instance *catalogue_find(const struct catalogue *, const char *instance);
/* The lines with another name for an instance. 0, or -1 when memory is out. */
int catalogue_rename(const struct catalogue *, const char *from, const char *to, struct buf *out);

#endif
