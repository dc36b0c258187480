/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of one source, on its own thread: those as of its last mark, and over them those that it has put since.
 * The pump says when there is a mark, and when the source is opened again and what it put since counts for nothing.
 */
#ifndef EXT_KV_H
#define EXT_KV_H

#include "state/store.h"
#include <tapewatch/ext/kv.h>

struct kv;

struct kv *kv_new(const char *source); /* NULL: memory is out */
void kv_free(struct kv *);

/* What the store holds, before the source is opened; the fitting argument for store_values(). */
int32_t kv_load(void *kv, const struct source_value *, struct tw_err *);
/* A poll begins: it may put TW_KV_BYTES. */
void kv_polling(struct kv *);
/* What was put since the last mark comes again. */
void kv_rewind(struct kv *);
/* Everything put so far lies behind a mark: hand it on, and take it for kept. false when each() said so: memory is out. */
bool kv_marked(struct kv *, bool (*each)(void *arg, const struct source_value *), void *arg);

#endif
