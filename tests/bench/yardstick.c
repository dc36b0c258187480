/* SPDX-License-Identifier: Apache-2.0
 *
 * What this machine does with plain bytes: one pass of memcpy and one pass of counting lines over a file, read into
 * memory first. CPU seconds, the median of five passes each; printed as "memcpy S lines S".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5 };

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	double copied[ROUNDS], counted[ROUNDS];
	struct stat st;
	char *from, *to;
	size_t len = 0, lines = 0;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1, rc = 1;

	if (fd < 0 || fstat(fd, &st) != 0) {
		fprintf(stderr, "usage: yardstick FILE\n");
		return 2;
	}
	from = malloc((size_t)st.st_size + 1);
	to = malloc((size_t)st.st_size + 1);
	if (!from || !to)
		goto out;
	memset(to, 1, (size_t)st.st_size + 1); /* touched before it is timed */
	for (ssize_t n; len < (size_t)st.st_size && (n = read(fd, from + len, (size_t)st.st_size - len)) > 0;)
		len += (size_t)n;
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu();
		memcpy(to, from, len);
		__asm__ volatile("" : : "r"(to) : "memory"); /* it is never read: do not leave it out */
		copied[round] = cpu() - start;
		start = cpu();
		for (const char *p = from, *end = from + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
			lines++;
		counted[round] = cpu() - start;
	}
	qsort(copied, ROUNDS, sizeof *copied, by_value);
	qsort(counted, ROUNDS, sizeof *counted, by_value);
	printf("memcpy %.6f lines %.6f count %zu\n", copied[ROUNDS / 2], counted[ROUNDS / 2], lines / ROUNDS);
	rc = 0;
out:
	free(from);
	free(to);
	close(fd);
	return rc;
}
