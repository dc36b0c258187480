/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a plain, gzip or zstd file, told apart by their first bytes, and the lines in them. Memory is bounded: a
 * line longer than LINE_MAX_BYTES is reported and then read past. Behind the text there are always PAD_BYTES zeros, so
 * that a parser may load eight bytes anywhere.
 */
#include "csv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_BYTES (128u << 10)

static ssize_t source_read(struct reader *r, void *to, size_t n)
{
	ssize_t got;

	if (r->fd < 0) {
		size_t left = r->mem_len - r->mem_at;

		if (n > left)
			n = left;
		if (n)
			memcpy(to, r->mem + r->mem_at, n);
		r->mem_at += n;
		return (ssize_t)n;
	}
	do
		got = read(r->fd, to, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* More packed bytes behind those not used yet. false: there are none. */
static bool fill_in(struct reader *r)
{
	ssize_t got;

	if (r->in_pos > 0) {
		memmove(r->in, r->in + r->in_pos, r->in_end - r->in_pos);
		r->in_end -= r->in_pos;
		r->in_pos = 0;
	}
	got = source_read(r, r->in + r->in_end, r->in_cap - r->in_end);
	if (got < 0) {
		r->fault = LINE_IO;
		r->error = errno;
	}
	if (got <= 0)
		return false;
	r->in_end += (size_t)got;
	r->bytes_in += (uint64_t)got;
	return true;
}

static size_t fill_gzip(struct reader *r, char *to, size_t room)
{
	size_t done = 0;

	while (done == 0 && r->fault == LINE_OK) {
		int rc;

		if (r->in_pos == r->in_end && !fill_in(r)) {
			if (r->packed_open && r->fault == LINE_OK)
				r->fault = LINE_TRUNCATED;
			break;
		}
		if (!r->packed_open) { /* behind a member: another one, or padding that gzip(1) also ignores */
			if (r->in_end - r->in_pos < 2 && !fill_in(r))
				break;
			if (r->in[r->in_pos] != 0x1f || r->in[r->in_pos + 1] != 0x8b || inflateReset(&r->gz) != Z_OK)
				break;
			r->packed_open = true;
		}
		r->gz.next_in = r->in + r->in_pos;
		r->gz.avail_in = (unsigned)(r->in_end - r->in_pos);
		r->gz.next_out = (unsigned char *)to;
		r->gz.avail_out = (unsigned)room;
		rc = inflate(&r->gz, Z_NO_FLUSH);
		r->in_pos = r->in_end - r->gz.avail_in;
		done = room - r->gz.avail_out;
		if (rc == Z_STREAM_END)
			r->packed_open = false;
		else if (rc != Z_OK && rc != Z_BUF_ERROR)
			r->fault = LINE_DAMAGED;
	}
	return done;
}

static size_t fill_zstd(struct reader *r, char *to, size_t room)
{
	ZSTD_outBuffer out = { to, room, 0 };

	while (out.pos == 0 && r->fault == LINE_OK) {
		ZSTD_inBuffer in;
		size_t rc;

		if (r->in_pos == r->in_end && !fill_in(r)) {
			if (r->packed_open && r->fault == LINE_OK)
				r->fault = LINE_TRUNCATED;
			break;
		}
		in = (ZSTD_inBuffer){ r->in, r->in_end, r->in_pos };
		rc = ZSTD_decompressStream(r->zs, &out, &in);
		r->in_pos = in.pos;
		if (ZSTD_isError(rc))
			r->fault = LINE_DAMAGED;
		else
			r->packed_open = rc != 0;
	}
	return out.pos;
}

/* Room for at least half a buffer behind the text. What was read is dropped, but for the tail a position needs. */
static bool make_room(struct reader *r)
{
	size_t keep = r->pos < TAIL_BYTES ? r->pos : TAIL_BYTES, drop = r->pos - keep;
	char *grown;

	if (drop && r->end + PAD_BYTES + r->cap / 2 > r->cap) {
		memmove(r->buf, r->buf + drop, r->end - drop);
		r->offset += drop;
		r->pos -= drop;
		r->end -= drop;
	}
	if (r->end + PAD_BYTES < r->cap - r->cap / 4)
		return true;
	grown = realloc(r->buf, r->cap * 2);
	if (!grown)
		return false;
	r->buf = grown;
	r->cap *= 2;
	return true;
}

bool reader_fill(struct reader *r)
{
	size_t room, got = 0;
	ssize_t n;

	if (r->eof)
		return false;
	if (!make_room(r)) {
		r->fault = LINE_IO;
		r->error = ENOMEM;
		r->eof = true;
		return false;
	}
	room = r->cap - PAD_BYTES - r->end;
	switch (r->packing) {
	case PLAIN:
		if (r->in_pos < r->in_end) { /* what was read to tell the packing */
			got = r->in_end - r->in_pos;
			if (got > room)
				got = room;
			memcpy(r->buf + r->end, r->in + r->in_pos, got);
			r->in_pos += got;
			break;
		}
		n = source_read(r, r->buf + r->end, room);
		if (n < 0) {
			r->fault = LINE_IO;
			r->error = errno;
		} else {
			got = (size_t)n;
			r->bytes_in += got;
		}
		break;
	case GZIP:
		got = fill_gzip(r, r->buf + r->end, room);
		break;
	case ZSTANDARD:
		got = fill_zstd(r, r->buf + r->end, room);
		break;
	}
	if (r->offset == 0 && r->end == 0 && got >= 3 && memcmp(r->buf, "\xef\xbb\xbf", 3) == 0)
		r->pos = 3;
	r->end += got;
	memset(r->buf + r->end, 0, PAD_BYTES);
	if (got == 0)
		r->eof = true;
	return got > 0;
}

static int32_t start(struct reader *r, size_t buffer, struct tw_err *e)
{
	r->cap = buffer + PAD_BYTES;
	r->buf = calloc(1, r->cap);
	r->in_cap = r->fd < 0 ? 4096 : IN_BYTES;
	r->in = calloc(1, r->in_cap);
	if (!r->buf || !r->in)
		goto memory;
	while (r->in_end < 4 && fill_in(r))
		;
	if (r->in_end >= 2 && r->in[0] == 0x1f && r->in[1] == 0x8b) {
		r->packing = GZIP;
		if (inflateInit2(&r->gz, 15 + 16) != Z_OK) {
			r->packing = PLAIN;
			goto memory;
		}
		r->packed_open = true;
	} else if (r->in_end >= 4 && memcmp(r->in, "\x28\xb5\x2f\xfd", 4) == 0) {
		r->packing = ZSTANDARD;
		r->zs = ZSTD_createDStream();
		if (!r->zs)
			goto memory;
	}
	return TW_OK;
memory:
	reader_close(r);
	return csv_fail(e, TW_E_IO, "memory is out");
}

int32_t reader_open(struct reader *r, int fd, size_t buffer, struct tw_err *e)
{
	*r = (struct reader){ .fd = fd };
	return start(r, buffer, e);
}

int32_t reader_open_memory(struct reader *r, const void *data, size_t n, struct tw_err *e)
{
	*r = (struct reader){ .fd = -1, .mem = data, .mem_len = n };
	return start(r, 4096, e);
}

void reader_close(struct reader *r)
{
	if (r->packing == GZIP)
		inflateEnd(&r->gz);
	ZSTD_freeDStream(r->zs);
	free(r->buf);
	free(r->in);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct reader){ .fd = -1 };
}

bool reader_seek(struct reader *r, uint64_t offset)
{
	if (r->fd < 0) {
		if (offset > r->mem_len)
			return false;
		r->mem_at = (size_t)offset;
	} else if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0) {
		return false;
	}
	r->in_pos = r->in_end = 0;
	r->pos = r->end = 0;
	r->offset = r->bytes_in = offset;
	r->eof = false;
	return true;
}

/* Read past the rest of a long line. */
static void discard(struct reader *r)
{
	while (r->discarding) {
		const char *nl = memchr(r->buf + r->pos, '\n', r->end - r->pos);

		r->pos = nl ? (size_t)(nl - r->buf) + 1 : r->end;
		r->discarding = !nl && reader_fill(r);
	}
}

enum line_status reader_line(struct reader *r, const char **p, size_t *n)
{
	size_t seen = 0; /* bytes behind pos that hold no newline */

	if (r->discarding)
		discard(r);
	for (;;) {
		const char *line = r->buf + r->pos;
		const char *nl = memchr(line + seen, '\n', r->end - r->pos - seen);
		size_t len;

		if (nl) {
			len = (size_t)(nl - line);
			r->pos += len + 1;
			*p = line;
			if (len > LINE_MAX_BYTES) {
				*n = RAW_MAX_BYTES;
				return LINE_LONG;
			}
			*n = len - (len && line[len - 1] == '\r');
			return LINE_OK;
		}
		seen = r->end - r->pos;
		if (seen > LINE_MAX_BYTES) {
			r->discarding = true;
			r->pos = r->end;
			*p = line;
			*n = RAW_MAX_BYTES;
			return LINE_LONG;
		}
		if (reader_fill(r))
			continue;
		*p = r->buf + r->pos;
		*n = r->end - r->pos;
		r->pos = r->end;
		if (r->fault != LINE_OK)
			return r->fault;
		if (*n == 0)
			return LINE_END;
		r->open_ended = true;
		*n -= (*p)[*n - 1] == '\r';
		return LINE_OK;
	}
}
