/* SPDX-License-Identifier: Apache-2.0
 *
 * Children, one for each check, and what becomes of them.
 */
#include "kit/conform.h"
#include "base/err.h"
#include "base/log.h"
#include "base/os.h"
#include "base/scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX_BYTES 65536u /* of what a check has to say */

/* The first check tells by its answer which kinds the file holds. */
#define KIND_ANSWER 0x10u

static void __attribute__((noreturn)) child(const struct conform *c, conform_check *check, int to)
{
	struct buf why = { 0 };
	unsigned char answer;
	int null = os->open("/dev/null", O_WRONLY | O_CLOEXEC, 0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	if (c->folder[0])
		(void)setenv("TMPDIR", c->folder, 1);
	if (null >= 0) /* sinks may write there */
		(void)dup2(null, STDOUT_FILENO);
	log_setup(LOG_TEXT, TW_LOG_ERROR + 1);
	answer = (unsigned char)check(c, &why);
	if (buf_add(&why, &answer, 1) == 0)
		for (size_t at = 0; at < why.len;) {
			ssize_t n = os->write(to, why.data + at, why.len - at);
			if (n <= 0)
				break;
			at += (size_t)n;
		}
	_exit(0);
}

/* What the child says until it ends or its time is over. true: it ended by itself. */
static bool hear(int from, int64_t until, struct buf *said)
{
	for (;;) {
		int64_t left = (until - os->mono()) / 1000000;
		struct pollfd p = { .fd = from, .events = POLLIN };
		unsigned char *room;
		ssize_t n;
		if (left <= 0)
			return false;
		if (poll(&p, 1, left > 60000 ? 60000 : (int)left) <= 0)
			continue;
		room = buf_reserve(said, 4096);
		n = room && said->len < TEXT_MAX_BYTES ? os->read(from, room, 4096) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		said->len += (size_t)n;
	}
}

static unsigned run_child(const struct conform *c, conform_check *check, struct buf *why)
{
	int ends[2], status = 0;
	unsigned answer = CONFORM_FAIL;
	bool ended;
	pid_t pid;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		(void)buf_addf(why, "no child process could be made: %m");
		return CONFORM_SKIP;
	}
	if (pid == 0)
		child(c, check, ends[1]);
	(void)os->close(ends[1]);
	ended = hear(ends[0], os->mono() + c->timeout, why);
	(void)os->close(ends[0]);
	if (!ended)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 && why->len)
		answer = why->data[--why->len];
	else if (!ended)
		(void)buf_addf(why, "it did not come to an end within %" PRId64 " s", c->timeout / 1000000000);
	else if (WIFSIGNALED(status))
		(void)buf_addf(why, "it crashed: signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)buf_addf(why, "it ended the process with exit code %d", WEXITSTATUS(status));
	return answer;
}

static unsigned one(struct conform *c, const char *kind, const char *name, conform_check *check)
{
	struct buf why = { 0 };
	unsigned answer = run_child(c, check, &why);
	enum conform_result r = answer & KIND_ANSWER ? CONFORM_OK : (enum conform_result)answer;

	while (why.len && why.data[why.len - 1] == '\n')
		why.len--;
	c->n[r]++;
	if (buf_add(&why, "", 1) == 0)
		c->each(c->arg, kind, name, r, (const char *)why.data);
	buf_free(&why);
	return answer;
}

/* Which kinds the file holds, or why it does not load. */
static enum conform_result check_load(const struct conform *c, struct buf *why)
{
	struct tw_err e = { 0 };
	unsigned kinds = 0;

	for (int kind = 0; kind < PLUGIN_KINDS; kind++) {
		struct kit_plan p;
		struct buf text = { 0 };
		(void)kit_plan_make(&p, (enum plugin_kind)kind, c->file, c->options, &text);
		if (p.plugins && plugins_get(p.plugins, (enum plugin_kind)kind, p.name, &e))
			kinds |= 1u << kind;
		kit_plan_free(&p);
		buf_free(&text);
	}
	if (!kinds) {
		(void)buf_addf(why, "%s", e.msg);
		return CONFORM_FAIL;
	}
	return (enum conform_result)(KIND_ANSWER | kinds);
}

static void run_all(struct conform *c, const char *kind, const struct conform_row *rows)
{
	const char *failed = NULL;

	for (; rows->name; rows++) {
		unsigned r;
		char text[200];
		if (rows->stem)
			failed = NULL;
		if (failed) {
			snprintf(text, sizeof text, "left out, because this failed: %s", failed);
			c->n[CONFORM_SKIP]++;
			c->each(c->arg, kind, rows->name, CONFORM_SKIP, text);
			continue;
		}
		r = one(c, kind, rows->name, rows->check);
		if (r == CONFORM_FAIL && (rows->stem || rows->limb))
			failed = rows->name;
	}
}

int32_t conform_run(struct conform *c, struct tw_err *e)
{
	static const struct conform_row *const rows[PLUGIN_KINDS] = { conform_source, conform_detector, conform_sink };
	unsigned kinds;

	if (access(c->file, R_OK) != 0)
		return err_set(e, TW_E_CONFIG, "cannot read %s: %m", c->file);
	if (!scratch_memory(c->folder, sizeof c->folder, "conform"))
		return err_set(e, TW_E_IO, "cannot make the folder %s: %m", c->folder);
	kinds = one(c, "plugin", "it loads: file, manifest, ABI, option table", check_load);
	if (kinds & KIND_ANSWER)
		run_all(c, "plugin", conform_common);
	else
		kinds = 0;
	for (unsigned kind = 0; kind < PLUGIN_KINDS; kind++)
		if (kinds & 1u << kind)
			run_all(c, plugin_kind_names[kind], rows[kind]);
	if (c->input && kinds & 1u << PLUGIN_DETECTOR)
		run_all(c, plugin_kind_names[PLUGIN_DETECTOR], conform_given);
	scratch_remove(c->folder);
	return TW_OK;
}
