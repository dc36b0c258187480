/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that are no longer what was written: each change is detected or harmless, and never a wrong answer. Reading a
 * broken file may kill the process (LMDB follows the page numbers it finds), so each try runs in a child.
 */
#include "test_store_damage_kit.h"
#include <errno.h>

/* A fork costs ten times as much under a sanitizer; what is tried stays the same kind of thing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 11
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRIDE 11
#endif
#endif
#ifndef STRIDE
#define STRIDE 1
#endif

static bool alerts_are_right(struct store *s, int32_t *rc)
{
	struct log_reader *r;
	struct block b;
	uint64_t next = 1;

	*rc = log_reader_open(&r, s, LOG_ALERTS, 1, &kit_err);
	while (*rc == TW_OK && (*rc = log_reader_next(r, &b, &kit_err)) == TW_OK) {
		const unsigned char *p;
		size_t at = 0, len;

		while (alert_record(&b, &at, &p, &len))
			if (event_seq(p) != next++)
				return false;
	}
	log_reader_close(r);
	return *rc < 0 || next == ALERTS + 1;
}

enum { RIGHT, DETECTED, WRONG };

/* Everything a run would ask of the store after a restart. */
static int ask(void)
{
	struct store *s = NULL;
	struct position p = { 0 };
	uint64_t n = 0;
	int32_t rc;
	int values = 0;
	int64_t end;

	if (store_open(&s, kit_dir, STORE_READ, NULL, &kit_err) != TW_OK)
		return DETECTED;
	end = read_quotes(s, 1);
	if (end < 0)
		return DETECTED;
	if (end != EVENTS + 1 || store_last_seq(s) != EVENTS)
		return WRONG;
	if (!alerts_are_right(s, &rc))
		return WRONG;
	if (rc < 0)
		return DETECTED;
	if (store_complete(s) != 600 || store_last_alert(s) != ALERTS)
		return WRONG;
	rc = store_cursor(s, "console", &n, &kit_err);
	if (rc < 0)
		return DETECTED;
	if (rc != TW_OK || n != 11)
		return WRONG;
	rc = store_position(s, "a", &p, &kit_err);
	if (rc < 0)
		return DETECTED;
	if (rc != TW_OK || p.after != 5 || p.pos.len != 3 || memcmp(p.pos.data, "pos", 3) != 0)
		return WRONG;
	rc = store_read_checkpoint(s, &n, NULL, three_values, &values, &kit_err);
	if (rc < 0)
		return DETECTED;
	if (rc != TW_OK || n != 300 || values != 3)
		return WRONG;
	if (!store_source_name(s, 0) || strcmp(store_source_name(s, 0), "alpha") != 0)
		return WRONG;
	store_close(s);
	return RIGHT;
}

static int ask_in_child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		fail_msg("fork: %s", strerror(errno)); /* a sanitizer's address space on a machine with little memory */
	if (pid == 0) {
		static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE };
		int fd = open("/dev/null", O_WRONLY);

		for (size_t i = 0; i < 4; i++)
			signal(deadly[i], SIG_DFL);
		dup2(fd, 2);
		_exit(ask());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : DETECTED;
}

static const char *const names[] = { "state.lmdb", "tape/000001.tape", "tape/000002.tape", "tape/000003.tape" };

static void a_flipped_byte_is_never_a_wrong_answer(void **state)
{
	char path[128];
	int found[3] = { 0 };

	(void)state;
	make_store();
	assert_int_equal(ask_in_child(), RIGHT);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int64_t size;

		kit_path(path, "%s", names[i]);
		size = size_of(path);
		for (int64_t at = (int64_t)i; at < size; at += 331 * STRIDE) {
			unsigned char old = swap_byte(path, at, 0), flip = (unsigned char)(old ^ (1 << at % 8));
			int answer;

			swap_byte(path, at, flip);
			answer = ask_in_child();
			if (answer != RIGHT && answer != DETECTED)
				fail_msg("%s: byte %lld, %02x for %02x: answer %d", names[i], (long long)at, flip, old,
					 answer);
			found[answer]++;
			swap_byte(path, at, old);
		}
	}
	assert_int_equal(ask_in_child(), RIGHT);
	assert_true(found[DETECTED] > 100 / STRIDE);
}

/* The pages near the front hold what LMDB steers by: every byte of their heads. */
static void a_flipped_byte_of_a_page_head_is_never_a_wrong_answer(void **state)
{
	char path[128];

	(void)state;
	make_store();
	for (size_t i = 0; i < 2; i++) {
		int64_t size;

		kit_path(path, "%s", names[i]);
		size = size_of(path);
		for (int64_t page = 0; page < size; page += 4096 * STRIDE)
			for (int64_t k = 0; k < 24; k += 2 - (page < 8192)) {
				unsigned char old = swap_byte(path, page + k, 0),
					      flip = (unsigned char)(old ^ (1 << k % 8));
				int answer;

				swap_byte(path, page + k, flip);
				answer = ask_in_child();
				if (answer != RIGHT && answer != DETECTED)
					fail_msg("%s: byte %lld, %02x for %02x: answer %d", names[i],
						 (long long)(page + k), flip, old, answer);
				swap_byte(path, page + k, old);
			}
	}
}

/* LMDB's own two roots, which no checksum guards. */
static void a_flipped_bit_of_a_root_is_never_a_wrong_answer(void **state)
{
	enum {
		FIRST = 16,
		NUMBERS = 136,
		END = 152
	}; /* of a root in its page; the last page and the commit's number */
	char path[128];

	(void)state;
	make_store();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i += 3) {
		kit_path(path, "%s", names[i]);
		for (int64_t k = FIRST * 8; k < END * 8; k += (k < NUMBERS * 8 ? 5 : 1) * STRIDE)
			for (int64_t page = 0; page < 2; page++) {
				int64_t at = page * 4096 + k / 8;
				unsigned char old = swap_byte(path, at, 0), flip = (unsigned char)(old ^ (1 << k % 8));
				int answer;

				swap_byte(path, at, flip);
				answer = ask_in_child();
				if (answer != RIGHT && answer != DETECTED)
					fail_msg("%s: byte %lld, %02x for %02x: answer %d", names[i], (long long)at,
						 flip, old, answer);
				swap_byte(path, at, old);
			}
	}
}

static void a_file_cut_short_is_never_a_wrong_answer(void **state)
{
	char path[128], copy[128];

	(void)state;
	make_store();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int64_t size;

		kit_path(path, "%s", names[i]);
		kit_path(copy, "whole");
		copy_file(path, copy);
		size = size_of(path);
		for (int64_t cut = 0; cut < size; cut += 4096 * 3 / 2 * STRIDE) {
			int answer;

			assert_int_equal(truncate(path, cut), 0);
			answer = ask_in_child();
			if (answer != DETECTED && answer != RIGHT)
				fail_msg("%s: cut at %lld: answer %d", names[i], (long long)cut, answer);
			if (cut < 4 * 4096)
				assert_int_equal(answer, DETECTED);
			/* Through the same inode: the file keeps its name. */
			copy_file(copy, path);
		}
	}
	assert_int_equal(ask_in_child(), RIGHT);
}

static void a_zeroed_page_is_never_a_wrong_answer(void **state)
{
	static const unsigned char zero[4096];
	unsigned char old[4096];
	char path[128];

	(void)state;
	make_store();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int64_t size;

		kit_path(path, "%s", names[i]);
		size = size_of(path);
		for (int64_t page = 0; page + 4096 <= size; page += 4096 * STRIDE) {
			int fd = open(path, O_RDWR), answer;

			assert_int_equal(pread(fd, old, sizeof old, page), sizeof old);
			assert_int_equal(pwrite(fd, zero, sizeof zero, page), sizeof zero);
			answer = ask_in_child();
			if (answer != DETECTED && answer != RIGHT)
				fail_msg("%s: page %lld: answer %d", names[i], (long long)page / 4096, answer);
			assert_int_equal(pwrite(fd, old, sizeof old, page), sizeof old);
			close(fd);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(a_flipped_byte_is_never_a_wrong_answer),
		T(a_flipped_byte_of_a_page_head_is_never_a_wrong_answer),
		T(a_flipped_bit_of_a_root_is_never_a_wrong_answer),
		T(a_file_cut_short_is_never_a_wrong_answer),
		T(a_zeroed_page_is_never_a_wrong_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
