/* authz: who may do what: nodes by what their pods refer to (node_authorizer.h), all by RBAC.
 *
 * The index of RBAC is built from roles and bindings of a snapshot and kept as long as none of them
 * changes; a check walks the rules that the user's name and groups lead to. Owns: the index
 * (refcounted).  Threads: all calls safe.  Source: RBAC of upstream v1.35. */
#ifndef SKEG_SERVER_AUTHZ_H
#define SKEG_SERVER_AUTHZ_H

#include "server/request.h"

struct attributes {
	struct str verb;
	bool is_resource;
	struct str group, resource, subresource, namespace, name; /* of a resource */
	struct str path;					  /* otherwise */
	const struct field_selector *fields;			  /* of a list or watch, or NULL */
};

struct authorizer;

struct authorizer *authorizer_new(struct store *store);
void authorizer_free(struct authorizer *z);

bool authorizer_allows(struct authorizer *z, const struct user *user,
		       const struct attributes *what);
/* The same, with which binding says so, or what more there is to say of a refusal, in upstream's
 * words. */
bool authorizer_allows_because(struct authorizer *z, const struct user *user,
			       const struct attributes *what, struct arena *a,
			       struct str *ret_reason);
/* The same, with what there is to say of a refusal only: nothing is made when it is allowed. */
bool authorizer_allows_or_why(struct authorizer *z, const struct user *user,
			      const struct attributes *what, struct arena *a,
			      struct str *ret_reason);
/* `User "x" cannot list resource "pods" in API group "" in the namespace "y"`, with `: ` and the
 * reason of the decision unless that is empty. */
struct str attributes_refusal(struct arena *a, const struct user *user,
			      const struct attributes *what, struct str reason);

/* Calls fn for every rule (a PolicyRule view) that applies to the user in namespace ("" for none),
 * for reviews and escalation checks. */
struct policy_rule;
void authorizer_rules(struct authorizer *z, const struct user *user, struct str namespace,
		      void (*fn)(void *ctx, const struct policy_rule *rule), void *ctx);
/* What such a walk could not see: bindings of roles that do not exist; "" when there are none. */
struct str authorizer_problems(struct authorizer *z, const struct user *user, struct str namespace,
			       struct arena *a);
bool rule_allows(const struct policy_rule *rule, const struct attributes *what);

#endif
