/* SPDX-License-Identifier: Apache-2.0
 *
 * One bar at the bottom of the terminal, on stderr.
 */
#include "run/screen.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char bar[256];
static bool drawn;

static void wipe(void)
{
	if (drawn)
		fputs("\r\033[K", stderr);
	drawn = false;
}

static void draw(void)
{
	if (!bar[0])
		return;
	fprintf(stderr, "\r\033[K%s", bar);
	drawn = true;
}

void screen_begin(void)
{
	pthread_mutex_lock(&lock);
	wipe();
}

void screen_end(void)
{
	draw();
	pthread_mutex_unlock(&lock);
}

void screen_bar(const char *line)
{
	pthread_mutex_lock(&lock);
	wipe();
	snprintf(bar, sizeof bar, "%s", line);
	draw();
	pthread_mutex_unlock(&lock);
}

const struct tw_screen *screen_extension(void)
{
	static const struct tw_screen extension = { .struct_size = sizeof extension,
						    .begin = screen_begin,
						    .end = screen_end };
	return &extension;
}
