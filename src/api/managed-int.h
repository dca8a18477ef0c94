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
bool managed_is_version(struct str api_version); /* that of one group, or of none */
/* The entry of the same manager, operation, subresource and, for updates, version; NULL when none.
 */
struct managed_entry *managed_entry_find(struct managed_entries *entries,
					 const struct managed_entry *like);
bool managed_entries_are_empty(const struct managed_entries *entries);
/* The oldest updates beyond MANAGED_UPDATERS_MAX go together. */
void managed_cap(struct arena *a, struct managed_entries *entries);
/* What nobody owns: name, uid, resourceVersion and so on. */
[[nodiscard]] struct field_set managed_without_meta(struct arena *a, const struct field_set *set);

/* ---- One write ---- */

struct managing {
	struct arena *a;
	const struct managed_request *q;
	struct managed_entries entries;
	struct managed_conflicts conflicts;
};

struct change {
	const struct json *before, *after;
	const struct managed_entry *by; /* left alone */
};

[[nodiscard]] struct managed_request managed_request_of(const struct api_kind *kind,
							struct str manager, struct str subresource,
							int64_t now_us);
struct str managed_name(struct str manager); /* "unknown" for none */
/* Go's new object of the kind: what a create is compared with. */
[[nodiscard]] struct json *managed_zero_tree(struct arena *a, const struct managed_request *q);
/* tree in another version; NULL when the kind has no such version. */
const struct json *managed_tree_in_version(struct managing *m, const struct json *tree,
					   struct str api_version, struct schema_ref *ret_schema);
/* tree but for its managedFields. */
[[nodiscard]] struct json *managed_without_managed(struct arena *a, const struct json *tree);
/* What this way in cannot change: it owns nothing of it. */
[[nodiscard]] struct field_set managed_reset_fields(const struct managing *m);
/* d without what this way in cannot change. */
[[nodiscard]] struct typed_diff managed_owned_difference(const struct managing *m,
							 struct typed_diff d);
[[nodiscard]] struct typed_diff managed_difference(struct managing *m, struct schema_ref schema,
						   const struct json *before,
						   const struct json *after);
/* One conflict for each member of set; members of one level come before what is below. */
void managed_add_conflicts(struct managing *m, struct str manager, const struct field_set *set,
			   struct buf *path);
/* With is_forced owners lose what is changed; otherwise that is a conflict, and nothing is done. */
void managed_take_over(struct managing *m, const struct change *c, const struct typed_diff *own,
		       bool is_forced);
/* A write by manager turned before into after. */
void managed_record(struct managing *m, const struct json *before, const struct json *after,
		    struct str manager);

#endif
