/* object_output: objects as kubectl prints them with -o yaml, json and name: keys sorted,
 * managedFields left out unless asked for.  Output goes to standard output. */
#ifndef SKEG_CLIENT_OBJECT_OUTPUT_H
#define SKEG_CLIENT_OBJECT_OUTPUT_H

#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"

#define OBJECT_OUTPUT_BYTES_MAX (256u << 20)

enum output_form {
	OUTPUT_TABLE,
	OUTPUT_WIDE,
	OUTPUT_YAML,
	OUTPUT_JSON,
	OUTPUT_NAME,
	OUTPUT_JSONPATH,
	OUTPUT_COLUMNS,
};

void json_sort_keys(struct json *tree); /* in place, at all levels */
/* A copy of an object's own members in the order of their keys; NULL and 0 of anything else. */
const struct json_member *json_sorted_members(struct arena *a, const struct json *map,
					      size_t *ret_count);
/* "a,b,c" of a list of texts. */
[[nodiscard]] struct str json_joined(struct arena *a, const struct json *list, const char *between);
/* The owner that controls an object; NULL when there is none. */
const struct json *json_controller(const struct json *object);
void object_drop_managed_fields(struct json *object);
/* {"apiVersion":"v1","kind":"List","items":[],"metadata":{"resourceVersion":""}} */
[[nodiscard]] struct json *object_list_new(struct arena *a);
/* The items of a list lack their kind and version; gives them both. */
void object_complete(struct arena *a, struct json *object, const struct api_kind *kind);

/* form: OUTPUT_YAML or OUTPUT_JSON; sorts the tree. */
[[nodiscard]] enum rc object_print(struct json *tree, enum output_form form, struct err *err);
/* "deployment.apps/web" */
void object_print_name(struct arena *a, const struct api_kind *kind, struct str name);

#endif
