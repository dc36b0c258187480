/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share: one instance's services, each made when it is first asked for.
 */
#ifndef EXT_EXT_IMPL_H
#define EXT_EXT_IMPL_H

#include "ext/ext.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tapewatch/ext.h>

struct registry;
struct generations;

struct services {
	struct registry *registry;
	struct generations *generations;
};

struct ext {
	struct services *services; /* may be NULL */
	enum plugin_kind kind;
	char *plugin, *instance;
	_Atomic bool stop;
	pthread_mutex_t lock; /* guards made */
	void *made[8];        /* by row of the table in ext.c */
	struct kv *kv;
};

/* Each service: made for one instance, beginning with its public struct; NULL: memory is out. */
void *log_service_new(struct ext *);
void *metrics_service_new(struct ext *);
void *http_service_new(struct ext *);
void *secrets_service_new(struct ext *);
void *calendar_service_new(struct ext *);
void *model_service_new(struct ext *);
void log_service_free(void *);
void metrics_service_free(void *);
void http_service_free(void *);
void secrets_service_free(void *);
void calendar_service_free(void *);
void model_service_free(void *);

/* metrics.c */
struct registry *registry_new(void);
void registry_free(struct registry *);
int registry_render(struct registry *, struct buf *out);

/* model.c: what content a path had last, over all instances */
struct generations *generations_new(void);
void generations_free(struct generations *);

#endif
