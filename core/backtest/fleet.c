/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting children, waiting for them, and ending them when the user has seen enough.
 */
#include "backtest/fleet.h"
#include "base/err.h"
#include "base/os.h"
#include "run/screen.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 28

static volatile sig_atomic_t told; /* the number of the signal; a handler has nowhere else to put it */

static void on_signal(int number)
{
	told = number;
}

uint32_t fleet_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > 0 ? (uint32_t)n : 1;
}

static void folder_of(const struct fleet *f, uint32_t i, char out[4096])
{
	if (f->jobs[i].dir)
		(void)snprintf(out, 4096, "%s", f->jobs[i].dir);
	else
		(void)snprintf(out, 4096, "%s/%u", f->dir, i);
}

static int32_t start(struct fleet *f, uint32_t i, struct tw_err *e)
{
	struct job *j = &f->jobs[i];
	char dir[4096];
	pid_t parent = getpid();

	folder_of(f, i, dir);
	j->outcome = outcome_new();
	if (!j->outcome)
		return err_set(e, TW_E_FATAL, "memory is out");
	(void)fflush(NULL);
	j->pid = fork();
	if (j->pid < 0) {
		j->pid = 0;
		return err_sys(e, errno, "cannot start a process");
	}
	if (j->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it died before it could be asked for */
			_exit(1);
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		variant_run(&j->variant, dir, f->plugins, j->outcome);
		(void)fflush(NULL);
		_exit(0);
	}
	return TW_OK;
}

static void end_all(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->jobs[i].pid > 0)
			(void)kill(f->jobs[i].pid, SIGKILL);
	for (uint32_t i = 0; i < f->n; i++)
		while (f->jobs[i].pid > 0 && (waitpid(f->jobs[i].pid, NULL, 0) >= 0 || errno != EINTR))
			f->jobs[i].pid = 0;
}

static int32_t verdict(const struct job *j, int status, struct tw_err *e)
{
	const char *what = j->what ? j->what : "the run", *colon = j->what ? ": " : " ";

	if (WIFSIGNALED(status))
		return err_set(e, TW_E_FATAL, "%s%sdied of signal %d (%s)", what, colon, WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	if (!j->outcome->done)
		return err_set(e, TW_E_FATAL, "%s%sended with code %d", what, colon, WEXITSTATUS(status));
	if (j->outcome->rc < 0) {
		*e = j->outcome->err;
		if (j->what)
			(void)err_prefix(e, "%s", what);
		return j->outcome->rc;
	}
	if (j->outcome->source_failed)
		return err_set(e, TW_E_IO, "%s%scould not read its data; the reason is in the log above", what, colon);
	return TW_OK;
}

static void draw(const struct fleet *f, uint32_t done)
{
	char line[128], bar[WIDTH + 1];
	uint32_t filled = f->n ? done * WIDTH / f->n : WIDTH;

	if (!f->progress)
		return;
	memset(bar, ' ', WIDTH);
	memset(bar, '=', filled);
	if (filled < WIDTH)
		bar[filled] = '>';
	bar[WIDTH] = '\0';
	(void)snprintf(line, sizeof line, "[%s] %u of %u runs", bar, done, f->n);
	screen_bar(line);
}

static int32_t finish(struct fleet *f, pid_t pid, int status, struct tw_err *e)
{
	char dir[4096];
	int32_t rc = TW_OK;

	for (uint32_t i = 0; i < f->n; i++) {
		struct job *j = &f->jobs[i];
		if (j->pid != pid)
			continue;
		j->pid = 0;
		folder_of(f, i, dir);
		rc = verdict(j, status, e);
		if (rc == TW_OK && j->outcome->interrupted)
			told = told ? told : SIGINT;
		else if (rc == TW_OK && f->done)
			rc = f->done(f->arg, i, dir, e);
		if (f->done && !j->dir)
			f->remove(dir);
	}
	return rc;
}

static int32_t work(struct fleet *f, struct tw_err *e)
{
	uint32_t parallel = f->parallel ? f->parallel : fleet_cores(), next = 0, running = 0, over = 0;
	int32_t rc = TW_OK;

	while (over < f->n && rc == TW_OK && !told) {
		int status;
		pid_t pid;
		if (next < f->n && running < parallel) {
			rc = start(f, next, e);
			if (rc == TW_OK) {
				next++;
				running++;
			}
			continue;
		}
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return err_sys(e, errno, "cannot wait for a run");
		running--;
		over++;
		rc = finish(f, pid, status, e);
		draw(f, over);
	}
	return rc == TW_OK && told ? FLEET_INTERRUPTED : rc;
}

int32_t fleet_run(struct fleet *f, struct tw_err *e)
{
	struct sigaction act = { .sa_handler = on_signal }, before[2];
	int32_t rc;

	told = 0;
	sigemptyset(&act.sa_mask);
	(void)sigaction(SIGINT, &act, &before[0]);
	(void)sigaction(SIGTERM, &act, &before[1]);
	rc = work(f, e);
	end_all(f);
	if (f->progress)
		screen_bar("");
	(void)sigaction(SIGINT, &before[0], NULL);
	(void)sigaction(SIGTERM, &before[1], NULL);
	return rc;
}

void fleet_free(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		outcome_free(f->jobs[i].outcome);
		f->jobs[i].outcome = NULL;
	}
}
