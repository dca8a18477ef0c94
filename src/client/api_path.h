/* api_path: paths and queries of the Kubernetes API.  Pure functions. */
#ifndef SKEG_CLIENT_API_PATH_H
#define SKEG_CLIENT_API_PATH_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"

#define URL_MAX_BYTES (64u << 10)

/* "/apis/apps/v1/namespaces/default/deployments/web/scale".  An absent namespace means all of them
 * (kinds without namespaces ignore it), an absent name the collection, an absent subresource the
 * object itself. */
[[nodiscard]] struct str api_path(struct arena *a, const struct api_kind *kind,
				  struct str namespace, struct str name, const char *subresource);

/* Appends "?key=value", from the second on "&key=value"; a value of no bytes is left out. */
void query_add(struct buf *url, const char *key, struct str value);

#endif
