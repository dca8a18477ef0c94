/* pod_references: the objects that a pod names in its spec, for those who decide what its node may
 * read. Threads: pure.  Source: upstream's pkg/api/v1/pod (visitors of names). */
#ifndef SKEG_SERVER_POD_REFERENCES_H
#define SKEG_SERVER_POD_REFERENCES_H

#include "base/arena.h"
#include "codec/json.h"

enum pod_reference {
	POD_SECRET,
	POD_CONFIG_MAP,
	POD_VOLUME_CLAIM,
	POD_SERVICE_ACCOUNT,
	POD_RESOURCE_CLAIM,
	POD_REFERENCE_KINDS,
};

/* Calls fn for each name, in the pod's own namespace; one may come more than once.  Names that are
 * made (of claims of ephemeral volumes) live in the arena. */
void pod_references_each(struct arena *a, const struct json *pod,
			 void (*fn)(void *ctx, enum pod_reference kind, struct str name),
			 void *ctx);
bool pod_is_mirror(const struct json *pod);

#endif
