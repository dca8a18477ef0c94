/* service_pods: what the controllers of EndpointSlices and of Endpoints both ask about the pods
 * behind a Service.  Pure functions; memory is the arena's. */
#ifndef SKEG_CONTROL_SERVICE_PODS_H
#define SKEG_CONTROL_SERVICE_PODS_H

#include "base/ipaddr.h"
#include "control/common.h"

#define LAST_CHANGE_TRIGGER_TIME "endpoints.kubernetes.io/last-change-trigger-time"
#define HEADLESS_LABEL		 "service.kubernetes.io/headless"

struct pod_ports { /* as discovery/v1 has them, in the order of the Service */
	const struct discovery_endpoint_port *at;
	uint32_t count;
};

/* Has addresses and has not ended; terminating ones are told apart later. */
bool pod_may_serve(const struct pod *pod);
struct pod_ports pod_service_ports(struct arena *a, const struct service *service,
				   const struct pod *pod);
bool pod_ports_eq(const struct pod_ports *a, const struct pod_ports *b);
/* The pod's first address of that family; absent when it has none. */
struct str pod_address(const struct pod *pod, enum ip_family family);
/* The pod's hostname when the Service is the subdomain it names; else absent. */
struct str pod_service_hostname(const struct pod *pod, const struct object *service);
const struct object_reference *pod_reference(struct arena *a, const struct object *pod);
bool service_is_headless(const struct service *service);
/* The families the Service has addresses of, at most two; IPv4 when it says nothing. */
size_t service_families(const struct service *service, enum ip_family ret_families[2]);

/* The pods that the selector of the Service matches; false when it has no selector. */
bool service_pods(struct plan *p, const struct object *o, struct object_list *ret_pods);
/* The annotation's value: when what changed last became so, given the former value; absent:
 * unknown. */
struct str service_trigger_time(struct plan *p, const struct object *service,
				const struct object_list *pods, struct str former);
/* Adds the Services of every pod that changed in a way that endpoints show. */
void map_pod_to_services(struct keys *keys, const struct cache *cache, const struct object *old,
			 const struct object *new);

#endif
