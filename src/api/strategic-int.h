/* strategic-int: the type check of a merged tree, and names of Go's kinds. */
#ifndef SKEG_API_STRATEGIC_INT_H
#define SKEG_API_STRATEGIC_INT_H

#include "api/strategic.h"

/* RC_INVALID with a field error of "patch" when a value can not be restored to its type. */
[[nodiscard]] enum rc strategic_check_types(const struct api_type *type, const struct json *tree,
					    const struct json *patch, struct field_errors *errors,
					    struct err *err);
const char *go_kind_of_json(
	const struct json *value); /* encoding/json's words: "array", "string" */

#endif
