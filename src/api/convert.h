/* convert: between the group-versions that serve one stored kind.
 * HorizontalPodAutoscaler v1 ↔ v2, Event of core ↔ events.k8s.io; every other kind has one version.
 * Threads: pure.  Source: upstream's conversion of autoscaling/v1 and events/v1. */
#ifndef SKEG_API_CONVERT_H
#define SKEG_API_CONVERT_H

#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

/* A new tree of kind to, sharing parts with tree; from == to gives tree itself. */
[[nodiscard]] struct json *convert_tree(struct arena *a, const struct api_kind *from,
					const struct api_kind *to, struct json *tree);

#endif
