/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's log under the name of the instance.
 */
#include "base/log.h"
#include "ext/ext_impl.h"
#include <stdlib.h>

struct log_service {
	struct tw_log pub;
	const char *who;
};

static void log_write(const struct tw_log *pub, int32_t level, const char *text, const struct tw_field *fields,
		      uint32_t n)
{
	const struct log_service *s = (const struct log_service *)(const void *)pub;

	log_fields(level, s->who, text, fields, n);
}

void *log_service_new(struct ext *x)
{
	struct log_service *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->pub = (struct tw_log){ .struct_size = sizeof s->pub, .write = log_write };
	s->who = x->instance;
	return s;
}

void log_service_free(void *of)
{
	free(of);
}
