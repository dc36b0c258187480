/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a plugin's shared object.
 *
 * RTLD_NOW, so that a missing symbol is found here and not at the first event. RTLD_LOCAL, so that plugins do not see
 * each other's symbols. RTLD_NODELETE and never dlclose(): threads, atexit handlers and thread-local destructors of a
 * library may outlive its last use. Not RTLD_DEEPBIND: sanitizers refuse it.
 */
#include "base/err.h"
#include "plugin/internal.h"
#include <dlfcn.h>
#include <string.h>

int32_t plugin_open(const char *real, const char *name, struct arena *a, struct plugin_set *ret, struct tw_err *e)
{
	void *library = dlopen(real, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	tw_plugin_fn *entry;
	void *symbol;

	if (!library) {
		const char *why = dlerror();
		size_t len = strlen(real);

		/* The loader begins with the path, too. */
		if (why && strncmp(why, real, len) == 0 && strncmp(why + len, ": ", 2) == 0)
			why += len + 2;
		return err_set(e, TW_E_CONFIG, "%s does not load: %s; rebuild it here, or install what it misses", real,
			       why ? why : "no reason given");
	}
	symbol = dlsym(library, "tw_plugin");
	if (!symbol)
		return err_set(e, TW_E_CONFIG,
			       "%s has no function tw_plugin(), so it is no tapewatch plugin; end its source with "
			       "TW_DETECTOR, TW_SOURCE or TW_SINK of tapewatch/plugin.h",
			       real);
	memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function pointer */
	return plugin_manifest_check(entry(), real, name, a, ret, e);
}
