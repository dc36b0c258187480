/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands behind struct tw_test: libtapewatch-test is this folder and core/.
 */
#ifndef SDK_KIT_IMPL_H
#define SDK_KIT_IMPL_H

#include "kit/endpoint.h"
#include "kit/kit.h"
#include <tapewatch/test.h>

struct tw_test {
	struct kit_plan plan;
	bool over;  /* used wrongly: nothing is done any more */
	bool once;
	uint32_t failures, checks;
	int64_t start, now;
	struct kit_events events;
	/* a detector */
	struct kit_engine *engine;
	bool *spoken; /* of what it said */
	uint32_t cap_spoken;
	/* a source or a sink */
	struct kit_source *source;
	struct kit_sink *sink;
	const char *output;
	uint32_t next_event, next_dead;
};

/* The test cannot go on. */
void test_over(struct tw_test *, const char *fmt, ...) TW_PRINTF(2, 3);
/* An expectation failed at file:line; what lies around it is printed. Returns 1. */
int test_failed(struct tw_test *, const char *file, int line, const char *fmt, ...) TW_PRINTF(4, 5);
/* Is it a test of this kind that can go on? If not, says so. */
bool test_is(struct tw_test *, enum plugin_kind);
/* Judge what was fed. */
bool test_judge(struct tw_test *);
/* Have room for marks of what was said; NULL: nothing was. */
const struct kit_said *test_said(struct tw_test *, uint32_t *ret_n);
/* The repetitions of sources and sinks; 0: all the same. */
uint32_t test_repeat_source(struct tw_test *);
uint32_t test_repeat_sink(struct tw_test *);
void test_remove_folder(void);

#endif
