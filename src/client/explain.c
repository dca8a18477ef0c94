/* skeg explain: the fields of a type, from the OpenAPI document that the server has of its group
 * and version.  Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/ (OpenAPI V3).
 */
#include <stdio.h>

#include "client/object_output.h"
#include "client/resource_types.h"
#include "client/text_wrap.h"
#include "client/verb.h"
#include "client/verbs.h"

#define TEXT_BYTES_MAX	 (64u << 20)
#define SCHEMA_DEPTH_MAX 64
#define PATH_WORDS_MAX	 64
#define WIDTH		 80 /* of a line, its indentation included */
#define ENUM_SHORT_MAX	 4  /* values that a list of fields shows */

struct explain_options {
	struct client_options client;
	const char *api_version, *output;
	bool is_recursive;
};

struct explain {
	struct arena *arena;
	const struct json *schemas;
	bool is_recursive;
	struct buf out;
};

/* The references that lead to a schema: one of them again would go on for ever. */
struct trail {
	const struct trail *before;
	struct str ref;
	int depth;
};

static bool has_walked(const struct trail *t, struct str ref)
{
	for (; t && ref.len; t = t->before)
		if (str_eq(t->ref, ref))
			return true;
	return false;
}

static bool is_deep(const struct trail *t)
{
	return t && t->depth >= SCHEMA_DEPTH_MAX;
}

static struct trail walk(const struct trail *t, const struct json *schema)
{
	return (struct trail){t, json_path_str(schema, "$ref"), t ? t->depth + 1 : 1};
}

/* "#/components/schemas/io.k8s.api.apps.v1.Deployment" without what is before the last '/'. */
static const struct json *resolve(const struct explain *e, const struct json *schema)
{
	struct str head, name;
	str_cut_last(json_path_str(schema, "$ref"), '/', &head, &name);
	const struct json *found = name.len ? json_get(e->schemas, name) : NULL;
	return found ? found : schema;
}

/* The schema of a map's values; NULL where any value will do. */
static const struct json *values_of(const struct json *schema)
{
	const struct json *values = json_get(schema, STR("additionalProperties"));
	return values && values->type == JSON_OBJECT ? values : NULL;
}

/* ---- types ---- */

static struct str type_name(const struct explain *e, const struct json *schema, int depth)
{
	const struct json *items = json_get(schema, STR("items")), *values = values_of(schema);
	const struct json *all = json_get(schema, STR("allOf"));
	struct str ref = json_path_str(schema, "$ref"), head, name = json_path_str(schema, "type");
	if (depth == SCHEMA_DEPTH_MAX)
		return STR("Object");
	if (items)
		return arena_printf(e->arena, "[]%.*s", STR_FMT(type_name(e, items, depth + 1)));
	if (values)
		return arena_printf(e->arena, "map[string]%.*s",
				    STR_FMT(type_name(e, values, depth + 1)));
	if (json_count(all) == 1 && !json_get(schema, STR("properties")))
		return type_name(e, json_at(all, 0), depth + 1);
	if (ref.len) {
		name = json_path_str(resolve(e, schema), "type");
		if (!name.len || str_is(name, "object"))
			str_cut_last(ref, '.', &head, &name);
	}
	return !name.len || str_is(name, "object") ? STR("Object") : name;
}

static void add_enum(struct explain *e, const struct json *schema, bool is_long, size_t indent)
{
	const struct json *values = json_get(schema, STR("enum"));
	size_t count = json_count(values);
	if (count == 0)
		return;
	if (is_long)
		buf_add_cstr(&e->out, "ENUM:");
	else
		buf_printf(&e->out, "\n%*senum: ", (int)indent, "");
	for (size_t i = 0; i < count; i++) {
		const struct json *value = json_at(values, i);
		if (!is_long && i == ENUM_SHORT_MAX) {
			buf_add_cstr(&e->out, ", ....");
			break;
		}
		buf_add_cstr(&e->out, is_long ? "\n    " : i ? ", " : "");
		if (value->type == JSON_STRING && value->string.len)
			buf_add_str(&e->out, value->string);
		else
			json_write(&e->out, value);
	}
}

/* ---- prose ---- */

static void add_prose(struct explain *e, struct str text, size_t indent)
{
	CLEANUP_BUF wrapped = BUF_INIT(TEXT_BYTES_MAX);
	text_wrap(&wrapped, text, WIDTH - indent);
	text_indent(&e->out, buf_str(&wrapped), indent);
	buf_add_char(&e->out, '\n');
}

static void add_docs(struct explain *e, const struct json *docs, size_t indent)
{
	struct str text = json_path_str(docs, "description"), url = json_path_str(docs, "url");
	if (!docs)
		return;
	buf_printf(&e->out, "\n%*sEXTERNAL DOCS:\n", (int)indent, "");
	if (text.len)
		add_prose(e, text, indent + 4);
	if (url.len)
		buf_printf(&e->out, "%*sURL: %.*s\n", (int)indent + 4, "", STR_FMT(url));
}

/* What a schema says of itself, and what those say that it is made of. */
static void describe(const struct explain *e, const struct json *schema, struct buf *out, int depth)
{
	schema = resolve(e, schema);
	const struct json *all = json_get(schema, STR("allOf")),
			  *items = json_get(schema, STR("items")), *values = values_of(schema);
	struct str text = json_path_str(schema, "description");
	if (depth == SCHEMA_DEPTH_MAX)
		return;
	if (text.len)
		buf_printf(out, "%.*s\n", STR_FMT(text));
	for (size_t i = 0; i < json_count(all); i++)
		describe(e, json_at(all, i), out, depth + 1);
	if (items)
		describe(e, items, out, depth + 1);
	if (values)
		describe(e, values, out, depth + 1);
}

/* ---- fields ---- */

static bool is_required(const struct json *schema, struct str name)
{
	return json_has_text(json_get(schema, STR("required")), name);
}

static void add_field(struct explain *e, const struct json *schema, const struct json_member *m,
		      size_t level)
{
	size_t indent = level * 2;
	struct str text = json_path_str(m->value, "description");
	buf_printf(&e->out, "%*s%.*s\t<%.*s>%s", (int)indent, "", STR_FMT(m->key),
		   STR_FMT(type_name(e, m->value, 0)),
		   is_required(schema, m->key) ? " -required-" : "");
	add_enum(e, m->value, false, indent);
	buf_add_char(&e->out, '\n');
	if (e->is_recursive)
		return;
	add_prose(e, text.len ? text : STR("<no description>"), indent + 2);
	add_docs(e, json_get(m->value, STR("externalDocs")), indent + 2);
	buf_add_char(&e->out, '\n');
}

static void add_fields(struct explain *e, const struct json *schema, const struct trail *before,
		       size_t level)
{
	const struct trail trail = walk(before, schema);
	if (has_walked(before, trail.ref) || is_deep(before))
		return;
	schema = resolve(e, schema);
	size_t count;
	const struct json_member *fields =
		json_sorted_members(e->arena, json_get(schema, STR("properties")), &count);
	const struct json *all = json_get(schema, STR("allOf")),
			  *items = json_get(schema, STR("items")), *values = values_of(schema);
	for (size_t i = 0; i < count; i++) {
		add_field(e, schema, &fields[i], level);
		if (e->is_recursive)
			add_fields(e, fields[i].value, &trail, level + 1);
	}
	for (size_t i = 0; i < json_count(all); i++)
		add_fields(e, json_at(all, i), &trail, level);
	if (items)
		add_fields(e, items, &trail, level);
	if (values)
		add_fields(e, values, &trail, level);
}

static void add_schema(struct explain *e, const struct json *schema)
{
	CLEANUP_BUF prose = BUF_INIT(TEXT_BYTES_MAX);
	describe(e, schema, &prose, 0);
	buf_add_cstr(&e->out, "DESCRIPTION:\n");
	add_prose(e, prose.len ? buf_str(&prose) : STR("<empty>"), 4);
	add_docs(e, json_get(schema, STR("externalDocs")), 0);
	size_t before = e->out.len;
	buf_add_cstr(&e->out, "FIELDS:\n");
	size_t heads = e->out.len;
	add_fields(e, schema, NULL, 1);
	if (e->out.len == heads)
		buf_cut(&e->out, before);
}

/* Follows the names of path from a schema on; false when there is no such field. */
static bool add_path(struct explain *e, const struct json *schema, const struct str *path,
		     size_t count, const struct trail *before)
{
	const struct trail trail = walk(before, schema);
	schema = resolve(e, schema);
	const struct json *all = json_get(schema, STR("allOf")),
			  *items = json_get(schema, STR("items")), *values = values_of(schema);
	if (count == 0) {
		add_schema(e, schema);
		return true;
	}
	if (has_walked(before, trail.ref) || is_deep(before))
		return false;
	const struct json *field = json_get(json_get(schema, STR("properties")), path[0]);
	if (field && count == 1) {
		buf_printf(&e->out, "FIELD: %.*s <%.*s>\n", STR_FMT(path[0]),
			   STR_FMT(type_name(e, field, 0)));
		add_enum(e, field, true, 0);
		buf_add_cstr(&e->out, "\n\n");
	}
	if (field)
		return add_path(e, field, path + 1, count - 1, NULL);
	if (items || values)
		return add_path(e, items ? items : values, path, count, &trail);
	for (size_t i = 0; i < json_count(all); i++)
		if (add_path(e, json_at(all, i), path, count, &trail))
			return true;
	return false;
}

/* ---- the document ---- */

static bool is_of_kind(const struct json *schema, const struct api_kind *kind)
{
	const struct json *list = json_get(schema, STR("x-kubernetes-group-version-kind"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *one = json_at(list, i);
		if (str_eq(json_path_str(one, "group"), kind->group) &&
		    str_eq(json_path_str(one, "version"), kind->version) &&
		    str_eq(json_path_str(one, "kind"), kind->kind))
			return true;
	}
	return false;
}

static enum rc read_schemas(struct verb *v, struct explain *e, const struct api_kind *kind,
			    const struct json **ret_schema, struct err *err)
{
	struct json *index, *document;
	struct str key = arena_printf(v->arena, "%s/%.*s", kind->group.len ? "apis" : "api",
				      STR_FMT(kind->api_version));
	TRY(api_client_get(&v->client, v->arena, STR("/openapi/v3"), &index, err));
	struct str url =
		json_path_str(json_get(json_get(index, STR("paths")), key), "serverRelativeURL");
	if (!url.len)
		return err_set(err, RC_NOT_FOUND, "couldn't find resource for \"%.*s, Kind=%.*s\"",
			       STR_FMT(kind->api_version), STR_FMT(kind->kind));
	TRY(api_client_get(&v->client, v->arena, url, &document, err));
	e->schemas = json_path(document, "components.schemas");
	for (size_t i = 0; i < json_count(e->schemas); i++) {
		*ret_schema = e->schemas->object.members[i].value;
		if (is_of_kind(*ret_schema, kind))
			return RC_OK;
	}
	return err_set(err, RC_NOT_FOUND, "GVK %.*s, Kind=%.*s not found in OpenAPI schema",
		       STR_FMT(kind->api_version), STR_FMT(kind->kind));
}

/* ---- what was asked for ---- */

/* The longest beginning of "ingresses.networking.k8s.io.spec.rules" that is a type, and the names
 * behind it. */
static enum rc find_type(struct str word, const struct api_kind **ret_kind, struct str *path,
			 size_t *ret_count, struct err *err)
{
	struct str parts[PATH_WORDS_MAX], rest = word;
	size_t count = 0, used = 0;
	while (rest.len && count < PATH_WORDS_MAX)
		str_cut(rest, '.', &parts[count++], &rest);
	if (rest.len)
		return err_set(err, RC_TOO_LARGE, "'%.*s' has more than %d names", STR_FMT(word),
			       PATH_WORDS_MAX);
	*ret_kind = NULL;
	for (size_t i = 1; i <= count; i++) {
		const char *end = parts[i - 1].at + parts[i - 1].len;
		const struct api_kind *kind =
			resource_type_find(str_n(word.at, (size_t)(end - word.at)));
		if (!kind)
			continue;
		*ret_kind = kind;
		used = i;
	}
	if (!*ret_kind)
		return err_set(err, RC_NOT_FOUND,
			       "the server doesn't have a resource type \"%.*s\"",
			       STR_FMT(count ? parts[0] : word));
	*ret_count = count - used;
	memcpy(path, parts + used, *ret_count * sizeof(*path));
	return RC_OK;
}

static enum rc other_version(const char *api_version, const struct api_kind **kind, struct err *err)
{
	if (!api_version)
		return RC_OK;
	const struct api_kind *found =
		api_by_api_version(api_builtin(), str_of(api_version), (*kind)->kind);
	if (!found)
		return err_set(err, RC_NOT_FOUND,
			       "couldn't find resource for \"%s, Resource=%.*s\"", api_version,
			       STR_FMT((*kind)->plural));
	*kind = found;
	return RC_OK;
}

static enum rc check(const struct verb *v, struct err *err)
{
	const struct explain_options *o = v->line->values;
	const struct text_list *words = &v->line->words;
	if (words->count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "You must specify the type of resource to explain. Use \"skeg "
			       "api-resources\" for a complete list of supported resources.");
	if (words->count > 1)
		return err_set(err, RC_BAD_REQUEST, "We accept only this format: explain RESOURCE");
	if (o->output && strcmp(o->output, "plaintext") != 0)
		return option_refused("output", o->output, "plaintext", err);
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct explain_options *o = v->line->values;
	struct explain e = {.arena = v->arena,
			    .is_recursive = o->is_recursive,
			    .out = BUF_INIT(TEXT_BYTES_MAX)};
	const struct api_kind *kind;
	const struct json *schema = NULL;
	struct str path[PATH_WORDS_MAX];
	size_t count = 0;
	TRY(check(v, err));
	TRY(find_type(str_of(v->line->words.at[0]), &kind, path, &count, err));
	TRY(other_version(o->api_version, &kind, err));
	TRY(read_schemas(v, &e, kind, &schema, err));
	if (kind->group.len)
		printf("GROUP:      %.*s\n", STR_FMT(kind->group));
	printf("KIND:       %.*s\nVERSION:    %.*s\n\n", STR_FMT(kind->kind),
	       STR_FMT(kind->version));
	bool is_found = add_path(&e, schema, path, count, NULL);
	enum rc rc = is_found ? buf_check(&e.out, "the explanation", err)
			      : err_set(err, RC_NOT_FOUND, "field \"%.*s\" does not exist",
					STR_FMT(path[count - 1]));
	if (rc == RC_OK)
		printf("%.*s\n", STR_FMT(buf_str(&e.out)));
	buf_done(&e.out);
	return rc;
}

#define AT(member) offsetof(struct explain_options, member)
static const struct option options[] = {
	{"recursive", 0, OPTION_FLAG, AT(is_recursive), NULL,
	 "the names and types of all fields below it"},
	{"api-version", 0, OPTION_TEXT, AT(api_version), "GROUP/VERSION",
	 "the type as this version has it (autoscaling/v1)"},
	{"output", 'o', OPTION_TEXT, AT(output), "plaintext", "the form of the text"},
	CLIENT_OPTIONS(struct explain_options, client),
};

const struct command command_explain = {
	.name = "explain",
	.arguments = "TYPE[.FIELD…]",
	.summary = "Tell what a type's fields mean",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct explain_options),
	VERB_RUN(body),
};
