/* node_authorizer: what a node may do: read what its own pods refer to, and report of itself.
 *
 * A node is a user "system:node:<name>" of the group system:nodes.  Kinds that hold what nodes must
 * not see of each other have a rule of their own; for all others one list of rights holds for every
 * node. What a request carries (whose Lease it creates, which Pod) is judged by admission
 * (admission_node.h).  Threads: all calls safe.  Source: upstream's plugin/pkg/auth/authorizer/node
 * with AuthorizeNodeWithSelectors. */
#ifndef SKEG_SERVER_NODE_AUTHORIZER_H
#define SKEG_SERVER_NODE_AUTHORIZER_H

#include "server/authz.h"
#include "server/node_graph.h"

#define NODE_LEASE_NAMESPACE "kube-node-lease"

/* Is the user a node, and which?  The name may be empty: a member of system:nodes that no node can
 * be told from. */
bool user_is_node(const struct user *user, struct str *ret_node);

/* False: *ret_reason says why when there is more to say than that it is not allowed. */
bool node_authorizer_allows(struct node_graph *graph, struct store *store, struct str node,
			    const struct attributes *what, struct arena *a, struct str *ret_reason);

#endif
