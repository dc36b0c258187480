/* SPDX-License-Identifier: Apache-2.0
 *
 * Today's header against every frozen one, at compile time: members of the binary contract stay where they were, with
 * the size they had, and constants keep their values. When an assertion fails here, the header was changed in a way
 * that breaks plugins in the field: append the member instead, or offer it as an extension.
 */
#include <tapewatch/plugin.h>

#define FROZEN_AT(type, member, offset, size)                                                                          \
	_Static_assert(offsetof(type, member) == (offset) && sizeof(((type *)0)->member) == (size),                    \
		       #type "." #member " was at " #offset " with " #size " bytes")
#define FROZEN_KIND(member, offset)                                                                                    \
	_Static_assert(offsetof(struct tw_event, member) == (offset), "events had ." #member " at " #offset)
#define FROZEN_SIZE(type, size)   _Static_assert(sizeof(type) == (size), #type " cannot grow: it had " #size " bytes")
#define FROZEN_START(type, size)  _Static_assert(sizeof(type) >= (size), #type " had " #size " bytes already")
#define FROZEN_VALUE(name, value) _Static_assert((name) == (value), #name " was " #value)

_Static_assert(sizeof(void *) == 8, "the frozen layouts are those of 64-bit machines");

#include "../../sdk/abi/0.9/layout.h"
