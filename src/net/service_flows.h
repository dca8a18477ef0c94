/* service_flows: which UDP addresses are served by which endpoints, for connection tracking. */
#ifndef SKEG_NET_SERVICE_FLOWS_H
#define SKEG_NET_SERVICE_FLOWS_H

#include "net/conntrack.h"
#include "net/service_rules.h"

struct service_flows {
	struct conntrack_service *items;
	size_t count;
};

/* Everything lives in a; the order is that of the snapshot. */
void service_flows_make(struct arena *a, const struct proxy_snapshot *snapshot,
			struct service_flows *ret_flows);
bool service_flows_equal(const struct service_flows *a, const struct service_flows *b);

#endif
