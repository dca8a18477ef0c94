/* strategic: strategic merge patch, driven by the tables (patchStrategy and patchMergeKey of a
 * field).
 *
 * Directives: `$patch: replace|delete` in maps and list items, `$retainKeys`,
 * `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`.  Order of merged lists is
 * upstream's: items of the patch in the patch's order, items only the server has where they were.
 *
 * Errors as upstream has them: RC_BAD_REQUEST for a malformed directive, RC_INTERNAL (500) for
 * other faults of the patch, RC_INVALID with a field error of "patch" when the result can not have
 * the types of the kind.  Threads: pure functions.  Limits: depth as of json.h;
 * STRATEGIC_MAX_STEPS members and items looked at, STRATEGIC_MAX_VALUES in a list of scalars that
 * is merged (RC_TOO_LARGE). Source:
 * apimachinery pkg/util/strategicpatch. */
#ifndef SKEG_API_STRATEGIC_H
#define SKEG_API_STRATEGIC_H

#include "api/field_error.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define STRATEGIC_MAX_STEPS  (50u << 20)
#define STRATEGIC_MAX_VALUES 10000u

/* original is changed in place and shared with the result; patch is consumed (its directives are
 * taken out), so give copies of what is used again. */
[[nodiscard]] enum rc strategic_merge(struct arena *a, const struct api_type *type,
				      struct json *original, struct json *patch,
				      struct json **ret_tree, struct field_errors *errors,
				      struct err *err);

/* Go's %v of a decoded document, as error messages show it: map[a:1 b:[x y]]. */
void go_value_write(struct buf *out, const struct json *tree);

#endif
