/* three_way: the strategic merge patch of a client-side apply: what the file says now, without what
 * it said at the last apply and no longer says, and with nothing of what others set.
 * Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/ (how apply
 * calculates differences).  Pure. */
#ifndef SKEG_CLIENT_THREE_WAY_H
#define SKEG_CLIENT_THREE_WAY_H

#include "api/schema.h"
#include "codec/json.h"

/* type: of the objects, NULL where nothing is known (lists are then replaced as a whole).  original
 * may be NULL.  Returns NULL when current is as modified already. */
struct json *three_way_patch(struct arena *a, const struct api_type *type,
			     const struct json *original, const struct json *modified,
			     const struct json *current);

#endif
