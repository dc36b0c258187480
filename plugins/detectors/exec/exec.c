/* SPDX-License-Identifier: Apache-2.0
 *
 * exec: a detector in a program of its own, in any language.
 *
 * The helper is a function of events and states: it is handed both and hands back alerts and new states, which the host
 * keeps, checkpoints and restores as for every detector. So it may die at any time: it is started and asked again.
 *
 * Threads: events of different keys come from several workers at once. A worker takes a helper that is free, or waits;
 * which one it gets makes no difference.
 */
#include "exec.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { RESTARTS, FAULTS, REFUSED };
static const char *const counters[] = { "restarts", "faults", "refused", NULL };

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	uint32_t n;
	struct helper helpers[];
};

static const struct tw_option options[] = {
	TW_LIST(struct exec, command, TW_REQUIRED, "the program and its arguments, e.g. [python3, detector.py]"),
	TW_MAP(struct exec, options, "", "options of the program, handed to it as texts"),
	TW_LIST(struct exec, kinds, "", "kinds of events it is shown; absent: those that it asks for"),
	TW_SIZE(struct exec, state_size, "4KiB", "16", "60KiB",
		"most bytes of a key's state; so many are kept per key"),
	TW_DURATION(struct exec, timeout, "10s", "10ms", "1h",
		    "a helper that has not answered a batch by then is killed"),
	TW_DURATION(struct exec, start_timeout, "30s", "10ms", "1h", "the same for its start, until it has said hello"),
	TW_INT(struct exec, max_restarts, "10", "0", "1000000",
	       "starts in a row that may fail, with pauses that grow to 5 s, before it is given up"),
	TW_INT(struct exec, processes, "1", "1", "64", "helper processes; of use with more than one worker"),
	TW_END,
};

static const char doc[] =
	"Runs a program, the helper, that judges events: in Python with the module tapewatch that comes\n"
	"along, or in any language that reads and writes msgpack (docs/exec-protocol.md). Example:\n"
	"\n"
	"  detectors:\n"
	"    wide:\n"
	"      plugin: exec\n"
	"      inputs: [ticks]\n"
	"      command: [python3, detector.py]\n"
	"      options: {limit: 3}\n"
	"\n"
	"Each key has a state, a few bytes that mean something to the helper only. The host hands it over\n"
	"with the event and keeps what comes back, so a helper that dies loses nothing: it is started and\n"
	"asked again. For the same reason nothing but event, state and options may influence what it says:\n"
	"no clock, no random numbers, no memory of its own. It has no timers.\n"
	"\n"
	"A helper that ends, answers nonsense or does not answer within `timeout` is killed, started and\n"
	"asked again. When that fails too, the events are asked one by one, and one that fails twice by\n"
	"itself goes to the dead letters, as one does that the helper refuses (an exception in Python).\n"
	"What it writes to stderr is logged.\n"
	"\n"
	"Judging waits for the helper, and so does everything behind it. A helper in Python judges some\n"
	"hundred thousand events a second where a detector in C judges millions; let `where:` and `kinds`\n"
	"leave out what need not be shown. An event that hangs the helper costs four times `timeout`.\n"
	"\n"
	"PYTHONPATH begins with the folder of the module where it is installed beside this plugin.\n";

static uint32_t state_size_of(const void *self)
{
	const struct exec *x = self;

	return (uint32_t)sizeof(struct state) + (uint32_t)x->state_size;
}

static int32_t check(const void *self, struct tw_err *e)
{
	const struct exec *x = self;

	if (!x->command.n || !x->command.items[0][0]) {
		snprintf(e->msg, sizeof e->msg, "command: empty; expected a program and its arguments");
		return e->code = TW_E_CONFIG;
	}
	for (uint64_t i = 0; i < x->kinds.n; i++)
		if (!exec_kind(x->kinds.items[i], strlen(x->kinds.items[i]))) {
			snprintf(
				e->msg, sizeof e->msg,
				"kinds: '%.40s' is no kind of event; expected quote, trade, bar, order, deal, account, "
				"news, score, alert, label or correction",
				x->kinds.items[i]);
			return e->code = TW_E_CONFIG;
		}
	return TW_OK;
}

/* ---- open and close ---- */

/* share/tapewatch/python of the prefix that this shared object is installed in, or "". */
static void find_module(char ret[PATH_MAX])
{
	char folder[PATH_MAX], path[PATH_MAX];
	Dl_info info;

	ret[0] = '\0';
	if (!dladdr((const void *)options, &info) || !info.dli_fname || !realpath(info.dli_fname, folder))
		return;
	for (int up = 0; up < 6; up++) {
		char *slash = strrchr(folder, '/');
		int n;
		if (!slash)
			return;
		*slash = '\0';
		n = snprintf(path, sizeof path, "%s/share/tapewatch/python/tapewatch.py", folder);
		if (n < 0 || (size_t)n >= sizeof path || access(path, R_OK) != 0)
			continue;
		(void)snprintf(ret, PATH_MAX, "%.*s", (int)(strrchr(path, '/') - path), path);
		return;
	}
}

static void env_free(char **env)
{
	if (env)
		free(env[0]); /* the only one that is ours */
	free(env);
}

/* The host's environment with PYTHONPATH first, and with one order of Python's sets in all processes. */
static char **make_env(void)
{
	const char *old = getenv("PYTHONPATH");
	char module[PATH_MAX], **env;
	size_t n = 0, k = 0, len;

	while (environ[n])
		n++;
	find_module(module);
	env = calloc(n + 4, sizeof *env);
	len = strlen(module) + (old ? strlen(old) : 0) + sizeof "PYTHONPATH=:";
	if (!env || !(env[0] = malloc(len))) {
		free(env);
		return NULL;
	}
	(void)snprintf(env[k++], len, "PYTHONPATH=%s%s%s", module, *module && old && *old ? ":" : "", old ? old : "");
	env[k++] = (char *)(uintptr_t) "TAPEWATCH_EXEC=1"; /* the module keeps stdout for itself */
	if (!getenv("PYTHONHASHSEED"))
		env[k++] = (char *)(uintptr_t) "PYTHONHASHSEED=0";
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "PYTHONPATH=", 11) != 0)
			env[k++] = environ[i];
	return env;
}

static void exec_close(void *self)
{
	struct exec *x = self;

	if (x->pool) {
		for (uint32_t i = 0; i < x->pool->n; i++)
			helper_free(&x->pool->helpers[i]);
		(void)pthread_mutex_destroy(&x->pool->lock);
		(void)pthread_cond_destroy(&x->pool->freed);
	}
	free(x->pool);
	env_free(x->env);
	x->pool = NULL;
	x->env = NULL;
}

static uint32_t kinds_of(const struct tw_list *list)
{
	uint32_t kinds = 0;

	for (uint64_t i = 0; i < list->n; i++)
		kinds |= exec_kind(list->items[i], strlen(list->items[i]));
	return kinds;
}

static int32_t settle_kinds(struct exec *x, struct tw_err *e)
{
	uint32_t configured = kinds_of(&x->kinds), asked = x->first.kinds;

	x->wanted = (configured ? configured : (uint32_t)TW_ANY) & (asked ? asked : (uint32_t)TW_ANY);
	if (x->wanted)
		return TW_OK;
	snprintf(e->msg, sizeof e->msg, "kinds: the program '%s' judges none of them; it asks for %s%s", x->first.name,
		 exec_kind_name(asked & (~asked + 1)), asked & (asked - 1) ? " and others" : "");
	return e->code = TW_E_CONFIG;
}

static int32_t exec_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct exec *x = self;
	uint32_t n = (uint32_t)x->processes;
	int32_t rc;

	x->env = make_env();
	x->pool = calloc(1, sizeof *x->pool + n * sizeof *x->pool->helpers);
	if (!x->env || !x->pool) {
		snprintf(e->msg, sizeof e->msg, "memory is out");
		rc = e->code = TW_E_FATAL;
		goto out;
	}
	(void)pthread_mutex_init(&x->pool->lock, NULL);
	(void)pthread_cond_init(&x->pool->freed, NULL);
	for (uint32_t i = 0; i < n; i++) {
		struct helper *h = &x->pool->helpers[i];
		h->exec = x;
		h->host = host;
		h->to = h->from = h->err = -1;
		x->pool->n++;
	}
	/* One now, to see whether it runs; the others when they are needed. */
	rc = helper_start(&x->pool->helpers[0], &x->first);
	if (rc < 0) {
		snprintf(e->msg, sizeof e->msg, "command: '%.100s' %s: %.350s", x->command.items[0],
			 rc == TW_E_CONFIG ? "refuses its options" : "cannot be used", x->pool->helpers[0].why);
		e->code = rc;
		goto out;
	}
	rc = settle_kinds(x, e);
	if (rc == TW_OK)
		host->log(host, TW_LOG_INFO, "helper %s %s runs", x->first.name, x->first.version);
out:
	if (rc < 0)
		exec_close(x);
	return rc;
}

/* ---- helpers ---- */

static struct helper *take(struct pool *p)
{
	struct helper *free_one = NULL;

	(void)pthread_mutex_lock(&p->lock);
	while (!free_one) {
		for (uint32_t i = 0; i < p->n && !free_one; i++)
			if (!p->helpers[i].busy)
				free_one = &p->helpers[i];
		if (!free_one)
			(void)pthread_cond_wait(&p->freed, &p->lock);
	}
	free_one->busy = true;
	(void)pthread_mutex_unlock(&p->lock);
	return free_one;
}

static void give_back(struct pool *p, struct helper *h)
{
	(void)pthread_mutex_lock(&p->lock);
	h->busy = false;
	(void)pthread_cond_signal(&p->freed);
	(void)pthread_mutex_unlock(&p->lock);
}

static void pause_before(uint32_t failed_starts)
{
	int64_t ms = 50LL << (failed_starts < 8 ? failed_starts : 8);
	struct timespec t = { (ms < 5000 ? ms : 5000) / 1000, (ms < 5000 ? ms : 5000) % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* The program that is on the disk now may not be the one that judged until now. */
static bool same_program(const struct hello *a, const struct hello *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 && a->kinds == b->kinds;
}

/* false: it is given up. */
static bool ready(const struct exec *x, struct helper *h, struct tw_ctx *c)
{
	struct hello hello;

	while (!h->pid && !h->given_up) {
		if (h->starts)
			c->counters[RESTARTS]++;
		if (helper_start(h, &hello) >= 0) {
			if (same_program(&hello, &x->first))
				break;
			helper_kill(h);
			(void)snprintf(h->why, sizeof h->why,
				       "it is '%s' %s now and was '%s' %s: restart tapewatch to change programs",
				       hello.name, hello.version, x->first.name, x->first.version);
		}
		h->failed_starts++;
		if (h->failed_starts > x->max_restarts) {
			h->given_up = true;
			c->host->log(c->host, TW_LOG_ERROR,
				     "'%s' could not be started %" PRIu32 " times in a row and is given up: %s",
				     x->command.items[0], h->failed_starts, h->why);
			break;
		}
		c->host->log(c->host, TW_LOG_ERROR, "'%s' cannot be started: %s; trying again", x->command.items[0],
			     h->why);
		pause_before(h->failed_starts);
	}
	if (h->pid)
		h->failed_starts = 0;
	return !h->given_up;
}

/* ---- judging ---- */

static void raise_alert(struct tw_ctx *c, const char *name, const struct tw_event *ev, const struct reply *r,
			const struct said *s)
{
	struct tw_finding f = tw_finding(s->score, s->value, s->expected, s->threshold);
	char type[TYPE_MAX + 1];

	f.type = name[0] ? name : NULL;
	f.p_value = s->p_value;
	f.severity = s->severity;
	f.details = s->n_details ? &r->details[s->first_detail] : NULL;
	f.n_details = s->n_details;
	if (s->type.s && s->type.len) {
		memcpy(type, s->type.s, s->type.len);
		type[s->type.len] = '\0';
		f.type = type;
	}
	/* A result here is about the host's memory, which it sees by itself; states have moved on already. */
	(void)c->host->alert(c, ev, &f, "%.*s", (int)s->reason.len, s->reason.s);
}

/* The reply was checked as a whole: from here on nothing fails. */
static void apply(struct tw_ctx *c, const struct tw_batch *b, const struct request *q, const struct reply *r)
{
	const char *name = ((const struct exec *)c->self)->first.name;
	uint32_t alert = 0, score = 0;

	for (uint32_t i = 0; i < r->n_states; i++) {
		struct state *s = q->states[r->states[i].state];
		memset(s->blob, 0, s->len); /* equal states are equal bytes */
		s->len = r->states[i].len;
		memcpy(s->blob, r->states[i].blob, s->len);
	}
	for (uint32_t i = 0; i < r->done && (alert < r->n_alerts || score < r->n_scores); i++) {
		const struct tw_event *ev = b->ev[q->at[i]];
		c->i = q->at[i];
		for (; score < r->n_scores && r->scores[score].event == i; score++) {
			struct tw_event said = { .struct_size = sizeof said, .kind = TW_SCORE, .ts = ev->ts };
			said.score.score = r->scores[score].score;
			said.score.p_value = r->scores[score].p_value;
			(void)c->host->emit(c, &said);
		}
		for (; alert < r->n_alerts && r->alerts[alert].event == i; alert++)
			raise_alert(c, name, ev, r, &r->alerts[alert]);
	}
}

enum answer { JUDGED, FAULTY, GONE };

/* Ask up to twice, since a helper may die of what is not the events' fault. */
static enum answer ask(const struct exec *x, struct helper *h, struct tw_ctx *c)
{
	char why[WHY_BYTES];

	for (int attempt = 0; attempt < 2; attempt++) {
		struct request *q = &h->request;
		if (!ready(x, h, c))
			return GONE;
		if (helper_ask(h, &q->frame, x->timeout)) {
			if (reply_batch(&h->reply, q, (uint32_t)x->state_size, h->in.p + 4, h->in.n - 4, why))
				return JUDGED;
			(void)snprintf(h->why, sizeof h->why, "its reply: %s", why);
			helper_kill(h);
		}
		c->counters[FAULTS]++;
		c->host->log(c->host, TW_LOG_WARN, "helper %s is started again: %s", x->first.name, h->why);
	}
	return FAULTY;
}

/* Judges from *from on, as far as one request goes, and moves *from behind it. A negative result is about event c->i.
 */
static int32_t judge_some(const struct exec *x, struct helper *h, struct tw_ctx *c, const struct tw_batch *b,
			  uint32_t *from, uint32_t *alone)
{
	struct request *q = &h->request;
	uint32_t to = *from;
	enum answer answer;

	c->i = *from;
	if (!request_batch(q, x, c->host, b, &to, *from < *alone ? 1 : EVENTS_MAX))
		return TW_E_FATAL;
	if (!q->n) {
		*from = to;
		return TW_OK;
	}
	c->i = q->at[0];
	answer = ask(x, h, c);
	if (answer == GONE)
		return TW_E_FATAL;
	if (answer == JUDGED) {
		apply(c, b, q, &h->reply);
		*from = to;
		if (!h->reply.error.s)
			return TW_OK;
		c->i = q->at[h->reply.done];
		c->counters[REFUSED]++;
		c->host->log(c->host, TW_LOG_ERROR, "event %" PRIu64 ": %.*s", b->ev[c->i]->seq,
			     (int)h->reply.error.len, h->reply.error.s);
		return TW_E_DATA;
	}
	if (q->n > 1) { /* which of them is it? */
		*alone = to;
		return TW_OK;
	}
	c->host->log(c->host, TW_LOG_ERROR,
		     "event %" PRIu64 " has failed helper %s twice by itself and is left out: %s", b->ev[c->i]->seq,
		     x->first.name, h->why);
	return TW_E_DATA;
}

static int32_t process(struct tw_ctx *c, const struct tw_batch *b)
{
	const struct exec *x = c->self;
	struct helper *h = take(x->pool);
	uint32_t from = 0, alone = 0;
	int32_t rc = TW_OK;

	while (from < b->n && rc == TW_OK)
		rc = judge_some(x, h, c, b, &from, &alone);
	give_back(x->pool, h);
	return rc;
}

static const struct tw_detector exec_detector = {
	TW_HEAD_(struct tw_detector),
	.name = "exec",
	.version = "1.0.0",
	.summary = "a detector in a program of its own, e.g. in Python",
	.doc = doc,
	.kinds = TW_ANY & ~TW_CLOCK,
	.emits = TW_SCORE,
	.key = "symbol",
	.flags = TW_FREE_KEY,
	.options = options,
	.self_size = sizeof(struct exec),
	.check = check,
	.counters = counters,
	.state_size_of = state_size_of,
	.state_version = 1,
	.open = exec_open,
	.process = process,
	.close = exec_close,
};
static const struct tw_detector *const list[] = { &exec_detector, NULL };
TW_MANIFEST_(.detectors = list)
