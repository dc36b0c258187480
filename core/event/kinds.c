/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of kinds and fields, for everything that is not in a hurry: JSON, columns, documentation, foreign maps.
 */
#include "event/wire.h"

#define WORD_NAME(number, text) [number] = text,
#define WORD_TABLE(E)           static const char *const words_##E[] = { ENUM_##E(WORD_NAME) };
ENUM_LISTS(WORD_TABLE)

#define N_WORDS(E)    (uint32_t)(sizeof words_##E / sizeof *words_##E)
#define WORDS_NAME(E) NULL, 0
#define WORDS_TEXT(E) NULL, 0
#define WORDS_ENUM(E) words_##E, N_WORDS(E)

#define AT(K, N)                 (uint32_t) offsetof(struct tw_event, K.N)
#define FIELD_NUMBER(K, T, N, F) { #N, FIELD_##T, AT(K, N), NULL, 0, F },
#define FIELD_TEXTS(K, T, N, E)  { #N, FIELD_##T, AT(K, N), WORDS_##T(E), 0 },
#define FIELD_TAIL(K, T, N)      { #N, FIELD_##T, AT(K, N), NULL, 0, 0 },
#define FIELD_TABLE(K, BIT, MAP, FIRST)                                                                                \
	static const struct field fields_##K[] = { NUMBERS_##K(FIELD_NUMBER) TEXTS_##K(FIELD_TEXTS)                    \
							   TAIL_##K(FIELD_TAIL) };                                     \
	_Static_assert(N_NUMBERS(K) <= EVENT_MAX_NUMBERS && N_TEXTS(K) <= EVENT_MAX_TEXTS, "limits of " #K);
EVENT_SCHEMA(FIELD_TABLE)

#define KIND_SIZE(K)                 ((offsetof(struct tw_event, K) + sizeof(struct tw_##K) + 15) / 16 * 16)
#define KIND_ROW(K, BIT, MAP, FIRST) { #K, BIT, sizeof fields_##K / sizeof *fields_##K, KIND_SIZE(K), fields_##K },
const struct kind event_kinds[EVENT_KINDS] = { EVENT_SCHEMA(KIND_ROW) };

#define KIND_PLACE(K, BIT, MAP, FIRST) _Static_assert(BIT == 1 << KIND_##K, "kinds stand in the order of their bits");
EVENT_SCHEMA(KIND_PLACE)
_Static_assert((int)KIND_END == (int)EVENT_KINDS, "all kinds");

#define COUNT_ROW(K, BIT, MAP, FIRST) { N_NUMBERS(K), N_TEXTS(K) },
static const struct {
	uint8_t numbers, texts;
} counts[EVENT_KINDS] = { EVENT_SCHEMA(COUNT_ROW) };

const struct kind *kind_of(uint32_t bit)
{
	if (!bit || (bit & (bit - 1)) || bit > TW_ANY)
		return NULL;
	return &event_kinds[__builtin_ctz(bit)];
}

const struct kind *kind_named(const char *name, size_t len)
{
	for (uint32_t i = 0; i < EVENT_KINDS; i++)
		if (strlen(event_kinds[i].name) == len && !memcmp(event_kinds[i].name, name, len))
			return &event_kinds[i];
	return NULL;
}

const struct field *field_named(const struct kind *k, const char *name, size_t len)
{
	for (uint32_t i = 0; i < k->n_fields; i++)
		if (strlen(k->fields[i].name) == len && !memcmp(k->fields[i].name, name, len))
			return &k->fields[i];
	return NULL;
}

uint32_t kind_numbers(const struct kind *k)
{
	return counts[k - event_kinds].numbers;
}

uint32_t kind_texts(const struct kind *k)
{
	return counts[k - event_kinds].texts;
}
