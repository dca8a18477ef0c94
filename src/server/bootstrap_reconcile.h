/* bootstrap_reconcile: what an object that every cluster has should be, when it is there already.
 *
 * Roles get back the rules that they lack, bindings their subjects, aggregations their selectors,
 * levels and schemas of priority and fairness their spec; what an administrator has added stays.
 * Objects whose annotation says no (rbac.authorization.kubernetes.io/autoupdate or
 * apf.kubernetes.io/autoupdate-spec "false") are left alone.
 * Threads: pure. Source: upstream's pkg/registry/rbac/reconciliation and flowcontrol/ensurer. */
#ifndef SKEG_SERVER_BOOTSTRAP_RECONCILE_H
#define SKEG_SERVER_BOOTSTRAP_RECONCILE_H

#include "base/arena.h"
#include "codec/json.h"

enum reconciled {
	RECONCILE_NOTHING,
	RECONCILE_UPDATE,
	RECONCILE_REPLACE, /* a binding of another role: that cannot be changed */
};

/* there and wanted: trees of one kind, in its only version. */
enum reconciled bootstrap_reconcile(struct arena *a, const struct json *there,
				    const struct json *wanted, struct json **ret_tree);

#endif
