/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch reload: check the configuration of a run, have the run take it up, and tell what came of it.
 */
#include "base/os.h"
#include "cli/pipeline.h"
#include "run/outcome.h"
#include "state/holder.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS   30000000000LL
#define LOOK_EVERY_MS 10

struct reload_args {
	struct cli_texts config;
	const char *dir;
};

static const struct cli_option options[] = {
	{ "config", 'c', CLI_TEXTS, "PATH", offsetof(struct reload_args, config),
	  "must be what the run was started with, which is the default" },
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct reload_args, dir),
	  "folder of the store; default ./tapewatch-data" },
	CLI_END,
};

struct asking {
	const char *dir;
	struct holder holder;
	struct outcome outcome; /* the last answer there is */
	struct arena texts;
	int64_t deadline;
};

/* The next answer of this process after number `after`; -1: any. CLI_GO, or an exit code. */
static int await(struct asking *a, int64_t after, const char *what)
{
	struct tw_err e = { 0 };

	for (;;) {
		struct outcome o;
		int32_t rc;
		arena_reset(&a->texts);
		rc = outcome_read(a->dir, &o, &a->texts, &e);
		if (rc < 0)
			return cli_fail(CLI_STORE, "reload", "%s", e.msg);
		if (rc == TW_OK && o.pid == a->holder.pid && (int64_t)o.generation > after) {
			a->outcome = o;
			return CLI_GO;
		}
		if (holder_wait(&a->holder, LOOK_EVERY_MS) == TW_OK)
			return cli_fail(CLI_STORE, "reload", "process %d has ended; its log says why", a->holder.pid);
		if (os->mono() >= a->deadline)
			return cli_fail(CLI_STORE, "reload", "process %d %s", a->holder.pid, what);
	}
}

/* ---- the same configuration, as that process sees it ---- */

/* ${env:} and TAPEWATCH_PLUGINS mean what they mean there. Without the right to read it ours has to do. */
static void take_environment(int pid)
{
	char path[64];
	struct buf b = { 0 };
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	fd = os->open(path, O_RDONLY, 0);
	if (fd < 0)
		return;
	while (b.len < (1u << 22) && buf_reserve(&b, 65537) && (n = os->read(fd, b.data + b.len, 65536)) > 0)
		b.len += (size_t)n;
	(void)os->close(fd);
	if (n == 0 && b.len) {
		b.data[b.len] = '\0';
		for (char *s = (char *)b.data, *end = s + b.len; s < end;) {
			size_t len = strlen(s);
			char *is = strchr(s, '=');
			if (is && is != s) {
				*is = '\0';
				(void)setenv(s, is + 1, 1);
			}
			s += len + 1;
		}
	}
	buf_free(&b);
}

static const char *absolute(const char *path, struct arena *a)
{
	char real[PATH_MAX];

	return realpath(path, real) ? arena_text(a, real, strlen(real)) : NULL;
}

static bool same_paths(const struct cli_texts *given, const char *const *theirs, uint32_t n, struct arena *a)
{
	if (given->n != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const char *other = absolute(theirs[i], a);
		if (!other || strcmp(given->items[i], other) != 0)
			return false;
	}
	return true;
}

static int check(const struct asking *a, const struct cli_texts *given, struct arena *paths)
{
	const struct outcome *o = &a->outcome;
	struct cli_texts theirs = { .n = 0 };
	struct cli_plan plan;
	int code;

	if (o->cwd && chdir(o->cwd) != 0)
		return cli_fail(CLI_USAGE, "reload", "cannot go to %s, where process %d reads its configuration",
				o->cwd, a->holder.pid);
	if (given->n && !same_paths(given, o->paths, o->n_paths, paths))
		return cli_fail(CLI_USAGE, "reload",
				"process %d was started with another configuration (-c %s%s) and a reload reads that "
				"again; leave "
				"out -c, or start `tapewatch run --takeover` with yours",
				a->holder.pid, o->n_paths ? o->paths[0] : "?", o->n_paths > 1 ? " ..." : "");
	take_environment(a->holder.pid);
	for (; theirs.n < o->n_paths && theirs.n < CLI_MAX_TEXTS; theirs.n++)
		theirs.items[theirs.n] = o->paths[theirs.n];
	code = cli_plan(&plan, &theirs, "reload");
	cli_plan_free(&plan);
	if (code != CLI_GO)
		cli_fail(code, "reload", "process %d was not asked; its old configuration runs on", a->holder.pid);
	return code;
}

/* ---- asking ---- */

static int ask(struct asking *a)
{
	static const int codes[] = { CLI_STORE, CLI_OK, CLI_USAGE, CLI_USAGE };
	int64_t before = (int64_t)a->outcome.generation;
	struct buf out = { 0 };
	struct tw_err e;
	int code;

	if (holder_signal(&a->holder, SIGHUP, &e) < 0)
		return cli_fail(CLI_STORE, "reload", "%s", e.msg);
	code = await(a, before,
		     "has not answered within 30 s: it goes on and may still do it, its log says what it waits for "
		     "(a sink or source that does not return, a full disk)");
	if (code != CLI_GO)
		return code;
	code = codes[a->outcome.word];
	if (code != CLI_OK) {
		fprintf(stderr, "%s", a->outcome.text);
		return code;
	}
	if (buf_add(&out, a->outcome.text, strlen(a->outcome.text)) != 0 || !cli_write(&out, "reload", &code))
		code = code == CLI_OK ? CLI_OK : CLI_GAVE_UP;
	buf_free(&out);
	return code;
}

static int reload(int argc, char **argv)
{
	struct reload_args args = { .dir = CLI_DEFAULT_DIR };
	struct asking a = { .holder = { .fd = -1 }, .deadline = os->mono() + PATIENCE_NS };
	struct arena paths = { 0 };
	struct tw_err e = { 0 };
	int code = cli_parse(&verb_reload, &argc, argv, &args, 0);
	int32_t rc;

	if (code != CLI_GO)
		return code;
	a.dir = absolute(args.dir, &paths);
	rc = a.dir ? holder_find(a.dir, &a.holder, &e) : TW_AGAIN;
	if (rc < 0)
		code = cli_fail(CLI_STORE, "reload", "%s", e.msg);
	else if (rc == TW_AGAIN)
		code = cli_fail(CLI_STORE, "reload", "no process runs on %s; -d names the folder of the run", args.dir);
	for (uint32_t i = 0; code == CLI_GO && i < args.config.n; i++) {
		const char *path = absolute(args.config.items[i], &paths);
		if (!path)
			code = cli_fail(CLI_USAGE, "reload", "cannot find %s", args.config.items[i]);
		args.config.items[i] = path;
	}
	if (code == CLI_GO)
		code = await(&a, -1,
			     "offers no reload: it is still catching up with its tape, or it runs a demo or a replay");
	if (code == CLI_GO)
		code = check(&a, &args.config, &paths);
	if (code == CLI_GO)
		code = ask(&a);
	holder_close(&a.holder);
	arena_free(&a.texts);
	arena_free(&paths);
	return code;
}

const struct verb verb_reload = {
	"reload",
	"have a run take up its changed configuration",
	"[-d DIR] [-c PATH]...",
	reload,
	options,
	"Checks the files that the run was started with, asks the run to read them again, and prints "
	"what is different. A configuration with mistakes leaves the old one running: exit code 2. Sources "
	"and sinks that did not change stay open, detectors keep their state by name. The same as SIGHUP."
};
