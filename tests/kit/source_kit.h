/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of sources: loads the shared object, binds options from YAML as the host does, and takes what the source
 * pushes through the real validators and codec. Events are kept as decoded structs, beside them dead letters, positions
 * and log lines. Nothing runs in a thread: source_kit_poll() is one step.
 */
#ifndef KIT_SOURCE_KIT_H
#define KIT_SOURCE_KIT_H

#include "event/event.h"
#include <stddef.h>
#include <tapewatch/plugin.h>

struct kit_dead {
	const char *reason, *where, *detail; /* terminated */
	const char *raw;
	uint64_t len;
	uint64_t events; /* kept before it */
};

struct kit_mark { /* a position, and what lay before it */
	struct tw_pos pos;
	uint64_t events, dead, skipped;
};

struct source_kit {
	void *library;
	const struct tw_source *source;
	void *self;
	struct tw_writer writer;
	struct tw_host host;
	struct tw_err err;
	struct arena arena, scratch;
	struct intern *intern;
	struct buf bytes;
	/* what came */
	struct tw_event **events;
	struct kit_dead *dead;
	struct kit_mark *marks;
	char **lines; /* of the log */
	uint64_t n_events, n_dead, n_marks, n_lines, skipped;
	/* settings, to be changed after source_kit_load() */
	int64_t wall;     /* what the host's clock says */
	uint64_t max_bad; /* dead letters before reject() refuses */
	bool count_only;  /* do not keep events: for large files */
	void (*each)(void *arg, const struct tw_event *);
	void *arg;
};

/* yaml: the source's options, one `name: value` a line. Ends the test when the plugin or an option is at fault. */
void source_kit_load(struct source_kit *, const char *dir, const char *name, const char *yaml);
/* The same, but a mistake in the options or check() is the result, its sentence in err. */
int32_t source_kit_check(struct source_kit *, const char *dir, const char *name, const char *yaml);
int32_t source_kit_open(struct source_kit *, const struct tw_pos *resume);
int32_t source_kit_poll(struct source_kit *, uint32_t credit, int32_t timeout_ms);
/* Poll with this much credit until something other than TW_OK comes back, and return that. */
int32_t source_kit_run(struct source_kit *, uint32_t credit);
/* open(), run to the end, close(). */
int32_t source_kit_all(struct source_kit *, uint32_t credit);
void source_kit_free(struct source_kit *);

const char *source_kit_name(const struct source_kit *, uint32_t id); /* of a symbol or account */
bool kit_text_is(struct tw_str, const char *text);                   /* NULL: absent */
/* Are two events the same in everything but seq and where they came from? */
bool kit_same_event(const struct source_kit *, const struct tw_event *, const struct source_kit *, const struct tw_event *);
/* The lines of the log that hold this text. */
uint64_t source_kit_said(const struct source_kit *, const char *text);

#endif
