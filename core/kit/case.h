/* SPDX-License-Identifier: Apache-2.0
 *
 * Between cases.c (what a file says) and case.c (whether it is so).
 */
#ifndef KIT_CASE_H
#define KIT_CASE_H

#include "kit/kit.h"

struct kit_wants {
	bool given, counted; /* counted: only how many */
	int64_t count;
	uint32_t kind, n;
	struct kit_want *list;
};

struct kit_case {
	const char *file;
	const struct node *node;
	int64_t start, now;
	bool others; /* alerts that no line speaks for are no mistake */
	struct kit_events events;
	struct kit_wants alerts, scores;
	uint32_t said;  /* alerts */
	struct buf why; /* it failed, for people */
};

/* TW_OK, or a negative result with the difference in c->why. */
int32_t kit_case_judge(struct kit_case *c, const char *plugin, const char *options);

#endif
