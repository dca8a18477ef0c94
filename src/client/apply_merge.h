/* apply_merge: what apply and diff have in common, and what a client-side apply sends: the object
 * with itself as its annotation, and the three-way patch between what was applied last, what the
 * file says and what the server has. Memory is the arena's. */
#ifndef SKEG_CLIENT_APPLY_MERGE_H
#define SKEG_CLIENT_APPLY_MERGE_H

#include "client/change.h"
#include "client/resources.h"

/* Checks the command line and begins, under the name of such an apply when none is given. */
[[nodiscard]] enum rc apply_open(struct verb *v, const struct resource_options *resources,
				 const struct change_options *options, bool is_server_side,
				 bool is_forced, struct change *ret_change, struct err *err);
/* The object as it is now; NULL when there is none. */
[[nodiscard]] enum rc apply_live(struct verb *v, const struct resource *r, struct json **ret_object,
				 struct err *err);
/* One resource an object of the manifest; the namespace that it goes to is written into it. */
[[nodiscard]] enum rc apply_resources(struct verb *v, const struct manifest *m,
				      struct resources *ret_resources, struct err *err);
/* A copy of the file's object without such an annotation, keys sorted. */
struct json *apply_plain(struct arena *a, const struct resource *r);
/* The file's object with itself as the annotation of the last apply. */
[[nodiscard]] enum rc apply_modified(struct arena *a, const struct resource *r,
				     struct json **ret_tree, struct err *err);
/* A strategic merge patch; NULL when current is so already.  Warns when apply did not make the
 * object. */
struct json *apply_patch(struct arena *a, const struct resource *r, const struct json *modified,
			 const struct json *current);

#endif
