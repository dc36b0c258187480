/* SPDX-License-Identifier: Apache-2.0
 *
 * Changing a configuration that has been read and not yet planned: the command line's word goes over that of a file.
 */
#ifndef CONFIG_EDIT_H
#define CONFIG_EDIT_H

#include "config/config.h"

struct config_edit {
	const char *section, *instance; /* "detectors", "spikes" */
	const char *option;             /* NULL: leave nothing of the instance but what the host itself knows of a source */
	const char *const *values;      /* n 0: take the option away */
	uint32_t n;
	bool list;                      /* as a list, whatever n is */
	const char *origin;             /* stands for the file in messages, such as "--sweep" */
};

/* Texts are copied. TW_OK, TW_AGAIN when there is no such instance, or TW_E_FATAL (memory). The digest of c is made
 * anew. */
int32_t config_edit(struct config *c, const struct config_edit *);
/* Take a whole section away. */
int32_t config_drop(struct config *c, const char *section);

#endif
