/* SPDX-License-Identifier: Apache-2.0
 *
 * "secrets/1": values that must not be printed and may change while the host runs. An option of type SECRET is read
 * once; a secret from here is read again when its file has changed, so that a token can be renewed without a restart.
 * Old values are zeroed. The host never prints one; neither should the plugin.
 */
#ifndef TAPEWATCH_EXT_SECRETS_H
#define TAPEWATCH_EXT_SECRETS_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_SECRETS 64u        /* of one instance */
#define TW_SECRET_BYTES 65536u

struct tw_secret;

struct tw_secrets {
	uint32_t struct_size, reserved;

	/* what: "env:NAME" or "file:PATH", as in ${env:NAME}. NULL, and why in err, when it is not there. One that is
	 * asked for twice is the same. A file that group or others may read is used with a warning.
	 * [control] [source] [sink] */
	struct tw_secret *(*open)(const struct tw_secrets *, const char *what, struct tw_err *);

	/* Its value as text, without the newline at its end; lives until the next get() of the same secret. Looks at the
	 * file, and reads it when it is another one than before. When that fails the old value stands, and the log says
	 * so. Not two threads at once. [control] [source] [sink] */
	const char *(*get)(struct tw_secret *);
};

#ifdef __cplusplus
}
#endif
#endif
