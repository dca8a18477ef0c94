#include "api/managed-int.h"

/* A Scale shows one field of an object, so its managers are those of that field.  Entries are
 * matched as upstream does, by what identifies them in either form: for an update that is the
 * version too, and that differs. */

#define SCALE_VERSION "autoscaling/v1"

static struct field_set replicas(struct arena *a)
{
	struct field_set below = {}, set = {};
	field_set_add(a, &below, path_field(STR("replicas")), true, (struct field_set){});
	field_set_add(a, &set, path_field(STR("spec")), false, below);
	return set;
}

static bool is_version_of(const struct api_kind *kind, struct str api_version)
{
	const struct api_kind *k = api_by_api_version(api_builtin(), api_version, kind->kind);
	return k && k->stored_id == kind->stored_id;
}

static struct managed_entries entries_of(struct arena *a, const struct json *tree)
{
	struct managed_entries entries = {};
	if (managed_read(a, json_path(tree, "metadata.managedFields"), &entries, NULL) != RC_OK)
		return (struct managed_entries){};
	return entries;
}

void managed_to_scale(struct arena *a, const struct api_kind *kind, const struct json *tree,
		      struct json *scale)
{
	struct managed_entries all = entries_of(a, tree), some = {};
	for (size_t i = 0; i < all.count; i++) {
		struct managed_entry e = all.items[i];
		if (!is_version_of(kind, e.api_version) || !field_set_has(&e.set, "spec.replicas"))
			continue;
		e.api_version = STR(SCALE_VERSION);
		e.set = replicas(a);
		managed_entry_add(a, &some, e);
	}
	managed_write(a, &some, scale);
}

/* Owners keep the field that they still have in the Scale; the others lose it. */
static void keep_owners(struct arena *a, const struct api_kind *kind,
			const struct managed_entries *owners, struct managed_entries *of_scale,
			struct managed_entries *out)
{
	struct field_set field = replicas(a);
	for (size_t i = 0; i < owners->count; i++) {
		struct managed_entry e = owners->items[i];
		struct managed_entry *same = managed_entry_find(of_scale, &e);
		if (!is_version_of(kind, e.api_version))
			continue;
		if (same)
			same->is_gone = true;
		else
			e.set = field_set_difference(a, &e.set, &field, false);
		managed_entry_add(a, out, e);
	}
}

void managed_from_scale(struct arena *a, const struct api_kind *kind, const struct json *scale,
			struct json *tree)
{
	struct managed_entries owners = entries_of(a, tree), out = {};
	struct managed_entries of_scale = entries_of(a, scale);
	keep_owners(a, kind, &owners, &of_scale, &out);
	for (size_t i = 0; i < of_scale.count; i++) {
		struct managed_entry e = of_scale.items[i];
		if (e.is_gone || !field_set_has(&e.set, "spec.replicas"))
			continue;
		e.api_version = kind->api_version;
		e.set = replicas(a);
		e.time_us = 0; /* only entries of the object have one upstream */
		managed_entry_add(a, &out, e);
	}
	managed_write(a, &out, tree);
}
