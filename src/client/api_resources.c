/* skeg api-resources: the types that the server serves. */
#include <stdio.h>
#include <stdlib.h>

#include "client/object_output.h"
#include "client/text_table.h"
#include "client/verb.h"
#include "client/verbs.h"

struct api_resources_options {
	struct client_options client;
	const char *group, *namespaced, *output;
	bool has_no_heads;
};

struct row {
	struct str group, cells[5];
};

struct rows {
	struct row *items;
	size_t count, cap;
};

static int compare_rows(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int order = str_cmp(a->group, b->group);
	return order ? order : str_cmp(a->cells[0], b->cells[0]);
}

static enum rc add_version(struct verb *v, struct str version, struct rows *r, struct err *err)
{
	const struct api_resources_options *o = v->line->values;
	struct json *served;
	struct str group, rest;
	bool has_group = str_cut(version, '/', &group, &rest);
	struct str path =
		arena_printf(v->arena, has_group ? "/apis/%.*s" : "/api/%.*s", STR_FMT(version));
	TRY(api_client_get(&v->client, v->arena, path, &served, err));
	const struct json *list = json_get(served, STR("resources"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *one = json_at(list, i);
		struct str name = json_path_str(one, "name");
		bool is_namespaced = json_is_true(json_get(one, STR("namespaced")));
		const char *scope = is_namespaced ? "true" : "false";
		if (memchr(name.at, '/', name.len) ||
		    json_count(json_get(one, STR("verbs"))) == 0 ||
		    (o->namespaced && strcmp(o->namespaced, scope) != 0) ||
		    (o->group && !str_is(has_group ? group : STR(""), o->group)))
			continue;
		r->items = arena_grow(v->arena, r->items, r->count, &r->cap, sizeof(*r->items));
		r->items[r->count++] = (struct row){
			has_group ? group : STR(""),
			{name, json_joined(v->arena, json_get(one, STR("shortNames")), ","),
			 version, str_of(scope), json_path_str(one, "kind")},
		};
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	static const struct str heads[] = {STR_INIT("NAME"), STR_INIT("SHORTNAMES"),
					   STR_INIT("APIVERSION"), STR_INIT("NAMESPACED"),
					   STR_INIT("KIND")};
	const struct api_resources_options *o = v->line->values;
	struct text_table table = {};
	struct rows r = {};
	struct json *groups;
	TRY(add_version(v, STR("v1"), &r, err));
	TRY(api_client_get(&v->client, v->arena, STR("/apis"), &groups, err));
	const struct json *list = json_get(groups, STR("groups"));
	for (size_t i = 0; i < json_count(list); i++)
		TRY(add_version(v, json_path_str(json_at(list, i), "preferredVersion.groupVersion"),
				&r, err));
	qsort(r.items, r.count, sizeof(*r.items), compare_rows);
	bool is_names = o->output && strcmp(o->output, "name") == 0;
	if (!o->has_no_heads && !is_names)
		text_table_add(&table, v->arena, heads, ARRAY_LEN(heads));
	for (size_t i = 0; i < r.count; i++) {
		if (is_names)
			printf("%.*s%s%.*s\n", STR_FMT(r.items[i].cells[0]),
			       r.items[i].group.len ? "." : "", STR_FMT(r.items[i].group));
		else
			text_table_add(&table, v->arena, r.items[i].cells, ARRAY_LEN(heads));
	}
	text_table_print(&table);
	return RC_OK;
}

#define AT(member) offsetof(struct api_resources_options, member)
static const struct option options[] = {
	{"api-group", 0, OPTION_TEXT, AT(group), "GROUP", "only of this group"},
	{"namespaced", 0, OPTION_TEXT, AT(namespaced), "true|false", "only of this scope",
	 .bare = "true"},
	{"no-headers", 0, OPTION_FLAG, AT(has_no_heads), NULL, "without the line of column names"},
	{"output", 'o', OPTION_TEXT, AT(output), "name", "only names"},
	CLIENT_OPTIONS(struct api_resources_options, client),
};

const struct command command_api_resources = {
	.name = "api-resources",
	.summary = "List the types that the server serves",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct api_resources_options),
	VERB_RUN(body),
};
