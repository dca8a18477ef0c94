#include "validate_rows.h"

#define RESOURCE "resource.k8s.io/v1"
#define CLAIM	 "'spec':{'devices':{'requests':[{'name':'r','exactly':{'deviceClassName':'d'}}]"
#define SUBDOMAIN                                                                                   \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "   \
	"or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex " \
	"used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"  \
	"')"

static void test_claims(void **state)
{
	static const struct validate_row rows[] = {
		{RESOURCE, "ResourceClaim", NULL,
		 CLAIM ",'constraints':[{'requests':['r','r'],'matchAttribute':'a.test/b'}]}}",
		 "spec.devices.constraints[0].requests[1]: Duplicate value: \"r\""},
		{RESOURCE, "ResourceClaim", NULL,
		 CLAIM ",'constraints':[{'requests':['r/a/b'],'matchAttribute':'/b'}]}}",
		 "spec.devices.constraints[0].requests[0]: Invalid value: \"r/a/b\": must be the "
		 "name of a request in the claim or the name of a request and a subrequest "
		 "separated by '/'\nspec.devices.constraints[0].matchAttribute: Invalid value: "
		 "\"\": the domain must not be empty"},
		{RESOURCE, "ResourceClaim", CLAIM "}}",
		 "'spec':{'devices':{'requests':[{'name':'','exactly':{'deviceClassName':'d'}}]}}",
		 "spec: Invalid value: {\"Devices\":{\"Requests\":[{\"Name\":\"\",\"Exactly\":{"
		 "\"DeviceClassName\":\"d\",\"Selectors\":null,\"AllocationMode\":\"ExactCount\","
		 "\"Count\":1,\"AdminAccess\":null,\"Tolerations\":null,\"Capacity\":null},"
		 "\"FirstAvailable\":null}],\"Constraints\":null,\"Config\":null}}: field is "
		 "immutable"},
		{RESOURCE, "DeviceClass", NULL,
		 "'spec':{'config':[{'opaque':{'driver':'A.test','parameters':[]}}]}",
		 "spec.config[0].opaque.parameters: Invalid value: \"<value omitted>\": must be a "
		 "valid JSON object"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define DEVICE(text) "'spec':{'devices':[{'name':'d'," text "}]," SLICE "}"
#define SLICE	     "'driver':'a.test','nodeName':'n','pool':{'name':'p','resourceSliceCount':1}"

static void test_templates(void **state)
{
	static const struct validate_row rows[] = {
		{"resource.k8s.io/v1", "ResourceClaimTemplate", NULL,
		 "'spec':{'metadata':{'labels':{'a':'b'},'uid':'u','generation':1},'spec':{}}",
		 "spec.metadata.uID: Forbidden: cannot be set\n"
		 "spec.metadata.generation: Forbidden: cannot be set"},
		{"resource.k8s.io/v1", "ResourceClaimTemplate",
		 "'spec':{'metadata':{'labels':{'a':'b'}},'spec':{}}",
		 "'spec':{'metadata':{'labels':{'a':'c'}},'spec':{}}",
		 "spec: Invalid value: {\"labels\":{\"a\":\"c\"},\"Spec\":{\"Devices\":{"
		 "\"Requests\":null,\"Constraints\":null,\"Config\":null}}}: field is immutable"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_slices(void **state)
{
	static const struct validate_row rows[] = {
		{RESOURCE, "ResourceSlice", NULL,
		 "'spec':{'driver':'a.test','nodeName':'n','pool':{'name':'p/Q',"
		 "'resourceSliceCount':1}}",
		 "spec.pool.name: Invalid value: \"Q\": " SUBDOMAIN},
		{RESOURCE, "ResourceSlice", NULL, DEVICE("'attributes':{'a':{}}"),
		 "spec.devices[0].attributes[a]: Invalid value: \"\": exactly one value must be "
		 "specified"},
		{RESOURCE, "ResourceSlice", NULL,
		 DEVICE("'attributes':{'a':{'int':1,'bool':true}}"),
		 "spec.devices[0].attributes[a]: Invalid value: {\"IntValue\":1,\"BoolValue\":true,"
		 "\"StringValue\":null,\"VersionValue\":null}: exactly one value must be "
		 "specified"},
		{RESOURCE, "ResourceSlice", NULL,
		 DEVICE("'capacity':{'/b':{'value':'1'},"
			"'a123456789012345678901234567890123':{'value':'1'}}"),
		 "spec.devices[0].capacity[/b]: Invalid value: \"\": the domain must not be empty\n"
		 "spec.devices[0].capacity[a123456789012345678901234567890123]: Too long: may not "
		 "be more than 32 bytes"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define RESULT	  "{'request':'r','driver':'a.test','pool':'p','device':'d'}"
#define ALLOCATED "'allocation':{'devices':{'results':[" RESULT "]}}"

static void test_claim_status(void **state)
{
	static const struct validate_row rows[] = {
		{RESOURCE, "ResourceClaim", CLAIM "}}",
		 CLAIM "}},'status':{'reservedFor':[{'resource':'pods','name':'p','uid':'1'}]}",
		 "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
		 "status"},
		{RESOURCE, "ResourceClaim", CLAIM "}}",
		 CLAIM "}},'status':{" ALLOCATED
		       ",'reservedFor':[{'resource':'pods','name':'','uid':'1'}]}",
		 "status.reservedFor[0].name: Required value", "status"},
		{RESOURCE, "ResourceClaim", CLAIM "}}",
		 CLAIM "}},'status':{'allocation':{'devices':{'results':[{'request':'q','driver':"
		       "'a.test','pool':'p','device':'d'}]}}}",
		 "status.allocation.devices.results[0].request: Invalid value: \"q\": must be the "
		 "name of a request in the claim or the name of a request and a subrequest "
		 "separated by '/'",
		 "status"},
		{RESOURCE, "ResourceClaim", CLAIM "}},'status':{" ALLOCATED "}",
		 CLAIM "}},'status':{" ALLOCATED
		       ",'devices':[{'driver':'a.test','pool':'p','device':'e'}]}",
		 "status.devices[0]: Invalid value: {\"Driver\":\"a.test\",\"Pool\":\"p\",\"Device\":"
		 "\"e\",\"ShareID\":\"\"}: must be an allocated device in "
		 "the claim",
		 "status"},
		{RESOURCE, "ResourceClaim", CLAIM "}},'status':{" ALLOCATED "}",
		 CLAIM "}},'status':{" ALLOCATED
		       ",'devices':[{'driver':'a.test','pool':'p','device':'d','networkData':{"
		       "'ips':['192.0.2.1','2001:DB8::1/64']}}]}",
		 "status.devices[0].networkData.ips[0]: Invalid value: \"192.0.2.1\": must be a "
		 "valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)\n"
		 "status.devices[0].networkData.ips[1]: Invalid value: \"2001:DB8::1/64\": must be "
		 "in canonical form (\"2001:db8::1/64\")",
		 "status"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_claim_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
