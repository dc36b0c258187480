/* SPDX-License-Identifier: Apache-2.0
 *
 * The `where:` filter: which kinds, symbols and accounts reach a detector or sink.
 *
 *     where:
 *       kind: [quote, trade]
 *       symbol: [EUR*, "!EURCHF"]
 *       account: A*
 */
#ifndef CONFIG_WHERE_H
#define CONFIG_WHERE_H

#include "config/config.h"

struct where_glob {
	const char *glob;
	bool not;
};

struct where_names {
	const struct where_glob *globs;
	uint32_t n;    /* 0: every name passes */
	bool positive; /* one at least is without '!', so a name must match one of those */
};

struct where {
	uint32_t kinds; /* bits; TW_ANY when none are named */
	struct where_names symbol, account;
};

/* map may be NULL: everything passes. what is e.g. "detector 'spikes'". TW_OK, or TW_E_CONFIG when mistakes were
 * reported; the struct is then untouched. Texts are copied into the arena. */
int32_t where_parse(struct where *, const struct node *map, const char *what, struct arena *, struct report *);

/* Does the name pass: any positive glob matches or there are none, and no negative one does. "" is a name too: that of
 * an event without one. */
bool where_name(const struct where_names *, const char *text);

#endif
