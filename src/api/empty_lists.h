/* empty_lists: an empty list or map that is always written becomes null, as in upstream's replies.
 * Upstream keeps objects in protobuf, which has no empty lists; what comes back is a nil slice, and
 * JSON writes it as null.  Those that are left out when empty go.  Threads: pure function on the
 * caller's tree. */
#ifndef SKEG_API_EMPTY_LISTS_H
#define SKEG_API_EMPTY_LISTS_H

#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

/* tree is normalised and was judged: refusals still say `[]`. */
void api_empty_lists_to_null(struct arena *a, const struct api_type *type, struct json *tree);

/* What JSON would show of tree: without the lists and maps that are left out when empty.  tree
 * itself, when it has none of them; else a copy. */
struct json *api_without_empty_lists(struct arena *a, const struct api_type *type,
				     struct json *tree);

#endif
