/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink, called by the rules of core/run/delivery.c.
 */
#include "base/err.h"
#include "base/log.h"
#include "ext/ext.h"
#include "kit/endpoint.h"
#include "run/screen.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256u
#define ROOM  256u /* bytes of a decoded event */
#define TRIES 20u  /* calls of write() that may accept nothing */

struct kit_sink {
	struct kit_plan *plan;
	const struct tw_sink *sink;
	struct tw_host host;
	struct ext *ext;
	struct intern *names;
	struct arena scratch;
	void *self;
	unsigned char *room;
	const struct tw_event *pending[BATCH];
	uint64_t refused;
	bool open;
};

static void host_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_linev(level, h->instance, fmt, ap);
	va_end(ap);
}

static const char *host_name(const struct tw_host *h, uint32_t id)
{
	const struct kit_sink *s =
		(const struct kit_sink *)(const void *)((const char *)h - offsetof(struct kit_sink, host));
	return intern_name(s->names, id);
}

static int64_t host_wall(const struct tw_host *h)
{
	(void)h;
	return KIT_START; /* a test's wall clock stands still */
}

static const void *host_extension(const struct tw_host *h, const char *id)
{
	const struct kit_sink *s =
		(const struct kit_sink *)(const void *)((const char *)h - offsetof(struct kit_sink, host));
	return strcmp(id, "screen/1") == 0 ? screen_extension() : ext_find(s->ext, id);
}

struct kit_sink *kit_sink_new(struct kit_plan *plan, struct tw_err *e)
{
	struct kit_sink *s = calloc(1, sizeof *s);

	if (s) {
		s->plan = plan;
		s->sink = &plan->plugin->sink;
		s->names = intern_new(200000);
		s->ext = ext_new(NULL, PLUGIN_SINK, plan->plugin->name, plan->node->name);
		s->room = malloc((size_t)BATCH * ROOM);
		s->self = calloc(1, plan->plugin->self_size + 1u);
		s->host = (struct tw_host){ .struct_size = sizeof s->host,
					    .abi = TW_ABI,
					    .log = host_log,
					    .name = host_name,
					    .wall = host_wall,
					    .extension = host_extension,
					    .instance = plan->node->name };
	}
	if (!s || !s->ext || !s->names || !s->room || !s->self) {
		err_set(e, TW_E_FATAL, "memory is out");
		kit_sink_free(s);
		return NULL;
	}
	return s;
}

void kit_sink_close(struct kit_sink *s)
{
	if (s->open && s->sink->close)
		s->sink->close(s->self);
	s->open = false;
}

void kit_sink_free(struct kit_sink *s)
{
	if (!s)
		return;
	kit_sink_close(s);
	ext_free(s->ext);
	intern_free(s->names);
	arena_free(&s->scratch);
	free(s->room);
	free(s->self);
	free(s);
}

int32_t kit_sink_open(struct kit_sink *s, struct tw_err *e)
{
	int32_t rc;

	if (s->open)
		return TW_OK;
	memcpy(s->self, s->plan->pristine, s->plan->plugin->self_size); /* as after a start */
	rc = s->sink->open ? s->sink->open(s->self, &s->host, e) : TW_OK;
	s->open = rc == TW_OK;
	return rc;
}

static uint32_t gather(struct kit_sink *s, const struct kit_events *l, uint32_t from, uint32_t upto)
{
	uint32_t n = 0;

	arena_reset(&s->scratch);
	for (uint32_t i = from; i < upto && n < BATCH; i++) {
		struct tw_event *ev = (struct tw_event *)(void *)(s->room + (size_t)n * ROOM);
		size_t len;
		const unsigned char *bytes = kit_event(l, i, &len);
		if (event_decode(ev, bytes, len, s->names, &s->scratch) != len)
			break;
		s->pending[n++] = ev;
	}
	return n;
}

int32_t kit_sink_write(struct kit_sink *s, const struct kit_events *l, uint32_t from, uint32_t upto, uint32_t *ret_done,
		       struct tw_err *e)
{
	uint32_t at = from, idle = 0;
	int32_t rc = kit_sink_open(s, e);

	while (rc == TW_OK && at < upto) {
		uint32_t n = gather(s, l, at, upto), done = 0;
		if (!n)
			return err_set(e, TW_E_FATAL, "a record of the test does not decode");
		rc = s->sink->write(s->self, s->pending, n, &done, e);
		if (done > n) {
			rc = err_set(e, TW_E_FATAL, "write() says that it accepted %u of %u records", done, n);
			break;
		}
		if (rc == TW_OK)
			done = n;
		at += done;
		if (rc == TW_E_DATA && done < n) {
			s->refused++;
			at++;
			rc = TW_OK;
		}
		if (rc == TW_AGAIN) {
			idle = done ? 0 : idle + 1;
			rc = idle > TRIES ? rc : TW_OK;
		}
	}
	*ret_done = at - from;
	return rc;
}

int32_t kit_sink_deliver(struct kit_sink *s, const struct kit_events *l, uint32_t from, uint32_t upto,
			 uint32_t *ret_done, struct tw_err *e)
{
	uint32_t done = 0;
	int32_t rc = kit_sink_write(s, l, from, upto, &done, e);

	if (rc == TW_OK || rc == TW_AGAIN) {
		int32_t flushed = s->sink->flush ? s->sink->flush(s->self, e) : TW_OK;
		if (flushed != TW_OK)
			rc = flushed;
	}
	if (rc < 0) {
		kit_sink_close(s); /* and all that was accepted and not flushed with it */
		done = 0;
	}
	*ret_done = done;
	return rc;
}

uint64_t kit_sink_refused(const struct kit_sink *s)
{
	return s->refused;
}
