/* SPDX-License-Identifier: Apache-2.0
 *
 * Work on files that may be broken, in a child process: LMDB follows page numbers it finds in the file, and a wrong one
 * ends in SIGSEGV, SIGBUS or an assertion. The child sends what it finds through a pipe; its death is a finding too.
 */
#include "base/err.h"
#include "state/store_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_MAX (16u << 20)

enum { FRAME_AT = 'A', FRAME_SAY = 'S', FRAME_DONE = 'D' };

struct frame {
	uint32_t type, len;
};

struct child {
	int fd;
};

static void send_frame(struct child *c, uint32_t type, const void *data, size_t len)
{
	unsigned char out[sizeof(struct frame) + 4096];
	struct frame f = { type, (uint32_t)(len > 4096 ? 4096 : len) };
	size_t done = 0;

	memcpy(out, &f, sizeof f);
	memcpy(out + sizeof f, data, f.len);
	while (done < sizeof f + f.len) {
		ssize_t n = write(c->fd, out + done, sizeof f + f.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(3); /* the parent is gone */
		done += (size_t)n;
	}
}

void child_at(struct child *c, const char *what)
{
	send_frame(c, FRAME_AT, what, strlen(what));
}

void child_say(struct child *c, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n > 0)
		send_frame(c, FRAME_SAY, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void quiet(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT, SIGPIPE };
	struct rlimit none = { 0, 0 };
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* The host's own handlers would report a crash of the host. LMDB's assertions talk on stderr. */
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
}

static int32_t read_all(int fd, struct buf *all)
{
	for (;;) {
		unsigned char *p = all->len < REPORT_MAX ? buf_reserve(all, 65536) : NULL;
		ssize_t n;

		if (!p)
			return TW_E_IO;
		n = read(fd, p, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return TW_E_IO;
		if (n == 0)
			return TW_OK;
		all->len += (size_t)n;
	}
}

static int32_t hear(const struct buf *all, int status, struct buf *report, struct tw_err *err)
{
	char at[256] = "the store";
	struct tw_err result;
	bool done = false;
	size_t i = 0;

	while (all->len - i >= sizeof(struct frame)) {
		struct frame f;
		const unsigned char *p = all->data + i + sizeof f;

		memcpy(&f, all->data + i, sizeof f);
		if (all->len - i - sizeof f < f.len)
			break;
		if (f.type == FRAME_AT)
			snprintf(at, sizeof at, "%.*s", (int)f.len, (const char *)p);
		else if (f.type == FRAME_SAY && report && buf_add(report, p, f.len) < 0)
			return err_set(err, TW_E_IO, "out of memory");
		else if (f.type == FRAME_DONE && f.len == sizeof result) {
			memcpy(&result, p, sizeof result);
			done = true;
		}
		i += sizeof f + f.len;
	}
	if (done && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (result.code != TW_OK)
			err_set(err, result.code, "%.*s", (int)sizeof result.msg - 1, result.msg);
		return result.code;
	}
	if (WIFSIGNALED(status))
		return err_set(err, STORE_E_DAMAGED,
			       "%s: reading it ended in a crash (%s): the file was changed or the disk is failing; "
			       "restore a copy",
			       at, strsignal(WTERMSIG(status)));
	return err_set(err, STORE_E_DAMAGED, "%s: reading it in a child process failed (exit status %d)", at,
		       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int32_t child_run(child_fn *work, void *arg, struct buf *report, struct tw_err *err)
{
	struct buf all = { 0 };
	int pipe_fd[2], status = 0;
	int32_t ret;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	pid = fork();
	if (pid < 0) {
		ret = err_sys(err, errno, "cannot start a child process");
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return ret;
	}
	if (pid == 0) {
		struct child c = { pipe_fd[1] };
		struct tw_err result = { 0 };

		close(pipe_fd[0]);
		quiet();
		result.code = work(&c, arg, &result);
		send_frame(&c, FRAME_DONE, &result, sizeof result);
		_exit(0);
	}
	close(pipe_fd[1]);
	ret = read_all(pipe_fd[0], &all);
	close(pipe_fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret == TW_OK)
		ret = hear(&all, status, report, err);
	else
		err_set(err, ret, "cannot read what a child process reported");
	buf_free(&all);
	return ret;
}
