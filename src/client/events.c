/* skeg events: what happened, the newest last. */
#include <stdio.h>

#include "client/api_path.h"
#include "client/event_text.h"
#include "client/output.h"
#include "client/resources.h"
#include "client/text_table.h"
#include "client/verbs.h"

struct events_options {
	struct client_options client;
	bool is_everywhere, has_no_heads;
	const char *about, *types, *output;
};

static enum rc field_selector(struct verb *v, const struct events_options *o,
			      struct str *ret_selector, struct err *err)
{
	struct resource_targets t;
	const struct text_list one = {.at = (const char **)&o->about, .count = 1};
	*ret_selector = STR("");
	if (!o->about)
		return RC_OK;
	TRY(resource_targets_parse(v->arena, &one, &t, err));
	if (!t.items[0].name.len)
		return err_set(err, RC_BAD_REQUEST, "--for must be in resource/name form");
	*ret_selector = arena_printf(v->arena, "involvedObject.kind=%.*s,involvedObject.name=%.*s",
				     STR_FMT(t.items[0].kind->kind), STR_FMT(t.items[0].name));
	return RC_OK;
}

static bool is_wanted(const struct events_options *o, const struct json *event)
{
	struct str rest = str_of(o->types), type;
	if (!o->types)
		return true;
	while (rest.len) {
		str_cut(rest, ',', &type, &rest);
		if (str_eq_nocase(type, json_path_str(event, "type")))
			return true;
	}
	return false;
}

static void print_table(struct verb *v, const struct events_options *o, const struct json *items)
{
	static const struct str heads[] = {STR_INIT("NAMESPACE"), STR_INIT("LAST SEEN"),
					   STR_INIT("TYPE"),	  STR_INIT("REASON"),
					   STR_INIT("OBJECT"),	  STR_INIT("MESSAGE")};
	struct text_table table = {};
	struct arena *a = v->arena;
	size_t skip = o->is_everywhere ? 0 : 1;
	if (!o->has_no_heads)
		text_table_add(&table, a, heads + skip, ARRAY_LEN(heads) - skip);
	for (size_t i = 0; i < json_count(items); i++) {
		const struct json *e = json_at(items, i);
		if (!is_wanted(o, e))
			continue;
		const struct str cells[] = {
			json_path_str(e, "metadata.namespace"),
			event_age(a, e),
			json_path_str(e, "type"),
			json_path_str(e, "reason"),
			arena_printf(a, "%.*s/%.*s",
				     STR_FMT(json_path_str(e, "involvedObject.kind")),
				     STR_FMT(json_path_str(e, "involvedObject.name"))),
			str_trim(json_path_str(e, "message")),
		};
		text_table_add(&table, a, cells + skip, ARRAY_LEN(cells) - skip);
	}
	text_table_print(&table);
}

static enum rc print_objects(struct verb *v, struct output *o, struct json *items, struct err *err)
{
	struct json *list = object_list_new(v->arena);
	for (size_t i = 0; i < json_count(items); i++)
		object_complete(v->arena, json_at(items, i), resource_type_find(STR("events")));
	json_set(v->arena, list, STR("items"), items);
	return output_print(o, v->arena, list, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct events_options *o = v->line->values;
	struct json *items;
	struct output output;
	struct str selector;
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	TRY(output_parse(v->arena, o->output, &output, err));
	TRY(field_selector(v, o, &selector, err));
	buf_add_str(&url, api_path(v->arena, resource_type_find(STR("events")),
				   o->is_everywhere ? (struct str){} : v->client.namespace,
				   (struct str){}, NULL));
	query_add(&url, "fieldSelector", selector);
	TRY(api_client_items(&v->client, v->arena, buf_str(&url), &items, err));
	events_sort(items);
	if (json_count(items) == 0 && o->is_everywhere)
		fprintf(stderr, "No events found.\n");
	else if (json_count(items) == 0)
		fprintf(stderr, "No events found in %.*s namespace.\n",
			STR_FMT(v->client.namespace));
	else if (!output_is_table(&output))
		return print_objects(v, &output, items, err);
	else
		print_table(v, o, items);
	return RC_OK;
}

#define AT(member) offsetof(struct events_options, member)
static const struct option options[] = {
	{"all-namespaces", 'A', OPTION_FLAG, AT(is_everywhere), NULL, "of all namespaces"},
	{"for", 0, OPTION_TEXT, AT(about), "TYPE/NAME", "about this object only"},
	{"types", 0, OPTION_TEXT, AT(types), "TYPE,…", "Normal, Warning"},
	{"no-headers", 0, OPTION_FLAG, AT(has_no_heads), NULL, "without the line of column names"},
	{"output", 'o', OPTION_TEXT, AT(output), "FORM", "yaml, json, name, jsonpath=…"},
	CLIENT_OPTIONS(struct events_options, client),
};

const struct command command_events = {
	.name = "events",
	.summary = "Show what happened",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct events_options),
	VERB_RUN(body),
};
