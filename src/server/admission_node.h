/* admission of what nodes write (NodeRestriction): a node speaks of itself and its own pods only,
 * and does not widen what it may see.
 *
 * Threads: node_restriction() core; node_restriction_of_token() any, by the request's snapshot.
 * Source: upstream's plugin/pkg/admission/noderestriction. */
#ifndef SKEG_SERVER_ADMISSION_NODE_H
#define SKEG_SERVER_ADMISSION_NODE_H

#include "server/request.h"

/* For an admission table, for all kinds, subresources and operations: old is NULL for a create,
 * tree for a delete. */
enum step node_restriction(struct request *r, const struct json *old, struct json *tree);
/* Of a TokenRequest, r->tree. */
enum step node_restriction_of_token(struct request *r);

/* Which node the request is of; empty: somebody else than a node.  STEP_DONE: of one that cannot be
 * told, which is refused. */
enum step node_who_writes(struct request *r, struct str *ret_node);

#endif
