/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and freeing instances and shards.
 */
#include "bus/shard.h"
#include "base/err.h"
#include "base/hash.h"
#include "bus/poison.h"
#include <stdlib.h>
#include <string.h>

static bool is_heard(const struct graph *g, const struct graph_node *node)
{
	if (node->logged_scores)
		return true;
	for (uint32_t i = 0; i < g->n_detectors; i++) {
		const struct graph_node *d = graph_detector(g, i);
		for (uint32_t k = 0; k < d->n_inputs; k++)
			if (d->inputs[k] == node->index)
				return true;
	}
	return false;
}

static int32_t instance_init(struct instance *in, const struct graph *g, uint32_t number, struct services *services,
			     struct intern *intern, uint32_t keyspace, uint32_t n_shards)
{
	const struct graph_node *node = graph_detector(g, number);
	uint32_t kinds = node->plugin->detector.kinds;

	*in = (struct instance){ .graph = g,
				 .node = node,
				 .detector = &node->plugin->detector,
				 .intern = intern,
				 .host = shard_host,
				 .number = number,
				 .keyspace = keyspace,
				 .home = UINT32_MAX,
				 .now = INT64_MIN,
				 .cut = UINT32_MAX,
				 .heard = is_heard(g, node) };
	in->host.instance = node->name;
	if (node->key == KEY_NONE) /* several of them are not all the same shard's business */
		in->home = (uint32_t)(hash_bytes(node->name, strlen(node->name)) % n_shards);
	in->allowed = calloc(g->n + 2, sizeof *in->allowed);
	in->ext = ext_new(services, PLUGIN_DETECTOR, node->plugin->name, node->name);
	if (!in->allowed || !in->ext)
		return TW_E_FATAL;
	if (node->has_where && node->where.kinds)
		kinds &= node->where.kinds;
	in->kinds = kinds;
	for (uint32_t i = 0; i < node->n_inputs; i++)
		in->allowed[node->inputs[i]] = (uint16_t)kinds;
	in->allowed[g->n] = (uint16_t)(kinds & TW_CLOCK); /* the host's own clock; [n + 1] is nobody */
	return TW_OK;
}

int32_t instances_new(const struct graph *g, struct services *services, struct intern *intern,
		      const uint32_t *keyspace_of, uint32_t n_shards, struct instance **ret, uint32_t *ret_n,
		      struct tw_err *e)
{
	struct instance *list = calloc(g->n_detectors ? g->n_detectors : 1, sizeof *list);
	uint32_t n = 0;
	int32_t rc = TW_OK;

	if (!list)
		return err_set(e, TW_E_FATAL, "memory is out");
	while (rc == TW_OK && n < g->n_detectors) {
		struct instance *in = &list[n];
		if (instance_init(in, g, n, services, intern, keyspace_of[n], n_shards) < 0) {
			rc = err_set(e, TW_E_FATAL, "memory is out");
			break;
		}
		n++;
		if (in->detector->open && in->detector->open(in->node->self, &in->host, e) < 0)
			rc = err_prefix(e, "detector '%s' did not open", in->node->name);
	}
	if (rc < 0) {
		instances_free(list, n);
		return rc;
	}
	*ret = list;
	*ret_n = n;
	return TW_OK;
}

void instances_free(struct instance *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct instance *in = &list[i];
		if (in->detector->close)
			in->detector->close(in->node->self);
		ext_free(in->ext);
		poison_free(in);
		free(in->allowed);
		free(in->symbol_pass.known);
		free(in->account_pass.known);
	}
	free(list);
}

static bool pass_room(struct pass *p, uint32_t need)
{
	uint32_t n = p->n ? p->n : 256;
	_Atomic uint8_t *known;

	if (need <= p->n)
		return true;
	while (n < need)
		n *= 2;
	known = realloc(p->known, n);
	if (!known)
		return false;
	memset((void *)(known + p->n), 0, n - p->n);
	p->known = known;
	p->n = n;
	return true;
}

bool instance_names(struct instance *in)
{
	uint32_t need = intern_count(in->intern) + 1;
	const struct where *w = &in->node->where;

	if (!in->node->has_where)
		return true;
	return (!w->symbol.n || pass_room(&in->symbol_pass, need)) &&
	       (!w->account.n || pass_room(&in->account_pass, need));
}

int32_t shard_init(struct shard *s, uint32_t number, struct instance *instances, uint32_t n)
{
	atomic_init(&s->claimed, 0);
	s->number = number;
	s->shares = calloc(n ? n : 1, sizeof *s->shares);
	if (!s->shares)
		return TW_E_FATAL;
	for (uint32_t i = 0; i < n; i++) {
		struct share *sh = &s->shares[i];
		struct instance *in = &instances[i];
		sh->instance = in;
		sh->ctx = (struct tw_ctx){ .struct_size = sizeof sh->ctx,
					   .host = &in->host,
					   .self = in->node->self,
					   .counters = sh->counters };
		sh->call = (struct call){ .kind = "detector",
					  .plugin = in->node->plugin->name,
					  .instance = in->node->name,
					  .about = poison_about };
		table_init(&sh->table, in->node->state_size);
	}
	return TW_OK;
}

void shard_free(struct shard *s, uint32_t n)
{
	for (uint32_t i = 0; s->shares && i < n; i++) {
		table_free(&s->shares[i].table);
		timers_free(&s->shares[i].timers);
	}
	free(s->shares);
	s->shares = NULL;
}

void share_clear(struct share *s)
{
	table_clear(&s->table);
	timers_free(&s->timers);
}
