/* From types of the API tables to schemas. */
#include "codec/json.h"
#include "server/openapi-int.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."
#define CRD  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

static const struct {
	const char *name, *description, *format;
	const char *types[2]; /* two: either of them, in version 2 the text of both */
} leaves[LEAF_COUNT] = {
	[LEAF_JSON] = {CRD "JSON", "Any JSON value.", NULL, {}},
	[LEAF_SCHEMA_OR_ARRAY] = {CRD "JSONSchemaPropsOrArray",
				  "A schema, or a list of schemas.",
				  NULL,
				  {}},
	[LEAF_SCHEMA_OR_BOOL] = {CRD "JSONSchemaPropsOrBool",
				 "A schema, or true or false.",
				 NULL,
				 {}},
	[LEAF_SCHEMA_OR_STRINGS] = {CRD "JSONSchemaPropsOrStringArray",
				    "A schema, or a list of strings.",
				    NULL,
				    {}},
	[LEAF_QUANTITY] = {"io.k8s.apimachinery.pkg.api.resource.Quantity",
			   "A number with a unit, for example 100m, 1.5 or 64Mi.",
			   NULL,
			   {"string", "number"}},
	[LEAF_DURATION] = {META "Duration",
			   "A span of time, for example 1h30m or 500ms.",
			   NULL,
			   {"string"}},
	[LEAF_FIELDS_V1] = {META "FieldsV1",
			    "A set of fields, as a tree of their names.",
			    NULL,
			    {"object"}},
	[LEAF_MICRO_TIME] = {META "MicroTime",
			     "A time of RFC 3339 with microseconds.",
			     "date-time",
			     {"string"}},
	[LEAF_PATCH] = {META "Patch",
			"A change of an object; its form depends on the media type.",
			NULL,
			{"object"}},
	[LEAF_TIME] = {META "Time", "A time of RFC 3339.", "date-time", {"string"}},
	[LEAF_RAW_EXTENSION] = {"io.k8s.apimachinery.pkg.runtime.RawExtension",
				"Any object.",
				NULL,
				{"object"}},
	[LEAF_INT_OR_STRING] = {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
				"An integer or a string.",
				"int-or-string",
				{"integer", "string"}},
	[LEAF_VERSION_INFO] = {"io.k8s.apimachinery.pkg.version.Info",
			       "The version of a server.",
			       NULL,
			       {"object"}},
};

/* Of LEAF_VERSION_INFO, which no table has; the first REQUIRED are always there. */
static const char *const version_fields[] = {
	"major",
	"minor",
	"gitVersion",
	"gitCommit",
	"gitTreeState",
	"buildDate",
	"goVersion",
	"compiler",
	"platform",
	"emulationMajor",
	"emulationMinor",
	"minCompatibilityMajor",
	"minCompatibilityMinor",
};
#define VERSION_FIELDS_REQUIRED 9

static void string_list(struct buf *out, const char *key, struct str words)
{
	openapi_open(out, key, '[');
	while (words.at) {
		struct str word;
		str_cut(words, ',', &word, &words);
		openapi_string(out, NULL, word);
	}
	openapi_close(out, ']');
}

/* ---- references ---- */

static void write_ref(struct openapi *o, struct str name)
{
	openapi_key(o->out, STR("$ref"));
	buf_add_char(o->out, '"');
	buf_add_cstr(o->out, o->dialect->schemas);
	buf_add_str(o->out, name);
	buf_add_char(o->out, '"');
}

void openapi_ref_type(struct openapi *o, int32_t type)
{
	const struct api_type *t = api_type(o->api, type);
	if (o->marks[type] == TYPE_UNUSED)
		o->marks[type] = TYPE_USED;
	write_ref(o, t->openapi);
}

void openapi_ref_leaf(struct openapi *o, enum leaf leaf)
{
	o->is_leaf_used[leaf] = true;
	write_ref(o, str_of(leaves[leaf].name));
}

/* ---- one value ---- */

/* A form without type refers to a leaf. */
static const struct {
	const char *type, *format, *zero;
	enum leaf leaf;
} forms[] = {
	[FORM_BOOL] = {"boolean", NULL, "false", 0},
	[FORM_INT32] = {"integer", "int32", "0", 0},
	[FORM_INT64] = {"integer", "int64", "0", 0},
	[FORM_DOUBLE] = {"number", "double", "0", 0},
	[FORM_STRING] = {"string", NULL, "\"\"", 0},
	[FORM_BYTES] = {"string", "byte", NULL, 0},
	[FORM_TIME] = {NULL, NULL, NULL, LEAF_TIME},
	[FORM_MICRO_TIME] = {NULL, NULL, NULL, LEAF_MICRO_TIME},
	[FORM_DURATION] = {NULL, NULL, NULL, LEAF_DURATION},
	[FORM_QUANTITY] = {NULL, NULL, NULL, LEAF_QUANTITY},
	[FORM_INT_OR_STRING] = {NULL, NULL, NULL, LEAF_INT_OR_STRING},
	[FORM_RAW] = {NULL, NULL, NULL, LEAF_RAW_EXTENSION},
	[FORM_STRUCT] = {NULL, NULL, "{}", 0},
	[FORM_SCHEMA_OR_BOOL] = {NULL, NULL, NULL, LEAF_SCHEMA_OR_BOOL},
	[FORM_SCHEMA_OR_ARRAY] = {NULL, NULL, NULL, LEAF_SCHEMA_OR_ARRAY},
	[FORM_SCHEMA_OR_STRINGS] = {NULL, NULL, NULL, LEAF_SCHEMA_OR_STRINGS},
};

static enum leaf leaf_of(const struct api_field *f)
{
	struct str go_type = f->element_go_type.len ? f->element_go_type : f->go_type;
	if (f->form == FORM_RAW && str_is(go_type, "v1.JSON"))
		return LEAF_JSON;
	if (f->form == FORM_RAW && str_is(go_type, "v1.FieldsV1"))
		return LEAF_FIELDS_V1;
	return forms[f->form].leaf;
}

static void value_ref(struct openapi *o, const struct api_field *f)
{
	if (f->form == FORM_STRUCT)
		openapi_ref_type(o, f->type);
	else
		openapi_ref_leaf(o, leaf_of(f));
}

/* A reference may have no neighbours in version 3, so it stands in allOf when it has any. */
static void write_value_ref(struct openapi *o, const struct api_field *f, bool is_alone)
{
	if (o->dialect->is_v2 || is_alone) {
		value_ref(o, f);
		return;
	}
	openapi_open(o->out, "allOf", '[');
	openapi_open(o->out, NULL, '{');
	value_ref(o, f);
	openapi_close(o->out, '}');
	openapi_close(o->out, ']');
}

static void write_scalar_type(struct openapi *o, const struct api_field *f)
{
	openapi_string(o->out, "type", str_of(forms[f->form].type));
	if (forms[f->form].format)
		openapi_string(o->out, "format", str_of(forms[f->form].format));
}

/* Version 2 has no defaults: upstream prunes them. */
static void write_default(struct openapi *o, struct str json)
{
	if (o->dialect->is_v2 || !json.len)
		return;
	openapi_key(o->out, STR("default"));
	buf_add_str(o->out, json);
}

/* An element of a list or map; its zero value is its default. */
static void write_element(struct openapi *o, const char *key, const struct api_field *f)
{
	openapi_open(o->out, key, '{');
	if (forms[f->form].type)
		write_scalar_type(o, f);
	write_default(o, str_of(forms[f->form].zero));
	if (!forms[f->form].type)
		write_value_ref(o, f, forms[f->form].zero == NULL);
	if (f->enum_values.at)
		string_list(o->out, "enum", f->enum_values);
	openapi_close(o->out, '}');
}

/* ---- one field ---- */

static void write_list(struct openapi *o, const struct api_field *f)
{
	static const char *const names[] = {"", "atomic", "set", "map"};
	openapi_string(o->out, "type", STR("array"));
	write_element(o, "items", f);
	if (f->list_keys.len)
		string_list(o->out, "x-kubernetes-list-map-keys", f->list_keys);
	if (f->list_type != LIST_NONE)
		openapi_string(o->out, "x-kubernetes-list-type", str_of(names[f->list_type]));
}

static void write_map(struct openapi *o, const struct api_field *f)
{
	openapi_string(o->out, "type", STR("object"));
	if (f->shape == SHAPE_MAP) {
		write_element(o, "additionalProperties", f);
	} else {
		openapi_open(o->out, "additionalProperties", '{');
		openapi_string(o->out, "type", STR("array"));
		write_element(o, "items", f);
		openapi_close(o->out, '}');
	}
	if (f->flags & (FIELD_MAP_ATOMIC | FIELD_MAP_GRANULAR))
		openapi_string(o->out, "x-kubernetes-map-type",
			       f->flags & FIELD_MAP_ATOMIC ? STR("atomic") : STR("granular"));
}

/* Its default: a declared one, or the zero value of what is always written. */
static struct str default_of(const struct api_field *f)
{
	if (f->flags & FIELD_HAS_DEFAULT)
		return f->default_json;
	if (f->flags & FIELD_POINTER)
		return (struct str){};
	if (f->form != FORM_STRUCT && f->flags & FIELD_OMIT_EMPTY)
		return (struct str){};
	return str_of(forms[f->form].zero);
}

/* The type of a struct says whether it is atomic; a field says so only when it differs. */
static void write_map_type(struct openapi *o, const struct api_field *f)
{
	bool is_type_atomic = api_type(o->api, f->type)->is_atomic;
	bool is_atomic = f->flags & FIELD_MAP_ATOMIC;
	if (is_atomic != is_type_atomic)
		openapi_string(o->out, "x-kubernetes-map-type",
			       is_atomic ? STR("atomic") : STR("granular"));
}

/* Upstream has no description of the fields of a CustomResourceDefinition's schema but for a few,
 * nor of the paths of an Ingress's rule, so that a reference there stands alone. */
static bool is_bare(const struct api_type *t, const struct api_field *f)
{
	bool is_schema = str_is(t->name, "JSONSchemaProps") && !str_is(f->name, "default");
	bool is_rule = str_is(t->name, "IngressRule") && str_is(f->name, "http");
	return f->shape == SHAPE_ONE && !forms[f->form].type && (is_schema || is_rule);
}

static void write_one(struct openapi *o, const struct api_type *t, const struct api_field *f)
{
	bool is_scalar = forms[f->form].type != NULL;
	struct str value = default_of(f);
	if (is_scalar)
		write_scalar_type(o, f);
	write_default(o, value);
	if (!is_scalar)
		write_value_ref(o, f, is_bare(t, f) && !value.len);
	if (f->enum_values.at)
		string_list(o->out, "enum", f->enum_values);
	if (f->form == FORM_STRUCT)
		write_map_type(o, f);
}

static void write_patch_strategy(struct buf *out, const struct api_field *f)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} rows[] = {
		{FIELD_PATCH_MERGE, "merge"},
		{FIELD_PATCH_REPLACE, "replace"},
		{FIELD_PATCH_RETAIN_KEYS, "retainKeys"},
	};
	if (f->merge_key.len)
		openapi_string(out, "x-kubernetes-patch-merge-key", f->merge_key);
	bool is_first = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!(f->flags & rows[i].flag))
			continue;
		buf_add_cstr(out, is_first ? ",\"x-kubernetes-patch-strategy\":\"" : ",");
		buf_add_cstr(out, rows[i].name);
		is_first = false;
	}
	if (!is_first)
		buf_add_char(out, '"');
}

static void write_field(struct openapi *o, const struct api_type *t, const struct api_field *f)
{
	openapi_key(o->out, f->name);
	buf_add_char(o->out, '{');
	if (!is_bare(t, f))
		openapi_describe_field(o->out, t->name, f->name);
	if (f->shape == SHAPE_ONE)
		write_one(o, t, f);
	else if (f->shape == SHAPE_LIST)
		write_list(o, f);
	else
		write_map(o, f);
	write_patch_strategy(o->out, f);
	openapi_close(o->out, '}');
}

/* ---- one type ---- */

static void write_required(struct buf *out, const struct api_type *t)
{
	bool is_open = false;
	for (uint32_t i = 0; i < t->field_count; i++) {
		const struct api_field *f = &t->fields[i];
		if (!(f->flags & FIELD_REQUIRED) || !f->name.len)
			continue;
		if (!is_open)
			openapi_open(out, "required", '[');
		is_open = true;
		openapi_string(out, NULL, f->name);
	}
	if (is_open)
		openapi_close(out, ']');
}

static void write_unions(struct buf *out, const struct api_type *t)
{
	struct str members = t->union_members;
	if (!t->union_by.len)
		return;
	openapi_open(out, "x-kubernetes-unions", '[');
	openapi_open(out, NULL, '{');
	openapi_string(out, "discriminator", t->union_by);
	openapi_open(out, "fields-to-discriminateBy", '{');
	while (members.at) {
		struct str member, field, value;
		str_cut(members, ',', &member, &members);
		str_cut(member, ':', &field, &value);
		openapi_key(out, field);
		json_write_string(out, value);
	}
	buf_add_cstr(out, "}}]");
}

static void write_type(struct openapi *o, int32_t type)
{
	const struct api_type *t = api_type(o->api, type);
	openapi_key(o->out, t->openapi);
	buf_add_char(o->out, '{');
	openapi_describe_type(o->out, t);
	openapi_string(o->out, "type", STR("object"));
	write_required(o->out, t);
	if (t->field_count) {
		openapi_open(o->out, "properties", '{');
		for (uint32_t i = 0; i < t->field_count; i++)
			if (t->fields[i].name.len)
				write_field(o, t, &t->fields[i]);
		openapi_close(o->out, '}');
	}
	openapi_write_kinds(o, type);
	if (t->is_atomic)
		openapi_string(o->out, "x-kubernetes-map-type", STR("atomic"));
	write_unions(o->out, t);
	openapi_close(o->out, '}');
}

static void write_version_info(struct openapi *o)
{
	openapi_open(o->out, "required", '[');
	for (size_t i = 0; i < VERSION_FIELDS_REQUIRED; i++)
		openapi_string(o->out, NULL, str_of(version_fields[i]));
	openapi_close(o->out, ']');
	openapi_open(o->out, "properties", '{');
	for (size_t i = 0; i < ARRAY_LEN(version_fields); i++) {
		openapi_open(o->out, version_fields[i], '{');
		openapi_describe_field(o->out, STR("Info"), str_of(version_fields[i]));
		openapi_string(o->out, "type", STR("string"));
		if (i < VERSION_FIELDS_REQUIRED)
			write_default(o, STR("\"\""));
		openapi_close(o->out, '}');
	}
	openapi_close(o->out, '}');
}

static void write_leaf_type(struct openapi *o, const char *const types[2])
{
	if (!types[0])
		return;
	if (!types[1] || o->dialect->is_v2) {
		openapi_string(o->out, "type", str_of(types[1] ? "string" : types[0]));
		return;
	}
	openapi_open(o->out, "oneOf", '[');
	for (size_t i = 0; i < 2; i++) {
		openapi_open(o->out, NULL, '{');
		openapi_string(o->out, "type", str_of(types[i]));
		openapi_close(o->out, '}');
	}
	openapi_close(o->out, ']');
}

static void write_leaf(struct openapi *o, enum leaf leaf)
{
	openapi_open(o->out, leaves[leaf].name, '{');
	openapi_string(o->out, "description", str_of(leaves[leaf].description));
	write_leaf_type(o, leaves[leaf].types);
	if (leaves[leaf].format)
		openapi_string(o->out, "format", str_of(leaves[leaf].format));
	if (leaf == LEAF_VERSION_INFO)
		write_version_info(o);
	openapi_close(o->out, '}');
}

/* Writing a type marks those it refers to, some of them before it in the list: until all marked
 * ones are written. */
void openapi_write_schemas(struct openapi *o)
{
	bool is_done = false;
	while (!is_done) {
		is_done = true;
		for (uint32_t i = 0; i < o->api->type_count; i++) {
			if (o->marks[i] != TYPE_USED)
				continue;
			o->marks[i] = TYPE_WRITTEN;
			write_type(o, (int32_t)i);
			is_done = false;
		}
	}
	for (enum leaf leaf = 0; leaf < LEAF_COUNT; leaf++)
		if (o->is_leaf_used[leaf])
			write_leaf(o, leaf);
}
