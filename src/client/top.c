/* skeg top: what nodes and pods use, as the metrics API tells it. */
#include <stdio.h>

#include "api/quantity.h"
#include "client/text_table.h"
#include "client/verb.h"
#include "client/verbs.h"

#define METRICS "/apis/metrics.k8s.io/v1beta1"
#define MIB	(1024 * 1024)

struct top_options {
	struct client_options client;
	bool is_everywhere;
};

struct use {
	int64_t cpu_milli, bytes;
};

static void add_use(struct use *u, const struct json *usage)
{
	u->cpu_milli += quantity_text_milli(json_path_str(usage, "cpu"));
	u->bytes += quantity_text_value(json_path_str(usage, "memory"));
}

static void add_row(struct verb *v, struct text_table *t, const struct json *item,
		    bool has_namespace)
{
	struct use u = {};
	const struct json *containers = json_get(item, STR("containers"));
	add_use(&u, json_get(item, STR("usage")));
	for (size_t i = 0; i < json_count(containers); i++)
		add_use(&u, json_get(json_at(containers, i), STR("usage")));
	const struct str cells[] = {
		json_path_str(item, "metadata.namespace"),
		json_path_str(item, "metadata.name"),
		arena_printf(v->arena, "%lldm", (long long)u.cpu_milli),
		arena_printf(v->arena, "%lldMi", (long long)(u.bytes / MIB)),
	};
	text_table_add(t, v->arena, cells + !has_namespace, ARRAY_LEN(cells) - !has_namespace);
}

static enum rc body(struct verb *v, struct err *err)
{
	static const struct str heads[] = {STR_INIT("NAMESPACE"), STR_INIT("NAME"),
					   STR_INIT("CPU(cores)"), STR_INIT("MEMORY(bytes)")};
	const struct top_options *o = v->line->values;
	struct str word = str_of(v->line->words.count ? v->line->words.at[0] : "");
	bool is_nodes = str_has_prefix(word, STR("no")), is_pods = str_has_prefix(word, STR("po"));
	struct text_table table = {};
	struct json *list;
	if (!is_nodes && !is_pods)
		return err_set(err, RC_BAD_REQUEST,
			       "say what: 'skeg top nodes' or 'skeg top pods'");
	bool is_all = is_nodes || o->is_everywhere, has_namespace = is_pods && o->is_everywhere;
	struct str path = is_nodes ? STR(METRICS "/nodes")
			  : is_all ? STR(METRICS "/pods")
				   : arena_printf(v->arena, METRICS "/namespaces/%.*s/pods",
						  STR_FMT(v->client.namespace));
	enum rc rc = api_client_get(&v->client, v->arena, path, &list, err);
	if (rc == RC_NOT_FOUND)
		return err_set(err, rc, "Metrics API not available");
	TRY(rc);
	text_table_add(&table, v->arena, heads + !has_namespace, ARRAY_LEN(heads) - !has_namespace);
	const struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		add_row(v, &table, json_at(items, i), has_namespace);
	text_table_print(&table);
	return RC_OK;
}

static const struct option options[] = {
	{"all-namespaces", 'A', OPTION_FLAG, offsetof(struct top_options, is_everywhere), NULL,
	 "pods of all namespaces"},
	CLIENT_OPTIONS(struct top_options, client),
};

const struct command command_top = {
	.name = "top",
	.arguments = "nodes|pods",
	.summary = "Show use of CPU and memory, where there are metrics",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct top_options),
	VERB_RUN(body),
};
