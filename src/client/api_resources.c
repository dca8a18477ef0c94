/* skeg api-resources: the types that the server serves. */
#include <stdio.h>
#include <stdlib.h>

#include "client/object_output.h"
#include "client/text_table.h"
#include "client/verb.h"
#include "client/verbs.h"

struct api_resources_options {
	struct client_options client;
	const char *group, *namespaced, *output, *verbs, *categories, *sort_by;
	bool has_no_heads;
};

#define COLUMNS	     5 /* what -o wide has beside them comes after */
#define COLUMNS_WIDE 7
#define KIND_COLUMN  4

struct row {
	struct str group, cells[COLUMNS_WIDE];
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

static int compare_kinds(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int order = str_cmp(a->cells[KIND_COLUMN], b->cells[KIND_COLUMN]);
	return order ? order : compare_rows(x, y);
}

static int compare_names(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int order = str_cmp(a->cells[0], b->cells[0]);
	return order ? order : compare_rows(x, y);
}

/* Whether the list has all words of the option. */
static bool has_all(const struct json *list, const char *words)
{
	struct str one, rest = words ? str_of(words) : STR("");
	while (rest.len) {
		str_cut(rest, ',', &one, &rest);
		if (!json_has_text(list, one))
			return false;
	}
	return true;
}

static enum rc check_options(const struct api_resources_options *o, struct err *err)
{
	if (o->output && strcmp(o->output, "name") != 0 && strcmp(o->output, "wide") != 0)
		return err_set(err, RC_BAD_REQUEST,
			       "--output %s is not available; use name or wide", o->output);
	if (o->sort_by && strcmp(o->sort_by, "name") != 0 && strcmp(o->sort_by, "kind") != 0)
		return err_set(err, RC_BAD_REQUEST, "--sort-by accepts only name or kind, not '%s'",
			       o->sort_by);
	return RC_OK;
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
		    (o->group && !str_is(has_group ? group : STR(""), o->group)) ||
		    !has_all(json_get(one, STR("verbs")), o->verbs) ||
		    !has_all(json_get(one, STR("categories")), o->categories))
			continue;
		r->items = arena_grow(v->arena, r->items, r->count, &r->cap, sizeof(*r->items));
		r->items[r->count++] = (struct row){
			has_group ? group : STR(""),
			{name, json_joined(v->arena, json_get(one, STR("shortNames")), ","),
			 version, str_of(scope), json_path_str(one, "kind"),
			 json_joined(v->arena, json_get(one, STR("verbs")), ","),
			 json_joined(v->arena, json_get(one, STR("categories")), ",")},
		};
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	static const struct str heads[] = {STR_INIT("NAME"),	   STR_INIT("SHORTNAMES"),
					   STR_INIT("APIVERSION"), STR_INIT("NAMESPACED"),
					   STR_INIT("KIND"),	   STR_INIT("VERBS"),
					   STR_INIT("CATEGORIES")};
	const struct api_resources_options *o = v->line->values;
	struct text_table table = {};
	struct rows r = {};
	struct json *groups;
	TRY(check_options(o, err));
	TRY(add_version(v, STR("v1"), &r, err));
	TRY(api_client_get(&v->client, v->arena, STR("/apis"), &groups, err));
	const struct json *list = json_get(groups, STR("groups"));
	for (size_t i = 0; i < json_count(list); i++)
		TRY(add_version(v, json_path_str(json_at(list, i), "preferredVersion.groupVersion"),
				&r, err));
	qsort(r.items, r.count, sizeof(*r.items),
	      !o->sort_by		   ? compare_rows
	      : strcmp(o->sort_by, "kind") ? compare_names
					   : compare_kinds);
	size_t columns = o->output && strcmp(o->output, "wide") == 0 ? COLUMNS_WIDE : COLUMNS;
	bool is_names = o->output && strcmp(o->output, "name") == 0;
	if (!o->has_no_heads && !is_names)
		text_table_add(&table, v->arena, heads, columns);
	for (size_t i = 0; i < r.count; i++) {
		if (is_names)
			printf("%.*s%s%.*s\n", STR_FMT(r.items[i].cells[0]),
			       r.items[i].group.len ? "." : "", STR_FMT(r.items[i].group));
		else
			text_table_add(&table, v->arena, r.items[i].cells, columns);
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
	{"verbs", 0, OPTION_TEXT, AT(verbs), "VERB,…", "only what takes all of these"},
	{"categories", 0, OPTION_TEXT, AT(categories), "NAME,…", "only what is in all of these"},
	{"sort-by", 0, OPTION_TEXT, AT(sort_by), "name|kind", "in this order"},
	{"output", 'o', OPTION_TEXT, AT(output), "name|wide",
	 "only names, or verbs and categories too"},
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
