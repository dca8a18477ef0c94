#include "client/manifest.h"

#include "client/api_error.h"

#include "api/decode.h"
#include "codec/yaml.h"

struct str manifest_place(struct arena *a, const struct manifest_object *o)
{
	return arena_printf(a, "%s, document %zu (line %u)", o->file, o->document, o->line);
}

/* ---- the text ---- */

/* The parser's own line may be one less than the true one, so it is not shown beside it. */
static struct str without_line(struct str text)
{
	struct str word, rest = text, number;
	if (str_has_prefix(rest, STR("yaml: ")))
		rest = str_skip(rest, 6);
	if (!str_cut(rest, ':', &word, &number) || !str_has_prefix(word, STR("line ")))
		return rest;
	return str_trim(number);
}

static enum rc not_yaml(const char *file, struct str text, struct err *err)
{
	struct yaml_place place;
	struct err cause = *err;
	struct str why = without_line(str_of(cause.text));
	if (!yaml_find_error(text, &place))
		return err_set(err, cause.rc, "%s: %s", file, cause.text);
	return err_set(err, cause.rc,
		       "%s: line %u, column %u: this is neither YAML nor JSON: %.*s; "
		       "correct it there or just above",
		       file, place.line, place.column, STR_FMT(why));
}

/* Which document has the line. */
static size_t document_at(const struct yaml_document *documents, size_t count, uint32_t line)
{
	size_t at = 1;
	while (at < count && documents[at].line <= line)
		at++;
	return at;
}

static enum rc check_duplicates(const char *file, const struct yaml_document *documents,
				size_t count, const struct json_duplicates *duplicates,
				struct err *err)
{
	uint32_t second = yaml_second_document_line(duplicates);
	if (second)
		return err_set(err, RC_INVALID,
			       "%s: line %u: a second document begins here, but there is no '---' "
			       "before it; put a line '---' above line %u and between all other "
			       "documents",
			       file, second, second);
	if (duplicates->count == 0)
		return RC_OK;
	uint32_t line = duplicates->lines[0];
	return err_set(err, RC_INVALID,
		       "%s, document %zu: line %u: duplicate field \"%.*s\": it was given before; "
		       "remove one of the two",
		       file, document_at(documents, count, line), line,
		       STR_FMT(duplicates->paths[0]));
}

/* JSON is read as YAML too, for the lines; YAML_MAX_FLOW_LEVELS is its limit. */
static enum rc parse(struct arena *a, const char *file, struct str text,
		     struct yaml_document **ret_documents, size_t *ret_count, struct err *err)
{
	struct json_duplicates duplicates = {};
	if (yaml_parse(a, text, ret_documents, ret_count, &duplicates, err) != RC_OK)
		return not_yaml(file, text, err);
	return check_duplicates(file, *ret_documents, *ret_count, &duplicates, err);
}

/* ---- one object ---- */

static enum rc mistyped(struct arena *a, const struct manifest_object *o, struct err *err)
{
	struct err cause = *err;
	return err_set(err, cause.rc, "%.*s, %.*s \"%.*s\": %s; give a value of that type",
		       STR_FMT(manifest_place(a, o)), STR_FMT(o->kind->kind), STR_FMT(o->name),
		       cause.text);
}

static enum rc check_fields(struct arena *a, const struct manifest_object *o, struct err *err)
{
	struct unknown_fields unknown = {};
	struct json *normal;
	const struct api_type *type = api_type(api_builtin(), o->kind->type);
	if (api_normalise(a, type, o->tree, &unknown, &normal, err) != RC_OK)
		return mistyped(a, o, err);
	struct strict_faults faults = api_strict_faults(a, o->tree, NULL, &unknown, false);
	if (faults.count == 0)
		return RC_OK;
	return err_set(err, RC_INVALID,
		       "%.*s, %.*s \"%.*s\": %.*s; correct or remove what the API does not have",
		       STR_FMT(manifest_place(a, o)), STR_FMT(o->kind->kind), STR_FMT(o->name),
		       STR_FMT(api_strict_error(a, &faults)));
}

static enum rc check_identity(struct arena *a, const struct manifest_object *o,
			      struct str api_version, struct str kind, bool takes_generated,
			      struct err *err)
{
	bool has_name = o->name.len ||
			(takes_generated && json_path_str(o->tree, "metadata.generateName").len);
	struct str place = manifest_place(a, o);
	const char *lacks = !api_version.len ? "apiVersion"
			    : !kind.len	     ? "kind"
			    : !has_name	     ? "metadata.name"
					     : NULL;
	if (lacks)
		return err_set(err, RC_INVALID, "%.*s: %s is missing; every object needs it",
			       STR_FMT(place), lacks);
	if (!o->kind)
		return err_set(err, RC_NOT_FOUND,
			       "%.*s: no matches for kind \"%.*s\" in version \"%.*s\"; Kubernetes "
			       "v1.35 has no such kind there, correct one of them",
			       STR_FMT(place), STR_FMT(kind), STR_FMT(api_version));
	return RC_OK;
}

static bool is_list(const struct json *tree)
{
	const struct json *items = json_get(tree, STR("items"));
	return items && items->type == JSON_ARRAY &&
	       str_has_suffix(json_path_str(tree, "kind"), STR("List"));
}

static enum rc add_object(struct manifest *m, struct arena *a, struct manifest_object *o,
			  struct err *err)
{
	struct str api_version = json_path_str(o->tree, "apiVersion");
	struct str kind = json_path_str(o->tree, "kind");
	if (o->tree->type != JSON_OBJECT)
		return err_set(err, RC_INVALID,
			       "%.*s: an object with apiVersion and kind is expected, this is a %s",
			       STR_FMT(manifest_place(a, o)), json_type_name(o->tree));
	if (m->count == MANIFEST_OBJECTS_MAX)
		return err_set(err, RC_TOO_LARGE,
			       "%s: more than %d objects at once; split them over several runs",
			       o->file, MANIFEST_OBJECTS_MAX);
	o->name = json_path_str(o->tree, "metadata.name");
	o->namespace = json_path_str(o->tree, "metadata.namespace");
	o->kind = api_by_api_version(api_builtin(), api_version, kind);
	TRY(check_identity(a, o, api_version, kind, m->takes_generated, err));
	if (m->is_strict)
		TRY(check_fields(a, o, err));
	m->items = arena_grow(a, m->items, m->count, &m->cap, sizeof(*m->items));
	m->items[m->count++] = *o;
	return RC_OK;
}

static enum rc add_list(struct manifest *m, struct arena *a, const struct manifest_object *list,
			struct err *err)
{
	const struct json *items = json_get(list->tree, STR("items"));
	for (size_t i = 0; i < json_count(items); i++) {
		struct manifest_object item = *list;
		item.tree = json_at(items, i);
		if (is_list(item.tree))
			return err_set(err, RC_INVALID,
				       "%.*s: a list within a list; put its items into the outer "
				       "one",
				       STR_FMT(manifest_place(a, list)));
		TRY(add_object(m, a, &item, err));
	}
	return RC_OK;
}

enum rc manifest_add_text(struct manifest *m, struct arena *a, const char *file, struct str text,
			  struct err *err)
{
	struct yaml_document *documents;
	size_t count;
	TRY(parse(a, file, text, &documents, &count, err));
	for (size_t i = 0; i < count; i++) {
		struct manifest_object o = {.file = file,
					    .document = i + 1,
					    .line = documents[i].line,
					    .tree = documents[i].tree};
		if (o.tree->type == JSON_NULL) /* an empty document, or only comments */
			continue;
		TRY(is_list(o.tree) ? add_list(m, a, &o, err) : add_object(m, a, &o, err));
	}
	return RC_OK;
}

enum rc manifest_namespace(const struct manifest_object *o, struct str namespace, bool is_given,
			   struct str *ret_namespace, struct err *err)
{
	*ret_namespace = o->namespace.len ? o->namespace : namespace;
	if (!is_given || !o->kind->is_namespaced || !o->namespace.len ||
	    str_eq(o->namespace, namespace))
		return RC_OK;
	return err_set(err, RC_BAD_REQUEST,
		       "the namespace from the provided object \"%.*s\" does not match the "
		       "namespace \"%.*s\". You must pass '--namespace=%.*s' to perform this "
		       "operation.",
		       STR_FMT(o->namespace), STR_FMT(namespace), STR_FMT(o->namespace));
}

enum rc manifest_refused(const struct manifest_object *o, const char *what, struct err *err)
{
	struct err cause = *err;
	struct str head, rest;
	bool is_input = strcmp(o->file, "standard input") == 0;
	if (!api_error_cut(str_of(cause.text), &head, &rest))
		return cause.rc;
	return err_set(err, cause.rc, "%.*s): error when %s \"%s\": %.*s", STR_FMT(head), what,
		       is_input ? "STDIN" : o->file, STR_FMT(rest));
}
