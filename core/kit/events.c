/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of canonical events.
 */
#include "kit/kit.h"
#include <stdlib.h>

int32_t kit_events_add(struct kit_events *l, const void *event, size_t len)
{
	if (l->n >= KIT_MAX_EVENTS)
		return TW_E_FATAL;
	if (l->n + 2 > l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		size_t *at = realloc(l->at, cap * sizeof *at);
		if (!at)
			return TW_E_FATAL;
		l->at = at;
		l->cap = cap;
	}
	if (buf_add(&l->bytes, event, len) < 0)
		return TW_E_FATAL;
	l->at[l->n++] = l->bytes.len - len;
	l->at[l->n] = l->bytes.len;
	return TW_OK;
}

const unsigned char *kit_event(const struct kit_events *l, uint32_t i, size_t *ret_len)
{
	*ret_len = l->at[i + 1] - l->at[i];
	return l->bytes.data + l->at[i];
}

void kit_events_free(struct kit_events *l)
{
	buf_free(&l->bytes);
	free(l->at);
	*l = (struct kit_events){ 0 };
}
