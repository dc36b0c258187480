/* SPDX-License-Identifier: Apache-2.0
 *
 * The rehearsal and the question.
 */
#include "run/takeover.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "bus/pipeline.h"
#include "state/holder.h"
#include <signal.h>

#define PATIENCE_MS 60000

int32_t takeover_rehearse(const struct run_options *o, struct tw_err *e)
{
	struct pipeline_options po = { .graph = o->graph, .batch = 1, .record = !o->no_tape, .rebuild = o->rebuild };
	struct store *store = NULL;
	struct pipeline *p;
	struct bell bell;
	int32_t rc;

	if (!store_exists(o->dir))
		return TW_OK;
	rc = store_check_quick(o->dir, e);
	if (rc == TW_OK)
		rc = store_open(&store, o->dir, STORE_READ, NULL, e);
	if (rc < 0)
		return rc;
	bell_init(&bell);
	po.store = store;
	po.bell = &bell;
	p = pipeline_new(&po, e);
	rc = p ? TW_OK : e->code < 0 ? e->code : TW_E_FATAL;
	pipeline_free(p);
	bell_free(&bell);
	store_close(store);
	return rc;
}

int32_t takeover_ask(const char *dir, struct tw_err *e)
{
	struct holder h;
	int32_t rc = holder_find(dir, &h, e);

	if (rc == TW_AGAIN) {
		log_info("host", "nobody has %s: nothing to take over", dir);
		return TW_OK;
	}
	if (rc < 0)
		return rc;
	CRASH_POINT("takeover.rehearsed");
	rc = holder_signal(&h, SIGTERM, e);
	if (rc == TW_OK) {
		CRASH_POINT("takeover.asked");
		log_info("host", "process %d has been asked to stop; waiting for its end", h.pid);
		if (holder_wait(&h, PATIENCE_MS) != TW_OK)
			rc = err_set(e, STORE_E_LOCKED,
				     "process %d was asked to stop and still has %s after %d s; its log says what it "
				     "waits for. It "
				     "will end by itself: then start again",
				     h.pid, dir, PATIENCE_MS / 1000);
	}
	holder_close(&h);
	if (rc == TW_OK)
		CRASH_POINT("takeover.ended");
	return rc;
}
