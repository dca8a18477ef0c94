#include "client/object_output.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/resource_types.h"
#include "codec/yaml.h"

#define JSON_INDENT	 4
#define JOINED_BYTES_MAX (1u << 20)

static int compare_keys(const void *x, const void *y)
{
	const struct json_member *a = x, *b = y;
	return str_cmp(a->key, b->key);
}

/* As deep as the parser let it become: JSON_MAX_DEPTH. */
void json_sort_keys(struct json *tree)
{
	if (tree->type == JSON_ARRAY)
		for (size_t i = 0; i < tree->array.count; i++)
			json_sort_keys(tree->array.items[i]);
	if (tree->type != JSON_OBJECT || tree->object.count == 0)
		return;
	qsort(tree->object.members, tree->object.count, sizeof(struct json_member), compare_keys);
	for (size_t i = 0; i < tree->object.count; i++)
		json_sort_keys(tree->object.members[i].value);
}

const struct json_member *json_sorted_members(struct arena *a, const struct json *map,
					      size_t *ret_count)
{
	*ret_count = map && map->type == JSON_OBJECT ? json_count(map) : 0;
	if (!*ret_count)
		return NULL;
	struct json_member *sorted =
		arena_copy(a, map->object.members, *ret_count * sizeof(*sorted));
	qsort(sorted, *ret_count, sizeof(*sorted), compare_keys);
	return sorted;
}

struct str json_joined(struct arena *a, const struct json *list, const char *between)
{
	CLEANUP_BUF text = BUF_INIT(JOINED_BYTES_MAX);
	for (size_t i = 0; i < json_count(list); i++)
		buf_printf(&text, "%s%.*s", i ? between : "", STR_FMT(json_str(json_at(list, i))));
	return arena_str(a, buf_str(&text));
}

const struct json *json_controller(const struct json *object)
{
	const struct json *owners = json_path(object, "metadata.ownerReferences");
	for (size_t i = 0; i < json_count(owners); i++)
		if (json_is_true(json_get(json_at(owners, i), STR("controller"))))
			return json_at(owners, i);
	return NULL;
}

void object_drop_managed_fields(struct json *object)
{
	struct json *metadata = json_get(object, STR("metadata"));
	if (metadata && metadata->type == JSON_OBJECT)
		json_remove(metadata, STR("managedFields"));
}

struct json *object_list_new(struct arena *a)
{
	struct json *list = json_object(a), *metadata = json_object(a);
	json_set_str(a, metadata, STR("resourceVersion"), STR(""));
	json_set_str(a, list, STR("apiVersion"), STR("v1"));
	json_set(a, list, STR("items"), json_array(a));
	json_set_str(a, list, STR("kind"), STR("List"));
	json_set(a, list, STR("metadata"), metadata);
	return list;
}

void object_complete(struct arena *a, struct json *object, const struct api_kind *kind)
{
	if (!json_get(object, STR("kind")))
		json_set_str(a, object, STR("kind"), kind->kind);
	if (!json_get(object, STR("apiVersion")))
		json_set_str(a, object, STR("apiVersion"), kind->api_version);
}

enum rc object_print(struct json *tree, enum output_form form, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_OUTPUT_BYTES_MAX);
	json_sort_keys(tree);
	if (form == OUTPUT_YAML) {
		yaml_write(&text, tree);
	} else {
		json_write_indent(&text, tree, JSON_INDENT);
		buf_add_char(&text, '\n');
	}
	TRY(buf_check(&text, "the output", err));
	fwrite(text.data, 1, text.len, stdout);
	fflush(stdout);
	return RC_OK;
}

void object_print_name(struct arena *a, const struct api_kind *kind, struct str name)
{
	printf("%.*s/%.*s\n", STR_FMT(resource_type_label(a, kind)), STR_FMT(name));
	fflush(stdout);
}
