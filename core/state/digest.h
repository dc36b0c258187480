/* SPDX-License-Identifier: Apache-2.0
 *
 * One SHA-256 over what the detectors said: two runs over the same input have the same.
 */
#ifndef STATE_DIGEST_H
#define STATE_DIGEST_H

#include "state/store.h"

/* Over all alerts of the alert log in order, made of everything except the tape's id (the alert id up to its first
 * '-') and wall-clock times. hex: 64 digits and a NUL. */
int32_t alerts_digest(struct store *, char hex[65], uint64_t *ret_n, struct tw_err *);

#endif
