/* SPDX-License-Identifier: Apache-2.0
 *
 * The records inside a block: packing them and walking over them. Walking never leaves the block, whatever its bytes.
 */
#include "event/event.h"
#include "state/store_impl.h"
#include <string.h>

bool tape_record(const struct block *b, size_t *at, uint16_t *source, const unsigned char **event, size_t *len)
{
	uint16_t head[2];

	if (*at > b->len || b->len - *at < sizeof head)
		return false;
	memcpy(head, b->bytes + *at, sizeof head);
	if (b->len - *at - sizeof head < head[1])
		return false;
	*source = head[0];
	*event = b->bytes + *at + sizeof head;
	*len = head[1];
	*at += sizeof head + head[1];
	return true;
}

bool alert_record(const struct block *b, size_t *at, const unsigned char **event, size_t *len)
{
	uint32_t n;

	if (*at > b->len || b->len - *at < sizeof n)
		return false;
	memcpy(&n, b->bytes + *at, sizeof n);
	if (b->len - *at - sizeof n < n)
		return false;
	*event = b->bytes + *at + sizeof n;
	*len = n;
	*at += sizeof n + n;
	return true;
}

/* A dead letter is u32 length, i64 wall, u64 seq, then five texts, each u32 length and its bytes. */
#define DEAD_HEAD  20u
#define DEAD_TEXTS 5u

bool dead_record(const struct block *b, size_t *at, struct dead_letter *ret)
{
	struct dead_letter d = { 0 };
	struct tw_str *const texts[DEAD_TEXTS] = { &d.source, &d.reason, &d.where, &d.detail, &d.raw };
	const unsigned char *p, *end;
	uint32_t n;

	if (*at > b->len || b->len - *at < DEAD_HEAD)
		return false;
	p = b->bytes + *at;
	memcpy(&n, p, sizeof n);
	if (n < DEAD_HEAD - sizeof n || b->len - *at - sizeof n < n)
		return false;
	end = p + sizeof n + n;
	memcpy(&d.wall, p + 4, 8);
	memcpy(&d.seq, p + 12, 8);
	p += DEAD_HEAD;
	for (uint32_t i = 0; i < DEAD_TEXTS; i++) {
		uint32_t len;

		if ((size_t)(end - p) < sizeof len)
			return false;
		memcpy(&len, p, sizeof len);
		p += sizeof len;
		if ((size_t)(end - p) < len)
			return false;
		texts[i]->s = (const char *)p;
		texts[i]->len = len;
		p += len;
	}
	if (p != end)
		return false;
	*at = (size_t)(end - b->bytes);
	*ret = d;
	return true;
}

int tape_add(struct buf *b, uint16_t source, const unsigned char *event, size_t len)
{
	uint16_t head[2] = { source, (uint16_t)len };
	unsigned char *p;

	if (len > EVENT_MAX_BYTES)
		return -1;
	p = buf_reserve(b, sizeof head + len);
	if (!p)
		return -1;
	memcpy(p, head, sizeof head);
	memcpy(p + sizeof head, event, len);
	b->len += sizeof head + len;
	return 0;
}

int alert_add(struct buf *b, const unsigned char *event, size_t len)
{
	uint32_t n = (uint32_t)len;
	unsigned char *p;

	if (len > EVENT_MAX_BYTES)
		return -1;
	p = buf_reserve(b, sizeof n + len);
	if (!p)
		return -1;
	memcpy(p, &n, sizeof n);
	memcpy(p + sizeof n, event, len);
	b->len += sizeof n + len;
	return 0;
}

int dead_add(struct buf *b, const struct dead_letter *d)
{
	const struct tw_str *const texts[DEAD_TEXTS] = { &d->source, &d->reason, &d->where, &d->detail, &d->raw };
	uint32_t lens[DEAD_TEXTS], n = DEAD_HEAD - 4;
	unsigned char *p;

	for (uint32_t i = 0; i < DEAD_TEXTS; i++) {
		uint32_t most = i + 1 == DEAD_TEXTS ? DEAD_RAW : DEAD_TEXT;

		lens[i] = !texts[i]->s ? 0 : texts[i]->len > most ? most : texts[i]->len;
		n += 4 + lens[i];
	}
	p = buf_reserve(b, 4 + (size_t)n);
	if (!p)
		return -1;
	memcpy(p, &n, 4);
	memcpy(p + 4, &d->wall, 8);
	memcpy(p + 12, &d->seq, 8);
	p += DEAD_HEAD;
	for (uint32_t i = 0; i < DEAD_TEXTS; i++) {
		memcpy(p, &lens[i], 4);
		if (lens[i])
			memcpy(p + 4, texts[i]->s, lens[i]);
		p += 4 + lens[i];
	}
	b->len += 4 + (size_t)n;
	return 0;
}
