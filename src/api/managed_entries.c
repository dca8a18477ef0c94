#include <stdlib.h>

#include "api/managed-int.h"
#include "base/timefmt.h"

/* ---- Reading ---- */

static enum rc read_entry(struct arena *a, const struct json *v, struct managed_entry *ret_entry,
			  struct err *err)
{
	struct managed_entry e = {
		.manager = json_path_str(v, "manager"),
		.api_version = json_path_str(v, "apiVersion"),
		.subresource = json_path_str(v, "subresource"),
		.is_apply = str_is(json_path_str(v, "operation"), "Apply"),
	};
	struct str time = json_path_str(v, "time");
	if (!e.is_apply && !str_is(json_path_str(v, "operation"), "Update"))
		return err_set(err, RC_BAD_REQUEST, "invalid operation");
	if (!e.api_version.len)
		return err_set(err, RC_BAD_REQUEST, "apiVersion must not be empty");
	if (!str_is(json_path_str(v, "fieldsType"), "FieldsV1"))
		return err_set(err, RC_BAD_REQUEST, "unsupported fieldsType");
	if (time.len && !time_parse(time, &e.time_us))
		return err_set(err, RC_BAD_REQUEST, "invalid time");
	const struct json *fields = json_get(v, STR("fieldsV1"));
	if (fields && fields->type != JSON_NULL)
		TRY(field_set_parse(a, fields, &e.set, err));
	*ret_entry = e;
	return RC_OK;
}

enum rc managed_read(struct arena *a, const struct json *list, struct managed_entries *ret_entries,
		     struct err *err)
{
	struct managed_entries entries = {};
	for (size_t i = 0; i < json_count(list); i++) {
		struct managed_entry e;
		TRY(read_entry(a, json_at(list, i), &e, err));
		struct managed_entry *same = managed_entry_find(&entries, &e);
		if (same)
			*same = e;
		else
			managed_entry_add(a, &entries, e);
	}
	*ret_entries = entries;
	return RC_OK;
}

/* ---- Writing ---- */

static int compare_entries(const void *left, const void *right)
{
	const struct managed_entry *p = left, *q = right;
	int64_t x = p->time_us / 1000000, y = q->time_us / 1000000;
	if (p->is_apply != q->is_apply)
		return p->is_apply ? -1 : 1;
	if (x != y)
		return x < y ? -1 : 1;
	int order = str_cmp(p->manager, q->manager);
	order = order ? order : str_cmp(p->api_version, q->api_version);
	return order ? order : str_cmp(p->subresource, q->subresource);
}

static struct json *entry_to_json(struct arena *a, const struct managed_entry *e)
{
	char time[TIME_TEXT_MAX];
	struct json *v = json_object(a);
	if (e->manager.len)
		json_add(a, v, STR("manager"), json_string(a, e->manager));
	json_add(a, v, STR("operation"), json_cstring(a, e->is_apply ? "Apply" : "Update"));
	if (e->api_version.len)
		json_add(a, v, STR("apiVersion"), json_string(a, e->api_version));
	if (e->time_us) {
		struct str text = str_n(time, time_format(e->time_us, time));
		json_add(a, v, STR("time"), json_string(a, arena_str(a, text)));
	}
	json_add(a, v, STR("fieldsType"), json_cstring(a, "FieldsV1"));
	json_add(a, v, STR("fieldsV1"), field_set_to_json(a, &e->set));
	if (e->subresource.len)
		json_add(a, v, STR("subresource"), json_string(a, e->subresource));
	return v;
}

static bool is_live(const struct managed_entry *e)
{
	return !e->is_gone && e->set.count;
}

void managed_write(struct arena *a, struct managed_entries *entries, struct json *tree)
{
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	struct json *list = json_array(a);
	json_remove(meta, STR("managedFields"));
	if (entries->count)
		qsort(entries->items, entries->count, sizeof(*entries->items), compare_entries);
	for (size_t i = 0; i < entries->count; i++)
		if (is_live(&entries->items[i]))
			json_append(a, list, entry_to_json(a, &entries->items[i]));
	if (list->array.count)
		json_add(a, meta, STR("managedFields"), list);
}

/* ---- Entries ---- */

struct managed_entry *managed_entry_add(struct arena *a, struct managed_entries *entries,
					struct managed_entry entry)
{
	entries->items = arena_grow(a, entries->items, entries->count, &entries->cap,
				    sizeof(*entries->items));
	entries->items[entries->count] = entry;
	return &entries->items[entries->count++];
}

struct managed_entry *managed_entry_find(struct managed_entries *entries,
					 const struct managed_entry *like)
{
	for (size_t i = 0; i < entries->count; i++) {
		struct managed_entry *e = &entries->items[i];
		if (!e->is_gone && e->is_apply == like->is_apply &&
		    str_eq(e->manager, like->manager) &&
		    str_eq(e->subresource, like->subresource) &&
		    (e->is_apply || str_eq(e->api_version, like->api_version)))
			return e;
	}
	return NULL;
}

bool managed_entries_are_empty(const struct managed_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		if (!entries->items[i].is_gone)
			return false;
	return true;
}

bool managed_is_version(struct str api_version)
{
	struct str group, version, rest;
	return !str_cut(api_version, '/', &group, &version) ||
	       !str_cut(version, '/', &group, &rest);
}

static struct managed_entry *oldest_updater(struct managed_entries *entries, size_t *ret_count)
{
	struct managed_entry *oldest = NULL;
	*ret_count = 0;
	for (size_t i = 0; i < entries->count; i++) {
		struct managed_entry *e = &entries->items[i];
		if (e->is_apply || !is_live(e))
			continue;
		(*ret_count)++;
		bool is_bucket = str_is(e->manager, "ancient-changes");
		if (!is_bucket && (!oldest || compare_entries(e, oldest) < 0))
			oldest = e;
	}
	return oldest;
}

void managed_cap(struct arena *a, struct managed_entries *entries)
{
	size_t count;
	struct managed_entry *oldest;
	while ((oldest = oldest_updater(entries, &count)) && count > MANAGED_UPDATERS_MAX) {
		struct managed_entry bucket = {.manager = STR("ancient-changes"),
					       .api_version = oldest->api_version,
					       .time_us = oldest->time_us,
					       .set = oldest->set};
		struct managed_entry *there = managed_entry_find(entries, &bucket);
		oldest->is_gone = true;
		if (!there) {
			managed_entry_add(a, entries, bucket);
			continue;
		}
		there->set = field_set_union(a, &there->set, &bucket.set);
		there->time_us = MAX(there->time_us, bucket.time_us);
	}
}

#define FIELD(name)                                                                                \
	{                                                                                          \
		.element = {STEP_FIELD, STR_INIT(name), NULL}, .is_member = true                   \
	}

/* In the order of sets. */
static const struct field_node unowned_meta[] = {
	FIELD("clusterName"),
	FIELD("creationTimestamp"),
	FIELD("generation"),
	FIELD("managedFields"),
	FIELD("name"),
	FIELD("namespace"),
	FIELD("resourceVersion"),
	FIELD("selfLink"),
	FIELD("uid"),
};

static const struct field_node unowned[] = {
	FIELD("apiVersion"),
	FIELD("kind"),
	{.element = {STEP_FIELD, STR_INIT("metadata"), NULL},
	 .is_member = true,
	 .below = {(struct field_node *)unowned_meta, ARRAY_LEN(unowned_meta), 0}},
};

struct field_set managed_without_meta(struct arena *a, const struct field_set *set)
{
	static const struct field_set top = {(struct field_node *)unowned, ARRAY_LEN(unowned), 0};
	return field_set_difference(a, set, &top, false);
}
