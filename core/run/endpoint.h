/* SPDX-License-Identifier: Apache-2.0
 *
 * A small HTTP server on the control loop: /metrics and /healthz. It has no thread of its own, so it may look at
 * everything that belongs to the control thread.
 */
#ifndef RUN_ENDPOINT_H
#define RUN_ENDPOINT_H

#include "config/config.h"
#include <ev.h>

struct endpoint;

struct endpoint_pages {
	int (*metrics)(void *arg, struct buf *out); /* 0, or -1 when memory is out */
	bool (*healthy)(void *arg);
	void *arg;
};

/* Listen and answer while the loop runs. NULL with a sentence in e. Port 0: any; the log says which. */
struct endpoint *endpoint_new(struct ev_loop *, const struct address *, const struct endpoint_pages *, struct tw_err *);
void endpoint_free(struct endpoint *); /* NULL is fine */

#endif
