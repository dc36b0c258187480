/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of services, and who gets which.
 */
#include "ext/ext_impl.h"
#include "ext/kv.h"
#include <stdlib.h>
#include <string.h>

#define FOR(kind) (1u << (kind))
#define FOR_ALL   (FOR(PLUGIN_SOURCE) | FOR(PLUGIN_DETECTOR) | FOR(PLUGIN_SINK))

static const struct service {
	const char *id;
	unsigned kinds;
	void *(*make)(struct ext *);
	void (*free)(void *);
} services[] = {
	{ "log/1", FOR_ALL, log_service_new, log_service_free },
	{ "metrics/1", FOR_ALL, metrics_service_new, metrics_service_free },
	{ "http/1", FOR_ALL, http_service_new, http_service_free }, /* a detector is told why not */
	{ "secrets/1", FOR_ALL, secrets_service_new, secrets_service_free },
	{ "calendar/1", FOR_ALL, calendar_service_new, calendar_service_free },
	{ "model/1", FOR_ALL, model_service_new, model_service_free },
};
#define N_SERVICES (sizeof services / sizeof *services)

_Static_assert(N_SERVICES <= sizeof((struct ext *)NULL)->made / sizeof(void *), "a place for each");

struct services *services_new(void)
{
	struct services *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->registry = registry_new();
	s->generations = generations_new();
	if (!s->registry || !s->generations) {
		services_free(s);
		return NULL;
	}
	return s;
}

void services_free(struct services *s)
{
	if (!s)
		return;
	registry_free(s->registry);
	generations_free(s->generations);
	free(s);
}

int services_metrics(struct services *s, struct buf *out)
{
	return registry_render(s->registry, out);
}

struct ext *ext_new(struct services *s, enum plugin_kind kind, const char *plugin, const char *instance)
{
	struct ext *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	pthread_mutex_init(&x->lock, NULL);
	x->services = s;
	x->kind = kind;
	x->plugin = strdup(plugin);
	x->instance = strdup(instance);
	if (kind == PLUGIN_SOURCE)
		x->kv = kv_new(instance);
	if (!x->plugin || !x->instance || (kind == PLUGIN_SOURCE && !x->kv)) {
		ext_free(x);
		return NULL;
	}
	return x;
}

void ext_free(struct ext *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < N_SERVICES; i++)
		if (x->made[i])
			services[i].free(x->made[i]);
	kv_free(x->kv);
	free(x->plugin);
	free(x->instance);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

void ext_serve(struct ext *x, struct services *s)
{
	x->services = s;
}

const void *ext_find(struct ext *x, const char *id)
{
	const void *found = NULL;

	if (strcmp(id, "kv/1") == 0)
		return x->kv; /* begins with struct tw_kv */
	if (strcmp(id, "metrics/1") == 0 && !x->services)
		return NULL;
	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < N_SERVICES; i++) {
		if (!(services[i].kinds & FOR(x->kind)) || strcmp(id, services[i].id) != 0)
			continue;
		if (!x->made[i])
			x->made[i] = services[i].make(x);
		found = x->made[i];
	}
	pthread_mutex_unlock(&x->lock);
	return found;
}

void ext_stop(struct ext *x)
{
	atomic_store(&x->stop, true);
}

struct kv *ext_kv(struct ext *x)
{
	return x->kv;
}
