/* node_status: what a node says of itself: labels, addresses, capacity, conditions.
 * Pure functions but for node_facts_read(), which reads a few small files.
 * Source: kubelet's pkg/kubelet/nodestatus and kubelet_node_status.go. */
#ifndef SKEG_NODE_NODE_STATUS_H
#define SKEG_NODE_NODE_STATUS_H

#include "api/views.h"
#include "node/agent.h"

#define NODE_HEARTBEAT_US (300 * INT64_C(1000000))

struct node_facts {
	struct str machine_id, system_uuid, boot_id, kernel_version, os_image;
	struct node_capacity capacity;
};

/* Of this machine; storage: of the file system of folder (NULL: none). */
void node_facts_read(struct arena *a, const char *folder, struct node_facts *ret_facts);

struct node_status_input {
	const struct node_agent_config *config;
	const struct node_facts *facts;
	const char *runtime_version;
	const char *network_problem; /* NULL: none */
	struct container_image_array images;
	const struct node *current; /* NULL: not registered yet */
	int64_t now_us;
};

/* The status; heartbeat times are those of current unless something else changed or they are older
 * than NODE_HEARTBEAT_US. */
struct node_status *node_status_make(struct arena *a, const struct node_status_input *in);
/* metadata.labels that the node must have. */
struct str_map node_labels_make(struct arena *a, const struct node_agent_config *config);

#endif
