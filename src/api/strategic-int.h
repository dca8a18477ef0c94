/* strategic-int: the type check of a merged tree, names of Go's kinds, and what is wrong with a
 * patch. */
#ifndef SKEG_API_STRATEGIC_INT_H
#define SKEG_API_STRATEGIC_INT_H

#include "api/strategic.h"

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
