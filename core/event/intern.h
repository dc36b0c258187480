/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the intern table, for the decoder: a name of up to 16 bytes is compared as two words and costs no
 * call. Everybody else uses event.h.
 */
#ifndef EVENT_INTERN_H
#define EVENT_INTERN_H

#include "event/event.h"
#include "event/wire.h"

struct intern_slot {
	uint64_t a, b; /* up to 16 bytes: the name itself; beyond: its hash and 0 */
	uint32_t id, len;
};

struct intern {
	struct intern_slot *slots;
	uint64_t seed[2]; /* names come from outside: nobody shall choose where they land */
	uint32_t mask, max;
	struct intern_page **pages;
	_Atomic uint32_t count; /* published last: a reader that sees an id sees its name */
	bool starved; /* memory was out once */
	struct intern_text *texts;
	uint32_t text_left;
};

uint32_t intern_add(struct intern *, uint64_t a, uint64_t b, const char *s, size_t len);
uint32_t intern_long(struct intern *, const char *s, size_t len);

__extension__ typedef unsigned __int128 intern_wide;

static inline uint64_t intern_hash(const struct intern *in, uint64_t a, uint64_t b, size_t len)
{
	intern_wide w = (intern_wide)(a ^ in->seed[0]) * ((b ^ in->seed[1]) + len);
	return (uint64_t)w ^ (uint64_t)(w >> 64);
}

static inline uint32_t intern_short(struct intern *in, uint64_t a, uint64_t b, const char *s, size_t len)
{
	uint64_t at = intern_hash(in, a, b, len);
	for (;; at++) {
		const struct intern_slot *slot = &in->slots[at & in->mask];
		if (slot->a == a && slot->b == b && slot->len == len)
			return slot->id;
		if (!slot->id)
			return intern_add(in, a, b, s, len);
	}
}

/* A name inside an event: at least 8 bytes of the event stand before its end. */
static inline uint32_t intern_wire(struct intern *in, const char *s, size_t len)
{
	if (len - 1 < 8)
		return intern_short(in, word_before(s + len, len), 0, s, len);
	if (len - 1 < 16)
		return intern_short(in, get_le64(s), word_before(s + len, len - 8), s, len);
	return len ? intern_long(in, s, len) : 0;
}

#endif
