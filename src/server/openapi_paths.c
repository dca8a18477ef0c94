/* From kinds of the API tables to paths and their operations.
 * Source: upstream's route installer: which verbs give which methods, action names, operation ids,
 * parameters, bodies and replies. */
#include "server/openapi-int.h"

#include "codec/json.h"

#define P(id)		  (UINT64_C(1) << PARAMETER_##id)
#define CHANGE_PARAMETERS (P(DRY_RUN) | P(FIELD_MANAGER) | P(FIELD_VALIDATION) | P(PRETTY))
#define DELETE_PARAMETERS                                                                          \
	(P(DRY_RUN) | P(GRACE_PERIOD_SECONDS) | P(IGNORE_STORE_READ_ERROR) |                       \
	 P(ORPHAN_DEPENDENTS) | P(PROPAGATION_POLICY) | P(PRETTY))
#define SELECT_PARAMETERS                                                                          \
	(P(CONTINUE) | P(FIELD_SELECTOR) | P(LABEL_SELECTOR) | P(LIMIT) | P(RESOURCE_VERSION) |    \
	 P(RESOURCE_VERSION_MATCH) | P(SEND_INITIAL_EVENTS) | P(TIMEOUT_SECONDS) | P(PRETTY))
#define LIST_PARAMETERS (SELECT_PARAMETERS | P(ALLOW_WATCH_BOOKMARKS) | P(WATCH))
#define LOG_PARAMETERS                                                                             \
	(P(CONTAINER) | P(FOLLOW) | P(INSECURE_SKIP_TLS_VERIFY) | P(LIMIT_BYTES) | P(PRETTY) |     \
	 P(PREVIOUS) | P(SINCE_SECONDS) | P(STREAM) | P(TAIL_LINES) | P(TIMESTAMPS))

/* ---- operations ---- */

enum body { BODY_NONE, BODY_OBJECT, BODY_PATCH, BODY_DELETE_OPTIONS };
enum result {
	RESULT_OBJECT,
	RESULT_LIST,
	RESULT_STATUS,
	RESULT_DELETED,
	RESULT_EVENT,
	RESULT_TEXT
};
enum code { CODE_OK = 1, CODE_CREATED = 2, CODE_ACCEPTED = 4 };
enum produces { PRODUCES_ANY, PRODUCES_OBJECTS, PRODUCES_STREAMS, PRODUCES_LOG };

struct operation {
	uint32_t verb; /* of the kind or subresource that it stands for */
	const char *method, *action, *id_verb;
	const char *does; /* for its description */
	uint64_t parameters;
	enum body body;
	enum result result;
	unsigned codes;
	enum produces produces;
};

static const struct operation collection_operations[] = {
	{VERB_LIST, "get", "list", "list", "Lists or watches", LIST_PARAMETERS, BODY_NONE,
	 RESULT_LIST, CODE_OK, PRODUCES_STREAMS},
	{VERB_CREATE, "post", "post", "create", "Creates", CHANGE_PARAMETERS, BODY_OBJECT,
	 RESULT_OBJECT, CODE_OK | CODE_CREATED | CODE_ACCEPTED, PRODUCES_OBJECTS},
	{VERB_DELETE_COLLECTION, "delete", "deletecollection", "delete", "Deletes all selected",
	 SELECT_PARAMETERS | DELETE_PARAMETERS, BODY_DELETE_OPTIONS, RESULT_STATUS, CODE_OK,
	 PRODUCES_OBJECTS},
};

static const struct operation item_operations[] = {
	{VERB_GET, "get", "get", "read", "Reads one", P(PRETTY), BODY_NONE, RESULT_OBJECT, CODE_OK,
	 PRODUCES_OBJECTS},
	{VERB_UPDATE, "put", "put", "replace", "Replaces one", CHANGE_PARAMETERS, BODY_OBJECT,
	 RESULT_OBJECT, CODE_OK | CODE_CREATED, PRODUCES_OBJECTS},
	{VERB_CREATE, "post", "post", "create", "Creates one", CHANGE_PARAMETERS, BODY_OBJECT,
	 RESULT_OBJECT, CODE_OK | CODE_CREATED | CODE_ACCEPTED, PRODUCES_OBJECTS},
	{VERB_DELETE, "delete", "delete", "delete", "Deletes one", DELETE_PARAMETERS,
	 BODY_DELETE_OPTIONS, RESULT_DELETED, CODE_OK | CODE_ACCEPTED, PRODUCES_OBJECTS},
	{VERB_PATCH, "patch", "patch", "patch", "Changes one", CHANGE_PARAMETERS | P(FORCE),
	 BODY_PATCH, RESULT_OBJECT, CODE_OK | CODE_CREATED, PRODUCES_OBJECTS},
};

static const struct operation watch_list_operation = {
	VERB_WATCH,
	"get",
	"watchlist",
	"watch",
	"Deprecated, see watch=true of the list: watches",
	LIST_PARAMETERS,
	BODY_NONE,
	RESULT_EVENT,
	CODE_OK,
	PRODUCES_STREAMS};
static const struct operation watch_item_operation = {
	VERB_WATCH,
	"get",
	"watch",
	"watch",
	"Deprecated, see watch=true of the list: watches one",
	LIST_PARAMETERS,
	BODY_NONE,
	RESULT_EVENT,
	CODE_OK,
	PRODUCES_STREAMS};
static const struct operation log_operation = {
	VERB_GET,	"get",	   "get",	"read",	 "Reads the log of one",
	LOG_PARAMETERS, BODY_NONE, RESULT_TEXT, CODE_OK, PRODUCES_LOG};

/* Subresources that are connections. */
static const struct {
	const char *name;
	uint64_t parameters;
	bool has_all_methods; /* or GET and POST only */
} connections[] = {
	{"attach", P(CONTAINER) | P(STDERR) | P(STDIN) | P(STDOUT) | P(TTY), false},
	{"exec", P(COMMAND) | P(CONTAINER) | P(STDERR) | P(STDIN) | P(STDOUT) | P(TTY), false},
	{"portforward", P(PORTS), false},
	{"proxy", P(PATH), true},
};
static const struct {
	const char *method, *title;
} connect_methods[] = {
	{"get", "Get"},		{"post", "Post"}, {"put", "Put"},     {"delete", "Delete"},
	{"options", "Options"}, {"head", "Head"}, {"patch", "Patch"},
};

/* Kinds whose DELETE answers with the object instead of a Status. */
static const char *const deleted_is_returned[] = {
	"core/v1 PersistentVolume",
	"core/v1 PersistentVolumeClaim",
	"core/v1 Pod",
	"core/v1 PodTemplate",
	"core/v1 ResourceQuota",
	"core/v1 Service",
	"core/v1 ServiceAccount",
	"resource/v1 DeviceClass",
	"resource/v1 ResourceClaim",
	"resource/v1 ResourceClaimTemplate",
	"resource/v1 ResourceSlice",
	"storage/v1 CSIDriver",
	"storage/v1 CSINode",
	"storage/v1 StorageClass",
	"storage/v1 VolumeAttachment",
	"storage/v1 VolumeAttributesClass",
};

/* One path. */
struct place {
	const struct api_kind *kind;
	const struct api_subresource *sub; /* or NULL */
	const char *connect_title;	   /* "Get": of a connection */
	bool is_in_namespace, is_everywhere /* all namespaces */, is_watch, is_item, has_rest;
};

/* ---- names ---- */

/* "rbac.authorization.k8s.io" is "RbacAuthorization", "" is "Core". */
void openapi_write_group(struct buf *out, struct str group, bool is_title)
{
	struct str rest = group.len ? group : STR("core");
	if (str_has_suffix(rest, STR(".k8s.io")))
		rest.len -= strlen(".k8s.io");
	while (rest.at) {
		struct str word;
		str_cut(rest, '.', &word, &rest);
		if (!word.len)
			continue;
		buf_add_char(out, is_title ? (char)(word.at[0] & ~0x20) : word.at[0]);
		buf_add_str(out, str_skip(word, 1));
		is_title = true;
	}
}

void openapi_write_title(struct buf *out, struct str word)
{
	if (!word.len)
		return;
	buf_add_char(out, (char)(word.at[0] & ~0x20));
	buf_add_str(out, str_skip(word, 1));
}

void openapi_write_tag(struct buf *out, struct str group, struct str version)
{
	buf_add_cstr(out, "\"tags\":[\"");
	openapi_write_group(out, group, false);
	if (version.len)
		buf_printf(out, "_%.*s", STR_FMT(version));
	buf_add_cstr(out, "\"]");
}

static void write_operation_id(struct buf *out, const struct place *p, const struct operation *op)
{
	bool is_collection = op->verb == VERB_DELETE_COLLECTION;
	buf_printf(out, ",\"operationId\":\"%s", op->id_verb);
	openapi_write_group(out, p->kind->group, true);
	openapi_write_title(out, p->kind->version);
	buf_add_cstr(out, is_collection ? "Collection" : "");
	buf_add_cstr(out, p->connect_title ? p->connect_title : "");
	buf_add_cstr(out, p->is_in_namespace ? "Namespaced" : "");
	buf_add_str(out, p->kind->kind);
	if (p->sub)
		openapi_write_title(out, p->sub->name);
	buf_add_cstr(out, p->is_watch && !p->is_item ? "List" : "");
	buf_add_cstr(out, p->is_everywhere ? "ForAllNamespaces" : "");
	buf_add_cstr(out, p->has_rest ? "WithPath" : "");
	buf_add_char(out, '"');
}

static void write_root(struct buf *out, struct str group, struct str version)
{
	buf_add_cstr(out, group.len ? "/apis/" : "/api/");
	if (group.len)
		buf_printf(out, "%.*s/", STR_FMT(group));
	if (version.len)
		buf_printf(out, "%.*s/", STR_FMT(version));
}

static void write_path(struct buf *out, const struct place *p)
{
	openapi_key(out, (struct str){});
	buf_add_char(out, '"');
	write_root(out, p->kind->group, p->kind->version);
	buf_add_cstr(out, p->is_watch ? "watch/" : "");
	buf_add_cstr(out, p->is_in_namespace ? "namespaces/{namespace}/" : "");
	buf_add_str(out, p->kind->plural);
	buf_add_cstr(out, p->is_item ? "/{name}" : "");
	if (p->sub)
		buf_printf(out, "/%.*s", STR_FMT(p->sub->name));
	buf_add_cstr(out, p->has_rest ? "/{path}\":{" : "\":{");
}

/* ---- parts of an operation ---- */

static int32_t body_type(const struct place *p)
{
	return p->sub ? p->sub->type : p->kind->type;
}

static bool returns_deleted(const struct api_kind *k)
{
	struct str group, rest, kind;
	for (size_t i = 0; i < ARRAY_LEN(deleted_is_returned); i++) {
		str_cut(str_of(deleted_is_returned[i]), '/', &group, &rest);
		str_cut(rest, ' ', &rest, &kind);
		struct str own;
		str_cut(k->group, '.', &own, &rest);
		if (str_eq(kind, k->kind) && str_eq(group, own.len ? own : STR("core")))
			return true;
	}
	return false;
}

static void write_result_schema(struct openapi *o, const struct place *p, enum result result)
{
	openapi_open(o->out, "schema", '{');
	if (result == RESULT_DELETED)
		result = returns_deleted(p->kind) ? RESULT_OBJECT : RESULT_STATUS;
	if (result == RESULT_OBJECT)
		openapi_ref_type(o, body_type(p));
	else if (result == RESULT_LIST)
		openapi_ref_type(o, p->kind->list_type);
	else if (result == RESULT_TEXT)
		openapi_string(o->out, "type", STR("string"));
	else
		openapi_ref_type(o, result == RESULT_EVENT ? TYPE_META_V1_WATCH_EVENT
							   : TYPE_META_V1_STATUS);
	openapi_close(o->out, '}');
}

static const char *const produced[][6] = {
	[PRODUCES_ANY] = {"*/*"},
	[PRODUCES_OBJECTS] = {"application/json", "application/yaml",
			      "application/vnd.kubernetes.protobuf"},
	[PRODUCES_STREAMS] = {"application/json", "application/yaml",
			      "application/vnd.kubernetes.protobuf",
			      "application/json;stream=watch",
			      "application/vnd.kubernetes.protobuf;stream=watch"},
	[PRODUCES_LOG] = {"text/plain", "application/json", "application/yaml",
			  "application/vnd.kubernetes.protobuf"},
};
static const char *const patch_types[] = {
	"application/json-patch+json", "application/merge-patch+json",
	"application/strategic-merge-patch+json", "application/apply-patch+yaml"};

static void write_result(struct openapi *o, const struct place *p, const struct operation *op)
{
	if (o->dialect->is_v2) {
		write_result_schema(o, p, op->result);
		return;
	}
	openapi_open(o->out, "content", '{');
	for (const char *const *type = produced[op->produces]; *type; type++) {
		openapi_open(o->out, *type, '{');
		write_result_schema(o, p, op->result);
		openapi_close(o->out, '}');
	}
	openapi_close(o->out, '}');
}

static void write_unauthorized(struct buf *out)
{
	openapi_literal(out, "401", "{\"description\":\"Unauthorized\"}");
}

static void write_responses(struct openapi *o, const struct place *p, const struct operation *op)
{
	static const struct {
		enum code code;
		const char *number, *text;
	} rows[] = {
		{CODE_OK, "200", "OK"},
		{CODE_CREATED, "201", "Created"},
		{CODE_ACCEPTED, "202", "Accepted"},
	};
	openapi_open(o->out, "responses", '{');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!(op->codes & rows[i].code))
			continue;
		openapi_open(o->out, rows[i].number, '{');
		openapi_string(o->out, "description", str_of(rows[i].text));
		write_result(o, p, op);
		openapi_close(o->out, '}');
	}
	write_unauthorized(o->out);
	openapi_close(o->out, '}');
}

static void write_body_schema(struct openapi *o, const struct place *p, enum body body)
{
	openapi_open(o->out, "schema", '{');
	if (body == BODY_OBJECT)
		openapi_ref_type(o, body_type(p));
	else if (body == BODY_PATCH)
		openapi_ref_leaf(o, LEAF_PATCH);
	else
		openapi_ref_type(o, TYPE_META_V1_DELETE_OPTIONS);
	openapi_close(o->out, '}');
}

static void write_body_v3(struct openapi *o, const struct place *p, enum body body)
{
	if (body == BODY_NONE)
		return;
	openapi_open(o->out, "requestBody", '{');
	openapi_open(o->out, "content", '{');
	size_t count = body == BODY_PATCH ? ARRAY_LEN(patch_types) : 1;
	for (size_t i = 0; i < count; i++) {
		openapi_open(o->out, body == BODY_PATCH ? patch_types[i] : "*/*", '{');
		write_body_schema(o, p, body);
		openapi_close(o->out, '}');
	}
	openapi_close(o->out, '}');
	if (body != BODY_DELETE_OPTIONS)
		openapi_literal(o->out, "required", "true");
	openapi_close(o->out, '}');
}

/* In version 2 the body is a parameter. */
static void write_body_v2(struct openapi *o, const struct place *p, enum body body)
{
	if (body == BODY_NONE)
		return;
	openapi_open(o->out, NULL, '{');
	openapi_string(o->out, "name", STR("body"));
	openapi_string(o->out, "in", STR("body"));
	if (body != BODY_DELETE_OPTIONS)
		openapi_literal(o->out, "required", "true");
	write_body_schema(o, p, body);
	openapi_close(o->out, '}');
}

static void write_types(struct buf *out, const char *key, const char *const *types, size_t count)
{
	openapi_open(out, key, '[');
	for (size_t i = 0; i < count && types[i]; i++)
		openapi_string(out, NULL, str_of(types[i]));
	openapi_close(out, ']');
}

static void write_media_v2(struct buf *out, const struct operation *op)
{
	static const char *const any[] = {"*/*"};
	bool is_patch = op->body == BODY_PATCH;
	write_types(out, "consumes", is_patch ? patch_types : any,
		    is_patch ? ARRAY_LEN(patch_types) : 1);
	write_types(out, "produces", produced[op->produces], ARRAY_LEN(produced[0]));
	openapi_literal(out, "schemes", "[\"https\"]");
}

static void write_operation_parameters(struct openapi *o, const struct place *p,
				       const struct operation *op, uint64_t set)
{
	bool has_body = o->dialect->is_v2 && op->body != BODY_NONE;
	if (!set && !has_body)
		return;
	openapi_open(o->out, "parameters", '[');
	if (has_body)
		write_body_v2(o, p, op->body);
	openapi_write_parameters(o, set);
	openapi_close(o->out, ']');
}

static void write_kind(struct buf *out, const struct place *p)
{
	const struct api_subresource *s = p->sub;
	bool has_own = s && s->kind.len;
	struct str group = has_own ? s->group : p->kind->group;
	openapi_open(out, "x-kubernetes-group-version-kind", '{');
	openapi_string(out, "group", group.at ? group : STR(""));
	openapi_string(out, "version", has_own ? s->version : p->kind->version);
	openapi_string(out, "kind", has_own ? s->kind : p->kind->kind);
	openapi_close(out, '}');
}

/* parameters: without those that the path has. */
static void write_operation(struct openapi *o, const struct place *p, const struct operation *op,
			    uint64_t set)
{
	struct buf *out = o->out;
	openapi_open(out, op->method, '{');
	openapi_write_tag(out, p->kind->group, p->kind->version);
	buf_printf(out, ",\"description\":\"%s %.*s", op->does, STR_FMT(p->kind->kind));
	if (p->sub)
		buf_printf(out, ": its %.*s", STR_FMT(p->sub->name));
	buf_add_cstr(out, ".\"");
	write_operation_id(out, p, op);
	if (o->dialect->is_v2)
		write_media_v2(out, op);
	write_operation_parameters(o, p, op, set);
	if (!o->dialect->is_v2)
		write_body_v3(o, p, op->body);
	write_responses(o, p, op);
	openapi_string(out, "x-kubernetes-action", str_of(op->action));
	write_kind(out, p);
	openapi_close(out, '}');
}

/* ---- one path ---- */

static uint64_t path_parameters(const struct place *p)
{
	return (p->is_item ? P(NAME) : 0) | (p->is_in_namespace ? P(NAMESPACE) : 0) |
	       (p->has_rest ? P(REST) : 0);
}

/* Writes those of the operations whose verb is there; parameters that all of them have belong to
 * the path. */
static void write_item(struct openapi *o, const struct place *p, const struct operation *ops,
		       size_t count, uint32_t verbs)
{
	uint64_t common = ~UINT64_C(0);
	for (size_t i = 0; i < count; i++)
		if (ops[i].verb & verbs)
			common &= ops[i].parameters;
	if (common == ~UINT64_C(0))
		return;
	write_path(o->out, p);
	for (size_t i = 0; i < count; i++)
		if (ops[i].verb & verbs)
			write_operation(o, p, &ops[i], ops[i].parameters & ~common);
	common |= path_parameters(p);
	if (common) {
		openapi_open(o->out, "parameters", '[');
		openapi_write_parameters(o, common);
		openapi_close(o->out, ']');
	}
	openapi_close(o->out, '}');
}

static void write_connection(struct openapi *o, struct place p, size_t connection)
{
	bool has_all = connections[connection].has_all_methods;
	struct operation op = {
		.action = "connect",
		.id_verb = "connect",
		.does = "Connects to",
		.result = RESULT_TEXT,
		.codes = CODE_OK,
		.produces = PRODUCES_ANY,
	};
	write_path(o->out, &p);
	for (size_t i = 0; i < (has_all ? ARRAY_LEN(connect_methods) : 2); i++) {
		op.method = connect_methods[i].method;
		p.connect_title = connect_methods[i].title;
		write_operation(o, &p, &op, 0);
	}
	openapi_open(o->out, "parameters", '[');
	openapi_write_parameters(o, connections[connection].parameters | path_parameters(&p));
	openapi_close(o->out, ']');
	openapi_close(o->out, '}');
}

static void write_subresource(struct openapi *o, struct place p, const struct api_subresource *sub)
{
	p.sub = sub;
	p.is_item = true;
	for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
		if (!str_is(sub->name, connections[i].name))
			continue;
		write_connection(o, p, i);
		p.has_rest = true;
		if (connections[i].has_all_methods)
			write_connection(o, p, i);
		return;
	}
	if (str_is(sub->name, "log"))
		write_item(o, &p, &log_operation, 1, sub->verbs);
	else
		write_item(o, &p, item_operations, ARRAY_LEN(item_operations), sub->verbs);
}

static void write_watches(struct openapi *o, const struct api_kind *k)
{
	struct place p = {.kind = k, .is_watch = true, .is_in_namespace = k->is_namespaced};
	struct place item = p, all = p;
	item.is_item = true;
	write_item(o, &p, &watch_list_operation, 1, k->verbs);
	if (k->verbs & VERB_GET)
		write_item(o, &item, &watch_item_operation, 1, k->verbs);
	all.is_everywhere = true;
	all.is_in_namespace = false;
	if (k->is_namespaced)
		write_item(o, &all, &watch_list_operation, 1, k->verbs);
}

void openapi_write_kind_paths(struct openapi *o, const struct api_kind *k)
{
	struct place p = {.kind = k, .is_in_namespace = k->is_namespaced};
	struct place item = p, all = p;
	item.is_item = true;
	all.is_everywhere = true;
	all.is_in_namespace = false;
	if (k->is_namespaced)
		write_item(o, &all, collection_operations, 1, k->verbs);
	write_item(o, &p, collection_operations, ARRAY_LEN(collection_operations), k->verbs);
	write_item(o, &item, item_operations, ARRAY_LEN(item_operations), k->verbs & ~VERB_CREATE);
	for (uint32_t i = 0; i < k->subresource_count; i++)
		write_subresource(o, p, &k->subresources[i]);
	write_watches(o, k);
}
