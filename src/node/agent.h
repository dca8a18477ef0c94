/* agent: one node: registers it, keeps its lease and status, runs the pods bound to it, serves logs
 * and exec.  The same code serves real nodes (runtime `oci`, CNI) and simulated ones (runtime
 * `fake`, no network).
 *
 * Containers outlive the agent: a new one adopts what it finds (pods, container states, probe
 * results). Owns: its pod workers, nothing it was given.  Threads: the loop of its client. */
#ifndef SKEG_NODE_AGENT_H
#define SKEG_NODE_AGENT_H

#include "base/ipaddr.h"
#include "http/tls.h"
#include "node/runtime.h"
#include "sync/cache.h"
#include "sync/client.h"

/* How a pod gets onto the network; answers come on the loop. */
struct pod_network {
	const struct pod_network_ops *ops;
};

typedef void pod_network_done_fn(void *ctx, enum rc rc, const struct ipaddr *addrs, size_t count,
				 const struct err *err);

/* A port of the node that leads to one of a pod's; as the API has it. */
struct pod_host_port {
	uint16_t host_port, container_port;
	struct str protocol, host_ip; /* host_ip may be empty: every address */
};

struct pod_network_pod {
	struct str namespace, name, uid;
	const char *netns_path;
	const struct pod_host_port *ports;
	size_t port_count;
};

struct pod_network_ops {
	/* Attaches (again: gives what there is); services and ports are in place before done runs.
	 * What pod points to is copied. */
	void (*add)(struct pod_network *n, const struct pod_network_pod *pod,
		    pod_network_done_fn *done, void *ctx);
	void (*del)(struct pod_network *n, const struct pod_network_pod *pod,
		    pod_network_done_fn *done, void *ctx);
};

/* What the node has; cpu and memory of the machine when not simulated. */
struct node_capacity {
	int64_t cpu_milli, memory_bytes, storage_bytes, pods;
};

/* Strings and what is pointed to must outlive the agent. */
struct node_agent_config {
	const char *node_name;
	const struct str *labels; /* "key=value" */
	size_t label_count;
	struct client *client;	     /* acts as system:node:<name> */
	struct runtime *runtime;     /* the agent becomes its listener */
	struct pod_network *network; /* NULL: simulated; addresses are made up from pod_cidr */
	struct ipnet pod_cidr;	     /* simulated: until the Node has one of its own */
	struct node_capacity capacity;
	const struct cache *services; /* has Services, for variables of containers; may be NULL */
	const char *folder; /* pods' volumes, states, logs below it; NULL with a simulated node */
	struct ipaddr address; /* InternalIP */
	uint16_t port;	       /* of its HTTPS server (10250); 0: none */
	struct str cluster_dns, cluster_domain;
	struct str api_server_host; /* for KUBERNETES_SERVICE_HOST in case the Service is not there
				       yet */
	bool is_simulated;
	/* Once, when the API server has the node's condition Ready as True; may be NULL. */
	void (*on_ready)(void *ctx);
	void *ctx;
};

struct node_agent;

[[nodiscard]] enum rc node_agent_new(const struct node_agent_config *config,
				     struct node_agent **ret_agent, struct err *err);
/* Stops working; containers stay (keep_pods) or are ended within their grace periods; then done. */
void node_agent_stop(struct node_agent *agent, bool keep_pods, void (*done)(void *ctx), void *ctx);
/* Stopped, and its runtime freed; workers' calls under way are forgotten. */
void node_agent_free(struct node_agent *agent);
/* Why the network is not there yet, for the Ready condition; NULL: it is.  At first it is not,
 * unless the node is simulated. */
void node_agent_set_network(struct node_agent *agent, const char *problem);
/* With this node's pods and its Node; NULL until the agent has listed its containers. */
const struct cache *node_agent_cache(const struct node_agent *agent);

#endif
