/* strategic-int: the order of merged lists, the type check of a merged tree, names of Go's kinds,
 * and what is wrong with a patch. */
#ifndef SKEG_API_STRATEGIC_INT_H
#define SKEG_API_STRATEGIC_INT_H

#include "api/strategic.h"

#define STRATEGIC_DIRECTIVE "$patch"

/* Items with the same value of key, or equal ones where it is absent. */
bool strategic_same_item(const struct json *a, const struct json *b, struct str key);
/* merged, cut into what patch_order names and what only the server has, each in its own order, and
 * put together again so that the server's order wins where it knows both. */
struct json *strategic_order(struct arena *a, const struct json *merged,
			     const struct json *patch_order, const struct json *server_order,
			     struct str key);
/* The items of the patch that are not deleted stand in the order that is asked for. */
[[nodiscard]] enum rc strategic_check_order(const struct json *patch, const struct json *order,
					    struct str key, struct err *err);
/* RC_INVALID with a field error of "patch" when a value can not be restored to its type. */
[[nodiscard]] enum rc strategic_check_types(const struct api_type *type, const struct json *tree,
					    const struct json *patch, struct field_errors *errors,
					    struct err *err);
const char *go_kind_of_json(
	const struct json *value); /* encoding/json's words: "array", "string" */

/* Each is upstream's error of that name, RC_INTERNAL. */
[[nodiscard]] enum rc strategic_bad_directive(const struct json *directive, const struct json *map,
					      struct err *err);
[[nodiscard]] enum rc strategic_no_merge_key(const struct json *item, struct str key,
					     struct err *err);
[[nodiscard]] enum rc strategic_bad_shape(const char *expected, const struct json *v,
					  struct err *err);
[[nodiscard]] enum rc strategic_unknown_field(struct str type, struct str name, struct err *err);
[[nodiscard]] enum rc strategic_mixed_items(const struct json *original, const struct json *patch,
					    struct err *err);
[[nodiscard]] enum rc strategic_order_mismatch(const struct json *patch, const struct json *order,
					       struct err *err);

#endif
