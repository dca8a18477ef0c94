/* placement: what pods and nodes say about each other in labels and taints.  Pure functions. */
#ifndef SKEG_SYNC_PLACEMENT_H
#define SKEG_SYNC_PLACEMENT_H

#include "api/object.h"
#include "api/views.h"

bool toleration_matches(const struct toleration *t, const struct taint *taint);
bool tolerates(const struct toleration_array *tolerations, const struct taint *taint);
/* A term without any requirement matches no node. */
bool node_matches(const struct node_selector_term *term, const struct object *node);
/* nodeSelector and required node affinity. */
bool pod_wants_node(const struct pod_spec *spec, const struct object *node);

#endif
