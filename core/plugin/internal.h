/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: the steps from a file name to a checked description.
 *
 *   file.c   may this file be loaded at all: owner, rights, a whole ELF file for this machine
 *   trial.c  does loading it end well: tried in a forked child
 *   load.c   dlopen and tw_plugin()
 *   check.c  the manifest against the load rule, copied by min(struct_size)
 */
#ifndef PLUGIN_INTERNAL_H
#define PLUGIN_INTERNAL_H

#include "plugin/plugin.h"
#include <limits.h>

#define PLUGIN_NAME_MAX	      63     /* bytes of a plugin's name */
#define PLUGIN_LOAD_TIMEOUT   10000  /* ms that loading may take */
#define PLUGIN_MAX_OPTIONS    256    /* rows of an option table */
#define PLUGIN_MAX_COUNTERS   64
#define PLUGIN_MAX_SELF	      (1u << 20)
#define PLUGIN_MAX_STATE      65536u
#define PLUGIN_MAX_FILES      1024   /* files of one folder, and of one registry */
#define PLUGIN_MAX_FOLDERS    32

/* What one file holds: at most one plugin of each kind, all of them named as the file is. */
struct plugin_set {
	struct plugin *of[PLUGIN_KINDS];
};

bool plugin_name_ok(const char *name, size_t len);

/* The folders to search, NULL-terminated, in arena. NULL when memory is out. */
const char *const *plugin_default_folders(struct arena *);

/* Is it safe and possible to load path? real gets its absolute path without links. */
int32_t plugin_file_check(const char *path, char real[PATH_MAX], struct tw_err *);

/* Open a checked file, ask it for its manifest and check that. Never closed again. */
int32_t plugin_open(const char *real, const char *name, struct arena *, struct plugin_set *ret, struct tw_err *);

/* Do that in a child, which a crash or a hang cannot leave. */
int32_t plugin_try(const char *real, const char *name, int timeout_ms, struct tw_err *);
/* The same in another program, where this one must not be forked. */
int32_t plugin_try_apart(const char *real, const char *name, int timeout_ms, struct tw_err *);
/* Has this process loaded the file already? */
bool plugin_is_open(const char *real);
/* The inode that is mapped under that path, which may have another file by now; 0: none. */
uint64_t plugin_mapped(const char *real);

/* The load rule. file is for messages; every plugin in the manifest must be called name. */
int32_t plugin_manifest_check(const struct tw_manifest *, const char *file, const char *name, struct arena *,
			      struct plugin_set *ret, struct tw_err *);

/* Is a table of options complete, sane and inside self? */
int32_t plugin_options_check(const struct plugin *, const char *file, struct arena *, struct tw_err *);

/* How a description writes an option's type, its default ("required", "-" for nothing) and its range ("2..100000",
 * "from 0", "up to 5", "a|b|c"), and a set of kinds. */
extern const char *const option_type_names[];
const char *option_default_text(const struct tw_option *);
int option_range_text(struct buf *out, const struct tw_option *);
int kinds_text(struct buf *out, uint32_t kinds);

/* Row i of an option table whose rows may be longer or shorter than ours. */
struct tw_option plugin_option(const struct plugin *, uint32_t i);

#endif
