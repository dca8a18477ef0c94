/* managed-int: the entries of managedFields, and what is done to them between reading and writing.
 */
#ifndef SKEG_API_MANAGED_INT_H
#define SKEG_API_MANAGED_INT_H

#include "api/managed_fields.h"

struct managed_entry {
	struct str manager, api_version, subresource;
	bool is_apply;
	bool is_gone;	 /* left out when written */
	int64_t time_us; /* 0: none */
	struct field_set set;
};

struct managed_entries {
	struct managed_entry *items;
	size_t count, cap;
};

/* Error: an entry is malformed. */
[[nodiscard]] enum rc managed_read(struct arena *a, const struct json *list,
				   struct managed_entries *ret_entries, struct err *err);
/* managedFields of tree: sorted as upstream sorts; no member when there is none. */
void managed_write(struct arena *a, struct managed_entries *entries, struct json *tree);
struct managed_entry *managed_entry_add(struct arena *a, struct managed_entries *entries,
					struct managed_entry entry);
/* The entry of the same manager, operation, subresource and, for updates, version; NULL when none.
 */
struct managed_entry *managed_entry_find(struct managed_entries *entries,
					 const struct managed_entry *like);
bool managed_entries_are_empty(const struct managed_entries *entries);
/* The oldest updates beyond MANAGED_UPDATERS_MAX go together. */
void managed_cap(struct arena *a, struct managed_entries *entries);
/* What nobody owns: name, uid, resourceVersion and so on. */
[[nodiscard]] struct field_set managed_without_meta(struct arena *a, const struct field_set *set);

#endif
