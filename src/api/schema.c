#include "api/schema.h"

/* As hash_of() of tools/apigen.py. */
static uint64_t index_hash(struct str a, struct str b, struct str c)
{
	return str_hash(a) * 31 + str_hash(b) * 7 + str_hash(c);
}

static const struct api_kind *kind_in_slots(const struct api *api, struct str group,
					    struct str version, struct str name, bool is_plural)
{
	const uint16_t *slots = is_plural ? api->index->by_resource : api->index->by_kind;
	uint32_t mask = (is_plural ? api->index->resource_slots : api->index->kind_slots) - 1;
	uint32_t at = index_hash(group, version, name) & mask;
	for (; slots[at]; at = (at + 1) & mask) {
		const struct api_kind *k = &api->kinds[slots[at] - 1];
		if (str_eq(is_plural ? k->plural : k->kind, name) && str_eq(k->group, group) &&
		    str_eq(k->version, version))
			return k;
	}
	return NULL;
}

static const struct api_kind *kind_walk(const struct api *api, struct str group, struct str version,
					struct str name, bool is_plural)
{
	for (uint32_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *k = &api->kinds[i];
		if (str_eq(is_plural ? k->plural : k->kind, name) && str_eq(k->group, group) &&
		    str_eq(k->version, version))
			return k;
	}
	return NULL;
}

const struct api_kind *api_by_resource(const struct api *api, struct str group, struct str version,
				       struct str plural)
{
	return api->index ? kind_in_slots(api, group, version, plural, true)
			  : kind_walk(api, group, version, plural, true);
}

const struct api_kind *api_by_kind(const struct api *api, struct str group, struct str version,
				   struct str kind)
{
	return api->index ? kind_in_slots(api, group, version, kind, false)
			  : kind_walk(api, group, version, kind, false);
}

const struct api_kind *api_by_stored(const struct api *api, uint16_t stored_id)
{
	if (!stored_id || stored_id >= api->stored_count)
		return NULL;
	if (api->index)
		return &api->kinds[api->index->by_stored[stored_id] - 1];
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (api->kinds[i].stored_id == stored_id && api->kinds[i].is_storage_version)
			return &api->kinds[i];
	return NULL;
}

const struct api_kind *api_by_api_version(const struct api *api, struct str api_version,
					  struct str kind)
{
	struct str group, version;
	if (!str_cut(api_version, '/', &group, &version)) {
		version = api_version;
		group = STR("");
	}
	return api_by_kind(api, group, version, kind);
}

/* Kinds are ordered by preference, so the first is it. */
const struct api_kind *api_by_group_resource(const struct api *api, struct str group,
					     struct str plural)
{
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (str_eq(api->kinds[i].plural, plural) && str_eq(api->kinds[i].group, group))
			return &api->kinds[i];
	return NULL;
}

static int32_t type_of_list(const struct api *api, struct str api_version, struct str kind)
{
	if (!str_has_suffix(kind, STR("List")))
		return -1;
	const struct api_kind *k =
		api_by_api_version(api, api_version, str_n(kind.at, kind.len - 4));
	return k ? k->list_type : -1;
}

static int32_t type_of_subresource(const struct api *api, struct str api_version, struct str kind)
{
	struct str group, version;
	if (!str_cut(api_version, '/', &group, &version)) {
		version = api_version;
		group = STR("");
	}
	for (uint32_t i = 0; i < api->kind_count; i++)
		for (uint32_t j = 0; j < api->kinds[i].subresource_count; j++) {
			const struct api_subresource *s = &api->kinds[i].subresources[j];
			if (str_eq(s->kind, kind) && str_eq(s->group, group) &&
			    str_eq(s->version, version))
				return s->type;
		}
	return -1;
}

static int32_t type_of_meta(const struct api *api, struct str kind)
{
	for (uint32_t i = 0; i < api->type_count; i++)
		if (str_is(api->types[i].package, "meta/v1") && str_eq(api->types[i].name, kind))
			return (int32_t)i;
	return -1;
}

const struct api_type *api_type_by_kind(const struct api *api, struct str api_version,
					struct str kind)
{
	const struct api_kind *k = api_by_api_version(api, api_version, kind);
	int32_t type = k ? k->type : type_of_list(api, api_version, kind);
	if (type < 0)
		type = type_of_subresource(api, api_version, kind);
	if (type < 0)
		type = type_of_meta(api, kind);
	return api_type(api, type);
}

const struct api_subresource *api_subresource(const struct api_kind *kind, struct str name)
{
	for (uint32_t i = 0; i < kind->subresource_count; i++)
		if (str_eq(kind->subresources[i].name, name))
			return &kind->subresources[i];
	return NULL;
}

const struct api_type *api_type(const struct api *api, int32_t type)
{
	return type >= 0 && (uint32_t)type < api->type_count ? &api->types[type] : NULL;
}

const struct api_field *api_field_near(const struct api_type *type, struct str json_name,
				       uint32_t *hint)
{
	if (!json_name.len)
		return NULL;
	for (uint32_t tried = 0, i = *hint; tried < type->field_count; tried++, i++) {
		if (i >= type->field_count)
			i = 0;
		if (!str_eq(type->fields[i].name, json_name))
			continue;
		*hint = i + 1;
		return &type->fields[i];
	}
	return NULL;
}

const struct api_field *api_field(const struct api_type *type, struct str json_name)
{
	uint32_t hint = 0;
	return api_field_near(type, json_name, &hint);
}
