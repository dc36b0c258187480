/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of every kind of plugin: what it exports, how its options are documented, and that it can be started and
 * stopped for ever.
 */
#include "base/err.h"
#include "base/os.h"
#include "ext/ext.h"
#include "kit/conform.h"
#include <dirent.h>
#include <elf.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTS    10000u
#define WARM      200u        /* more of them before anything is measured */
#define WARM_SLOW 10u         /* the same for one that takes its time */
#define LOOK      500u        /* of them between two looks at what is left */
#define LEAK      (64u << 10) /* bytes that all starts together may leave behind */
/* The sanitizer keeps freed memory back, on purpose. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_FREED true
#endif
#endif
#ifndef KEEPS_FREED
#define KEEPS_FREED false
#endif
#define GROWTH (8u << 20) /* the same for the process as a whole */

enum conform_result conform_plan(const struct conform *c, enum plugin_kind kind, struct kit_plan *p, struct buf *why)
{
	int32_t rc = kit_plan_make(p, kind, c->file, c->options, why);

	if (rc == TW_OK)
		return CONFORM_OK;
	kit_plan_free(p);
	if (!c->options || !*c->options) {
		(void)buf_addf(why, "it needs options to run: give them with --options");
		return CONFORM_SKIP;
	}
	return CONFORM_FAIL;
}

/* ---- symbols ---- */

static void *read_whole(const char *file, size_t *ret_len)
{
	FILE *f = fopen(file, "re");
	struct buf all = { 0 };
	size_t n = 0;

	while (f && all.len < (256u << 20) && buf_reserve(&all, 1u << 20) &&
	       (n = fread(all.data + all.len, 1, 1u << 20, f)) > 0)
		all.len += n;
	if (f)
		(void)fclose(f);
	*ret_len = all.len;
	return all.data;
}

static const Elf64_Shdr *section_at(const unsigned char *p, size_t len, uint32_t i)
{
	const Elf64_Ehdr *h = (const void *)p;
	uint64_t at = h->e_shoff + (uint64_t)i * sizeof(Elf64_Shdr);

	return i < h->e_shnum && at % 8 == 0 && at + sizeof(Elf64_Shdr) <= len ? (const void *)(p + at) : NULL;
}

int32_t conform_symbols(const char *file, struct buf *out, uint32_t *ret_n, struct tw_err *e)
{
	size_t len;
	unsigned char *p = read_whole(file, &len);
	const Elf64_Shdr *s, *names;
	uint32_t found = 0;
	int32_t rc = err_set(e, TW_E_DATA, "%s has no table of dynamic symbols", file);

	for (uint32_t i = 0; p && len > sizeof(Elf64_Ehdr) && (s = section_at(p, len, i)) != NULL; i++) {
		if (s->sh_type != SHT_DYNSYM || s->sh_offset > len || s->sh_size > len - s->sh_offset)
			continue;
		names = section_at(p, len, s->sh_link);
		if (!names || names->sh_offset > len || names->sh_size > len - names->sh_offset || !names->sh_size ||
		    p[names->sh_offset + names->sh_size - 1])
			break;
		rc = TW_OK;
		for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= s->sh_size; at += sizeof(Elf64_Sym)) {
			Elf64_Sym y;
			memcpy(&y, p + s->sh_offset + at, sizeof y);
			if (y.st_shndx == SHN_UNDEF || ELF64_ST_BIND(y.st_info) == STB_LOCAL ||
			    ELF64_ST_VISIBILITY(y.st_other) == STV_HIDDEN || y.st_name >= names->sh_size)
				continue;
			found++;
			(void)buf_addf(out, "%s%s", found > 1 ? ", " : "",
				       (const char *)p + names->sh_offset + y.st_name);
		}
	}
	free(p);
	*ret_n = found;
	return rc;
}

static enum conform_result check_symbols(const struct conform *c, struct buf *why)
{
	struct buf names = { 0 };
	struct tw_err e = { 0 };
	uint32_t n = 0;

	if (conform_symbols(c->file, &names, &n, &e) != TW_OK) {
		(void)buf_addf(why, "%s", e.msg);
		return CONFORM_FAIL;
	}
	if (n == 1 && names.len == 9 && !memcmp(names.data, "tw_plugin", 9))
		return CONFORM_OK;
	(void)buf_addf(
		why,
		"it exports %u symbols: %.*s. Expected tw_plugin alone: build with -fvisibility=hidden, and in C++ "
		"also with -fvisibility-inlines-hidden",
		n, (int)(names.len < 400 ? names.len : 400), (const char *)names.data);
	return CONFORM_FAIL;
}

/* ---- options ---- */

static const struct plugin *any_plugin(const struct conform *c, struct kit_plan *p)
{
	struct tw_err e;
	struct buf text = { 0 };

	for (int kind = 0; kind < PLUGIN_KINDS; kind++) {
		const struct plugin *found;
		text.len = 0;
		(void)kit_plan_make(p, (enum plugin_kind)kind, c->file, c->options, &text);
		found = p->plugins ? plugins_get(p->plugins, (enum plugin_kind)kind, p->name, &e) : NULL;
		if (found) {
			buf_free(&text);
			return found;
		}
		kit_plan_free(p);
	}
	buf_free(&text);
	return NULL;
}

static struct tw_option row_of(const struct plugin *p, uint32_t i)
{
	struct tw_option row = { 0 };
	size_t size = p->option_size < sizeof row ? p->option_size : sizeof row;

	memcpy(&row, (const char *)p->options + (size_t)i * p->option_size, size);
	return row;
}

static bool has_range(uint32_t type)
{
	return type == TW_T_INT || type == TW_T_FLOAT || type == TW_T_DURATION || type == TW_T_SIZE;
}

static enum conform_result check_documented(const struct conform *c, struct buf *why)
{
	struct kit_plan plan;
	const struct plugin *p = any_plugin(c, &plan);
	uint32_t bad = 0;

	for (uint32_t i = 0; p && p->options; i++) {
		struct tw_option o = row_of(p, i);
		if (o.type == TW_T_END)
			break;
		if (!o.help || strlen(o.help) < 8) {
			(void)buf_addf(why, "option '%s' has no help; say what it means, and in which unit\n", o.name);
			bad++;
		}
	}
	if (p && strlen(p->summary) < 10) {
		(void)buf_addf(why, "the summary '%s' does not say what it does\n", p->summary);
		bad++;
	}
	if (p && !*p->doc) {
		(void)buf_addf(why, "there is no .doc: say what it does, how, and where that is from\n");
		bad++;
	}
	kit_plan_free(&plan);
	return bad ? CONFORM_FAIL : CONFORM_OK;
}

/* Every end of every range is taken, or refused with a sentence. */
static enum conform_result check_ends(const struct conform *c, struct buf *why)
{
	struct kit_plan plan;
	const struct plugin *p = any_plugin(c, &plan);
	uint32_t bad = 0, tried = 0;

	for (uint32_t i = 0; p && p->options; i++) {
		struct tw_option o = row_of(p, i);
		if (o.type == TW_T_END)
			break;
		if (!has_range(o.type) || (c->options && strstr(c->options, o.name)))
			continue;
		for (int end = 0; end < 2; end++) {
			struct buf options = { 0 }, text = { 0 };
			struct kit_plan one;
			const char *value = end ? o.max : o.min;
			if (!value)
				continue;
			(void)buf_addf(&options, "%s\n%s: %s", c->options ? c->options : "", o.name, value);
			(void)buf_add(&options, "", 1);
			if (kit_plan_make(&one, p->kind, c->file, (const char *)options.data, &text) != TW_OK &&
			    text.len < 2) {
				(void)buf_addf(why, "%s: %s is refused without a sentence\n", o.name, value);
				bad++;
			}
			tried++;
			kit_plan_free(&one);
			buf_free(&options);
			buf_free(&text);
		}
	}
	kit_plan_free(&plan);
	if (!tried && !bad)
		(void)buf_addf(why, "no option has a range, or all are given");
	return bad ? CONFORM_FAIL : tried ? CONFORM_OK : CONFORM_SKIP;
}

/* ---- starting and stopping ---- */

static void quiet_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	(void)h, (void)level, (void)fmt;
}
static const char *no_name(const struct tw_host *h, uint32_t id)
{
	(void)h, (void)id;
	return "";
}
static int64_t still_wall(const struct tw_host *h)
{
	(void)h;
	return KIT_START;
}

struct starting {
	struct tw_host host;
	struct ext *ext; /* another for every start, as in the host */
};

static const void *find_extension(const struct tw_host *h, const char *id)
{
	return ext_find(((const struct starting *)(const void *)h)->ext, id);
}

static uint32_t entries(const char *folder)
{
	DIR *d = opendir(folder);
	uint32_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n;
}

static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	uint64_t size = 0, pages = 0;

	if (f) {
		if (fscanf(f, "%" SCNu64 " %" SCNu64, &size, &pages) != 2)
			pages = 0;
		(void)fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct measured {
	uint64_t allocated, resident;
	uint32_t files, threads;
};

static struct measured measure(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct measured){ .allocated = m.uordblks + m.hblkhd,
				  .resident = resident(),
				  .files = entries("/proc/self/fd"),
				  .threads = entries("/proc/self/task") };
}

static int32_t call_both(struct kit_plan *p, void *self, const struct tw_host *host, struct tw_err *e)
{
	const struct plugin *g = p->plugin;
	int32_t rc = TW_OK;

	memcpy(self, p->pristine, g->self_size);
	if (g->kind == PLUGIN_DETECTOR && g->detector.open)
		rc = g->detector.open(self, host, e);
	else if (g->kind == PLUGIN_SOURCE && g->source.open)
		rc = g->source.open(self, host, NULL, e);
	else if (g->kind == PLUGIN_SINK && g->sink.open)
		rc = g->sink.open(self, host, e);
	if (rc < 0)
		return rc;
	if (g->kind == PLUGIN_DETECTOR && g->detector.close)
		g->detector.close(self);
	else if (g->kind == PLUGIN_SOURCE && g->source.close)
		g->source.close(self);
	else if (g->kind == PLUGIN_SINK && g->sink.close)
		g->sink.close(self);
	return TW_OK;
}

static int32_t start_stop(struct kit_plan *p, void *self, struct starting *at, struct tw_err *e)
{
	int32_t rc;

	at->ext = ext_new(NULL, p->kind, p->plugin->name, p->node->name);
	if (!at->ext)
		return err_set(e, TW_E_FATAL, "memory is out");
	rc = call_both(p, self, &at->host, e);
	ext_free(at->ext);
	return rc;
}

enum conform_result conform_start_stop(const struct conform *c, enum plugin_kind kind, struct buf *why)
{
	struct starting at = { .host = { .struct_size = sizeof at.host,
					 .abi = TW_ABI,
					 .log = quiet_log,
					 .name = no_name,
					 .wall = still_wall,
					 .extension = find_extension,
					 .instance = "test" } };
	struct measured a = { 0 }, b;
	uint32_t starts = 1, first = 0;
	int64_t begun = os->mono();
	struct tw_err e = { 0 };
	struct kit_plan p;
	void *self;
	enum conform_result r = conform_plan(c, kind, &p, why);

	if (r != CONFORM_OK)
		return r;
	self = calloc(1, p.plugin->self_size + 1u);
	if (!self) {
		kit_plan_free(&p);
		(void)buf_addf(why, "memory is out");
		return CONFORM_SKIP;
	}
	for (uint32_t i = 0; i < STARTS + WARM; i++) {
		if (i == WARM_SLOW || i == WARM) {
			a = measure();
			first = i;
		}
		if (start_stop(&p, self, &at, &e) < 0) {
			(void)buf_addf(why, "start %u failed: %s\n", i + 1, e.msg[0] ? e.msg : "no reason given");
			free(self);
			kit_plan_free(&p);
			return i || c->options ? CONFORM_FAIL : CONFORM_SKIP;
		}
		starts = i < first || !first ? 1 : i + 1 - first;
		if (i >= WARM_SLOW && os->mono() - begun > c->timeout / 2) /* one that starts a process, say */
			break;
		if (starts % LOOK == LOOK - 1) { /* before files or threads are out */
			b = measure();
			if (b.files > a.files + LOOK / 2 || b.threads > a.threads + LOOK / 2)
				break;
		}
	}
	b = measure();
	if (b.allocated > a.allocated + LEAK)
		(void)buf_addf(why, "%u starts left %" PRIu64 " bytes behind, about %" PRIu64 " each\n", starts,
			       b.allocated - a.allocated, (b.allocated - a.allocated) / starts);
	else if (!KEEPS_FREED && b.resident > a.resident + GROWTH)
		(void)buf_addf(why, "%u starts made the process %" PRIu64 " bytes larger\n", starts,
			       b.resident - a.resident);
	if (b.files > a.files)
		(void)buf_addf(why, "%u starts left %u open files behind\n", starts, b.files - a.files);
	if (b.threads > a.threads)
		(void)buf_addf(why, "%u starts left %u threads behind\n", starts, b.threads - a.threads);
	free(self);
	kit_plan_free(&p);
	if (why->len)
		return CONFORM_FAIL;
	if (starts < STARTS)
		(void)buf_addf(why, "only %u of them: that was half the time it has", starts);
	return CONFORM_OK;
}

const struct conform_row conform_common[] = { { "one exported symbol", check_symbols, true, false },
					      { "options and purpose are documented", check_documented, true, false },
					      { "the ends of every range are taken, or refused with a sentence",
						check_ends, true, false },
					      { NULL, NULL, true, false } };
