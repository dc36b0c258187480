/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors have counted, for other threads. The counts are the workers' own and are read between two batches
 * only, so now and then they are copied to where everybody may look.
 */
#include "base/os.h"
#include "bus/pipeline_impl.h"
#include <stdlib.h>
#include <string.h>

#define EVERY_NS INT64_C(250000000)

struct figures {
	pthread_mutex_t lock;
	struct detector_stats *list;
	int64_t due; /* the pipeline's own */
};

bool figures_new(struct pipeline *p)
{
	struct figures *f = calloc(1, sizeof *f);

	if (!f)
		return false;
	p->figures = f;
	pthread_mutex_init(&f->lock, NULL);
	f->list = calloc(p->n_instances + 1, sizeof *f->list);
	return f->list != NULL;
}

void figures_free(struct pipeline *p)
{
	if (!p->figures)
		return;
	pthread_mutex_destroy(&p->figures->lock);
	free(p->figures->list);
	free(p->figures);
}

void figures_publish(struct pipeline *p, bool now)
{
	struct figures *f = p->figures;
	int64_t time;

	if (!f)
		return;
	time = os->mono();
	if (time < f->due && !now)
		return;
	f->due = time + EVERY_NS;
	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 0; i < p->n_instances; i++)
		pipeline_detector(p, i, &f->list[i]);
	pthread_mutex_unlock(&f->lock);
}

void pipeline_detector_now(const struct pipeline *p, uint32_t detector, struct detector_stats *ret)
{
	struct figures *f = p->figures;

	*ret = (struct detector_stats){ 0 };
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	*ret = f->list[detector];
	pthread_mutex_unlock(&f->lock);
}
