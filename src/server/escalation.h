/* escalation: nobody grants by RBAC what they do not hold.
 *
 * A role may only be written by who has every right in it (or `escalate` on it), a binding only by
 * who has every right of its role (or `bind` on it).  Members of system:masters and callers in
 * process may do anything. Threads: core.  Limits: ESCALATION_RIGHTS_MAX single rights a check.
 * Source: upstream's pkg/registry/rbac/validation and .../policybased. */
#ifndef SKEG_SERVER_ESCALATION_H
#define SKEG_SERVER_ESCALATION_H

#include "server/request.h"

#define ESCALATION_RIGHTS_MAX 20000

/* For an admission table; kinds: roles, cluster roles; old is NULL for a create. */
enum step escalation_by_role(struct request *r, const struct json *old, struct json *tree);
/* Kinds: role bindings, cluster role bindings. */
enum step escalation_by_binding(struct request *r, const struct json *old, struct json *tree);
/* Does who has these rules hold every right of the rule?  All in JSON. */
bool rules_cover(struct arena *a, const struct json *held, const struct json *rule);

#endif
