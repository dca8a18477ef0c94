/* Schemas of a CustomResourceDefinition: what is not supported, and what makes them structural.
 * Source: upstream's apiextensions-apiserver, pkg/apis/apiextensions/validation and
 * pkg/apiserver/schema. */
#include "api/validate-cel.h"

#define SCHEMA_DEPTH_MAX 100 /* below it nothing is judged; documents nest less */
#define TYPES		 "array,boolean,integer,number,object,string"

enum level { LEVEL_ROOT, LEVEL_FIELD, LEVEL_ITEM };

static void check_schema(struct check *v, const struct path *at, const struct json *schema,
			 int depth);

/* A member that counts as set. */
static bool has(const struct json *schema, const char *name)
{
	const struct json *value = member_of(schema, str_of(name));
	return value && !(value->type == JSON_STRING && value->string.len == 0) &&
	       !(value->type == JSON_BOOL && !value->boolean);
}

static const char *type_of(const struct json *value)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	  [JSON_BOOL] = "boolean",  [JSON_INT] = "integer",
		[JSON_DOUBLE] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object"};
	return names[value->type];
}

static bool fits_type(const struct json *value, struct str type)
{
	return type.len == 0 || str_is(type, type_of(value)) ||
	       (str_is(type, "number") && value->type == JSON_INT);
}

static void refuse_type(struct check *v, const struct path *at, const struct json *value,
			struct str type, const char *name)
{
	const char *is = type_of(value);
	field_error_add(v->errors, FIELD_ERROR_TYPE_INVALID, path_text(v, at),
			json_cstring(v->arena, is), "%s in body must be of type %.*s: \"%s\"", name,
			STR_FMT(type), is);
}

/* A type that is none; a default cannot be of it either. */
static void check_type_word(struct check *v, const struct path *at, const struct json *schema)
{
	struct str type = TEXT(schema, "type");
	const struct json *value = GET(schema, "default");
	if (type.len == 0 || str_is(type, "null") || text_in(type, TYPES))
		return;
	if (value)
		refuse_type(v, MEMBER(at, "default"), value, type, "");
	unsupported(v, MEMBER(at, "type"), type, TYPES);
}

/* ---- what no schema may have ---- */

static const struct {
	const char *member, *text;
} unsupported_members[] = {
	{"id", "id is not supported"},
	{"additionalItems", "additionalItems is not supported"},
	{"patternProperties", "patternProperties is not supported"},
	{"definitions", "definitions is not supported"},
	{"dependencies", "dependencies is not supported"},
	{"$ref", "$ref is not supported"},
};

static void check_unsupported(struct check *v, const struct path *at, const struct json *schema)
{
	const struct json *items = GET(schema, "items");
	for (size_t i = 0; i < ARRAY_LEN(unsupported_members); i++)
		if (has(schema, unsupported_members[i].member))
			forbidden(v, MEMBER(at, unsupported_members[i].member), "%s",
				  unsupported_members[i].text);
	if (str_is(TEXT(schema, "type"), "null"))
		forbidden(v, MEMBER(at, "type"),
			  "type cannot be set to null, use nullable as an alternative");
	if (items && items->type == JSON_ARRAY)
		forbidden(v, MEMBER(at, "items"), "items must be a schema object and not an array");
	if (IS(schema, "uniqueItems"))
		forbidden(v, MEMBER(at, "uniqueItems"),
			  "uniqueItems cannot be set to true since the runtime complexity becomes "
			  "quadratic");
	if (has(schema, "additionalProperties") && COUNT(schema, "properties") > 0)
		forbidden(v, MEMBER(at, "additionalProperties"),
			  "additionalProperties and properties are mutual exclusive");
}

static void check_type_for(struct check *v, const struct path *at, const struct json *schema,
			   const char *type, const char *extension)
{
	struct str its = TEXT(schema, "type");
	if (its.len == 0)
		required(v, MEMBER(at, "type"), "must be %s if %s is specified", type, extension);
	else if (!str_is(its, type))
		bad_text(v, MEMBER(at, "type"), its, "must be %s if %s is specified", type,
			 extension);
}

/* A key must always be there, and be compared with ease. */
static void check_map_key(struct check *v, const struct path *at, const struct json *items,
			  struct str key)
{
	const struct json *property = json_get(GET(items, "properties"), key);
	const struct path *here = KEY(MEMBER(MEMBER(at, "items"), "properties"), key);
	struct str type = TEXT(property, "type");
	if (!GET(property, "default") && !json_has_text(GET(items, "required"), key))
		required(v, MEMBER(here, "default"),
			 "this property is in x-kubernetes-list-map-keys, so it must have a "
			 "default or be a required property");
	if (text_in(type, "array,object"))
		bad_text(v, MEMBER(here, "type"), type,
			 "must be a scalar type if parent array's x-kubernetes-list-type is map");
}

static void check_map_keys(struct check *v, const struct path *at, const struct json *schema)
{
	const struct json *keys = GET(schema, "x-kubernetes-list-map-keys");
	const struct json *items = GET(schema, "items");
	const struct path *keys_at = MEMBER(at, "x-kubernetes-list-map-keys");
	if (json_count(keys) == 0)
		required(v, keys_at, "must not be empty if x-kubernetes-list-type is map");
	if (!items) {
		required(v, MEMBER(at, "items"),
			 "must have a schema if x-kubernetes-list-type is map");
		return;
	}
	if (items->type == JSON_OBJECT && !str_is(TEXT(items, "type"), "object"))
		bad_text(v, MEMBER(MEMBER(at, "items"), "type"), TEXT(items, "type"),
			 "must be object if parent array's x-kubernetes-list-type is map");
	FOR_ITEMS(i, key, keys)
	{
		const struct json *property = json_get(GET(items, "properties"), json_str(key));
		if (property)
			check_map_key(v, at, items, json_str(key));
		if (!property)
			bad(v, keys_at, keys, "entries must all be names of item properties");
		else if (is_repeated(v, keys, i))
			bad_text(v, ITEM(keys_at, i), json_str(key),
				 "must not contain duplicate entries");
	}
}

/* Items of sets are compared as a whole. */
static void check_set_items(struct check *v, const struct path *at, const struct json *items)
{
	static const struct {
		const char *type, *extension;
	} rows[] = {{"object", "x-kubernetes-map-type"}, {"array", "x-kubernetes-list-type"}};
	if (IS(items, "nullable"))
		forbidden(v, MEMBER(at, "nullable"),
			  "cannot be nullable when x-kubernetes-list-type is set");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct json *its = member_of(items, str_of(rows[i].extension));
		if (str_is(TEXT(items, "type"), rows[i].type) && !str_is(json_str(its), "atomic"))
			bad(v, MEMBER(at, rows[i].extension), its ? its : json_null(v->arena),
			    "must be atomic as item of a list with x-kubernetes-list-type=set");
	}
}

static void check_list_type(struct check *v, const struct path *at, const struct json *schema)
{
	const struct json *type = GET(schema, "x-kubernetes-list-type");
	const struct path *type_at = MEMBER(at, "x-kubernetes-list-type");
	static const char needs_map[] = "must be map if x-kubernetes-list-map-keys is non-empty";
	if (type && !str_is(TEXT(schema, "type"), "array"))
		check_type_for(v, at, schema, "array", "x-kubernetes-list-type");
	else if (type)
		check_enum(v, type_at, json_str(type), "atomic,set,map");
	if (COUNT(schema, "x-kubernetes-list-map-keys") > 0 && !type)
		required(v, type_at, "%s", needs_map);
	else if (COUNT(schema, "x-kubernetes-list-map-keys") > 0 && !str_is(json_str(type), "map"))
		bad(v, type_at, type, "%s", needs_map);
	if (str_is(json_str(type), "map"))
		check_map_keys(v, at, schema);
	if (str_is(json_str(type), "set") && GET(schema, "items"))
		check_set_items(v, MEMBER(at, "items"), GET(schema, "items"));
}

static void check_children(struct check *v, const struct path *at, const struct json *schema,
			   int depth,
			   void (*check)(struct check *v, const struct path *at,
					 const struct json *schema, int depth))
{
	const struct json *properties = GET(schema, "properties"), *items = GET(schema, "items");
	const struct json *others = GET(schema, "additionalProperties");
	if (others && others->type == JSON_OBJECT)
		check(v, MEMBER(at, "additionalProperties"), others, depth + 1);
	for (size_t i = 0; i < json_count(properties); i++) {
		struct json_member m = properties->object.members[i];
		check(v, KEY(MEMBER(at, "properties"), m.key), m.value, depth + 1);
	}
	if (items && items->type == JSON_OBJECT)
		check(v, MEMBER(at, "items"), items, depth + 1);
}

static void check_schema(struct check *v, const struct path *at, const struct json *schema,
			 int depth)
{
	const struct json *preserve = GET(schema, "x-kubernetes-preserve-unknown-fields");
	const struct json *map_type = GET(schema, "x-kubernetes-map-type");
	if (depth > SCHEMA_DEPTH_MAX)
		return;
	check_unsupported(v, at, schema);
	check_type_word(v, at, schema);
	check_children(v, at, schema, depth, check_schema);
	if (preserve && !json_is_true(preserve))
		bad(v, MEMBER(at, "x-kubernetes-preserve-unknown-fields"), preserve,
		    "must be true or undefined");
	if (map_type && !str_is(TEXT(schema, "type"), "object"))
		check_type_for(v, at, schema, "object", "x-kubernetes-map-type");
	if (map_type)
		check_enum(v, MEMBER(at, "x-kubernetes-map-type"), json_str(map_type),
			   "atomic,granular");
	check_list_type(v, at, schema);
	check_rules_of_schema(v, MEMBER(at, "x-kubernetes-validations"), schema);
}

/* ---- structure ---- */

/* Parts of allOf and its like say what values may be, never what is there. */
static void check_logical(struct check *v, const struct path *at, const struct json *schema)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
	static const struct {
		const char *member, *text;
	} closed[] = {
		{"type", "must be empty to be structural"},
		{"title", "must be empty to be structural"},
		{"description", "must be empty to be structural"},
		{"default", "must be undefined to be structural"},
		{"additionalProperties", "must be undefined to be structural"},
		{"nullable", "must be false to be structural"},
		{"x-kubernetes-preserve-unknown-fields", "must be false to be structural"},
		{"x-kubernetes-embedded-resource", "must be false to be structural"},
		{"x-kubernetes-int-or-string", "must be false to be structural"},
		{"x-kubernetes-list-map-keys", "must be empty to be structural"},
		{"x-kubernetes-list-type", "must be undefined to be structural"},
		{"x-kubernetes-map-type", "must be undefined to be structural"},
	};
	if (IS(schema, "x-kubernetes-int-or-string"))
		return;
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, part, json_get(schema, str_of(lists[l])))
		{
			for (size_t c = 0; c < ARRAY_LEN(closed); c++)
				if (has(part, closed[c].member))
					forbidden(v,
						  MEMBER(ITEM(MEMBER(at, lists[l]), i),
							 closed[c].member),
						  "%s", closed[c].text);
		}
}

static void check_metadata(struct check *v, const struct path *at, const struct json *schema,
			   enum level level)
{
	const struct json *properties = GET(schema, "properties");
	const struct json *metadata = GET(properties, "metadata");
	const struct path *here = KEY(MEMBER(at, "properties"), STR("metadata"));
	static const char *const texts[] = {"kind", "apiVersion"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct json *text = member_of(properties, str_of(texts[i]));
		if (text && !str_is(TEXT(text, "type"), "string"))
			bad_text(v, MEMBER(KEY(MEMBER(at, "properties"), str_of(texts[i])), "type"),
				 TEXT(text, "type"), "must be string");
	}
	if (!metadata)
		return;
	if (!str_is(TEXT(metadata, "type"), "object"))
		bad_text(v, MEMBER(here, "type"), TEXT(metadata, "type"), "must be object");
	const struct json *own = GET(metadata, "properties");
	size_t names = (json_get(own, STR("name")) != NULL) +
		       (json_get(own, STR("generateName")) != NULL);
	size_t plain = (GET(metadata, "type") != NULL) + (own != NULL);
	if (level == LEVEL_ROOT && (json_count(own) > names || json_count(metadata) > plain))
		forbidden(v, here,
			  "must not specify anything other than name and generateName, but "
			  "metadata is implicitly specified");
}

static void check_level_type(struct check *v, const struct path *at, const struct json *schema,
			     enum level level)
{
	static const char *const where[] = {"at the root", "for specified object fields",
					    "for specified array items"};
	struct str type = TEXT(schema, "type");
	const struct path *here = MEMBER(at, "type");
	bool is_free = IS(schema, "x-kubernetes-int-or-string") ||
		       IS(schema, "x-kubernetes-preserve-unknown-fields");
	if (IS(schema, "x-kubernetes-embedded-resource") && !str_is(type, "object")) {
		static const char text[] =
			"must be object if x-kubernetes-embedded-resource is true";
		if (type.len == 0)
			required(v, here, "%s", text);
		else
			bad_text(v, here, type, "%s", text);
	} else if (type.len == 0 && !is_free) {
		required(v, here, "must not be empty %s", where[level]);
	}
	if (level == LEVEL_ROOT && type.len > 0 && !str_is(type, "object"))
		bad_text(v, here, type, "must be object at the root");
	if (str_is(type, "array") && !GET(schema, "items"))
		required(v, MEMBER(at, "items"), "must be specified");
}

static void check_extensions(struct check *v, const struct path *at, const struct json *schema)
{
	bool is_mixed = IS(schema, "x-kubernetes-int-or-string");
	bool is_embedded = IS(schema, "x-kubernetes-embedded-resource");
	bool keeps = IS(schema, "x-kubernetes-preserve-unknown-fields");
	if (is_mixed && keeps)
		bad(v, MEMBER(at, "x-kubernetes-preserve-unknown-fields"),
		    json_bool(v->arena, true),
		    "must be false if x-kubernetes-int-or-string is true");
	if (is_mixed && is_embedded)
		bad(v, MEMBER(at, "x-kubernetes-embedded-resource"), json_bool(v->arena, true),
		    "must be false if x-kubernetes-int-or-string is true");
	if (is_embedded && !keeps && COUNT(schema, "properties") == 0)
		required(v, MEMBER(at, "properties"),
			 "must not be empty if x-kubernetes-embedded-resource is true without "
			 "x-kubernetes-preserve-unknown-fields");
}

static void check_structure(struct check *v, const struct path *at, const struct json *schema,
			    enum level level, int depth)
{
	const struct json *properties = GET(schema, "properties"), *items = GET(schema, "items");
	const struct json *others = GET(schema, "additionalProperties");
	if (depth > SCHEMA_DEPTH_MAX)
		return;
	if (items && items->type == JSON_OBJECT)
		check_structure(v, MEMBER(at, "items"), items, LEVEL_ITEM, depth + 1);
	for (size_t i = 0; i < json_count(properties); i++) {
		struct json_member m = properties->object.members[i];
		check_structure(v, KEY(MEMBER(at, "properties"), m.key), m.value, LEVEL_FIELD,
				depth + 1);
	}
	if (others && others->type == JSON_OBJECT)
		check_structure(v, MEMBER(at, "additionalProperties"), others, LEVEL_FIELD,
				depth + 1);
	check_extensions(v, at, schema);
	check_logical(v, at, schema);
	check_level_type(v, at, schema, level);
	if (level == LEVEL_ROOT && has(schema, "additionalProperties"))
		forbidden(v, MEMBER(at, "additionalProperties"), "must not be used at the root");
	if (level == LEVEL_ROOT || IS(schema, "x-kubernetes-embedded-resource"))
		check_metadata(v, at, schema, level);
}

/* ---- defaults ---- */

static void number_text(const struct json *limit, struct buf *out)
{
	double number = json_f64(limit);
	if (number == (double)(int64_t)number)
		buf_printf(out, "%lld", (long long)number);
	else
		buf_printf(out, "%g", number);
}

static void check_bound(struct check *v, const struct path *at, const struct json *value,
			const struct json *limit, bool is_broken, const char *name,
			const char *words)
{
	CLEANUP_BUF text = BUF_INIT(64);
	if (!limit || !is_broken)
		return;
	number_text(limit, &text);
	bad(v, at, value, "%s in body should be %s %s", name, words, text.data);
}

static void check_listed(struct check *v, const struct path *at, const struct json *value,
			 const struct json *choices)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	if (!choices || value->type != JSON_STRING || json_has_text(choices, json_str(value)))
		return;
	FOR_ITEMS(i, choice, choices)
	{
		if (choice->type != JSON_STRING)
			return;
		buf_printf(&text, "%s%.*s", i ? "," : "", STR_FMT(json_str(choice)));
	}
	unsupported(v, at, json_str(value), text.data ? text.data : "");
}

static void check_needed(struct check *v, const struct path *at, const struct json *value,
			 const struct json *schema)
{
	FOR_ITEMS(i, name, GET(schema, "required"))
	{
		const struct json *property = json_get(GET(schema, "properties"), json_str(name));
		if (value->type == JSON_OBJECT && !json_get(value, json_str(name)) &&
		    !GET(property, "default"))
			required(v, MEMBER(at, arena_cstr(v->arena, json_str(name))), "%s", "");
	}
}

/* name: of the property below the default, or "". */
static void check_default_value(struct check *v, const struct path *at, const struct json *value,
				const struct json *schema, const char *name)
{
	struct str type = TEXT(schema, "type");
	const struct json *min = GET(schema, "minimum"), *max = GET(schema, "maximum");
	if (!fits_type(value, type)) {
		refuse_type(v, at, value, type, name);
		return;
	}
	if (value->type == JSON_INT || value->type == JSON_DOUBLE) {
		check_bound(v, at, value, max, max && json_f64(value) > json_f64(max), name,
			    "less than or equal to");
		check_bound(v, at, value, min, min && json_f64(value) < json_f64(min), name,
			    "greater than or equal to");
	}
	check_listed(v, at, value, GET(schema, "enum"));
	check_needed(v, at, value, schema);
	const struct json *longest = GET(schema, "maxLength"), *least = GET(schema, "minLength");
	if (value->type == JSON_STRING && longest &&
	    (int64_t)json_str(value).len > json_i64(longest))
		too_long(v, at, json_i64(longest));
	if (value->type == JSON_STRING && least && (int64_t)json_str(value).len < json_i64(least))
		bad(v, at, value, "%s in body should be at least %lld chars long", name,
		    (long long)json_i64(least));
	const struct json *properties = GET(schema, "properties");
	for (size_t i = 0; value->type == JSON_OBJECT && i < json_count(value); i++) {
		struct json_member m = value->object.members[i];
		const struct json *its = json_get(properties, m.key);
		const char *key = arena_cstr(v->arena, m.key);
		struct str below = arena_printf(v->arena, "%s%s%s", name, *name ? "." : "", key);
		if (its)
			check_default_value(v, MEMBER(at, key), m.value, its, below.at);
	}
}

/* Would pruning take something of the value? */
static bool has_unknown(const struct json *value, const struct json *schema, int depth)
{
	const struct json *properties = GET(schema, "properties");
	const struct json *others = GET(schema, "additionalProperties");
	if (depth > SCHEMA_DEPTH_MAX || IS(schema, "x-kubernetes-preserve-unknown-fields"))
		return false;
	for (size_t i = 0; value->type == JSON_ARRAY && i < json_count(value); i++)
		if (has_unknown(json_at(value, i), GET(schema, "items"), depth + 1))
			return true;
	for (size_t i = 0; value->type == JSON_OBJECT && i < json_count(value); i++) {
		struct json_member m = value->object.members[i];
		const struct json *its = json_get(properties, m.key);
		its = its ? its : others;
		if (!its || has_unknown(m.value, its, depth + 1))
			return true;
	}
	return false;
}

static void check_defaults(struct check *v, const struct path *at, const struct json *schema,
			   int depth)
{
	const struct json *value = GET(schema, "default");
	if (depth > SCHEMA_DEPTH_MAX)
		return;
	if (value && has_unknown(value, schema, 0))
		bad(v, MEMBER(at, "default"), value, "must not have unknown fields");
	else if (value)
		check_default_value(v, MEMBER(at, "default"), value, schema, "");
	check_children(v, at, schema, depth, check_defaults);
}

/* Is there something that has no structural form at all? */
static bool is_hopeless(const struct json *schema, int depth)
{
	const struct json *properties = GET(schema, "properties"), *items = GET(schema, "items");
	if (depth > SCHEMA_DEPTH_MAX || (items && items->type == JSON_ARRAY))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(unsupported_members); i++)
		if (has(schema, unsupported_members[i].member))
			return true;
	for (size_t i = 0; i < json_count(properties); i++)
		if (is_hopeless(properties->object.members[i].value, depth + 1))
			return true;
	return items && is_hopeless(items, depth + 1);
}

void check_root_schema(struct check *v, const struct path *at, const struct json *schema)
{
	size_t before = v->errors->count;
	if (IS(schema, "nullable"))
		forbidden(v, MEMBER(at, "nullable"), "nullable cannot be true at the root");
	check_schema(v, at, schema, 0);
	if (is_hopeless(schema, 0))
		return;
	check_structure(v, at, schema, LEVEL_ROOT, 0);
	if (v->errors->count == before)
		check_defaults(v, at, schema, 0);
	if (v->errors->count == before)
		check_schema_rules(v, at, schema);
}
