/* SPDX-License-Identifier: Apache-2.0
 *
 * What a shell needs to complete `tapewatch`, from the same tables as --help.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "cli/cli.h"

/* shell: bash, zsh or fish. Returns an exit code. */
int cli_completion(const struct verb *const *verbs, const char *shell, FILE *);

#endif
