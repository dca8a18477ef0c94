/* supervisor: the small process that keeps a cluster's processes alive on this machine: the control
 * plane first, then one agent a node: of `skeg up` each in a network namespace of its own, of `skeg
 * server` one in the machine's.
 * SIGTERM ends all and leaves containers running; SIGINT ends the pods too.  SIGHUP makes each look
 * at its certificates again; where there is a terminal it is taken as SIGTERM. */
#ifndef SKEG_CLI_SUPERVISOR_H
#define SKEG_CLI_SUPERVISOR_H

#include "cli/api_options.h"
#include "cli/option_value.h"
#include "client/command.h"

#define NODES_MAX 64

/* What `skeg up` and `skeg server` have in common. */
struct cluster_options {
	const char *data_dir, *bind_address, *cluster_cidr, *service_cidr, *cluster_dns,
		*cluster_domain, *registries, *log_level, *kubeconfig;
	int64_t port, notify_fd;
	struct text_list node_labels, tls_sans;
	bool is_memory, keep_pods;
	struct api_options api;
};

struct cluster_plan {
	const struct cluster_options *options;
	int64_t nodes; /* in namespaces of their own, named node1, node2, … */
	int64_t simulated_nodes;
	const char *host_node;	  /* name of the node that is this machine itself; NULL: none */
	const char *host_address; /* with host_node or alone: where others reach this machine */
	const char *kubeconfig;	  /* gets the context 'skeg'; NULL: none does */
	void (*on_ready)(const struct cluster_plan *plan); /* once; NULL: nothing more to say */
};

/* Runs until a signal; returns the exit code. */
int supervise(const struct cluster_plan *plan);

/* Rows that every verb with cluster_options has. */
#define CLUSTER_OPTIONS(type, member)                                                              \
	{"data-dir",  0,                                                                           \
	 OPTION_TEXT, offsetof(type, member.data_dir),                                             \
	 "DIR",	      "where everything lives (/var/lib/skeg)"},                                   \
		{"port",                                                                           \
		 0,                                                                                \
		 OPTION_NUMBER,                                                                    \
		 offsetof(type, member.port),                                                      \
		 "N",                                                                              \
		 "port of the API server (6443)",                                                  \
		 .most = PORT_MOST},                                                               \
		{"bind-address",                                                                   \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.bind_address),                                              \
		 "IP",                                                                             \
		 "address to listen on; all by default",                                           \
		 .is_good = value_is_bind_address,                                                 \
		 .wants = ADDRESS_WANTED},                                                         \
		{"cluster-cidr",                                                                   \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.cluster_cidr),                                              \
		 "CIDR",                                                                           \
		 "addresses of pods (10.42.0.0/16)",                                               \
		 .is_good = value_is_pod_cidrs,                                                    \
		 .wants = POD_CIDR_WANTED},                                                        \
		{"service-cidr",                                                                   \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.service_cidr),                                              \
		 "CIDR",                                                                           \
		 "addresses of services (10.43.0.0/16)",                                           \
		 .is_good = value_is_service_cidr,                                                 \
		 .wants = SERVICE_CIDR_WANTED},                                                    \
		{"cluster-dns",                                                                    \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.cluster_dns),                                               \
		 "IP",                                                                             \
		 "address of the cluster's name server (10.43.0.10)",                              \
		 .is_good = value_is_address,                                                      \
		 .wants = ADDRESS_WANTED},                                                         \
		{"cluster-domain",                                                                 \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.cluster_domain),                                            \
		 "NAME",                                                                           \
		 "DNS domain of the cluster (cluster.local)",                                      \
		 .is_good = value_is_domain,                                                       \
		 .wants = DOMAIN_WANTED},                                                          \
		{"tls-san",                                                                        \
		 0,                                                                                \
		 OPTION_LIST,                                                                      \
		 offsetof(type, member.tls_sans),                                                  \
		 "NAME",                                                                           \
		 "one more name of the serving certificate",                                       \
		 .is_good = value_is_certificate_name,                                             \
		 .wants = CERTIFICATE_NAME_WANTED},                                                \
		{"registries",                                                                     \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.registries),                                                \
		 "FILE",                                                                           \
		 "registry mirrors, as k3s' registries.yaml "                                      \
		 "(/etc/skeg/registries.yaml)"},                                                   \
		{"log-level",                                                                      \
		 0,                                                                                \
		 OPTION_TEXT,                                                                      \
		 offsetof(type, member.log_level),                                                 \
		 "LEVEL",                                                                          \
		 "debug, info, warn or error",                                                     \
		 .is_good = value_is_level,                                                        \
		 .wants = LEVEL_WANTED},                                                           \
		{"keep-pods", 0,                                                                   \
		 OPTION_FLAG, offsetof(type, member.keep_pods),                                    \
		 NULL,	      "containers run on after Ctrl-C"},                                   \
	{                                                                                          \
		"notify-fd", 0, OPTION_NUMBER, offsetof(type, member.notify_fd), "FD",             \
			"descriptor that gets \"ready\""                                           \
	}

#define CLUSTER_DEFAULTS                                                                           \
	{                                                                                          \
		.bind_address = "", .cluster_cidr = "10.42.0.0/16",                                \
		.service_cidr = "10.43.0.0/16", .cluster_dns = "10.43.0.10",                       \
		.cluster_domain = "cluster.local", .log_level = "info", .port = 6443,              \
		.api = API_OPTIONS_DEFAULTS,                                                       \
	}

#endif
