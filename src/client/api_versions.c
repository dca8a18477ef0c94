/* skeg api-versions: the versions that the server serves. */
#include <stdio.h>
#include <stdlib.h>

#include "client/verb.h"
#include "client/verbs.h"

struct versions_options {
	struct client_options client;
};

static int compare_texts(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct json *groups;
	struct str *names = NULL;
	size_t count = 0, cap = 0;
	TRY(api_client_get(&v->client, v->arena, STR("/apis"), &groups, err));
	names = arena_grow(v->arena, names, count, &cap, sizeof(*names));
	names[count++] = STR("v1");
	const struct json *list = json_get(groups, STR("groups"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *versions = json_get(json_at(list, i), STR("versions"));
		for (size_t k = 0; k < json_count(versions); k++) {
			names = arena_grow(v->arena, names, count, &cap, sizeof(*names));
			names[count++] = json_path_str(json_at(versions, k), "groupVersion");
		}
	}
	qsort(names, count, sizeof(*names), compare_texts);
	for (size_t i = 0; i < count; i++)
		printf("%.*s\n", STR_FMT(names[i]));
	return RC_OK;
}

static const struct option options[] = {CLIENT_OPTIONS(struct versions_options, client)};

const struct command command_api_versions = {
	.name = "api-versions",
	.summary = "List the versions that the server serves",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct versions_options),
	VERB_RUN(body),
};
