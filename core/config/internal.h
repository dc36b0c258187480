/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share and nobody else needs: limits, the state of one load, and small helpers.
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "config/config.h"

#define CONFIG_MAX_FILE (1u << 20)       /* bytes of one file */
#define CONFIG_MAX_FILES 1000u           /* of one folder, and in all */
#define CONFIG_MAX_DEPTH 32u             /* levels of lists and maps */
#define CONFIG_MAX_NODES 100000u         /* values in all files */
#define CONFIG_MAX_ITEMS 10000u          /* entries of one list or map */
#define CONFIG_MAX_NAMES 4096u           /* sources, detectors and sinks together */
#define CONFIG_MAX_VALUE (64u << 10)     /* bytes of one value that holds a reference, resolved */
#define CONFIG_MAX_RESOLVED (8u << 20)   /* bytes of all of them */
#define CONFIG_MAX_MISTAKES 500u         /* kept for printing; the rest are counted */
#define CONFIG_MAX_OPTIONS 256u          /* rows of one option table */

/* The state of one config_load() or config_parse(). */
struct loader {
	struct config *c;
	struct report *r;
	uint32_t nodes;
	size_t resolved; /* bytes that references brought in */
	bool no_memory;
};

/* A file's text, cut into lines for places. */
struct source_text {
	const char *file;
	const char *bytes;
	size_t len;
	const char **lines; /* terminated copies */
	size_t *starts;     /* of each line in bytes, and one past the last */
	uint32_t n;
};

/* Read one file's YAML into ret, which may be left without items. False when memory is out. */
bool yaml_read(struct loader *, const char *file, const char *yaml, size_t len, struct node *ret);

/* From node->raw to node->text; may report, and then marks the node faulty. False when memory is out. */
bool config_substitute(struct loader *, struct node *);

/* Read a whole regular file or pipe of at most max bytes. NULL, or what is wrong with it in words that go behind its
 * name. ret_loose may be NULL; it tells whether group or others may read it. */
const char *config_read_file(const char *path, size_t max, struct buf *ret, bool *ret_loose, struct arena *);

/* False when memory is out. */
bool config_digest(struct config *);

/* 'text', shortened when it is long. Never NULL. */
const char *text_quote(struct arena *, const char *text);
/* "a, b or c" of at most 24 words; last is "or" or "and". Never NULL. */
const char *text_words(struct arena *, const char *const *words, uint32_t n, const char *last);
const char *text_kind(const struct node *); /* "a list" */

/* Row i of a table whose rows are size bytes, zero-extended. False at the end of the table. */
bool option_row(const struct tw_option *table, uint32_t size, uint32_t i, struct tw_option *ret);
/* "an integer from 2 to 100000". Never NULL. */
const char *option_expects(const struct tw_option *, struct arena *);

#endif
