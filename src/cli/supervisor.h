/* supervisor: the small process that keeps a cluster's processes alive on this machine: the control
 * plane first, then one agent a node, each in its own network namespace.
 * SIGTERM ends all and leaves containers running; SIGINT ends the pods too. */
#ifndef SKEG_CLI_SUPERVISOR_H
#define SKEG_CLI_SUPERVISOR_H

#include "cli/command.h"

#define NODES_MAX 64

struct up_options {
	const char *data_dir, *bind_address, *cluster_cidr, *service_cidr, *registries, *log_level,
		*kubeconfig;
	int64_t port, nodes, simulated_nodes, notify_fd;
	struct text_list node_labels, tls_sans;
	bool is_detached, is_memory, keep_pods;
};

/* Runs until a signal; returns the exit code. */
int supervise(const struct up_options *o);

/* The address at which nodes reach the API server, for messages: "127.0.0.1" without real nodes. */
#define SUPERVISOR_CLUSTER "skeg"

#endif
