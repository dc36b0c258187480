/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders: order, merging, and what cannot be read.
 */
#include "test_config_kit.h"

#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char path[64];
	struct parsed p;
};

static int make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof *f);
	if (!f)
		return -1;
	strncpy(f->path, "/tmp/tapewatch-config-XXXXXX", sizeof f->path - 1);
	*state = f;
	return mkdtemp(f->path) && chdir(f->path) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const files[] = {
		"conf.d/10-a.yaml", "conf.d/20-b.yml", "conf.d/30-c.yaml", "conf.d/.hidden.yaml", "conf.d/notes.txt",
		"one.yaml",         "two.yaml",        "secret",           "loop.yaml",
	};
	struct folder *f = *state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(files[i]);
	rmdir("conf.d/sub.yaml");
	rmdir("conf.d");
	free_parsed(&f->p);
	int rc = chdir("/") == 0 ? rmdir(f->path) : -1;
	free(f);
	return rc;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *load(struct folder *f, const char *path, const char *more)
{
	const char *const paths[] = { path, more };
	assert_int_equal(config_load(&f->p.config, paths, more ? 2 : 1, &f->p.report), TW_OK);
	return printed(&f->p);
}

static void a_folder_is_merged_in_name_order(void **state)
{
	struct folder *f = *state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	put("conf.d/20-b.yml", "detectors:\n  z: {plugin: x}\nsources:\n  a: {plugin: csv}\n");
	put("conf.d/10-a.yaml", "sources:\n  b: {plugin: csv}\nhost: {workers: 2}\n");
	put("conf.d/30-c.yaml", "");
	put("conf.d/.hidden.yaml", "broken: [");
	put("conf.d/notes.txt", "broken: [");
	assert_string_equal(load(f, "conf.d", NULL), "");
	assert_int_equal(f->p.config.n_files, 3);
	assert_string_equal(f->p.config.files[0], "conf.d/10-a.yaml");
	assert_string_equal(f->p.config.files[1], "conf.d/20-b.yml");
	assert_string_equal(f->p.config.files[2], "conf.d/30-c.yaml");
	const struct node *sources = at(&f->p.config, "sources", NULL);
	assert_int_equal(sources->n, 2);
	assert_string_equal(sources->items[0].name, "b");
	assert_string_equal(sources->items[1].name, "a");
	assert_string_equal(at(&f->p.config, "host", "workers", NULL)->text, "2");
	assert_string_equal(at(&f->p.config, "detectors", "z", NULL)->name_at.file, "conf.d/20-b.yml");
	assert_null(at(&f->p.config, "sinks", NULL));
}

static void a_name_in_two_files_names_both_places(void **state)
{
	struct folder *f = *state;
	put("one.yaml", "sources:\n  a: {plugin: csv}\nhost: {workers: 1}\n");
	put("two.yaml", "detectors:\n  a: {plugin: csv}\nhost: {workers: 2}\n");
	assert_string_equal(
		load(f, "one.yaml", "two.yaml"),
		"two.yaml:2:3: error: the name 'a' is given twice; it is already a source in one.yaml:2\n"
		"    2 |   a: {plugin: csv}\n"
		"      |   ^\n"
		"two.yaml:3:8: error: host option 'workers' is given twice; it was first given in one.yaml:3\n"
		"    3 | host: {workers: 2}\n"
		"      |        ^~~~~~~\n"
		"check: 2 errors in 1 file\n");
}

static void mistakes_of_all_files_come_in_one_run(void **state)
{
	struct folder *f = *state;
	put("one.yaml", "sinks: []\nsurces: {}\n");
	put("two.yaml", "sinks: x\n");
	assert_string_equal(load(f, "two.yaml", "one.yaml"),
			    "one.yaml:1:8: error: section 'sinks': found a list; expected a map such as "
			    "{NAME: {plugin: NAME}}\n"
			    "    1 | sinks: []\n"
			    "      |        ^~\n"
			    "one.yaml:2:1: error: unknown section 'surces'; did you mean 'sources'?\n"
			    "    2 | surces: {}\n"
			    "      | ^~~~~~\n"
			    "two.yaml:1:8: error: section 'sinks': found a text; expected a map such as "
			    "{NAME: {plugin: NAME}}\n"
			    "    1 | sinks: x\n"
			    "      |        ^\n"
			    "check: 3 errors in 2 files\n");
}

static void what_cannot_be_read_is_said(void **state)
{
	struct folder *f = *state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	assert_string_equal(load(f, "missing.yaml", "conf.d"), "conf.d: error: holds no *.yaml or *.yml file\n"
							       "missing.yaml: error: does not exist\n"
							       "check: 2 errors in 2 files\n");
	assert_true(f->p.config.incomplete);
}

static void a_folder_that_is_named_like_a_file_is_said(void **state)
{
	struct folder *f = *state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	assert_int_equal(mkdir("conf.d/sub.yaml", 0700), 0);
	assert_string_equal(load(f, "conf.d/", NULL), "conf.d/sub.yaml: error: is a folder; expected a file\n"
						      "check: 1 error in 1 file\n");
}

static void a_link_to_itself_is_said(void **state)
{
	struct folder *f = *state;
	assert_int_equal(symlink("loop.yaml", "loop.yaml"), 0);
	assert_string_equal(load(f, "loop.yaml", NULL),
			    "loop.yaml: error: cannot be read: Too many levels of symbolic links\n"
			    "check: 1 error in 1 file\n");
}

static void a_device_is_no_configuration(void **state)
{
	struct folder *f = *state;
	assert_string_equal(load(f, "/dev/zero", NULL), "/dev/zero: error: is not a file\n"
							"check: 1 error in 1 file\n");
}

static void one_newline_of_a_secret_file_is_trimmed(void **state)
{
	struct folder *f = *state;
	put("secret", "s3\n\n");
	put("one.yaml", "host: {a: \"x${file:secret}y\"}\n");
	assert_string_equal(load(f, "one.yaml", NULL), "");
	assert_string_equal(at(&f->p.config, "host", "a", NULL)->text, "xs3\ny");
	assert_true(at(&f->p.config, "host", "a", NULL)->secret);
}

struct self {
	const char *password;
};

static const struct tw_option options[] = { TW_SECRET(struct self, password, "the password"), TW_END };

static void bind_secret(struct folder *f, struct self *self)
{
	const struct binding binding = { options, sizeof *options, self };
	assert_int_equal(
		options_bind(at(&f->p.config, "host", NULL), &binding, 1, NULL, "host", &f->p.arena, &f->p.report), 0);
	assert_string_equal(self->password, "s3");
}

static void a_secret_file_that_others_can_read_is_a_warning(void **state)
{
	struct folder *f = *state;
	struct self self = { 0 };
	put("secret", "s3\n");
	put("one.yaml", "host:\n  password: ${file:secret}\n");
	assert_int_equal(chmod("secret", 0644), 0);
	assert_string_equal(load(f, "one.yaml", NULL), "");
	bind_secret(f, &self);
	assert_string_equal(
		printed(&f->p),
		"one.yaml:2:13: warning: host: option 'password': file 'secret' can be read by other users; "
		"chmod 600 it\n"
		"    2 |   password: **************\n"
		"      |             ^~~~~~~~~~~~~~\n"
		"check: 1 warning in 1 file\n");
}

static void a_private_secret_file_is_bound_in_silence(void **state)
{
	struct folder *f = *state;
	struct self self = { 0 };
	put("secret", "s3\n");
	put("one.yaml", "host:\n  password: ${file:secret}\n");
	assert_int_equal(chmod("secret", 0600), 0);
	assert_string_equal(load(f, "one.yaml", NULL), "");
	bind_secret(f, &self);
	assert_int_equal(f->p.report.n, 0);
}

static void a_secret_file_is_limited(void **state)
{
	struct folder *f = *state;
	FILE *out = fopen("secret", "w");
	assert_non_null(out);
	for (int i = 0; i < (64 << 10) + 1; i++)
		assert_int_equal(fputc('x', out), 'x');
	assert_int_equal(fclose(out), 0);
	put("one.yaml", "host: {a: \"${file:secret}\"}\n");
	load(f, "one.yaml", NULL);
	assert_int_equal(f->p.report.errors, 1);
	assert_string_equal(f->p.report.list[0].text, "file 'secret' is larger than 64 KiB");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_folder_is_merged_in_name_order),
		IN_FOLDER(a_name_in_two_files_names_both_places),
		IN_FOLDER(mistakes_of_all_files_come_in_one_run),
		IN_FOLDER(what_cannot_be_read_is_said),
		IN_FOLDER(a_folder_that_is_named_like_a_file_is_said),
		IN_FOLDER(a_link_to_itself_is_said),
		IN_FOLDER(a_device_is_no_configuration),
		IN_FOLDER(one_newline_of_a_secret_file_is_trimmed),
		IN_FOLDER(a_secret_file_that_others_can_read_is_a_warning),
		IN_FOLDER(a_private_secret_file_is_bound_in_silence),
		IN_FOLDER(a_secret_file_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
