/* SPDX-License-Identifier: Apache-2.0
 *
 * The repetitions: the same events in other ways, and what came out differently.
 */
#include "base/err.h"
#include "kit/kit.h"
#include <string.h>

const struct kit_how kit_first = { .name = "the first time", .batch = 1, .workers = 1, .pattern = 0xa5 };

const struct kit_how kit_repeats[] = {
	{ .name = "a second time",
	  .means = "something outlives the instance: a static variable, the clock, or a random number decides",
	  .batch = 1,
	  .workers = 1,
	  .pattern = 0xa5 },
	{ .name = "with the state at another address at every call",
	  .means = "the state holds a pointer, or a pointer into it is kept between two events",
	  .batch = 1,
	  .workers = 1,
	  .moved = true,
	  .pattern = 0xa5 },
	{ .name = "with save and restore between every two events",
	  .means = "something is kept outside the state: a static variable, or a member of the options struct that "
		   "process() changes; or the state holds a pointer",
	  .batch = 1,
	  .workers = 1,
	  .restart = true,
	  .moved = true,
	  .pattern = 0xa5 },
	{ .name = "in batches of 256",
	  .means = "a result depends on where a batch ends, or ctx->i is not kept at the event that is judged",
	  .batch = 256,
	  .workers = 1,
	  .pattern = 0xa5 },
	{ .name = "with 4 workers",
	  .means = "something is shared between keys: a static variable, or a member of the options struct; events of "
		   "different keys come in another order with several workers",
	  .batch = 256,
	  .workers = 4,
	  .pattern = 0xa5 },
	{ .name = "with another pattern in the bytes behind the state, on the stack and in fresh memory",
	  .means = "a variable is read before it is set, padding is compared or hashed, or something is read behind "
		   "the end of the state",
	  .batch = 1,
	  .workers = 1,
	  .pattern = 0x3c },
};
const uint32_t kit_n_repeats = sizeof kit_repeats / sizeof *kit_repeats;

static void add_one(struct buf *why, const char *what, const struct kit_engine *k, uint32_t i, int64_t start)
{
	const struct kit_said *said;
	uint32_t n = kit_engine_said(k, &said);

	(void)buf_addf(why, "    %s ", what);
	if (i < n)
		kit_event_line(why, said[i].ev, kit_engine_names(k), start);
	else
		(void)buf_addf(why, "nothing: there were only %u", n);
	(void)buf_add(why, "\n", 1);
}

/* The first record that is not the same; false: all are. */
static bool differ(const struct kit_engine *a, const struct kit_engine *b, uint32_t *ret)
{
	const struct kit_said *x, *y;
	uint32_t n = kit_engine_said(a, &x), m = kit_engine_said(b, &y);

	for (uint32_t i = 0; i < n && i < m; i++)
		if (x[i].len != y[i].len ||
		    memcmp(kit_engine_bytes(a, &x[i]), kit_engine_bytes(b, &y[i]), x[i].len) != 0) {
			*ret = i;
			return true;
		}
	*ret = n < m ? n : m;
	return n != m;
}

int32_t kit_repeat(struct kit_plan *plan, const struct kit_how *how, const struct kit_events *events,
		   const struct kit_engine *first, int64_t start, struct buf *why)
{
	struct tw_err e = { 0 };
	struct kit_engine *k = kit_engine_new(plan, how, &e);
	int32_t rc = k ? kit_engine_feed(k, events, &e) : TW_E_FATAL;
	uint32_t at;

	if (rc < 0) {
		(void)buf_addf(why, "%s: it could not be repeated: %s\n", how->name, e.msg);
	} else if (kit_engine_trespass(k)) {
		(void)buf_addf(why, "%s: %s\n", how->name, kit_engine_trespass(k));
		rc = TW_E_DATA;
	} else if (differ(first, k, &at)) {
		(void)buf_addf(why, "%s, alert or score %u is another one:\n", how->name, at + 1);
		add_one(why, "was:", first, at, start);
		add_one(why, "now:", k, at, start);
		(void)buf_addf(why, "    usually: %s\n", how->means);
		rc = TW_E_DATA;
	} else if (kit_engine_errors(first) != kit_engine_errors(k)) {
		(void)buf_addf(why,
			       "%s, process() failed on %" PRIu64 " events, before on %" PRIu64 "\n    usually: %s\n",
			       how->name, kit_engine_errors(k), kit_engine_errors(first), how->means);
		rc = TW_E_DATA;
	}
	kit_engine_free(k);
	return rc;
}
