/* skeg cluster-info: where the cluster is. */
#include <stdio.h>

#include "client/verb.h"
#include "client/verbs.h"

struct info_options {
	struct client_options client;
};

static enum rc body(struct verb *v, struct err *err)
{
	struct json *version;
	TRY(api_client_get(&v->client, v->arena, STR("/version"), &version, err));
	printf("Kubernetes control plane is running at %.*s\n", STR_FMT(v->client.server));
	printf("\nTo further debug and diagnose cluster problems, use 'skeg events -A' and 'skeg "
	       "describe nodes'.\n");
	return RC_OK;
}

static const struct option options[] = {CLIENT_OPTIONS(struct info_options, client)};

const struct command command_cluster_info = {
	.name = "cluster-info",
	.summary = "Show where the cluster is",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct info_options),
	VERB_RUN(body),
};
