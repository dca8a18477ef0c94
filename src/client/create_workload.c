/* skeg create deployment, job, cronjob. */
#include <stdio.h>

#include "client/api_path.h"
#include "client/create.h"
#include "client/resource_types.h"
#include "client/verbs.h"

static enum rc build_deployment(struct create *c, struct json *tree, struct err *err)
{
	struct arena *a = c->arena;
	json_set(a, json_get(tree, STR("metadata")), STR("labels"), create_app_labels(a, c->name));
	json_set(a, create_at(a, tree, "spec"), STR("replicas"), json_int(a, c->options->replicas));
	json_set(a, create_at(a, tree, "spec.selector"), STR("matchLabels"),
		 create_app_labels(a, c->name));
	json_set(a, create_at(a, tree, "spec.template.metadata"), STR("labels"),
		 create_app_labels(a, c->name));
	struct json *spec = create_at(a, tree, "spec.template.spec");
	TRY(create_containers(c, spec, err));
	if (c->options->port >= 0) {
		struct json *port = json_object(a), *ports = json_array(a);
		json_set(a, port, STR("containerPort"), json_int(a, c->options->port));
		json_append(a, ports, port);
		json_set(a, json_at(json_get(spec, STR("containers")), 0), STR("ports"), ports);
	}
	return RC_OK;
}

static enum rc job_of_image(struct create *c, struct json *pod_spec, const char *restart,
			    struct err *err)
{
	TRY(create_containers(c, pod_spec, err));
	json_set_str(c->arena, json_at(json_get(pod_spec, STR("containers")), 0), STR("name"),
		     str_of(c->name));
	json_set_str(c->arena, pod_spec, STR("restartPolicy"), str_of(restart));
	return RC_OK;
}

/* "cronjob/nightly": a run of it now. */
static enum rc job_of_cron(struct create *c, struct json *tree, struct err *err)
{
	struct arena *a = c->arena;
	struct str type, name;
	struct json *cron;
	if (!str_cut(str_of(c->options->from), '/', &type, &name) ||
	    !str_has_prefix(type, STR("c")))
		return err_set(err, RC_BAD_REQUEST,
			       "from must be an existing cronjob: cronjob/NAME");
	TRY(api_client_get(
		&c->verb->client, a,
		api_path(a, resource_type_find(STR("cronjobs")), c->namespace, name, NULL), &cron,
		err));
	json_set(a, tree, STR("spec"), json_path(cron, "spec.jobTemplate.spec"));
	json_set_str(a, create_at(a, tree, "metadata.annotations"),
		     STR("cronjob.kubernetes.io/instantiate"), STR("manual"));
	struct json *owner = json_object(a), *owners = json_array(a);
	json_set_str(a, owner, STR("apiVersion"), STR("batch/v1"));
	json_set_str(a, owner, STR("kind"), STR("CronJob"));
	json_set_str(a, owner, STR("name"), name);
	json_set_str(a, owner, STR("uid"), json_path_str(cron, "metadata.uid"));
	json_set(a, owner, STR("controller"), json_bool(a, true));
	json_append(a, owners, owner);
	json_set(a, json_get(tree, STR("metadata")), STR("ownerReferences"), owners);
	return RC_OK;
}

static enum rc build_job(struct create *c, struct json *tree, struct err *err)
{
	if (c->options->from)
		return job_of_cron(c, tree, err);
	return job_of_image(c, create_at(c->arena, tree, "spec.template.spec"), "Never", err);
}

static enum rc build_cron_job(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	if (!o->schedule)
		return err_set(err, RC_BAD_REQUEST, "required flag(s) \"schedule\" not set");
	create_set(c->arena, tree, "spec.schedule", o->schedule);
	create_set(c->arena, tree, "spec.jobTemplate.metadata.name", c->name);
	return job_of_image(c, create_at(c->arena, tree, "spec.jobTemplate.spec.template.spec"),
			    o->restart ? o->restart : "OnFailure", err);
}

static const struct option deployment_options[] = {
	CREATE_LIST("image", images, "IMAGE", "of its containers"),
	{"replicas", 'r', OPTION_NUMBER, CREATE_AT(replicas), "N", "how many pods (1)"},
	{"port", 0, OPTION_NUMBER, CREATE_AT(port), "N", "port that the container serves"},
	CREATE_COMMON,
};
static const struct option job_options[] = {
	CREATE_LIST("image", images, "IMAGE", "of its container"),
	CREATE_TEXT("from", from, "cronjob/NAME", "a run of this CronJob now"),
	CREATE_COMMON,
};
static const struct option cron_job_options[] = {
	CREATE_LIST("image", images, "IMAGE", "of its container"),
	CREATE_TEXT("schedule", schedule, "CRON", "when: '0 3 * * *' or @daily"),
	CREATE_TEXT("restart", restart, "POLICY", "OnFailure or Never"),
	CREATE_COMMON,
};

CREATE_COMMAND(deployment, "create deployment", "create deploy", "NAME --image=IMAGE [-- COMMAND…]",
	       "Make a Deployment", deployment_options, "apps/v1", "Deployment", false,
	       build_deployment);
CREATE_COMMAND(job, "create job", NULL, "NAME --image=IMAGE [-- COMMAND…]", "Make a Job",
	       job_options, "batch/v1", "Job", false, build_job);
CREATE_COMMAND(cron_job, "create cronjob", "create cj",
	       "NAME --image=IMAGE --schedule=CRON [-- COMMAND…]", "Make a CronJob",
	       cron_job_options, "batch/v1", "CronJob", false, build_cron_job);
