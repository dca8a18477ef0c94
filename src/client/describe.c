/* skeg describe: an object in words, with what belongs to it and what happened to it. */
#include "client/describe.h"

#include <stdio.h>

#include "client/api_path.h"
#include "client/tab_writer.h"
#include "client/verb.h"
#include "client/verbs.h"

struct describe_options {
	struct client_options client;
	struct resource_options resources;
	bool shows_events;
};

static const struct {
	const char *plural, *group;
	describe_fn *fn;
} kinds[] = {
	{"pods", "", describe_pod},
	{"nodes", "", describe_node},
	{"services", "", describe_service},
	{"configmaps", "", describe_config_map},
	{"secrets", "", describe_secret},
	{"persistentvolumeclaims", "", describe_claim},
	{"namespaces", "", describe_namespace},
	{"serviceaccounts", "", describe_service_account},
	{"deployments", "apps", describe_deployment},
	{"replicasets", "apps", describe_replica_set},
	{"statefulsets", "apps", describe_stateful_set},
	{"daemonsets", "apps", describe_daemon_set},
	{"jobs", "batch", describe_job},
	{"cronjobs", "batch", describe_cron_job},
	{"ingresses", "networking.k8s.io", describe_ingress},
	{"roles", "rbac.authorization.k8s.io", describe_role},
	{"clusterroles", "rbac.authorization.k8s.io", describe_role},
	{"rolebindings", "rbac.authorization.k8s.io", describe_role_binding},
	{"clusterrolebindings", "rbac.authorization.k8s.io", describe_role_binding},
};

static describe_fn *describer_of(const struct api_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(kind->plural, kinds[i].plural) && str_is(kind->group, kinds[i].group))
			return kinds[i].fn;
	return describe_generic;
}

struct describing {
	const struct describe_options *options;
	size_t shown;
};

static enum rc describe_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct describing *g = ctx;
	struct describe d = {
		.verb = v,
		.arena = v->arena,
		.text = BUF_INIT(TAB_WRITER_BYTES_MAX),
		.indent = "",
		.shows_events = g->options->shows_events,
	};
	CLEANUP_BUF out = BUF_INIT(TAB_WRITER_BYTES_MAX);
	enum rc rc = describer_of(r->kind)(&d, r, err);
	if (rc == RC_OK) {
		tab_write(buf_str(&d.text), &out);
		rc = buf_check(&out, "the description", err);
	}
	if (rc == RC_OK) {
		if (g->shown++)
			printf("\n\n");
		fwrite(buf_str(&out).at, 1, out.len, stdout);
		fflush(stdout);
	}
	buf_done(&d.text);
	return rc;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct describing g = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &g.options->resources,
					 .words = verb_words(v, 0),
					 .takes_all_unnamed = true};
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, describe_one, &g);
	if (r.count == 0 && !v->failed)
		fprintf(stderr,
			g.options->resources.is_everywhere
				? "No resources found\n"
				: "No resources found in %.*s namespace.\n",
			STR_FMT(v->client.namespace));
	return RC_OK;
}

static const struct option options[] = {
	{"show-events", 0, OPTION_FLAG, offsetof(struct describe_options, shows_events), NULL,
	 "with the events of the object (true)"},
	RESOURCE_FILE_OPTIONS(struct describe_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct describe_options, resources),
	CLIENT_OPTIONS(struct describe_options, client),
};

static const struct describe_options defaults = {.shows_events = true};

const struct command command_describe = {
	.name = "describe",
	.arguments = "TYPE [NAME…] | TYPE/NAME…",
	.summary = "Show an object in words, with its events",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct describe_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
