/* policy_rules: rules of RBAC as rows that people read: one a resource or URL, verbs of the same
 * resource together, in the order in which kubectl shows them.  Pure; memory is the arena's.
 * Limits: POLICY_ROWS_MAX; what is beyond is left out. */
#ifndef SKEG_CLIENT_POLICY_RULES_H
#define SKEG_CLIENT_POLICY_RULES_H

#include "codec/json.h"

#define POLICY_ROWS_MAX 100000

struct policy_row {
	struct str resource; /* "deployments.apps/scale"; "": of a URL */
	struct json *urls, *names, *verbs;
	struct str key; /* by which rows are sorted */
};

/* rules: lists of rules, as they are in roles and reviews, one list or several. */
struct policy_row *policy_rows(struct arena *a, const struct json *const *lists, size_t list_count,
			       size_t *ret_count);
/* "[get list]" */
struct str policy_list_text(struct arena *a, const struct json *list);

#endif
