/* node_graph: which objects the pods of a node refer to.
 *
 *     node ← pod ← Secret | ConfigMap | ServiceAccount | ResourceClaim | PersistentVolumeClaim
 *     node ← pod ← PersistentVolumeClaim ← PersistentVolume ← Secret
 *
 * An index by node of the names that its pods refer to. Nobody keeps it up to date: who asks brings
 * it to the newest snapshot first, by the events of pods since the last question. So an answer is
 * never older than what the asking node can have seen, a question costs two look-ups, and a cluster
 * whose nodes ask nothing pays nothing.  Mirror pods, which nodes make themselves, give access to
 * nothing.
 *
 * Owns: the index, with its own copies of names. Threads: all calls safe; a lock is held while the
 * index is read or brought up to date.  Limits: as many entries as pods have references.
 * Source: upstream's plugin/pkg/auth/authorizer/node. */
#ifndef SKEG_SERVER_NODE_GRAPH_H
#define SKEG_SERVER_NODE_GRAPH_H

#include "server/pod_references.h"
#include "store/store.h"

struct node_graph;

struct node_graph *node_graph_new(struct store *store);
void node_graph_free(struct node_graph *g);

/* Does a pod of the node refer to this object of the namespace? */
bool node_graph_has(struct node_graph *g, struct str node, enum pod_reference kind,
		    struct str namespace, struct str name);
/* Is the volume bound to a claim that a pod of the node refers to? */
bool node_graph_has_volume(struct node_graph *g, struct str node, struct str name);
/* Does a volume of the node need this Secret? */
bool node_graph_has_volume_secret(struct node_graph *g, struct str node, struct str namespace,
				  struct str name);

#endif
