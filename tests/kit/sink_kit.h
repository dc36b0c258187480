/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of sinks: loads the shared object as the host would, with a host of its own whose clock stands still, and
 * makes alerts by hand.
 */
#ifndef KIT_SINK_KIT_H
#define KIT_SINK_KIT_H

#include <stddef.h>
#include <tapewatch/plugin.h>

struct sink_kit {
	void *library;
	const struct tw_sink *sink;
	void *self;
	struct tw_host host; /* first sight of the kit for its callbacks: see kit_of() in sink_kit.c */
	int64_t wall;        /* what host->wall() says */
	char log[2048];      /* every line the sink logged, one behind the other */
	struct tw_err err;
	uint32_t done;
};

/* Loads DIR/NAME.so and fills the options with their defaults. Ends the test when it cannot. */
void sink_kit_load(struct sink_kit *, const char *dir, const char *name);
void sink_kit_free(struct sink_kit *);

/* An option of type INT, BOOL, SIZE, ENUM or DURATION; and one of type STRING, whose text must outlive the kit. */
void sink_kit_int(struct sink_kit *, const char *option, int64_t value);
void sink_kit_text(struct sink_kit *, const char *option, const char *value);

int32_t sink_kit_check(struct sink_kit *);
int32_t sink_kit_open(struct sink_kit *);
int32_t sink_kit_write(struct sink_kit *, const struct tw_event *events, uint32_t n); /* result in kit->done too */
int32_t sink_kit_flush(struct sink_kit *);
void sink_kit_close(struct sink_kit *);

/* An alert of detector "spikes" at ts with everything else absent. Texts must outlive it. */
struct tw_event sink_kit_alert(int64_t ts, uint64_t seq, const char *symbol, const char *reason);
struct tw_str sink_kit_str(const char *s);

/* A fresh folder under the system's temporary one; removed with all it holds by the second call. */
void sink_kit_folder(char out[64]);
void sink_kit_remove(const char *folder);
/* The whole file, terminated, or NULL when there is none; free() it. */
char *sink_kit_read(const char *path, size_t *len);
void sink_kit_put(const char *path, const char *bytes, size_t len);

/* Standard output goes to the file until the second call. */
int sink_kit_redirect(const char *path);
void sink_kit_restore(int saved);

#endif
