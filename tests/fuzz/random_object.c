#include "random_object.h"

/* ---- choices ---- */

void random_bytes(uint64_t seed, uint8_t *out, size_t size)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		out[i] = (uint8_t)(state >> 32);
	}
}

static size_t next_byte(struct random_source *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

size_t random_below(struct random_source *s, size_t limit)
{
	size_t number = next_byte(s);
	if (limit > 256)
		number = number << 8 | next_byte(s);
	return limit ? number % limit : 0;
}

const struct api_kind *random_kind(struct random_source *s)
{
	const struct api *api = api_builtin();
	return &api->kinds[random_below(s, api->kind_count + 256) % api->kind_count];
}

/* ---- scalars ---- */

static const char *const words[] = {
	"a",
	"web",
	"b-1",
	"example.com",
	"example.com/role",
	"",
	"UPPER",
	"10.0.0.1",
	"10.0.0.0/24",
	"fd00::1",
	"::/0",
	"25%",
	"1h30m",
	"* * * * *",
	"http",
	"/data",
	"../up",
	"system:nodes",
	"*",
	"TCP",
	"nginx:1.25",
	"registry.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	"v1",
	"Pod",
	"true",
	"null",
	"0x1F",
	"1e3",
	"- a: b",
	"two\nlines\n",
	" space ",
	"tab\there",
	"\u00fc\u2028\U0001f600",
	"quote\"back\\slash",
	"<&>",
	"$(VAR)",
	"a-very-long-name-of-more-than-sixty-three-characters-0123456789abcdef0123456789",
	"2026-01-01T00:00:00Z",
	"kubernetes.io/metadata.name",
	"#comment: x",
};

#define PLAIN_WORDS 3 /* at the beginning: good names of nearly everything */

static const int64_t numbers[] = {
	0,    1,     -1,    2,	   3,	       10,	    80,	     100,
	8080, 30000, 65535, 65536, 2147483647, -2147483648, 1000000, 86400,
};

static const char *const quantities[] = {
	"0",  "1",  "100m", "1Gi",  "1536Mi", "2k",   "-1", "1e6",
	"1n", "1u", "3Ei",  "999E", "500Mi",  "250m", "64", "1100",
};

static const char *const durations[] = {"0s", "1s", "1m30s", "24h0m0s", "1.5s", "100ms"};
static const char *const times[] = {
	"2026-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2038-01-19T03:14:08Z",
	"0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z",
};
static const char *const micro_times[] = {
	"2026-01-01T00:00:00.000000Z",
	"2026-01-01T00:00:00.123456Z",
	"1970-01-01T00:00:01.000001Z",
};
static const char *const base64[] = {"", "YQ==", "YWI=", "YWJj", "AAECAwQ=", "//79"};
static const double doubles[] = {0, 1.5, -2.25, 1e100, 3};

#define PICK(s, list) ((list)[random_below(s, ARRAY_LEN(list))])

static struct json *random_word(struct arena *a, struct random_source *s)
{
	bool is_plain = random_below(s, 4);
	return json_cstring(a, is_plain ? words[random_below(s, PLAIN_WORDS)] : PICK(s, words));
}

static struct json *random_enum(struct arena *a, struct random_source *s, struct str values)
{
	struct str value = {}, rest = values;
	for (size_t at = random_below(s, 8); rest.at && (at > 0 || !value.at); at--)
		str_cut(rest, ',', &value, &rest);
	return json_string(a, value.len ? value : STR("Unknown"));
}

static struct json *random_string(struct arena *a, struct random_source *s,
				  const struct api_field *field)
{
	if (field->enum_values.len && random_below(s, 8))
		return random_enum(a, s, field->enum_values);
	return random_word(a, s);
}

static struct json *random_raw(struct arena *a, struct random_source *s, bool is_object)
{
	struct json *tree = json_object(a);
	json_set(a, tree, STR("apiVersion"), json_cstring(a, "v1"));
	json_set(a, tree, STR("kind"), json_cstring(a, "ConfigMap"));
	if (is_object || random_below(s, 2))
		return tree;
	return random_below(s, 2) ? random_word(a, s) : json_int(a, PICK(s, numbers));
}

/* ---- structures ---- */

static struct json *random_struct(struct arena *a, struct random_source *s,
				  const struct api_type *type, size_t depth);

static bool is_full(const struct random_source *s, size_t depth)
{
	return s->values >= RANDOM_VALUES_MAX || depth >= RANDOM_DEPTH_MAX;
}

static struct json *random_strings(struct arena *a, struct random_source *s)
{
	struct json *list = json_array(a);
	for (size_t i = 1 + random_below(s, 2); i > 0; i--)
		json_append(a, list, random_word(a, s));
	return list;
}

static const struct api_type *schema_type(void)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->type_count; i++)
		if (str_is(api->types[i].name, "JSONSchemaProps"))
			return &api->types[i];
	return NULL;
}

/* A CustomResourceDefinition's schema, or what may stand in its place. */
static struct json *random_schema(struct arena *a, struct random_source *s,
				  const struct api_field *field, size_t depth)
{
	if (random_below(s, 3) == 0 && field->form == FORM_SCHEMA_OR_BOOL)
		return json_bool(a, random_below(s, 2));
	if (random_below(s, 3) == 0 && field->form == FORM_SCHEMA_OR_STRINGS)
		return random_strings(a, s);
	struct json *schema = random_struct(a, s, schema_type(), depth);
	if (random_below(s, 3) || field->form != FORM_SCHEMA_OR_ARRAY)
		return schema;
	struct json *list = json_array(a);
	json_append(a, list, schema);
	return list;
}

static struct json *random_value(struct arena *a, struct random_source *s,
				 const struct api_field *field, size_t depth)
{
	s->values++;
	switch ((enum field_form)field->form) {
	case FORM_BOOL:
		return json_bool(a, random_below(s, 2));
	case FORM_INT32:
	case FORM_INT64:
		return json_int(a, PICK(s, numbers));
	case FORM_DOUBLE:
		return json_double(a, PICK(s, doubles));
	case FORM_STRING:
		return random_string(a, s, field);
	case FORM_BYTES:
		return json_cstring(a, PICK(s, base64));
	case FORM_TIME:
		return json_cstring(a, PICK(s, times));
	case FORM_MICRO_TIME:
		return json_cstring(a, PICK(s, micro_times));
	case FORM_DURATION:
		return json_cstring(a, PICK(s, durations));
	case FORM_QUANTITY:
		return json_cstring(a, PICK(s, quantities));
	case FORM_INT_OR_STRING:
		return random_below(s, 2) ? random_word(a, s) : json_int(a, PICK(s, numbers));
	case FORM_RAW:
		return random_raw(a, s, !str_eq(field->go_type, STR("JSON")));
	case FORM_STRUCT:
		return random_struct(a, s, api_type(api_builtin(), field->type), depth + 1);
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		return random_schema(a, s, field, depth + 1);
	}
	return json_null(a);
}

/* Two elements of a list with keys are the same when its keys, or the key by which patches merge,
 * are; keys that default are alike when they are absent. */
static bool has_same_keys(const struct json *x, const struct json *y, struct str keys)
{
	for (struct str key, rest = keys; rest.len;) {
		str_cut(rest, ',', &key, &rest);
		const struct json *of_x = json_get(x, key), *of_y = json_get(y, key);
		if (of_x && of_y && !json_equal(of_x, of_y))
			return false;
	}
	return true;
}

static bool is_repeated(const struct json *list, const struct json *item,
			const struct api_field *field)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *other = json_at(list, i);
		if (json_equal(other, item))
			return true;
		if (field->merge_key.len && has_same_keys(other, item, field->merge_key))
			return true;
		if (field->list_keys.len && has_same_keys(other, item, field->list_keys))
			return true;
	}
	return false;
}

/* An empty string would be left out. */
static bool has_value(const struct json *item, struct str key)
{
	const struct json *value = json_get(item, key);
	return value && (value->type != JSON_STRING || value->string.len);
}

static struct json *random_list(struct arena *a, struct random_source *s,
				const struct api_field *field, size_t depth)
{
	bool differ = field->list_type == LIST_MAP || field->list_type == LIST_SET ||
		      field->flags & FIELD_PATCH_MERGE;
	struct json *list = json_array(a);
	for (size_t i = random_below(s, 4); i > 0 && !is_full(s, depth); i--) {
		struct json *item = random_value(a, s, field, depth);
		bool is_mergeable = !field->merge_key.len || has_value(item, field->merge_key);
		if (!differ || (is_mergeable && !is_repeated(list, item, field)))
			json_append(a, list, item);
	}
	return list;
}

static struct json *random_map(struct arena *a, struct random_source *s,
			       const struct api_field *field, size_t depth)
{
	struct json *map = json_object(a);
	for (size_t i = random_below(s, 4); i > 0 && !is_full(s, depth); i--) {
		struct str key = json_str(random_word(a, s));
		struct json *value = field->shape == SHAPE_MAP ? random_value(a, s, field, depth)
							       : random_strings(a, s);
		json_set(a, map, key, value);
	}
	return map;
}

static struct json *random_field(struct arena *a, struct random_source *s,
				 const struct api_field *field, size_t depth)
{
	switch (field->shape) {
	case SHAPE_ONE:
		return random_value(a, s, field, depth);
	case SHAPE_LIST:
		return random_list(a, s, field, depth);
	default:
		return random_map(a, s, field, depth);
	}
}

/* What is required is there but seldom missing, the rest the seldomer the deeper it is. */
static bool is_chosen(struct random_source *s, const struct api_field *field, size_t depth)
{
	if (field->flags & FIELD_REQUIRED)
		return random_below(s, 16) != 15;
	return random_below(s, 3 + depth) == 1;
}

static struct json *random_struct(struct arena *a, struct random_source *s,
				  const struct api_type *type, size_t depth)
{
	struct json *tree = json_object(a);
	for (uint32_t i = 0; i < type->field_count && !is_full(s, depth); i++) {
		const struct api_field *field = &type->fields[i];
		/* Without a tag it is an embedded object's kind, which protobuf does not know. */
		if (field->flags & FIELD_INLINE || !field->name.len || (depth && !field->tag))
			continue;
		if (is_chosen(s, field, depth))
			json_set(a, tree, field->name, random_field(a, s, field, depth));
	}
	return tree;
}

void random_drop_system(struct json *tree)
{
	static const char *const names[] = {"uid",
					    "resourceVersion",
					    "generation",
					    "selfLink",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_remove(json_get(tree, STR("metadata")), str_of(names[i]));
}

struct json *random_object(struct arena *a, struct random_source *s, const struct api_kind *kind)
{
	s->values = 0;
	struct json *tree = random_struct(a, s, api_type(api_builtin(), kind->type), 0);
	json_set_str(a, tree, STR("apiVersion"), kind->api_version);
	json_set_str(a, tree, STR("kind"), kind->kind);
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	json_set_str(a, meta, STR("name"), STR("a"));
	json_remove(meta, STR("managedFields"));
	if (kind->is_namespaced)
		json_set_str(a, meta, STR("namespace"), STR("default"));
	else
		json_remove(meta, STR("namespace"));
	return tree;
}

static void change(struct arena *a, struct random_source *s, struct json *tree,
		   const struct json *other)
{
	for (size_t i = 0; i < json_count(other); i++) {
		struct str key = other->object.members[i].key;
		struct json *theirs = other->object.members[i].value, *ours = json_get(tree, key);
		size_t choice = random_below(s, 4);
		if (ours && ours->type == JSON_OBJECT && theirs->type == JSON_OBJECT && choice)
			change(a, s, ours, theirs);
		else if (choice > 1)
			json_set(a, tree, key, theirs);
		else if (choice == 1 && !str_is(key, "apiVersion") && !str_is(key, "kind"))
			json_remove(tree, key);
	}
}

struct json *random_change(struct arena *a, struct random_source *s, const struct api_kind *kind,
			   const struct json *tree)
{
	struct json *copy = json_copy(a, tree);
	change(a, s, copy, random_object(a, s, kind));
	struct json *meta = json_need_object(a, copy, STR("metadata"));
	json_set_str(a, meta, STR("name"), STR("a"));
	json_remove(meta, STR("managedFields"));
	if (kind->is_namespaced)
		json_set_str(a, meta, STR("namespace"), STR("default"));
	return copy;
}
