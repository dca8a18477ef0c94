#include "validate_rows.h"

#define PORTS "'ports':[{'port':80}]"

static void test_services(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Service", NULL, "'spec':{'type':'LoadBalancer','ports':[{'port':10250}]}",
		 "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since "
		 "it is used by kubelet"},
		{"v1", "Service", NULL,
		 "'spec':{'type':'LoadBalancer','loadBalancerSourceRanges':[' 192.0.2.0/24 ']," PORTS
		 "}",
		 ""},
		{"v1", "Service", NULL, "'spec':{" PORTS "}",
		 "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: "
		 "Forbidden: may only be used when `type` is 'LoadBalancer'\n"
		 "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: "
		 "Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or "
		 "2001:db8::/64)",
		 NULL,
		 "'annotations':{'service.beta.kubernetes.io/load-balancer-source-ranges':"
		 "'192.0.2.0/24, x'}"},
		{"v1", "Service", NULL, "'spec':{" PORTS "}",
		 "metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: \"a\": "
		 "must match annotations[service.kubernetes.io/topology-aware-hints] when both are "
		 "specified",
		 NULL,
		 "'annotations':{'service.kubernetes.io/topology-mode':'a',"
		 "'service.kubernetes.io/topology-aware-hints':'b'}"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define DUAL                                                                                       \
	"'clusterIP':'192.0.2.1','clusterIPs':['192.0.2.1','2001:db8::1'],'ipFamilies':['IPv4',"   \
	"'IPv6'],'ipFamilyPolicy':'RequireDualStack'," PORTS

static void test_service_updates(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Service", "'spec':{" DUAL "}",
		 "'spec':{'clusterIP':'192.0.2.1','clusterIPs':['192.0.2.1'],'ipFamilies':['IPv4'],"
		 "'ipFamilyPolicy':'PreferDualStack'," PORTS "}",
		 "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be set to "
		 "'SingleStack' when releasing the secondary clusterIP\n"
		 "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be set to "
		 "'SingleStack' when releasing the secondary ipFamily"},
		{"v1", "Service", "'spec':{" DUAL "}",
		 "'spec':{'clusterIP':'192.0.2.1','clusterIPs':['192.0.2.1'],'ipFamilies':['IPv4'],"
		 "'ipFamilyPolicy':'SingleStack'," PORTS "}",
		 ""},
		{"v1", "Service", "'spec':{" DUAL "}",
		 "'spec':{'clusterIP':'192.0.2.1','clusterIPs':['192.0.2.1','2001:db8::2'],"
		 "'ipFamilies':['IPv4','IPv6'],'ipFamilyPolicy':'RequireDualStack'," PORTS "}",
		 "spec.clusterIPs[1]: Invalid value: [\"192.0.2.1\",\"2001:db8::2\"]: may not "
		 "change once set"},
		{"v1", "Service",
		 "'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local',"
		 "'healthCheckNodePort':30001," PORTS "}",
		 "'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local',"
		 "'healthCheckNodePort':30002," PORTS "}",
		 "spec.healthCheckNodePort: Forbidden: field is immutable"},
		{"v1", "Service", "'spec':{'type':'LoadBalancer'," PORTS "}",
		 "'spec':{'type':'LoadBalancer'," PORTS
		 "},'status':{'loadBalancer':{'ingress':[{'hostname':'a','ipMode':'VIP'},{'ip':"
		 "'192.0.2.1','ipMode':'X'}]}}",
		 "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` "
		 "is not set\nstatus.loadBalancer.ingress[1].ipMode: Unsupported value: \"X\": "
		 "supported values: \"Proxy\", \"VIP\"",
		 "status"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_endpoints(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Endpoints", NULL, "'subsets':[{'addresses':[{'ip':'x'}]}]",
		 "subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address, "
		 "(e.g. 10.9.8.7 or 2001:db8::ffff)\nsubsets[0].addresses[0].ip: Invalid value: "
		 "\"x\": must be a valid IP address"},
		{"discovery.k8s.io/v1", "EndpointSlice", NULL,
		 "'addressType':'IPv4','endpoints':[{'addresses':['192.0.2.1'],'hints':{'forNodes':"
		 "[{'name':'n'},{'name':'n'}]}}]",
		 "endpoints[0].hints.forNodes[1].name: Duplicate value: \"n\""},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_service_updates),
		cmocka_unit_test(test_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
