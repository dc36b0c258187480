/* SPDX-License-Identifier: Apache-2.0
 *
 * Symbols and accounts as small numbers: an open-addressing table for the one writer, and pages of names that never
 * move, which any thread may read.
 */
#include "event/intern.h"

#include "base/os.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

#define PAGE_NAMES   4096u
#define TEXT_BYTES   65536u
#define FIRST_SLOTS  1024u
#define SPARSE_SLOTS 32768u
#define MAX_NAMES    (1u << 28)
#define MAX_LEN      65535u

struct intern_page {
	struct {
		const char *s;
		uint32_t len;
	} name[PAGE_NAMES];
};

struct intern_text {
	struct intern_text *next;
	uint32_t used;
	char bytes[];
};

struct intern *intern_new(uint32_t max_names)
{
	if (max_names > MAX_NAMES)
		max_names = MAX_NAMES;
	struct intern *in = calloc(1, sizeof *in);
	if (!in)
		return NULL;
	in->max = max_names;
	in->mask = FIRST_SLOTS - 1;
	in->slots = calloc(FIRST_SLOTS, sizeof *in->slots);
	in->pages = calloc(max_names / PAGE_NAMES + 1, sizeof(struct intern_page *));
	if (!in->slots || !in->pages) {
		intern_free(in);
		return NULL;
	}
	/* Ids go by first sight, not by hash, so the seed changes no result; without randomness it is merely known. */
	if (os->random(in->seed, sizeof in->seed) != 0)
		memset(in->seed, 0x5a, sizeof in->seed);
	return in;
}

void intern_free(struct intern *in)
{
	if (!in)
		return;
	for (struct intern_text *t = in->texts, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	if (in->pages)
		for (uint32_t i = 0; i <= in->max / PAGE_NAMES; i++)
			free(in->pages[i]);
	free(in->pages);
	free(in->slots);
	free(in);
}

/* A small table stays nearly empty: a second look at a slot is a branch that nothing can predict, and costs more than
 * the memory. A large one grows at half full. When memory is out it fills up further and then takes no more. */
static bool grow(struct intern *in)
{
	uint64_t size = (uint64_t)in->mask + 1;
	uint32_t count = atomic_load_explicit(&in->count, memory_order_relaxed);
	if (count < (size < SPARSE_SLOTS ? size / 8 : size / 2))
		return true;
	struct intern_slot *slots = calloc(2 * size, sizeof *slots);
	if (!slots)
		return count < size / 8 * 7;
	uint64_t mask = 2 * size - 1;
	for (uint64_t i = 0; i < size; i++) {
		struct intern_slot s = in->slots[i];
		if (!s.id)
			continue;
		uint64_t at = intern_hash(in, s.a, s.b, s.len) & mask;
		while (slots[at].id)
			at = (at + 1) & mask;
		slots[at] = s;
	}
	free(in->slots);
	in->slots = slots;
	in->mask = (uint32_t)mask;
	return true;
}

static char *keep(struct intern *in, const char *s, size_t len)
{
	uint32_t need = (uint32_t)len + 1;
	if (in->text_left < need) {
		uint32_t size = need > TEXT_BYTES ? need : TEXT_BYTES;
		struct intern_text *t = malloc(sizeof *t + size);
		if (!t)
			return NULL;
		t->next = in->texts;
		t->used = 0;
		in->texts = t;
		in->text_left = size;
	}
	char *p = in->texts->bytes + in->texts->used;
	memcpy(p, s, len);
	p[len] = '\0';
	in->texts->used += need;
	in->text_left -= need;
	return p;
}

static uint32_t starve(struct intern *in)
{
	in->starved = true;
	return 0;
}

uint32_t intern_add(struct intern *in, uint64_t a, uint64_t b, const char *s, size_t len)
{
	uint32_t count = atomic_load_explicit(&in->count, memory_order_relaxed);
	if (count >= in->max)
		return 0;
	if (!grow(in))
		return starve(in);
	uint32_t id = count + 1;
	struct intern_page **page = &in->pages[id / PAGE_NAMES];
	if (!*page) {
		*page = calloc(1, sizeof **page);
		if (!*page)
			return starve(in);
	}
	const char *text = keep(in, s, len);
	if (!text)
		return starve(in);
	(*page)->name[id % PAGE_NAMES].s = text;
	(*page)->name[id % PAGE_NAMES].len = (uint32_t)len;
	uint64_t at = intern_hash(in, a, b, len);
	while (in->slots[at & in->mask].id)
		at++;
	in->slots[at & in->mask] = (struct intern_slot){ .a = a, .b = b, .id = id, .len = (uint32_t)len };
	atomic_store_explicit(&in->count, id, memory_order_release);
	return id;
}

/* The two words a name is found by. */
static void words(const struct intern *in, const char *s, size_t len, uint64_t *a, uint64_t *b)
{
	*b = 0;
	if (len <= 8) {
		*a = word_load(s, len);
	} else if (len <= 16) {
		*a = get_le64(s);
		*b = word_load(s + 8, len - 8);
	} else {
		*a = XXH3_64bits_withSeed(s, len, in->seed[0]);
	}
}

static uint32_t find(const struct intern *in, uint64_t a, uint64_t b, const char *s, size_t len)
{
	for (uint64_t at = intern_hash(in, a, b, len);; at++) {
		const struct intern_slot *slot = &in->slots[at & in->mask];
		if (!slot->id)
			return 0;
		if (slot->a != a || slot->b != b || slot->len != len)
			continue;
		if (len <= 16 || !memcmp(in->pages[slot->id / PAGE_NAMES]->name[slot->id % PAGE_NAMES].s, s, len))
			return slot->id;
	}
}

uint32_t intern_find(const struct intern *in, const char *s, size_t len)
{
	if (!len || len > MAX_LEN)
		return 0;
	uint64_t a, b;
	words(in, s, len, &a, &b);
	return find(in, a, b, s, len);
}

uint32_t intern_id(struct intern *in, const char *s, size_t len)
{
	if (!len || len > MAX_LEN)
		return 0;
	uint64_t a, b;
	words(in, s, len, &a, &b);
	uint32_t id = find(in, a, b, s, len);
	return id ? id : intern_add(in, a, b, s, len);
}

uint32_t intern_long(struct intern *in, const char *s, size_t len)
{
	return intern_id(in, s, len);
}

const char *intern_name(const struct intern *in, uint32_t id)
{
	if (!id || id > atomic_load_explicit(&in->count, memory_order_acquire))
		return "";
	return in->pages[id / PAGE_NAMES]->name[id % PAGE_NAMES].s;
}

uint32_t intern_len(const struct intern *in, uint32_t id)
{
	if (!id || id > atomic_load_explicit(&in->count, memory_order_acquire))
		return 0;
	return in->pages[id / PAGE_NAMES]->name[id % PAGE_NAMES].len;
}

uint32_t intern_count(const struct intern *in)
{
	return atomic_load_explicit(&in->count, memory_order_acquire);
}

bool intern_starved(const struct intern *in)
{
	return in->starved;
}

bool intern_full(const struct intern *in)
{
	return in->starved || intern_count(in) >= in->max;
}
