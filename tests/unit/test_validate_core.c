#include "validate_rows.h"

#define LABELS "'metadata':{'labels':{'a':'b'}}"
#define POD    "'containers':[{'name':'c','image':'i'}]"

static void test_nodes(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Node", NULL, "'spec':{'podCIDRs':['192.0.2.0/24','192.0.2.0/24']}",
		 "spec.podCIDRs: Invalid value: [\"192.0.2.0/24\",\"192.0.2.0/24\"]: may specify "
		 "no more than one CIDR for each IP family"},
		{"v1", "Node", "'spec':{}",
		 "'status':{'capacity':{'pods':'500m'},'addresses':[{'type':'Hostname','address':"
		 "'h'},{'type':'Hostname','address':'h'}]}",
		 "status.capacity.pods: Invalid value: \"500m\": must be an integer\n"
		 "status.allocatable.pods: Invalid value: \"500m\": must be an integer\n"
		 "status.addresses[1]: Duplicate value: {\"Type\":\"Hostname\",\"Address\":\"h\"}",
		 "status"},
		{"v1", "Node", "'spec':{'providerID':'a'}",
		 "'spec':{'providerID':'b','taints':[{'key':'a','effect':'X'}]}",
		 "metadata.taints[0].effect: Unsupported value: \"X\": supported values: "
		 "\"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"\n"
		 "spec.providerID: Forbidden: node updates may not change providerID except from "
		 "\"\" to valid\nmetadata.taints[0].effect: Unsupported value: \"X\": supported "
		 "values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\""},
		{"v1", "Node", "'spec':{}",
		 "'spec':{'configSource':{'configMap':{'namespace':'n','name':'c',"
		 "'kubeletConfigKey':'k','uid':'u'}}}",
		 "spec.configSource.configMap.uid: Forbidden: uid must not be set in spec"},
		{"v1", "Node", "'spec':{}",
		 "'status':{'config':{'active':{'configMap':{'namespace':'n','name':'c',"
		 "'kubeletConfigKey':'k','uid':'u'}}}}",
		 "status.config.active.configMap.resourceVersion: Required value: resourceVersion "
		 "must be set in status",
		 "status"},
		{"v1", "Node", "'spec':{}", "'spec':{'externalID':'e'}",
		 "spec.externalID: Forbidden: may not be updated"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_events(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Event", NULL, "'involvedObject':{'namespace':'n'},'reason':''", ""},
		{"v1", "Event", NULL, "'involvedObject':{'namespace':'other'}",
		 "involvedObject.namespace: Invalid value: \"other\": does not match "
		 "event.namespace"},
		{"v1", "Event", NULL,
		 "'involvedObject':{'namespace':'n'},'eventTime':'2026-01-01T00:00:00.000000Z',"
		 "'reportingComponent':'a.test/c','action':'a','reason':'r'",
		 "reportingInstance: Required value"},
		{"v1", "Event", NULL,
		 "'involvedObject':{},'eventTime':'2026-01-01T00:00:00.000000Z',"
		 "'reportingComponent':'a.test/c','action':'a','reason':'r',"
		 "'reportingInstance':'i'",
		 "involvedObject.namespace: Invalid value: \"\": does not match event.namespace"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_secrets_and_controllers(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "Secret", NULL,
		 "'type':'kubernetes.io/ssh-auth','data':{'ssh-privatekey':''}",
		 "data[ssh-privatekey]: Required value"},
		{"v1", "ReplicationController", NULL,
		 "'spec':{'template':{" LABELS ",'spec':{'restartPolicy':'Never',"
		 "'activeDeadlineSeconds':1," POD "}}}",
		 "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
		 "\"Always\"\nspec.template.spec.activeDeadlineSeconds: Forbidden: "
		 "activeDeadlineSeconds in ReplicationController is not Supported"},
		{"apiregistration.k8s.io/v1", "APIService", NULL,
		 "'spec':{'version':'V','group':'a.test','groupPriorityMinimum':1,"
		 "'versionPriority':1}",
		 "metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: "
		 "\"V.a.test\"\nspec.version: Invalid value: \"V\": a DNS-1035 label must consist "
		 "of lower case alphanumeric characters or '-', start with an alphabetic "
		 "character, and end with an alphanumeric character (e.g. 'my-name',  or "
		 "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"},
		{"batch/v1", "CronJob", NULL,
		 "'spec':{'schedule':'@daily','jobTemplate':{'spec':{'selector':{'matchLabels':{"
		 "'a':'b'}},'template':{'spec':{'restartPolicy':'Never'," POD "}}}}}",
		 "spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: "
		 "`selector` will be auto-generated"},
		{"batch/v1", "CronJob", NULL,
		 "'spec':{'schedule':'@daily','jobTemplate':{'spec':{'backoffLimitPerIndex':1,"
		 "'podFailurePolicy':{},'template':{'spec':{'restartPolicy':'OnFailure'," POD
		 "}}}}}",
		 "spec.jobTemplate.spec.backoffLimitPerIndex: Invalid value: 1: requires indexed "
		 "completion mode\nspec.jobTemplate.spec.template.spec.restartPolicy: Invalid "
		 "value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is "
		 "specified"},
		{"node.k8s.io/v1", "RuntimeClass", NULL, "'handler':'h','overhead':{}", ""},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_quotas_and_limits(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "ResourceQuota", NULL,
		 "'spec':{'hard':{'services':'1','count/a':'1'},'scopes':['Terminating']}",
		 "spec.scopes: Invalid value: [\"Terminating\"]: unsupported scope applied to "
		 "resource"},
		{"v1", "ResourceQuota", NULL,
		 "'spec':{'hard':{'pods':'1'},'scopeSelector':{'matchExpressions':[{'scopeName':"
		 "'VolumeAttributesClass','operator':'In','values':['a']}]}}",
		 "spec.scopeSelector.matchExpressions: Invalid value: {\"MatchExpressions\":[{"
		 "\"ScopeName\":\"VolumeAttributesClass\",\"Operator\":\"In\",\"Values\":[\"a\"]}"
		 "]}: unsupported scope applied to resource"},
		{"v1", "ResourceQuota", NULL,
		 "'spec':{'scopeSelector':{'matchExpressions':[{'scopeName':'BestEffort','operator'"
		 ":'Exists'},{'scopeName':'NotBestEffort','operator':'Exists'}]}}",
		 "spec.scopes: Invalid value: null: conflicting scopes"},
		{"v1", "ResourceQuota", "'spec':{'scopes':['Terminating','BestEffort']}",
		 "'spec':{'scopes':['BestEffort','Terminating']}", ""},
		{"v1", "LimitRange", NULL,
		 "'spec':{'limits':[{'type':'Container','max':{'storage':'1Gi'}}]}",
		 "spec.limits[0].max[storage]: Invalid value: \"storage\": must be a standard "
		 "resource for containers\nspec.limits[0].default[storage]: Invalid value: "
		 "\"storage\": must be a standard resource for containers\n"
		 "spec.limits[0].defaultRequest[storage]: Invalid value: \"storage\": must be a "
		 "standard resource for containers"},
		{"v1", "LimitRange", NULL,
		 "'spec':{'limits':[{'type':'Container','default':{'a.test/g':'2'},"
		 "'defaultRequest':{'a.test/g':'1'}}]}",
		 "spec.limits[0].defaultRequest[a.test/g]: Invalid value: \"1\": default value 2 "
		 "must equal to defaultRequest value 1 in a.test/g"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define SPEC "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':"

static void test_claims(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "PersistentVolumeClaim", NULL,
		 "'spec':{" SPEC "'1'}},'dataSourceRef':{'kind':'Pod','name':'p'}}",
		 "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when "
		 "referencing the default apiGroup\nspec.dataSourceRef: Invalid value: \"Pod\": "
		 "must be 'PersistentVolumeClaim' when referencing the default apiGroup"},
		{"v1", "PersistentVolumeClaim",
		 "'spec':{" SPEC "'4'}}},'status':{'phase':'Bound','capacity':{'storage':'2'}}",
		 "'spec':{" SPEC "'3'}}}", ""},
		{"v1", "PersistentVolumeClaim",
		 "'spec':{" SPEC "'4'}}},'status':{'phase':'Bound','capacity':{'storage':'2'}}",
		 "'spec':{" SPEC "'2'}}}",
		 "spec.resources.requests.storage: Forbidden: field can not be less than "
		 "status.capacity"},
		{"v1", "PersistentVolumeClaim",
		 "'spec':{'volumeAttributesClassName':'a'," SPEC
		 "'1'}}},'status':{'phase':'Bound'}",
		 "'spec':{'volumeAttributesClassName':''," SPEC "'1'}}}", ""},
		{"v1", "PersistentVolumeClaim",
		 "'spec':{'volumeAttributesClassName':'a'," SPEC
		 "'1'}}},'status':{'phase':'Bound','currentVolumeAttributesClassName':'a'}",
		 "'spec':{'volumeAttributesClassName':''," SPEC "'1'}}}",
		 "spec.volumeAttributesClassName: Forbidden: update to empty string is forbidden "
		 "when status.currentVolumeAttributesClassName is not nil"},
		{"v1", "PersistentVolumeClaim", "'spec':{" SPEC "'1'}}}",
		 "'status':{'capacity':{'storage':'-1'},'allocatedResources':{'cpu':'1'},"
		 "'allocatedResourceStatuses':{'storage':'X'}}",
		 "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity\n"
		 "status.allocatedResourceStatuses: Unsupported value: \"storage\": supported "
		 "values: \"ControllerResizeInProgress\", \"ControllerResizeInfeasible\", "
		 "\"NodeResizeInProgress\", \"NodeResizeInfeasible\", \"NodeResizePending\"\n"
		 "status.allocatedResources: Unsupported value: \"cpu\": supported values: "
		 "\"storage\"",
		 "status"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define VOLUME "'accessModes':['ReadWriteOnce'],'capacity':{'storage':'1'}"
#define TERM(key)                                                                                  \
	"'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'" key       \
	"','operator':'Exists'}]}]}}"

static void test_volumes(void **state)
{
	static const struct validate_row rows[] = {
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME ",'cinder':{'volumeID':'a','secretRef':{'name':'b'}}}",
		 "spec.cinder.secretRef.namespace: Required value"},
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME ",'iscsi':{'targetPortal':'a','iqn':'a','lun':0}}",
		 "spec.iscsi.iqn: Invalid value: \"a\": must be valid format"},
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME ",'hostPath':{'path':'/a'},'cephfs':{'monitors':['a']}}",
		 "spec.cephFS: Forbidden: may not specify more than 1 volume type"},
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME ",'hostPath':{'path':'/a'},'flexVolume':{'driver':'a'}}", ""},
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME
		 ",'persistentVolumeReclaimPolicy':'Recycle','hostPath':{'path':'/./'}}",
		 "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a "
		 "hostPath mount of '/'"},
		{"v1", "PersistentVolume", NULL,
		 "'spec':{" VOLUME ",'volumeAttributesClassName':'','hostPath':{'path':'/a'}}",
		 "spec.volumeAttributesClassName: Required value: an empty string is disallowed\n"
		 "spec.csi: Required value: has to be specified when using "
		 "volumeAttributesClassName"},
		{"v1", "PersistentVolume", "'spec':{" VOLUME ",'hostPath':{'path':'/a'}}",
		 "'spec':{" VOLUME ",'volumeMode':'Block','hostPath':{'path':'/a'}}",
		 "volumeMode: Invalid value: \"Block\": field is immutable"},
		{"v1", "PersistentVolume",
		 "'spec':{" VOLUME ",'hostPath':{'path':'/a'}," TERM("a") "}",
		 "'spec':{" VOLUME ",'hostPath':{'path':'/a'}}",
		 "nodeAffinity: Invalid value: null: field is immutable, except for updating from "
		 "beta label to GA"},
		{"v1", "PersistentVolume",
		 "'spec':{" VOLUME ",'csi':{'driver':'a.test','volumeHandle':'h'}}",
		 "'spec':{" VOLUME ",'csi':{'driver':'a.test','volumeHandle':'h',"
		 "'controllerExpandSecretRef':{'name':'s','namespace':'n'}}}",
		 ""},
		{"storage.k8s.io/v1", "VolumeAttachment", NULL,
		 "'spec':{'attacher':'a.test','nodeName':'n','source':{'inlineVolumeSpec':{"
		 "'accessModes':['X'],'volumeMode':'Block'}}}",
		 "spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the "
		 "context of inline volumes\nspec.source.inlineVolumeSpec.accessModes: Unsupported "
		 "value: \"X\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", "
		 "\"ReadWriteOnce\", \"ReadWriteOncePod\"\nspec.source.inlineVolumeSpec: Required "
		 "value: must specify a volume type\nspec.source.inlineVolumeSpec.volumeMode: "
		 "Forbidden: may not specify volumeMode other than Filesystem in the context of "
		 "inline volumes"},
		{"storage.k8s.io/v1", "CSIDriver", NULL,
		 "'spec':{'nodeAllocatableUpdatePeriodSeconds':9}",
		 "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than "
		 "or equal to 10 seconds"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

#define TARGET "'maxReplicas':2,'scaleTargetRef':{'kind':'D','name':'d','apiVersion':'apps/v1'}"

static void test_autoscalers(void **state)
{
	static const struct validate_row rows[] = {
		{"autoscaling/v2", "HorizontalPodAutoscaler", NULL,
		 "'spec':{'maxReplicas':2,'scaleTargetRef':{'kind':'D','name':'d','apiVersion':'v1'"
		 "}}",
		 "spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify "
		 "API group"},
		{"autoscaling/v2", "HorizontalPodAutoscaler", NULL,
		 "'spec':{'maxReplicas':2,'scaleTargetRef':{'kind':'D','name':'d','apiVersion':"
		 "'a/b/c'}}",
		 "spec.scaleTargetRef.apiVersion: Invalid value: \"a/b/c\": unexpected "
		 "GroupVersion string: a/b/c"},
		{"autoscaling/v2", "HorizontalPodAutoscaler", NULL,
		 "'spec':{'maxReplicas':2,'scaleTargetRef':{'kind':'ReplicationController','name':"
		 "'d'}}",
		 ""},
		{"autoscaling/v2", "HorizontalPodAutoscaler",
		 "'spec':{'maxReplicas':2,'scaleTargetRef':{'kind':'D','name':'d'}}",
		 "'spec':{'maxReplicas':2,'scaleTargetRef':{'kind':'D','name':'e'}}", ""},
		{"autoscaling/v2", "HorizontalPodAutoscaler", NULL,
		 "'spec':{" TARGET ",'metrics':[{'type':'Resource','pods':{'metric':{'name':'m'},"
		 "'target':{'type':'Value'}},'resource':{}}]}",
		 "spec.metrics[0].pods.target.averageValue: Required value: must specify a "
		 "positive target averageValue\nspec.metrics[0].pods: Forbidden: must populate the "
		 "given metric source only"},
		{"autoscaling/v2", "HorizontalPodAutoscaler", NULL,
		 "'spec':{" TARGET ",'behavior':{'scaleUp':{'tolerance':'-1'}}}",
		 "spec.behavior.scaleUp.tolerance: Invalid value: \"-1\": must be greater than or "
		 "equal to 0"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

static void test_webhook_paths(void **state)
{
	static const struct validate_row rows[] = {
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", NULL,
		 "'webhooks':[{'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1'],"
		 "'clientConfig':{'service':{'namespace':'n','name':'s','path':''}}}]",
		 ""},
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", NULL,
		 "'webhooks':[{'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1'],"
		 "'clientConfig':{'service':{'namespace':'n','name':'s','path':'//'}}}]",
		 "webhooks[0].clientConfig.service.path: Invalid value: \"//\": segment[0] may not "
		 "be empty"},
	};
	judge_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_secrets_and_controllers),
		cmocka_unit_test(test_quotas_and_limits),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_autoscalers),
		cmocka_unit_test(test_webhook_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
