/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines to the service manager.
 */
#include "run/notify.h"
#include "base/log.h"
#include "base/os.h"
#include "run/run_impl.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void TW_PRINTF(1, 2) say(const char *fmt, ...)
{
	const char *address = secure_getenv("NOTIFY_SOCKET");
	char text[512];
	va_list ap;
	int n;

	if (!address || !*address)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof text && os->datagram(address, text, (size_t)n) != 0)
		log_warn("host", "cannot tell the service manager at %s: %s", address, strerror(errno));
}

static void say_state(const struct run *r, const char *line, const char *what)
{
	const struct graph *g = r->machine->plan->graph;
	uint32_t n[PLUGIN_KINDS] = { 0 };

	for (uint32_t i = 0; i < g->n; i++)
		n[g->nodes[i].kind]++;
	say("%sSTATUS=%s: %u source%s, %u detector%s, %u sink%s", line, what, n[PLUGIN_SOURCE],
	    n[PLUGIN_SOURCE] == 1 ? "" : "s", n[PLUGIN_DETECTOR], n[PLUGIN_DETECTOR] == 1 ? "" : "s", n[PLUGIN_SINK],
	    n[PLUGIN_SINK] == 1 ? "" : "s");
}

void notify_ready(struct run *r)
{
	say_state(r, "READY=1\n", "running");
}

void notify_reloading(struct run *r)
{
	char line[80];

	snprintf(line, sizeof line, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", os->mono() / 1000);
	say_state(r, line, "reloading");
}

void notify_stopping(struct run *r)
{
	say_state(r, "STOPPING=1\n", "draining");
}

double notify_interval(void)
{
	const char *usec = secure_getenv("WATCHDOG_USEC"), *pid = secure_getenv("WATCHDOG_PID");
	unsigned long long us;
	char *end;

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	us = strtoull(usec, &end, 10);
	return errno == 0 && !*end && end != usec ? (double)us / 4e6 : 0;
}

void notify_beat(struct run *r)
{
	struct machine *m = r->machine;
	/* each is asked, also behind one that hangs, so that all looks are equally old */
	bool alive = loop_alive(&m->pipeline_loop);

	alive &= loop_alive(&m->recorder_loop);
	for (uint32_t i = 0; i < m->n_workers; i++)
		alive &= loop_alive(&m->worker_loops[i]);
	if (alive)
		say("WATCHDOG=1");
}
