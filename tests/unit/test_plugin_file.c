/* SPDX-License-Identifier: Apache-2.0
 *
 * What is refused about a plugin's file before any of its code runs.
 */
#include "test_plugin_kit.h"
#include <elf.h>
#include <grp.h>
#include <pwd.h>

static void what_everybody_can_write_is_refused(void **state)
{
	(void)state;
	copy_plugin("good_both", "good_both.so");
	assert_int_equal(chmod(in_folder("good_both.so"), 0757), 0);
	refused_here("good_both", "good_both.so can be written by every user", "chmod o-w");
	assert_int_equal(chmod(in_folder("good_both.so"), 0755), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	refused_here("good_both", "can be written by every user", folder);
	assert_int_equal(chmod(folder, 01777), 0); /* sticky is not enough for the folder itself */
	refused_here("good_both", "can be written by every user", folder);
}

/* A group that is not the user's alone: any other for root, one of the groups it is in for another user. */
static gid_t a_shared_group(void)
{
	gid_t groups[256];
	int n = getgroups(256, groups);

	if (geteuid() == 0)
		return 12345;
	for (int i = 0; i < n; i++)
		if (groups[i] != getegid())
			return groups[i];
	print_message("this user is in no second group\n");
	skip();
	return 0;
}

static void what_a_group_can_write_is_refused(void **state)
{
	gid_t group = a_shared_group();
	struct plugins *ps;

	(void)state;
	copy_plugin("good_both", "good_both.so");
	assert_int_equal(chown(in_folder("good_both.so"), (uid_t)-1, group), 0);
	assert_int_equal(chmod(in_folder("good_both.so"), 0775), 0);
	refused_here("good_both", "good_both.so can be written by everybody in group", "chmod g-w");
	assert_int_equal(chmod(in_folder("good_both.so"), 0755), 0);
	assert_int_equal(chown(folder, (uid_t)-1, group), 0);
	assert_int_equal(chmod(folder, 0775), 0);
	refused_here("good_both", "can be written by everybody in group", folder);
	assert_int_equal(chmod(folder, 0755), 0);
	ps = plugins_in(folder);
	assert_non_null(plugins_get(ps, PLUGIN_SINK, "good_both", NULL));
	plugins_free(ps);
}

/* Where every user has a group of his own, umask 002 is usual, and what he builds is writable by that group. */
static void what_the_users_own_group_can_write_is_taken(void **state)
{
	struct passwd *pw = getpwuid(geteuid());
	struct group *gr = pw ? getgrgid(pw->pw_gid) : NULL;
	struct plugins *ps;

	(void)state;
	if (!pw || !gr || strcmp(pw->pw_name, gr->gr_name) != 0 || gr->gr_mem[0]) {
		print_message("this user has no group of its own\n");
		skip();
	}
	copy_plugin("good_both", "good_both.so");
	assert_int_equal(chown(in_folder("good_both.so"), (uid_t)-1, gr->gr_gid), 0);
	assert_int_equal(chmod(in_folder("good_both.so"), 0775), 0);
	ps = plugins_in(folder);
	assert_non_null(plugins_get(ps, PLUGIN_SINK, "good_both", NULL));
	plugins_free(ps);
}

static void a_folder_above_that_everybody_can_write_is_refused(void **state)
{
	char below[200];

	(void)state;
	assert_int_equal(mkdir(in_folder("below"), 0755), 0);
	assert_true(snprintf(below, sizeof below, "%s", in_folder("below")) > 0);
	copy_plugin("good_both", "below/good_both.so");
	assert_int_equal(chmod(folder, 0777), 0);
	refused_in(below, PLUGIN_SINK, "good_both",
		   (const char *const[]){ "lies below", "every user can write", NULL });
	assert_int_equal(chmod(folder, 01777), 0);
	struct plugins *ps = plugins_in(below);
	assert_non_null(plugins_get(ps, PLUGIN_SINK, "good_both", NULL));
	plugins_free(ps);
}

static void a_strangers_file_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to give a file away\n");
		skip();
	}
	copy_plugin("good_both", "good_both.so");
	assert_int_equal(chown(in_folder("good_both.so"), 12345, (gid_t)-1), 0);
	refused_here("good_both", "belongs to user 12345", "chown");
	assert_int_equal(chown(in_folder("good_both.so"), 0, (gid_t)-1), 0);
	assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
	refused_here("good_both", folder, "belongs to user 12345");
}

static void what_is_no_regular_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("good_both.so"), 0755), 0);
	refused_here("good_both", "is not a regular file");
}

static void an_unreadable_file_is_refused(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		print_message("root can read everything\n");
		skip();
	}
	copy_plugin("good_both", "good_both.so");
	assert_int_equal(chmod(in_folder("good_both.so"), 0), 0);
	refused_here("good_both", "cannot read plugin file", "Permission denied");
}

static void what_is_no_shared_object_is_refused(void **state)
{
	(void)state;
	write_file("text.so", "#!/bin/sh\necho I am a script that somebody renamed to .so, and long enough\n", 74);
	write_file("empty.so", "", 0);
	refused_here("text", "is not a shared object (no ELF header)");
	refused_here("empty", "is not a shared object (no ELF header)");
}

static void a_truncated_file_is_refused_at_every_length(void **state)
{
	size_t len;
	unsigned char *bytes = read_plugin("good_both", &len);
	Elf64_Ehdr h;
	size_t loaded = 0;

	(void)state;
	memcpy(&h, bytes, sizeof h);
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, bytes + h.e_phoff + i * sizeof ph, sizeof ph);
		if (ph.p_type == PT_LOAD && ph.p_offset + ph.p_filesz > loaded)
			loaded = ph.p_offset + ph.p_filesz;
	}
	assert_true(loaded > 4096 && loaded <= len);
	for (size_t cut = 0; cut < loaded; cut += cut < 256 ? 7 : 1021) {
		write_file("good_both.so", bytes, cut);
		refused_here("good_both", "good_both.so", cut < 16 ? "no ELF header" : "is cut short");
	}
	free(bytes);
}

static void another_machines_file_is_refused_by_name(void **state)
{
	size_t len;
	unsigned char *bytes = read_plugin("good_both", &len);
	const uint16_t other =
#if defined(__aarch64__)
		EM_X86_64;
#else
		EM_AARCH64;
#endif

	(void)state;
	memcpy(bytes + offsetof(Elf64_Ehdr, e_machine), &other, sizeof other);
	write_file("good_both.so", bytes, len);
	refused_here("good_both", other == EM_AARCH64 ? "is built for arm64" : "is built for x86-64", "rebuild");
	free(bytes);
}

static void a_file_of_another_word_size_is_refused(void **state)
{
	size_t len;
	unsigned char *bytes = read_plugin("good_both", &len);

	(void)state;
	bytes[EI_CLASS] = ELFCLASS32;
	write_file("good_both.so", bytes, len);
	refused_here("good_both", "another kind of machine", "word size", "rebuild");
	bytes[EI_CLASS] = ELFCLASS64;
	bytes[EI_DATA] = bytes[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
	write_file("good_both.so", bytes, len);
	refused_here("good_both", "another kind of machine", "byte order", "rebuild");
	free(bytes);
}

static void damaged_bytes_never_hurt_this_process(void **state)
{
	size_t len;
	unsigned char *bytes = read_plugin("good_both", &len);
	uint64_t x = 42;

	(void)state;
	for (int i = 0; i < 60; i++) {
		unsigned char *copy = malloc(len);
		struct tw_err e = { 0 };
		char real[PATH_MAX];

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		for (int j = 0; j < 4; j++) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
			copy[(x >> 33) % (i % 2 ? 1024 : len)] ^= (unsigned char)(1 + (x >> 20) % 255);
		}
		write_file("good_both.so", copy, len);
		/* Only the trial: what loads well in spite of its damage is not loaded here. */
		if (plugin_file_check(in_folder("good_both.so"), real, &e) == TW_OK)
			(void)plugin_try(real, "good_both", 2000, &e);
		assert_true(e.code == TW_OK || e.msg[0]);
		free(copy);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_folder(what_everybody_can_write_is_refused),
		with_folder(what_a_group_can_write_is_refused),
		with_folder(what_the_users_own_group_can_write_is_taken),
		with_folder(a_folder_above_that_everybody_can_write_is_refused),
		with_folder(a_strangers_file_is_refused),
		with_folder(what_is_no_regular_file_is_refused),
		with_folder(an_unreadable_file_is_refused),
		with_folder(what_is_no_shared_object_is_refused),
		with_folder(a_truncated_file_is_refused_at_every_length),
		with_folder(another_machines_file_is_refused_by_name),
		with_folder(a_file_of_another_word_size_is_refused),
		with_folder(damaged_bytes_never_hurt_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
