#include "api/defaults.h"

#include "api/quantity.h"
#include "api/rules-int.h"

static const struct kind_defaults *const groups[] = {defaults_core, defaults_apps, defaults_net,
						     defaults_other};

bool json_is_absent(const struct json *value)
{
	return !value || value->type == JSON_NULL ||
	       (value->type == JSON_STRING && value->string.len == 0);
}

/* The constants of the tables; the frequent forms without a parser. */
static struct json *value_of(struct arena *a, const char *text)
{
	struct str s = str_of(text);
	int64_t number;
	struct json *tree = NULL;
	if (text[0] == '"')
		return json_string(a, str_n(text + 1, s.len - 2));
	if (str_to_i64(s, &number))
		return json_int(a, number);
	if (str_is(s, "{}"))
		return json_object(a);
	enum rc rc = json_parse(a, s, &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	return tree;
}

static void set_absent(struct arena *a, struct json *parent, struct str name, const char *value)
{
	const struct json *had = json_get(parent, name);
	bool is_set = had && had->type != JSON_NULL;
	if (name.at[0] == '?') {
		name = str_skip(name, 1);
		is_set = !json_is_absent(json_get(parent, name));
	}
	if (parent->type == JSON_OBJECT && !is_set)
		json_set(a, parent, name, value_of(a, value));
}

/* Cuts "ports[].protocol" into "ports", its mark '[' or '{' (or 0) and the rest. */
static struct str segment_cut(const char **path, char *ret_mark)
{
	size_t len = strcspn(*path, ".[{");
	struct str name = str_n(*path, len);
	const char *rest = *path + len;
	*ret_mark = *rest == '[' || *rest == '{' ? *rest : '\0';
	if (*ret_mark)
		rest += 2;
	*path = *rest == '.' ? rest + 1 : rest;
	return name;
}

static struct json *child(const struct json *node, char mark, size_t i)
{
	return mark == '[' ? node->array.items[i] : node->object.members[i].value;
}

static bool fits_mark(const struct json *node, char mark)
{
	return node && node->type == (mark == '[' ? JSON_ARRAY : JSON_OBJECT);
}

void rule_apply(struct arena *a, struct json *tree, const char *path, const char *value)
{
	char mark;
	struct str name = segment_cut(&path, &mark);
	if (*path == '\0') {
		set_absent(a, tree, name, value);
		return;
	}
	struct json *node = json_get(tree, name);
	if (!mark) {
		if (node)
			rule_apply(a, node, path, value);
		return;
	}
	if (!fits_mark(node, mark))
		return;
	for (size_t i = 0; i < json_count(node); i++)
		rule_apply(a, child(node, mark, i), path, value);
}

void rules_apply(struct arena *a, struct json *tree, const struct default_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rule_apply(a, tree, rules[i].path, rules[i].value);
}

void tree_visit(struct arena *a, struct json *tree, const char *path,
		void (*visit)(struct arena *a, struct json *node))
{
	char mark;
	if (*path == '\0') {
		visit(a, tree);
		return;
	}
	struct json *node = json_get(tree, segment_cut(&path, &mark));
	if (!node)
		return;
	if (!mark) {
		tree_visit(a, node, path, visit);
		return;
	}
	if (!fits_mark(node, mark))
		return;
	for (size_t i = 0; i < json_count(node); i++)
		tree_visit(a, child(node, mark, i), path, visit);
}

static void round_one(struct arena *a, struct json *map)
{
	if (map->type != JSON_OBJECT)
		return;
	for (size_t i = 0; i < map->object.count; i++) {
		struct json_member *m = &map->object.members[i];
		struct quantity q;
		char text[QUANTITY_TEXT_MAX];
		if (quantity_parse(json_str(m->value), &q, NULL) != RC_OK)
			continue;
		size_t len = quantity_format(quantity_round_milli(q), text);
		if (!str_eq(json_str(m->value), str_n(text, len)))
			m->value = json_string(a, arena_str(a, str_n(text, len)));
	}
}

void tree_round_quantities(struct arena *a, struct json *tree, const char *path)
{
	tree_visit(a, tree, path, round_one);
}

void requests_from_limits(struct arena *a, struct json *resources)
{
	const struct json *limits = json_get(resources, STR("limits"));
	for (size_t i = 0; i < json_count(limits); i++) {
		struct json_member m = limits->object.members[i];
		struct json *requests = json_need_object(a, resources, STR("requests"));
		if (!json_get(requests, m.key))
			json_set(a, requests, m.key, m.value);
	}
}

static const struct kind_defaults *defaults_find(const struct api_kind *kind)
{
	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		for (const struct kind_defaults *d = groups[g]; d->kind; d++)
			if (str_is(kind->kind, d->kind) && str_is(kind->group, d->group) &&
			    (!d->version || str_is(kind->version, d->version)))
				return d;
	return NULL;
}

static void default_pod_spec_at(struct arena *a, struct json *node)
{
	if (node->type == JSON_OBJECT)
		api_default_pod_spec(a, node);
}

void api_default(struct arena *a, const struct api_kind *kind, struct json *tree)
{
	const struct kind_defaults *d = defaults_find(kind);
	ASSERT(tree->type == JSON_OBJECT);
	if (!d)
		return;
	rules_apply(a, tree, d->rules, d->rule_count);
	if (d->pod_spec)
		tree_visit(a, tree, d->pod_spec, default_pod_spec_at);
	if (d->code)
		d->code(a, tree);
}
