/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sorted tables: what is kept, and what is new.
 */
#include "ext/kv.h"
#include "base/err.h"
#include <stdlib.h>
#include <string.h>

struct entry {
	char *name;
	unsigned char *data; /* NULL: removed */
	uint64_t len;
};

struct entries {
	struct entry *list; /* ascending names */
	uint32_t n, cap;
};

struct kv {
	struct tw_kv pub;
	char *source;
	struct entries kept, fresh;
	uint64_t polled; /* bytes that this poll has put */
};

static struct kv *kv_of(const struct tw_kv *pub)
{
	return (struct kv *)(void *)(uintptr_t)pub;
}

/* The place of the name, or where it belongs. */
static bool find(const struct entries *t, const char *name, uint32_t *ret)
{
	uint32_t lo = 0, hi = t->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(t->list[mid].name, name);
		if (c == 0) {
			*ret = mid;
			return true;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return false;
}

static void entry_free(struct entry *e)
{
	free(e->name);
	free(e->data);
}

static void entries_free(struct entries *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		entry_free(&t->list[i]);
	free(t->list);
	*t = (struct entries){ 0 };
}

static void erase(struct entries *t, uint32_t at)
{
	if (!t->list)
		return;
	entry_free(&t->list[at]);
	t->n--;
	memmove(t->list + at, t->list + at + 1, (t->n - at) * sizeof *t->list);
}

static bool room(struct entries *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 16;
	struct entry *list;

	if (t->list && t->n < t->cap)
		return true;
	list = realloc(t->list, cap * sizeof *list);
	if (!list)
		return false;
	memset(list + t->n, 0, (cap - t->n) * sizeof *list);
	t->list = list;
	t->cap = cap;
	return true;
}

/* Takes the entry over in any case. false: memory is out. */
static bool insert(struct entries *t, struct entry e)
{
	uint32_t at;

	if (!e.name || !room(t)) {
		entry_free(&e);
		return false;
	}
	if (find(t, e.name, &at)) {
		entry_free(&t->list[at]);
	} else {
		memmove(t->list + at + 1, t->list + at, (t->n - at) * sizeof *t->list);
		t->n++;
	}
	t->list[at] = e;
	return true;
}

/* data NULL: removed */
static bool set(struct entries *t, const char *name, const void *data, uint64_t len)
{
	struct entry e = { .name = strdup(name), .data = data ? malloc(len + 1) : NULL, .len = len };

	if (data && !e.data) {
		entry_free(&e);
		return false;
	}
	if (data && len)
		memcpy(e.data, data, len);
	return insert(t, e);
}

static const struct entry *look(const struct kv *kv, const char *name)
{
	uint32_t at;

	if (find(&kv->fresh, name, &at))
		return &kv->fresh.list[at];
	return find(&kv->kept, name, &at) ? &kv->kept.list[at] : NULL;
}

/* How many there are with what is new, and their bytes. */
static uint32_t total(const struct kv *kv, uint64_t *bytes)
{
	uint32_t n = 0, at;

	*bytes = 0;
	for (uint32_t i = 0; i < kv->kept.n; i++)
		if (!find(&kv->fresh, kv->kept.list[i].name, &at)) {
			*bytes += kv->kept.list[i].len;
			n++;
		}
	for (uint32_t i = 0; i < kv->fresh.n; i++)
		if (kv->fresh.list[i].data) {
			*bytes += kv->fresh.list[i].len;
			n++;
		}
	return n;
}

static const char *bad_name(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > TW_KV_NAME)
		return "a name has 1 to 100 bytes";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return "a name has no control characters";
	return NULL;
}

static int32_t kv_get(const struct tw_kv *pub, const char *name, const void **ret, uint64_t *ret_len)
{
	const struct entry *e = look(kv_of(pub), name);

	if (!e || !e->data)
		return TW_AGAIN;
	*ret = e->data;
	*ret_len = e->len;
	return TW_OK;
}

static int32_t kv_put(const struct tw_kv *pub, const char *name, const void *value, uint64_t len, struct tw_err *err)
{
	struct kv *kv = kv_of(pub);
	const char *wrong = bad_name(name);
	const struct entry *old;
	uint64_t bytes;
	uint32_t n;

	if (wrong)
		return err_set(err, TW_E_DATA, "kv: %s", wrong);
	if (len > TW_KV_VALUE)
		return err_set(err, TW_E_DATA, "kv: value '%s' has %" PRIu64 " bytes; at most %u are kept", name, len,
			       TW_KV_VALUE);
	old = look(kv, name);
	n = total(kv, &bytes);
	if (n + !(old && old->data) > TW_KV_VALUES || bytes - (old && old->data ? old->len : 0) + len > TW_KV_BYTES)
		return err_set(err, TW_E_DATA,
			       "kv: no room for '%s' beside %u values of %" PRIu64
			       " bytes; at most %u values and %u bytes are kept: remove some",
			       name, n, bytes, TW_KV_VALUES, TW_KV_BYTES);
	if (kv->polled + len > TW_KV_BYTES)
		return err_set(err, TW_E_DATA, "kv: one poll() may put %u bytes; put less often, or return between",
			       TW_KV_BYTES);
	if (!set(&kv->fresh, name, value ? value : "", len))
		return err_set(err, TW_E_FATAL, "memory is out");
	kv->polled += len + 64;
	return TW_OK;
}

static int32_t kv_remove(const struct tw_kv *pub, const char *name, struct tw_err *err)
{
	struct kv *kv = kv_of(pub);
	const struct entry *e = look(kv, name);

	if (!e || !e->data)
		return TW_OK;
	kv->polled += 64;
	return set(&kv->fresh, name, NULL, 0) ? TW_OK : err_set(err, TW_E_FATAL, "memory is out");
}

static const char *kv_next(const struct tw_kv *pub, const char *after)
{
	const struct kv *kv = kv_of(pub);
	uint32_t i = 0, k = 0;

	if (after) {
		i = find(&kv->kept, after, &i) ? i + 1 : i;
		k = find(&kv->fresh, after, &k) ? k + 1 : k;
	}
	while (i < kv->kept.n || k < kv->fresh.n) {
		int c = i == kv->kept.n    ? 1
			: k == kv->fresh.n ? -1
					   : strcmp(kv->kept.list[i].name, kv->fresh.list[k].name);
		const struct entry *e = c < 0 ? &kv->kept.list[i] : &kv->fresh.list[k];
		if (e->data)
			return e->name;
		i += c <= 0;
		k += c >= 0;
	}
	return NULL;
}

struct kv *kv_new(const char *source)
{
	struct kv *kv = calloc(1, sizeof *kv);

	if (!kv)
		return NULL;
	kv->pub = (struct tw_kv){
		.struct_size = sizeof kv->pub, .get = kv_get, .put = kv_put, .remove = kv_remove, .next = kv_next
	};
	kv->source = strdup(source);
	if (!kv->source) {
		kv_free(kv);
		return NULL;
	}
	return kv;
}

void kv_free(struct kv *kv)
{
	if (!kv)
		return;
	entries_free(&kv->kept);
	entries_free(&kv->fresh);
	free(kv->source);
	free(kv);
}

int32_t kv_load(void *arg, const struct source_value *v, struct tw_err *err)
{
	struct kv *kv = arg;

	return set(&kv->kept, v->name, v->data, v->len) ? TW_OK : err_set(err, TW_E_FATAL, "memory is out");
}

void kv_polling(struct kv *kv)
{
	kv->polled = 0;
}

void kv_rewind(struct kv *kv)
{
	entries_free(&kv->fresh);
}

bool kv_marked(struct kv *kv, bool (*each)(void *arg, const struct source_value *), void *arg)
{
	for (uint32_t i = 0; i < kv->fresh.n; i++) {
		const struct entry *e = &kv->fresh.list[i];
		struct source_value v = { .source = kv->source, .name = e->name, .data = e->data, .len = e->len };
		if (!each(arg, &v))
			return false;
	}
	for (uint32_t i = 0; i < kv->fresh.n; i++) {
		struct entry e = kv->fresh.list[i];
		uint32_t at;
		kv->fresh.list[i] = (struct entry){ 0 };
		if (!e.data) {
			if (find(&kv->kept, e.name, &at))
				erase(&kv->kept, at);
			entry_free(&e);
		} else if (!insert(&kv->kept, e)) {
			return false;
		}
	}
	entries_free(&kv->fresh);
	return true;
}
