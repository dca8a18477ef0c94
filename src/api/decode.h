/* decode: what a round trip through Go's types does to a document.
 *
 * A normalised tree has the fields of its type in Go's order, keys of maps sorted, no nulls where
 * Go has none, no empty values under omitempty and zero values where there is no omitempty,
 * quantities and times in canonical text.  Fields the type does not have are left out and named.
 *
 * Threads: pure functions.  Errors: RC_BAD_REQUEST in the words of Go's decoder, e.g.
 * `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
 * Limits: that of the tree (JSON_MAX_DEPTH); DECODE_MAX_VALUES (RC_TOO_LARGE); UNKNOWN_FIELDS_MAX
 * names are kept.
 * Cost: linear in the tree, but for sorting maps. */
#ifndef SKEG_API_DECODE_H
#define SKEG_API_DECODE_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define UNKNOWN_FIELDS_MAX 100
#define DECODE_MAX_VALUES  (1u << 20)

struct unknown_fields {
	struct str *paths; /* `spec.containers[0].foo`, in the order of the document */
	size_t count, cap;
};

/* tree is not changed; the result shares scalars with it.  unknown may be NULL.
 * type is one of api_builtin(). */
[[nodiscard]] enum rc api_normalise(struct arena *a, const struct api_type *type,
				    const struct json *tree, struct unknown_fields *unknown,
				    struct json **ret_tree, struct err *err);

/* What fieldValidation tells: `unknown field "spec.foo"`, `duplicate field "data"` in the order of
 * the document; of YAML first `line 7: key "a" already set in map`, then the unknown fields by
 * sorted keys.  tree is the document as it was parsed. */
struct strict_faults {
	struct str *texts;
	size_t count;
	bool has_yaml_lines; /* texts[0] is one of `line N: key …` */
};

[[nodiscard]] struct strict_faults api_strict_faults(struct arena *a, const struct json *tree,
						     const struct json_duplicates *duplicates,
						     const struct unknown_fields *unknown,
						     bool is_yaml);
/* All of them as one error: `strict decoding error: unknown field "a", duplicate field "b"`. */
[[nodiscard]] struct str api_strict_error(struct arena *a, const struct strict_faults *faults);

#endif
