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
/* For a Service: fills in ipFamilies, clusterIP(s) and nodePorts, reserves them; comes before
 * validation.  A dry run reserves nothing and, as upstream's, looks at no range of ports. What the
 * old state holds stays reserved until allocator_settle().  RC_INVALID with errors when a wished
 * one is out of range or taken.  Other kinds: RC_OK. */
[[nodiscard]] enum rc allocator_assign(struct service_allocator *al, struct request *r,
				       const struct json *old, struct json *tree,
				       struct field_errors *errors);
/* Once the fate of a commit is known: gives back what only the old state held when the new one is
 * durable, else what only the new one held.  NULL: no such state (created, deleted).  Trees given
 * to allocator_assign() are remembered in the request for this. */
void allocator_settle(struct service_allocator *al, const struct json *old, const struct json *new,
		      bool is_durable);
/* The write that allocator_assign() served is refused after all. */
void allocator_release(struct service_allocator *al, struct request *r);
/* The address of the kubernetes Service: the first usable one. */
struct str allocator_first(struct arena *a, const struct service_allocator *al);

#endif
