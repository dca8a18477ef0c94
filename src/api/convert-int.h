/* convert-int: conversions of kinds that need more than names. */
#ifndef SKEG_API_CONVERT_INT_H
#define SKEG_API_CONVERT_INT_H

#include "base/arena.h"
#include "codec/json.h"

/* The same members in an object of its own; empty for NULL. */
[[nodiscard]] struct json *convert_shallow_copy(struct arena *a, const struct json *object);

/* HorizontalPodAutoscaler; values are shared with tree. */
[[nodiscard]] struct json *convert_autoscaler_to_v1(struct arena *a, const struct json *tree);
[[nodiscard]] struct json *convert_autoscaler_to_v2(struct arena *a, const struct json *tree);

#endif
