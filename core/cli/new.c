/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch new: a folder with a plugin that builds, passes its tests and runs, from the templates that are installed
 * with the headers (sdk/template here). Nothing that is there already is written over.
 */
#include "base/os.h"
#include "cli/cli.h"
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (1u << 20) /* bytes of a file of a template */
#define MAX_NAME 63u        /* what the host takes */

struct args {
	const char *dir;
	bool cpp;
};

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct args, dir), "the folder to make; default ./NAME" },
	{ "cpp", 0, CLI_FLAG, NULL, offsetof(struct args, cpp), "C++17 instead of C" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_new = {
	.name = "new",
	.summary = "begin a plugin: a folder that builds, passes its tests and runs",
	.usage = "detector|source|sink NAME [--dir DIR] [--cpp]",
	.run = run,
	.options = options,
	.more = "The folder gets the plugin in one file, in which the lines to edit are marked EDIT, a "
		"CMakeLists.txt,\n"
		"tests, case files, a pipeline to try it, and a README.md with the commands. Needs the headers and\n"
		"templates: on Debian the package libtapewatch-dev.",
};

struct job {
	const char *from, *to;   /* folders */
	const char *name, *file; /* of the plugin; its source file */
	const char *languages;   /* for CMake */
};

/* A name is that of a file, of an instance and of targets of CMake. */
static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > MAX_NAME || !((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

/* ---- finding the template ---- */

static int find_template(const char *kind, char ret[PATH_MAX])
{
	char program[PATH_MAX];
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

	if (n <= 0)
		return cli_fail(CLI_USAGE, "new", "cannot find this program's own folder: %s", strerror(errno));
	while (n > 0 && program[n - 1] != '/')
		n--;
	program[n] = '\0';
	if (snprintf(ret, PATH_MAX, "%s../share/tapewatch/template/%s", program, kind) >= PATH_MAX)
		return cli_fail(CLI_USAGE, "new", "the path of this program is too long");
	if (os->stat(ret, &st) != 0 || !S_ISDIR(st.st_mode))
		return cli_fail(CLI_USAGE, "new",
				"there is no template in %s; install the headers and templates, on Debian with "
				"`apt install libtapewatch-dev`",
				ret);
	return CLI_GO;
}

/* ---- writing ---- */

static int read_file(const char *path, struct buf *ret)
{
	int fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	while (ret->len < MAX_FILE && buf_reserve(ret, 4096) && (n = os->read(fd, ret->data + ret->len, 4096)) > 0)
		ret->len += (size_t)n;
	(void)os->close(fd);
	if (n > 0)
		errno = EFBIG;
	return n == 0 ? 0 : -1;
}

static int write_file(const char *path, const struct buf *b)
{
	/* O_EXCL: what somebody has written there meanwhile stays */
	int fd = os->open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (done < b->len && (n = os->write(fd, b->data + done, b->len - done)) > 0)
		done += (size_t)n;
	if (os->close(fd) != 0)
		n = -1;
	return n < 0 || done < b->len ? -1 : 0;
}

/* @NAME@ and the like, wherever they stand. */
static int fill_in(const struct job *j, const struct buf *text, struct buf *out)
{
	const struct {
		const char *word, *text;
	} words[] = { { "@NAME@", j->name }, { "@FILE@", j->file }, { "@LANGUAGES@", j->languages } };
	const char *s = (const char *)text->data, *end = s + text->len;

	while (s < end) {
		size_t i = 0, len = 0, n = sizeof words / sizeof *words;

		for (; i < n; i++) {
			len = strlen(words[i].word);
			if ((size_t)(end - s) >= len && memcmp(s, words[i].word, len) == 0)
				break;
		}
		if (i < n ? buf_add(out, words[i].text, strlen(words[i].text)) : buf_add(out, s, 1))
			return -1;
		s += i < n ? len : 1;
	}
	return 0;
}

/* below: "" or "/cases". NAME.c becomes the plugin's file; the others keep their names. */
static int copy_file(const struct job *j, const char *below, const char *name)
{
	const char *as = strcmp(name, "NAME.c") == 0 ? j->file : name;
	char from[PATH_MAX], to[PATH_MAX];
	struct buf text = { 0 }, out = { 0 };
	int code = CLI_GO;

	if (snprintf(from, sizeof from, "%s%s/%s", j->from, below, name) >= (int)sizeof from ||
	    snprintf(to, sizeof to, "%s%s/%s", j->to, below, as) >= (int)sizeof to)
		code = cli_fail(CLI_USAGE, "new", "the path of %s is too long", j->to);
	else if (read_file(from, &text) != 0)
		code = cli_fail(CLI_GAVE_UP, "new", "cannot read the template %s: %s", from, strerror(errno));
	else if (fill_in(j, &text, &out) != 0)
		code = cli_fail(CLI_GAVE_UP, "new", "out of memory");
	else if (write_file(to, &out) != 0)
		code = cli_fail(CLI_GAVE_UP, "new", "cannot write %s: %s", to, strerror(errno));
	else
		printf("  %s\n", to);
	buf_free(&text);
	buf_free(&out);
	return code;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int copy_folder(const struct job *j, const char *below);

static int copy_entry(const struct job *j, const char *below, const char *name)
{
	char path[PATH_MAX], sub[NAME_MAX + 2];
	struct stat st;

	if (name[0] == '.')
		return CLI_GO;
	if (snprintf(path, sizeof path, "%s%s/%s", j->from, below, name) >= (int)sizeof path ||
	    os->stat(path, &st) != 0)
		return cli_fail(CLI_GAVE_UP, "new", "cannot read the template %s", path);
	if (S_ISREG(st.st_mode))
		return copy_file(j, below, name);
	if (!S_ISDIR(st.st_mode) || *below) /* one level of folders is enough */
		return CLI_GO;
	snprintf(sub, sizeof sub, "/%s", name);
	if (snprintf(path, sizeof path, "%s%s", j->to, sub) >= (int)sizeof path || os_mkdirs(path, 0777) != 0)
		return cli_fail(CLI_GAVE_UP, "new", "cannot make %s: %s", path, strerror(errno));
	return copy_folder(j, sub);
}

static int copy_folder(const struct job *j, const char *below)
{
	char path[PATH_MAX];
	struct dirent **list = NULL;
	int code = CLI_GO, n = -1;

	if (snprintf(path, sizeof path, "%s%s", j->from, below) < (int)sizeof path)
		n = scandir(path, &list, NULL, by_name);
	if (n < 0)
		return cli_fail(CLI_GAVE_UP, "new", "cannot read the template %s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (code == CLI_GO)
			code = copy_entry(j, below, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return code;
}

/* A folder that is not there yet, or empty. */
static int make_folder(const char *path)
{
	struct dirent **list = NULL;
	int n = scandir(path, &list, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	if (n > 2) /* . and .. */
		return cli_fail(
			CLI_USAGE, "new",
			"%s is there already and not empty; name another folder with --dir. Nothing was written", path);
	if (n < 0 && (errno != ENOENT || os_mkdirs(path, 0777) != 0))
		return cli_fail(CLI_USAGE, "new", "cannot make the folder %s: %s", path, strerror(errno));
	return CLI_GO;
}

static int run(int argc, char **argv)
{
	static const char *const kinds[] = { "detector", "source", "sink" };
	char template[PATH_MAX], file[MAX_NAME + sizeof ".cc"];
	struct args a = { 0 };
	size_t kind = 0;

	int code = cli_parse(&verb_new, &argc, argv, &a, 2);
	if (code != CLI_GO)
		return code;
	if (argc < 3)
		return cli_misuse(&verb_new, "say what, and its name, as in `tapewatch new detector wide_spread`");
	while (kind < 3 && strcmp(argv[1], kinds[kind]) != 0)
		kind++;
	if (kind == 3) {
		const char *near = nearest(argv[1], kinds, 3);
		return near ? cli_misuse(&verb_new, "'%s' is none of detector, source, sink; did you mean '%s'?",
					 argv[1], near)
			    : cli_misuse(&verb_new, "'%s' is none of detector, source, sink", argv[1]);
	}
	if (!name_ok(argv[2]))
		return cli_misuse(&verb_new,
				  "'%s' cannot be a name; expected a letter, then letters, digits and _, %u at most",
				  argv[2], MAX_NAME);
	snprintf(file, sizeof file, "%s%s", argv[2], a.cpp ? ".cc" : ".c");
	struct job j = { .from = template,
			 .to = a.dir ? a.dir : argv[2],
			 .name = argv[2],
			 .file = file,
			 .languages = a.cpp ? "C CXX" : "C" };
	code = find_template(kinds[kind], template);
	if (code == CLI_GO)
		code = make_folder(j.to);
	if (code == CLI_GO)
		code = copy_folder(&j, "");
	if (code != CLI_GO)
		return code;
	printf("Build it, test it, run it:\n"
	       "  cd %s\n"
	       "  cmake -B build && cmake --build build && ctest --test-dir build\n"
	       "  TAPEWATCH_PLUGINS=build: tapewatch run -c pipeline.yaml -d data\n",
	       j.to);
	return fflush(stdout) == 0 ? CLI_OK : CLI_GAVE_UP;
}
