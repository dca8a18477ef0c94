/* x-kubernetes-validations of a CustomResourceDefinition: each rule is compiled against the type
 * that the schema at its place declares, and its cost is bounded by what a request of at most
 * 3 MiB can hold there.
 *
 * The bounds decide which definitions are accepted, so they follow upstream to the number: a list
 * without maxItems has as many items as fit in a request when each is as small as its schema
 * allows, and so on. */
#include "api/validate-cel.h"

#define REQUEST_MAX	  (3 << 20) /* bytes */
#define RULE_COST_MAX	  10000000
#define SCHEMA_COST_MAX	  100000000
#define DEAREST_SHOWN	  4
#define SCHEMA_LEVELS_MAX 100

struct dear_rule {
	struct str path;
	uint64_t cost;
};

struct rules_check {
	struct check *v;
	uint64_t total;
	struct dear_rule dearest[DEAREST_SHOWN + 1];
	size_t dearest_count;
};

/* Where in the schema the walk is. */
struct place {
	const struct path *at;
	const struct cel_type *type;
	uint64_t copies; /* how often an object may have it */
	bool is_unbounded;
	struct str uncorrelated; /* the path below which old values are not known; absent: none */
};

static uint64_t times(uint64_t x, uint64_t y)
{
	return y != 0 && x > UINT64_MAX / y ? UINT64_MAX : x * y;
}

/* ---- types of schemas ---- */

static const struct cel_type *type_of(struct check *v, const struct json *schema, struct str name,
				      bool is_root, int depth);

static const struct cel_type *bounded(struct check *v, struct cel_type type, uint64_t max,
				      uint64_t min_bytes)
{
	type.max_elements = max;
	type.has_max = true;
	type.min_bytes = min_bytes;
	return arena_copy(v->arena, &type, sizeof(type));
}

static uint64_t limit_of(const struct json *schema, const char *member, uint64_t otherwise)
{
	const struct json *value = member_of(schema, str_of(member));
	if (!value)
		return otherwise;
	return json_i64(value) > 0 ? (uint64_t)json_i64(value) : 0;
}

static uint64_t longest_enum(const struct json *values)
{
	uint64_t longest = 0;
	FOR_ITEMS(i, value, values)
	{
		if (json_str(value).len > longest)
			longest = json_str(value).len;
	}
	return longest;
}

static const struct cel_type *string_type(struct check *v, const struct json *schema)
{
	struct str format = TEXT(schema, "format");
	const struct json *values = GET(schema, "enum");
	uint64_t otherwise = REQUEST_MAX - 2;
	if (str_is(format, "duration"))
		return bounded(v, cel_duration, 32, 3);
	if (str_is(format, "date"))
		return bounded(v, cel_timestamp, 12, 12);
	if (str_is(format, "date-time"))
		return bounded(v, cel_timestamp, 27, 21);
	if (str_is(format, "byte"))
		return bounded(v, cel_bytes, limit_of(schema, "maxLength", otherwise), 2);
	if (GET(schema, "maxLength"))
		return bounded(v, cel_string, 4 * limit_of(schema, "maxLength", 0), 2);
	if (json_count(values) > 0)
		otherwise = longest_enum(values);
	return bounded(v, cel_string, otherwise, 2);
}

static const struct cel_type *list_type(struct check *v, const struct json *schema, struct str name,
					int depth)
{
	const struct json *items = GET(schema, "items");
	struct str item_name = arena_printf(v->arena, "%.*s.@idx", STR_FMT(name));
	if (!items || items->type != JSON_OBJECT)
		return NULL;
	const struct cel_type *item =
		type_of(v, items, item_name, IS(items, "x-kubernetes-embedded-resource"), depth);
	if (!item)
		return NULL;
	uint64_t fitting = (REQUEST_MAX - 2) / (item->min_bytes + 1);
	return bounded(v, (struct cel_type){.kind = CEL_LIST, .of = {item}},
		       limit_of(schema, "maxItems", fitting), 2);
}

static const struct cel_type *map_type(struct check *v, const struct json *schema, struct str name,
				       const struct json *values, int depth)
{
	struct str value_name = arena_printf(v->arena, "%.*s.@elem", STR_FMT(name));
	const struct cel_type *value =
		type_of(v, values, value_name, IS(values, "x-kubernetes-embedded-resource"), depth);
	if (!value)
		return NULL;
	uint64_t fitting = (REQUEST_MAX - 2) / (value->min_bytes + 6);
	const struct cel_type *key = bounded(v, cel_string, 0, 2);
	return bounded(v, (struct cel_type){.kind = CEL_MAP, .of = {key, value}},
		       limit_of(schema, "maxProperties", fitting), 2);
}

/* A property's name as an identifier; false: it cannot be one. */
static bool escape(struct check *v, struct str name, struct str *ret_word)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"__", "__underscores__"}, {".", "__dot__"}, {"-", "__dash__"}, {"/", "__slash__"}};
	CLEANUP_BUF word = BUF_INIT(JSON_MAX_BYTES);
	if (name.len == 0 || (name.at[0] >= '0' && name.at[0] <= '9'))
		return false;
	if (cel_is_reserved(name)) {
		*ret_word = arena_printf(v->arena, "__%.*s__", STR_FMT(name));
		return true;
	}
	for (size_t i = 0; i < name.len;) {
		size_t k = 0;
		char c = name.at[i];
		while (k < ARRAY_LEN(rows) &&
		       !str_has_prefix(str_skip(name, i), str_of(rows[k].from)))
			k++;
		if (k < ARRAY_LEN(rows)) {
			buf_add_cstr(&word, rows[k].to);
			i += strlen(rows[k].from);
			continue;
		}
		if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9'))
			return false;
		buf_add_char(&word, c);
		i++;
	}
	*ret_word = arena_str(v->arena, buf_str(&word));
	return true;
}

static bool is_required(const struct json *schema, struct str name)
{
	FOR_ITEMS(i, item, GET(schema, "required"))
	{
		if (str_eq(json_str(item), name))
			return true;
	}
	return false;
}

/* What every object has at its root, declared or not. */
static const struct json *with_root_properties(struct check *v, const struct json *properties)
{
	struct arena *a = v->arena;
	struct json *all = properties ? json_copy(a, properties) : json_object(a);
	struct json *text = json_object(a), *meta = json_object(a), *names = json_object(a);
	json_set(a, text, STR("type"), json_cstring(a, "string"));
	json_set(a, names, STR("name"), text);
	json_set(a, names, STR("generateName"), text);
	json_set(a, meta, STR("type"), json_cstring(a, "object"));
	json_set(a, meta, STR("properties"), names);
	json_set(a, all, STR("kind"), text);
	json_set(a, all, STR("apiVersion"), text);
	json_set(a, all, STR("metadata"), meta);
	return all;
}

static const struct cel_type *object_type(struct check *v, const struct json *schema,
					  struct str name, bool is_root, int depth)
{
	const struct json *properties = GET(schema, "properties");
	if (is_root)
		properties = with_root_properties(v, properties);
	size_t count = json_count(properties);
	struct cel_type t = {.kind = CEL_STRUCT, .name = name};
	struct cel_field *fields = ARENA_ARRAY(v->arena, struct cel_field, count + 1);
	uint64_t min_bytes = 2;
	for (size_t i = 0; i < count; i++) {
		struct json_member m = properties->object.members[i];
		struct str word;
		struct str type_name =
			arena_printf(v->arena, "%.*s.%.*s", STR_FMT(name), STR_FMT(m.key));
		const struct cel_type *type = type_of(v, m.value, type_name,
						      IS(m.value, "x-kubernetes-embedded-resource"),
						      depth);
		if (!type)
			continue;
		if (escape(v, m.key, &word))
			fields[t.field_count++] = (struct cel_field){word, type};
		if (is_required(schema, m.key) && !GET(m.value, "default"))
			min_bytes += m.key.len + type->min_bytes + 4;
	}
	t.fields = fields;
	return bounded(v, t, 0, min_bytes);
}

/* NULL: expressions cannot reach what the schema describes. */
static const struct cel_type *type_of(struct check *v, const struct json *schema, struct str name,
				      bool is_root, int depth)
{
	const struct json *others = GET(schema, "additionalProperties");
	struct str type = TEXT(schema, "type");
	if (depth > SCHEMA_LEVELS_MAX)
		return NULL;
	if (IS(schema, "x-kubernetes-int-or-string")) {
		uint64_t max = GET(schema, "maxLength") ? 4 * limit_of(schema, "maxLength", 0)
							: REQUEST_MAX - 2;
		return bounded(v, cel_dyn, max, 1);
	}
	if (str_is(type, "array"))
		return list_type(v, schema, name, depth + 1);
	if (str_is(type, "object") && others && others->type == JSON_OBJECT)
		return map_type(v, schema, name, others, depth + 1);
	if (str_is(type, "object"))
		return object_type(v, schema, name, is_root, depth + 1);
	if (str_is(type, "string"))
		return string_type(v, schema);
	if (str_is(type, "boolean"))
		return bounded(v, cel_bool, 0, 4);
	if (str_is(type, "number") || str_is(type, "integer"))
		return bounded(v, str_is(type, "number") ? cel_double : cel_int, 0, 1);
	return NULL;
}

/* ---- cost ---- */

static struct str too_dear(struct check *v, const char *what, uint64_t cost, uint64_t limit)
{
	static const char advice[] =
		"try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
		"arrays, maps, and strings are declared";
	double factor = (double)cost / (double)limit;
	if (factor > 100)
		return arena_printf(v->arena, "%s exceeds budget by factor of more than 100x (%s)",
				    what, advice);
	return arena_printf(v->arena, "%s exceeds budget by factor of %.*fx (%s)", what,
			    factor < 1.5 ? 6 : 1, factor, advice);
}

static void observe(struct rules_check *r, const struct path *at, uint64_t cost)
{
	struct dear_rule one = {.path = path_text(r->v, at), .cost = cost};
	size_t i = r->dearest_count;
	r->total = r->total > UINT64_MAX - cost ? UINT64_MAX : r->total + cost;
	if (cost < SCHEMA_COST_MAX / 100)
		return;
	for (; i > 0 && r->dearest[i - 1].cost < cost; i--)
		r->dearest[i] = r->dearest[i - 1];
	r->dearest[i] = one;
	if (r->dearest_count < DEAREST_SHOWN)
		r->dearest_count++;
}

/* How often a request can hold what takes so many bytes at least, each with a comma. */
static uint64_t most_copies(uint64_t min_bytes)
{
	return REQUEST_MAX / (min_bytes + 1);
}

static void count_cost(struct rules_check *r, const struct path *at, const char *what,
		       uint64_t cost)
{
	if (cost > RULE_COST_MAX)
		forbidden(r->v, at, "%.*s", STR_FMT(too_dear(r->v, what, cost, RULE_COST_MAX)));
	observe(r, at, cost);
}

/* ---- rules ---- */

static void refuse_rule(struct check *v, const struct path *at, const struct json *rule,
			const char *prefix, struct cel *c)
{
	bad(v, at, go_struct(v, "ValidationRule", rule), "%s%.*s", prefix,
	    STR_FMT(cel_faults_text(c)));
}

static void check_old_self(struct check *v, const struct path *at, const struct json *rule,
			   const struct place *p, bool uses_old)
{
	const struct json *optional = GET(rule, "optionalOldSelf");
	const struct path *rule_at = MEMBER(at, "rule");
	if (uses_old && p->uncorrelated.at)
		bad(v, rule_at, GET(rule, "rule"),
		    "oldSelf cannot be used on the uncorrelatable portion of the schema within "
		    "%.*s",
		    STR_FMT(p->uncorrelated));
	else if (!uses_old && optional)
		bad(v, MEMBER(at, "optionalOldSelf"), optional,
		    "may not be set if oldSelf is not used in rule");
}

static void check_message_expression(struct rules_check *r, const struct path *at,
				     const struct json *rule, const struct cel_env *env)
{
	CLEANUP_ARENA scratch = {};
	struct check *v = r->v;
	struct cel c;
	struct str text = TEXT(rule, "messageExpression");
	const struct path *here = MEMBER(at, "messageExpression");
	if (str_trim(text).len == 0 || !may_compile(v, here, text))
		return;
	if (!cel_compile(&c, &scratch, env, text))
		refuse_rule(v, here, rule, "messageExpression compilation failed: ", &c);
	else if (c.root->type->kind != CEL_STRING)
		bad(v, here, go_struct(v, "ValidationRule", rule),
		    "messageExpression must evaluate to a string");
	else
		count_cost(r, here, "estimated messageExpression cost", cel_cost_max(&c));
}

static void check_rule(struct rules_check *r, const struct path *at, const struct json *rule,
		       const struct place *p)
{
	CLEANUP_ARENA scratch = {};
	struct check *v = r->v;
	const struct path *here = MEMBER(at, "rule");
	const struct cel_type *old = p->type;
	struct str text = TEXT(rule, "rule");
	struct cel c;
	if (IS(rule, "optionalOldSelf"))
		old = arena_copy(v->arena,
				 &(struct cel_type){.kind = CEL_OPAQUE,
						    .name = STR("optional_type"),
						    .of = {p->type}},
				 sizeof(*old));
	struct cel_variable variables[] = {{STR("self"), p->type}, {STR("oldSelf"), old}};
	struct cel_env env = {.variables = variables, .variable_count = ARRAY_LEN(variables)};
	if (!may_compile(v, here, text))
		return;
	if (!cel_compile(&c, &scratch, &env, text)) {
		refuse_rule(v, here, rule, "compilation failed: ", &c);
		return;
	}
	if (c.root->type->kind != CEL_BOOL) {
		bad(v, here, go_struct(v, "ValidationRule", rule),
		    "cel expression must evaluate to a bool");
		return;
	}
	uint64_t copies = p->is_unbounded ? most_copies(p->type->min_bytes) : p->copies;
	count_cost(r, here, "estimated rule cost", times(cel_cost_max(&c), copies));
	check_message_expression(r, at, rule, &env);
	check_old_self(v, at, rule, p, c.uses_old);
}

static void check_place(struct rules_check *r, const struct json *schema, const struct place *p,
			int depth);

static void check_below(struct rules_check *r, const struct json *schema, struct place below,
			const struct json *bound, int depth)
{
	below.is_unbounded |= bound && bound->type == JSON_NULL;
	if (bound && bound->type != JSON_NULL)
		below.copies =
			times(below.copies, json_i64(bound) > 0 ? (uint64_t)json_i64(bound) : 0);
	if (below.type)
		check_place(r, schema, &below, depth + 1);
}

/* The limit, or null where there is none. */
static const struct json *bound_of(struct check *v, const struct json *schema, const char *member)
{
	const struct json *value = member_of(schema, str_of(member));
	return value ? value : json_null(v->arena);
}

static void check_properties(struct rules_check *r, const struct json *schema,
			     const struct place *p, struct place below, int depth)
{
	const struct json *properties = GET(schema, "properties");
	for (size_t i = 0; i < json_count(properties); i++) {
		struct json_member m = properties->object.members[i];
		struct str word;
		below.at = KEY(MEMBER(p->at, "properties"), m.key);
		below.type = escape(r->v, m.key, &word) ? cel_field_type(p->type, word) : NULL;
		check_below(r, m.value, below, NULL, depth);
	}
}

static void check_place(struct rules_check *r, const struct json *schema, const struct place *p,
			int depth)
{
	struct check *v = r->v;
	const struct json *items = GET(schema, "items");
	const struct json *others = GET(schema, "additionalProperties");
	struct place below = *p;
	bool is_atomic = str_is(TEXT(schema, "x-kubernetes-map-type"), "atomic");
	bool is_plain_list = items && !str_is(TEXT(schema, "x-kubernetes-list-type"), "map");
	if (depth > SCHEMA_LEVELS_MAX)
		return;
	if (!below.uncorrelated.at && (is_atomic || is_plain_list))
		below.uncorrelated = path_text(v, p->at);
	if (others && others->type == JSON_OBJECT && p->type->kind == CEL_MAP) {
		below.at = MEMBER(p->at, "additionalProperties");
		below.type = p->type->of[1];
		check_below(r, others, below, bound_of(v, schema, "maxProperties"), depth);
	}
	if (p->type->kind == CEL_STRUCT)
		check_properties(r, schema, p, below, depth);
	if (items && items->type == JSON_OBJECT && p->type->kind == CEL_LIST) {
		below.at = MEMBER(p->at, "items");
		below.type = p->type->of[0];
		check_below(r, items, below, bound_of(v, schema, "maxItems"), depth);
	}
	FOR_ITEMS(i, rule, GET(schema, "x-kubernetes-validations"))
	{
		check_rule(r, ITEM(MEMBER(p->at, "x-kubernetes-validations"), i), rule, p);
	}
}

const struct cel_type *schema_cel_type(struct check *v, const struct json *schema, bool is_root)
{
	return type_of(v, schema, STR("selfType"), is_root, 0);
}

void check_schema_rules(struct check *v, const struct path *at, const struct json *schema)
{
	struct rules_check r = {.v = v};
	struct place root = {.at = at, .copies = 1};
	root.type = schema_cel_type(v, schema, true);
	if (!root.type)
		return;
	check_place(&r, schema, &root, 0);
	if (r.total <= SCHEMA_COST_MAX)
		return;
	for (size_t i = 0; i < r.dearest_count; i++)
		field_error_add(v->errors, FIELD_ERROR_FORBIDDEN, r.dearest[i].path, NULL,
				"contributed to estimated rule cost total exceeding cost limit for "
				"entire OpenAPIv3 schema");
	forbidden(v, at, "%.*s",
		  STR_FMT(too_dear(v,
				   "x-kubernetes-validations estimated rule cost total for entire "
				   "OpenAPIv3 schema",
				   r.total, SCHEMA_COST_MAX)));
}
