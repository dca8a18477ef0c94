#include "validate_rows.h"

#define C	  "'containers':[{'name':'c','image':'i'}]"
#define POD(text) "'spec':{" text "," C "}"

static void test_annotations(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Pod", NULL, "'spec':{" C "}",
		 "metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "
		 "\"x\": must be a valid seccomp profile",
		 NULL, "'annotations':{'seccomp.security.alpha.kubernetes.io/pod':'x'}"},
		{"v1", "Pod", NULL,
		 POD("'securityContext':{'seccompProfile':{'type':'Unconfined'}}"),
		 "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation "
		 "and field must match",
		 NULL,
		 "'annotations':{'seccomp.security.alpha.kubernetes.io/pod':'runtime/default'}"},
		{"v1", "Pod", NULL,
		 "'spec':{'containers':[{'name':'c','image':'i','securityContext':{"
		 "'appArmorProfile':{'type':'Localhost','localhostProfile':'a'}}}]}",
		 "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: "
		 "apparmor profile in annotation and field must match",
		 NULL,
		 "'annotations':{'container.apparmor.security.beta.kubernetes.io/c':'localhost/b'}"},
		{"v1", "PodTemplate", NULL,
		 "'template':{'metadata':{'annotations':{'controller.kubernetes.io/pod-deletion-cost'"
		 ":'x'}},'spec':{" C "}}",
		 "template.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "
		 "\"x\": must be a 32bit integer"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_security(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Pod", NULL,
		 POD("'hostNetwork':true,'securityContext':{'sysctls':[{'name':'net/core.somaxconn',"
		     "'value':'1'}]}"),
		 "spec.securityContext.sysctls[0].name: Invalid value: \"net/core.somaxconn\": may "
		 "not be specified when 'hostNetwork' is true"},
		{"v1", "Pod", NULL,
		 POD("'securityContext':{'appArmorProfile':{'type':'Localhost','localhostProfile':"
		     "' '}}"),
		 "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: \" \": must "
		 "not be padded with whitespace"},
		{"v1", "Pod", NULL,
		 POD("'securityContext':{'windowsOptions':{'runAsUserName':'a..b\\\\..'}}"),
		 "spec.securityContext.windowsOptions.runAsUserName: Invalid value: "
		 "\"a..b\\\\..\": runAsUserName's User cannot contain only periods or spaces"},
		{"v1", "Pod", NULL,
		 POD("'securityContext':{'windowsOptions':{'runAsUserName':'a:b\\\\u@v'}}"),
		 "spec.securityContext.windowsOptions.runAsUserName: Invalid value: "
		 "\"a:b\\\\u@v\": runAsUserName's Domain doesn't match the NetBios nor the DNS "
		 "format\nspec.securityContext.windowsOptions.runAsUserName: Invalid value: "
		 "\"a:b\\\\u@v\": runAsUserName's User cannot contain the following characters: "
		 "\"/\\:;|=,+*?<>@[]"},
		{"v1", "Pod", NULL,
		 POD("'securityContext':{'windowsOptions':{'hostProcess':true}}"),
		 "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains "
		 "any hostProcess containers"},
		{"v1", "Pod", NULL,
		 POD("'volumes':[{'name':'v','iscsi':{'targetPortal':'p','iqn':'iqn.20','lun':0}}]"),
		 "spec.volumes[0].iscsi.iqn: Invalid value: \"iqn.20\": must be valid format"},
		{"v1", "Pod", NULL,
		 POD("'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{"
		     "'topologyKey':'z','matchLabelKeys':['a'],'labelSelector':{'matchLabels':{'a':"
		     "'b'}}}]}}"),
		 "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0][0]: "
		 "Invalid value: \"a\": exists in both matchLabelKeys and labelSelector",
		 NULL, "'labels':{'a':'b'}"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define GATED	"'schedulingGates':[{'name':'g'}]"
#define TERM(v) "{'matchExpressions':[{'key':'k','operator':'In','values':['" v "']}]}"
#define NODES(terms)                                                                               \
	"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{"           \
	"'nodeSelectorTerms':[" terms "]}}}"
#define TERMS_AT                                                                                   \
	"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."               \
	"nodeSelectorTerms"

static void test_updates(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Pod", "'spec':{" C "}", POD("'activeDeadlineSeconds':-1"),
		 "spec.activeDeadlineSeconds: Invalid value: -1: must be between 1 and 2147483647, "
		 "inclusive\nspec.activeDeadlineSeconds: Invalid value: -1: must be between 0 and "
		 "2147483647, inclusive"},
		{"v1", "Pod", POD(GATED), POD(GATED "," NODES(TERM("v"))), ""},
		{"v1", "Pod", POD(GATED "," NODES(TERM("v"))), POD(GATED "," NODES(TERM("w"))),
		 TERMS_AT "[0]: Invalid value: {\"MatchExpressions\":[{\"Key\":\"k\",\"Operator\":"
			  "\"In\",\"Values\":[\"w\"]}],\"MatchFields\":null}: only additions are "
			  "allowed (no mutations or deletions)"},
		{"v1", "Pod", POD(GATED "," NODES(TERM("v"))), POD(GATED),
		 TERMS_AT ": Invalid value: null: no additions/deletions to non-empty "
			  "NodeSelectorTerms list are allowed"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define ENDED "'state':{'terminated':{'exitCode':0}}"

static void test_parts(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Pod",
		 POD("'restartPolicy':'Never'") ",'status':{'containerStatuses':[{'name':'c'," ENDED
						"}]}",
		 POD("'restartPolicy':'Never'") ",'status':{'containerStatuses':[{'name':'c'}]}",
		 "status.containerStatuses[0].state: Forbidden: may not be transitioned to "
		 "non-terminated state",
		 "status"},
		{"v1", "Pod", "'spec':{" C "}",
		 "'spec':{" C
		 "},'status':{'nominatedNodeName':'n','podIPs':[{'ip':'192.0.2.1'},{'ip':"
		 "'192.0.2.1'}],'hostIP':'192.0.2.2','hostIPs':[{'ip':'192.0.2.3'}],"
		 "'resourceClaimStatuses':[{'name':'r'}]}",
		 "status.resourceClaimStatuses[0].name: Invalid value: \"r\": must match the name "
		 "of an entry in `spec.resourceClaims`\nstatus.podIPs: Invalid value: [{\"IP\":"
		 "\"192.0.2.1\"},{\"IP\":\"192.0.2.1\"}]: may specify no more than one IP for each "
		 "IP family\nstatus.podIPs[1]: Duplicate value: {\"IP\":\"192.0.2.1\"}\n"
		 "status.hostIPs[0].ip: Invalid value: \"192.0.2.3\": must be equal to `hostIP`",
		 "status"},
		{"v1", "Pod", POD("'nodeName':'n'"), POD("'nodeName':'n'"),
		 "[]: Forbidden: static pods do not support ephemeral containers",
		 "ephemeralcontainers", "'annotations':{'kubernetes.io/config.mirror':'x'}"},
		{"v1", "Pod", "'spec':{" C "}", "'spec':{'containers':[{'name':'d','image':'i'}]}",
		 "spec.containers[0]: Forbidden: containers may not be renamed or reordered on "
		 "resize",
		 "resize"},
		{"v1", "Pod", "'spec':{" C "}",
		 "'spec':{'containers':[{'name':'c','image':'i'},{'name':'d','image':'i'}]}",
		 "spec.containers: Forbidden: containers may not be added or removed on resize",
		 "resize"},
		{"v1", "Pod", POD("'os':{'name':'windows'}"), POD("'os':{'name':'windows'}"),
		 "[]: Forbidden: windows pods cannot be resized", "resize"},
		{"v1", "Pod", POD("'resources':{'requests':{'cpu':'1'}}"),
		 POD("'resources':{'requests':{'cpu':'1'}}"),
		 "[]: Forbidden: resize of pods with pod-level resources is forbidden when "
		 "InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled",
		 "resize"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

/* Rules over several members of a spec. */
static void test_spec(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "PodTemplate", NULL,
		 "'template':{'spec':{'hostNetwork':true,'containers':[{'name':'c','image':'i',"
		 "'ports':[{'containerPort':1},{'containerPort':2,'hostPort':3}]}]}}",
		 "template.spec.containers[0].ports[1].hostPort: Invalid value: 3: must match "
		 "`containerPort` when `hostNetwork` is true"},
		{"v1", "Pod", NULL,
		 POD("'hostnameOverride':'a','hostNetwork':true,'setHostnameAsFQDN':true"),
		 "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is "
		 "true\nspec.hostnameOverride: Forbidden: may not be specified when hostNetwork is "
		 "true"},
		{"v1", "Pod", NULL, POD("'hostUsers':false,'hostPID':true"),
		 "spec.HostPID: Forbidden: when `hostUsers` is false"},
		{"v1", "Pod", NULL,
		 "'spec':{'resources':{'limits':{'cpu':'1'},'requests':{'cpu':'1'}},'containers':[{"
		 "'name':'c','image':'i','resources':{'limits':{'cpu':'2'}}}]}",
		 "spec.resources.requests[cpu]: Invalid value: \"1\": must be greater than or equal "
		 "to aggregate container requests of 2\nspec.resources.containers[0][cpu].limits: "
		 "Invalid value: \"2\": must be less than or equal to pod limits of 1"},
		{"v1", "Pod", NULL,
		 POD("'os':{'name':'windows'},'shareProcessNamespace':false,'resources':{}"),
		 "spec.resources: Forbidden: may not be set for a windows pod\n"
		 "spec.shareProcessNamespace: Forbidden: cannot be set for a windows pod"},
		{"v1", "Pod", NULL,
		 POD("'initContainers':[{'name':'i','image':'i','restartPolicy':'Always',"
		     "'restartPolicyRules':[{}]}]"),
		 "spec.initContainers[0].restartPolicyRules: Forbidden: restartPolicyRules are not "
		 "allowed for init containers with restart policy Always"},
		{"v1", "Pod", NULL,
		 "'spec':{'volumes':[{'name':'v','configMap':{'name':'m'}}],'containers':[{'name':"
		 "'c','image':'i','env':[{'name':'A','valueFrom':{'fileKeyRef':{'volumeName':'v',"
		 "'path':'a','key':'k'}}}]}]}",
		 "spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Invalid value: \"v\": "
		 "referenced volume must be of type emptyDir"},
		{"v1", "Pod", NULL,
		 POD("'overhead':{'cpu':'-1'},'volumes':[{'name':'t','projected':{'sources':[{"
		     "'serviceAccountToken':{'path':'a'}}]}}]"),
		 "spec.overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal "
		 "to 0\nspec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must "
		 "not be specified when serviceAccountName is not set"},
		{"v1", "Pod", NULL, POD("'tolerations':[{'key':'a','operator':'Lt','value':'1'}]"),
		 "spec.tolerations[0].operator: Unsupported value: \"Lt\": supported values: "
		 "\"Equal\", \"Exists\", \"Lt\", \"Gt\""},
		{"v1", "Pod", NULL,
		 POD("'serviceAccountName':'s','volumes':[{'name':'t','projected':{'sources':[{'serviceAccountToken':{"
		     "'path':'/a'}}]}},{'name':'f','emptyDir':{},'cephfs':{}}]"),
		 "spec.volumes[0].projected.path: Invalid value: \"/a\": must be a relative path\n"
		 "spec.volumes[1].cephFS: Forbidden: may not specify more than 1 volume type"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotations), cmocka_unit_test(test_security),
		cmocka_unit_test(test_updates),	    cmocka_unit_test(test_spec),
		cmocka_unit_test(test_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
