/* SPDX-License-Identifier: Apache-2.0
 *
 * The services behind host->extension(): what an instance of a plugin gets under names such as "http/1". The plugin's
 * side of each is in sdk/include/tapewatch/ext/.
 *
 * struct services is what all instances of a run share: the registry of metrics and the generations of models. struct
 * ext is what one instance has; whoever runs the instance makes it, and frees it after the plugin's close().
 */
#ifndef EXT_EXT_H
#define EXT_EXT_H

#include "base/buf.h"
#include "plugin/plugin.h"

struct ext;
struct kv;
struct services;

struct services *services_new(void); /* NULL: memory is out */
void services_free(struct services *);
/* The metrics of all plugins, as Prometheus reads them. 0, or -1 when memory is out. [any] */
int services_metrics(struct services *, struct buf *out);

/* services NULL (tests): no metrics, and models begin with generation 1. NULL: memory is out. */
struct ext *ext_new(struct services *, enum plugin_kind, const char *plugin, const char *instance);
void ext_free(struct ext *);
/* Before the first ext_find(), in the place of what ext_new() was given. */
void ext_serve(struct ext *, struct services *);
/* NULL: there is none of this name for this kind of plugin. [any] */
const void *ext_find(struct ext *, const char *id);
/* The instance is to end: calls that block return. [any] */
void ext_stop(struct ext *);
/* Values of a source; NULL for others. */
struct kv *ext_kv(struct ext *);

#endif
