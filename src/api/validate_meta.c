/* ObjectMeta, labels, selectors, conditions. */
#include "api/managed_fields.h"
#include "api/selector.h"
#include "api/validate-int.h"

#define ANNOTATIONS_MAX_BYTES (256 << 10)
#define SUBRESOURCE_MAX_BYTES 256

void check_labels(struct check *v, const struct path *at, const struct json *labels)
{
	for (size_t i = 0; i < json_count(labels); i++) {
		struct json_member m = labels->object.members[i];
		check_name(v, at, NAME_QUALIFIED, m.key);
		check_name(v, at, NAME_LABEL_VALUE, json_str(m.value));
	}
}

static struct str lower(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	return str_n(out, s.len);
}

void check_annotations(struct check *v, const struct path *at, const struct json *annotations)
{
	size_t total = 0;
	for (size_t i = 0; i < json_count(annotations); i++) {
		struct json_member m = annotations->object.members[i];
		struct faults f;
		name_check(&f, NAME_QUALIFIED, lower(v->arena, m.key));
		for (size_t k = 0; k < f.count; k++)
			bad_text(v, at, m.key, "%s", f.at[k]);
		total += m.key.len + json_str(m.value).len;
	}
	if (total > ANNOTATIONS_MAX_BYTES)
		too_long(v, at, ANNOTATIONS_MAX_BYTES);
}

static void check_owner(struct check *v, const struct path *at, const struct json *owner)
{
	struct str version = TEXT(owner, "apiVersion"), group, tail;
	bool has_group = str_cut(version, '/', &group, &tail);
	bool is_odd = has_group && (tail.len == 0 || memchr(tail.at, '/', tail.len));
	if (version.len == 0 || is_odd)
		bad_text(v, MEMBER(at, "apiVersion"), version, "version must not be empty");
	if (TEXT(owner, "kind").len == 0)
		bad_text(v, MEMBER(at, "kind"), STR(""), "must not be empty");
	if (TEXT(owner, "name").len == 0)
		bad_text(v, MEMBER(at, "name"), STR(""), "must not be empty");
	if (TEXT(owner, "uid").len == 0)
		bad_text(v, MEMBER(at, "uid"), STR(""), "must not be empty");
	if (str_is(version, "v1") && str_is(TEXT(owner, "kind"), "Event"))
		bad(v, at, owner, "/v1, Kind=Event is disallowed from being an owner");
}

static void check_owners(struct check *v, const struct path *at, const struct json *owners)
{
	const struct json *controller = NULL;
	FOR_ITEMS(i, owner, owners)
	{
		check_owner(v, at, owner);
		if (!IS(owner, "controller"))
			continue;
		if (controller)
			bad(v, at, owners,
			    "Only one reference can have Controller set to true. Found \"true\" in "
			    "references for %.*s/%.*s and %.*s/%.*s",
			    STR_FMT(TEXT(controller, "kind")), STR_FMT(TEXT(controller, "name")),
			    STR_FMT(TEXT(owner, "kind")), STR_FMT(TEXT(owner, "name")));
		controller = owner;
	}
}

static bool is_plain_standard(struct str name)
{
	return text_in(name, "kubernetes,orphan,foregroundDeletion");
}

static void check_finalizers(struct check *v, const struct path *at, const struct json *finalizers)
{
	bool orphans = false, foreground = false;
	FOR_ITEMS(i, item, finalizers)
	{
		check_name(v, at, NAME_QUALIFIED, json_str(item));
		orphans |= str_is(json_str(item), "orphan");
		foreground |= str_is(json_str(item), "foregroundDeletion");
	}
	if (orphans && foreground)
		bad(v, at, finalizers,
		    "finalizer orphan and foregroundDeletion cannot be both set");
}

static bool is_generic(const struct api_kind *kind)
{
	static const char *const groups[] = {"apiextensions.k8s.io", "coordination.k8s.io",
					     "apiregistration.k8s.io",
					     "admissionregistration.k8s.io", "node.k8s.io"};
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (str_is(kind->group, groups[i]))
			return true;
	return false;
}

/* Kinds of the core server add their own rule; the generic groups do not. */
static void check_finalizer_domains(struct check *v, const struct json *meta)
{
	const struct path *at = MEMBER(ROOT("metadata"), "finalizers");
	if (is_generic(v->kind))
		return;
	FOR_ITEMS(i, item, GET(meta, "finalizers"))
	{
		struct str name = json_str(item);
		if (!memchr(name.at, '/', name.len) && !is_plain_standard(name))
			bad_text(v, ITEM(at, i), name,
				 "name is neither a standard finalizer name nor is it fully "
				 "qualified");
	}
}

static void check_meta_names(struct check *v, const struct path *at, const struct json *meta,
			     enum name_rule rule)
{
	struct faults f;
	struct str generate = TEXT(meta, "generateName"), name = TEXT(meta, "name");
	struct str namespace = TEXT(meta, "namespace");
	if (generate.len > 0) {
		name_check_prefix(&f, rule, generate);
		for (size_t i = 0; i < f.count; i++)
			bad_text(v, MEMBER(at, "generateName"), generate, "%s", f.at[i]);
	}
	if (name.len == 0)
		required(v, MEMBER(at, "name"), "name or generateName is required");
	else
		check_name(v, MEMBER(at, "name"), rule, name);
	if (!v->kind->is_namespaced && namespace.len > 0)
		forbidden(v, MEMBER(at, "namespace"), "not allowed on this type");
	else if (v->kind->is_namespaced && namespace.len == 0)
		required(v, MEMBER(at, "namespace"), "%s", "");
	else if (namespace.len > 0)
		check_name(v, MEMBER(at, "namespace"), NAME_DNS_LABEL, namespace);
}

/* Each character that can not be printed, by its position in bytes. */
static void check_manager(struct check *v, const struct path *at, struct str manager)
{
	if (manager.len > MANAGER_MAX_BYTES)
		too_long(v, at, MANAGER_MAX_BYTES);
	for (size_t i = 0; i < manager.len; i++) {
		unsigned char c = (unsigned char)manager.at[i];
		if (c < ' ' || c == 0x7f)
			bad_text(v, at, manager, "invalid character U+%04X (at position %zu)", c,
				 i);
	}
}

static void check_managers(struct check *v, const struct path *at, const struct json *entries)
{
	FOR_ITEMS(i, entry, entries)
	{
		const struct path *here = ITEM(at, i);
		check_manager(v, MEMBER(here, "manager"), TEXT(entry, "manager"));
		if (TEXT(entry, "subresource").len > SUBRESOURCE_MAX_BYTES)
			too_long(v, MEMBER(here, "subresource"), SUBRESOURCE_MAX_BYTES);
	}
}

static void check_meta(struct check *v, const struct json *meta, enum name_rule rule)
{
	const struct path *at = ROOT("metadata");
	check_meta_names(v, at, meta, rule);
	check_not_negative(v, MEMBER(at, "generation"), GET(meta, "generation"));
	check_labels(v, MEMBER(at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"));
	check_owners(v, MEMBER(at, "ownerReferences"), GET(meta, "ownerReferences"));
	check_finalizers(v, MEMBER(at, "finalizers"), GET(meta, "finalizers"));
	check_managers(v, MEMBER(at, "managedFields"), GET(meta, "managedFields"));
}

void check_meta_create(struct check *v, const struct json *tree, enum name_rule rule)
{
	const struct json *meta = GET(tree, "metadata");
	check_meta(v, meta, rule);
	check_finalizer_domains(v, meta);
}

void check_meta_path_segment(struct check *v, const struct json *tree)
{
	check_meta(v, GET(tree, "metadata"), NAME_PATH_SEGMENT);
}

/* None may be added once the object is going. */
static void check_no_new_finalizers(struct check *v, const struct json *old,
				    const struct json *meta)
{
	struct json *added = json_array(v->arena);
	if (TEXT(old, "deletionTimestamp").len == 0)
		return;
	FOR_ITEMS(i, item, GET(meta, "finalizers"))
	{
		if (!json_has_text(GET(old, "finalizers"), json_str(item)))
			json_append(v->arena, added, (struct json *)item);
	}
	CLEANUP_BUF text = BUF_INIT(8192);
	if (json_count(added) == 0)
		return;
	FOR_ITEMS(k, item, added)
	buf_printf(&text, "%s\"%.*s\"", k ? ", " : "", STR_FMT(json_str(item)));
	forbidden(v, MEMBER(ROOT("metadata"), "finalizers"),
		  "no new finalizers can be added if the object is being deleted, found new "
		  "finalizers "
		  "[]string{%s}",
		  text.data);
}

void check_meta_change(struct check *v, const struct json *old_tree, const struct json *tree)
{
	static const char *const fixed[] = {"name",
					    "namespace",
					    "uid",
					    "creationTimestamp",
					    "deletionTimestamp",
					    "deletionGracePeriodSeconds"};
	const struct path *at = ROOT("metadata");
	const struct json *old = GET(old_tree, "metadata"), *meta = GET(tree, "metadata");
	check_no_new_finalizers(v, old, meta);
	if (INT(meta, "generation") < INT(old, "generation"))
		bad(v, MEMBER(at, "generation"), GET(meta, "generation"),
		    "must not be decremented");
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		check_immutable(v, MEMBER(at, fixed[i]), json_get(meta, str_of(fixed[i])),
				json_get(old, str_of(fixed[i])));
	check_labels(v, MEMBER(at, "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(at, "annotations"), GET(meta, "annotations"));
	check_owners(v, MEMBER(at, "ownerReferences"), GET(meta, "ownerReferences"));
	check_managers(v, MEMBER(at, "managedFields"), GET(meta, "managedFields"));
}

void check_meta_update(struct check *v, const struct json *old, const struct json *tree)
{
	check_meta_change(v, old, tree);
	check_finalizer_domains(v, GET(tree, "metadata"));
}

/* ---- selectors ---- */

static void check_selector_requirement(struct check *v, const struct path *at, const struct json *r)
{
	struct str op = TEXT(r, "operator");
	size_t values = COUNT(r, "values");
	if (text_in(op, "In,NotIn")) {
		if (values == 0)
			required(v, MEMBER(at, "values"),
				 "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (text_in(op, "Exists,DoesNotExist")) {
		if (values > 0)
			forbidden(v, MEMBER(at, "values"),
				  "may not be specified when `operator` is 'Exists' or "
				  "'DoesNotExist'");
	} else {
		bad_text(v, MEMBER(at, "operator"), op, "not a valid selector operator");
	}
	check_name(v, MEMBER(at, "key"), NAME_QUALIFIED, TEXT(r, "key"));
	FOR_ITEMS(i, item, GET(r, "values"))
	{
		check_name(v, ITEM(MEMBER(at, "values"), i), NAME_LABEL_VALUE, json_str(item));
	}
}

void check_label_selector(struct check *v, const struct path *at, const struct json *selector)
{
	if (!selector || selector->type != JSON_OBJECT)
		return;
	check_labels(v, MEMBER(at, "matchLabels"), GET(selector, "matchLabels"));
	FOR_ITEMS(i, r, GET(selector, "matchExpressions"))
	{
		check_selector_requirement(v, ITEM(MEMBER(at, "matchExpressions"), i), r);
	}
}

bool selector_fits(struct check *v, const struct json *selector, const struct json *labels)
{
	struct selector s;
	return selector_from_tree(v->arena, selector, &s, NULL) == RC_OK &&
	       selector_matches_tree(&s, labels);
}

bool selector_is_sound(struct check *v, const struct json *selector)
{
	struct selector s;
	return !selector || selector_from_tree(v->arena, selector, &s, NULL) == RC_OK;
}

void check_conditions(struct check *v, const struct path *at, const struct json *conditions)
{
	FOR_ITEMS(i, c, conditions)
	{
		const struct path *here = ITEM(at, i);
		check_required_name(v, MEMBER(here, "type"), NAME_QUALIFIED, TEXT(c, "type"));
		if (is_text_repeated(v, conditions, i, "type"))
			duplicate(v, MEMBER(here, "type"), TEXT(c, "type"));
		check_enum(v, MEMBER(here, "status"), TEXT(c, "status"), "False,True,Unknown");
		check_not_negative(v, MEMBER(here, "observedGeneration"),
				   GET(c, "observedGeneration"));
		if (TEXT(c, "lastTransitionTime").len == 0)
			required(v, MEMBER(here, "lastTransitionTime"), "must be set");
		if (TEXT(c, "reason").len == 0)
			required(v, MEMBER(here, "reason"), "%s", "");
	}
}
