/* route: from a method and a path to what is asked for.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and upstream's RequestInfo.
 */
#ifndef SKEG_SERVER_ROUTE_H
#define SKEG_SERVER_ROUTE_H

#include "server/request.h"

/* Fills r->route and r->options from r->method, r->path and r->query.  A resource path whose kind
 * or subresource does not exist has is_resource set and kind NULL: authorization comes first, the
 * 404 later. */
void route_parse(struct request *r);

/* Is it the path of a proxy?  Then ret_prefix is what leads to it, "/proxy" included, and ret_below
 * the rest; both as sent. */
bool route_is_proxy(struct str path, struct str *ret_prefix, struct str *ret_below);

/* One decoded value of a query parameter, absent when it is not there. */
struct str query_get(struct arena *a, struct str query, const char *name);
/* The next decoded value of name at or after *pos (start with 0); absent at the end. */
struct str query_next(struct arena *a, struct str query, const char *name, size_t *pos);
/* %XX and '+' decoded; bad escapes stay as they are. */
struct str percent_decode(struct arena *a, struct str text, bool is_plus_space);

#endif
