/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be known about a plugin's file before any of its code runs: who could have written it, and whether it is
 * a whole shared object for this machine.
 *
 * The file is opened later by its real path, not by the descriptor looked at here: debuggers, profilers and sanitizers
 * find the code by that path. Between the look and the loading only those can put another file there who may write to
 * the file or its folder, and these are checked to be trusted.
 */
#include "base/err.h"
#include "base/os.h"
#include "plugin/internal.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#elif defined(__riscv)
#define THIS_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define THIS_MACHINE EM_PPC64
#elif defined(__s390x__)
#define THIS_MACHINE EM_S390
#endif

/* ---- who could have written it ---- */

/* Groups of one are how many systems give every user a group: writable by that is writable by nobody else. */
static bool is_private_group(gid_t gid, uid_t owner)
{
	char user_text[4096], group_text[4096];
	struct passwd user, *pw = NULL;
	struct group group, *gr = NULL;

	if (getpwuid_r(owner, &user, user_text, sizeof user_text, &pw) != 0 || !pw ||
	    getgrgid_r(gid, &group, group_text, sizeof group_text, &gr) != 0 || !gr)
		return false;
	if (user.pw_gid != gid || strcmp(group.gr_name, user.pw_name) != 0)
		return false;
	for (char **member = group.gr_mem; *member; member++)
		if (strcmp(*member, user.pw_name) != 0)
			return false;
	return true;
}

static int32_t check_owner(const char *path, const struct stat *st, struct tw_err *e)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(e, TW_E_CONFIG,
			       "%s belongs to user %u; a plugin and its folder must belong to root or to the user that "
			       "runs tapewatch (%u): chown it, or install it as that user",
			       path, (unsigned)st->st_uid, (unsigned)geteuid());
	if (st->st_mode & S_IWOTH)
		return err_set(
			e, TW_E_CONFIG,
			"%s can be written by every user, who could run code in tapewatch that way: chmod o-w %s", path,
			path);
	if ((st->st_mode & S_IWGRP) && !is_private_group(st->st_gid, st->st_uid))
		return err_set(
			e, TW_E_CONFIG,
			"%s can be written by everybody in group %u, who could run code in tapewatch that way: chmod "
			"g-w %s",
			path, (unsigned)st->st_gid, path);
	return TW_OK;
}

/* The folders above must not let others move the folder away and put theirs there; a sticky one does not. */
static int32_t check_folders(const char *real, struct tw_err *e)
{
	char path[PATH_MAX];
	size_t len = strlen(real);
	bool first = true;
	struct stat st;
	int32_t rc;

	memcpy(path, real, len + 1);
	while (len > 0) {
		while (len > 1 && path[len - 1] != '/')
			len--;
		if (len > 1)
			len--; /* the slash, but not the root's */
		path[len] = '\0';
		if (os->stat(path, &st) != 0)
			return err_sys(e, errno, "cannot look at the plugin folder %s", path);
		if (first) {
			rc = check_owner(path, &st, e);
			if (rc)
				return rc;
			first = false;
		} else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
			return err_set(e, TW_E_CONFIG,
				       "%s lies below %s, which every user can write to: chmod o-w %s, or move the "
				       "plugin folder",
				       real, path, path);
		}
		if (len == 1)
			break;
	}
	return TW_OK;
}

/* ---- is it a shared object for this machine ---- */

#ifdef THIS_MACHINE
static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_AARCH64:
		return "arm64";
	case EM_386:
		return "x86 (32 bits)";
	case EM_ARM:
		return "arm (32 bits)";
	case EM_RISCV:
		return "riscv";
	case EM_PPC64:
		return "ppc64";
	case EM_S390:
		return "s390";
	default:
		return "another machine";
	}
}
#endif

static int32_t check_header(const char *path, const Elf64_Ehdr *h, size_t got, struct tw_err *e)
{
	const unsigned char *id = h->e_ident;

	if (got < EI_NIDENT || memcmp(id, ELFMAG, SELFMAG) != 0)
		return err_set(e, TW_E_CONFIG,
			       "%s is not a shared object (no ELF header): build it with cc -shared -fPIC", path);
#ifdef THIS_MACHINE
	/* e_machine stands at the same place in 32-bit files. */
	if (got >= 20 && id[EI_DATA] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) &&
	    h->e_machine != THIS_MACHINE)
		return err_set(e, TW_E_CONFIG, "%s is built for %s, this tapewatch for %s: rebuild the plugin here",
			       path, machine_name(h->e_machine), machine_name(THIS_MACHINE));
#endif
	if (id[EI_CLASS] != ELFCLASS64 ||
	    id[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return err_set(e, TW_E_CONFIG,
			       "%s is built for another kind of machine (word size or byte order): "
			       "rebuild the plugin here",
			       path);
	if (got < sizeof *h)
		return err_set(e, TW_E_CONFIG, "%s is cut short after %zu bytes: copy or build it again", path, got);
	if (h->e_type != ET_DYN)
		return err_set(e, TW_E_CONFIG, "%s is an ELF file, but not a shared object: link it with cc -shared",
			       path);
	return TW_OK;
}

/* Every loaded part must lie inside the file: touching a missing page later would kill the process. */
static int32_t check_whole(const char *path, int fd, const Elf64_Ehdr *h, uint64_t size, struct tw_err *e)
{
	Elf64_Phdr ph;
	uint64_t end;

	if (h->e_phentsize != sizeof ph || h->e_phnum == 0 || h->e_phnum > 1024)
		return err_set(e, TW_E_CONFIG,
			       "%s has a damaged ELF header (%u program headers of %u bytes): copy or "
			       "build it again",
			       path, (unsigned)h->e_phnum, (unsigned)h->e_phentsize);
	for (unsigned i = 0; i < h->e_phnum; i++) {
		uint64_t at = h->e_phoff + i * sizeof ph;

		if (h->e_phoff > size || at + sizeof ph > size)
			goto cut;
		if (os->pread(fd, &ph, sizeof ph, (off_t)at) != (ssize_t)sizeof ph)
			goto cut;
		if (ph.p_type != PT_LOAD && ph.p_type != PT_DYNAMIC)
			continue;
		if (__builtin_add_overflow(ph.p_offset, ph.p_filesz, &end) || end > size)
			goto cut;
	}
	return TW_OK;
cut:
	return err_set(e, TW_E_CONFIG,
		       "%s is cut short: its %" PRIu64 " bytes end before its contents do; copy or build "
		       "it again",
		       path, size);
}

int32_t plugin_file_check(const char *path, char real[PATH_MAX], struct tw_err *e)
{
	Elf64_Ehdr header;
	struct stat st;
	ssize_t got;
	int32_t rc;
	int fd;

	if (!realpath(path, real))
		return err_sys(e, errno, "cannot find plugin file %s", path);
	if (os->stat(real, &st) != 0)
		return err_sys(e, errno, "cannot look at plugin file %s", real);
	if (!S_ISREG(st.st_mode))
		return err_set(e, TW_E_CONFIG, "%s is not a regular file; a plugin is a shared object NAME.so", real);
	rc = check_owner(real, &st, e);
	if (rc)
		return rc;
	rc = check_folders(real, e);
	if (rc)
		return rc;
	fd = os->open(real, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(e, errno, "cannot read plugin file %s", real);
	memset(&header, 0, sizeof header);
	got = os->pread(fd, &header, sizeof header, 0);
	if (got < 0)
		rc = err_sys(e, errno, "cannot read plugin file %s", real);
	else
		rc = check_header(real, &header, (size_t)got, e);
	if (!rc)
		rc = check_whole(real, fd, &header, (uint64_t)st.st_size, e);
	(void)os->close(fd);
	return rc;
}
