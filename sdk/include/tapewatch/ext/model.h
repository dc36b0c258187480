/* SPDX-License-Identifier: Apache-2.0
 *
 * "model/1": the bytes of a model file, with a version and a digest to put on alerts.
 *
 *   PATH           any bytes; read into memory as a whole
 *   PATH.version   optional: one line of text, the version. Without it the first 12 digits of the digest are
 *   PATH.sha256    optional: 64 hex digits, as sha256sum writes them. Another digest than that is refused
 *
 * A new version is put in place by renaming, and taken up by `tapewatch reload`: detectors are opened anew between two
 * batches, with a checkpoint in between, and open() finds the new bytes. The old ones stay until everybody who opened
 * them has been closed. If the new file is refused, the reload is, and the old model judges on. Sources and sinks that a
 * reload leaves alone ask refresh().
 */
#ifndef TAPEWATCH_EXT_MODEL_H
#define TAPEWATCH_EXT_MODEL_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_MODELS 16u /* of one instance */

/* Read-only; lives until the instance is closed, and in sources and sinks until the next refresh(). */
struct tw_model_file {
	uint32_t struct_size, reserved;
	const void *bytes; /* 64-byte aligned */
	uint64_t len;
	const char *version;
	char digest[65];     /* SHA-256 of the bytes, hex */
	uint64_t generation; /* 1, then one more for each other content under this path while the process runs */
};

struct tw_model {
	uint32_t struct_size, reserved;

	/* max: bytes beyond which the file is refused, at most 4 GiB. NULL, and why in err. [control] [source] [sink] */
	const struct tw_model_file *(*open)(const struct tw_model *, const char *path, uint64_t max, struct tw_err *);

	/* Has the file changed? TW_OK: *file is the new one, and the old one is gone for this instance; TW_AGAIN: no;
	 * negative: it has, and is refused; the old one stays. [source] [sink] */
	int32_t (*refresh)(const struct tw_model *, const struct tw_model_file **file, struct tw_err *);
};

/* For tw_finding.details: which model an alert comes from. */
static inline struct tw_detail tw_model_detail(const struct tw_model_file *f)
{
	struct tw_detail d;
	uint32_t n = 0;
	d.name.s = "model";
	d.name.len = 5;
	d.name.reserved = 0;
	while (f->version[n])
		n++;
	d.text.s = f->version;
	d.text.len = n;
	d.text.reserved = 0;
	d.number = 0;
	return d;
}

#ifdef __cplusplus
}
#endif
#endif
