/* control_process: the control plane as a process: core loop, server, controllers, scheduler, and
 * simulated nodes.  Started by `skeg up` and `skeg server`; see `skeg control --help`. */
#ifndef SKEG_CLI_CONTROL_PROCESS_H
#define SKEG_CLI_CONTROL_PROCESS_H

#include "client/command.h"
#include "server/request_header.h"

struct control_options {
	const char *data_dir, *bind_address, *advertise_address, *cluster_cidr, *service_cidr,
		*cluster_domain, *request_timeout, *log_level, *audit_policy, *audit_log,
		*audit_webhook;
	struct request_header_options request_headers;
	int64_t min_request_timeout_s, port, simulated_nodes, notify_fd, audit_max_mib,
		audit_max_backups, audit_max_days;
	struct text_list tls_sans, node_labels;
	bool is_memory, has_json_log;
};

extern const struct command command_control;

#endif
