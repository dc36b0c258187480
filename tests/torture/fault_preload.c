/* SPDX-License-Identifier: Apache-2.0
 *
 * A library for LD_PRELOAD that makes the kernel and the allocator fail on demand, and writes down what reaches the
 * disk.
 *
 *   TW_FAULT_ROOT=DIR        writes and syncs count when their file lies below this folder (an absolute path)
 *   TW_FAULT=CALL:N[+]:WHAT  the Nth CALL of the process (with +: and each after it) goes wrong
 *       CALL write   pwrite, write, writev, pwritev            WHAT  EIO, ENOSPC, EINTR, short (half of it is written)
 *            sync    fsync, fdatasync                                EIO, ENOSPC
 *            alloc   malloc, calloc, realloc, aligned ones           null
 *       and for each of them delayMS: it takes MS milliseconds longer
 *   TW_FAULT_COUNT=FILE      at the end of the process "write N", "sync N" and "alloc N"
 *   TW_FAULT_LOG=FILE        all changes of files below the folder, in order; tests/torture/images.py reads it
 *
 * Children that the process forks go unharmed: their deaths are a matter of other tests.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

/* glibc's allocator under its other name: it is needed before dlsym() can be called. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum call { CALL_WRITE, CALL_SYNC, CALL_ALLOC, CALLS };
enum { DO_SHORT = -1, DO_DELAY = -2 };

static const char *const call_names[CALLS] = { "write", "sync", "alloc" };
static struct {
	uint64_t at;
	bool on; /* and each after it */
	int what, ms;
} faults[CALLS];
static _Atomic uint64_t counts[CALLS];
static _Atomic bool armed;
static char root[PATH_MAX];
static size_t root_len;
static const char *count_path;
static int log_fd = -1;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_open)(const char *, int, ...);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_ftruncate)(int, off_t);
static int (*real_mkdir)(const char *, mode_t);

/* ---- setting up ---- */

static void die(const char *sentence)
{
	fprintf(stderr, "fault_preload: %s\n", sentence);
	_exit(125);
}

static void read_fault(const char *text)
{
	const char *colon = strchr(text, ':');
	char *end;
	int call = -1;

	for (int i = 0; colon && i < CALLS; i++)
		if (strlen(call_names[i]) == (size_t)(colon - text) &&
		    !strncmp(text, call_names[i], strlen(call_names[i])))
			call = i;
	if (call < 0) {
		die("TW_FAULT begins with write:, sync: or alloc:");
		return;
	}
	faults[call].at = strtoull(colon + 1, &end, 10);
	faults[call].on = *end == '+';
	end += faults[call].on;
	if (!faults[call].at || *end++ != ':')
		die("TW_FAULT has a number from 1 behind the call");
	if (!strcmp(end, "EIO"))
		faults[call].what = EIO;
	else if (!strcmp(end, "ENOSPC"))
		faults[call].what = ENOSPC;
	else if (!strcmp(end, "EINTR"))
		faults[call].what = EINTR;
	else if (!strcmp(end, "null"))
		faults[call].what = ENOMEM;
	else if (!strcmp(end, "short"))
		faults[call].what = DO_SHORT;
	else if (!strncmp(end, "delay", 5))
		faults[call].what = DO_DELAY, faults[call].ms = (int)strtol(end + 5, NULL, 10);
	else
		die("TW_FAULT ends in EIO, ENOSPC, EINTR, short, null or delayMS");
}

static void in_child(void)
{
	atomic_store(&armed, false);
}

static void find_real(void)
{
	*(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
	*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	*(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
	*(void **)&real_pwritev = dlsym(RTLD_NEXT, "pwritev");
	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	*(void **)&real_open = dlsym(RTLD_NEXT, "open");
	*(void **)&real_rename = dlsym(RTLD_NEXT, "rename");
	*(void **)&real_unlink = dlsym(RTLD_NEXT, "unlink");
	*(void **)&real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
	*(void **)&real_mkdir = dlsym(RTLD_NEXT, "mkdir");
}

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("TW_FAULT"), *folder = getenv("TW_FAULT_ROOT"), *path = getenv("TW_FAULT_LOG");

	find_real();
	(void)backtrace(&(void *){ NULL }, 1); /* loads what it needs, now that it may allocate */
	if (folder)
		root_len = (size_t)snprintf(root, sizeof root, "%s/", folder);
	if (fault && *fault)
		read_fault(fault);
	count_path = getenv("TW_FAULT_COUNT");
	if (path)
		log_fd = real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
	if (path && log_fd < 0)
		die("TW_FAULT_LOG cannot be written");
	pthread_atfork(NULL, NULL, in_child);
	atomic_store(&armed, true);
}

__attribute__((destructor)) static void end(void)
{
	char text[200];
	int fd, n;

	if (!atomic_load(&armed) || !count_path)
		return;
	n = snprintf(text, sizeof text, "write %llu\nsync %llu\nalloc %llu\n",
		     (unsigned long long)atomic_load(&counts[CALL_WRITE]),
		     (unsigned long long)atomic_load(&counts[CALL_SYNC]),
		     (unsigned long long)atomic_load(&counts[CALL_ALLOC]));
	atomic_store(&armed, false);
	fd = real_open(count_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || real_write(fd, text, (size_t)n) != n)
		die("TW_FAULT_COUNT cannot be written");
	close(fd);
}

/* ---- the Nth call ---- */

/* What is to happen to this call: 0, an errno value, or DO_SHORT. */
static int fate(enum call call)
{
	uint64_t n;

	if (!atomic_load_explicit(&armed, memory_order_relaxed))
		return 0;
	n = atomic_fetch_add_explicit(&counts[call], 1, memory_order_relaxed) + 1;
	if (!faults[call].at || (faults[call].on ? n < faults[call].at : n != faults[call].at))
		return 0;
	if (faults[call].what == DO_DELAY) {
		struct timespec t = { faults[call].ms / 1000, faults[call].ms % 1000 * 1000000L };
		nanosleep(&t, NULL);
		return 0;
	}
	return faults[call].what;
}

/* The path of an open file below the root, relative to it; "" is the root itself. */
static bool below(int fd, char out[PATH_MAX])
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (!root_len || !atomic_load_explicit(&armed, memory_order_relaxed))
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 2);
	if (n <= 0)
		return false;
	path[n] = '/';
	path[n + 1] = '\0';
	if (strncmp(path, root, root_len) != 0)
		return false;
	path[n] = '\0';
	snprintf(out, PATH_MAX, "%s", (size_t)n < root_len ? "" : path + root_len);
	return true;
}

static bool named_below(const char *path, char out[PATH_MAX])
{
	char full[PATH_MAX], folder[PATH_MAX], *slash, *resolved;

	if (!root_len || !atomic_load_explicit(&armed, memory_order_relaxed) || strlen(path) >= sizeof folder)
		return false;
	memcpy(folder, path, strlen(path) + 1);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	resolved = realpath(slash ? folder : ".", full);
	if (!resolved || strlen(full) + strlen(path) + 2 > sizeof full)
		return false;
	strncat(full, "/", sizeof full - strlen(full) - 1);
	strncat(full, slash ? path + (slash - folder) + 1 : path, sizeof full - strlen(full) - 1);
	if (strncmp(full, root, root_len) != 0)
		return false;
	snprintf(out, PATH_MAX, "%s", full + root_len);
	return true;
}

/* ---- the log: op u8, length of the path u8, offset u64, length u64, the path, the data ---- */

static void log_op(char op, const char *path, uint64_t offset, const void *data, uint64_t len)
{
	unsigned char head[18];
	struct iovec v[3] = { { head, sizeof head },
			      { (void *)(uintptr_t)path, strlen(path) },
			      { (void *)(uintptr_t)data, len } };
	size_t total = sizeof head + strlen(path) + len;

	if (log_fd < 0 || !atomic_load_explicit(&armed, memory_order_relaxed))
		return;
	if (strlen(path) > UINT8_MAX)
		die("a path is too long for the log");
	head[0] = (unsigned char)op;
	head[1] = (unsigned char)strlen(path);
	memcpy(head + 2, &offset, 8);
	memcpy(head + 10, &len, 8);
	pthread_mutex_lock(&log_lock);
	if (real_writev(log_fd, v, data ? 3 : 2) != (ssize_t)(data ? total : total - len))
		die("the log cannot be written");
	pthread_mutex_unlock(&log_lock);
}

static void log_write(int fd, const char *path, off_t at, const void *data, size_t len)
{
	log_op(fcntl(fd, F_GETFL) & O_DSYNC ? 'D' : 'W', path, (uint64_t)at, data, len);
}

/* ---- files ---- */

/* Where a write without an offset of its own goes. */
static off_t place(int fd)
{
	struct stat st;

	if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &st) == 0)
		return st.st_size;
	return lseek(fd, 0, SEEK_CUR);
}

static ssize_t write_at(int fd, const void *buf, size_t n, off_t at, bool given)
{
	char path[PATH_MAX];
	int bad;

	if (!below(fd, path))
		return given ? real_pwrite(fd, buf, n, at) : real_write(fd, buf, n);
	bad = fate(CALL_WRITE);
	if (bad > 0) {
		errno = bad;
		return -1;
	}
	if (bad == DO_SHORT && n > 1)
		n /= 2;
	log_write(fd, path, given ? at : place(fd), buf, n);
	return given ? real_pwrite(fd, buf, n, at) : real_write(fd, buf, n);
}

SEEN ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return write_at(fd, buf, n, at, true);
}

SEEN ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	return write_at(fd, buf, n, at, true);
}

SEEN ssize_t write(int fd, const void *buf, size_t n)
{
	return write_at(fd, buf, n, 0, false);
}

static ssize_t writev_at(int fd, const struct iovec *v, int n, off_t at, bool given)
{
	char path[PATH_MAX];
	int bad;

	if (!below(fd, path))
		return given ? real_pwritev(fd, v, n, at) : real_writev(fd, v, n);
	bad = fate(CALL_WRITE);
	if (bad > 0) {
		errno = bad;
		return -1;
	}
	if (!given)
		at = place(fd);
	if (bad == DO_SHORT) {
		log_write(fd, path, at, v[0].iov_base, v[0].iov_len / 2);
		return given ? real_pwrite(fd, v[0].iov_base, v[0].iov_len / 2, at)
			     : real_write(fd, v[0].iov_base, v[0].iov_len / 2);
	}
	for (off_t i = 0, to = at; i < n; to += (off_t)v[i].iov_len, i++)
		log_write(fd, path, to, v[i].iov_base, v[i].iov_len);
	return given ? real_pwritev(fd, v, n, at) : real_writev(fd, v, n);
}

SEEN ssize_t writev(int fd, const struct iovec *v, int n)
{
	return writev_at(fd, v, n, 0, false);
}

SEEN ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return writev_at(fd, v, n, at, true);
}

SEEN ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	return writev_at(fd, v, n, at, true);
}

static int sync_file(int fd, int (*real)(int))
{
	char path[PATH_MAX];
	struct stat st;
	int bad, rc;

	if (!below(fd, path))
		return real(fd);
	bad = fate(CALL_SYNC);
	if (bad > 0) {
		errno = bad;
		return -1;
	}
	rc = real(fd);
	if (rc == 0 && fstat(fd, &st) == 0)
		log_op(S_ISDIR(st.st_mode) ? 'Y' : 'S', path, 0, NULL, 0);
	return rc;
}

SEEN int fsync(int fd)
{
	return sync_file(fd, real_fsync);
}

SEEN int fdatasync(int fd)
{
	return sync_file(fd, real_fdatasync);
}

SEEN int ftruncate(int fd, off_t size)
{
	char path[PATH_MAX];

	if (below(fd, path))
		log_op('T', path, (uint64_t)size, NULL, 0);
	return real_ftruncate(fd, size);
}

static int open_file(const char *path, int flags, mode_t mode)
{
	char name[PATH_MAX];
	struct stat st;
	bool made = (flags & O_CREAT) && log_fd >= 0 && named_below(path, name) && stat(path, &st) < 0;
	int fd = real_open(path, flags, mode);

	if (fd >= 0 && made)
		log_op('C', name, 0, NULL, 0);
	return fd;
}

SEEN int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_file(path, flags, mode);
}

SEEN int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_file(path, flags, mode);
}

SEEN int rename(const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];
	bool ours = log_fd >= 0 && named_below(from, a) && named_below(to, b);
	int rc = real_rename(from, to);

	if (rc == 0 && ours)
		log_op('R', a, 0, b, strlen(b));
	return rc;
}

SEEN int unlink(const char *path)
{
	char name[PATH_MAX];
	bool ours = log_fd >= 0 && named_below(path, name);
	int rc = real_unlink(path);

	if (rc == 0 && ours)
		log_op('U', name, 0, NULL, 0);
	return rc;
}

SEEN int mkdir(const char *path, mode_t mode)
{
	char name[PATH_MAX];
	bool ours = log_fd >= 0 && named_below(path, name);
	int rc = real_mkdir(path, mode);

	if (rc == 0 && ours)
		log_op('M', name, 0, NULL, 0);
	return rc;
}

/* ---- memory ---- */

/* Who asked, so that a death of a library that does not look at the answer can be told from one of ours. */
static void name_caller(void)
{
	const char *parts[] = { "fault_preload: an allocation of ", "?", " fails\n" };
	void *frames[12];
	Dl_info info;
	int n = backtrace(frames, 12);

	for (int i = 3; i < n; i++) /* the first are here; the C library asks on behalf of others */
		if (dladdr(frames[i], &info) && info.dli_fname && !strstr(info.dli_fname, "/libc.so")) {
			parts[1] = info.dli_fname;
			break;
		}
	for (int i = 0; i < 3; i++)
		if (real_write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

static bool refused(void)
{
	if (fate(CALL_ALLOC) <= 0)
		return false;
	name_caller();
	errno = ENOMEM;
	return true;
}

SEEN void *malloc(size_t n)
{
	return refused() ? NULL : __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
	return refused() ? NULL : __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
	return refused() ? NULL : __libc_realloc(p, n);
}

SEEN void *aligned_alloc(size_t align, size_t n)
{
	return refused() ? NULL : __libc_memalign(align, n);
}

SEEN int posix_memalign(void **ret, size_t align, size_t n)
{
	void *p = refused() ? NULL : __libc_memalign(align, n);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}
