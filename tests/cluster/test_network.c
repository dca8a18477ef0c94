/* The network of a cluster on this machine, with real namespaces, plugins and packets: two nodes,
 * two pods on the first and one on the second.  Needs root, nft and the CNI plugins; else it is
 * skipped.
 *
 * A "pod" is a network namespace attached by CNI; its server is a thread of this program that owns
 * a socket which was made inside.  It answers each connection with its name and the client's
 * address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "api/api_ids.h"
#include "base/buf.h"
#include "net/cni.h"
#include "net/conntrack.h"
#include "net/dns.h"
#include "net/dns_message.h"
#include "net/nft.h"
#include "net/node_network.h"
#include "net/program.h"
#include "net/service_rules.h"

#define CLUSTER	     "sktest"
#define SKIPPED	     77
#define SERVER_PORT  8080
#define NODE_PORT    30080
#define TIMEOUT_MS   3000
#define MAX_TRIES    60
#define OUTPUT_MAX   (1u << 20)
#define SERVICE_ADDR "10.43.0.7"

enum { POD_A, POD_B, POD_C, POD_COUNT }; /* a and b on node 0, c on node 1 */

struct node {
	struct node_network network;
	struct ipnet pod_cidr;
	int netns_fd;
	struct cni *cni;
	struct nft *nft;
	struct service_rules applied;
};

struct pod {
	char name[8];
	int node;
	char netns_path[NETNS_PATH_MAX];
	int netns_fd;
	struct ipaddr addr;
	int listen_fd, udp_fd;
	pthread_t server;
};

static struct world {
	struct arena arena;
	char folder[64];
	struct machine_network machine;
	struct node nodes[2];
	struct pod pods[POD_COUNT];
	struct ipnet pod_cidr, service_cidr;
	struct service_rules_config config;
	struct proxy_endpoint endpoints[POD_COUNT];
	struct ipaddr cluster_ip, balancer_ip;
	struct proxy_port port;
	struct proxy_service service;
	struct proxy_snapshot snapshot;
	char *before; /* the host's state */
} w;

static struct err err;

#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((call) != RC_OK)                                                               \
			fail_msg("%s: %s", #call, err.text);                                       \
	} while (0)

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct ipnet net_of(const char *text)
{
	struct ipnet net;
	assert_true(ipnet_parse(str_of(text), &net));
	return net;
}

static struct ipaddr addr_of(const char *text)
{
	struct ipaddr addr;
	assert_true(ipaddr_parse(str_of(text), &addr));
	return addr;
}

/* --- the host's state, as its own tools tell it --- */

static void add_output(struct buf *out, const char *const *argv)
{
	struct program program = {.path = argv[0], .package = "-", .argv = argv, .netns_fd = -1};
	int status;
	MUST(program_run(&program, out, NULL, &status, &err));
}

static char *host_state(void)
{
	static const char *const commands[][6] = {
		{"ip", "-o", "-br", "link"},
		{"ip", "-o", "-br", "addr"},
		{"ip", "netns"},
		{"ip", "route"},
		{"nft", "list", "ruleset"},
		{"sysctl", "-a", "--pattern", "forward|bridge-nf|rp_filter"},
	};
	struct buf out = BUF_INIT(OUTPUT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		add_output(&out, commands[i]);
	return buf_take(&out);
}

/* --- servers and clients --- */

static struct sockaddr_in sockaddr_of(struct ipaddr addr, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	memcpy(&sa.sin_addr, addr.bytes, 4);
	return sa;
}

static void *serve(void *arg)
{
	struct pod *pod = arg;
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	char text[64], addr[INET_ADDRSTRLEN];
	for (int fd; (fd = accept(pod->listen_fd, (struct sockaddr *)&client, &len)) >= 0;) {
		inet_ntop(AF_INET, &client.sin_addr, addr, sizeof(addr));
		int n = snprintf(text, sizeof(text), "%s %s", pod->name, addr);
		(void)!write(fd, text, (size_t)n);
		close(fd);
		len = sizeof(client);
	}
	return NULL;
}

static enum rc bind_socket(int type, int *ret_fd, struct err *e)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT)};
	*ret_fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (bind(*ret_fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return err_sys(e, RC_IO, errno, "bind");
	return RC_OK;
}

static enum rc make_server(void *arg, struct err *e)
{
	struct pod *pod = arg;
	TRY(bind_socket(SOCK_STREAM, &pod->listen_fd, e));
	TRY(bind_socket(SOCK_DGRAM, &pod->udp_fd, e));
	if (listen(pod->listen_fd, 64) < 0)
		return err_sys(e, RC_IO, errno, "listen");
	return RC_OK;
}

/* One connection from inside a namespace (-1: the host) and what came back. */
struct attempt {
	struct ipaddr addr;
	uint16_t port;
	int sys; /* errno of connect */
	char reply[64];
};

static int finish_connect(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int sys = 0;
	socklen_t len = sizeof(sys);
	if (poll(&p, 1, TIMEOUT_MS) <= 0)
		return ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len);
	return sys;
}

static enum rc connect_and_read(void *arg, struct err *e)
{
	struct attempt *a = arg;
	struct sockaddr_in sa = sockaddr_of(a->addr, a->port);
	CLEANUP(close_fd_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	a->sys = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
	if (a->sys == EINPROGRESS)
		a->sys = finish_connect(fd);
	if (a->sys)
		return RC_OK;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t got = poll(&p, 1, TIMEOUT_MS) > 0 ? read(fd, a->reply, sizeof(a->reply) - 1) : -1;
	a->reply[got > 0 ? got : 0] = 0;
	return RC_OK;
}

static struct attempt attempt(int netns_fd, struct ipaddr addr, uint16_t port)
{
	struct attempt a = {.addr = addr, .port = port};
	MUST(netns_call(netns_fd, connect_and_read, &a, &err));
	return a;
}

/* Tries until every pod of the set has answered, which a fair choice does soon. */
static void assert_all_answer(int netns_fd, struct ipaddr addr, uint16_t port, unsigned want)
{
	unsigned seen = 0;
	for (int i = 0; i < MAX_TRIES && seen != want; i++) {
		struct attempt a = attempt(netns_fd, addr, port);
		if (a.sys)
			fail_msg("connect: %s", strerror(a.sys));
		for (int p = 0; p < POD_COUNT; p++)
			if (str_has_prefix(str_of(a.reply), str_of(w.pods[p].name)))
				seen |= 1u << p;
	}
	assert_int_equal(seen, want);
}

/* --- building --- */

static void build_node(int index, const char *name, const char *pod_cidr)
{
	struct node *n = &w.nodes[index];
	char data[80];
	MUST(node_network_up(&w.machine, str_of(name), (unsigned)index, &n->network, &err));
	MUST(netns_open(n->network.netns_path, &n->netns_fd, &err));
	n->pod_cidr = net_of(pod_cidr);
	snprintf(data, sizeof(data), "%s/%s", w.folder, name);
	struct cni_config config = {.data_folder = data,
				    .netns_fd = n->netns_fd,
				    .pod_cidrs = &n->pod_cidr,
				    .pod_cidr_count = 1};
	MUST(cni_new(&config, &n->cni, &err));
	int fd;
	MUST(netns_open(n->network.netns_path, &fd, &err));
	n->nft = nft_program_new(fd);
	MUST(machine_network_route(&w.machine, n->pod_cidr, n->network.addr, &err));
}

static enum rc set_routes(void *arg, struct err *e)
{
	const struct node *self = arg;
	const struct node *other = self == &w.nodes[0] ? &w.nodes[1] : &w.nodes[0];
	struct node_route route = {other->pod_cidr, other->network.addr};
	return node_network_set_routes(&route, 1, e);
}

static struct cni_pod cni_pod_of(const struct pod *pod)
{
	return (struct cni_pod){.namespace = STR("default"),
				.name = str_of(pod->name),
				.uid = str_of(pod->name),
				.sandbox_id = str_of(pod->name),
				.netns_path = pod->netns_path};
}

static void build_pod(int index, const char *name, int node)
{
	struct pod *pod = &w.pods[index];
	char netns[64];
	struct cni_result result;
	snprintf(pod->name, sizeof(pod->name), "%s", name);
	pod->node = node;
	snprintf(netns, sizeof(netns), "skpod-%s", name);
	MUST(netns_path(str_of(netns), pod->netns_path, &err));
	MUST(netns_keep(pod->netns_path, NULL, &err));
	MUST(netns_open(pod->netns_path, &pod->netns_fd, &err));
	struct cni_pod cni_pod = cni_pod_of(pod);
	MUST(cni_add(w.nodes[node].cni, &cni_pod, &result, &err));
	pod->addr = result.addrs[0];
	MUST(netns_call(pod->netns_fd, make_server, pod, &err));
	assert_int_equal(pthread_create(&pod->server, NULL, serve, pod), 0);
	w.endpoints[index] = (struct proxy_endpoint){
		.addr = pod->addr, .port = SERVER_PORT, .is_ready = true, .is_serving = true};
}

static void describe_service(void)
{
	w.cluster_ip = addr_of(SERVICE_ADDR);
	w.balancer_ip = w.nodes[0].network.addr;
	w.port = (struct proxy_port){.name = STR("http"),
				     .protocol = PROXY_TCP,
				     .port = 80,
				     .node_port = NODE_PORT,
				     .endpoints = w.endpoints,
				     .endpoint_count = POD_COUNT};
	w.service = (struct proxy_service){.namespace = STR("default"),
					   .name = STR("web"),
					   .cluster_ips = &w.cluster_ip,
					   .cluster_ip_count = 1,
					   .load_balancer_ips = &w.balancer_ip,
					   .load_balancer_ip_count = 1,
					   .ports = &w.port,
					   .port_count = 1};
	w.snapshot = (struct proxy_snapshot){.services = &w.service, .service_count = 1};
	w.config = (struct service_rules_config){.pod_cidrs = &w.pod_cidr,
						 .pod_cidr_count = 1,
						 .service_cidrs = &w.service_cidr,
						 .service_cidr_count = 1};
}

/* What both agents do after a change. */
static void apply_rules(void)
{
	for (int i = 0; i < 2; i++) {
		struct node *n = &w.nodes[i];
		struct service_rules rules;
		CLEANUP_BUF batch = BUF_INIT(NFT_BATCH_MAX);
		for (int p = 0; p < POD_COUNT; p++)
			w.endpoints[p].is_local = w.pods[p].node == i;
		service_rules_make(&w.arena, &w.config, &w.snapshot, &rules);
		if (!n->applied.items)
			service_rules_replace(&batch, &w.config, &rules);
		else
			service_rules_diff(&batch, &n->applied, &rules);
		MUST(nft_apply(n->nft, buf_str(&batch), &err));
		n->applied = rules;
	}
}

static int build(void **state)
{
	w.before = host_state();
	snprintf(w.folder, sizeof(w.folder), "/tmp/skeg-test-network-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	w.pod_cidr = net_of("10.42.0.0/16");
	w.service_cidr = net_of("10.43.0.0/16");
	MUST(machine_network_up(STR(CLUSTER), (struct ipnet){}, &w.machine, &err));
	build_node(0, "n1", "10.42.0.0/24");
	build_node(1, "n2", "10.42.1.0/24");
	for (int i = 0; i < 2; i++)
		MUST(netns_call(w.nodes[i].netns_fd, set_routes, &w.nodes[i], &err));
	build_pod(POD_A, "a", 0);
	build_pod(POD_B, "b", 0);
	build_pod(POD_C, "c", 1);
	describe_service();
	apply_rules();
	return 0;
}

/* --- removing --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_all(void **state)
{
	for (int i = 0; i < POD_COUNT; i++) {
		struct pod *pod = &w.pods[i];
		struct cni_pod cni_pod = cni_pod_of(pod);
		MUST(cni_del(w.nodes[pod->node].cni, &cni_pod, &err));
		shutdown(pod->listen_fd, SHUT_RDWR);
		pthread_join(pod->server, NULL);
		close(pod->listen_fd);
		close(pod->udp_fd);
		close(pod->netns_fd);
		MUST(netns_release(pod->netns_path, &err));
	}
	for (int i = 0; i < 2; i++) {
		nft_free(w.nodes[i].nft);
		cni_free(w.nodes[i].cni);
		close(w.nodes[i].netns_fd);
	}
	MUST(machine_network_down(STR(CLUSTER), &err));
	MUST(machine_network_down(STR(CLUSTER), &err)); /* nothing left is no error */
	nftw(w.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	arena_done(&w.arena);
	char *after = host_state();
	assert_string_equal(after, w.before);
	free(after);
	free(w.before);
	return 0;
}

/* --- proofs --- */

static void pods_reach_each_other(void **state)
{
	for (int from = 0; from < POD_COUNT; from++) {
		for (int to = 0; to < POD_COUNT; to++) {
			struct attempt a =
				attempt(w.pods[from].netns_fd, w.pods[to].addr, SERVER_PORT);
			char want[64], addr[IPADDR_TEXT_MAX];
			ipaddr_format(w.pods[from].addr, addr);
			snprintf(want, sizeof(want), "%s %s", w.pods[to].name, addr);
			assert_int_equal(a.sys, 0);
			assert_string_equal(a.reply, want); /* and the source is the pod's own */
		}
	}
}

static void host_reaches_pods(void **state)
{
	for (int to = 0; to < POD_COUNT; to++)
		assert_int_equal(attempt(-1, w.pods[to].addr, SERVER_PORT).sys, 0);
}

static void cluster_ip_from_every_pod_and_node(void **state)
{
	for (int from = 0; from < POD_COUNT; from++)
		assert_all_answer(w.pods[from].netns_fd, w.cluster_ip, 80,
				  7); /* hairpin included */
	for (int i = 0; i < 2; i++)
		assert_all_answer(w.nodes[i].netns_fd, w.cluster_ip, 80, 7);
}

static void node_ports_from_host_pods_and_nodes(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct ipaddr node = w.nodes[i].network.addr;
		assert_all_answer(-1, node, NODE_PORT, 7);
		assert_all_answer(w.pods[POD_A].netns_fd, node, NODE_PORT, 7);
		assert_all_answer(w.nodes[0].netns_fd, node, NODE_PORT, 7);
	}
}

static void load_balancer_from_host_and_pods(void **state)
{
	assert_all_answer(-1, w.balancer_ip, 80, 7);
	assert_all_answer(w.pods[POD_C].netns_fd, w.balancer_ip, 80, 7);
}

static void nodes_reach_the_host(void **state)
{
	struct attempt a = attempt(w.pods[POD_C].netns_fd, w.machine.host_addr, 1);
	assert_int_equal(a.sys, ECONNREFUSED); /* a reply came back */
}

/* Whatever the host's own gateway says to the host, it must say to a pod. */
static void pods_reach_the_outside(void **state)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	struct netlink_route *routes;
	size_t count;
	MUST(netlink_open(&nl, &err));
	MUST(netlink_routes(nl, &w.arena, 0, &routes, &count, &err));
	for (size_t i = 0; i < count; i++) {
		if (routes[i].dst.prefix_bits != 0 || routes[i].gateway.family != IP_V4)
			continue;
		struct attempt host = attempt(-1, routes[i].gateway, 1);
		struct attempt pod = attempt(w.pods[POD_C].netns_fd, routes[i].gateway, 1);
		assert_int_equal(pod.sys, host.sys);
	}
}

static void rules_follow_endpoints(void **state)
{
	int64_t start = now_ms();
	w.port.endpoint_count = 1;
	apply_rules();
	assert_all_answer(w.pods[POD_C].netns_fd, w.cluster_ip, 80, 1);
	assert_true(now_ms() - start < 1000);
	for (int i = 0; i < 20; i++)
		assert_int_equal(attempt(-1, w.balancer_ip, 80).reply[0], 'a');
	w.port.endpoint_count = POD_COUNT;
	apply_rules();
	assert_all_answer(w.pods[POD_C].netns_fd, w.cluster_ip, 80, 7);
}

static void without_endpoints_refused_at_once(void **state)
{
	w.port.endpoint_count = 0;
	apply_rules();
	int64_t start = now_ms();
	assert_int_equal(attempt(w.pods[POD_A].netns_fd, w.cluster_ip, 80).sys, ECONNREFUSED);
	assert_int_equal(attempt(w.nodes[1].netns_fd, w.cluster_ip, 80).sys, ECONNREFUSED);
	assert_int_equal(attempt(-1, w.balancer_ip, 80).sys, ECONNREFUSED);
	assert_int_equal(attempt(-1, w.nodes[1].network.addr, NODE_PORT).sys, ECONNREFUSED);
	assert_true(now_ms() - start < 1000);
	w.port.endpoint_count = POD_COUNT;
	apply_rules();
}

static void unused_service_addresses_are_refused(void **state)
{
	assert_int_equal(attempt(w.pods[POD_A].netns_fd, w.cluster_ip, 81).sys, ECONNREFUSED);
	assert_int_equal(attempt(w.pods[POD_A].netns_fd, addr_of("10.43.9.9"), 80).sys,
			 ECONNREFUSED);
}

static void affinity_keeps_a_client(void **state)
{
	w.service.affinity_timeout_s = 60;
	apply_rules();
	char first = attempt(w.pods[POD_B].netns_fd, w.cluster_ip, 80).reply[0];
	for (int i = 0; i < 20; i++)
		assert_int_equal(attempt(w.pods[POD_B].netns_fd, w.cluster_ip, 80).reply[0], first);
	w.service.affinity_timeout_s = 0;
	apply_rules();
}

static void external_policy_local(void **state)
{
	w.service.is_external_local = true;
	apply_rules();
	for (int i = 0; i < 10; i++) {
		struct attempt a = attempt(-1, w.nodes[1].network.addr, NODE_PORT);
		char want[64], addr[IPADDR_TEXT_MAX];
		ipaddr_format(w.machine.host_addr, addr);
		snprintf(want, sizeof(want), "c %s", addr); /* the client's own address */
		assert_string_equal(a.reply, want);
	}
	assert_all_answer(w.pods[POD_C].netns_fd, w.nodes[1].network.addr, NODE_PORT, 7);
	w.service.is_external_local = false;
	apply_rules();
}

/* --- datagrams: the servers' sockets are read right here --- */

static enum rc make_udp_client(void *arg, struct err *e)
{
	int *fd = arg;
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *fd < 0 ? err_sys(e, RC_IO, errno, "socket") : RC_OK;
}

/* Sends until one of the pods got it; -1: nobody within the time. */
static int who_gets_datagram(int client_fd)
{
	struct sockaddr_in sa = sockaddr_of(w.cluster_ip, 80);
	struct pollfd fds[POD_COUNT];
	char byte;
	for (int p = 0; p < POD_COUNT; p++)
		fds[p] = (struct pollfd){.fd = w.pods[p].udp_fd, .events = POLLIN};
	sendto(client_fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa));
	if (poll(fds, POD_COUNT, 500) <= 0)
		return -1;
	for (int p = 0; p < POD_COUNT; p++)
		if (fds[p].revents)
			return recv(fds[p].fd, &byte, 1, 0) == 1 ? p : -1;
	return -1;
}

static enum rc prune(void *arg, struct err *e)
{
	struct conntrack_target target = {w.endpoints[0].addr, w.endpoints[0].port};
	struct conntrack_service service = {.addr = w.cluster_ip,
					    .family = IP_V4,
					    .port = 80,
					    .targets = &target,
					    .target_count = w.port.endpoint_count};
	return conntrack_prune_udp(&service, 1, arg, e);
}

static void datagrams_follow_endpoints(void **state)
{
	int client;
	size_t deleted;
	struct proxy_endpoint a = w.endpoints[0];
	w.port.protocol = PROXY_UDP;
	w.port.endpoint_count = 1;
	apply_rules();
	MUST(netns_call(w.pods[POD_B].netns_fd, make_udp_client, &client, &err));
	assert_int_equal(who_gets_datagram(client), POD_A);
	w.endpoints[0] = w.endpoints[POD_C];
	w.endpoints[0].addr = w.pods[POD_C].addr;
	apply_rules();
	assert_int_equal(who_gets_datagram(client), POD_A); /* the connection is remembered */
	MUST(netns_call(w.nodes[0].netns_fd, prune, &deleted, &err));
	assert_int_equal(deleted, 1);
	assert_int_equal(who_gets_datagram(client), POD_C);
	MUST(netns_call(w.nodes[0].netns_fd, prune, &deleted, &err));
	assert_int_equal(deleted, 0);
	close(client);
	w.endpoints[0] = a;
	w.port.protocol = PROXY_TCP;
	w.port.endpoint_count = POD_COUNT;
	apply_rules();
}

/* --- the node's name server --- */

static enum rc add_dns_addr(void *arg, struct err *e)
{
	CLEANUP(netlink_close_p) struct netlink *nl = NULL;
	TRY(netlink_open(&nl, e));
	return netlink_add_addr(nl, "lo", ipnet_of(*(struct ipaddr *)arg), e);
}

static void put_dns_service(struct cache *cache)
{
	CLEANUP_ARENA a = {};
	CLEANUP(object_unref_p) struct object *o = NULL;
	struct json *tree;
	struct str text = STR("{\"metadata\":{\"namespace\":\"default\",\"name\":\"web\"},"
			      "\"spec\":{\"clusterIP\":\"" SERVICE_ADDR "\"}}");
	MUST(json_parse(&a, text, &tree, NULL, &err));
	MUST(object_new(api_by_stored(api_builtin(), KIND_SERVICE), tree, 1, &o, &err));
	cache_put(cache, o);
}

static void pods_ask_their_node_for_names(void **state)
{
	struct ipaddr addr = addr_of("10.43.0.10");
	struct sockaddr_in sa = sockaddr_of(addr, DNS_PORT);
	struct loop *loop = loop_new();
	struct cache *cache = cache_new_literal(api_builtin());
	struct dns *dns;
	CLEANUP_BUF ask = BUF_INIT(512);
	char reply[512];
	ssize_t len = -1;
	int client;
	put_dns_service(cache);
	w.config.own_addrs = &addr;
	w.config.own_addr_count = 1;
	w.nodes[0].applied = (struct service_rules){};
	apply_rules();
	MUST(netns_call(w.nodes[0].netns_fd, add_dns_addr, &addr, &err));
	struct dns_config config = {.cache = cache,
				    .domain = STR("cluster.local"),
				    .addrs = &addr,
				    .addr_count = 1,
				    .netns_fd = w.nodes[0].netns_fd,
				    .forward.netns_fd = -1};
	MUST(dns_new(loop, &config, &dns, &err));
	MUST(netns_call(w.pods[POD_A].netns_fd, make_udp_client, &client, &err));
	dns_ask_write(&ask, 1, STR("web.default.svc.cluster.local"), DNS_A);
	sendto(client, ask.data, ask.len, 0, (struct sockaddr *)&sa, sizeof(sa));
	for (int64_t start = now_ms(); len < 0 && now_ms() - start < TIMEOUT_MS;) {
		loop_run_once(loop, 20);
		len = recv(client, reply, sizeof(reply), MSG_DONTWAIT);
	}
	assert_true(len > 0 && dns_message_answers(str_n(reply, (size_t)len), buf_str(&ask)));
	assert_memory_equal(reply + len - 4, w.cluster_ip.bytes, 4);
	close(client);
	dns_free(dns);
	loop_run_once(loop, 0);
	loop_free(loop);
	cache_free(cache);
	w.config.own_addrs = NULL;
	w.config.own_addr_count = 0;
}

static void everything_again_changes_nothing(void **state)
{
	struct machine_network again;
	struct node_network node;
	MUST(machine_network_up(STR(CLUSTER), (struct ipnet){}, &again, &err));
	assert_string_equal(again.link, w.machine.link);
	assert_true(ipnet_eq(again.subnet, w.machine.subnet));
	MUST(node_network_up(&again, STR("n1"), 0, &node, &err));
	assert_true(ipaddr_eq(node.addr, w.nodes[0].network.addr));
	assert_int_equal(node_network_up(&again, STR("n3"), 0, &node, &err), RC_ALREADY_EXISTS);
	MUST(node_network_down(&again, STR("n3"), &err));
	assert_all_answer(w.pods[POD_C].netns_fd, w.cluster_ip, 80, 7);
}

static void clusters_live_beside_each_other(void **state)
{
	struct machine_network other, found;
	MUST(machine_network_up(STR(CLUSTER "-b"), (struct ipnet){}, &other, &err));
	assert_string_not_equal(other.link, w.machine.link);
	assert_false(ipnet_overlaps(other.subnet, w.machine.subnet));
	MUST(machine_network_find(STR(CLUSTER), &found, &err));
	assert_string_equal(found.link, w.machine.link);
	pods_reach_the_outside(state);
	MUST(machine_network_find(STR(CLUSTER "-b"), &found, &err));
	assert_string_equal(found.link, other.link);
	assert_int_equal(machine_network_find(STR("skte"), &found, &err), RC_NOT_FOUND);
	MUST(machine_network_down(STR(CLUSTER "-b"), &err));
	assert_all_answer(w.pods[POD_C].netns_fd, w.cluster_ip, 80, 7);
	pods_reach_the_outside(state);
}

static void check_finds_what_add_left(void **state)
{
	struct cni_pod pod = cni_pod_of(&w.pods[POD_A]);
	struct cni_result result;
	MUST(cni_check(w.nodes[0].cni, &pod, &err));
	MUST(cni_find(w.nodes[0].cni, STR("a"), &result, &err));
	assert_true(ipaddr_eq(result.addrs[0], w.pods[POD_A].addr));
	assert_int_equal(cni_find(w.nodes[0].cni, STR("c"), &result, &err), RC_NOT_FOUND);
	pod = cni_pod_of(&w.pods[POD_C]); /* never on this node */
	MUST(cni_del(w.nodes[0].cni, &pod, &err));
}

static void a_missing_plugin_names_its_package(void **state)
{
	struct cni *cni;
	struct cni_result result;
	char data[80];
	snprintf(data, sizeof(data), "%s/other", w.folder);
	struct cni_config config = {.data_folder = data,
				    .plugin_folders = "/nonexistent",
				    .netns_fd = -1,
				    .pod_cidrs = &w.pod_cidr,
				    .pod_cidr_count = 1};
	struct cni_pod pod = cni_pod_of(&w.pods[POD_A]);
	MUST(cni_new(&config, &cni, &err));
	assert_int_equal(cni_add(cni, &pod, &result, &err), RC_UNAVAILABLE);
	assert_non_null(strstr(err.text, "containernetworking-plugins"));
	cni_free(cni);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: network namespaces need root\n");
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_reach_each_other),
		cmocka_unit_test(host_reaches_pods),
		cmocka_unit_test(cluster_ip_from_every_pod_and_node),
		cmocka_unit_test(node_ports_from_host_pods_and_nodes),
		cmocka_unit_test(load_balancer_from_host_and_pods),
		cmocka_unit_test(nodes_reach_the_host),
		cmocka_unit_test(pods_reach_the_outside),
		cmocka_unit_test(rules_follow_endpoints),
		cmocka_unit_test(without_endpoints_refused_at_once),
		cmocka_unit_test(unused_service_addresses_are_refused),
		cmocka_unit_test(affinity_keeps_a_client),
		cmocka_unit_test(external_policy_local),
		cmocka_unit_test(datagrams_follow_endpoints),
		cmocka_unit_test(pods_ask_their_node_for_names),
		cmocka_unit_test(everything_again_changes_nothing),
		cmocka_unit_test(clusters_live_beside_each_other),
		cmocka_unit_test(check_finds_what_add_left),
		cmocka_unit_test(a_missing_plugin_names_its_package),
	};
	return cmocka_run_group_tests(tests, build, remove_all);
}
