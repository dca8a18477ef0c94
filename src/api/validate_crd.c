/* CustomResourceDefinition: names, versions, conversion, columns, subresources, and the structural
 * rules of its schemas. */
#include "api/validate-int.h"

static void check_mixed_case(struct check *v, const struct path *at, struct str name)
{
	struct faults f;
	char *low = arena_cstr(v->arena, name);
	if (name.len == 0) {
		required(v, at, "%s", "");
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		if (low[i] >= 'A' && low[i] <= 'Z')
			low[i] = (char)(low[i] - 'A' + 'a');
	name_check(&f, NAME_DNS_1035, str_n(low, name.len));
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, name, "may have mixed case, but should otherwise match: %s",
			 f.at[i]);
}

static void check_names(struct check *v, const struct path *at, const struct json *names)
{
	struct str kind = TEXT(names, "kind"), list_kind = TEXT(names, "listKind");
	check_required_name(v, MEMBER(at, "plural"), NAME_DNS_1035, TEXT(names, "plural"));
	check_required_name(v, MEMBER(at, "singular"), NAME_DNS_1035, TEXT(names, "singular"));
	check_mixed_case(v, MEMBER(at, "kind"), kind);
	check_mixed_case(v, MEMBER(at, "listKind"), list_kind);
	FOR_ITEMS(i, name, GET(names, "shortNames"))
	{
		check_name(v, ITEM(MEMBER(at, "shortNames"), i), NAME_DNS_1035, json_str(name));
	}
	if (kind.len > 0 && str_eq(kind, list_kind))
		bad_text(v, MEMBER(at, "listKind"), list_kind,
			 "kind and listKind may not be the same");
	FOR_ITEMS(k, category, GET(names, "categories"))
	{
		check_name(v, ITEM(MEMBER(at, "categories"), k), NAME_DNS_1035, json_str(category));
	}
}

/* ".spec.replicas", ".metadata.labels['a']" … */
static bool is_simple_path(struct str path)
{
	size_t i = 0;
	if (path.len < 2 || path.at[0] != '.')
		return false;
	while (i < path.len) {
		if (path.at[i] == '.') {
			size_t start = ++i;
			while (i < path.len && path.at[i] != '.' && path.at[i] != '[')
				i++;
			if (i == start)
				return false;
		} else if (path.at[i] == '[') {
			const char *end = memchr(path.at + i, ']', path.len - i);
			if (!end)
				return false;
			i = (size_t)(end - path.at) + 1;
		} else {
			return false;
		}
	}
	return true;
}

static void check_simple_path(struct check *v, const struct path *at, struct str path)
{
	if (path.len == 0)
		required(v, at, "%s", "");
	else if (!is_simple_path(path) || memchr(path.at, '~', path.len))
		bad_text(v, at, path, "must be a simple json path starting with .");
}

static void check_columns(struct check *v, const struct path *at, const struct json *columns)
{
	static const char types[] = "boolean,date,integer,number,string";
	static const char formats[] = "byte,date,date-time,double,float,int32,int64,password";
	FOR_ITEMS(i, column, columns)
	{
		const struct path *here = ITEM(at, i);
		struct str type = TEXT(column, "type"), format = TEXT(column, "format");
		check_required(v, MEMBER(here, "name"), TEXT(column, "name"));
		if (type.len == 0)
			required(v, MEMBER(here, "type"), "must be one of %s", types);
		else if (!text_in(type, types))
			bad_text(v, MEMBER(here, "type"), type, "must be one of %s", types);
		if (format.len > 0 && !text_in(format, formats))
			bad_text(v, MEMBER(here, "format"), format, "must be one of %s", formats);
		check_simple_path(v, MEMBER(here, "JSONPath"), TEXT(column, "jsonPath"));
	}
}

static void check_scale_path(struct check *v, const struct path *at, struct str path,
			     const char *under)
{
	size_t before = v->errors->count;
	check_simple_path(v, at, path);
	if (v->errors->count == before && !str_has_prefix(path, str_of(under)))
		bad_text(v, at, path, "should be a json path under %.*s", (int)strlen(under) - 1,
			 under);
}

static void check_subresources(struct check *v, const struct path *at,
			       const struct json *subresources)
{
	const struct json *scale = GET(subresources, "scale");
	const struct path *here = MEMBER(at, "scale");
	if (!scale)
		return;
	check_scale_path(v, MEMBER(here, "specReplicasPath"), TEXT(scale, "specReplicasPath"),
			 ".spec.");
	check_scale_path(v, MEMBER(here, "statusReplicasPath"), TEXT(scale, "statusReplicasPath"),
			 ".status.");
	if (TEXT(scale, "labelSelectorPath").len > 0)
		check_simple_path(v, MEMBER(here, "labelSelectorPath"),
				  TEXT(scale, "labelSelectorPath"));
}

static void check_selectable(struct check *v, const struct path *at, const struct json *fields)
{
	FOR_ITEMS(i, field, fields)
	{
		const struct path *here = MEMBER(ITEM(at, i), "jsonPath");
		struct str path = TEXT(field, "jsonPath");
		check_simple_path(v, here, path);
		for (size_t k = 0; path.len > 0 && k < i; k++)
			if (str_eq(TEXT(json_at(fields, k), "jsonPath"), path)) {
				duplicate(v, here, path);
				break;
			}
	}
}

/* ---- structural schemas ---- */

#define TYPES "array,boolean,integer,number,object,string"

static void check_schema(struct check *v, const struct path *at, const struct json *schema,
			 int depth);

static void check_list_type(struct check *v, const struct path *at, const struct json *schema)
{
	const struct json *type = GET(schema, "x-kubernetes-list-type");
	const struct json *keys = GET(schema, "x-kubernetes-list-map-keys");
	const struct path *keys_at = MEMBER(at, "x-kubernetes-list-map-keys");
	if (!type)
		return;
	if (!str_is(TEXT(schema, "type"), "array"))
		bad_text(v, MEMBER(at, "type"), TEXT(schema, "type"),
			 "must be array if x-kubernetes-list-type is specified");
	check_enum(v, MEMBER(at, "x-kubernetes-list-type"), json_str(type), "atomic,set,map");
	if (!str_is(json_str(type), "map"))
		return;
	if (json_count(keys) == 0)
		required(v, keys_at, "must not be empty if x-kubernetes-list-type is map");
	FOR_ITEMS(i, key, keys)
	{
		if (!json_get(GET(GET(schema, "items"), "properties"), json_str(key))) {
			bad(v, keys_at, keys, "entries must all be names of item properties");
			break;
		}
	}
}

static void check_schema_type(struct check *v, const struct path *at, const struct json *schema,
			      const char *of)
{
	struct str type = TEXT(schema, "type");
	bool is_free = IS(schema, "x-kubernetes-int-or-string") ||
		       IS(schema, "x-kubernetes-preserve-unknown-fields");
	if (type.len == 0 && !is_free)
		required(v, MEMBER(at, "type"), "must not be empty %s", of);
	else if (type.len > 0)
		check_enum(v, MEMBER(at, "type"), type, TYPES);
}

static void check_logical(struct check *v, const struct path *at, const struct json *schema)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
	if (IS(schema, "x-kubernetes-int-or-string"))
		return;
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, part, json_get(schema, str_of(lists[l])))
		{
			if (TEXT(part, "type").len > 0)
				forbidden(v, MEMBER(ITEM(MEMBER(at, lists[l]), i), "type"),
					  "must be empty to be structural");
		}
}

static void check_rules_of_schema(struct check *v, const struct path *at, const struct json *rules)
{
	FOR_ITEMS(i, rule, rules)
	{
		if (str_trim(TEXT(rule, "rule")).len == 0)
			required(v, MEMBER(ITEM(at, i), "rule"), "rule is not specified");
	}
}

static void check_properties(struct check *v, const struct path *at, const struct json *properties,
			     int depth)
{
	for (size_t i = 0; i < json_count(properties); i++) {
		struct json_member m = properties->object.members[i];
		const struct path *here = KEY(at, m.key);
		check_schema_type(v, here, m.value, "for specified object fields");
		check_schema(v, here, m.value, depth + 1);
	}
}

static void check_schema(struct check *v, const struct path *at, const struct json *schema,
			 int depth)
{
	const struct json *preserve = GET(schema, "x-kubernetes-preserve-unknown-fields");
	const struct json *items = GET(schema, "items");
	const struct json *map_type = GET(schema, "x-kubernetes-map-type");
	if (depth > 100)
		return;
	if (TEXT(schema, "$ref").len > 0)
		forbidden(v, MEMBER(at, "$ref"), "$ref is not supported");
	if (preserve && !json_is_true(preserve))
		bad(v, MEMBER(at, "x-kubernetes-preserve-unknown-fields"), preserve,
		    "must be true or undefined");
	check_list_type(v, at, schema);
	if (map_type)
		check_enum(v, MEMBER(at, "x-kubernetes-map-type"), json_str(map_type),
			   "atomic,granular");
	if (str_is(TEXT(schema, "type"), "array") && !items)
		required(v, MEMBER(at, "items"), "must be specified");
	check_logical(v, at, schema);
	check_rules_of_schema(v, MEMBER(at, "x-kubernetes-validations"),
			      GET(schema, "x-kubernetes-validations"));
	check_properties(v, MEMBER(at, "properties"), GET(schema, "properties"), depth);
	if (items && items->type == JSON_ARRAY) {
		forbidden(v, MEMBER(at, "items"), "items must be a schema object and not an array");
	} else if (items) {
		check_schema_type(v, MEMBER(at, "items"), items, "for specified array items");
		check_schema(v, MEMBER(at, "items"), items, depth + 1);
	}
}

static void check_root_schema(struct check *v, const struct path *at, const struct json *schema)
{
	struct str type = TEXT(schema, "type");
	if (type.len == 0)
		required(v, MEMBER(at, "type"), "must not be empty at the root");
	else if (!str_is(type, "object"))
		bad_text(v, MEMBER(at, "type"), type, "must be object at the root");
	check_schema(v, at, schema, 0);
}

/* ---- versions ---- */

/* Where all versions share a part, upstream holds it once, above them. */
static bool is_shared(const struct json *versions, const char *name)
{
	for (size_t i = 1; i < json_count(versions); i++)
		if (!value_equal(json_get(json_at(versions, 0), str_of(name)),
				 json_get(json_at(versions, i), str_of(name))))
			return false;
	return true;
}

static void check_version(struct check *v, const struct path *at, const struct json *versions,
			  size_t i)
{
	const struct json *version = json_at(versions, i);
	const struct json *schema = GET(GET(version, "schema"), "openAPIV3Schema");
	bool is_first = i == 0, is_top = json_count(versions) == 1;
	const struct path *spec_at = ROOT("spec");
	const struct path *columns_at = is_shared(versions, "additionalPrinterColumns") && is_top
						? MEMBER(spec_at, "additionalPrinterColumns")
						: MEMBER(at, "additionalPrinterColumns");
	const struct path *schema_at = MEMBER(MEMBER(at, "schema"), "openAPIV3Schema");
	check_name(v, MEMBER(at, "name"), NAME_DNS_1035, TEXT(version, "name"));
	if (!schema)
		required(v, schema_at, "%s", "");
	if (!is_first && is_shared(versions, "schema"))
		return;
	if (schema)
		check_root_schema(v,
				  is_top ? MEMBER(MEMBER(spec_at, "validation"), "openAPIV3Schema")
					 : schema_at,
				  schema);
	check_columns(v, columns_at, GET(version, "additionalPrinterColumns"));
	check_subresources(v, is_top ? MEMBER(spec_at, "subresources") : MEMBER(at, "subresources"),
			   GET(version, "subresources"));
	check_selectable(
		v, is_top ? MEMBER(spec_at, "selectableFields") : MEMBER(at, "selectableFields"),
		GET(version, "selectableFields"));
}

static void check_versions(struct check *v, const struct path *at, const struct json *versions)
{
	size_t stored = 0;
	bool is_twice = false;
	for (size_t i = 0; i < json_count(versions); i++) {
		check_version(v, ITEM(at, i), versions, i);
		stored += IS(json_at(versions, i), "storage");
		for (size_t k = 0; k < i; k++)
			is_twice |= str_eq(TEXT(json_at(versions, k), "name"),
					   TEXT(json_at(versions, i), "name"));
	}
	struct json *shown = versions ? json_array(v->arena) : json_null(v->arena);
	FOR_ITEMS(i, version, versions)
	{
		json_append(v->arena, shown,
			    go_struct(v, "CustomResourceDefinitionVersion", version));
	}
	if (is_twice)
		bad(v, at, shown, "must contain unique version names");
	if (stored != 1)
		bad(v, at, shown, "must have exactly one version marked as storage version");
}

static void check_conversion(struct check *v, const struct path *at, const struct json *conversion)
{
	static const char message[] = "should not be set when strategy is not set to Webhook";
	const struct json *webhook = GET(conversion, "webhook");
	const struct json *client = GET(webhook, "clientConfig");
	const struct json *versions = GET(webhook, "conversionReviewVersions");
	const struct path *client_at = MEMBER(at, "webhookClientConfig");
	const struct path *versions_at = MEMBER(at, "conversionReviewVersions");
	struct str strategy = TEXT(conversion, "strategy");
	if (!conversion)
		return;
	check_required_enum(v, MEMBER(at, "strategy"), strategy, "None,Webhook");
	if (strategy.len == 0)
		return;
	if (!str_is(strategy, "Webhook")) {
		if (client)
			forbidden(v, client_at, "%s", message);
		if (json_count(versions) > 0)
			forbidden(v, versions_at, "%s", message);
		return;
	}
	if (!client)
		required(v, client_at, "required when strategy is set to Webhook");
	else
		check_webhook_client(v, client_at, client);
	if (json_count(versions) == 0)
		required(v, versions_at, "%s", "");
	else
		check_review_versions(v, versions_at, versions);
}

static void check_name_and_group(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	struct str name = TEXT(GET(tree, "metadata"), "name"), group = TEXT(spec, "group");
	struct str expected = arena_printf(
		v->arena, "%.*s.%.*s", STR_FMT(TEXT(GET(spec, "names"), "plural")), STR_FMT(group));
	const struct path *group_at = MEMBER(ROOT("spec"), "group");
	if (name.len > 0 && !str_eq(name, expected))
		bad_text(v, MEMBER(ROOT("metadata"), "name"), name,
			 "must be spec.names.plural+\".\"+spec.group");
	if (group.len == 0)
		required(v, group_at, "%s", "");
	else if (!name_is(NAME_DNS_SUBDOMAIN, group))
		check_name(v, group_at, NAME_DNS_SUBDOMAIN, group);
	else if (!memchr(group.at, '.', group.len))
		bad_text(v, group_at, group, "should be a domain with at least one dot");
}

static bool is_protected(struct str group)
{
	return str_is(group, "k8s.io") || str_is(group, "kubernetes.io") ||
	       str_has_suffix(group, STR(".k8s.io")) ||
	       str_has_suffix(group, STR(".kubernetes.io"));
}

static void check_approval(struct check *v, const struct json *tree)
{
	static const char key[] = "api-approved.kubernetes.io";
	const struct json *annotations = GET(GET(tree, "metadata"), "annotations");
	if (is_protected(TEXT(GET(tree, "spec"), "group")) &&
	    json_str(json_get(annotations, str_of(key))).len == 0)
		required(v, KEY(MEMBER(ROOT("metadata"), "annotations"), str_of(key)),
			 "protected groups must have approval annotation \"%s\", see "
			 "https://github.com/kubernetes/enhancements/pull/1111",
			 key);
}

static void check_stored_versions(struct check *v, const struct json *tree)
{
	const struct json *stored = GET(GET(tree, "status"), "storedVersions");
	if (json_count(stored) == 0)
		bad(v, MEMBER(ROOT("status"), "storedVersions"), NULL,
		    "must have at least one stored version");
}

static void crd_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *versions = GET(spec, "versions");
	const struct path *at = ROOT("spec");
	check_name_and_group(v, tree);
	if (IS(spec, "preserveUnknownFields"))
		bad(v, MEMBER(at, "preserveUnknownFields"), GET(spec, "preserveUnknownFields"),
		    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
		    "spec.versions[*].schema instead");
	if (TEXT(spec, "scope").len == 0)
		required(v, MEMBER(at, "scope"), "%s", "");
	else
		check_enum(v, MEMBER(at, "scope"), TEXT(spec, "scope"), "Cluster,Namespaced");
	check_versions(v, MEMBER(at, "versions"), versions);
	check_names(v, MEMBER(at, "names"), GET(spec, "names"));
	check_conversion(v, MEMBER(at, "conversion"), GET(spec, "conversion"));
	check_approval(v, tree);
	check_stored_versions(v, tree);
}

static void crd_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	crd_rules(v, tree);
	check_immutable(v, MEMBER(at, "group"), GET(spec, "group"), GET(old, "group"));
	check_immutable(v, MEMBER(MEMBER(at, "names"), "plural"), GET(GET(spec, "names"), "plural"),
			GET(GET(old, "names"), "plural"));
	check_immutable(v, MEMBER(at, "scope"), GET(spec, "scope"), GET(old, "scope"));
}

const struct kind_rules validate_crd[] = {
	{"apiextensions.k8s.io", "CustomResourceDefinition", NAME_DNS_SUBDOMAIN, crd_rules,
	 crd_update_rules, false, NULL},
	{},
};
