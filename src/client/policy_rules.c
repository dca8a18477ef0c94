#include "client/policy_rules.h"

#include "base/map.h"
#include "client/object_output.h"

struct rows {
	struct arena *arena;
	struct policy_row *at;
	size_t count, cap;
	struct map simple; /* "group/resource/name" to its place in the rows, plus one */
};

struct str policy_list_text(struct arena *a, const struct json *list)
{
	return arena_printf(a, "[%.*s]", STR_FMT(json_joined(a, list, " ")));
}

static struct policy_row *add_row(struct rows *r)
{
	if (r->count == POLICY_ROWS_MAX)
		return NULL;
	r->at = arena_grow(r->arena, r->at, r->count, &r->cap, sizeof(*r->at));
	struct policy_row *row = &r->at[r->count++];
	*row = (struct policy_row){
		.resource = STR(""),
		.urls = json_array(r->arena),
		.names = json_array(r->arena),
		.verbs = json_array(r->arena),
	};
	return row;
}

static void add_once(struct arena *a, struct json *list, struct str text)
{
	if (!json_has_text(list, text))
		json_append(a, list, json_string(a, text));
}

/* "pods/log" of "", "deployments/scale" of "apps". */
static struct str resource_text(struct arena *a, struct str group, struct str resource)
{
	struct str head, tail;
	bool has_tail = str_cut(resource, '/', &head, &tail);
	return arena_printf(a, "%.*s%s%.*s%s%.*s", STR_FMT(head), group.len ? "." : "",
			    STR_FMT(group), has_tail ? "/" : "", STR_FMT(tail));
}

/* What decides the order: verbs, group, resource, names, URLs; brackets count, so that "pods/log"
 * stands before "pods". */
static struct str sort_key(struct arena *a, const struct policy_row *row, struct str group,
			   struct str resource)
{
	return arena_printf(a, "%.*s,[%.*s],[%.*s],%.*s,%.*s",
			    STR_FMT(policy_list_text(a, row->verbs)), STR_FMT(group),
			    STR_FMT(resource), STR_FMT(policy_list_text(a, row->names)),
			    STR_FMT(policy_list_text(a, row->urls)));
}

struct one {
	struct str group, resource, name; /* absent name: any */
};

static void add_verbs(struct rows *r, const struct one *o, const struct json *verbs)
{
	struct arena *a = r->arena;
	struct str key = arena_printf(a, "%.*s\n%.*s\n%s%.*s", STR_FMT(o->group),
				      STR_FMT(o->resource), o->name.at ? "=" : "",
				      STR_FMT(o->name));
	size_t place = (size_t)(uintptr_t)map_get(&r->simple, key);
	struct policy_row *row = place ? &r->at[place - 1] : add_row(r);
	if (!row)
		return;
	if (!place) {
		map_set(&r->simple, key, (void *)(uintptr_t)r->count);
		row->resource = resource_text(a, o->group, o->resource);
		if (o->name.at)
			json_append(a, row->names, json_string(a, o->name));
	}
	for (size_t i = 0; i < json_count(verbs); i++)
		add_once(a, row->verbs, json_str(json_at(verbs, i)));
	row->key = sort_key(a, row, o->group, o->resource);
}

static void add_resources(struct rows *r, const struct json *rule)
{
	const struct json *groups = json_get(rule, STR("apiGroups")),
			  *resources = json_get(rule, STR("resources")),
			  *names = json_get(rule, STR("resourceNames")),
			  *verbs = json_get(rule, STR("verbs"));
	for (size_t g = 0; g < json_count(groups); g++)
		for (size_t i = 0; i < json_count(resources); i++) {
			struct one one = {
				json_str(json_at(groups, g)), json_str(json_at(resources, i)), {}};
			if (json_count(names) == 0)
				add_verbs(r, &one, verbs);
			for (size_t n = 0; n < json_count(names); n++) {
				one.name = json_str(json_at(names, n));
				add_verbs(r, &one, verbs);
			}
		}
}

/* A row a URL and verb. */
static void add_urls(struct rows *r, const struct json *rule)
{
	const struct json *urls = json_get(rule, STR("nonResourceURLs")),
			  *verbs = json_get(rule, STR("verbs"));
	for (size_t u = 0; u < json_count(urls); u++)
		for (size_t i = 0; i < json_count(verbs); i++) {
			struct policy_row *row = add_row(r);
			if (!row)
				return;
			json_append(r->arena, row->urls, json_at(urls, u));
			json_append(r->arena, row->verbs, json_at(verbs, i));
			row->key = sort_key(r->arena, row, STR(""), STR(""));
		}
}

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct policy_row *)a)->key, ((const struct policy_row *)b)->key);
}

struct policy_row *policy_rows(struct arena *a, const struct json *const *lists, size_t list_count,
			       size_t *ret_count)
{
	struct rows r = {.arena = a};
	for (size_t l = 0; l < list_count; l++)
		for (size_t i = 0; i < json_count(lists[l]); i++) {
			add_resources(&r, json_at(lists[l], i));
			add_urls(&r, json_at(lists[l], i));
		}
	if (r.count)
		qsort(r.at, r.count, sizeof(*r.at), by_key);
	map_done(&r.simple);
	*ret_count = r.count;
	return r.at;
}
