#include "validate_rows.h"

#include "api/warnings.h"

#define NETWORKING "networking.k8s.io/v1"
#define STORAGE	   "storage.k8s.io/v1"
#define FLOW	   "flowcontrol.apiserver.k8s.io/v1"
#define CSR	   "certificates.k8s.io/v1"

#define LABEL_TEXT                                                                                 \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "   \
	"and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "   \
	"regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define BACKEND "'service':{'name':'s','port':{'number':80}}"

static void test_networking(void **state)
{
	static const struct validate_row rows[] = {
		{NETWORKING, "Ingress", NULL,
		 "'spec':{'ingressClassName':'x','defaultBackend':{" BACKEND "}}",
		 "annotations.kubernetes.io/ingress.class: Invalid value: \"y\": must match "
		 "`ingressClassName` when both are specified",
		 NULL, "'annotations':{'kubernetes.io/ingress.class':'y'}"},
		{NETWORKING, "Ingress", NULL,
		 "'spec':{'ingressClassName':'y','defaultBackend':{" BACKEND "}}", "", NULL,
		 "'annotations':{'kubernetes.io/ingress.class':'y'}"},
		{NETWORKING, "IngressClass", NULL,
		 "'spec':{'controller':'a.b/c','parameters':{'kind':'a','name':'b','scope':"
		 "'Namespace'}}",
		 "spec.parameters.namespace: Required value: `parameters.scope` is set to "
		 "'Namespace'"},
		{NETWORKING, "IngressClass", "'spec':{'controller':'a.b/c'}", "'spec':{}",
		 "spec.controller: Invalid value: \"\": field is immutable\n"
		 "spec.controller: Required value"},
		{NETWORKING, "NetworkPolicy", NULL,
		 "'spec':{'podSelector':{},'ingress':[{'ports':[{'port':'1','endPort':9}]}]}",
		 "spec.ingress[0].ports[0].endPort: Invalid value: 9: may not be specified when "
		 "`port` is non-numeric\n"
		 "spec.ingress[0].ports[0].port: Invalid value: \"1\": must contain at least one "
		 "letter (a-z)"},
		{NETWORKING, "NetworkPolicy", NULL,
		 "'spec':{'podSelector':{},'ingress':[{'from':[{'ipBlock':{'cidr':"
		 "'010.0.0.0/08'}}]}]}",
		 ""},
		{NETWORKING, "ServiceCIDR", NULL, "'spec':{'cidrs':['::ffff:10.0.0.0/104']}",
		 "spec.cidrs[0]: Invalid value: \"::ffff:10.0.0.0/104\": must not have an "
		 "IPv4-mapped IPv6 address"},
		{NETWORKING, "ServiceCIDR", "'spec':{'cidrs':['192.0.2.0/24']}",
		 "'spec':{'cidrs':['192.0.2.0/24','198.51.100.0/24']}",
		 "spec.cidrs: Invalid value: [\"192.0.2.0/24\",\"198.51.100.0/24\"]: may specify no "
		 "more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"},
		{NETWORKING, "ServiceCIDR", "'spec':{'cidrs':['192.0.2.0/24']}",
		 "'spec':{'cidrs':['192.0.2.0/24','2001:db8::/64']}", ""},
		{NETWORKING, "ServiceCIDR", "'spec':{'cidrs':['192.0.2.0/24','2001:db8::/64']}",
		 "'spec':{'cidrs':['192.0.2.0/24']}",
		 "spec.cidrs: Invalid value: [\"192.0.2.0/24\"]: field is immutable"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_storage(void **state)
{
	static const struct validate_row rows[] = {
		{STORAGE, "CSIDriver", NULL, "'spec':{'serviceAccountTokenInSecrets':true}",
		 "spec.serviceAccountTokenInSecrets: Invalid value: true: "
		 "serviceAccountTokenInSecrets is set but no tokenRequests are specified"},
		{STORAGE, "CSINode",
		 "'spec':{'drivers':[{'name':'d','nodeID':'n','allocatable':{'count':1}}]}",
		 "'spec':{'drivers':[{'name':'d','nodeID':'n','allocatable':{'count':2}}]}", ""},
		{STORAGE, "CSINode", "'spec':{'drivers':[{'name':'d','nodeID':'n'}]}",
		 "'spec':{'drivers':[{'name':'d','nodeID':'m','allocatable':{'count':2}}]}",
		 "spec.drivers: Invalid value: {\"Name\":\"d\",\"NodeID\":\"m\",\"TopologyKeys\":"
		 "null,\"Allocatable\":null}: field is immutable"},
		{STORAGE, "StorageClass", "'provisioner':'a','parameters':{'b':'c'}",
		 "'provisioner':'','parameters':{'b':'d'}",
		 "provisioner: Required value\n"
		 "parameters: Forbidden: updates to parameters are forbidden.\n"
		 "provisioner: Forbidden: updates to provisioner are forbidden."},
		{STORAGE, "StorageClass", NULL, "'provisioner':'a','parameters':{'':'x'}",
		 "parameters: Invalid value: \"\": field can not be empty."},
		{STORAGE, "VolumeAttributesClass", "'driverName':'a','parameters':{'b':'c'}",
		 "'driverName':'a'",
		 "parameters: Forbidden: updates to parameters are forbidden.\n"
		 "parameters: Required value: must contain at least one key/value pair"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_flow(void **state)
{
	static const struct validate_row rows[] = {
		{FLOW, "FlowSchema", NULL,
		 "'spec':{'matchingPrecedence':5,'priorityLevelConfiguration':{'name':'p'},'rules':"
		 "[{'subjects':[{'kind':'Group','user':{'name':'a'}}],'nonResourceRules':[{'verbs':"
		 "['x'],'nonResourceURLs':['*']}]}]}",
		 "spec.rules[0].subjects[0].group: Required value: group is required when subject "
		 "kind is 'Group'\n"
		 "spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is "
		 "not 'User'\n"
		 "spec.rules[0].nonResourceRules[0].verbs: Unsupported value: [\"x\"]: supported "
		 "values: \"create\", \"delete\", \"deletecollection\", \"get\", \"list\", "
		 "\"patch\", \"proxy\", \"update\", \"watch\""},
		{FLOW, "FlowSchema", NULL,
		 "'spec':{'matchingPrecedence':5,'priorityLevelConfiguration':{'name':'p'},'rules':"
		 "[{'subjects':[{'kind':'User','user':{'name':'*'}}],'resourceRules':[{'verbs':"
		 "['get'],'apiGroups':[''],'resources':['pods'],'namespaces':['A']}]}]}",
		 "spec.rules[0].resourceRules[0].namespaces[0]: Invalid value: \"A\": each member "
		 "of this list must be '*' or a DNS-1123 label; " LABEL_TEXT},
		{FLOW, "FlowSchema", NULL,
		 "'spec':{'matchingPrecedence':5,'priorityLevelConfiguration':{'name':'p'},'rules':"
		 "[{'subjects':[{'kind':'User','user':{'name':'*'}}],'nonResourceRules':[{'verbs':"
		 "['list'],'nonResourceURLs':['/a/*','/a*','//','/*/b']}]}]}",
		 "spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: \"/a*\": "
		 "wildcard can only do suffix matching\n"
		 "spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: \"//\": "
		 "must not contain double slash\n"
		 "spec.rules[0].nonResourceRules[0].nonResourceURLs[3]: Invalid value: \"/*/b\": "
		 "wildcard can only do suffix matching"},
		{FLOW, "PriorityLevelConfiguration", NULL,
		 "'spec':{'type':'Limited','limited':{'limitResponse':{'type':'Queue','queuing':{"
		 "'queues':8,'handSize':9,'queueLengthLimit':-1}}}}",
		 "spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be "
		 "positive\n"
		 "spec.limited.limitResponse.queuing.handSize: Invalid value: 9: should not be "
		 "greater than queues (8)"},
		{FLOW, "FlowSchema", "'spec':{}",
		 "'status':{'conditions':[{'type':'a'},{'type':'a'},{}]}",
		 "status.conditions[1].type: Duplicate value: \"a\"\n"
		 "status.conditions[2].type: Required value",
		 "status"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

/* "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----" and the same
 * without a body; "-----BEGIN FOO-----\nMAA=\n-----END FOO-----"; a certificate with MAA= */
#define NO_SEQUENCE                                                                                \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUFBQQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVF"  \
	"VRVNULS0tLS0K"
#define NO_BODY                                                                                    \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0t" \
	"LS0tCg=="
#define OF_FOO	     "LS0tLS1CRUdJTiBGT08tLS0tLQpNQUE9Ci0tLS0tRU5EIEZPTy0tLS0tCg=="
#define CONDITION(t) "{'type':'" t "','status':'True'}"

static void test_signing_requests(void **state)
{
	static const struct validate_row rows[] = {
		{CSR, "CertificateSigningRequest", NULL,
		 "'spec':{'request':'" NO_BODY "','usages':['any'],'signerName':'a.b'}",
		 "spec.request: Invalid value: \"" NO_BODY
		 "\": asn1: syntax error: sequence truncated\n"
		 "spec.signerName: Invalid value: \"a.b\": must be a fully qualified domain and "
		 "path of the form 'example.com/signer-name'"},
		{CSR, "CertificateSigningRequest", NULL,
		 "'spec':{'request':'" NO_SEQUENCE "','usages':['any'],'signerName':'a.B.C/d'}",
		 "spec.request: Invalid value: \"" NO_SEQUENCE
		 "\": asn1: structure error: tags don't match (16 vs {class:0 tag:0 length:0 "
		 "isCompound:false}) {optional:false explicit:false application:false "
		 "private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false "
		 "omitEmpty:false} certificateRequest @2\n"
		 "spec.signerName: Invalid value: \"a.B.C\": validating label \"B\": " LABEL_TEXT},
		{CSR, "CertificateSigningRequest", "'spec':{}",
		 "'status':{'conditions':[" CONDITION("Denied") "," CONDITION("Approved") "]}",
		 "status.conditions: Invalid value: \"Approved\": Approved and Denied conditions "
		 "are mutually exclusive",
		 "approval"},
		{CSR, "CertificateSigningRequest",
		 "'status':{'conditions':[" CONDITION("Failed") "]}",
		 "'status':{'conditions':[{'type':'Denied','status':'False'}],'certificate':"
		 "'" OF_FOO "'}",
		 "status.conditions[0].status: Unsupported value: \"False\": supported values: "
		 "\"True\"\n"
		 "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM "
		 "blocks are allowed, found \"FOO\"\n"
		 "status.conditions: Forbidden: updates may not remove a condition of type "
		 "\"Failed\"\n"
		 "status.conditions: Forbidden: updates may not add a condition of type \"Denied\"",
		 "status"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

/* ---- warnings of addresses ---- */

static void keep_warning(void *ctx, struct str text)
{
	buf_printf(ctx, "%.*s\n", STR_FMT(text));
}

static void test_prefix_warnings(void **state)
{
	static const struct {
		const char *cidr, *expected;
	} rows[] = {
		{"10.0.0.0/8", ""},
		{"10.0.0.5/8", "CIDR value \"10.0.0.5/8\" is ambiguous in this context (should be "
			       "\"10.0.0.0/8\" or \"10.0.0.5/32\"?)\n"},
		{"10.0.0.0/08",
		 "non-standard CIDR value \"10.0.0.0/08\" will be considered invalid in a future "
		 "Kubernetes release: use \"10.0.0.0/8\"\n"},
		{"::ffff:1.2.3.4/128",
		 "non-standard CIDR value \"::ffff:1.2.3.4/128\" will be considered invalid in a "
		 "future Kubernetes release: use \"1.2.3.4/32\"\n"},
		{"FD00::/16",
		 "IPv6 CIDR value \"FD00::/16\" should be in RFC 5952 canonical format "
		 "(\"fd00::/16\")\n"},
		{"FD00::5/64", "CIDR value \"FD00::5/64\" is ambiguous in this context (should be "
			       "\"fd00::/64\" or \"fd00::5/128\"?)\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF got = BUF_INIT(4096), expected = BUF_INIT(4096);
		struct warnings w = {&a, keep_warning, &got};
		struct json *tree = json_object(&a), *list = json_array(&a);
		json_append(&a, list, json_cstring(&a, rows[i].cidr));
		json_set(&a, tree, STR("x"), list);
		warnings_of_prefixes(&w, tree, "x[]");
		if (*rows[i].expected)
			buf_printf(&expected, "x[0]: %s", rows[i].expected);
		if (!str_eq(buf_str(&got), buf_str(&expected)))
			fail_msg("%s: %.*s", rows[i].cidr, STR_FMT(buf_str(&got)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networking),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_signing_requests),
		cmocka_unit_test(test_prefix_warnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
