/* field_set: sets of paths into an object, as managedFields keep them.
 *
 * A set is a tree; a node stands for one step of a path: a field (`f:spec`), an item of a list that
 * is found by keys (`k:{"name":"c"}`) or by its value (`v:"x"`), or a position (`i:0`).  A node may
 * be a member itself, and may have members below it.  Nodes are ordered as upstream orders them.
 *
 * Sets live in an arena and share parts with the sets they were made from: what has been put into
 * another set is not changed any more.  Threads: pure functions.  Cost: linear in both operands.
 * Source: sigs.k8s.io/structured-merge-diff fieldpath;
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
#ifndef SKEG_API_FIELD_SET_H
#define SKEG_API_FIELD_SET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

enum path_step { STEP_FIELD, STEP_KEYS, STEP_VALUE, STEP_INDEX }; /* in the order of sets */

struct path_element {
	enum path_step step;
	struct str text; /* what follows "f:", "k:", "v:", "i:" */
	const struct json
		*value; /* of STEP_KEYS: an object with sorted keys; of STEP_VALUE; else NULL */
};

struct field_node;

struct field_set {
	struct field_node *nodes; /* ordered */
	size_t count, cap;
};

struct field_node {
	struct path_element element;
	bool is_member;
	struct field_set below;
};

struct path_element path_field(struct str name);
/* keys: an object of the keys' values; the element holds a sorted copy. */
[[nodiscard]] struct path_element path_keys(struct arena *a, const struct json *keys);
[[nodiscard]] struct path_element path_value(struct arena *a, const struct json *value);
[[nodiscard]] struct path_element path_index(struct arena *a, size_t index);
int path_compare(const struct path_element *a, const struct path_element *b);
/* `.spec`, `[name="c",protocol="TCP"]`, `[="x"]`, `[0]`. */
void path_write(struct buf *out, const struct path_element *e);

static inline bool field_set_is_empty(const struct field_set *s)
{
	return s->count == 0;
}

/* Adds a node that is not there yet; nothing when it is no member and has none below. */
void field_set_add(struct arena *a, struct field_set *s, struct path_element element,
		   bool is_member, struct field_set below);
const struct field_node *field_set_find(const struct field_set *s, const struct path_element *e);
/* Membership of a path of plain fields: field_set_has(s, "spec.replicas"). */
bool field_set_has(const struct field_set *s, const char *dotted);

[[nodiscard]] struct field_set field_set_union(struct arena *a, const struct field_set *x,
					       const struct field_set *y);
[[nodiscard]] struct field_set field_set_intersection(struct arena *a, const struct field_set *x,
						      const struct field_set *y);
/* x without the members of y; with is_deep also without what is below them. */
[[nodiscard]] struct field_set field_set_difference(struct arena *a, const struct field_set *x,
						    const struct field_set *y, bool is_deep);

/* fieldsV1, e.g. {"f:data":{".":{},"f:a":{}}}. */
[[nodiscard]] struct json *field_set_to_json(struct arena *a, const struct field_set *s);
/* Steps of unknown kinds are ignored.  Error: RC_BAD_REQUEST. */
[[nodiscard]] enum rc field_set_parse(struct arena *a, const struct json *fields_v1,
				      struct field_set *ret_set, struct err *err);

#endif
