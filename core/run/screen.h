/* SPDX-License-Identifier: Apache-2.0
 *
 * The terminal is shared by the progress bar, log lines and the console sink. Whoever prints calls screen_begin()
 * first, which takes the lock and wipes the bar, and screen_end() after, which draws it again. Without a bar both only
 * lock. Sinks reach them as extension "screen/1".
 */
#ifndef RUN_SCREEN_H
#define RUN_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

struct tw_screen { /* extension "screen/1" */
	uint32_t struct_size, reserved;
	void (*begin)(void);
	void (*end)(void);
};
const struct tw_screen *screen_extension(void);

void screen_begin(void);
void screen_end(void);
/* Show this line at the bottom of the terminal; "" removes it. */
void screen_bar(const char *line);

#endif
