/* agent-int: what the parts of a node agent share. */
#ifndef SKEG_NODE_AGENT_INT_H
#define SKEG_NODE_AGENT_INT_H

#include "base/map.h"
#include "node/agent.h"
#include "node/node_images.h"
#include "node/node_registration.h"
#include "node/object_watch.h"
#include "node/requests.h"
#include "sync/cache.h"
#include "sync/events.h"

#define AGENT_MAGIC 0x61676e74u /* "agnt" */

#define KUBELET_COMPONENT   "kubelet"
#define KUBELET_VERSION	    "v1.35.4+skeg." SKEG_VERSION
#define POD_STATUS_RETRY_MS 1000

struct pod_worker;

struct node_agent {
	uint32_t magic;
	struct node_agent_config config;
	struct loop *loop;
	struct requests requests;
	struct object_watches objects; /* Secrets and ConfigMaps of pods */
	struct cache *cache;	       /* pods of this node, and its Node */
	struct cache_listener listener;
	struct map workers; /* uid -> struct pod_worker */
	struct event_recorder *events;
	struct http_client *probe_http, *probe_http2; /* NULL: simulated */
	struct node_registration *registration;
	struct node_images *images; /* NULL: simulated, or not begun */
	struct runtime_listener exits;
	const char *network_problem; /* NULL: none */
	uint32_t next_address;	     /* simulated: number in pod_cidr */

	/* What the runtime had at start. */
	struct arena adopt_arena;
	struct runtime_container_list adopt_containers;
	struct str *adopt_sandboxes;
	size_t adopt_sandbox_count;
	struct runtime_call adopt_call;
	bool is_adopted; /* workers of pods that are gone have been made */

	bool is_stopping, keeps_pods;
	void (*on_stopped)(void *ctx);
	void *stop_ctx;
};

const char *agent_node_name(const struct node_agent *agent);
/* The Node as the API has it, or NULL. */
struct object *agent_node_object(const struct node_agent *agent);
/* A free address for a simulated pod; returns how many (0 or 1). */
size_t agent_simulated_address(struct node_agent *agent, struct ipaddr *ret_addr);
/* A worker has ended all its work. */
void agent_worker_gone(struct node_agent *agent, struct pod_worker *own_worker);

/* A stopping agent whose workers are quiet has stopped. */
void agent_check_stopped(struct node_agent *agent);

/* An Event about a pod; field_path may be NULL. */
[[gnu::format(printf, 6, 7)]] void agent_event(struct node_agent *agent, const struct object *pod,
					       const char *field_path, const char *type,
					       const char *reason, const char *fmt, ...);

#endif
