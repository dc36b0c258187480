/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of `tape import`: whatever line comes, it is refused or becomes a canonical event; and what became
 * one is written as a line that becomes the same bytes again.
 */
#include "event/tape_line.h"
#include <stdlib.h>
#include <string.h>

#define MUST(x)                                                                                                        \
	do {                                                                                                           \
		if (!(x))                                                                                              \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct buf first = { 0 }, second = { 0 }, line = { 0 };
	struct intern *names = intern_new(16);
	struct arena scratch = { 0 };
	struct tape_line l;
	struct tw_event ev;
	struct tw_err e;

	MUST(names);
	if (tape_line_read(&first, &l, (const char *)data, size, &e) != TW_OK)
		goto out;
	if (l.numbered)
		event_stamp(first.data, l.seq);
	MUST(event_decode(&ev, first.data, first.len, names, &scratch) == first.len);
	MUST(tape_line_put(&line, &ev, names, l.source[0] ? l.source : "x") == 0);
	MUST(!memchr(line.data, '\n', line.len));
	MUST(tape_line_read(&second, &l, (const char *)line.data, line.len, &e) == TW_OK);
	event_stamp(second.data, l.seq);
	MUST(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
out:
	buf_free(&first);
	buf_free(&second);
	buf_free(&line);
	arena_free(&scratch);
	intern_free(names);
	return 0;
}
