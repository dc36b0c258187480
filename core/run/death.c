/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler, and reading what it wrote. Signals are the whole process's business, so what the handler needs is the
 * one place of this program where a file keeps state of its own; it is written before the handler is installed.
 */
#include "run/death.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES     65536u
#define FILE_MAX_BYTES  (1 << 20)
#define FILE_KEEP_BYTES (1 << 19)
#define LINE_BYTES      1280u

static const struct {
	int number;
	const char *name;
} deadly[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" }, { SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" }
};
#define N_DEADLY (sizeof deadly / sizeof deadly[0])

static struct {
	int fd;
	void *stack;
	char path[PATH_MAX];
	struct sigaction before[N_DEADLY];
	bool installed;
	_Atomic int dying; /* the thread; 0: none */
} watch = { .fd = -1 };

/* ---- in the handler: nothing that locks, allocates or formats by libc ---- */

struct line {
	char text[LINE_BYTES];
	size_t len;
};

static void put(struct line *l, const char *s)
{
	for (; s && *s && l->len < sizeof l->text - 1; s++)
		l->text[l->len++] = *s;
}

static void put_number(struct line *l, uint64_t v)
{
	char digits[24];
	size_t n = sizeof digits;

	digits[--n] = '\0';
	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	put(l, digits + n);
}

static void put_signed(struct line *l, int64_t v)
{
	if (v < 0)
		put(l, "-");
	put_number(l, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void put_hex(struct line *l, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4) {
		const char digit[2] = { "0123456789abcdef"[v >> shift & 15], '\0' };
		put(l, digit);
	}
}

/* A word of the record: what would end it early is written as '?'. */
static void put_word(struct line *l, const char *s)
{
	put(l, " ");
	if (!s || !*s)
		put(l, "?");
	for (; s && *s; s++) {
		const char c[2] = { *s > ' ' || *s < 0 ? *s : '?', '\0' };
		put(l, c);
	}
}

static void say(const struct line *l, int fd)
{
	ssize_t n = write(fd, l->text, l->len);
	(void)n; /* there is nobody left to tell */
}

static void write_record(const struct call *c, const struct call_about *a, const char *signal_name)
{
	struct line l = { .len = 0 };
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	put(&l, "death ");
	put_signed(&l, (int64_t)now.tv_sec);
	put_word(&l, signal_name);
	put_word(&l, c ? c->kind : "host");
	put_word(&l, c ? c->plugin : NULL);
	put_word(&l, c ? c->instance : NULL);
	put_word(&l, a->source);
	put(&l, a->timer ? " timer " : " event ");
	put_number(&l, a->seq);
	put(&l, " ");
	put_signed(&l, a->ts);
	put(&l, " ");
	put_hex(&l, a->id);
	put(&l, "\n");
	say(&l, watch.fd);
}

static void write_sentence(const struct call *c, const struct call_about *a, const char *signal_name)
{
	struct line l = { .len = 0 };

	put(&l, "\ntapewatch: ");
	if (c) {
		put(&l, "plugin '");
		put(&l, c->plugin);
		put(&l, "' (");
		put(&l, c->kind);
		put(&l, " '");
		put(&l, c->instance);
		put(&l, "') died of ");
	} else {
		put(&l, "died outside of any plugin call, of ");
	}
	put(&l, signal_name);
	if (a->seq) {
		put(&l, a->timer ? " in a timer at event " : " on event ");
		put_number(&l, a->seq);
		put(&l, " of source '");
		put(&l, a->source);
		put(&l, "'");
	}
	put(&l, "; recorded in ");
	put(&l, watch.path);
	put(&l, c ? ". Nothing that was committed is lost: start it again and it goes on\n"
		  : ". Nothing that was committed is lost; the next start reads the whole store first, for a damaged "
		    "file can do this\n");
	say(&l, STDERR_FILENO);
}

static void on_death(int number, siginfo_t *info, void *context)
{
	const struct call *c = call_now;
	struct call_about about = { 0 };
	const char *name;
	int nobody = 0, me = gettid();
	size_t i = 0;

	(void)context;
	while (i < N_DEADLY - 1 && deadly[i].number != number)
		i++;
	name = deadly[i].name;
	if (atomic_compare_exchange_strong(&watch.dying, &nobody, me)) {
		CRASH_POINT("death.caught");
		if (c && c->about)
			c->about(c, &about);
		write_record(c, &about, name);
		CRASH_POINT("death.recorded");
		write_sentence(c, &about, name);
	} else if (nobody != me) {
		for (;;) /* another thread dies: it shall have the time to say why */
			(void)pause();
	}
	(void)sigaction(number, &watch.before[i], NULL);
	/* A fault comes again by itself, at the same instruction, for the core; what was sent has to be sent again. */
	if (info->si_code <= 0)
		(void)raise(number);
}

/* ---- installing ---- */

void death_let_through(sigset_t *set)
{
	for (size_t i = 0; i < N_DEADLY; i++)
		(void)sigdelset(set, deadly[i].number);
}

void *death_stack(void)
{
	void *memory = malloc(STACK_BYTES);
	stack_t s = { .ss_sp = memory, .ss_size = STACK_BYTES };

	if (memory && sigaltstack(&s, NULL) != 0) {
		free(memory);
		memory = NULL;
	}
	return memory;
}

void death_stack_free(void *memory)
{
	stack_t s = { .ss_flags = SS_DISABLE };

	if (!memory)
		return;
	(void)sigaltstack(&s, NULL);
	free(memory);
}

/* A record that was cut short must not run into the next one. */
static void end_last_line(void)
{
	int fd = os->open(watch.path, O_RDONLY, 0);
	struct stat st;
	char last = '\n';

	if (fd >= 0 && os->stat(watch.path, &st) == 0 && st.st_size > 0 &&
	    os->pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		(void)!os->write(watch.fd, "\n", 1);
	if (fd >= 0)
		(void)os->close(fd);
}

int32_t death_watch(const char *dir, struct tw_err *e)
{
	struct sigaction a = { .sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (snprintf(watch.path, sizeof watch.path, "%s/crash", dir) >= (int)sizeof watch.path)
		return err_sys(e, ENAMETOOLONG, "cannot open %s/crash", dir);
	watch.fd = os->open(watch.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (watch.fd < 0)
		return err_sys(e, errno, "cannot open %s", watch.path);
	end_last_line();
	watch.stack = death_stack();
	atomic_store(&watch.dying, 0);
	(void)sigemptyset(&a.sa_mask);
	for (size_t i = 0; i < N_DEADLY; i++)
		(void)sigaction(deadly[i].number, &a, &watch.before[i]);
	watch.installed = true;
	return TW_OK;
}

void death_unwatch(void)
{
	for (size_t i = 0; watch.installed && i < N_DEADLY; i++)
		(void)sigaction(deadly[i].number, &watch.before[i], NULL);
	watch.installed = false;
	death_stack_free(watch.stack);
	watch.stack = NULL;
	if (watch.fd >= 0)
		(void)os->close(watch.fd);
	watch.fd = -1;
}

/* ---- reading ---- */

static int32_t read_text(const char *path, struct buf *b, struct tw_err *e)
{
	int fd = os->open(path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd < 0)
		return errno == ENOENT ? TW_AGAIN : err_sys(e, errno, "cannot read %s", path);
	while (buf_reserve(b, 65536)) {
		n = os->read(fd, b->data + b->len, 65535);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += (size_t)n;
		if (b->len > 4u * FILE_MAX_BYTES) { /* nobody writes so much here: the newest are at the end */
			memmove(b->data, b->data + (b->len - FILE_MAX_BYTES), FILE_MAX_BYTES);
			b->len = FILE_MAX_BYTES;
		}
	}
	if (n != 0)
		err_sys(e, n < 0 ? errno : ENOMEM, "cannot read %s", path);
	(void)os->close(fd);
	if (n != 0)
		return TW_E_IO;
	b->data[b->len] = '\0';
	return TW_OK;
}

/* The newest half of it, beginning with a whole line, in the place of the file. */
static void shorten(const char *dir, const char *path, const struct buf *b)
{
	const char *from = (const char *)b->data + (b->len - FILE_KEEP_BYTES), *line = strchr(from, '\n');
	char fresh[PATH_MAX];
	size_t n;
	int fd;

	if (!line || snprintf(fresh, sizeof fresh, "%s/crash.new", dir) >= (int)sizeof fresh)
		return;
	n = strlen(line + 1);
	fd = os->open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return;
	/* Left as it is when that does not work: it is only long. */
	if (os->write(fd, line + 1, n) == (ssize_t)n && os->fsync(fd) == 0)
		(void)os->rename(fresh, path);
	(void)os->close(fd);
	(void)os->unlink(fresh);
}

static bool take(const char *line, struct death *d)
{
	char kind[16], what[8];

	*d = (struct death){ .seq = 0 };
	if (sscanf(line, "death %*s %*s %15s %*s %255s %*s %7s %" SCNu64 " %" SCNd64 " %" SCNx64, kind, d->instance,
		   what, &d->seq, &d->ts, &d->id) != 6)
		return false;
	d->timer = strcmp(what, "timer") == 0;
	return strcmp(kind, "detector") == 0 && d->seq > 0;
}

bool death_unexplained(const char *dir)
{
	char path[PATH_MAX], kind[16], *rest = NULL, *line;
	struct buf b = { 0 };
	struct tw_err e;
	bool ret = false;

	if (snprintf(path, sizeof path, "%s/crash", dir) < (int)sizeof path && read_text(path, &b, &e) == TW_OK)
		rest = (char *)b.data; /* what stands behind a zero byte is not ours */
	while (rest && (line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "settled ", 8) == 0)
			ret = false;
		else if (sscanf(line, "death %*s %*s %15s", kind) == 1 && strcmp(kind, "host") == 0)
			ret = true;
	}
	buf_free(&b);
	return ret;
}

void death_settled(void)
{
	struct line l = { .len = 0 };

	put(&l, "settled ");
	put_signed(&l, os->wall() / 1000000000);
	put(&l, "\n");
	say(&l, watch.fd);
}

int32_t deaths_read(const char *dir, struct death **ret, uint32_t *ret_n, struct tw_err *e)
{
	struct death *list = NULL, d;
	char path[PATH_MAX], *rest, *line;
	uint32_t n = 0, cap = 0;
	struct buf b = { 0 };
	int32_t rc;

	if (snprintf(path, sizeof path, "%s/crash", dir) >= (int)sizeof path)
		return err_sys(e, ENAMETOOLONG, "cannot read %s/crash", dir);
	rc = read_text(path, &b, e);
	if (rc == TW_OK && b.len > FILE_MAX_BYTES)
		shorten(dir, path, &b);
	for (size_t i = 0; rc == TW_OK && i < b.len; i++)
		b.data[i] = b.data[i] ? b.data[i] : '?';
	rest = rc == TW_OK ? (char *)b.data : NULL;
	while (rest && (line = strsep(&rest, "\n")) != NULL) {
		if (!take(line, &d))
			continue;
		if (!batch_grow((void **)&list, &cap, n + 1, sizeof *list)) {
			rc = err_set(e, TW_E_FATAL, "memory is out");
			break;
		}
		list[n++] = d;
	}
	buf_free(&b);
	if (rc < 0) {
		free(list);
		return rc;
	}
	*ret = list;
	*ret_n = n;
	return TW_OK;
}
