#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "net/proxy_adapter.h"
#include "net/route_keeper.h"

struct fixture {
	struct cache *cache;
	struct arena arena;
	struct proxy_adapter adapter;
};

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->cache = cache_new_literal(api_builtin());
	f->adapter = (struct proxy_adapter){.cache = f->cache, .node_name = STR("n1")};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	cache_free(f->cache);
	arena_done(&f->arena);
	free(f);
	return 0;
}

/* text with ' for " */
static void put(struct fixture *f, uint16_t stored_id, const char *text)
{
	CLEANUP_ARENA a = {};
	CLEANUP(object_unref_p) struct object *o = NULL;
	struct json *tree;
	struct err err;
	char *json = arena_cstr(&a, str_of(text));
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	if (json_parse(&a, str_of(json), &tree, NULL, &err) != RC_OK ||
	    object_new(api_by_stored(api_builtin(), stored_id), tree, 1, &o, &err) != RC_OK)
		fail_msg("%s", err.text);
	cache_put(f->cache, o);
}

static struct proxy_snapshot collect(struct fixture *f)
{
	struct proxy_snapshot snapshot;
	proxy_adapter_collect(&f->adapter, &f->arena, &snapshot);
	return snapshot;
}

static void assert_addr(struct ipaddr addr, const char *want)
{
	char text[IPADDR_TEXT_MAX];
	ipaddr_format(addr, text);
	assert_string_equal(text, want);
}

#define META(name) "'metadata':{'namespace':'shop','name':'" name "'}"

static void a_service_with_two_slices(void **state)
{
	struct fixture *f = *state;
	put(f, KIND_SERVICE,
	    "{" META("web") ",'spec':{'type':'LoadBalancer','clusterIP':'10.43.0.7','clusterIPs':['"
			    "10.43.0.7','fd43::7'],"
			    "'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'"
			    "timeoutSeconds':60}},"
			    "'externalTrafficPolicy':'Local','externalIPs':['203.0.113.9'],"
			    "'loadBalancerSourceRanges':['10.0.0.0/8',' 192.0.2.0/24 '],"
			    "'ports':[{'name':'http','protocol':'TCP','port':80,'nodePort':30080},"
			    "{'name':'dns','protocol':'UDP','port':53}]},"
			    "'status':{'loadBalancer':{'ingress':[{'ip':'172.31.0.10'},{'ip':'172."
			    "31.0.11','ipMode':'Proxy'},"
			    "{'hostname':'x'}]}}}");
	put(f, KIND_ENDPOINT_SLICE,
	    "{'metadata':{'namespace':'shop','name':'web-1','labels':{'kubernetes.io/"
	    "service-name':'web'}},"
	    "'addressType':'IPv4','ports':[{'name':'http','port':8080},{'name':'dns','protocol':'"
	    "UDP','port':5353}],"
	    "'endpoints':[{'addresses':['10.42.0.2'],'nodeName':'n1'},"
	    "{'addresses':['10.42.1.2'],'nodeName':'n2','conditions':{'ready':false,'serving':true,"
	    "'terminating':true}}]}");
	put(f, KIND_ENDPOINT_SLICE,
	    "{'metadata':{'namespace':'shop','name':'web-2','labels':{'kubernetes.io/"
	    "service-name':'web'}},"
	    "'addressType':'IPv4','ports':[{'name':'http','port':9090}],"
	    "'endpoints':[{'addresses':['10.42.2.2'],'conditions':{'ready':false}},{'addresses':['"
	    "x']}]}");
	put(f, KIND_ENDPOINT_SLICE,
	    "{'metadata':{'namespace':'other','name':'web-1','labels':{'kubernetes.io/"
	    "service-name':'web'}},"
	    "'addressType':'IPv4','ports':[{'name':'http','port':1}],'endpoints':[{'addresses':['"
	    "10.42.9.9']}]}");
	struct proxy_snapshot snapshot = collect(f);
	assert_int_equal(snapshot.service_count, 1);
	const struct proxy_service *s = &snapshot.services[0];
	assert_int_equal(s->cluster_ip_count, 2);
	assert_addr(s->cluster_ips[1], "fd43::7");
	assert_int_equal(s->load_balancer_ip_count, 1);
	assert_addr(s->load_balancer_ips[0], "172.31.0.10");
	assert_int_equal(s->external_ip_count, 1);
	assert_int_equal(s->source_range_count, 2);
	assert_int_equal(s->affinity_timeout_s, 60);
	assert_true(s->is_external_local);
	assert_false(s->is_internal_local);
	assert_int_equal(s->port_count, 2);
	const struct proxy_port *http = &s->ports[0], *dns = &s->ports[1];
	assert_int_equal(http->node_port, 30080);
	assert_int_equal(http->endpoint_count, 3);
	assert_true(http->endpoints[0].is_ready && http->endpoints[0].is_serving &&
		    http->endpoints[0].is_local && http->endpoints[0].port == 8080);
	assert_true(!http->endpoints[1].is_ready && http->endpoints[1].is_serving &&
		    http->endpoints[1].is_terminating && !http->endpoints[1].is_local);
	assert_true(!http->endpoints[2].is_ready && !http->endpoints[2].is_serving &&
		    http->endpoints[2].port == 9090);
	assert_int_equal(dns->protocol, PROXY_UDP);
	assert_int_equal(dns->endpoint_count, 2);
	assert_int_equal(dns->endpoints[0].port, 5353);
}

static void services_without_rules(void **state)
{
	struct fixture *f = *state;
	put(f, KIND_SERVICE,
	    "{" META("a") ",'spec':{'type':'ExternalName','externalName':'x.org'}}");
	put(f, KIND_SERVICE, "{" META("b") ",'spec':{'clusterIP':'None','ports':[{'port':80}]}}");
	put(f, KIND_SERVICE, "{" META("c") ",'spec':{'ports':[{'port':80}]}}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'d','labels':{'service.kubernetes.io/"
	    "service-proxy-name':'x'}},"
	    "'spec':{'clusterIP':'10.43.0.9','ports':[{'port':80}]}}");
	assert_int_equal(collect(f).service_count, 0);
}

static void unreadable_ranges_open_nothing(void **state)
{
	struct fixture *f = *state;
	put(f, KIND_SERVICE,
	    "{" META("web") ",'spec':{'type':'LoadBalancer','clusterIP':'10.43.0.7','"
			    "loadBalancerSourceRanges':['x'],"
			    "'ports':[{'port':80}]},'status':{'loadBalancer':{'ingress':[{'ip':'"
			    "172.31.0.10'}]}}}");
	struct proxy_snapshot snapshot = collect(f);
	assert_int_equal(snapshot.services[0].load_balancer_ip_count, 0);
	assert_int_equal(snapshot.services[0].port_count, 1);
	assert_int_equal(snapshot.services[0].ports[0].endpoint_count, 0);
}

static void default_affinity_is_three_hours(void **state)
{
	struct fixture *f = *state;
	put(f, KIND_SERVICE,
	    "{" META("web") ",'spec':{'clusterIP':'10.43.0.7','sessionAffinity':'ClientIP','ports':"
			    "[{'port':80}]}}");
	assert_int_equal(collect(f).services[0].affinity_timeout_s, 10800);
}

#define NODE(name, cidr, addr)                                                                     \
	"{'metadata':{'name':'" name "'},'spec':{'podCIDRs':['" cidr "']},"                        \
	"'status':{'addresses':[{'type':'Hostname','address':'" name                               \
	"'},{'type':'InternalIP','address':'" addr "'}]}}"

static void routes_to_the_other_nodes(void **state)
{
	struct fixture *f = *state;
	struct route_plan plan;
	put(f, KIND_NODE, NODE("n1", "10.42.0.0/24", "172.31.0.10"));
	put(f, KIND_NODE, NODE("n2", "10.42.1.0/24", "172.31.0.11"));
	put(f, KIND_NODE, NODE("n3", "10.42.0.0/16", "172.31.0.12")); /* would take over n1's */
	put(f, KIND_NODE, "{'metadata':{'name':'n4'},'spec':{'podCIDR':'10.42.4.0/24'}}");
	put(f, KIND_NODE, "{'metadata':{'name':'n5'}}");
	route_plan_make(&f->arena, f->cache, STR("n1"), &plan);
	assert_int_equal(plan.other_count, 1);
	assert_addr(plan.others[0].node_addr, "172.31.0.11");
	assert_addr(plan.others[0].pod_cidr.addr, "10.42.1.0");
	assert_int_equal(plan.own_count, 1);
	assert_addr(plan.own[0].node_addr, "172.31.0.10");
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_service_with_two_slices),	     ROW(services_without_rules),
		ROW(unreadable_ranges_open_nothing), ROW(default_affinity_is_three_hours),
		ROW(routes_to_the_other_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
