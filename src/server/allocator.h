/* allocator: cluster IPs and node ports of Services.
 *
 * What is taken follows from the stored Services: the sets are built when the server starts and
 * kept in step by the write bracket, which asks before it commits. Threads: core.  Limits: prefixes
 * of up to 2^16 usable addresses are drawn from, node ports 30000-32767. */
#ifndef SKEG_SERVER_ALLOCATOR_H
#define SKEG_SERVER_ALLOCATOR_H

#include "server/request.h"

#define NODE_PORT_FIRST 30000
#define NODE_PORT_LAST	32767

struct service_allocator;

[[nodiscard]] enum rc allocator_new(const char *service_cidr,
				    struct service_allocator **ret_allocator, struct err *err);
void allocator_free(struct service_allocator *al);
/* Notes what stored Services hold. */
void allocator_load(struct service_allocator *al, const struct snapshot *s);
/* For a Service: fills in clusterIP(s) and nodePorts, gives back what the old state had and the new
 * one has not.  RC_INVALID with errors when a wished one is out of range or taken.  Other kinds:
 * RC_OK. */
[[nodiscard]] enum rc allocator_assign(struct service_allocator *al, struct request *r,
				       const struct json *old, struct json *tree,
				       struct field_errors *errors);
void allocator_release(struct service_allocator *al, const struct object *old);
/* The address of the kubernetes Service: the first usable one. */
struct str allocator_first(struct arena *a, const struct service_allocator *al);

#endif
