/* Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs. */
#include <stdio.h>

#include "base/timefmt.h"
#include "client/describe.h"

#define NUMBER(tree, path) ((long long)json_i64(json_path(tree, path)))

static bool is_controlled_by(const struct json *object, struct str uid)
{
	return str_eq(json_path_str(json_controller(object), "uid"), uid);
}

static void describe_conditions(struct describe *d, const struct json *list)
{
	if (json_count(list) == 0)
		return;
	describe_line(d, 0, "Conditions:");
	describe_line(d, 1, "Type\tStatus\tReason");
	describe_line(d, 1, "----\t------\t------");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *c = json_at(list, i);
		describe_line(d, 1, "%.*s \t%.*s\t%.*s", STR_FMT(json_path_str(c, "type")),
			      STR_FMT(json_path_str(c, "status")),
			      STR_FMT(json_path_str(c, "reason")));
	}
}

/* Pods of a controller by their phases. */
static enum rc describe_pods_status(struct describe *d, const struct resource *r, struct err *err)
{
	static const char *const phases[] = {"Running", "Pending", "Succeeded", "Failed"};
	size_t counts[ARRAY_LEN(phases)] = {};
	struct json *pods;
	struct str uid = json_path_str(r->tree, "metadata.uid");
	struct str selector = describe_selector(d->arena, json_path(r->tree, "spec.selector"));
	TRY(describe_list(d->verb, "pods", r->namespace, "labelSelector", selector, &pods, err));
	for (size_t i = 0; i < json_count(pods); i++)
		for (size_t k = 0; k < ARRAY_LEN(phases); k++)
			counts[k] +=
				is_controlled_by(json_at(pods, i), uid) &&
				str_is(json_path_str(json_at(pods, i), "status.phase"), phases[k]);
	describe_line(d, 0, "Pods Status:\t%zu Running / %zu Waiting / %zu Succeeded / %zu Failed",
		      counts[0], counts[1], counts[2], counts[3]);
	return RC_OK;
}

/* ---- Deployment ---- */

static bool is_same_template(struct arena *a, const struct json *x, const struct json *y)
{
	struct json *left = json_clone(a, x), *right = json_clone(a, y);
	struct json *labels = json_path(left, "metadata.labels");
	if (labels)
		json_remove(labels, STR("pod-template-hash"));
	labels = json_path(right, "metadata.labels");
	if (labels)
		json_remove(labels, STR("pod-template-hash"));
	return json_equal(left, right);
}

/* The oldest first, as kubectl looks for the new one; those of one second by name. */
static int compare_ages(const void *a, const void *b)
{
	static const char *const paths[] = {"metadata.creationTimestamp", "metadata.name"};
	const struct json *x = *(struct json *const *)a, *y = *(struct json *const *)b;
	int order = 0;
	for (size_t i = 0; i < ARRAY_LEN(paths) && order == 0; i++)
		order = str_cmp(json_path_str(x, paths[i]), json_path_str(y, paths[i]));
	return order;
}

static enum rc describe_sets(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *sets;
	CLEANUP_BUF old = BUF_INIT(1u << 20), new = BUF_INIT(1u << 20);
	struct str uid = json_path_str(r->tree, "metadata.uid");
	struct str selector = describe_selector(d->arena, json_path(r->tree, "spec.selector"));
	TRY(describe_list(d->verb, "replicasets.apps", r->namespace, "labelSelector", selector,
			  &sets, err));
	if (json_count(sets))
		qsort(sets->array.items, json_count(sets), sizeof(struct json *), compare_ages);
	for (size_t i = 0; i < json_count(sets); i++) {
		const struct json *s = json_at(sets, i);
		if (!is_controlled_by(s, uid))
			continue;
		bool is_new = !new.len &&is_same_template(d->arena, json_path(s, "spec.template"),
							  json_path(r->tree, "spec.template"));
		struct buf *out = is_new ? &new : &old;
		buf_printf(out, "%s%.*s (%lld/%lld replicas created)", out->len ? ", " : "",
			   STR_FMT(json_path_str(s, "metadata.name")), NUMBER(s, "status.replicas"),
			   NUMBER(s, "spec.replicas"));
	}
	describe_line(d, 0, "OldReplicaSets:\t%.*s", STR_FMT(describe_or(buf_str(&old), "<none>")));
	describe_line(d, 0, "NewReplicaSet:\t%.*s", STR_FMT(describe_or(buf_str(&new), "<none>")));
	return RC_OK;
}

enum rc describe_deployment(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"CreationTimestamp", "metadata.creationTimestamp", ROW_TIME, false, NULL},
		DESCRIBE_LABELS,
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
	};
	const struct json *t = r->tree, *rolling = json_path(t, "spec.strategy.rollingUpdate");
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	describe_line(d, 0,
		      "Replicas:\t%lld desired | %lld updated | %lld total | %lld available | %lld "
		      "unavailable",
		      NUMBER(t, "spec.replicas"), NUMBER(t, "status.updatedReplicas"),
		      NUMBER(t, "status.replicas"), NUMBER(t, "status.availableReplicas"),
		      NUMBER(t, "status.unavailableReplicas"));
	describe_line(d, 0, "StrategyType:\t%.*s", STR_FMT(json_path_str(t, "spec.strategy.type")));
	describe_line(d, 0, "MinReadySeconds:\t%lld", NUMBER(t, "spec.minReadySeconds"));
	if (rolling)
		describe_line(
			d, 0, "RollingUpdateStrategy:\t%.*s max unavailable, %.*s max surge",
			STR_FMT(describe_value(d->arena, json_get(rolling, STR("maxUnavailable")))),
			STR_FMT(describe_value(d->arena, json_get(rolling, STR("maxSurge")))));
	describe_template(d, json_path(t, "spec.template"));
	describe_conditions(d, json_path(t, "status.conditions"));
	TRY(describe_sets(d, r, err));
	return describe_events(d, r, err);
}

/* ---- sets ---- */

enum rc describe_replica_set(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
		DESCRIBE_LABELS,
	};
	describe_rows(d, r->tree, rows, ARRAY_LEN(rows));
	describe_controller(d, r->tree);
	describe_line(d, 0, "Replicas:\t%lld current / %lld desired",
		      NUMBER(r->tree, "status.replicas"), NUMBER(r->tree, "spec.replicas"));
	TRY(describe_pods_status(d, r, err));
	describe_template(d, json_path(r->tree, "spec.template"));
	describe_conditions(d, json_path(r->tree, "status.conditions"));
	return describe_events(d, r, err);
}

static void describe_claims(struct describe *d, const struct json *claims)
{
	describe_line(d, 0, json_count(claims) ? "Volume Claims:" : "Volume Claims:\t<none>");
	for (size_t i = 0; i < json_count(claims); i++) {
		const struct json *c = json_at(claims, i);
		describe_line(d, 1, "Name:\t%.*s", STR_FMT(json_path_str(c, "metadata.name")));
		describe_line(d, 1, "StorageClass:\t%.*s",
			      STR_FMT(json_path_str(c, "spec.storageClassName")));
		describe_map(d, 1, "Labels", json_path(c, "metadata.labels"), "=");
		describe_annotations(d, 1, json_path(c, "metadata.annotations"));
		describe_line(d, 1, "Capacity:\t%.*s",
			      STR_FMT(describe_value(
				      d->arena, json_path(c, "spec.resources.requests.storage"))));
		describe_line(
			d, 1, "Access Modes:\t[%.*s]",
			STR_FMT(json_joined(d->arena, json_path(c, "spec.accessModes"), " ")));
	}
}

enum rc describe_stateful_set(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"CreationTimestamp", "metadata.creationTimestamp", ROW_TIME, false, NULL},
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
		DESCRIBE_LABELS,
	};
	const struct json *t = r->tree;
	const struct json *partition = json_path(t, "spec.updateStrategy.rollingUpdate.partition");
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	describe_line(d, 0, "Replicas:\t%lld desired | %lld total", NUMBER(t, "spec.replicas"),
		      NUMBER(t, "status.replicas"));
	describe_line(d, 0, "Update Strategy:\t%.*s",
		      STR_FMT(json_path_str(t, "spec.updateStrategy.type")));
	if (partition)
		describe_line(d, 1, "Partition:\t%lld", (long long)json_i64(partition));
	TRY(describe_pods_status(d, r, err));
	describe_template(d, json_path(t, "spec.template"));
	describe_claims(d, json_path(t, "spec.volumeClaimTemplates"));
	return describe_events(d, r, err);
}

enum rc describe_daemon_set(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
		{"Node-Selector", "spec.template.spec.nodeSelector", ROW_SELECTOR, false, NULL},
		DESCRIBE_LABELS,
		{"Desired Number of Nodes Scheduled", "status.desiredNumberScheduled", ROW_NUMBER,
		 false, NULL},
		{"Current Number of Nodes Scheduled", "status.currentNumberScheduled", ROW_NUMBER,
		 false, NULL},
		{"Number of Nodes Scheduled with Up-to-date Pods", "status.updatedNumberScheduled",
		 ROW_NUMBER, false, NULL},
		{"Number of Nodes Scheduled with Available Pods", "status.numberAvailable",
		 ROW_NUMBER, false, NULL},
		{"Number of Nodes Misscheduled", "status.numberMisscheduled", ROW_NUMBER, false,
		 NULL},
	};
	describe_rows(d, r->tree, rows, ARRAY_LEN(rows));
	TRY(describe_pods_status(d, r, err));
	describe_template(d, json_path(r->tree, "spec.template"));
	return describe_events(d, r, err);
}

/* ---- jobs ---- */

enum rc describe_job(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
		DESCRIBE_LABELS,
	};
	static const struct describe_row more[] = {
		{"Parallelism", "spec.parallelism", ROW_NUMBER, true, NULL},
		{"Completions", "spec.completions", ROW_NUMBER, true, "<unset>"},
		{"Completion Mode", "spec.completionMode", ROW_TEXT, true, NULL},
		{"Suspend", "spec.suspend", ROW_BOOL, true, NULL},
		{"Backoff Limit", "spec.backoffLimit", ROW_NUMBER, true, NULL},
		{"TTL Seconds After Finished", "spec.ttlSecondsAfterFinished", ROW_NUMBER, true,
		 NULL},
		{"Start Time", "status.startTime", ROW_TIME, true, NULL},
		{"Completed At", "status.completionTime", ROW_TIME, true, NULL},
	};
	const struct json *t = r->tree;
	int64_t begun, ended;
	char text[TIME_TEXT_MAX];
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	describe_controller(d, t);
	describe_rows(d, t, more, ARRAY_LEN(more));
	if (time_parse(json_path_str(t, "status.startTime"), &begun) &&
	    time_parse(json_path_str(t, "status.completionTime"), &ended))
		describe_line(d, 0, "Duration:\t%.*s", (int)time_format_age(ended - begun, text),
			      text);
	if (json_path(t, "spec.activeDeadlineSeconds"))
		describe_line(d, 0, "Active Deadline Seconds:\t%llds",
			      NUMBER(t, "spec.activeDeadlineSeconds"));
	describe_line(d, 0,
		      "Pods Statuses:\t%lld Active (%lld Ready) / %lld Succeeded / %lld Failed",
		      NUMBER(t, "status.active"), NUMBER(t, "status.ready"),
		      NUMBER(t, "status.succeeded"), NUMBER(t, "status.failed"));
	describe_template(d, json_path(t, "spec.template"));
	return describe_events(d, r, err);
}

enum rc describe_cron_job(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		DESCRIBE_LABELS,
		{"Schedule", "spec.schedule", ROW_TEXT, false, NULL},
		{"Time Zone", "spec.timeZone", ROW_TEXT, true, NULL},
		{"Concurrency Policy", "spec.concurrencyPolicy", ROW_TEXT, false, NULL},
		{"Suspend", "spec.suspend", ROW_FLAG, false, NULL},
		{"Successful Job History Limit", "spec.successfulJobsHistoryLimit", ROW_NUMBER,
		 false, "<unset>"},
		{"Failed Job History Limit", "spec.failedJobsHistoryLimit", ROW_NUMBER, false,
		 NULL},
		{"Starting Deadline Seconds", "spec.startingDeadlineSeconds", ROW_TEXT, false,
		 "<unset>"},
		{"Selector", "spec.jobTemplate.spec.selector", ROW_TEXT, false, "<unset>"},
		{"Parallelism", "spec.jobTemplate.spec.parallelism", ROW_NUMBER, false, "<unset>"},
		{"Completions", "spec.jobTemplate.spec.completions", ROW_NUMBER, false, "<unset>"},
	};
	const struct json *t = r->tree, *active = json_path(t, "status.active");
	struct str last = json_path_str(t, "status.lastScheduleTime");
	CLEANUP_BUF names = BUF_INIT(1u << 20);
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	describe_template(d, json_path(t, "spec.jobTemplate.spec.template"));
	describe_line(d, 0, "Last Schedule Time:\t%.*s",
		      STR_FMT(last.len ? describe_time(d->arena, last) : STR("<unset>")));
	for (size_t i = 0; i < json_count(active); i++)
		buf_printf(&names, "%s%.*s", i ? ", " : "",
			   STR_FMT(json_path_str(json_at(active, i), "name")));
	describe_line(d, 0, "Active Jobs:\t%.*s", STR_FMT(describe_or(buf_str(&names), "<none>")));
	return describe_events(d, r, err);
}
