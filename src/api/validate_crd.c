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

static const struct json *property_at(struct check *v, const struct json *schema, struct str path)
{
	struct str name, rest = str_skip(path, 1);
	for (bool more = true; more && schema;) {
		more = str_cut(rest, '.', &name, &rest);
		schema = json_get(GET(schema, "properties"), name);
	}
	return schema;
}

static void check_selected(struct check *v, const struct path *at, const struct json *schema,
			   struct str path)
{
	const struct json *property = property_at(v, schema, path);
	if (!property)
		bad_text(v, at, path, "is an invalid path: does not refer to a valid field");
	else if (!text_in(TEXT(property, "type"), "boolean,integer,string"))
		bad_text(v, at, path,
			 "must point to a field of type string, boolean or integer. Enum string "
			 "fields and strings with formats are allowed.");
	else if (str_has_prefix(path, STR(".metadata.")))
		bad_text(v, at, path, "must not point to fields in metadata");
}

static void check_selectable(struct check *v, const struct path *at, const struct json *fields,
			     const struct json *schema)
{
	if (json_count(fields) > 0 && !schema) {
		bad_text(v, at, STR(""),
			 "may only be set when `version.schema.openAPIV3Schema` is not included");
		return;
	}
	if (json_count(fields) > 8)
		too_many(v, at, json_count(fields), 8);
	FOR_ITEMS(i, field, fields)
	{
		const struct path *here = MEMBER(ITEM(at, i), "jsonPath");
		struct str path = TEXT(field, "jsonPath");
		size_t before = v->errors->count;
		check_simple_path(v, here, path);
		if (v->errors->count == before)
			check_selected(v, here, schema, path);
		if (path.len > 0 && is_text_repeated(v, fields, i, "jsonPath"))
			duplicate(v, here, path);
	}
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

/* What a version may say for itself, or all of them together. */
enum part { PART_SCHEMA, PART_SUBRESOURCES, PART_COLUMNS, PART_SELECTABLE, PART_COUNT };

static const char *const part_names[PART_COUNT] = {
	[PART_SCHEMA] = "schema",
	[PART_SUBRESOURCES] = "subresources",
	[PART_COLUMNS] = "additionalPrinterColumns",
	[PART_SELECTABLE] = "selectableFields",
};

/* Of one version, or of all when they are shared; own has the names of the parts to look at. */
static void check_parts(struct check *v, const struct path *schema_at, const struct path *at,
			const struct json *version, const char *const own[PART_COUNT])
{
	const struct json *schema = GET(GET(version, "schema"), "openAPIV3Schema");
	if (own[PART_SCHEMA] && schema)
		check_root_schema(v, schema_at, schema);
	if (own[PART_SUBRESOURCES])
		check_subresources(v, MEMBER(at, "subresources"), GET(version, "subresources"));
	if (own[PART_COLUMNS])
		check_columns(v, MEMBER(at, "additionalPrinterColumns"),
			      GET(version, "additionalPrinterColumns"));
	if (own[PART_SELECTABLE])
		check_selectable(v, MEMBER(at, "selectableFields"),
				 GET(version, "selectableFields"), schema);
}

/* The parts that differ among versions, or those that do not. */
static void parts_of(const struct json *versions, bool is_shared_wanted,
		     const char *ret_own[PART_COUNT])
{
	for (size_t i = 0; i < PART_COUNT; i++)
		ret_own[i] = is_shared(versions, part_names[i]) == is_shared_wanted ? part_names[i]
										    : NULL;
}

static struct json *shown_versions(struct check *v, const struct json *versions)
{
	struct json *shown = versions ? json_array(v->arena) : json_null(v->arena);
	FOR_ITEMS(i, version, versions)
	{
		struct json *one = json_copy(v->arena, version);
		for (size_t k = 0; k < ARRAY_LEN(part_names); k++)
			if (is_shared(versions, part_names[k]))
				json_remove(one, str_of(part_names[k]));
		json_append(v->arena, shown, go_struct(v, "CustomResourceDefinitionVersion", one));
	}
	return shown;
}

static void check_versions(struct check *v, const struct path *at, const struct json *versions)
{
	const char *own[PART_COUNT];
	size_t stored = 0;
	bool is_twice = false;
	parts_of(versions, false, own);
	for (size_t i = 0; i < json_count(versions); i++) {
		const struct json *version = json_at(versions, i);
		const struct path *here = ITEM(at, i);
		const struct path *schema_at = MEMBER(MEMBER(here, "schema"), "openAPIV3Schema");
		check_name(v, MEMBER(here, "name"), NAME_DNS_1035, TEXT(version, "name"));
		if (!GET(GET(version, "schema"), "openAPIV3Schema"))
			required(v, schema_at, "%s", "");
		check_parts(v, schema_at, here, version, own);
		stored += IS(version, "storage");
		is_twice |= is_text_repeated(v, versions, i, "name");
	}
	if (is_twice)
		bad(v, at, shown_versions(v, versions), "must contain unique version names");
	if (stored != 1)
		bad(v, at, shown_versions(v, versions),
		    "must have exactly one version marked as storage version");
}

/* What all versions share, upstream holds once, above them. */
static void check_shared_parts(struct check *v, const struct path *at, const struct json *versions)
{
	const char *own[PART_COUNT];
	parts_of(versions, true, own);
	if (json_count(versions) > 0)
		check_parts(v, MEMBER(MEMBER(at, "validation"), "openAPIV3Schema"), at,
			    json_at(versions, 0), own);
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
		check_webhook_client(v, client_at, client, false);
	if (json_count(versions) == 0)
		required(v, versions_at, "%s", "");
	else
		check_review_versions(v, versions_at, versions);
}

static void check_name_and_group(struct check *v, const struct json *tree, bool is_new)
{
	const struct json *spec = GET(tree, "spec");
	struct str name = TEXT(GET(tree, "metadata"), "name"), group = TEXT(spec, "group");
	struct str prefix = TEXT(GET(tree, "metadata"), "generateName");
	struct str expected = arena_printf(
		v->arena, "%.*s.%.*s", STR_FMT(TEXT(GET(spec, "names"), "plural")), STR_FMT(group));
	const struct path *group_at = MEMBER(ROOT("spec"), "group");
	if (is_new && prefix.len > 0 && !str_eq(prefix, expected))
		bad_text(v, MEMBER(ROOT("metadata"), "generateName"), prefix,
			 "must be spec.names.plural+\".\"+spec.group");
	if (is_new && name.len > 0 && !str_eq(name, expected))
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
	const struct json *versions = GET(GET(tree, "spec"), "versions");
	const struct path *at = MEMBER(ROOT("status"), "storedVersions");
	struct json *left = stored ? json_copy(v->arena, stored) : json_array(v->arena);
	if (json_count(stored) == 0) {
		bad(v, at, json_null(v->arena), "must have at least one stored version");
		return;
	}
	FOR_ITEMS(i, version, versions)
	{
		struct str name = TEXT(version, "name");
		struct json *found = NULL;
		for (size_t k = 0; k < json_count(left); k++)
			if (str_eq(json_str(json_at(left, k)), name))
				found = json_at(left, k);
		if (IS(version, "storage") && !found)
			bad(v, at, stored, "must have the storage version %.*s", STR_FMT(name));
		if (found)
			*found = (struct json){.type = JSON_NULL};
	}
	FOR_ITEMS(m, name, left)
	{
		if (name->type == JSON_STRING)
			bad_text(v, ITEM(at, m), json_str(name), "must appear in spec.versions");
	}
}

static void crd_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *versions = GET(spec, "versions");
	const struct path *at = ROOT("spec");
	check_name_and_group(v, tree, !v->is_update);
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
	check_shared_parts(v, at, versions);
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
	 crd_update_rules, NULL},
	{},
};
