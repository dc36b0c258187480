/* SPDX-License-Identifier: Apache-2.0
 *
 * One pipeline in the place of another, on the same store. The old one stops at the boundary of a batch with a
 * checkpoint; the new one restores it, and takes over the pumps that go on: their chunks, and the place in them that
 * the old one had come to. So a source that a reload does not touch neither closes nor offers anything twice.
 */
#include "base/os.h"
#include "bus/pipeline_impl.h"

void pipeline_pause(struct pipeline *p, int64_t deadline)
{
	p->pause_by = deadline;
	atomic_store(&p->pause, true);
	bell_ring(p->o.bell);
}

bool pipeline_may_pause(const struct pipeline *p)
{
	if (!atomic_load(&p->pause))
		return false;
	if (os->mono() >= p->pause_by)
		return true;
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (pump_stopping(p->inputs[i].pump) && !p->inputs[i].ended)
			return false;
	return true;
}

bool pipeline_stopping(const struct pipeline *p)
{
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (pump_stopping(p->inputs[i].pump))
			return true;
	return false;
}

void pipeline_go_on(struct pipeline *p, struct recorder *r)
{
	p->o.recorder = r;
	p->finished = false;
	atomic_store(&p->pause, false);
}

int32_t pipeline_replace(struct pipeline *p, uint32_t source, struct pump *pump, struct tw_err *e)
{
	struct input *in = &p->inputs[source];
	struct position at;
	int32_t rc = pipeline_resume(p, in->node, &at, e);

	if (rc < 0)
		return rc;
	at.source = in->node->name;
	*in = (struct input){ .pump = pump,
			      .node = in->node,
			      .tape_number = in->tape_number,
			      .finite = pump_finite(pump),
			      .position = at };
	return TW_OK;
}

void pipeline_follow(struct pipeline *p, const struct pipeline *before)
{
	p->next_clock = before->next_clock;
}

void pipeline_adopt(struct pipeline *p, const struct pipeline *before, uint32_t source, const struct graph_node *node)
{
	struct input *in = &p->inputs[p->n_inputs++];

	*in = before->inputs[source];
	in->node = node;
	in->position.source = node->name;
}
