/* validate-cel: expressions of the Common Expression Language in API objects.
 * Source: upstream's apiserver/pkg/admission/plugin/cel, apiextensions-apiserver's schema/cel and
 * dynamic-resource-allocation/cel. */
#ifndef SKEG_API_VALIDATE_CEL_H
#define SKEG_API_VALIDATE_CEL_H

#include "api/validate-int.h"
#include "codec/cel.h"

#define CEL_OBJECT_MAX 500000 /* bytes of all expressions of an object */

/* Before an expression is compiled: false when those of the object are too long together, which is
 * told once.  They are compiled on the thread that serves requests. */
bool may_compile(struct check *v, const struct path *at, struct str text);

enum cel_wanted { CEL_WANT_BOOL, CEL_WANT_STRING, CEL_WANT_STRING_OR_NULL, CEL_WANT_ANY };

#define POLICY_VARIABLES_MAX 12

/* What the expressions of one policy or webhook may name. */
struct policy_cel {
	struct cel_variable at[POLICY_VARIABLES_MAX];
	size_t count, plain_count;
	struct cel_type *composed; /* the structure "variables"; NULL: there is none */
	struct cel_field *fields;
	size_t field_cap;
};

void policy_cel_init(struct check *v, struct policy_cel *p, bool has_params);
/* From here on "variables" can be named; fields come with policy_cel_add(). */
void policy_cel_compose(struct check *v, struct policy_cel *p);
void policy_cel_add(struct check *v, struct policy_cel *p, struct str name,
		    const struct cel_type *type);

/* Checks the expression and returns its type as others may use it: dyn for structures, and when
 * there is none. */
const struct cel_type *check_policy_expression(struct check *v, const struct path *at,
					       struct str text, const struct policy_cel *p,
					       bool has_authorizer, bool has_variables,
					       enum cel_wanted wanted);

/* A selector of devices, with its cost. */
void check_device_expression(struct check *v, const struct path *at, struct str text);

/* Messages, reasons and paths of the rules of one level. */
void check_rules_of_schema(struct check *v, const struct path *at, const struct json *schema);

/* The type that a structural schema declares, with its bounds; NULL: expressions cannot reach it.
 */
const struct cel_type *schema_cel_type(struct check *v, const struct json *schema, bool is_root);

/* The rules of all levels of a structural schema, and what they cost together. */
void check_schema_rules(struct check *v, const struct path *at, const struct json *schema);

#endif
