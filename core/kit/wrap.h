/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the host and a detector under test: its state and options get guarded bytes behind them, its state may lie
 * elsewhere at every call, and the stack it finds holds a pattern.
 */
#ifndef KIT_WRAP_H
#define KIT_WRAP_H

#include "kit/kit.h"

#define KIT_GUARD 64u /* bytes behind state and options */

struct kit_wrap {
	struct plugin plugin; /* the one the host sees */
	const struct tw_detector *real;
	uint32_t state_size;
	bool moved, tight;
	int pattern;
	unsigned char *block; /* a pointer to this, the options, guarded bytes */
	unsigned char *elsewhere[2]; /* where the state is while it is called */
	uint32_t turn;
	char trespass[256];
};

/* The plan's node calls the plugin through w from here on, until kit_wrap_off(). */
int32_t kit_wrap_on(struct kit_wrap *w, struct kit_plan *, const struct kit_how *);
void kit_wrap_fresh(struct kit_wrap *, struct kit_plan *); /* its options as they were bound, as after a start */
void kit_wrap_check(struct kit_wrap *);                    /* are the bytes behind the options as they were? */
void kit_wrap_off(struct kit_wrap *, struct kit_plan *);

#endif
