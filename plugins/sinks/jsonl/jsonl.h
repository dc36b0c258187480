/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this plugin share: text.c makes the lines, file.c keeps the file, jsonl.c is the sink.
 */
#ifndef JSONL_H
#define JSONL_H

#include <stdbool.h>
#include <tapewatch/plugin.h>

struct text { /* a growing text; failed is set when memory ran out, and sticks until text_reset() */
	char *data;
	size_t len, cap;
	bool failed;
};

void text_reset(struct text *);
void text_free(struct text *);
/* One record as a JSON object with its newline. Symbols and accounts of scores are texts through host->name. */
void text_record(struct text *, const struct tw_event *, const struct tw_host *);

struct file {
	const char *path; /* NULL: standard output */
	int fd;
	bool regular;  /* can be truncated and renamed */
	bool named;    /* its folder was synced since it was opened, so that a power failure does not take the name away */
	int64_t size;  /* of a regular file: up to the end of the last full line */
	int64_t day;   /* since 1970, of the last line; -1 while it is empty */
};

/* Opens for appending, takes the lock, cuts off half a line that a crash left. *cut: how many bytes that were. */
int32_t file_open(struct file *, const char *path, int64_t *cut, struct tw_err *);
/* Closes, shifts PATH.1 to PATH.2 and so on, moves PATH to PATH.1, opens a new PATH. */
int32_t file_rotate(struct file *, int64_t keep, bool sync, struct tw_err *);
/* Appends whole lines. *taken: bytes of full lines that are in the file; what was written beyond is taken back.
 * TW_AGAIN when there is no room. */
int32_t file_append(struct file *, const char *data, size_t len, size_t *taken, struct tw_err *);
/* The lines, and the first time the name of the file, too, are on the disk. */
int32_t file_sync(struct file *, struct tw_err *);
void file_close(struct file *);

/* Fills e (may be NULL) with the sentence, ": " and the text of the error number unless that is 0; returns code. */
int32_t fail(struct tw_err *e, int32_t code, int error, const char *fmt, ...) TW_PRINTF(4, 5);

#endif
