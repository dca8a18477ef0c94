#include "api/rules-int.h"

static const struct default_rule deployment_rules[] = {
	{"spec.replicas", "1"},
	{"spec.strategy", "{}"},
	{"spec.strategy.type", "\"RollingUpdate\""},
	{"spec.revisionHistoryLimit", "10"},
	{"spec.progressDeadlineSeconds", "600"},
};

static const struct default_rule daemon_set_rules[] = {
	{"spec.updateStrategy", "{}"},
	{"spec.updateStrategy.type", "\"RollingUpdate\""},
	{"spec.revisionHistoryLimit", "10"},
};

static const struct default_rule stateful_set_rules[] = {
	{"spec.podManagementPolicy", "\"OrderedReady\""},
	{"spec.updateStrategy", "{}"},
	{"spec.updateStrategy.type", "\"RollingUpdate\""},
	{"spec.persistentVolumeClaimRetentionPolicy", "{}"},
	{"spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "\"Retain\""},
	{"spec.persistentVolumeClaimRetentionPolicy.whenScaled", "\"Retain\""},
	{"spec.replicas", "1"},
	{"spec.revisionHistoryLimit", "10"},
	{"spec.volumeClaimTemplates[].spec.volumeMode", "\"Filesystem\""},
	{"spec.volumeClaimTemplates[].status", "{}"},
	{"spec.volumeClaimTemplates[].status.phase", "\"Pending\""},
};

static const struct default_rule replicas_rules[] = {{"spec.replicas", "1"}};

static const struct default_rule cron_job_rules[] = {
	{"spec.concurrencyPolicy", "\"Allow\""},
	{"spec.suspend", "false"},
	{"spec.successfulJobsHistoryLimit", "3"},
	{"spec.failedJobsHistoryLimit", "1"},
};

static const struct default_rule job_rules[] = {
	{"spec.completionMode", "\"NonIndexed\""},
	{"spec.suspend", "false"},
	{"spec.podFailurePolicy.rules[].onPodConditions[].?status", "\"True\""},
	{"spec.manualSelector", "false"},
};

static void rolling_update(struct arena *a, struct json *strategy, const struct default_rule *rules,
			   size_t count)
{
	if (str_is(json_path_str(strategy, "type"), "RollingUpdate"))
		rules_apply(a, json_need_object(a, strategy, STR("rollingUpdate")), rules, count);
}

static void deployment_defaults(struct arena *a, struct json *tree)
{
	static const struct default_rule rules[] = {{"maxUnavailable", "\"25%\""},
						    {"maxSurge", "\"25%\""}};
	rolling_update(a, json_path(tree, "spec.strategy"), DEFAULT_RULES(rules));
}

static void daemon_set_defaults(struct arena *a, struct json *tree)
{
	static const struct default_rule rules[] = {{"maxUnavailable", "1"}, {"maxSurge", "0"}};
	rolling_update(a, json_path(tree, "spec.updateStrategy"), DEFAULT_RULES(rules));
}

/* Whatever it says of itself. */
static void claim_template(struct arena *a, struct json *claim)
{
	json_set_str(a, claim, STR("kind"), STR("PersistentVolumeClaim"));
	json_set_str(a, claim, STR("apiVersion"), STR("v1"));
}

static void stateful_set_defaults(struct arena *a, struct json *tree)
{
	static const struct default_rule rules[] = {{"partition", "0"}};
	rolling_update(a, json_path(tree, "spec.updateStrategy"), DEFAULT_RULES(rules));
	tree_visit(a, tree, "spec.volumeClaimTemplates[]", claim_template);
	tree_round_quantities(a, tree, "spec.volumeClaimTemplates[].spec.resources.requests");
	tree_round_quantities(a, tree, "spec.volumeClaimTemplates[].spec.resources.limits");
}

static void job_defaults(struct arena *a, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec")),
		    *metadata = json_get(tree, STR("metadata"));
	const struct json *labels = json_path(spec, "template.metadata.labels");
	if (!spec)
		return;
	if (metadata && json_count(labels) > 0 &&
	    json_count(json_get(metadata, STR("labels"))) == 0)
		json_set(a, metadata, STR("labels"), json_copy(a, labels));
	/* Only when both are absent: completions alone absent means a work queue. */
	if (!json_get(spec, STR("completions")) && !json_get(spec, STR("parallelism")))
		json_set(a, spec, STR("completions"), json_int(a, 1));
	rule_apply(a, spec, "parallelism", "1");
	rule_apply(a, spec, "backoffLimit",
		   json_get(spec, STR("backoffLimitPerIndex")) ? "2147483647" : "6");
	rule_apply(a, spec, "podReplacementPolicy",
		   json_get(spec, STR("podFailurePolicy")) ? "\"Failed\""
							   : "\"TerminatingOrFailed\"");
}

/* ---- autoscaling ---- */

static const struct default_rule autoscaler_rules[] = {{"spec.minReplicas", "1"}};

static const char cpu_metric[] =
	"[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":"
	"{\"type\":\"Utilization\",\"averageUtilization\":80}}}]";

static const struct default_rule scale_up_rules[] = {
	{"stabilizationWindowSeconds", "0"},
	{"selectPolicy", "\"Max\""},
	{"policies", "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},"
		     "{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]"},
};

static const struct default_rule scale_down_rules[] = {
	{"selectPolicy", "\"Max\""},
	{"policies", "[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]"},
};

static void autoscaler_defaults(struct arena *a, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec"));
	struct json *behavior = json_get(spec, STR("behavior"));
	if (!spec)
		return;
	if (json_count(json_get(spec, STR("metrics"))) == 0) {
		json_remove(spec, STR("metrics"));
		rule_apply(a, spec, "metrics", cpu_metric);
	}
	if (!behavior || behavior->type != JSON_OBJECT)
		return;
	rules_apply(a, json_need_object(a, behavior, STR("scaleUp")),
		    DEFAULT_RULES(scale_up_rules));
	rules_apply(a, json_need_object(a, behavior, STR("scaleDown")),
		    DEFAULT_RULES(scale_down_rules));
}

/* Version 1 keeps its metrics in an annotation; without any the CPU target gets its default. */
static void autoscaler_v1_defaults(struct arena *a, struct json *tree)
{
	const struct json *annotations = json_path(tree, "metadata.annotations");
	if (json_get(annotations, STR("autoscaling.alpha.kubernetes.io/metrics")))
		return;
	rule_apply(a, tree, "spec.targetCPUUtilizationPercentage", "80");
}

const struct kind_defaults defaults_apps[] = {
	{"apps", NULL, "Deployment", DEFAULT_RULES(deployment_rules), "spec.template.spec",
	 deployment_defaults},
	{"apps", NULL, "DaemonSet", DEFAULT_RULES(daemon_set_rules), "spec.template.spec",
	 daemon_set_defaults},
	{"apps", NULL, "StatefulSet", DEFAULT_RULES(stateful_set_rules), "spec.template.spec",
	 stateful_set_defaults},
	{"apps", NULL, "ReplicaSet", DEFAULT_RULES(replicas_rules), "spec.template.spec", NULL},
	{"batch", NULL, "Job", DEFAULT_RULES(job_rules), "spec.template.spec", job_defaults},
	{"batch", NULL, "CronJob", DEFAULT_RULES(cron_job_rules),
	 "spec.jobTemplate.spec.template.spec", NULL},
	{"autoscaling", "v2", "HorizontalPodAutoscaler", DEFAULT_RULES(autoscaler_rules), NULL,
	 autoscaler_defaults},
	{"autoscaling", "v1", "HorizontalPodAutoscaler", DEFAULT_RULES(autoscaler_rules), NULL,
	 autoscaler_v1_defaults},
	{},
};
