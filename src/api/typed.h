/* typed: an object seen through its schema, as server-side apply needs it: which lists have keys,
 * which maps and lists are one value, which fields are there.
 *
 * The schema is a type of the tables, or of a custom resource its openAPIV3Schema.  What a schema
 * does not describe is deduced from the value: objects merge, lists are one value.
 *
 * Threads: pure functions.  Limits: JSON_MAX_DEPTH through the trees.
 * Source: sigs.k8s.io/structured-merge-diff typed. */
#ifndef SKEG_API_TYPED_H
#define SKEG_API_TYPED_H

#include "api/field_set.h"
#include "api/schema.h"

enum schema_ref_kind {
	REF_DEDUCED,
	REF_STRUCT, /* type */
	REF_FIELD,  /* the value of field */
	REF_ITEM,   /* an element of the list or map in field */
	REF_SCHEMA, /* json, of a CustomResourceDefinition */
	REF_ROOT,   /* the same for the whole object: metadata is an ObjectMeta */
};

struct schema_ref {
	enum schema_ref_kind kind;
	const struct api_type *type;
	const struct api_field *field;
	const struct json *json;
};

struct schema_ref schema_ref_type(const struct api_type *type);
struct schema_ref schema_ref_custom(const struct json *open_api_v3_schema);

enum atom_kind { ATOM_SCALAR, ATOM_LIST, ATOM_MAP };
enum scalar_kind {
	SCALAR_ANY /* of any shape */,
	SCALAR_UNTYPED,
	SCALAR_NUMERIC,
	SCALAR_STRING,
	SCALAR_BOOLEAN
};

/* What a schema says about one value. */
struct atom {
	enum atom_kind kind;
	enum scalar_kind scalar;
	bool is_atomic;
	bool is_set;	 /* a list whose elements are their own keys */
	struct str keys; /* of a list, comma separated */
};

/* value decides where the schema leaves it open; NULL and null decide nothing. */
struct atom schema_atom(struct schema_ref ref, const struct json *value);
/* Type of the field of a map; false when no field of that name is declared (then *ret_child is what
 * all the others have). */
bool schema_child(struct schema_ref ref, struct str name, struct schema_ref *ret_child);
struct schema_ref schema_element(struct schema_ref ref);
bool schema_is_closed(struct schema_ref ref); /* a map that has declared fields only */
/* Element of a list as a step of a path.  Error: what is wrong, without a path. */
[[nodiscard]] enum rc schema_item_step(struct arena *a, struct schema_ref list,
				       const struct atom *atom, const struct json *item,
				       struct path_element *ret_step, struct err *err);

/* Elements of a list by their steps; an element without a step is left out. */
struct typed_items {
	struct path_element *steps;
	struct json **values;
	size_t count;
	size_t *order; /* by step */
};

[[nodiscard]] struct typed_items typed_items_of(struct arena *a, struct schema_ref list,
						const struct atom *atom, const struct json *value);
/* First index with that step, -1 when there is none; *ret_repeated when there are more. */
ptrdiff_t typed_items_find(const struct typed_items *items, const struct path_element *step,
			   bool *ret_repeated);

/* All paths of a value. */
[[nodiscard]] struct field_set typed_set(struct arena *a, struct schema_ref ref,
					 const struct json *value);

/* Every field that set names is declared, as far as the schema is closed. */
bool typed_declares(struct schema_ref ref, const struct field_set *set);

struct typed_diff {
	struct field_set added, modified, removed;
};

[[nodiscard]] struct typed_diff typed_compare(struct arena *a, struct schema_ref ref,
					      const struct json *before, const struct json *after);
bool typed_diff_is_empty(const struct typed_diff *d);

/* live with config laid over it. */
[[nodiscard]] struct json *typed_merge(struct arena *a, struct schema_ref ref,
				       const struct json *live, const struct json *config);
/* value without the members of set. */
[[nodiscard]] struct json *typed_remove(struct arena *a, struct schema_ref ref,
					const struct json *value, const struct field_set *set);
/* Declared fields that have members below them become members. */
[[nodiscard]] struct field_set typed_named_members(struct arena *a, struct schema_ref ref,
						   const struct field_set *set);

/* Whether a configuration fits its schema.  Error: RC_INTERNAL, as upstream answers:
 * `.data.a: expected string, got &value.valueUnstructured{Value:1}`; several in lines. */
[[nodiscard]] enum rc typed_check(struct schema_ref ref, const struct json *value, struct err *err);

#endif
