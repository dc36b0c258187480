/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: YAML files to a tree of nodes that know where they stand, and option tables bound to structs.
 * Nothing here touches the outside world but the files it is told to read. All mistakes of all files are collected in
 * one struct report and printed in one go.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/suggest.h"
#include <stdbool.h>
#include <stdio.h>
#include <tapewatch/plugin.h>

/* ---- mistakes ---- */
struct place {
	const char *file; /* as the user named it; NULL: no place */
	int32_t line, column, width; /* from 1; width in columns of what is underlined; line 0: the file as such */
	const char *text; /* the whole line, terminated, for the excerpt; may be NULL */
};

struct mistake {
	struct place at;
	bool warning;
	const char *text;
};

struct report {
	struct arena arena;
	struct mistake *list;
	uint32_t n, cap, errors;
	uint32_t dropped; /* counted, but past the limit of what is kept */
};

/* at may be NULL. Texts are copied. */
void report_error(struct report *, const struct place *at, const char *fmt, ...) TW_PRINTF(3, 4);
void report_warning(struct report *, const struct place *at, const char *fmt, ...) TW_PRINTF(3, 4);
/* Sorted by file and line as
 *     conf.d/20.yaml:7:5: error: detector 'spikes': unknown option 'windw'; did you mean 'window'?
 *         7 |     windw: 256
 *           |     ^~~~~
 * and a last line "check: 3 errors in 2 files". Colour when the stream is a terminal. */
void report_print(const struct report *, FILE *);
void report_free(struct report *);

/* ---- trees ---- */
enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	const char *name;   /* the key in the map above; NULL in lists */
	const char *text;   /* NODE_TEXT: after substitution, terminated; "" for null */
	const char *raw;    /* NODE_TEXT: as it is written, with its references; what the digest is made of */
	const char *loose;  /* the ${file:} it came from, when group or others may read that file; else NULL */
	bool secret;        /* text came through ${env:} or ${file:}; never print it where it is a SECRET */
	bool faulty;        /* a mistake was reported about it: pass it over in silence */
	struct place at;    /* of the value */
	struct place name_at;
	struct node *items; /* children of lists and maps, in file order */
	uint32_t n;
};

struct config {
	struct arena arena;
	struct node root;   /* NODE_MAP: the maps of all files merged two levels deep (sources, detectors, sinks, host) */
	const char **files; /* read, in order */
	uint32_t n_files;
	bool incomplete;    /* a file was not understood to its end: do not complain about names that seem absent */
	char digest[65];    /* SHA-256, hex, over the tree in sorted order. ${env:} and ${file:} count as they are
	                     * written and not as what they resolve to: a digest must not give a secret away */
};

/* Read files and folders (a folder: its *.yaml and *.yml in name order) and merge them. The same name twice inside a
 * section is an error that names both places. Anchors, aliases, tags and merge keys are refused; depth <= 32; a file
 * <= 1 MiB. Scalars may hold ${env:NAME}, ${env:NAME:-default} and ${file:PATH}, substituted after parsing; $$ is a
 * dollar. Returns TW_OK even when mistakes were reported: the caller goes on to find more and looks at r->errors. */
int32_t config_load(struct config *, const char *const *paths, uint32_t n, struct report *r);
/* The same from memory, for tests, the demo and the fuzzer. name stands for the file in messages. */
int32_t config_parse(struct config *, const char *name, const char *yaml, size_t len, struct report *r);
/* Any YAML by the same rules, whatever its sections: c->root is what the text says. For files that are no pipelines. */
int32_t config_tree(struct config *, const char *name, const char *yaml, size_t len, struct report *r);
void config_free(struct config *);

/* The same digest over a part of the tree. false: memory is out. */
bool config_node_digest(const struct node *, char hex[65]);

const struct node *node_get(const struct node *map, const char *name); /* NULL if absent or not a map */

/* ---- options ---- */
/* One table and the struct it writes to. option_size is the stride of the table (a plugin may be older or newer). */
struct binding {
	const struct tw_option *options;
	uint32_t option_size;
	void *self;
};

/* Bind a map of options to the tables of bindings: defaults first, then what is written. Unknown names get the nearest
 * right word. what is e.g. "detector 'spikes'". Names in skip (NULL-terminated, may be NULL) belong to others.
 * Texts are copied into arena. Returns the number of mistakes, with those that were reported when the file was read: 0
 * means that every option has a value. */
uint32_t options_bind(const struct node *map, const struct binding *, uint32_t n, const char *const *skip,
                      const char *what, struct arena *, struct report *);

/* Parse one value as an option's type; NULL on success, or a static or arena text: why not. */
const char *option_parse(const struct tw_option *, const char *text, void *self, struct arena *);

/* Is a table complete and sane (names, help, defaults that parse and lie in range)? NULL, or what is wrong. */
const char *options_lint(const struct tw_option *, uint32_t option_size, struct arena *);

/* "500ms" -> ns, "64KiB" -> bytes. 0, or -1 when the text is not one. */
int parse_duration(const char *text, int64_t *ret);
int parse_size(const char *text, int64_t *ret);
/* A moment as moment_parse() takes it, or a duration back from now, such as "1h". 0, or -1 when it is neither. */
int parse_time(const char *text, int64_t now, int64_t *ret);
/* 5 -> "5s"; the shortest exact form. out needs 32 bytes. */
void print_duration(char *out, int64_t ns);

/* Where to listen; see address.c. 0, or -1 when the text is none. */
struct address {
	char host[64]; /* numeric */
	uint16_t port;
	bool six;
};
int parse_address(const char *text, struct address *ret);

/* A stretch for cooldown and warmup: "5m" is a time, "100 events" or "100ev" a number of events, "0" neither. The other
 * member is 0. 0, or -1 when the text is not one. */
struct stretch {
	int64_t ns;
	uint64_t events;
};
int parse_stretch(const char *text, struct stretch *ret);

#endif
