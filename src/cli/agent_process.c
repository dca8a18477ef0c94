/* skeg agent: one node as a process: identity, images, runtime, network, pods, logs and exec.
 * It enters the node's network namespace first, before any thread exists; the host's stays open for
 * pulls, for asking the host's name servers and for the host's route to the pods. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <uv.h>

#include "api/api_ids.h"
#include "api/views.h"
#include "base/ipaddr.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/cluster_files.h"
#include "cli/join.h"
#include "cli/node_certificates.h"
#include "cli/option_value.h"
#include "cli/pod_network_cni.h"
#include "cli/verbs.h"
#include "http/client.h"
#include "io/file.h"
#include "net/dns.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/node_network.h"
#include "net/proxy_adapter.h"
#include "net/route_keeper.h"
#include "node/agent.h"
#include "node/cgroup.h"
#include "node/image_store.h"
#include "node/kubelet_server.h"
#include "node/registry_config.h"
#include "node/runtime_oci.h"
#include "sync/cache.h"
#include "sync/http_client.h"

#define KUBELET_TOKEN_MAX 4096
#define LEAVE_PODS_MS	  10000

struct agent_options {
	const char *server, *token, *token_file, *node_name, *node_ip, *netns, *data_dir,
		*image_dir, *registries, *cluster_cidr, *service_cidr, *cluster_dns,
		*cluster_domain, *log_level;
	int64_t notify_fd;
	struct text_list node_labels;
};

struct agent {
	const struct agent_options *options;
	struct arena arena;
	struct loop *loop;
	struct join_options join;
	struct node_identity identity;
	struct node_certificates *certificates;
	struct ipaddr address, dns_address;
	struct ipnet pod_net, service_net;
	int host_netns_fd;
	struct client *client;
	struct image_store *images;
	const struct registry_config *registries;
	struct runtime *runtime;
	struct cache *cache;
	struct cache_listener node_listener;
	struct service_proxy *proxy;
	struct proxy_adapter adapter;
	struct host_ports *host_ports;
	struct route_keeper *routes;
	struct dns *dns;
	struct pod_network *network;
	bool has_network;
	struct tls_context *serving_tls;
	struct kubelet_server *kubelet;
	struct node_agent *node;
	uv_signal_t signals[3];
	struct loop_timer leaving;
	bool is_stopping, keeps_pods;
	int code;
};

/* ---- before any thread ---- */

static enum rc enter_namespace(struct agent *g, struct err *err)
{
	int fd;
	TRY(netns_open_own(&g->host_netns_fd, err));
	if (!g->options->netns)
		return node_network_enable_forwarding(err);
	TRY(netns_open(g->options->netns, &fd, err));
	enum rc rc = netns_enter(fd, err);
	close(fd);
	return rc;
}

static enum rc parse_addresses(struct agent *g, struct err *err)
{
	const struct agent_options *o = g->options;
	if (!o->node_ip || !ipaddr_parse(str_of(o->node_ip), &g->address))
		return err_set(err, RC_INVALID, "--node-ip: '%s' is not an IP address",
			       o->node_ip ? o->node_ip : "");
	if (!ipnet_parse(str_of(o->cluster_cidr), &g->pod_net))
		return err_set(err, RC_INVALID,
			       "--cluster-cidr: '%s' is not a prefix like 10.42.0.0/16",
			       o->cluster_cidr);
	if (!ipnet_parse(str_of(o->service_cidr), &g->service_net))
		return err_set(err, RC_INVALID,
			       "--service-cidr: '%s' is not a prefix like 10.43.0.0/16",
			       o->service_cidr);
	if (!ipaddr_parse(str_of(o->cluster_dns), &g->dns_address))
		return err_set(err, RC_INVALID, "--cluster-dns: '%s' is not an IP address",
			       o->cluster_dns);
	return RC_OK;
}

static enum rc read_token(struct agent *g, struct str *ret_token, struct err *err)
{
	const struct agent_options *o = g->options;
	if (o->token) {
		*ret_token = str_of(o->token);
		return RC_OK;
	}
	if (!o->token_file)
		return err_set(
			err, RC_INVALID,
			"a node joins by a token: give --token or --token-file (the server keeps it in <data>/server/token)");
	TRY(file_read(o->token_file, KUBELET_TOKEN_MAX, &g->arena, ret_token, err));
	*ret_token = str_trim(*ret_token);
	return RC_OK;
}

static enum rc join(struct agent *g, struct err *err)
{
	const struct agent_options *o = g->options;
	g->join = (struct join_options){
		.server = o->server,
		.node_name = o->node_name,
		.node_address = str_of(o->node_ip),
		.data_dir = o->data_dir,
	};
	if (!o->server)
		return err_set(
			err, RC_INVALID,
			"--server is missing: the URL of the API server, https://<address>:6443");
	TRY(read_token(g, &g->join.token, err));
	return node_join(&g->arena, &g->join, &g->identity, err);
}

/* ---- parts ---- */

static enum rc open_client(struct agent *g, struct err *err)
{
	const struct http_client_opts opts = {
		.ca_pem = g->identity.server_ca_pem,
		.cert_pem = g->identity.client.cert_pem,
		.key_pem = g->identity.client.key_pem,
	};
	return client_http_new(g->loop, api_builtin(), g->options->server, &opts, &g->client, err);
}

static enum rc open_runtime(struct agent *g, struct err *err)
{
	const struct agent_options *o = g->options;
	const char *registries = o->registries ? o->registries : "/etc/skeg/registries.yaml";
	char cgroup[CLUSTER_CGROUP_MAX];
	cluster_node_cgroup(o->node_name, cgroup);
	TRY(image_store_open(o->image_dir, &g->images, err));
	TRY(registry_config_load(&g->arena, registries, &g->registries, err));
	const struct runtime_oci_config config = {
		.dir = cluster_path(&g->arena, o->data_dir, CLUSTER_RUNTIME_FOLDER),
		.cgroup = cgroup,
		.images = g->images,
		.registries = g->registries,
		.pull_netns_fd = g->host_netns_fd,
	};
	return runtime_oci_new(g->loop, &config, NULL, &g->runtime, err);
}

/* What `skeg reset` has to take out of the machine's own network. */
static enum rc note_host_network(struct agent *g, struct err *err)
{
	const struct agent_options *o = g->options;
	const char *path = cluster_path(&g->arena, o->data_dir, CLUSTER_HOST_NETWORK);
	return o->netns ? RC_OK : file_write(path, str_of(o->cluster_dns), 0600, err);
}

/* The cluster's name server answers at the same address on every node. */
static enum rc open_dns(struct agent *g, struct err *err)
{
	const struct ipnet own[] = {g->pod_net, g->service_net};
	CLEANUP(netlink_close_p) struct netlink *links = NULL;
	TRY(note_host_network(g, err));
	TRY(netlink_open(&links, err));
	TRY(netlink_add_addr(links, "lo", ipnet_of(g->dns_address), err));
	const struct dns_config config = {
		.cache = g->cache,
		.domain = str_of(g->options->cluster_domain),
		.addrs = &g->dns_address,
		.addr_count = 1,
		.netns_fd = -1,
		.own_nets = own,
		.own_net_count = ARRAY_LEN(own),
		.forward = {.skip = g->dns_address, .netns_fd = g->host_netns_fd},
	};
	return dns_new(g->loop, &config, &g->dns, err);
}

static enum rc open_network(struct agent *g, struct err *err)
{
	static const uint16_t kinds[] = {KIND_SERVICE, KIND_ENDPOINT_SLICE, KIND_NODE,
					 KIND_NAMESPACE};
	const struct service_rules_config rules = {
		.pod_cidrs = &g->pod_net,
		.pod_cidr_count = 1,
		.service_cidrs = &g->service_net,
		.service_cidr_count = 1,
		.own_addrs = &g->dns_address,
		.own_addr_count = 1,
	};
	struct str name = str_of(g->options->node_name);
	g->cache = cache_new(g->client, kinds, ARRAY_LEN(kinds), NULL);
	g->host_ports = host_ports_new();
	g->adapter = (struct proxy_adapter){
		.cache = g->cache, .node_name = name, .host_ports = g->host_ports};
	g->proxy = service_proxy_new(g->loop, &rules, nft_program_new(-1), -1,
				     proxy_adapter_collect, &g->adapter);
	proxy_adapter_attach(&g->adapter, g->proxy);
	const struct route_keeper_config routes = {
		.cache = g->cache,
		.node_name = name,
		.netns_fd = -1,
		.host_netns_fd = g->options->netns ? g->host_netns_fd : -1,
	};
	g->routes = route_keeper_new(&routes, g->loop);
	g->network = pod_network_cni_new(g->loop, g->proxy, g->host_ports);
	return open_dns(g, err);
}

static enum rc open_serving(const struct node_identity *id, struct tls_context **ret_tls,
			    struct err *err)
{
	const struct tls_server_opts tls = {
		.cert_pem = id->serving.cert_pem,
		.key_pem = id->serving.key_pem,
		.client_ca_pem = id->client_ca_pem,
	};
	return tls_server_new(&tls, ret_tls, err);
}

/* Connections keep what they have. */
static void on_renewed(void *ctx, const struct node_identity *id)
{
	struct agent *g = ctx;
	struct tls_context *tls;
	struct err err;
	client_http_set_identity(g->client, id->client.cert_pem, id->client.key_pem);
	if (open_serving(id, &tls, &err) != RC_OK) {
		log_error("agent", "serving certificate: %s", err.text);
		return;
	}
	kubelet_server_set_tls(g->kubelet, tls);
	tls_unref(tls);
}

static void on_ready(void *ctx)
{
	struct agent *g = ctx;
	log_info("agent", "node '%s' is ready", g->options->node_name);
	child_tell_ready(g->options->notify_fd, "agent");
}

static enum rc open_node(struct agent *g, struct err *err)
{
	const struct agent_options *o = g->options;
	struct str *labels = ARENA_ARRAY(&g->arena, struct str, o->node_labels.count + 1);
	for (size_t i = 0; i < o->node_labels.count; i++)
		labels[i] = str_of(o->node_labels.at[i]);
	const struct node_agent_config config = {
		.node_name = o->node_name,
		.labels = labels,
		.label_count = o->node_labels.count,
		.client = g->client,
		.runtime = g->runtime,
		.network = g->network,
		.services = g->cache,
		.folder = o->data_dir,
		.address = g->address,
		.port = KUBELET_PORT,
		.cluster_dns = str_of(o->cluster_dns),
		.cluster_domain = str_of(o->cluster_domain),
		.on_ready = on_ready,
		.ctx = g,
	};
	return node_agent_new(&config, &g->node, err);
}

static const struct cache *pods_of_node(void *ctx)
{
	struct agent *g = ctx;
	return node_agent_cache(g->node);
}

/* After the agent: it stands before the agent's listener of exits. */
static enum rc open_kubelet(struct agent *g, struct err *err)
{
	const struct kubelet_server_config config = {
		.runtime = g->runtime,
		.address = g->options->node_ip,
		.port = KUBELET_PORT,
		.tls = g->serving_tls,
		.sandbox_folder = arena_cstr(
			&g->arena,
			arena_printf(&g->arena, "%s/runtime/sandboxes", g->options->data_dir)),
		.pods = pods_of_node,
		.ctx = g,
	};
	return kubelet_server_new(g->loop, &config, &g->kubelet, err);
}

/* ---- the pod range: the control plane gives it once the node is registered ---- */

static enum rc open_cni(struct agent *g, struct ipnet pod_cidr, struct err *err)
{
	struct cni *cni;
	const struct cni_config config = {
		.conf_folder = g->options->netns ? NULL : "/etc/cni/net.d",
		.data_folder = g->options->data_dir,
		.netns_fd = -1,
		.pod_cidrs = &pod_cidr,
		.pod_cidr_count = 1,
	};
	TRY(cni_new(&config, &cni, err));
	pod_network_cni_open(g->network, cni);
	node_agent_set_network(g->node, NULL);
	return RC_OK;
}

static void look_at_node(struct agent *g, const struct object *o)
{
	const struct node *node = object_view(o);
	struct ipnet cidr;
	struct err err;
	if (g->has_network || !str_is(o->name, g->options->node_name) ||
	    !ipnet_parse(node->spec.pod_cidr, &cidr))
		return;
	g->has_network = true;
	if (open_cni(g, cidr, &err) != RC_OK) {
		log_error("agent", "%s", err.text);
		node_agent_set_network(g->node,
				       "the pod network cannot be set up; see the agent's log");
	}
}

static void node_event(struct cache_listener *l, uint16_t stored_id, struct object *old,
		       struct object *new)
{
	if (stored_id == KIND_NODE && new)
		look_at_node(CONTAINER_OF(l, struct agent, node_listener), new);
}

static void watch_node(struct agent *g)
{
	struct object *o =
		cache_get(g->cache, KIND_NODE, (struct str){}, str_of(g->options->node_name));
	g->node_listener.on_event = node_event;
	cache_listen(g->cache, &g->node_listener);
	if (o)
		look_at_node(g, o);
}

/* ---- the process ---- */

/* The groups of pods that ended went with them, but not what other programs made beside. */
static void remove_empty_groups(const struct agent *g)
{
	struct cgroups groups;
	char path[CLUSTER_CGROUP_MAX];
	if (cgroups_find(&groups, NULL) != RC_OK)
		return;
	cluster_node_cgroup(g->options->node_name, path);
	if (g->keeps_pods)
		cgroup_remove_empty(&groups, path);
	else
		cgroup_sweep(&groups, path);
}

static void kubelet_stopped(void *ctx)
{
	struct agent *g = ctx;
	remove_empty_groups(g);
	loop_stop(g->loop);
}

static void node_stopped(void *ctx)
{
	struct agent *g = ctx;
	kubelet_server_stop(g->kubelet, kubelet_stopped, g);
}

/* Containers run on anyway; what a pod is at (a runtime that hangs) is begun again by the next
 * agent. */
static void leave_pods(struct loop_timer *timer)
{
	struct agent *g = CONTAINER_OF(timer, struct agent, leaving);
	log_warn("agent", "some pods are still busy; leaving them as they are");
	kubelet_stopped(g);
}

static void on_signal(uv_signal_t *handle, int signal)
{
	struct agent *g = handle->data;
	if (g->is_stopping)
		return;
	if (signal == SIGHUP) {
		if (g->certificates)
			node_certificates_look(g->certificates);
		return;
	}
	g->is_stopping = true;
	log_info("agent", signal == SIGINT ? "stopping, pods too" : "stopping; containers run on");
	g->keeps_pods = signal != SIGINT;
	if (g->keeps_pods)
		loop_timer_start(g->loop, &g->leaving, LEAVE_PODS_MS, leave_pods);
	node_agent_stop(g->node, g->keeps_pods, node_stopped, g);
}

static void catch_signals(struct agent *g)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(loop_uv(g->loop), &g->signals[i]);
		g->signals[i].data = g;
		uv_signal_start(&g->signals[i], on_signal, numbers[i]);
	}
}

static enum rc start(struct agent *g, struct err *err)
{
	TRY(parse_addresses(g, err));
	TRY(enter_namespace(g, err));
	TRY(dir_make(g->options->data_dir, 0700, err));
	TRY(join(g, err));
	g->loop = loop_new();
	catch_signals(g);
	TRY(open_client(g, err));
	TRY(open_runtime(g, err));
	TRY(open_network(g, err));
	TRY(open_serving(&g->identity, &g->serving_tls, err));
	TRY(open_node(g, err));
	TRY(open_kubelet(g, err));
	watch_node(g);
	g->certificates = node_certificates_new(g->loop, &g->join, &g->identity, on_renewed, g);
	return RC_OK;
}

static int run(struct command_line *line)
{
	struct agent_options *o = line->values;
	struct agent *g = NEW(struct agent);
	struct utsname host;
	struct err err;
	log_setup_name(o->log_level);
	signal(SIGPIPE, SIG_IGN);
	g->options = o;
	if (!o->node_name && uname(&host) == 0)
		o->node_name = arena_cstr(&line->arena, str_of(host.nodename));
	if (!o->image_dir)
		o->image_dir = arena_cstr(&line->arena,
					  arena_printf(&line->arena, "%s/images", o->data_dir));
	if (start(g, &err) == RC_OK)
		loop_run(g->loop);
	else
		g->code = command_failed(&err);
	/* Pods outlive the process and the kernel takes back the rest: nothing is torn down piece
	 * by piece. */
	_exit(g->code);
}

#define AT(member) offsetof(struct agent_options, member)
static const struct option options[] = {
	{"server", 0, OPTION_TEXT, AT(server), "URL", "of the API server"},
	{"token", 0, OPTION_TEXT, AT(token), "TOKEN", "join token of the cluster"},
	{"token-file", 0, OPTION_TEXT, AT(token_file), "FILE", "file with the join token"},
	{"node-name", 0, OPTION_TEXT, AT(node_name), "NAME", "name of this node (the host's name)",
	 .is_good = value_is_domain, .wants = DOMAIN_WANTED},
	{"node-ip", 0, OPTION_TEXT, AT(node_ip), "IP", "address of this node",
	 .is_good = value_is_address, .wants = ADDRESS_WANTED},
	{"node-label", 0, OPTION_LIST, AT(node_labels), "K=V", "label of this node",
	 .is_good = value_is_label, .wants = LABEL_WANTED},
	{"data-dir", 0, OPTION_TEXT, AT(data_dir), "DIR",
	 "where the node keeps its state (/var/lib/skeg/agent)"},
	{"image-dir", 0, OPTION_TEXT, AT(image_dir), "DIR",
	 "where images are kept (<data-dir>/images)"},
	{"registries", 0, OPTION_TEXT, AT(registries), "FILE",
	 "registry mirrors (/etc/skeg/registries.yaml)"},
	{"cluster-cidr", 0, OPTION_TEXT, AT(cluster_cidr), "CIDR", "addresses of pods",
	 .is_good = value_is_pod_cidrs, .wants = POD_CIDR_WANTED},
	{"service-cidr", 0, OPTION_TEXT, AT(service_cidr), "CIDR", "addresses of services",
	 .is_good = value_is_service_cidr, .wants = SERVICE_CIDR_WANTED},
	{"cluster-dns", 0, OPTION_TEXT, AT(cluster_dns), "IP",
	 "address of the cluster's name server", .is_good = value_is_address,
	 .wants = ADDRESS_WANTED},
	{"cluster-domain", 0, OPTION_TEXT, AT(cluster_domain), "NAME", "DNS domain of the cluster",
	 .is_good = value_is_domain, .wants = DOMAIN_WANTED},
	{"netns", 0, OPTION_TEXT, AT(netns), "PATH",
	 "network namespace of this node; the host's by default"},
	{"log-level", 0, OPTION_TEXT, AT(log_level), "LEVEL", "debug, info, warn or error",
	 .is_good = value_is_level, .wants = LEVEL_WANTED},
	{"notify-fd", 0, OPTION_NUMBER, AT(notify_fd), "FD",
	 "descriptor that gets \"ready\" once the node is"},
};

static const struct agent_options defaults = {
	.data_dir = "/var/lib/skeg/agent",
	.cluster_cidr = "10.42.0.0/16",
	.service_cidr = "10.43.0.0/16",
	.cluster_dns = "10.43.0.10",
	.cluster_domain = "cluster.local",
	.log_level = "info",
};

const struct command command_agent = {
	.name = "agent",
	.summary = "Join a cluster and run its pods on this machine",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct agent_options),
	.defaults = &defaults,
	.run = run,
};
