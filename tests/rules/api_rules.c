/* api_rules: runs the rules of src/api on requests from standard input, one JSON document a line,
 * and answers with one line each; rules.py feeds it recorded requests and compares.
 *
 * {"op": "create", "group", "version", "plural", "namespace", "body", "uid"}
 * {"op": "update", …, "old", "body", "subresource"}
 * {"op": "strategic", "group", "version", "plural", "old", "patch"}
 * {"op": "row", "group", "version", "plural", "body"}
 * Answer: {"body": tree} or {"errors": [{"field", "reason", "message"}]} or {"error": text}. */
#include <stdio.h>
#include <time.h>

#include "api/convert.h"
#include "api/decode.h"
#include "api/defaults.h"
#include "api/field_error.h"
#include "api/print.h"
#include "api/strategic.h"
#include "api/validate.h"
#include "api/view.h"

#define LINE_MAX_BYTES (8u << 20)
#define NOW_US	       1767225600000000 /* 2026-01-01 */

static const struct api_kind *kind_of(const struct json *request)
{
	return api_by_resource(api_builtin(), json_path_str(request, "group"),
			       json_path_str(request, "version"), json_path_str(request, "plural"));
}

static const struct api_kind *stored_kind(const struct api_kind *kind)
{
	const struct api_kind *stored = api_by_stored(api_builtin(), kind->stored_id);
	return stored ? stored : kind;
}

/* NULL with err set when the document can not be of this kind. */
static struct json *normalised(struct arena *a, const struct api_kind *kind,
			       const struct json *tree, struct err *err)
{
	struct json *result = NULL;
	const struct api_type *type = api_type(api_builtin(), kind->type);
	return api_normalise(a, type, tree, NULL, &result, err) == RC_OK ? result : NULL;
}

static struct json *error_answer(struct arena *a, const struct err *err)
{
	struct json *answer = json_object(a);
	json_set(a, answer, STR("error"), json_printf(a, "%s", err->text));
	return answer;
}

static struct json *errors_answer(struct arena *a, const struct field_errors *list)
{
	struct json *answer = json_object(a), *items = json_array(a);
	for (size_t i = 0; i < list->count; i++) {
		CLEANUP_BUF text = BUF_INIT(LINE_MAX_BYTES);
		struct json *item = json_object(a);
		field_error_write_body(&text, &list->items[i]);
		json_set_str(a, item, STR("reason"),
			     str_of(field_error_reason(list->items[i].type)));
		json_set_str(a, item, STR("message"), arena_str(a, buf_str(&text)));
		json_set_str(a, item, STR("field"), list->items[i].path);
		json_append(a, items, item);
	}
	json_set(a, answer, STR("errors"), items);
	return answer;
}

static struct json *body_answer(struct arena *a, const struct api_kind *kind, struct json *tree)
{
	struct json *answer = json_object(a);
	struct err err;
	struct json *shown = convert_tree(a, stored_kind(kind), kind, tree);
	json_set(a, answer, STR("body"), normalised(a, kind, shown, &err));
	return answer;
}

static void system_fields(struct arena *a, const struct json *request, struct json *tree)
{
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	struct str namespace = json_path_str(request, "namespace");
	if (namespace.len > 0)
		json_set_str(a, metadata, STR("namespace"), namespace);
	if (json_path_str(metadata, "name").len == 0 &&
	    json_path_str(metadata, "generateName").len > 0)
		json_set(a, metadata, STR("name"),
			 json_printf(a, "%.*sabcde",
				     STR_FMT(json_path_str(metadata, "generateName"))));
	json_set_str(a, metadata, STR("uid"), STR("00000000-0000-0000-0000-0000000000ff"));
	json_set_str(a, metadata, STR("creationTimestamp"), STR("2026-01-01T00:00:00Z"));
	json_remove(metadata, STR("deletionTimestamp"));
	json_remove(metadata, STR("deletionGracePeriodSeconds"));
	json_remove(metadata, STR("selfLink"));
}

/* The body in the stored version, with defaults; NULL with err set. */
static struct json *stored_body(struct arena *a, const struct api_kind *kind,
				const struct json *request, struct err *err)
{
	struct json *tree = normalised(a, kind, json_path(request, "body"), err);
	if (!tree)
		return NULL;
	api_default(a, kind, tree);
	return convert_tree(a, kind, stored_kind(kind), tree);
}

static struct json *do_create(struct arena *a, const struct json *request)
{
	const struct api_kind *kind = kind_of(request), *stored = stored_kind(kind);
	struct field_errors errors = {.arena = a};
	struct err err;
	struct json *tree = stored_body(a, kind, request, &err);
	if (!tree)
		return error_answer(a, &err);
	system_fields(a, request, tree);
	api_prepare_create(a, stored, tree, NOW_US);
	tree = normalised(a, stored, tree, &err);
	if (!tree)
		return error_answer(a, &err);
	api_validate_create(kind, tree, &errors);
	return errors.count ? errors_answer(a, &errors) : body_answer(a, kind, tree);
}

static struct json *do_update(struct arena *a, const struct json *request)
{
	const struct api_kind *kind = kind_of(request), *stored = stored_kind(kind);
	struct field_errors errors = {.arena = a};
	struct err err;
	struct json *tree = stored_body(a, kind, request, &err);
	struct json *old = convert_tree(a, kind, stored, json_path(request, "old"));
	const char *subresource = arena_cstr(a, json_path_str(request, "subresource"));
	if (!tree)
		return error_answer(a, &err);
	api_prepare_update(a, stored, old, tree, subresource, NOW_US);
	tree = normalised(a, stored, tree, &err);
	if (!tree)
		return error_answer(a, &err);
	api_validate_update(kind, old, tree, subresource, &errors);
	return errors.count ? errors_answer(a, &errors) : body_answer(a, kind, tree);
}

static struct json *do_strategic(struct arena *a, const struct json *request)
{
	const struct api_kind *kind = kind_of(request);
	struct field_errors errors = {.arena = a};
	struct json *tree = NULL, *answer = json_object(a);
	struct err err;
	enum rc rc = strategic_merge(a, api_type(api_builtin(), kind->type),
				     json_path(request, "old"), json_path(request, "patch"), &tree,
				     &errors, &err);
	if (rc == RC_INVALID)
		return errors_answer(a, &errors);
	if (rc != RC_OK) {
		answer = error_answer(a, &err);
		json_set(a, answer, STR("code"), json_int(a, rc_status(rc)));
		return answer;
	}
	json_set(a, answer, STR("body"), tree);
	return answer;
}

static struct json *do_row(struct arena *a, const struct json *request)
{
	const struct api_kind *kind = kind_of(request), *stored = stored_kind(kind);
	struct json *tree = convert_tree(a, kind, stored, json_path(request, "body"));
	struct json *cells = NULL, *answer = json_object(a);
	struct err err;
	CLEANUP_BUF text = BUF_INIT(LINE_MAX_BYTES);
	const void *view = view_from_tree(a, api_type(api_builtin(), stored->type), tree);
	api_print_cells(&text, kind, view, NOW_US);
	if (json_parse(a, arena_str(a, buf_str(&text)), &cells, NULL, &err) != RC_OK)
		return error_answer(a, &err);
	json_set(a, answer, STR("cells"), cells);
	return answer;
}

static const struct {
	const char *name;
	struct json *(*run)(struct arena *a, const struct json *request);
} operations[] = {
	{"create", do_create},
	{"update", do_update},
	{"strategic", do_strategic},
	{"row", do_row},
};

static struct json *answer(struct arena *a, const struct json *request)
{
	struct err err = {};
	if (!kind_of(request)) {
		(void)err_set(&err, RC_NOT_FOUND, "no such resource");
		return error_answer(a, &err);
	}
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (str_is(json_path_str(request, "op"), operations[i].name))
			return operations[i].run(a, request);
	(void)err_set(&err, RC_BAD_REQUEST, "no such op");
	return error_answer(a, &err);
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	while ((len = getline(&line, &cap, stdin)) > 0) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(LINE_MAX_BYTES);
		struct json *request = NULL;
		struct err err;
		if (json_parse(&a, str_n(line, (size_t)len), &request, NULL, &err) != RC_OK)
			json_write(&out, error_answer(&a, &err));
		else
			json_write(&out, answer(&a, request));
		buf_add_char(&out, '\n');
		fwrite(out.data, 1, out.len, stdout);
		fflush(stdout);
	}
	free(line);
	return 0;
}
