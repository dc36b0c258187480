/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, checking and loading plugins. A plugin NAME is the file NAME.so in the first folder of the search path that
 * has one. It is tried in a forked child first, so that one that crashes in its constructor is reported, not suffered;
 * then opened with RTLD_NOW|RTLD_LOCAL|RTLD_NODELETE, checked against the load rule, and never closed.
 * Must be called before any thread starts and before any LMDB environment is open (fork). [control]
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include "config/config.h"
#include <tapewatch/plugin.h>

enum plugin_kind { PLUGIN_SOURCE, PLUGIN_DETECTOR, PLUGIN_SINK, PLUGIN_KINDS };
extern const char *const plugin_kind_names[PLUGIN_KINDS]; /* "source" ... */

/* A plugin's description, copied by min(struct_size) into zero-filled structs of our own. */
struct plugin {
	enum plugin_kind kind;
	const char *name, *version, *summary, *doc; /* never NULL */
	const char *file;
	uint64_t inode; /* of the file whose code is mapped; another may lie there now. 0: unknown */
	const struct tw_option *options; /* NULL: none */
	uint32_t option_size, self_size, flags;
	int32_t (*check)(const void *self, struct tw_err *);
	union {
		struct tw_source source;
		struct tw_detector detector;
		struct tw_sink sink;
	};
};

struct plugins; /* the registry */

/* folders: NULL-terminated, searched in order. NULL: the default path, which is
 *   $TAPEWATCH_PLUGINS (colon-separated; an empty part means what follows) when set, else
 *   DIR/../plugins and DIR/../lib/tapewatch/plugins, DIR being where this program lies,
 *   and $HOME/.local/lib/tapewatch/plugins. */
struct plugins *plugins_new(const char *const *folders);
/* The same, and `first` before the default path. NULL: nothing before it. */
struct plugins *plugins_new_with(const char *first);
void plugins_free(struct plugins *);
/* A plugin that is part of this program: its manifest passes the same checks. */
int32_t plugins_add(struct plugins *, const char *name, const struct tw_manifest *, struct tw_err *);
/* From now on plugins are loaded beside running threads and open LMDB environments, where no child may be forked: what
 * this process has mapped already needs no trial, and everything else is tried by `tapewatch --try-plugin` in a process
 * of its own. */
void plugins_while_running(struct plugins *);
/* That other process: the answer goes to stdout, and it does not return. */
void plugin_trial_main(const char *real, const char *name) __attribute__((noreturn));

/* The plugin of that name and kind, loaded on first use. NULL and a sentence in e: not found (with the nearest name),
 * unreadable, writable by others (file or folder), not owned by root or us, crashes when loaded, no tw_plugin(), wrong
 * magic, other ABI major, newer minor, event schema out of range, another kind than asked for, a bad option table. */
const struct plugin *plugins_get(struct plugins *, enum plugin_kind, const char *name, struct tw_err *e);

/* Every plugin of every folder, sorted by kind and name. Files that do not load go to each_bad(file, sentence). */
uint32_t plugins_scan(struct plugins *, const struct plugin ***ret_list,
                      void (*each_bad)(void *arg, const char *file, const char *sentence), void *arg);

#endif
