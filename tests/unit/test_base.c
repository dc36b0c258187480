/* SPDX-License-Identifier: Apache-2.0
 *
 * The small things everything stands on: errors, buffers, arenas, digests, hashes and the door to the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/os.h"
#include "base/sha256.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- errors ---- */

static void an_error_holds_its_code_and_sentence(void **state)
{
	struct tw_err e;

	(void)state;
	assert_int_equal(err_set(&e, TW_E_DATA, "line %d of '%s'", 7, "a.csv"), TW_E_DATA);
	assert_int_equal(e.code, TW_E_DATA);
	assert_string_equal(e.msg, "line 7 of 'a.csv'");
	assert_int_equal(err_set(NULL, TW_E_FATAL, "nobody listens"), TW_E_FATAL);
	assert_int_equal(err_sys(NULL, ENOENT, "nobody listens"), TW_E_IO);
}

static void a_system_error_says_why(void **state)
{
	struct tw_err e;

	(void)state;
	assert_int_equal(err_sys(&e, ENOENT, "cannot open %s", "x"), TW_E_IO);
	assert_string_equal(e.msg, "cannot open x: No such file or directory");
}

static void a_long_text_never_hides_the_systems_reason(void **state)
{
	struct tw_err e;
	char name[600];

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	err_sys(&e, EACCES, "cannot open %s", name);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	assert_string_equal(e.msg + sizeof e.msg - 1 - 19, ": Permission denied");
}

static void a_prefix_goes_in_front(void **state)
{
	struct tw_err e;

	(void)state;
	err_set(&e, TW_E_DATA, "bad price");
	assert_int_equal(err_prefix(&e, "a.csv:%d", 3), TW_E_DATA);
	assert_string_equal(e.msg, "a.csv:3: bad price");
}

static void an_error_may_quote_itself(void **state)
{
	struct tw_err e;

	(void)state;
	err_set(&e, TW_E_DATA, "bad price");
	err_set(&e, TW_E_FATAL, "gave up: %s", e.msg);
	assert_string_equal(e.msg, "gave up: bad price");
}

static void texts_that_are_too_long_are_cut(void **state)
{
	struct tw_err e;
	char text[600];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&e, TW_E_DATA, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	err_prefix(&e, "in front");
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	assert_memory_equal(e.msg, "in front: xxx", 13);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

/* ---- buffers ---- */

static void a_buffer_keeps_what_is_added(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		unsigned char c = (unsigned char)(i * 7);

		assert_int_equal(buf_add(&b, &c, 1), 0);
	}
	assert_int_equal(b.len, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], (unsigned char)(i * 7));
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.cap, 0);
}

static void formatted_text_is_added_whole_at_any_length(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int n = 0; n < 2999; n += 13) {
		struct buf b = { 0 };

		assert_int_equal(buf_addf(&b, "<%.*s>", n, text), 0);
		assert_int_equal(buf_addf(&b, "%d", n), 0);
		assert_int_equal(b.data[0], '<');
		assert_int_equal(b.data[n + 1], '>');
		assert_int_equal(atol((buf_add(&b, "", 1), (char *)b.data + n + 2)), n);
		buf_free(&b);
	}
}

static void an_impossible_size_is_out_of_memory(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_add(&b, "abc", 3), 0);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_null(buf_reserve(&b, SIZE_MAX - 2));
	assert_null(buf_reserve(&b, (size_t)PTRDIFF_MAX));
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "abc", 3);
	buf_free(&b);
}

static void reserving_nothing_is_not_out_of_memory(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_non_null(buf_reserve(&b, 0));
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

/* ---- arenas ---- */

static void arena_memory_is_aligned_zeroed_and_stays(void **state)
{
	struct arena a = { 0 };
	unsigned char *parts[500];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			size_t n = (size_t)i * 5 % 700;

			parts[i] = arena_alloc(&a, n);
			assert_non_null(parts[i]);
			assert_int_equal((uintptr_t)parts[i] % 16, 0);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(parts[i][k], 0);
			memset(parts[i], i, n);
		}
		for (int i = 0; i < 500; i++)
			for (size_t k = 0; k < (size_t)i * 5 % 700; k++)
				assert_int_equal(parts[i][k], (unsigned char)i);
		assert_true(a.used > 0);
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_free(&a);
}

static void a_large_piece_fits_into_an_arena(void **state)
{
	struct arena a = { 0 };
	char *p = arena_alloc(&a, 5000000);

	(void)state;
	assert_non_null(p);
	memset(p, 1, 5000000);
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, (size_t)PTRDIFF_MAX - 20));
	arena_free(&a);
}

static void arena_texts_are_terminated_copies(void **state)
{
	struct arena a = { 0 };
	char source[] = "abcdef", longer[1000], *p;

	(void)state;
	p = arena_text(&a, source, 3);
	source[0] = 'x';
	assert_string_equal(p, "abc");
	assert_string_equal(arena_text(&a, NULL, 0), "");
	assert_string_equal(arena_printf(&a, "%s/%d", "dir", 5), "dir/5");
	memset(longer, 'z', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	p = arena_printf(&a, "%s!", longer);
	assert_int_equal(strlen(p), 1000);
	assert_memory_equal(p, longer, 999);
	arena_free(&a);
}

/* ---- digests and hashes ---- */

static void sha256_matches_the_standards_examples(void **state)
{
	struct sha256 *s = sha256_new();
	char hex[65];

	(void)state;
	assert_non_null(s);
	assert_int_equal(sha256_hex(s, hex), 0); /* FIPS 180-4: the empty message, "abc", a million times "a" */
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_add(s, "ab", 2);
	sha256_add(s, "c", 1);
	assert_int_equal(sha256_hex(s, hex), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_free(s);
	s = sha256_new();
	assert_non_null(s);
	for (int i = 0; i < 100000; i++)
		sha256_add(s, "aaaaaaaaaa", 10);
	assert_int_equal(sha256_hex(s, hex), 0);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	sha256_free(s);
	sha256_free(NULL);
}

static void hashes_are_the_same_on_every_machine(void **state)
{
	(void)state;
	/* The first output of splitmix64 with seed 0 is the finalizer of the golden ratio. */
	assert_true(hash_u64(UINT64_C(0x9e3779b97f4a7c15)) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(hash_u64(0) == 0);
	/* XXH3_64bits of nothing, from its specification. */
	assert_true(hash_bytes("", 0) == UINT64_C(0x2d06800538d394c2));
}

/* ---- the kernel ---- */

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	memcpy(folder, "/tmp/tapewatch-test-XXXXXX", sizeof "/tmp/tapewatch-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void folders_are_made_with_their_parents(void **state)
{
	char path[200], made[200];
	struct stat st;

	(void)state;
	snprintf(path, sizeof path, "%s/a//b/c/", folder);
	assert_int_equal(os_mkdirs(path, 0700), 0);
	assert_int_equal(os_mkdirs(path, 0700), 0); /* again */
	snprintf(made, sizeof made, "%s/a/b/c", folder);
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(os_sync_dir(made), 0);
	assert_int_equal(rmdir(made), 0);
	snprintf(made, sizeof made, "%s/a/b", folder);
	assert_int_equal(rmdir(made), 0);
	snprintf(made, sizeof made, "%s/a", folder);
	assert_int_equal(rmdir(made), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_file_in_the_way_is_no_folder(void **state)
{
	char path[200], below[220];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/file", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(os_mkdirs(path, 0700), -1);
	assert_int_equal(errno, ENOTDIR);
	snprintf(below, sizeof below, "%s/below", path);
	assert_int_equal(os_mkdirs(below, 0700), -1);
	assert_int_equal(os_sync_dir(path), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void paths_without_sense_are_refused(void **state)
{
	static char path[5000];

	(void)state;
	memset(path, 'x', sizeof path - 1);
	assert_int_equal(os_mkdirs("", 0700), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(os_mkdirs(path, 0700), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(os_mkdirs("/", 0700), 0);
}

static int sync_fails(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static void a_failed_sync_of_a_folder_is_seen(void **state)
{
	struct os broken = os_real;

	(void)state;
	broken.fsync = sync_fails;
	os = &broken;
	assert_int_equal(os_sync_dir("/tmp"), -1);
	assert_int_equal(errno, EIO);
	os = &os_real;
}

static void files_are_not_handed_to_children(void **state)
{
	int fd = os->open("/dev/null", O_RDONLY, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(os->close(fd), 0);
}

static void clocks_and_random_numbers_are_there(void **state)
{
	unsigned char a[300] = { 0 }, b[300] = { 0 };
	int64_t before = os->mono();

	(void)state;
	assert_true(os->wall() > INT64_C(1700000000000000000)); /* 2023 */
	assert_true(os->mono() >= before);
	assert_int_equal(os->random(a, sizeof a), 0);
	assert_int_equal(os->random(b, sizeof b), 0);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_holds_its_code_and_sentence),
		cmocka_unit_test(a_system_error_says_why),
		cmocka_unit_test(a_long_text_never_hides_the_systems_reason),
		cmocka_unit_test(a_prefix_goes_in_front),
		cmocka_unit_test(an_error_may_quote_itself),
		cmocka_unit_test(texts_that_are_too_long_are_cut),
		cmocka_unit_test(a_buffer_keeps_what_is_added),
		cmocka_unit_test(formatted_text_is_added_whole_at_any_length),
		cmocka_unit_test(an_impossible_size_is_out_of_memory),
		cmocka_unit_test(reserving_nothing_is_not_out_of_memory),
		cmocka_unit_test(arena_memory_is_aligned_zeroed_and_stays),
		cmocka_unit_test(a_large_piece_fits_into_an_arena),
		cmocka_unit_test(arena_texts_are_terminated_copies),
		cmocka_unit_test(sha256_matches_the_standards_examples),
		cmocka_unit_test(hashes_are_the_same_on_every_machine),
		cmocka_unit_test_setup(folders_are_made_with_their_parents, make_folder),
		cmocka_unit_test_setup(a_file_in_the_way_is_no_folder, make_folder),
		cmocka_unit_test(paths_without_sense_are_refused),
		cmocka_unit_test(a_failed_sync_of_a_folder_is_seen),
		cmocka_unit_test(files_are_not_handed_to_children),
		cmocka_unit_test(clocks_and_random_numbers_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
