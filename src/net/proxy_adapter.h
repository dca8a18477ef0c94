/* proxy_adapter: Services and EndpointSlices of a cache as the service proxy's input.
 *
 * proxy_adapter_collect() reads the whole cache each time (a pure function of it, except for
 * memory); proxy_adapter_attach() tells a service proxy about every event of the two kinds.
 *
 * As upstream: ExternalName and headless services have no rules, nor has one that is labelled for
 * another proxy (service.kubernetes.io/service-proxy-name).  A slice belongs to the service that
 * its label kubernetes.io/service-name names, an endpoint's first address counts, conditions
 * default to ready.  Load balancer addresses count with ipMode VIP (the default). Threads: the loop
 * of the cache. */
#ifndef SKEG_NET_PROXY_ADAPTER_H
#define SKEG_NET_PROXY_ADAPTER_H

#include "net/host_ports.h"
#include "net/service_proxy.h"
#include "sync/cache.h"

struct proxy_adapter {
	struct cache *cache;  /* with KIND_SERVICE and KIND_ENDPOINT_SLICE */
	struct str node_name; /* of this node; must stay */
	/* May be NULL: none.  Who changes them tells the proxy. */
	const struct host_ports *host_ports;
	struct service_proxy *proxy;
	struct cache_listener listener;
};

/* A service_proxy_collect_fn; ctx is the struct proxy_adapter, of which it needs cache and
 * node_name. */
void proxy_adapter_collect(void *ctx, struct arena *a, struct proxy_snapshot *ret_snapshot);

/* Calls service_proxy_changed() once the cache is synced, and at every event from then on.  The
 * proxy is one made with proxy_adapter_collect() and adapter. */
void proxy_adapter_attach(struct proxy_adapter *adapter, struct service_proxy *proxy);
void proxy_adapter_detach(struct proxy_adapter *adapter);

#endif
