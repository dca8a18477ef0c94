/* managed_fields: who set which field: metadata.managedFields of every write, and server-side
 * apply.
 *
 * Every write that is not an apply calls managed_update() last before its commit.  An apply calls
 * managed_apply() instead and leaves managedFields alone afterwards, also when it creates.
 *
 * Trees are in the version that kind serves, and normalised (api/decode.h), but for the
 * configuration of an apply, which is taken as it was parsed.  Entries of other versions of the
 * kind are compared in their version (api/convert.h).
 *
 * Threads: pure functions on trees of one arena.  Limits: MANAGED_UPDATERS_MAX entries of updates;
 * the oldest of more are merged into "ancient-changes". Source: apimachinery
 * pkg/util/managedfields; structured-merge-diff merge;
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
#ifndef SKEG_API_MANAGED_FIELDS_H
#define SKEG_API_MANAGED_FIELDS_H

#include "api/schema.h"
#include "api/typed.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define MANAGED_UPDATERS_MAX 10

/* Sets new_tree's metadata.managedFields.  old_tree is NULL for a create, which ignores what the
 * client sent there; an update with an empty list or [{}] there forgets all managers.  subresource
 * is empty for the object itself. */
void managed_update(struct arena *a, const struct api_kind *kind, const struct json *old_tree,
		    struct json *new_tree, struct str manager, struct str subresource,
		    int64_t now_us);

struct managed_conflict {
	struct str manager; /* `"one" with subresource "scale" using apps/v1` */
	struct str field;   /* `.spec.containers[name="c"].image` */
	size_t order;	    /* as they were found */
};

struct managed_conflicts {
	struct managed_conflict *items;
	size_t count;
};

/* What the object is after the apply, normalised, with its managedFields; not yet defaulted.
 * live_tree is NULL for a create.
 * Errors: RC_CONFLICT (`Apply failed with 1 conflict: conflict with "one": .data.a`; each conflict
 * is in *ret_conflicts, as the causes of the Status: reason FieldManagerConflict, message `conflict
 * with <manager>`, field); RC_INTERNAL when the configuration does not fit the schema
 * (`failed to create typed patch object (ns/name; apps/v1, Kind=Deployment): …`); RC_BAD_REQUEST.
 */
[[nodiscard]] enum rc managed_apply(struct arena *a, const struct api_kind *kind,
				    const struct json *live_tree, const struct json *applied_tree,
				    struct str manager, bool is_forced, struct str subresource,
				    int64_t now_us, struct json **ret_tree,
				    struct managed_conflicts *ret_conflicts, struct err *err);

/* Manager of a write that names none: what its User-Agent has before the first '/'. */
#define MANAGER_MAX_BYTES 128u
[[nodiscard]] struct str managed_from_agent(struct arena *a, struct str user_agent);

/* managedFields of the Scale of tree, which is of kind: who owns its replicas. */
void managed_to_scale(struct arena *a, const struct api_kind *kind, const struct json *tree,
		      struct json *scale);
/* The way back: managedFields of tree after a write made the Scale's what they are. */
void managed_from_scale(struct arena *a, const struct api_kind *kind, const struct json *scale,
			struct json *tree);

/* The same managers own the same fields; times are not compared. */
bool managed_equal(const struct json *tree_a, const struct json *tree_b);

/* Custom resources: the same with the openAPIV3Schema of the version; kind needs no type. */
struct managed_request {
	const struct api_kind *kind;
	struct schema_ref schema;
	struct str manager, subresource;
	int64_t now_us;
	bool is_custom, is_forced;
};

void managed_update_with(struct arena *a, const struct managed_request *q,
			 const struct json *old_tree, struct json *new_tree);
[[nodiscard]] enum rc managed_apply_with(struct arena *a, const struct managed_request *q,
					 const struct json *live_tree,
					 const struct json *applied_tree, struct json **ret_tree,
					 struct managed_conflicts *ret_conflicts, struct err *err);

#endif
