/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store's tests share: a folder of their own, events whose every field follows from their number, and a
 * reader that checks all of it.
 */
#ifndef TEST_STORE_KIT_H
#define TEST_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "event/event.h"
#include "state/digest.h"
#include "state/store_impl.h"

#define UNUSED __attribute__((unused))

static char kit_dir[64];
static struct tw_err kit_err;

UNUSED static void kit_remove(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

UNUSED static int kit_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	memset(&kit_err, 0, sizeof kit_err);
	snprintf(kit_dir, sizeof kit_dir, "%.40s/tw-store-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(kit_dir) ? 0 : -1;
}

UNUSED static int kit_teardown(void **state)
{
	(void)state;
	kit_remove(kit_dir);
	return 0;
}

#define kit_path(out, ...)                                                                                             \
	do {                                                                                                           \
		int n_ = snprintf((out), sizeof(out), "%s/", kit_dir);                                                 \
		snprintf((out) + n_, sizeof(out) - (size_t)n_, __VA_ARGS__);                                           \
	} while (0)

#define ok(call)                                                                                                       \
	do {                                                                                                           \
		int32_t rc_ = (call);                                                                                  \
		if (rc_ != TW_OK)                                                                                      \
			fail_msg("%s: %d: %s", #call, rc_, kit_err.msg);                                               \
	} while (0)

UNUSED static struct tw_str str(const char *s)
{
	return (struct tw_str){ s, (uint32_t)strlen(s), 0 };
}

UNUSED static int64_t ts_of(uint64_t seq)
{
	return INT64_C(1700000000000000000) + (int64_t)seq * 1000;
}

/* Event number seq: a quote of symbol S<seq % 7>, bid = seq, ask = seq + 0.5. */
UNUSED static int add_quote(struct buf *b, uint64_t seq, uint16_t source)
{
	const struct kind *k = kind_of(TW_QUOTE);
	union tw_num numbers[4] = { { .f = (double)seq }, { .f = (double)seq + 0.5 }, { .f = 1 }, { .f = 2 } };
	char name[8];
	unsigned char out[512];
	struct tw_str text;
	size_t n;

	snprintf(name, sizeof name, "S%u", (unsigned)(seq % 7));
	text = str(name);
	n = event_put(out, k, ts_of(seq), numbers, &text);
	event_stamp(out, seq);
	return n ? tape_add(b, source, out, n) : -1;
}

/* One commit of n_blocks blocks of `count` events each, from number first on. */
UNUSED static int32_t commit_quotes(struct store *s, uint64_t first, uint32_t n_blocks, uint32_t count)
{
	struct block blocks[8];
	struct buf bytes[8] = { { 0 } };
	struct tape_commit c = { .blocks = blocks, .n_blocks = n_blocks };
	uint64_t seq = first;
	int32_t rc;

	for (uint32_t i = 0; i < n_blocks; i++) {
		blocks[i].first = seq;
		blocks[i].count = count;
		for (uint32_t k = 0; k < count; k++)
			if (add_quote(&bytes[i], seq++, 0) < 0)
				return TW_E_IO;
		blocks[i].bytes = bytes[i].data;
		blocks[i].len = bytes[i].len;
	}
	rc = store_commit_tape(s, &c, &kit_err);
	for (uint32_t i = 0; i < n_blocks; i++)
		buf_free(&bytes[i]);
	return rc;
}

UNUSED static bool quote_is_right(const unsigned char *p, size_t len, uint64_t seq)
{
	struct tw_event e;
	struct intern *names = intern_new(100);
	char name[8];
	bool right;

	snprintf(name, sizeof name, "S%u", (unsigned)(seq % 7));
	right = event_decode(&e, p, len, names, NULL) == len && e.kind == TW_QUOTE && e.seq == seq &&
		e.ts == ts_of(seq) && e.quote.bid > (double)seq - 0.25 && e.quote.bid < (double)seq + 0.25 &&
		strcmp(intern_name(names, e.quote.symbol), name) == 0;
	intern_free(names);
	return right;
}

/* Reads the tape from `from` on. The number behind the last event when every event is right and in order; negative:
 * what the reader answered; 0: a wrong event. Fits into a child process: no assertions. */
UNUSED static int64_t read_quotes(struct store *s, uint64_t from)
{
	struct log_reader *r;
	struct block b;
	uint64_t seq = from;
	int32_t rc = log_reader_open(&r, s, LOG_TAPE, from, &kit_err);

	while (rc == TW_OK && (rc = log_reader_next(r, &b, &kit_err)) == TW_OK) {
		const unsigned char *p;
		uint64_t n = b.first;
		uint16_t source;
		size_t at = 0, len;

		if (b.first > seq) {
			rc = 0;
			break;
		}
		while (tape_record(&b, &at, &source, &p, &len)) {
			if (!quote_is_right(p, len, n)) {
				log_reader_close(r);
				return 0;
			}
			n++;
		}
		if (n != b.first + b.count || at != b.len) {
			log_reader_close(r);
			return 0;
		}
		seq = n;
	}
	log_reader_close(r);
	return rc == TW_AGAIN ? (int64_t)seq : rc;
}

UNUSED static struct store *open_store(const struct store_options *opt)
{
	struct store *s = NULL;

	ok(store_open(&s, kit_dir, STORE_WRITE, opt, &kit_err));
	return s;
}

UNUSED static struct store *open_reader(const char *dir)
{
	struct store *s = NULL;

	ok(store_open(&s, dir, STORE_READ, NULL, &kit_err));
	return s;
}

UNUSED static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char buf[65536];
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(buf, 1, sizeof buf, in)) > 0)
		assert_int_equal(fwrite(buf, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* An alert made by hand, with seq and ts; everything else as given. Appends to the block's bytes. */
UNUSED static void add_alert(struct buf *b, const char *id, uint64_t seq, double score, const char *reason)
{
	struct tw_event e = { .struct_size = sizeof e, .kind = TW_ALERT, .ts = ts_of(seq), .seq = seq };
	struct tw_detail detail = { .name = str("window"), .number = 30 };
	struct buf out = { 0 };

	e.alert = (struct tw_alert){ .severity = TW_HIGH, .score = score, .p_value = (double)NAN, .value = 1,
				     .expected = 2, .threshold = 3, .evidence_from = seq, .evidence_to = seq,
				     .id = str(id), .detector = str("spikes"), .version = str("1"), .symbol = str("S1"),
				     .type = str("spike"), .reason = str(reason), .n_details = 1, .details = &detail };
	assert_int_equal(event_encode(&out, &e, NULL), 0);
	assert_int_equal(alert_add(b, out.data, out.len), 0);
	buf_free(&out);
}

/* Alerts about events first .. first + count - 1, of the alert log's numbers from `number` on. */
UNUSED static int32_t commit_alerts(struct store *s, uint64_t number, uint32_t count, uint64_t complete)
{
	struct buf bytes = { 0 };
	struct block b = { .first = number, .count = count };
	struct alert_commit c = { .blocks = &b, .n_blocks = count ? 1 : 0, .complete = complete };
	char id[64];
	int32_t rc;

	for (uint32_t i = 0; i < count; i++) {
		snprintf(id, sizeof id, "%s-%u-spikes-0", store_tape_id(s), (unsigned)(number + i));
		add_alert(&bytes, id, number + i, 3.5, "a sentence");
	}
	b.bytes = bytes.data;
	b.len = bytes.len;
	rc = store_commit_alerts(s, &c, &kit_err);
	buf_free(&bytes);
	return rc;
}

#endif
