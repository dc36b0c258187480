/* SPDX-License-Identifier: Apache-2.0
 *
 * The null sink takes everything and counts it.
 */
#include "sink_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void it_takes_and_counts_every_record(void **state)
{
	(void)state;
	struct sink_kit k;
	struct tw_event ev[3] = { { 0 } };
	sink_kit_load(&k, PLUGIN_DIR, "null");
	assert_int_equal(sink_kit_open(&k), TW_OK);
	assert_int_equal(sink_kit_write(&k, ev, 3), TW_OK);
	assert_int_equal(k.done, 3);
	assert_int_equal(sink_kit_write(&k, ev, 2), TW_OK);
	assert_int_equal(k.done, 2);
	assert_int_equal(*(int64_t *)k.self, 5);
	sink_kit_close(&k);
	sink_kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_takes_and_counts_every_record) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
