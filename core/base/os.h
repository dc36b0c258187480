/* SPDX-License-Identifier: Apache-2.0
 *
 * The one door to the kernel: every file, clock and random call of the core goes through this table, so that a test
 * or the simulator can put another table in its place and fail the Nth call, stop the clock or tear a write.
 * Calls answer as their POSIX namesakes do: -1 and errno. LMDB talks to the kernel by itself; the store is the room
 * that the simulator replaces as a whole.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct os {
	int (*open)(const char *path, int flags, unsigned mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *buf, size_t n);
	ssize_t (*pread)(int fd, void *buf, size_t n, off_t at);
	ssize_t (*write)(int fd, const void *buf, size_t n);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t size);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);
	int (*mkdir)(const char *path, unsigned mode);
	int (*stat)(const char *path, struct stat *st);
	int64_t (*wall)(void); /* ns since 1970 UTC */
	int64_t (*mono)(void); /* ns, never goes back */
	int64_t (*thread_cpu)(void); /* ns of processor time of the calling thread */
	int (*random)(void *buf, size_t n);
	void (*pause)(int64_t ns); /* sleep; a signal may end it early */
	/* One message to a unix socket, a path or @name; waits a second at most. 0, or -1 and errno. */
	int (*datagram)(const char *address, const void *message, size_t n);
};

/* The table in use. Replaced by tests only, before any thread starts. */
extern const struct os *os;
extern const struct os os_real;

/* Make a directory and its parents, mode for the last one. 0, or -1 and errno. */
int os_mkdirs(const char *path, unsigned mode);
/* fsync a directory, so that a file created in it survives a power failure. */
int os_sync_dir(const char *path);

#endif
