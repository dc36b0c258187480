/* SPDX-License-Identifier: Apache-2.0
 *
 * Loading a sink's shared object and driving it by hand; see sink_kit.h.
 */
#include "sink_kit.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static struct sink_kit *kit_of(const struct tw_host *host)
{
	return (struct sink_kit *)(uintptr_t)((const char *)host - offsetof(struct sink_kit, host));
}

static void TW_PRINTF(3, 4) kit_log(const struct tw_host *host, int32_t level, const char *fmt, ...)
{
	struct sink_kit *k = kit_of(host);
	size_t used = strlen(k->log);
	va_list ap;
	(void)level;
	va_start(ap, fmt);
	vsnprintf(k->log + used, sizeof k->log - used, fmt, ap);
	va_end(ap);
}

static const char *kit_name(const struct tw_host *host, uint32_t id)
{
	static const char *const names[] = { "", "EURUSD", "acct 17" };
	(void)host;
	return id < sizeof names / sizeof names[0] ? names[id] : "";
}

static int64_t kit_wall(const struct tw_host *host)
{
	return kit_of(host)->wall;
}

static const struct tw_option *option(const struct sink_kit *k, const char *name)
{
	for (const struct tw_option *o = k->sink->options; o && o->type != TW_T_END; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fail_msg("the sink has no option %s", name);
	return NULL;
}

/* The place of a word in "a|b|c"; -1: none of them. */
static int64_t word_index(const char *words, const char *word)
{
	size_t len = strlen(word);
	for (int64_t i = 0;; i++) {
		size_t n = strcspn(words, "|");
		if (n == len && memcmp(words, word, n) == 0)
			return i;
		if (!words[n])
			return -1;
		words += n + 1;
	}
}

void sink_kit_load(struct sink_kit *k, const char *dir, const char *name)
{
	char path[4096];

	memset(k, 0, sizeof *k);
	snprintf(path, sizeof path, "%s/%s.so", dir, name);
	k->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!k->library)
		fail_msg("%s", dlerror());
	tw_plugin_fn *fn = NULL;
	*(void **)&fn = dlsym(k->library, "tw_plugin");
	assert_non_null(fn);
	assert_int_equal(fn()->magic, TW_MAGIC);
	k->sink = fn()->sinks[0];
	assert_string_equal(k->sink->name, name);
	k->self = calloc(1, k->sink->self_size);
	assert_non_null(k->self);
	k->host = (struct tw_host){ .struct_size = sizeof k->host,
				    .abi = TW_ABI,
				    .log = kit_log,
				    .name = kit_name,
				    .wall = kit_wall,
				    .instance = "kit" };
	for (const struct tw_option *o = k->sink->options; o && o->type != TW_T_END; o++) {
		if (!o->def)
			continue;
		if (o->type == TW_T_STRING)
			sink_kit_text(k, o->name, o->def);
		else if (o->type == TW_T_BOOL)
			sink_kit_int(k, o->name, strcmp(o->def, "true") == 0);
		else if (o->type == TW_T_ENUM)
			sink_kit_int(k, o->name, word_index(o->min, o->def));
		else
			sink_kit_int(k, o->name, strtoll(o->def, NULL, 10));
	}
}

void sink_kit_free(struct sink_kit *k)
{
	free(k->self);
	dlclose(k->library);
}

void sink_kit_int(struct sink_kit *k, const char *name, int64_t value)
{
	memcpy((char *)k->self + option(k, name)->offset, &value, sizeof value);
}

void sink_kit_text(struct sink_kit *k, const char *name, const char *value)
{
	memcpy((char *)k->self + option(k, name)->offset, &value, sizeof value);
}

int32_t sink_kit_check(struct sink_kit *k)
{
	return k->sink->check ? k->sink->check(k->self, &k->err) : TW_OK;
}

int32_t sink_kit_open(struct sink_kit *k)
{
	return k->sink->open ? k->sink->open(k->self, &k->host, &k->err) : TW_OK;
}

int32_t sink_kit_write(struct sink_kit *k, const struct tw_event *events, uint32_t n)
{
	const struct tw_event **list = malloc((n ? n : 1) * sizeof *list);
	assert_non_null(list);
	for (uint32_t i = 0; i < n; i++)
		list[i] = &events[i];
	int32_t rc = k->sink->write(k->self, list, n, &k->done, &k->err);
	free(list);
	return rc;
}

int32_t sink_kit_flush(struct sink_kit *k)
{
	return k->sink->flush ? k->sink->flush(k->self, &k->err) : TW_OK;
}

void sink_kit_close(struct sink_kit *k)
{
	if (k->sink->close)
		k->sink->close(k->self);
}

struct tw_str sink_kit_str(const char *s)
{
	return (struct tw_str){ s, s ? (uint32_t)strlen(s) : 0, 0 };
}

struct tw_event sink_kit_alert(int64_t ts, uint64_t seq, const char *symbol, const char *reason)
{
	double none = (double)NAN;
	return (struct tw_event){ .struct_size = sizeof(struct tw_event),
				  .kind = TW_ALERT,
				  .ts = ts,
				  .seq = seq,
				  .alert = { .severity = TW_HIGH,
					     .score = none,
					     .p_value = none,
					     .value = none,
					     .expected = none,
					     .threshold = none,
					     .detector = sink_kit_str("spikes"),
					     .symbol = sink_kit_str(symbol),
					     .reason = sink_kit_str(reason) } };
}

void sink_kit_folder(char out[64])
{
	snprintf(out, 64, "/tmp/tapewatch-kit-XXXXXX");
	assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void sink_kit_remove(const char *folder)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

char *sink_kit_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	size_t cap = 1 << 20, n;
	char *data = malloc(cap + 1);
	assert_non_null(data);
	n = fread(data, 1, cap, f);
	data[n] = '\0';
	fclose(f);
	if (len)
		*len = n;
	return data;
}

void sink_kit_put(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

int sink_kit_redirect(const char *path)
{
	fflush(stdout);
	int saved = dup(STDOUT_FILENO);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(saved >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	close(fd);
	return saved;
}

void sink_kit_restore(int saved)
{
	dup2(saved, STDOUT_FILENO);
	close(saved);
}
