/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper process: started in a process group of its own, so that Ctrl-C is for the host only and a kill takes along
 * what it started itself; three descriptors and nothing else of the host's; frames with a deadline. Its stdin is a
 * socket, because writing to a pipe that nobody reads would be a signal to the host.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS            1000000LL
#define STOP_PATIENCE (2000 * MS)

static void TW_PRINTF(2, 3) say(struct helper *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(h->why, sizeof h->why, fmt, ap);
	va_end(ap);
}

/* For deadlines only: what is judged does not depend on it. */
static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* ---- its stderr ---- */

static void end_line(struct helper *h)
{
	if (!h->n_line)
		return;
	h->line[h->n_line] = '\0';
	h->n_line = 0;
	memcpy(h->last_line, h->line, sizeof h->last_line);
	h->host->log(h->host, TW_LOG_WARN, "helper: %s", h->line);
}

/* What is there now; a long line is logged in pieces. The host limits how much an instance may log. */
static void read_stderr(struct helper *h)
{
	char piece[4096];
	ssize_t n;

	for (uint32_t pieces = 0; h->err >= 0 && pieces < 64; pieces++) {
		n = read(h->err, piece, sizeof piece);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			end_line(h);
			close_one(&h->err);
		}
		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			if (piece[i] != '\n' && piece[i] != '\0')
				h->line[h->n_line++] = piece[i];
			if (piece[i] == '\n' || h->n_line == sizeof h->line - 1)
				end_line(h);
		}
	}
}

/* ---- its end ---- */

static void forget(struct helper *h)
{
	close_one(&h->to);
	close_one(&h->from);
	close_one(&h->err);
	h->n_line = 0;
	h->pid = 0;
}

void helper_kill(struct helper *h)
{
	if (!h->pid)
		return;
	(void)kill(-h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	read_stderr(h);
	end_line(h);
	forget(h);
}

void helper_stop(struct helper *h)
{
	int64_t end = now_ns() + STOP_PATIENCE;
	char rest[512];

	close_one(&h->to);
	while (h->pid) { /* until it closes its stdout, by ending */
		struct pollfd p = { h->from, POLLIN, 0 };
		int64_t left = end - now_ns();
		int n = left > 0 ? poll(&p, 1, (int)(left / MS) + 1) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		read_stderr(h);
		if (n <= 0 || read(h->from, rest, sizeof rest) <= 0)
			break;
	}
	helper_kill(h);
}

void helper_free(struct helper *h)
{
	helper_stop(h);
	free(h->in.p);
	free(h->greeting.p);
	free(h->request.frame.p);
}

/* It has closed its stdout: why? The process is not reaped here, so that its number stays its own until the kill. */
static void ended(struct helper *h)
{
	siginfo_t info = { .si_pid = 0 };
	char how[96] = "closed its output";
	int64_t end = now_ns() + 100 * MS;

	while (waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid && now_ns() < end) {
		struct timespec moment = { 0, MS };
		(void)nanosleep(&moment, NULL);
	}
	read_stderr(h);
	end_line(h);
	if (info.si_pid && info.si_code == CLD_EXITED)
		(void)snprintf(how, sizeof how, "ended with exit code %d", info.si_status);
	else if (info.si_pid)
		(void)snprintf(how, sizeof how, "was ended by signal %d", info.si_status);
	if (h->last_line[0])
		say(h, "it %s; its last words: %s", how, h->last_line);
	else
		say(h, "it %s", how);
}

/* ---- frames ---- */

static bool send_some(struct helper *h, const struct bytes *frame, size_t *sent)
{
	ssize_t n = send(h->to, frame->p + *sent, frame->n - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		*sent += (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* Up to the end of the frame and not beyond: *want is 4 until the length is known. Memory is taken as bytes come, not
 * as the length promises. 1: whole, 0: not yet, -1: h->why. */
static int read_some(struct helper *h, size_t *want)
{
	struct bytes *in = &h->in;
	size_t left = *want - in->n;
	ssize_t n;

	if (!bytes_room(in, left < 65536 ? left : 65536))
		return say(h, "memory is out"), -1;
	n = read(h->from, in->p + in->n, left < in->cap - in->n ? left : in->cap - in->n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return ended(h), -1;
	in->n += (size_t)n;
	if (in->n < *want)
		return 0;
	if (*want > 4)
		return 1;
	*want = 4 + ((size_t)in->p[0] << 24 | (size_t)in->p[1] << 16 | (size_t)in->p[2] << 8 | in->p[3]);
	if (*want == 4 || *want - 4 > FRAME_MAX)
		return say(h, "its reply claims %zu bytes; expected 1 to %d (does it print to stdout?)", *want - 4,
			   FRAME_MAX),
		       -1;
	return 0;
}

static bool exchange(struct helper *h, const struct bytes *frame, int64_t timeout)
{
	int64_t end = now_ns() + timeout;
	size_t sent = 0, want = 4;

	h->in.n = 0;
	for (;;) {
		struct pollfd p[] = { { h->from, POLLIN, 0 },
				      { h->err, POLLIN, 0 },
				      { sent < frame->n ? h->to : -1, POLLOUT, 0 } };
		int64_t left = end - now_ns();
		int n = left > 0 ? poll(p, 3, left / MS > 60000 ? 60000 : (int)(left / MS) + 1) : 0;

		if (n < 0 && errno != EINTR)
			return say(h, "poll: %s", strerror(errno)), false;
		if (n == 0 && left <= 0)
			return say(h, "no reply within %.6g s", (double)timeout / 1e9), false;
		if (n <= 0)
			continue;
		if (p[1].revents)
			read_stderr(h);
		/* When it is gone, its stdout tells why. */
		if (p[2].revents && !send_some(h, frame, &sent) && !p[0].revents)
			return ended(h), false;
		if (p[0].revents) {
			int rc = read_some(h, &want);
			if (rc < 0)
				return false;
			if (rc > 0 && sent < frame->n)
				return say(h, "it answered before it had read the request"), false;
			if (rc > 0)
				return true;
		}
	}
}

bool helper_ask(struct helper *h, const struct bytes *frame, int64_t timeout)
{
	if (exchange(h, frame, timeout))
		return true;
	helper_kill(h);
	return false;
}

/* ---- its beginning ---- */

/* Out of the way of the three that the child gets. */
static int above_two(int fd)
{
	int moved;

	if (fd < 0 || fd > 2)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	(void)close(fd);
	return moved;
}

static bool make_ends(struct helper *h, int theirs[3])
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	bool ok = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
		  pipe2(err, O_CLOEXEC) == 0;

	h->to = above_two(in[0]);
	h->from = above_two(out[0]);
	h->err = above_two(err[0]);
	theirs[0] = above_two(in[1]);
	theirs[1] = above_two(out[1]);
	theirs[2] = above_two(err[1]);
	ok = ok && h->to >= 0 && h->from >= 0 && h->err >= 0 && theirs[0] >= 0 && theirs[1] >= 0 && theirs[2] >= 0;
	return ok && fcntl(h->from, F_SETFL, O_NONBLOCK) == 0 && fcntl(h->err, F_SETFL, O_NONBLOCK) == 0;
}

static int spawn(struct helper *h, const int theirs[3])
{
	const struct tw_list *command = &h->exec->command;
	char **argv = calloc(command->n + 1, sizeof *argv);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc = argv ? posix_spawn_file_actions_init(&files) : ENOMEM;

	if (rc)
		goto out_argv;
	rc = posix_spawnattr_init(&attr);
	if (rc)
		goto out_files;
	for (uint64_t i = 0; i < command->n; i++)
		argv[i] = (char *)(uintptr_t)command->items[i];
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if ((rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							  POSIX_SPAWN_SETSIGDEF)) != 0 ||
	    (rc = posix_spawnattr_setpgroup(&attr, 0)) != 0 || (rc = posix_spawnattr_setsigmask(&attr, &none)) != 0 ||
	    (rc = posix_spawnattr_setsigdefault(&attr, &all)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(&files, theirs[0], 0)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(&files, theirs[1], 1)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(&files, theirs[2], 2)) != 0 ||
	    (rc = posix_spawn_file_actions_addclosefrom_np(&files, 3)) != 0)
		goto out;
	rc = posix_spawnp(&h->pid, command->items[0], &files, &attr, argv, h->exec->env);
	if (rc)
		h->pid = 0;
out:
	(void)posix_spawnattr_destroy(&attr);
out_files:
	(void)posix_spawn_file_actions_destroy(&files);
out_argv:
	free(argv);
	return rc;
}

int32_t helper_start(struct helper *h, struct hello *hello)
{
	int theirs[3] = { -1, -1, -1 };
	char why[WHY_BYTES];
	int rc;

	h->to = h->from = h->err = -1;
	h->last_line[0] = '\0';
	h->starts++;
	if (!make_ends(h, theirs)) {
		say(h, "no pipes: %s", strerror(errno));
		rc = -1;
	} else if ((rc = spawn(h, theirs)) != 0) {
		say(h, "%s", strerror(rc));
	}
	for (int i = 0; i < 3; i++)
		close_one(&theirs[i]);
	if (rc) {
		forget(h);
		return TW_E_IO;
	}
	request_hello(&h->greeting, h->exec, h->host->instance);
	if (h->greeting.failed) {
		say(h, "memory is out");
		helper_kill(h);
		return TW_E_FATAL;
	}
	if (!helper_ask(h, &h->greeting, h->exec->start_timeout))
		return TW_E_IO;
	if (!reply_hello(hello, h->in.p + 4, h->in.n - 4, why)) {
		say(h, "its hello: %s", why);
		helper_kill(h);
		return TW_E_DATA;
	}
	if (hello->error.s) {
		say(h, "%.*s", (int)hello->error.len, hello->error.s);
		helper_kill(h);
		return TW_E_CONFIG;
	}
	return TW_OK;
}
