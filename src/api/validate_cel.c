/* Expressions of admission policies, webhooks and device selectors: what they may name, and that
 * they compile to the right type.  Objects are dynamic here: their kinds are known only when a
 * request comes. */
#include "api/validate-cel.h"

#define DEVICE_EXPRESSION_MAX (10 << 10) /* bytes */
#define DEVICE_COST_MAX	      1000000

/* ---- declared structures, as tables ---- */

/* Rows of one structure follow each other; the type is a basic one, "list", "map" or a structure
 * of the table. */
struct field_row {
	const char *structure, *field, *type;
};

static const struct field_row policy_fields[] = {
	{"kubernetes.AdmissionRequest", "kind", "kubernetes.GroupVersionKind"},
	{"kubernetes.AdmissionRequest", "resource", "kubernetes.GroupVersionResource"},
	{"kubernetes.AdmissionRequest", "subResource", "string"},
	{"kubernetes.AdmissionRequest", "requestKind", "kubernetes.GroupVersionKind"},
	{"kubernetes.AdmissionRequest", "requestResource", "kubernetes.GroupVersionResource"},
	{"kubernetes.AdmissionRequest", "requestSubResource", "string"},
	{"kubernetes.AdmissionRequest", "name", "string"},
	{"kubernetes.AdmissionRequest", "namespace", "string"},
	{"kubernetes.AdmissionRequest", "operation", "string"},
	{"kubernetes.AdmissionRequest", "userInfo", "kubernetes.UserInfo"},
	{"kubernetes.AdmissionRequest", "dryRun", "bool"},
	{"kubernetes.AdmissionRequest", "options", "dyn"},
	{"kubernetes.GroupVersionKind", "group", "string"},
	{"kubernetes.GroupVersionKind", "version", "string"},
	{"kubernetes.GroupVersionKind", "kind", "string"},
	{"kubernetes.GroupVersionResource", "group", "string"},
	{"kubernetes.GroupVersionResource", "version", "string"},
	{"kubernetes.GroupVersionResource", "resource", "string"},
	{"kubernetes.UserInfo", "username", "string"},
	{"kubernetes.UserInfo", "uid", "string"},
	{"kubernetes.UserInfo", "groups", "list(string)"},
	{"kubernetes.UserInfo", "extra", "map(list(string))"},
	{"kubernetes.Namespace", "metadata", "kubernetes.NamespaceMetadata"},
	{"kubernetes.Namespace", "spec", "kubernetes.NamespaceSpec"},
	{"kubernetes.Namespace", "status", "kubernetes.NamespaceStatus"},
	{"kubernetes.NamespaceMetadata", "name", "string"},
	{"kubernetes.NamespaceMetadata", "generateName", "string"},
	{"kubernetes.NamespaceMetadata", "namespace", "string"},
	{"kubernetes.NamespaceMetadata", "labels", "map(string)"},
	{"kubernetes.NamespaceMetadata", "annotations", "map(string)"},
	{"kubernetes.NamespaceMetadata", "UID", "string"},
	{"kubernetes.NamespaceMetadata", "creationTimestamp", "timestamp"},
	{"kubernetes.NamespaceMetadata", "deletionGracePeriodSeconds", "int"},
	{"kubernetes.NamespaceMetadata", "deletionTimestamp", "timestamp"},
	{"kubernetes.NamespaceMetadata", "generation", "int"},
	{"kubernetes.NamespaceMetadata", "resourceVersion", "string"},
	{"kubernetes.NamespaceMetadata", "finalizers", "list(string)"},
	{"kubernetes.NamespaceSpec", "finalizers", "list(string)"},
	{"kubernetes.NamespaceStatus", "conditions", "list(kubernetes.NamespaceCondition)"},
	{"kubernetes.NamespaceStatus", "phase", "string"},
	{"kubernetes.NamespaceCondition", "status", "string"},
	{"kubernetes.NamespaceCondition", "type", "string"},
	{"kubernetes.NamespaceCondition", "lastTransitionTime", "timestamp"},
	{"kubernetes.NamespaceCondition", "message", "string"},
	{"kubernetes.NamespaceCondition", "reason", "string"},
	{},
};

static const struct cel_type *type_of(struct check *v, struct str text);

static const struct cel_type *structure_of(struct check *v, struct str name)
{
	struct cel_type *t = ARENA_NEW(v->arena, struct cel_type);
	struct cel_field *fields = NULL;
	size_t cap = 0;
	*t = (struct cel_type){.kind = CEL_STRUCT, .name = name};
	for (const struct field_row *row = policy_fields; row->structure; row++) {
		if (!str_is(name, row->structure))
			continue;
		fields = arena_grow(v->arena, fields, t->field_count, &cap, sizeof(*fields));
		fields[t->field_count++] =
			(struct cel_field){str_of(row->field), type_of(v, str_of(row->type))};
	}
	t->fields = fields;
	return t;
}

/* The text between the brackets of "list(…)". */
static struct str inner_of(struct str text, size_t prefix_len)
{
	return str_n(text.at + prefix_len, text.len - prefix_len - 1);
}

static const struct cel_type *type_of(struct check *v, struct str text)
{
	static const struct {
		const char *name;
		const struct cel_type *type;
	} rows[] = {{"string", &cel_string},
		    {"bool", &cel_bool},
		    {"int", &cel_int},
		    {"dyn", &cel_dyn},
		    {"timestamp", &cel_timestamp}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(text, rows[i].name))
			return rows[i].type;
	if (str_has_prefix(text, STR("list(")))
		return cel_list_of(v->arena, type_of(v, inner_of(text, 5)));
	if (str_has_prefix(text, STR("map(")))
		return cel_map_of(v->arena, &cel_string, type_of(v, inner_of(text, 4)));
	return structure_of(v, text);
}

bool may_compile(struct check *v, const struct path *at, struct str text)
{
	bool is_over = v->cel_bytes > CEL_OBJECT_MAX;
	v->cel_bytes += text.len;
	if (!is_over && v->cel_bytes > CEL_OBJECT_MAX)
		forbidden(v, at, "all expressions of an object may have at most %d bytes together",
			  CEL_OBJECT_MAX);
	return v->cel_bytes <= CEL_OBJECT_MAX;
}

/* ---- policies ---- */

static void name_variable(struct policy_cel *p, const char *name, const struct cel_type *type)
{
	ASSERT(p->count < POLICY_VARIABLES_MAX);
	p->at[p->count++] = (struct cel_variable){str_of(name), type};
}

void policy_cel_init(struct check *v, struct policy_cel *p, bool has_params)
{
	*p = (struct policy_cel){};
	name_variable(p, "object", &cel_dyn);
	name_variable(p, "oldObject", &cel_dyn);
	name_variable(p, "request", type_of(v, STR("kubernetes.AdmissionRequest")));
	name_variable(p, "namespaceObject", type_of(v, STR("kubernetes.Namespace")));
	if (has_params)
		name_variable(p, "params", &cel_dyn);
	p->plain_count = p->count;
}

void policy_cel_compose(struct check *v, struct policy_cel *p)
{
	p->composed = ARENA_NEW(v->arena, struct cel_type);
	*p->composed = (struct cel_type){.kind = CEL_STRUCT, .name = STR("kubernetes.variables")};
	p->composed->fields = ARENA_ARRAY(v->arena, struct cel_field, 1);
	name_variable(p, "variables", p->composed);
}

void policy_cel_add(struct check *v, struct policy_cel *p, struct str name,
		    const struct cel_type *type)
{
	struct cel_type *t = p->composed;
	p->fields =
		arena_grow(v->arena, p->fields, t->field_count, &p->field_cap, sizeof(*p->fields));
	p->fields[t->field_count++] = (struct cel_field){name, type};
	t->fields = p->fields;
}

static const struct cel_type authorizer = {.kind = CEL_STRUCT,
					   .name = STR_INIT("kubernetes.authorization.Authorizer")},
			     resource_check = {.kind = CEL_STRUCT,
					       .name = STR_INIT("kubernetes.authorization."
								"ResourceCheck")};

static void refuse_result(struct check *v, const struct path *at, struct str text,
			  const struct cel_type *type, enum cel_wanted wanted)
{
	static const char *const words[] = {
		[CEL_WANT_BOOL] = "bool",
		[CEL_WANT_STRING] = "string",
		[CEL_WANT_STRING_OR_NULL] = "one of [string null_type]"};
	bad_text(v, at, text, "must evaluate to %s but got %.*s", words[wanted],
		 STR_FMT(cel_type_text(v->arena, type)));
}

static bool is_wanted(const struct cel_type *type, enum cel_wanted wanted)
{
	switch (wanted) {
	case CEL_WANT_BOOL:
		return type->kind == CEL_BOOL;
	case CEL_WANT_STRING:
		return type->kind == CEL_STRING;
	case CEL_WANT_STRING_OR_NULL:
		return type->kind == CEL_STRING || type->kind == CEL_NULL;
	case CEL_WANT_ANY:
		return true;
	}
	return false;
}

/* What others see of an expression's type: structures and the like are dynamic to them. */
static const struct cel_type *kept_type(struct check *v, const struct cel_type *type)
{
	switch (type->kind) {
	case CEL_LIST:
		return cel_list_of(v->arena, kept_type(v, type->of[0]));
	case CEL_MAP:
		return cel_map_of(v->arena, kept_type(v, type->of[0]), kept_type(v, type->of[1]));
	case CEL_STRUCT:
	case CEL_OPAQUE:
	case CEL_TYPE:
		return &cel_dyn;
	default:
		return arena_copy(v->arena, type, sizeof(*type));
	}
}

const struct cel_type *check_policy_expression(struct check *v, const struct path *at,
					       struct str text, const struct policy_cel *p,
					       bool has_authorizer, bool has_variables,
					       enum cel_wanted wanted)
{
	CLEANUP_ARENA scratch = {};
	struct policy_cel named = *p;
	struct cel c;
	if (!may_compile(v, at, text))
		return &cel_dyn;
	if (!has_variables)
		named.count = named.plain_count;
	if (has_authorizer) {
		name_variable(&named, "authorizer", &authorizer);
		name_variable(&named, "authorizer.requestResource", &resource_check);
	}
	struct cel_env env = {.variables = named.at, .variable_count = named.count};
	if (!cel_compile(&c, &scratch, &env, text)) {
		bad_text(v, at, text, "compilation failed: %.*s", STR_FMT(cel_faults_text(&c)));
		return &cel_dyn;
	}
	if (!is_wanted(c.root->type, wanted))
		refuse_result(v, at, text, c.root->type, wanted);
	return kept_type(v, c.root->type);
}

/* ---- devices ---- */

static const struct cel_type *bounded(struct check *v, struct cel_type type, uint64_t max)
{
	type.max_elements = max;
	type.has_max = true;
	return arena_copy(v->arena, &type, sizeof(type));
}

/* device.attributes["domain"].name; a slice of devices may have 32 of them. */
static const struct cel_type *device_type(struct check *v)
{
	const struct cel_type *name = bounded(v, cel_string, 32);
	const struct cel_type *domain = bounded(v, cel_string, 63);
	const struct cel_type *value = bounded(v, cel_dyn, 64);
	const struct cel_type quantity = {.kind = CEL_STRUCT, .name = STR("kubernetes.Quantity")};
	const struct cel_type map = {.kind = CEL_MAP};
	struct cel_type attributes = map, capacities = map;
	struct cel_field *fields = ARENA_ARRAY(v->arena, struct cel_field, 3);
	attributes.of[0] = capacities.of[0] = name;
	attributes.of[1] = value;
	capacities.of[1] = bounded(v, quantity, 0);
	struct cel_type by_domain = map, capacity_by_domain = map;
	by_domain.of[0] = capacity_by_domain.of[0] = domain;
	by_domain.of[1] = bounded(v, attributes, 32);
	capacity_by_domain.of[1] = bounded(v, capacities, 32);
	fields[0] = (struct cel_field){STR("driver"), bounded(v, cel_string, 63)};
	fields[1] = (struct cel_field){STR("attributes"), bounded(v, by_domain, 32)};
	fields[2] = (struct cel_field){STR("capacity"), bounded(v, capacity_by_domain, 32)};
	return bounded(v,
		       (struct cel_type){.kind = CEL_STRUCT,
					 .name = STR("DRADevice"),
					 .fields = fields,
					 .field_count = 3},
		       0);
}

void check_device_expression(struct check *v, const struct path *at, struct str text)
{
	CLEANUP_ARENA scratch = {};
	struct cel c;
	struct cel_variable device = {STR("device"), device_type(v)};
	struct cel_env env = {.variables = &device, .variable_count = 1, .has_bind = true};
	if (text.len > DEVICE_EXPRESSION_MAX) {
		too_long(v, at, DEVICE_EXPRESSION_MAX);
		return;
	}
	if (!may_compile(v, at, text))
		return;
	if (!cel_compile(&c, &scratch, &env, text))
		bad_text(v, at, text, "compilation failed: %.*s", STR_FMT(cel_faults_text(&c)));
	else if (c.root->type->kind != CEL_BOOL && c.root->type->kind != CEL_DYN)
		bad_text(v, at, text, "must evaluate to bool or the unknown type, not %.*s",
			 STR_FMT(cel_type_text(v->arena, c.root->type)));
	else if (cel_cost_max(&c) > DEVICE_COST_MAX)
		forbidden(v, at, "too complex, exceeds cost limit");
}
