/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `tapewatch state` share.
 */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include "cli/cli.h"
#include "state/catalogue.h"

struct state_args {
	const char *dir, *key;
	bool json;
	uint64_t limit;
};

extern const struct verb verb_state;

/* Each returns an exit code. */
int state_ls(const struct state_args *, struct store *);
int state_show(const struct state_args *, struct store *, const char *instance);
/* Of a source: its position and its values. false: there is none of this name. */
bool state_values(const struct state_args *, struct store *, const char *source, int *ret_code);
int state_hex(struct buf *out, const unsigned char *p, uint32_t len);
int state_drop(const struct state_args *, struct store *, const char *name);
int state_mv(const struct state_args *, struct store *, const char *from, const char *to);

/* Is this entry the one that --key names: the symbol, the account, or SYMBOL,ACCOUNT, as the instance's keys are? */
bool state_key_matches(const struct catalogue_instance *, const struct state_entry *, const char *key);
const char *state_fields(uint32_t fields); /* "symbol", ... */
/* The sentence for an instance that is not there, with the nearest name. Returns CLI_USAGE. */
int state_no_instance(const struct catalogue *, const char *name);

#endif
