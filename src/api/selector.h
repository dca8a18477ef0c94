/* selector: label selectors and field selectors, parsed once and matched often.
 *
 * Owns: nothing; requirements and values live in the arena given, and may point into the text or
 * tree they were made from.  Threads: pure functions on immutable selectors. Limits:
 * SELECTOR_TEXT_MAX bytes of text.  Errors: RC_BAD_REQUEST in upstream's wording. Source:
 * apimachinery pkg/labels and pkg/fields. */
#ifndef SKEG_API_SELECTOR_H
#define SKEG_API_SELECTOR_H

#include "api/object.h"
#include "api/schema.h"
#include "api/view.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define SELECTOR_TEXT_MAX (64u << 10)

enum selector_op {
	SELECTOR_IN,	 /* also = and == */
	SELECTOR_NOT_IN, /* also != */
	SELECTOR_EXISTS,
	SELECTOR_NOT_EXISTS,
	SELECTOR_GREATER,
	SELECTOR_LESS,
};

struct selector_requirement {
	struct str key;
	enum selector_op op;
	const struct str *values; /* sorted, each once */
	size_t count;
};

/* All requirements must hold.  A zeroed selector matches everything. */
struct selector {
	const struct selector_requirement *requirements;
	size_t count;
	bool is_nothing; /* matches no object at all */
};

/* `a=b,c!=d,e in (x,y),!f`; "" or absent matches everything. */
[[nodiscard]] enum rc selector_parse(struct arena *a, struct str text,
				     struct selector *ret_selector, struct err *err);
/* A metav1.LabelSelector: NULL (or JSON null) matches nothing, {} everything. */
[[nodiscard]] enum rc selector_from_tree(struct arena *a, const struct json *tree,
					 struct selector *ret_selector, struct err *err);
/* A map of labels that must all be equal (Service, ReplicationController); an empty one matches
 * nothing, as those controllers have it. */
struct selector selector_from_labels(struct arena *a, const struct json *labels);
struct selector selector_from_map(struct arena *a, const struct str_map *labels);

bool selector_matches_object(const struct selector *s, const struct object *o);
bool selector_matches_map(const struct selector *s, const struct str_map *labels);
bool selector_matches_tree(const struct selector *s,
			   const struct json *labels); /* an object or NULL */

struct field_requirement {
	struct str path; /* "spec.nodeName" */
	bool is_negated;
	struct str value;
};

struct field_selector {
	const struct field_requirement *requirements;
	size_t count;
};

/* `a=b,c!=d`, with \ before , = and \ in values. */
[[nodiscard]] enum rc field_selector_parse(struct arena *a, struct str text,
					   struct field_selector *ret_selector, struct err *err);
/* RC_BAD_REQUEST when the kind can not be selected by one of its paths. */
[[nodiscard]] enum rc field_selector_check(const struct field_selector *s,
					   const struct api_kind *kind, struct err *err);
bool field_selector_matches_tree(const struct field_selector *s, const struct json *tree);
/* scratch is used when a path beyond metadata.name and metadata.namespace is asked for. */
bool field_selector_matches_object(const struct field_selector *s, const struct object *o,
				   struct arena *scratch);
/* The value that `path=value` asks for, absent when the selector does not fix it: lets a list of
 * `metadata.name=x` become a get. */
struct str field_selector_exact(const struct field_selector *s, const char *path);

#endif
