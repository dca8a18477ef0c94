#include "client/rollout_status.h"

#define NUMBER(path) ((long long)json_i64(json_path(o, path)))

static const struct json *condition(const struct json *o, const char *type)
{
	const struct json *list = json_path(o, "status.conditions");
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "type"), type))
			return json_at(list, i);
	return NULL;
}

static enum rc deployment_text(struct arena *a, const struct json *o, struct str *ret_text,
			       bool *ret_is_done, struct err *err)
{
	struct str name = json_path_str(o, "metadata.name");
	const struct json *wanted = json_path(o, "spec.replicas");
	long long updated = NUMBER("status.updatedReplicas"), all = NUMBER("status.replicas");
	long long available = NUMBER("status.availableReplicas");
	if (NUMBER("metadata.generation") > NUMBER("status.observedGeneration")) {
		*ret_text = STR("Waiting for deployment spec update to be observed...\n");
		return RC_OK;
	}
	if (str_is(json_path_str(condition(o, "Progressing"), "reason"),
		   "ProgressDeadlineExceeded"))
		return err_set(err, RC_TIMEOUT,
			       "deployment \"%.*s\" exceeded its progress deadline", STR_FMT(name));
	if (wanted && updated < json_i64(wanted))
		*ret_text =
			arena_printf(a,
				     "Waiting for deployment \"%.*s\" rollout to finish: %lld out "
				     "of %lld new replicas have been updated...\n",
				     STR_FMT(name), updated, (long long)json_i64(wanted));
	else if (all > updated)
		*ret_text =
			arena_printf(a,
				     "Waiting for deployment \"%.*s\" rollout to finish: %lld old "
				     "replicas are pending termination...\n",
				     STR_FMT(name), all - updated);
	else if (available < updated)
		*ret_text =
			arena_printf(a,
				     "Waiting for deployment \"%.*s\" rollout to finish: %lld of "
				     "%lld updated replicas are available...\n",
				     STR_FMT(name), available, updated);
	else {
		*ret_text = arena_printf(a, "deployment \"%.*s\" successfully rolled out\n",
					 STR_FMT(name));
		*ret_is_done = true;
	}
	return RC_OK;
}

static enum rc daemon_text(struct arena *a, const struct json *o, struct str *ret_text,
			   bool *ret_is_done, struct err *err)
{
	struct str name = json_path_str(o, "metadata.name");
	long long wanted = NUMBER("status.desiredNumberScheduled");
	long long updated = NUMBER("status.updatedNumberScheduled");
	long long available = NUMBER("status.numberAvailable");
	if (!str_is(json_path_str(o, "spec.updateStrategy.type"), "RollingUpdate"))
		return err_set(err, RC_BAD_REQUEST,
			       "rollout status is only available for RollingUpdate strategy type");
	if (NUMBER("metadata.generation") > NUMBER("status.observedGeneration"))
		*ret_text = STR("Waiting for daemon set spec update to be observed...\n");
	else if (updated < wanted)
		*ret_text =
			arena_printf(a,
				     "Waiting for daemon set \"%.*s\" rollout to finish: %lld out "
				     "of %lld new pods have been updated...\n",
				     STR_FMT(name), updated, wanted);
	else if (available < wanted)
		*ret_text =
			arena_printf(a,
				     "Waiting for daemon set \"%.*s\" rollout to finish: %lld of "
				     "%lld updated pods are available...\n",
				     STR_FMT(name), available, wanted);
	else {
		*ret_text = arena_printf(a, "daemon set \"%.*s\" successfully rolled out\n",
					 STR_FMT(name));
		*ret_is_done = true;
	}
	return RC_OK;
}

static enum rc stateful_text(struct arena *a, const struct json *o, struct str *ret_text,
			     bool *ret_is_done, struct err *err)
{
	long long wanted = NUMBER("spec.replicas"), ready = NUMBER("status.readyReplicas");
	long long updated = NUMBER("status.updatedReplicas");
	long long partition = NUMBER("spec.updateStrategy.rollingUpdate.partition");
	struct str revision = json_path_str(o, "status.updateRevision");
	if (!str_is(json_path_str(o, "spec.updateStrategy.type"), "RollingUpdate"))
		return err_set(err, RC_BAD_REQUEST,
			       "rollout status is only available for RollingUpdate strategy type");
	if (NUMBER("status.observedGeneration") == 0 ||
	    NUMBER("metadata.generation") > NUMBER("status.observedGeneration")) {
		*ret_text = STR("Waiting for statefulset spec update to be observed...\n");
	} else if (ready < wanted) {
		*ret_text =
			arena_printf(a, "Waiting for %lld pods to be ready...\n", wanted - ready);
	} else if (partition && updated < wanted - partition) {
		*ret_text =
			arena_printf(a,
				     "Waiting for partitioned roll out to finish: %lld out of %lld "
				     "new pods have been updated...\n",
				     updated, wanted - partition);
	} else if (partition) {
		*ret_text = arena_printf(
			a, "partitioned roll out complete: %lld new pods have been updated...\n",
			updated);
		*ret_is_done = true;
	} else if (!str_eq(revision, json_path_str(o, "status.currentRevision"))) {
		*ret_text =
			arena_printf(a,
				     "waiting for statefulset rolling update to complete %lld pods "
				     "at revision %.*s...\n",
				     updated, STR_FMT(revision));
	} else {
		*ret_text = arena_printf(
			a, "statefulset rolling update complete %lld pods at revision %.*s...\n",
			NUMBER("status.currentReplicas"),
			STR_FMT(json_path_str(o, "status.currentRevision")));
		*ret_is_done = true;
	}
	return RC_OK;
}

enum rc rollout_status_text(struct arena *a, const struct json *o, int64_t revision,
			    struct str *ret_text, bool *ret_is_done, struct err *err)
{
	static const struct {
		const char *kind;
		enum rc (*text)(struct arena *a, const struct json *o, struct str *ret_text,
				bool *ret_is_done, struct err *err);
	} kinds[] = {{"Deployment", deployment_text},
		     {"DaemonSet", daemon_text},
		     {"StatefulSet", stateful_text}};
	struct str kind = json_path_str(o, "kind");
	struct str now = json_str(json_get(json_path(o, "metadata.annotations"),
					   STR("deployment.kubernetes.io/revision")));
	int64_t have = 0;
	*ret_is_done = false;
	if (revision && str_to_i64(now, &have) && have != revision)
		return err_set(
			err, RC_CONFLICT,
			"desired revision (%lld) is different from the running revision (%lld)",
			(long long)revision, (long long)have);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(kind, kinds[i].kind))
			return kinds[i].text(a, o, ret_text, ret_is_done, err);
	return err_set(err, RC_BAD_REQUEST,
		       "no status viewer has been implemented for %.*s; a Deployment, DaemonSet or "
		       "StatefulSet has one",
		       STR_FMT(kind));
}
