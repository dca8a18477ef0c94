/* gates: fields of features that this release leaves off (`off=` in api/).
 * As upstream's strategies do: a value that a client gives is dropped in silence, unless the stored
 * object uses the field already.  Threads: pure functions on the caller's tree. */
#ifndef SKEG_API_GATES_H
#define SKEG_API_GATES_H

#include "api/schema.h"
#include "codec/json.h"

/* tree and old_tree are normalised; old_tree is NULL for a create. */
void api_drop_gated(const struct api_type *type, struct json *tree, const struct json *old_tree);

#endif
