/* SPDX-License-Identifier: Apache-2.0
 *
 * The load rule: what a manifest must be for this host to use it, and our own copy of what it says.
 *
 * A plugin may be older than this host, so its structs may be shorter than ours, and the rows of its option table too.
 * Everything is copied by min(struct_size) into zero-filled structs, so that what it does not have reads as absent.
 */
#include "base/err.h"
#include "event/event.h"
#include "plugin/internal.h"
#include <string.h>

const char *const plugin_kind_names[PLUGIN_KINDS] = { "source", "detector", "sink" };

#define REBUILD "rebuild it against this tapewatch's tapewatch/plugin.h"

/* The members that every version of the ABI has had, in all three kinds alike. */
#define COMMON_MIN offsetof(struct tw_detector, doc)
_Static_assert(offsetof(struct tw_source, doc) == COMMON_MIN && offsetof(struct tw_sink, doc) == COMMON_MIN &&
		       offsetof(struct tw_source, check) == offsetof(struct tw_detector, check) &&
		       offsetof(struct tw_sink, check) == offsetof(struct tw_detector, check),
	       "TW_COMMON comes first in all kinds");
_Static_assert(offsetof(struct tw_manifest, magic) == 0 && offsetof(struct tw_manifest, abi) == 4 &&
		       offsetof(struct tw_manifest, struct_size) == 8 &&
		       offsetof(struct tw_manifest, event_schema) == 12,
	       "the first 16 bytes are frozen");

static int32_t check_versions(const struct tw_manifest *m, const char *file, struct tw_err *e)
{
	int major, minor;

	if (m->magic != TW_MAGIC)
		return err_set(e, TW_E_CONFIG,
			       "%s is no tapewatch plugin: its manifest begins with 0x%08x, expected 0x%08x; " REBUILD,
			       file, m->magic, TW_MAGIC);
	major = (int)(m->abi >> 16);
	minor = (int)(m->abi & 0xffff);
	if (major != (int)TW_ABI_MAJOR)
		return err_set(e, TW_E_CONFIG, "%s was built for plugin ABI %d.%d, this tapewatch has %u.%u; %s", file,
			       major, minor, TW_ABI_MAJOR, TW_ABI_MINOR,
			       major < (int)TW_ABI_MAJOR ? REBUILD
							 : "upgrade tapewatch, or rebuild it against the older header");
	if (minor > (int)TW_ABI_MINOR)
		return err_set(
			e, TW_E_CONFIG,
			"%s was built for plugin ABI %d.%d, this tapewatch only has %u.%u; upgrade tapewatch, or "
			"rebuild the plugin against the older header",
			file, major, minor, TW_ABI_MAJOR, TW_ABI_MINOR);
	if (m->event_schema < 1 || m->event_schema > TW_EVENT_SCHEMA)
		return err_set(e, TW_E_CONFIG, "%s uses event schema %u, this tapewatch has 1 to %u; %s", file,
			       m->event_schema, TW_EVENT_SCHEMA,
			       m->event_schema < 1 ? REBUILD
						   : "upgrade tapewatch, or rebuild it against the older header");
	if (m->struct_size < 16)
		return err_set(e, TW_E_CONFIG, "%s has a manifest of %u bytes, expected at least 16; " REBUILD, file,
			       m->struct_size);
	return TW_OK;
}

/* ---- what each kind must have ---- */

static int32_t check_detector(const struct tw_detector *d, const char *file, struct tw_err *e)
{
	if (!d->process)
		return err_set(e, TW_E_CONFIG, "%s: detector '%s' has no process(); " REBUILD, file, d->name);
	if (d->kinds == 0 || (d->kinds & ~(uint32_t)TW_ANY))
		return err_set(e, TW_E_CONFIG,
			       "%s: detector '%s' wants kinds 0x%x; set .kinds to some of TW_QUOTE ... TW_ANY", file,
			       d->name, d->kinds);
	if (d->emits & ~(uint32_t)TW_ANY)
		return err_set(e, TW_E_CONFIG,
			       "%s: detector '%s' emits unknown kinds 0x%x; set .emits to TW_SCORE or 0", file, d->name,
			       d->emits);
	if (d->key && strcmp(d->key, "symbol") != 0 && strcmp(d->key, "account") != 0 &&
	    strcmp(d->key, "account,symbol") != 0)
		return err_set(
			e, TW_E_CONFIG,
			"%s: detector '%s' has the key '%.40s'; known are \"symbol\", \"account\", \"account,symbol\" "
			"and NULL",
			file, d->name, d->key);
	if (d->state_size > PLUGIN_MAX_STATE)
		return err_set(
			e, TW_E_CONFIG,
			"%s: detector '%s' wants a state of %u bytes for each key, the limit is %u; keep a smaller "
			"window or summary",
			file, d->name, d->state_size, PLUGIN_MAX_STATE);
	if (!d->save != !d->load)
		return err_set(e, TW_E_CONFIG, "%s: detector '%s' has %s; a model needs both save() and load()", file,
			       d->name, d->save ? "save() without load()" : "load() without save()");
	for (uint32_t i = 0; d->counters && d->counters[i]; i++) {
		if (i == PLUGIN_MAX_COUNTERS)
			return err_set(e, TW_E_CONFIG,
				       "%s: detector '%s' has more than %d counters, or its list does not end in NULL",
				       file, d->name, PLUGIN_MAX_COUNTERS);
		if (!plugin_name_ok(d->counters[i], strnlen(d->counters[i], PLUGIN_NAME_MAX + 1)))
			return err_set(e, TW_E_CONFIG,
				       "%s: detector '%s' has a counter named '%.40s'; use letters, digits and _", file,
				       d->name, d->counters[i]);
	}
	return TW_OK;
}

static int32_t check_kind(const struct plugin *p, const char *file, struct tw_err *e)
{
	if (p->kind == PLUGIN_DETECTOR)
		return check_detector(&p->detector, file, e);
	if (p->kind == PLUGIN_SOURCE && !p->source.poll)
		return err_set(e, TW_E_CONFIG, "%s: source '%s' has no poll(); " REBUILD, file, p->name);
	if (p->kind == PLUGIN_SINK && !p->sink.write)
		return err_set(e, TW_E_CONFIG, "%s: sink '%s' has no write(); " REBUILD, file, p->name);
	if (p->kind == PLUGIN_SINK && !p->sink.position != !p->sink.mark)
		return err_set(e, TW_E_CONFIG,
			       "%s: sink '%s' has %s; a cursor that is kept with the data takes both; " REBUILD, file,
			       p->name, p->sink.mark ? "mark() and no position()" : "position() and no mark()");
	return TW_OK;
}

/* ---- what all have ---- */

/* Their struct into ours. The three kinds begin alike, so one view of that beginning serves for all. */
static void copy(struct plugin *p, enum plugin_kind kind, const void *theirs, uint32_t size, const char *file)
{
	size_t ours = kind == PLUGIN_SOURCE     ? sizeof p->source
		      : kind == PLUGIN_DETECTOR ? sizeof p->detector
						: sizeof p->sink;
	const struct tw_detector *common = &p->detector;

	*p = (struct plugin){ .kind = kind, .file = file };
	memcpy(&p->source, theirs, size < ours ? size : ours);
	p->name = common->name;
	p->version = common->version;
	p->summary = common->summary;
	p->doc = common->doc ? common->doc : "";
	p->options = common->options;
	p->option_size = common->option_size;
	p->self_size = common->self_size;
	p->flags = common->flags;
	p->check = common->check;
}

static int32_t check_common(const struct plugin *p, const char *file, const char *name, struct tw_err *e)
{
	const char *kind = plugin_kind_names[p->kind];

	if (!p->name || !plugin_name_ok(p->name, strnlen(p->name, PLUGIN_NAME_MAX + 1)))
		return err_set(e, TW_E_CONFIG, "%s: a %s has %s%.40s; set .name to 1 to %d letters, digits, _ and -",
			       file, kind, p->name ? "the unusable name " : "no name", p->name ? p->name : "",
			       PLUGIN_NAME_MAX);
	if (strcmp(p->name, name) != 0)
		return err_set(e, TW_E_CONFIG,
			       "%s holds the %s '%s'; it is found by its file name, so rename the file to %s.so", file,
			       kind, p->name, p->name);
	if (!p->version || !*p->version)
		return err_set(e, TW_E_CONFIG, "%s: %s '%s' has no version; set .version, as in \"1.0.0\"", file, kind,
			       name);
	if (!p->summary || !*p->summary)
		return err_set(e, TW_E_CONFIG, "%s: %s '%s' has no summary; say in .summary what it does, in one line",
			       file, kind, name);
	if (p->self_size > PLUGIN_MAX_SELF)
		return err_set(e, TW_E_CONFIG, "%s: %s '%s' wants %u bytes for its options struct, the limit is %u",
			       file, kind, name, p->self_size, PLUGIN_MAX_SELF);
	return TW_OK;
}

/* One plugin of a list; theirs points to a struct whose first member is its size. */
static int32_t take(enum plugin_kind kind, const void *theirs, const char *file, const char *name, struct arena *a,
		    struct plugin_set *set, struct tw_err *e)
{
	struct plugin *p;
	uint32_t size;
	int32_t rc;

	memcpy(&size, theirs, sizeof size);
	if (size < COMMON_MIN)
		return err_set(e, TW_E_CONFIG, "%s: a %s describes itself in %u bytes, expected at least %zu; " REBUILD,
			       file, plugin_kind_names[kind], size, (size_t)COMMON_MIN);
	p = arena_alloc(a, sizeof *p);
	if (!p)
		return err_set(e, TW_E_FATAL, "out of memory while loading %s", file);
	copy(p, kind, theirs, size, file);
	rc = check_common(p, file, name, e);
	if (!rc)
		rc = check_kind(p, file, e);
	if (!rc)
		rc = plugin_options_check(p, file, a, e);
	if (rc)
		return rc;
	if (set->of[kind])
		return err_set(e, TW_E_CONFIG, "%s holds two %ss named '%s'; give each its own name and file", file,
			       plugin_kind_names[kind], name);
	set->of[kind] = p;
	return TW_OK;
}

int32_t plugin_manifest_check(const struct tw_manifest *theirs, const char *file, const char *name, struct arena *a,
			      struct plugin_set *ret, struct tw_err *e)
{
	struct tw_manifest m = { 0 };
	struct plugin_set set = { { NULL } };
	uint32_t found = 0;
	int32_t rc;

	if (!theirs)
		return err_set(e, TW_E_CONFIG, "%s: tw_plugin() returned NULL instead of a manifest; " REBUILD, file);
	memcpy(&m, theirs, 16);
	rc = check_versions(&m, file, e);
	if (rc)
		return rc;
	memcpy(&m, theirs, m.struct_size < sizeof m ? m.struct_size : sizeof m);

	for (int kind = 0; kind < PLUGIN_KINDS; kind++) {
		for (uint32_t i = 0;; i++, found++) {
			const void *one;

			if (kind == PLUGIN_SOURCE)
				one = m.sources ? m.sources[i] : NULL;
			else if (kind == PLUGIN_DETECTOR)
				one = m.detectors ? m.detectors[i] : NULL;
			else
				one = m.sinks ? m.sinks[i] : NULL;
			if (!one)
				break;
			/* A second one of a kind is refused by name, so that a list without an end cannot run on. */
			rc = take((enum plugin_kind)kind, one, file, name, a, &set, e);
			if (rc)
				return rc;
		}
	}
	if (found == 0)
		return err_set(e, TW_E_CONFIG, "%s holds no source, detector or sink; " REBUILD, file);
	*ret = set;
	return TW_OK;
}
