#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/host_ports.h"
#include "net/nft.h"
#include "net/service_rules.h"

#define BATCH_MAX (1u << 20)

static struct ipaddr addr_of(const char *text)
{
	struct ipaddr addr;
	assert_true(ipaddr_parse(str_of(text), &addr));
	return addr;
}

static struct ipnet net_of(const char *text)
{
	struct ipnet net;
	assert_true(ipnet_parse(str_of(text), &net));
	return net;
}

static struct ipnet pod_cidrs[2], service_cidrs[1];

static struct service_rules_config config_of(void)
{
	pod_cidrs[0] = net_of("10.42.0.0/16");
	pod_cidrs[1] = net_of("fd42::/48");
	service_cidrs[0] = net_of("10.43.0.0/16");
	return (struct service_rules_config){.pod_cidrs = pod_cidrs,
					     .pod_cidr_count = 2,
					     .service_cidrs = service_cidrs,
					     .service_cidr_count = 1};
}

static struct proxy_endpoint ready(const char *addr, bool is_local)
{
	return (struct proxy_endpoint){.addr = addr_of(addr),
				       .port = 8080,
				       .is_ready = true,
				       .is_serving = true,
				       .is_local = is_local};
}

static struct proxy_endpoint terminating(const char *addr)
{
	return (struct proxy_endpoint){
		.addr = addr_of(addr), .port = 8080, .is_serving = true, .is_terminating = true};
}

/* The service "shop/web" with one port and two endpoints; each test changes what it is about. */
struct fixture {
	struct arena arena;
	struct service_rules_config config;
	struct proxy_endpoint endpoints[8];
	struct ipaddr cluster_ips[2], balancer_ips[2], external_ips[1];
	struct ipnet ranges[1];
	struct proxy_port port;
	struct proxy_service service;
	struct proxy_snapshot snapshot;
};

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->config = config_of();
	f->cluster_ips[0] = addr_of("10.43.0.7");
	f->balancer_ips[0] = addr_of("172.31.0.10");
	f->external_ips[0] = addr_of("203.0.113.9");
	f->ranges[0] = net_of("172.31.0.0/24");
	f->endpoints[0] = ready("10.42.1.2", true);
	f->endpoints[1] = ready("10.42.2.2", false);
	f->port = (struct proxy_port){.name = STR("http"),
				      .protocol = PROXY_TCP,
				      .port = 80,
				      .endpoints = f->endpoints,
				      .endpoint_count = 2};
	f->service = (struct proxy_service){.namespace = STR("shop"),
					    .name = STR("web"),
					    .cluster_ips = f->cluster_ips,
					    .cluster_ip_count = 1,
					    .ports = &f->port,
					    .port_count = 1};
	f->snapshot = (struct proxy_snapshot){.services = &f->service, .service_count = 1};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	arena_done(&f->arena);
	free(f);
	return 0;
}

static struct service_rules make(struct fixture *f)
{
	struct service_rules rules;
	service_rules_make(&f->arena, &f->config, &f->snapshot, &rules);
	return rules;
}

/* The batch from nothing, with hashes of 16 digits replaced by H for reading. */
static const char *text_of(struct fixture *f, const struct service_rules *from,
			   const struct service_rules *to)
{
	static const struct service_rules none;
	CLEANUP_BUF out = BUF_INIT(BATCH_MAX);
	service_rules_diff(&out, from ? from : &none, to);
	assert_false(out.is_full);
	char *text = arena_cstr(&f->arena, buf_str(&out)), *write = text;
	for (const char *read = text; *read;) {
		if (*read == '-' && strspn(read + 1, "0123456789abcdef") == 16) {
			*write++ = '-';
			*write++ = 'H';
			read += 17;
		} else {
			*write++ = *read++;
		}
	}
	*write = 0;
	return text;
}

static void assert_batch(struct fixture *f, const char *want)
{
	struct service_rules rules = make(f);
	assert_string_equal(text_of(f, NULL, &rules), want);
}

static void a_cluster_service(void **state)
{
	assert_batch(
		*state,
		"add chain inet skeg svc-H-4\n"
		"table inet skeg {\n"
		"\tchain svc-H-4 {\n"
		"\t\tcounter comment \"shop/web:http\"\n"
		"\t\tmeta l4proto tcp dnat ip to numgen random mod 2 map "
		"{ 0 : 10.42.1.2 . 8080, 1 : 10.42.2.2 . 8080 }\n"
		"\t}\n"
		"}\n"
		"add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		"add element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 : goto svc-H-4 }\n");
}

static void no_endpoint_is_refused(void **state)
{
	struct fixture *f = *state;
	f->port.endpoint_count = 0;
	f->port.node_port = 30080;
	assert_batch(
		f,
		"add element inet skeg unserved-node-ports4 { tcp . 30080 : goto refuse }\n"
		"add element inet skeg unserved-ports4 { 10.43.0.7 . tcp . 80 : goto refuse }\n");
}

static void node_port_and_load_balancer(void **state)
{
	struct fixture *f = *state;
	f->port.endpoint_count = 1;
	f->port.node_port = 30080;
	f->service.load_balancer_ips = f->balancer_ips;
	f->service.load_balancer_ip_count = 1;
	f->service.source_ranges = f->ranges;
	f->service.source_range_count = 1;
	assert_batch(
		f,
		"add chain inet skeg ext-H-4\n"
		"add chain inet skeg lb-H-4\n"
		"add chain inet skeg svc-H-4\n"
		"table inet skeg {\n"
		"\tchain ext-H-4 {\n"
		"\t\tcounter comment \"shop/web:http from outside\"\n"
		"\t\tjump mark-masquerade\n"
		"\t\tgoto svc-H-4\n"
		"\t}\n"
		"\tchain lb-H-4 {\n"
		"\t\tcounter comment \"shop/web:http from outside\"\n"
		"\t\tip saddr != { 172.31.0.0/24 } drop\n"
		"\t\tjump mark-masquerade\n"
		"\t\tgoto svc-H-4\n"
		"\t}\n"
		"\tchain svc-H-4 {\n"
		"\t\tcounter comment \"shop/web:http\"\n"
		"\t\tmeta l4proto tcp dnat ip to 10.42.1.2:8080\n"
		"\t}\n"
		"}\n"
		"add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		"add element inet skeg node-ports4 { tcp . 30080 : goto ext-H-4 }\n"
		"add element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 : goto svc-H-4 }\n"
		"add element inet skeg service-ports4 { 172.31.0.10 . tcp . 80 : goto lb-H-4 }\n");
}

/* One port on every address, one on a single one; clients keep their address. */
static void host_ports_lead_to_pods(void **state)
{
	static const char *const parts[] = {
		"\tchain ext-H-4 {\n"
		"\t\tcounter comment \"shop/web:host port 18080 of u1 from outside\"\n"
		"\t\tip saddr @pod-cidrs4 goto svc-H-4\n"
		"\t\tfib saddr type local jump mark-masquerade\n"
		"\t\tfib saddr type local goto svc-H-4\n"
		"\t\tgoto local-H-4\n"
		"\t}\n",
		"\t\tmeta l4proto tcp dnat ip to 10.42.1.2:8080\n",
		"\t\tmeta l4proto udp dnat ip to 10.42.1.2:5353\n",
		"add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n",
		"add element inet skeg node-ports4 { tcp . 18080 : goto ext-H-4 }\n",
		"add element inet skeg service-ports4 { 172.31.0.10 . udp . 53 : goto lb-H-4 }\n",
	};
	struct fixture *f = *state;
	struct host_ports *h = host_ports_new();
	const struct host_port_wish wishes[] = {
		{PROXY_TCP, 18080, 8080, {}},
		{PROXY_UDP, 53, 5353, addr_of("172.31.0.10")},
	};
	struct ipaddr addr = addr_of("10.42.1.2");
	assert_true(host_ports_set(h, STR("shop"), STR("web"), STR("u1"), wishes, 2, &addr, 1));
	assert_false(host_ports_set(h, STR("shop"), STR("web"), STR("u1"), wishes, 2, &addr, 1));
	f->snapshot = (struct proxy_snapshot){};
	host_ports_collect(h, &f->arena, &f->snapshot);
	struct service_rules rules = make(f);
	const char *text = text_of(f, NULL, &rules);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!strstr(text, parts[i]))
			fail_msg("no\n%sin\n%s", parts[i], text);
	assert_true(host_ports_remove(h, STR("u1")));
	assert_false(host_ports_remove(h, STR("u1")));
	f->snapshot = (struct proxy_snapshot){};
	host_ports_collect(h, &f->arena, &f->snapshot);
	assert_batch(f, "");
	host_ports_free(h);
}

static void local_policies(void **state)
{
	struct fixture *f = *state;
	f->port.node_port = 30080;
	f->service.is_external_local = true;
	f->service.is_internal_local = true;
	assert_batch(
		f,
		"add chain inet skeg ext-H-4\n"
		"add chain inet skeg local-H-4\n"
		"add chain inet skeg svc-H-4\n"
		"table inet skeg {\n"
		"\tchain ext-H-4 {\n"
		"\t\tcounter comment \"shop/web:http from outside\"\n"
		"\t\tip saddr @pod-cidrs4 goto svc-H-4\n"
		"\t\tfib saddr type local jump mark-masquerade\n"
		"\t\tfib saddr type local goto svc-H-4\n"
		"\t\tgoto local-H-4\n"
		"\t}\n"
		"\tchain local-H-4 {\n"
		"\t\tcounter comment \"shop/web:http on this node\"\n"
		"\t\tmeta l4proto tcp dnat ip to 10.42.1.2:8080\n"
		"\t}\n"
		"\tchain svc-H-4 {\n"
		"\t\tcounter comment \"shop/web:http\"\n"
		"\t\tmeta l4proto tcp dnat ip to numgen random mod 2 map "
		"{ 0 : 10.42.1.2 . 8080, 1 : 10.42.2.2 . 8080 }\n"
		"\t}\n"
		"}\n"
		"add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		"add element inet skeg node-ports4 { tcp . 30080 : goto ext-H-4 }\n"
		"add element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 : goto local-H-4 }\n");
}

static void local_policy_without_local_endpoint_drops(void **state)
{
	struct fixture *f = *state;
	f->endpoints[0].is_local = false;
	f->service.is_internal_local = true;
	struct service_rules rules = make(f);
	const char *text = text_of(f, NULL, &rules);
	assert_non_null(strstr(text, "\tchain local-H-4 {\n"
				     "\t\tcounter comment \"shop/web:http on this node\"\n"
				     "\t\tdrop\n\t}\n"));
}

static void client_affinity(void **state)
{
	struct fixture *f = *state;
	f->service.affinity_timeout_s = 10800;
	assert_batch(
		f,
		"add set inet skeg aff-H { type ipv4_addr; size 65536; flags dynamic,timeout; "
		"timeout 10800s; }\n"
		"add set inet skeg aff-H { type ipv4_addr; size 65536; flags dynamic,timeout; "
		"timeout 10800s; }\n"
		"add chain inet skeg ep-H\n"
		"add chain inet skeg ep-H\n"
		"add chain inet skeg svc-H-4\n"
		"table inet skeg {\n"
		"\tchain ep-H {\n"
		"\t\tupdate @aff-H { ip saddr }\n"
		"\t\tmeta l4proto tcp dnat ip to 10.42.2.2:8080\n"
		"\t}\n"
		"\tchain ep-H {\n"
		"\t\tupdate @aff-H { ip saddr }\n"
		"\t\tmeta l4proto tcp dnat ip to 10.42.1.2:8080\n"
		"\t}\n"
		"\tchain svc-H-4 {\n"
		"\t\tcounter comment \"shop/web:http\"\n"
		"\t\tip saddr @aff-H goto ep-H\n"
		"\t\tip saddr @aff-H goto ep-H\n"
		"\t\tnumgen random mod 2 vmap { 0 : goto ep-H, 1 : goto ep-H }\n"
		"\t}\n"
		"}\n"
		"add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		"add element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 : goto svc-H-4 }\n");
}

static void both_families(void **state)
{
	struct fixture *f = *state;
	f->cluster_ips[1] = addr_of("fd43::7");
	f->service.cluster_ip_count = 2;
	f->port.protocol = PROXY_UDP;
	f->endpoints[1] = ready("fd42:0:0:1::2", false);
	assert_batch(
		f, "add chain inet skeg svc-H-4\n"
		   "add chain inet skeg svc-H-6\n"
		   "table inet skeg {\n"
		   "\tchain svc-H-4 {\n"
		   "\t\tcounter comment \"shop/web:http\"\n"
		   "\t\tmeta l4proto udp dnat ip to 10.42.1.2:8080\n"
		   "\t}\n"
		   "\tchain svc-H-6 {\n"
		   "\t\tcounter comment \"shop/web:http\"\n"
		   "\t\tmeta l4proto udp dnat ip6 to [fd42:0:0:1::2]:8080\n"
		   "\t}\n"
		   "}\n"
		   "add element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		   "add element inet skeg service-ports4 { 10.43.0.7 . udp . 80 : goto svc-H-4 }\n"
		   "add element inet skeg service-ports6 { fd43::7 . udp . 80 : goto svc-H-6 }\n");
}

static void terminating_endpoints_serve_only_when_alone(void **state)
{
	struct fixture *f = *state;
	f->endpoints[1] = terminating("10.42.2.9");
	struct service_rules rules = make(f);
	assert_null(strstr(text_of(f, NULL, &rules), "10.42.2.9"));
	f->endpoints[0] = terminating("10.42.2.8");
	rules = make(f);
	assert_non_null(
		strstr(text_of(f, NULL, &rules), "{ 0 : 10.42.2.8 . 8080, 1 : 10.42.2.9 . 8080 }"));
}

static void addresses_that_must_not_be_reached(void **state)
{
	static const char *const bad_endpoints[] = {
		"127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "::1", "fe80::1"};
	struct fixture *f = *state;
	f->port.endpoint_count = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad_endpoints); i++) {
		f->endpoints[0] = ready(bad_endpoints[i], true);
		struct service_rules rules = make(f);
		assert_string_equal(text_of(f, NULL, &rules),
				    "add element inet skeg unserved-ports4 { 10.43.0.7 . tcp . 80 "
				    ": goto refuse }\n");
	}
}

static void external_addresses_take_nothing_over(void **state)
{
	struct fixture *f = *state;
	f->service.external_ips = f->external_ips;
	f->service.external_ip_count = 1;
	f->service.load_balancer_ips = f->balancer_ips;
	f->service.load_balancer_ip_count = 2;
	f->balancer_ips[0] = addr_of("10.43.0.1"); /* another service */
	f->balancer_ips[1] = addr_of("10.42.3.4"); /* a pod */
	struct service_rules rules = make(f);
	const char *text = text_of(f, NULL, &rules);
	assert_null(strstr(text, "203.0.113.9"));
	assert_null(strstr(text, "10.43.0.1"));
	assert_null(strstr(text, "10.42.3.4"));
	f->config.allows_external_ips = true;
	rules = make(f);
	assert_non_null(
		strstr(text_of(f, NULL, &rules), "{ 203.0.113.9 . tcp . 80 : goto ext-H-4 }"));
}

static void order_of_input_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct proxy_service two[2] = {f->service, f->service};
	two[1].name = STR("api");
	two[1].cluster_ips = (struct ipaddr[]){addr_of("10.43.0.8")};
	f->snapshot = (struct proxy_snapshot){.services = two, .service_count = 2};
	struct service_rules one = make(f);
	struct proxy_service swapped[2] = {two[1], two[0]};
	struct proxy_endpoint first = f->endpoints[0];
	f->endpoints[0] = f->endpoints[1];
	f->endpoints[1] = first;
	f->snapshot.services = swapped;
	struct service_rules other = make(f);
	assert_string_equal(text_of(f, &one, &other), "");
}

static void a_new_endpoint_changes_one_chain(void **state)
{
	struct fixture *f = *state;
	f->port.endpoint_count = 1;
	struct service_rules before = make(f);
	f->port.endpoint_count = 2;
	struct service_rules after = make(f);
	assert_string_equal(text_of(f, &before, &after),
			    "flush chain inet skeg svc-H-4\n"
			    "table inet skeg {\n"
			    "\tchain svc-H-4 {\n"
			    "\t\tcounter comment \"shop/web:http\"\n"
			    "\t\tmeta l4proto tcp dnat ip to numgen random mod 2 map "
			    "{ 0 : 10.42.1.2 . 8080, 1 : 10.42.2.2 . 8080 }\n"
			    "\t}\n"
			    "}\n");
}

static void the_last_endpoint_goes(void **state)
{
	struct fixture *f = *state;
	struct service_rules before = make(f);
	f->port.endpoint_count = 0;
	struct service_rules after = make(f);
	assert_string_equal(
		text_of(f, &before, &after),
		"delete element inet skeg hairpins4 { 10.42.1.2 . 10.42.1.2 }\n"
		"delete element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 }\n"
		"add element inet skeg unserved-ports4 { 10.43.0.7 . tcp . 80 : goto refuse }\n"
		"flush chain inet skeg svc-H-4\n"
		"delete chain inet skeg svc-H-4\n");
}

static void a_policy_change_switches_the_entry(void **state)
{
	struct fixture *f = *state;
	struct service_rules before = make(f);
	f->service.is_internal_local = true;
	struct service_rules after = make(f);
	const char *text = text_of(f, &before, &after);
	assert_non_null(strstr(text,
			       "delete element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 }\n"
			       "add element inet skeg service-ports4 { 10.43.0.7 . tcp . 80 : goto "
			       "local-H-4 }\n"));
}

static void affinity_sets_go_with_their_endpoint(void **state)
{
	struct fixture *f = *state;
	f->service.affinity_timeout_s = 60;
	struct service_rules before = make(f);
	f->port.endpoint_count = 1;
	struct service_rules after = make(f);
	const char *text = text_of(f, &before, &after);
	assert_non_null(strstr(text, "flush chain inet skeg ep-H\ndelete chain inet skeg ep-H\n"
				     "delete set inet skeg aff-H\n"));
	assert_null(strstr(text, "add set"));
}

static void a_replacement_has_the_frame(void **state)
{
	struct fixture *f = *state;
	struct ipaddr own = addr_of("10.43.0.10");
	f->config.own_addrs = &own;
	f->config.own_addr_count = 1;
	struct service_rules rules = make(f);
	CLEANUP_BUF out = BUF_INIT(BATCH_MAX);
	service_rules_replace(&out, &f->config, &rules);
	assert_true(str_has_prefix(
		buf_str(&out),
		STR("add table inet skeg\ndelete table inet skeg\ntable inet skeg {\n"
		    "\tset pod-cidrs4 { type ipv4_addr; flags interval; auto-merge; "
		    "elements = { 10.42.0.0/16 } ; }\n"
		    "\tset service-cidrs4 { type ipv4_addr; flags interval; auto-merge; "
		    "elements = { 10.43.0.0/16 } ; }\n"
		    "\tset own-addrs4 { type ipv4_addr; elements = { 10.43.0.10 } ; }\n"
		    "\tset pod-cidrs6 { type ipv6_addr; flags interval; auto-merge; "
		    "elements = { fd42::/48 } ; }\n"
		    "\tset service-cidrs6 { type ipv6_addr; flags interval; auto-merge; }\n")));
}

static void own_addresses_have_no_rules(void **state)
{
	struct fixture *f = *state;
	f->config.own_addrs = f->cluster_ips;
	f->config.own_addr_count = 1;
	struct service_rules rules = make(f);
	assert_int_equal(rules.count, 0);
}

static void names_never_become_syntax(void **state)
{
	struct fixture *f = *state;
	f->service.name = STR("x\" ; flush ruleset ; \n#{}");
	struct service_rules rules = make(f);
	const char *text = text_of(f, NULL, &rules);
	assert_non_null(strstr(text, "comment \"shop/x_ _ flush ruleset _ ____:http\"\n"));
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_cluster_service),
		ROW(no_endpoint_is_refused),
		ROW(node_port_and_load_balancer),
		ROW(host_ports_lead_to_pods),
		ROW(local_policies),
		ROW(local_policy_without_local_endpoint_drops),
		ROW(client_affinity),
		ROW(both_families),
		ROW(terminating_endpoints_serve_only_when_alone),
		ROW(addresses_that_must_not_be_reached),
		ROW(external_addresses_take_nothing_over),
		ROW(order_of_input_changes_nothing),
		ROW(a_new_endpoint_changes_one_chain),
		ROW(the_last_endpoint_goes),
		ROW(a_policy_change_switches_the_entry),
		ROW(affinity_sets_go_with_their_endpoint),
		ROW(a_replacement_has_the_frame),
		ROW(own_addresses_have_no_rules),
		ROW(names_never_become_syntax),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
