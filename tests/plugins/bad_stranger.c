/* SPDX-License-Identifier: Apache-2.0
 *
 * A shared object that has nothing to do with tapewatch.
 */
int stranger(void);
__attribute__((visibility("default"))) int stranger(void)
{
	return 1;
}
