/* SPDX-License-Identifier: Apache-2.0
 *
 * The trial: a child loads the plugin first. Constructors of a shared object run before anything of it can be checked;
 * what they break, they break in the child. That is a fork of this process before it has threads and an open store, and
 * this program run anew afterwards.
 *
 * This file talks to the kernel by itself: processes and pipes are not among what a test replaces in base/os.
 */
#include "base/err.h"
#include "base/os.h"
#include "plugin/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* the parent sees a short answer and says so */
		p += done;
		n -= (size_t)done;
	}
}

static void child(int answer, const char *real, const char *name) __attribute__((noreturn));
static void child(int answer, const char *real, const char *name)
{
	static const int deadly[] = { SIGSEGV, SIGBUS,  SIGFPE, SIGILL,  SIGABRT, SIGTRAP,
				      SIGSYS,  SIGTERM, SIGINT, SIGPIPE, SIGALRM };
	const struct rlimit no_core = { 0, 0 };
	struct arena arena = { 0 };
	struct plugin_set set;
	struct tw_err e = { 0 };
	sigset_t none;
	int null;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	/* Die plainly of what kills, without the handlers of the host or of a sanitizer. */
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		(void)signal(deadly[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* What it prints, it will print again when it is really loaded. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	e.code = plugin_open(real, name, &arena, &set, &e);
	write_all(answer, &e, sizeof e);
	_exit(0);
}

/* Read the child's answer. 1: complete, 0: it ended without one, -1: too late. */
static int read_answer(int fd, struct tw_err *answer, int timeout_ms)
{
	int64_t end = os->mono() + (int64_t)timeout_ms * 1000000;
	char *p = (char *)answer;
	size_t got = 0;

	while (got < sizeof *answer) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = (end - os->mono() + 999999) / 1000000;
		ssize_t n;
		int rc;

		if (left <= 0)
			return -1;
		rc = poll(&ready, 1, left > timeout_ms ? timeout_ms : (int)left);
		if (rc == 0 || (rc < 0 && errno == EINTR))
			continue;
		n = read(fd, p + got, sizeof *answer - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	return 1;
}

static int32_t verdict(const char *real, int answered, int timeout_ms, bool have_status, int status, struct tw_err *e)
{
	if (answered < 0)
		return err_set(
			e, TW_E_CONFIG,
			"%s hangs while it is loaded and was stopped after %d.%03d s; its constructors must not wait",
			real, timeout_ms / 1000, timeout_ms % 1000);
	if (have_status && WIFSIGNALED(status)) {
		int number = WTERMSIG(status);
		const char *text = sigdescr_np(number);

		return err_set(
			e, TW_E_CONFIG,
			"%s crashes while it is loaded: signal %d (%s); look into its constructors and tw_plugin()",
			real, number, text ? text : "unknown");
	}
	return err_set(e, TW_E_CONFIG,
		       "%s ends the process while it is loaded (exit status %d); its constructors and tw_plugin() must "
		       "return",
		       real, have_status && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* The child's end, waited for at most timeout_ms: it may have closed the pipe and hang. The child stays a zombie, so
 * that its number means it and nobody else until it is reaped. */
static bool ended(pid_t pid, int timeout_ms)
{
	int64_t end = os->mono() + (int64_t)timeout_ms * 1000000;

	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0 && errno != EINTR)
			return true; /* nothing to wait for where SIGCHLD is ignored */
		if (info.si_pid == pid)
			return true;
		if (os->mono() >= end)
			return false;
		(void)poll(NULL, 0, 1);
	}
}

/* Hear the child out, end it, and say what came of it. */
static int32_t hear(pid_t pid, int from, const char *real, int timeout_ms, struct tw_err *e)
{
	struct tw_err answer;
	int status = 0, answered;
	pid_t waited;

	(void)setpgid(pid, pid); /* whoever of the two comes first */
	answered = read_answer(from, &answer, timeout_ms);
	(void)close(from);
	if (answered == 0 && !ended(pid, timeout_ms))
		answered = -1;
	/* It may hang after its answer, or have started children of its own. */
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
	do
		waited = waitpid(pid, &status, 0);
	while (waited < 0 && errno == EINTR);

	if (answered <= 0)
		return verdict(real, answered, timeout_ms, waited == pid, status, e);
	answer.msg[sizeof answer.msg - 1] = '\0';
	if (answer.code != TW_OK)
		return err_set(e, answer.code, "%s", answer.msg);
	return TW_OK;
}

int32_t plugin_try(const char *real, const char *name, int timeout_ms, struct tw_err *e)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(e, errno, "cannot try plugin %s: no pipe", real);
	pid = fork();
	if (pid < 0) {
		int why = errno;

		(void)close(ends[0]);
		(void)close(ends[1]);
		return err_sys(e, why, "cannot try plugin %s: no child process", real);
	}
	if (pid == 0)
		child(ends[1], real, name);
	(void)close(ends[1]);
	return hear(pid, ends[0], real, timeout_ms, e);
}

void plugin_trial_main(const char *real, const char *name)
{
	int answer = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (answer < 0)
		_exit(1);
	child(answer, real, name);
}

int32_t plugin_try_apart(const char *real, const char *name, int timeout_ms, struct tw_err *e)
{
	static char verb[] = "--try-plugin", self[] = "tapewatch";
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	char *argv[5] = { self, verb, NULL, NULL, NULL };
	int ends[2] = { -1, -1 }, why = ENOMEM;
	pid_t pid = 0;
	int32_t rc;

	if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&how) != 0)
		return err_sys(e, ENOMEM, "cannot try plugin %s", real); /* glibc's never fail */
	argv[2] = strdup(real);
	argv[3] = strdup(name);
	if (argv[2] && argv[3])
		why = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
	if (!why)
		why = posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	if (!why)
		why = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
	if (!why)
		why = posix_spawn(&pid, "/proc/self/exe", &files, &how, argv, environ);
	if (ends[1] >= 0)
		(void)close(ends[1]);
	if (why && ends[0] >= 0)
		(void)close(ends[0]);
	rc = why ? err_sys(e, why, "cannot try plugin %s in a process of its own", real)
		 : hear(pid, ends[0], real, timeout_ms, e);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&how);
	free(argv[2]);
	free(argv[3]);
	return rc;
}
