/* control_process: the control plane as a process: core loop, server, controllers, scheduler, and
 * simulated nodes.  Started by `skeg up` and `skeg server`; see `skeg control --help`. */
#ifndef SKEG_CLI_CONTROL_PROCESS_H
#define SKEG_CLI_CONTROL_PROCESS_H

#include "cli/api_options.h"
#include "client/command.h"

struct control_options {
	const char *data_dir, *bind_address, *advertise_address, *cluster_cidr, *service_cidr,
		*cluster_domain, *log_level;
	struct api_options api;
	int64_t port, simulated_nodes, notify_fd;
	struct text_list tls_sans, node_labels;
	bool is_memory, has_json_log;
};

extern const struct command command_control;

#endif
