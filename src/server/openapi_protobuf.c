/* The protobuf form of the document of version 2, which kubectl before 1.29 and older clients want:
 * made from its JSON form by tables of where each member goes.
 * Source: https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto
 * (openapi.v2.Document); members that our documents never have are not in the tables. */
#include "codec/json.h"
#include "codec/protobuf.h"
#include "server/openapi-int.h"

enum how {
	HOW_STRING,
	HOW_BOOL,
	HOW_STRINGS,	   /* repeated */
	HOW_TYPE,	   /* a string in a message of a list of strings */
	HOW_ANYS,	   /* repeated values of any type */
	HOW_MESSAGE,	   /* inside as many messages as wraps has numbers */
	HOW_MAP,	   /* a message of repeated {name, value}, each value in wraps */
	HOW_PARAMETER_MAP, /* the same of parameters */
	HOW_PARAMETERS,	   /* repeated */
	HOW_REQUIREMENTS,  /* of security: repeated */
};

struct message;

struct member {
	const char *key;
	uint32_t number;
	enum how how;
	const struct message *message;
	uint8_t entries;  /* HOW_MAP: number of the repeated pairs */
	uint8_t wraps[2]; /* numbers of alternatives (oneof) around the message, outermost first */
};

struct message {
	uint32_t extensions; /* number of the x-… members; 0: it has none */
	const struct member *members;
	size_t count;
};

#define MESSAGE(name, extension_number)                                                            \
	static const struct message name = {extension_number, name##_members,                      \
					    ARRAY_LEN(name##_members)}

static const struct message schema;

static const struct member schema_members[] = {
	{"$ref", 1, HOW_STRING},
	{"format", 2, HOW_STRING},
	{"description", 4, HOW_STRING},
	{"required", 19, HOW_STRINGS},
	{"enum", 20, HOW_ANYS},
	{"additionalProperties", 21, HOW_MESSAGE, &schema, 0, {1}},
	{"type", 22, HOW_TYPE},
	{"items", 23, HOW_MESSAGE, &schema, 0, {1}},
	{"properties", 25, HOW_MAP, &schema, 1},
};
MESSAGE(schema, 31);

static const struct member reference_members[] = {{"$ref", 1, HOW_STRING}};
MESSAGE(reference, 0);

static const struct member body_members[] = {
	{"description", 1, HOW_STRING},
	{"name", 2, HOW_STRING},
	{"in", 3, HOW_STRING},
	{"required", 4, HOW_BOOL},
	{"schema", 5, HOW_MESSAGE, &schema},
};
MESSAGE(body, 6);

static const struct member query_members[] = {
	{"required", 1, HOW_BOOL}, {"in", 2, HOW_STRING},   {"description", 3, HOW_STRING},
	{"name", 4, HOW_STRING},   {"type", 6, HOW_STRING}, {"uniqueItems", 20, HOW_BOOL},
};
MESSAGE(query, 23);

static const struct member path_parameter_members[] = {
	{"required", 1, HOW_BOOL}, {"in", 2, HOW_STRING},   {"description", 3, HOW_STRING},
	{"name", 4, HOW_STRING},   {"type", 5, HOW_STRING}, {"uniqueItems", 19, HOW_BOOL},
};
MESSAGE(path_parameter, 22);

static const struct member response_members[] = {
	{"description", 1, HOW_STRING},
	{"schema", 2, HOW_MESSAGE, &schema, 0, {1}},
};
MESSAGE(response, 5);

static const struct member operation_members[] = {
	{"tags", 1, HOW_STRINGS},
	{"description", 3, HOW_STRING},
	{"operationId", 5, HOW_STRING},
	{"produces", 6, HOW_STRINGS},
	{"consumes", 7, HOW_STRINGS},
	{"parameters", 8, HOW_PARAMETERS},
	{"responses", 9, HOW_MAP, &response, 1, {1}},
	{"schemes", 10, HOW_STRINGS},
};
MESSAGE(operation, 13);

static const struct member path_item_members[] = {
	{"get", 2, HOW_MESSAGE, &operation},	 {"put", 3, HOW_MESSAGE, &operation},
	{"post", 4, HOW_MESSAGE, &operation},	 {"delete", 5, HOW_MESSAGE, &operation},
	{"options", 6, HOW_MESSAGE, &operation}, {"head", 7, HOW_MESSAGE, &operation},
	{"patch", 8, HOW_MESSAGE, &operation},	 {"parameters", 9, HOW_PARAMETERS},
};
MESSAGE(path_item, 10);

static const struct member api_key_members[] = {
	{"type", 1, HOW_STRING},
	{"name", 2, HOW_STRING},
	{"in", 3, HOW_STRING},
	{"description", 4, HOW_STRING},
};
MESSAGE(api_key, 5);

static const struct member info_members[] = {
	{"title", 1, HOW_STRING},
	{"version", 2, HOW_STRING},
};
MESSAGE(info, 7);

static const struct member document_members[] = {
	{"swagger", 1, HOW_STRING},
	{"info", 2, HOW_MESSAGE, &info},
	{"paths", 8, HOW_MAP, &path_item, 2},
	{"definitions", 9, HOW_MAP, &schema, 1},
	{"parameters", 10, HOW_PARAMETER_MAP, NULL, 1},
	{"security", 12, HOW_REQUIREMENTS},
	{"securityDefinitions", 13, HOW_MAP, &api_key, 1, {2}},
};
MESSAGE(document, 16);

static void write_members(struct buf *out, const struct message *m, const struct json *tree);

/* A value of any type is its text: JSON is YAML. */
static void write_any(struct buf *out, uint32_t number, const struct json *value)
{
	enum { YAML = 2 };
	size_t any = protobuf_open(out, number);
	size_t text = protobuf_open(out, YAML);
	json_write(out, value);
	protobuf_close(out, text);
	protobuf_close(out, any);
}

static void write_extension(struct buf *out, uint32_t number, const struct json_member *member)
{
	size_t pair = protobuf_open(out, number);
	protobuf_put_bytes(out, 1, member->key);
	write_any(out, 2, member->value);
	protobuf_close(out, pair);
}

static void write_strings(struct buf *out, uint32_t number, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++)
		protobuf_put_bytes(out, number, json_str(json_at(list, i)));
}

/* tree as message m in field number, inside its alternatives. */
static void write_message(struct buf *out, uint32_t number, const struct member *how,
			  const struct message *m, const struct json *tree)
{
	size_t marks[1 + ARRAY_LEN(how->wraps)], depth = 0;
	marks[depth++] = protobuf_open(out, number);
	for (size_t i = 0; how && i < ARRAY_LEN(how->wraps) && how->wraps[i]; i++)
		marks[depth++] = protobuf_open(out, how->wraps[i]);
	write_members(out, m, tree);
	while (depth)
		protobuf_close(out, marks[--depth]);
}

/* ---- parameters: what they are in decides about their type ---- */

static void write_parameter(struct buf *out, uint32_t number, const struct json *tree)
{
	static const struct member in_body = {.wraps = {1}};
	static const struct member in_query = {.wraps = {2, 3}};
	static const struct member in_path = {.wraps = {2, 4}};
	struct str in = json_path_str(tree, "in");
	if (str_is(in, "body"))
		write_message(out, number, &in_body, &body, tree);
	else if (str_is(in, "path"))
		write_message(out, number, &in_path, &path_parameter, tree);
	else
		write_message(out, number, &in_query, &query, tree);
}

static void write_parameters(struct buf *out, uint32_t number, const struct json *list)
{
	enum { PARAMETER = 1, REFERENCE = 2 };
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *tree = json_at(list, i);
		size_t item = protobuf_open(out, number);
		if (json_get(tree, STR("$ref")))
			write_message(out, REFERENCE, NULL, &reference, tree);
		else
			write_parameter(out, PARAMETER, tree);
		protobuf_close(out, item);
	}
}

/* ---- maps ---- */

static void write_map(struct buf *out, const struct member *how, const struct json *tree)
{
	enum { NAME = 1, VALUE = 2 };
	size_t map = protobuf_open(out, how->number);
	for (size_t i = 0; i < json_count(tree); i++) {
		const struct json_member *entry = &tree->object.members[i];
		size_t pair = protobuf_open(out, how->entries);
		protobuf_put_bytes(out, NAME, entry->key);
		if (how->how == HOW_PARAMETER_MAP)
			write_parameter(out, VALUE, entry->value);
		else
			write_message(out, VALUE, how, how->message, entry->value);
		protobuf_close(out, pair);
	}
	protobuf_close(out, map);
}

/* Names with their scopes, of which there are none. */
static void write_requirements(struct buf *out, uint32_t number, const struct json *list)
{
	enum { ENTRIES = 1, NAME = 1 };
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *names = json_at(list, i);
		size_t requirement = protobuf_open(out, number);
		for (size_t n = 0; n < json_count(names); n++) {
			size_t pair = protobuf_open(out, ENTRIES);
			protobuf_put_bytes(out, NAME, names->object.members[n].key);
			protobuf_close(out, pair);
		}
		protobuf_close(out, requirement);
	}
}

/* ---- members ---- */

static void write_type(struct buf *out, uint32_t number, const struct json *value)
{
	size_t list = protobuf_open(out, number);
	protobuf_put_bytes(out, 1, json_str(value));
	protobuf_close(out, list);
}

static void write_member(struct buf *out, const struct member *m, const struct json *value)
{
	switch (m->how) {
	case HOW_STRING:
		protobuf_put_bytes(out, m->number, json_str(value));
		break;
	case HOW_BOOL:
		protobuf_put_bool(out, m->number, json_is_true(value));
		break;
	case HOW_STRINGS:
		write_strings(out, m->number, value);
		break;
	case HOW_TYPE:
		write_type(out, m->number, value);
		break;
	case HOW_ANYS:
		for (size_t i = 0; i < json_count(value); i++)
			write_any(out, m->number, json_at(value, i));
		break;
	case HOW_MESSAGE:
		write_message(out, m->number, m, m->message, value);
		break;
	case HOW_MAP:
	case HOW_PARAMETER_MAP:
		write_map(out, m, value);
		break;
	case HOW_PARAMETERS:
		write_parameters(out, m->number, value);
		break;
	case HOW_REQUIREMENTS:
		write_requirements(out, m->number, value);
		break;
	}
}

static const struct member *member_of(const struct message *m, struct str key)
{
	for (size_t i = 0; i < m->count; i++)
		if (str_is(key, m->members[i].key))
			return &m->members[i];
	return NULL;
}

static void write_members(struct buf *out, const struct message *m, const struct json *tree)
{
	for (size_t i = 0; i < json_count(tree); i++) {
		const struct json_member *entry = &tree->object.members[i];
		const struct member *member = member_of(m, entry->key);
		/* A member that no table knows would be lost: that is our own mistake. */
		ASSERT(member || (m->extensions && str_has_prefix(entry->key, STR("x-"))));
		if (member)
			write_member(out, member, entry->value);
		else
			write_extension(out, m->extensions, entry);
	}
}

void openapi_write_v2_protobuf(struct buf *out)
{
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	CLEANUP_ARENA arena = {};
	struct json *tree;
	openapi_write_v2(&text);
	enum rc rc = json_parse(&arena, buf_str(&text), &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	write_members(out, &document, tree);
}
