/* SPDX-License-Identifier: Apache-2.0
 *
 * See builtin.h.
 */
#include "kit/builtin.h"
#include <string.h>

static int32_t feed_open(void *self, const struct tw_host *h, const struct tw_pos *resume, struct tw_err *e)
{
	struct kit_feed *f = self;

	(void)h, (void)e;
	if (resume)
		memcpy(&f->next, resume->data, sizeof f->next);
	return TW_OK;
}

static int32_t feed_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct kit_feed *f = self;
	struct tw_pos pos = { .len = sizeof f->next };
	uint64_t n = f->room < w->credit ? f->room : w->credit;

	(void)timeout_ms, (void)e;
	if (!f->events || f->next >= f->upto)
		return TW_AGAIN;
	for (uint64_t i = 0; i < n && f->next < f->upto; i++) {
		size_t len;
		const unsigned char *bytes = kit_event(f->events, (uint32_t)f->next++, &len);
		int32_t rc = w->push(w, bytes, len);
		if (rc < 0 && rc != TW_E_DATA)
			return rc;
	}
	memcpy(pos.data, &f->next, sizeof f->next);
	return w->mark(w, &pos);
}

static int32_t be_silent(struct tw_ctx *c, const struct tw_batch *b)
{
	(void)c, (void)b;
	return TW_OK;
}

static int32_t catch_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			   struct tw_err *e)
{
	(void)self, (void)records, (void)e;
	*done = n;
	return TW_OK;
}

static const struct tw_source feed = { .struct_size = sizeof feed,
				       .option_size = sizeof(struct tw_option),
				       .name = KIT_FEED,
				       .version = TAPEWATCH_VERSION,
				       .summary = "the events of a test",
				       .self_size = sizeof(struct kit_feed),
				       .open = feed_open,
				       .poll = feed_poll };
static const struct tw_detector silent = { .struct_size = sizeof silent,
					   .option_size = sizeof(struct tw_option),
					   .name = KIT_SILENT,
					   .version = TAPEWATCH_VERSION,
					   .summary = "says nothing",
					   .kinds = TW_CLOCK,
					   .process = be_silent };
static const struct tw_sink caught = { .struct_size = sizeof caught,
				       .option_size = sizeof(struct tw_option),
				       .name = KIT_CATCH,
				       .version = TAPEWATCH_VERSION,
				       .summary = "wants alerts and scores",
				       .write = catch_write };
static const struct tw_source *const feeds[] = { &feed, NULL };
static const struct tw_detector *const silents[] = { &silent, NULL };
static const struct tw_sink *const catches[] = { &caught, NULL };

const struct tw_manifest kit_feed_manifest = { TW_MAGIC, TW_ABI, sizeof kit_feed_manifest, TW_EVENT_SCHEMA, NULL,
					       feeds,    NULL };
const struct tw_manifest kit_silent_manifest = { TW_MAGIC, TW_ABI, sizeof kit_silent_manifest, TW_EVENT_SCHEMA, silents,
						 NULL,     NULL };
const struct tw_manifest kit_catch_manifest = { TW_MAGIC, TW_ABI, sizeof kit_catch_manifest, TW_EVENT_SCHEMA, NULL,
						NULL,     catches };
