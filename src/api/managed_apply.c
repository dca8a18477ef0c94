#include <stdlib.h>

#include "api/convert.h"
#include "api/decode.h"
#include "api/managed-int.h"
#include "api/strategic-int.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* ---- Conflicts ---- */

static int compare_conflicts(const void *left, const void *right)
{
	const struct managed_conflict *x = left, *y = right;
	int order = str_cmp(x->manager, y->manager);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* The message goes by manager; the conflicts themselves stay in the order of their owners. */
static enum rc conflict_error(struct arena *a, const struct managed_conflicts *conflicts,
			      struct err *err)
{
	struct managed_conflicts sorted = *conflicts, *c = &sorted;
	c->items = arena_copy(a, c->items, c->count * sizeof(*c->items));
	qsort(c->items, c->count, sizeof(*c->items), compare_conflicts);
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
	if (c->count == 1)
		return err_set(err, RC_CONFLICT,
			       "Apply failed with 1 conflict: conflict with %.*s: %.*s",
			       STR_FMT(c->items[0].manager), STR_FMT(c->items[0].field));
	for (size_t i = 0; i < c->count; i++) {
		if (!i || !str_eq(c->items[i].manager, c->items[i - 1].manager))
			buf_printf(&text, "%sconflicts with %.*s:", i ? "\n" : "",
				   STR_FMT(c->items[i].manager));
		buf_printf(&text, "\n- %.*s", STR_FMT(c->items[i].field));
	}
	return err_set(err, RC_CONFLICT, "Apply failed with %zu conflicts: %s", c->count,
		       text.data);
}

/* ---- Removal of what is applied no more ---- */

static const struct json *back_from_version(struct managing *m, struct json *tree,
					    struct str api_version)
{
	const struct api_kind *from =
		api_by_api_version(api_builtin(), api_version, m->q->kind->kind);
	if (m->q->is_custom || !from || from == m->q->kind)
		return tree;
	return convert_tree(m->a, from, m->q->kind, tree);
}

/* Fields that the applier, or anybody, owns in that version. */
static struct field_set owned_in(struct managing *m, struct str api_version)
{
	struct field_set owned = {};
	for (size_t i = 0; i < m->entries.count; i++) {
		const struct managed_entry *e = &m->entries.items[i];
		if (!e->is_gone && str_eq(e->api_version, api_version))
			owned = field_set_union(m->a, &owned, &e->set);
	}
	return owned;
}

static struct field_set named_set(struct managing *m, struct schema_ref schema,
				  const struct json *tree)
{
	struct field_set set = typed_set(m->a, schema, tree);
	return typed_named_members(m->a, schema, &set);
}

/* pruned with what owned names put back, as it is in merged. */
static struct json *add_back_owned(struct managing *m, struct schema_ref schema,
				   const struct json *merged, const struct json *pruned,
				   const struct field_set *owned)
{
	struct field_set all = named_set(m, schema, merged);
	struct field_set kept = named_set(m, schema, pruned);
	struct field_set named = typed_named_members(m->a, schema, owned);
	kept = field_set_union(m->a, &kept, &named);
	struct field_set gone = field_set_difference(m->a, &all, &kept, false);
	return typed_remove(m->a, schema, merged, &gone);
}

/* What was removed but was not the applier's comes back too. */
static struct json *add_back_dangling(struct managing *m, struct schema_ref schema,
				      const struct json *merged, const struct json *pruned,
				      const struct field_set *last)
{
	struct field_set all = named_set(m, schema, merged);
	struct field_set kept = named_set(m, schema, pruned);
	struct field_set gone = field_set_difference(m->a, &all, &kept, false);
	gone = field_set_intersection(m->a, &gone, last);
	return typed_remove(m->a, schema, merged, &gone);
}

/* The same for what e owns in another version: there its fields may have other names. */
static struct json *add_back_from_version(struct managing *m, struct schema_ref schema,
					  const struct api_kind *to, const struct managed_entry *e,
					  const struct json *merged, const struct json *tree,
					  struct json *pruned)
{
	struct schema_ref other;
	const struct json *there = managed_tree_in_version(m, merged, e->api_version, &other);
	const struct api_kind *from =
		api_by_api_version(api_builtin(), e->api_version, m->q->kind->kind);
	if (!there || !from || !to)
		return pruned;
	struct field_set theirs = typed_named_members(m->a, other, &e->set);
	struct field_set all = named_set(m, other, there);
	struct field_set unowned = field_set_difference(m->a, &all, &theirs, false);
	struct json *kept = typed_remove(m->a, other, there, &unowned);
	struct field_set owned = typed_set(m->a, schema, convert_tree(m->a, from, to, kept));
	return add_back_owned(m, schema, tree, pruned, &owned);
}

/* Then nothing is to be removed, and there is no need to find out what. */
static bool is_still_applied(struct managing *m, const struct managed_entry *last,
			     const struct managed_entry *now)
{
	struct field_set gone = field_set_difference(m->a, &last->set, &now->set, false);
	return !last->set.count || (!gone.count && str_eq(last->api_version, now->api_version));
}

/* merged without what the applier applied before, does not apply now, and nobody else owns. */
static const struct json *prune(struct managing *m, const struct json *merged,
				const struct managed_entry *last, const struct managed_entry *now)
{
	struct schema_ref schema;
	const struct api_kind *kind =
		api_by_api_version(api_builtin(), last->api_version, m->q->kind->kind);
	if (is_still_applied(m, last, now))
		return merged;
	const struct json *tree = managed_tree_in_version(m, merged, last->api_version, &schema);
	if (!tree)
		return merged;
	struct field_set last_named = typed_named_members(m->a, schema, &last->set);
	struct field_set owned = owned_in(m, last->api_version);
	struct json *pruned = typed_remove(m->a, schema, tree, &last_named);
	pruned = add_back_owned(m, schema, tree, pruned, &owned);
	for (size_t i = 0; i < m->entries.count && !m->q->is_custom; i++) {
		const struct managed_entry *e = &m->entries.items[i];
		if (!e->is_gone && !str_eq(e->api_version, last->api_version))
			pruned = add_back_from_version(m, schema, kind, e, merged, tree, pruned);
	}
	pruned = add_back_dangling(m, schema, tree, pruned, &last_named);
	return back_from_version(m, pruned, last->api_version);
}

/* ---- Apply ---- */

/* false: api_version is none, for it has more than one slash. */
static bool split_version(struct str api_version, struct str *ret_group, struct str *ret_version)
{
	if (!str_cut(api_version, '/', ret_group, ret_version)) {
		*ret_group = STR("");
		*ret_version = api_version;
	}
	if (managed_is_version(api_version))
		return true;
	*ret_group = *ret_version = STR("");
	return false;
}

static enum rc check_configuration(struct managing *m, const struct json *config, struct err *err)
{
	const struct api_kind *kind = m->q->kind;
	struct str version = json_path_str(config, "apiVersion"),
		   name = json_path_str(config, "kind");
	struct str group, rest;
	if (!split_version(version, &group, &rest))
		name = STR(""); /* no version at all: Go knows neither */
	if (!str_eq(version, kind->api_version) || !str_eq(name, kind->kind))
		return err_set(err, RC_BAD_REQUEST, "invalid object type: %.*s/%.*s, Kind=%.*s",
			       STR_FMT(group), STR_FMT(rest), STR_FMT(name));
	const struct json *managed = json_path(config, "metadata.managedFields");
	if (managed && managed->type == JSON_ARRAY)
		return err_set(err, RC_BAD_REQUEST, "metadata.managedFields must be nil");
	struct err fault;
	if (typed_check(m->q->schema, config, &fault) != RC_OK)
		return err_set(
			err, RC_INTERNAL,
			"failed to create typed patch object (%.*s/%.*s; %.*s/%.*s, Kind=%.*s): %s",
			STR_FMT(json_path_str(config, "metadata.namespace")),
			STR_FMT(json_path_str(config, "metadata.name")), STR_FMT(group),
			STR_FMT(rest), STR_FMT(name), fault.text);
	return RC_OK;
}

/* Who applied before; an entry without fields for a new applier. */
static struct managed_entry *applier(struct managing *m)
{
	struct managed_entry like = {.manager = managed_name(m->q->manager),
				     .api_version = m->q->kind->api_version,
				     .subresource = m->q->subresource,
				     .is_apply = true};
	struct managed_entry *there = managed_entry_find(&m->entries, &like);
	return there ? there : managed_entry_add(m->a, &m->entries, like);
}

static enum rc apply(struct managing *m, const struct json *live, const struct json *config,
		     bool is_forced, struct json **ret_tree, struct err *err)
{
	struct field_set reset = managed_reset_fields(m);
	struct managed_entry *mine = applier(m);
	struct managed_entry last = *mine;
	const struct json *merged = typed_merge(m->a, m->q->schema, live, config);
	struct field_set set = typed_set(m->a, m->q->schema, config);
	set = field_set_difference(m->a, &set, &reset, true);
	mine->set = set;
	mine->api_version = m->q->kind->api_version;
	merged = prune(m, merged, &last, mine);
	struct change change = {.before = live, .after = merged, .by = mine};
	struct typed_diff all = typed_compare(m->a, m->q->schema, live, merged);
	struct typed_diff d = managed_owned_difference(m, all);
	managed_take_over(m, &change, &d, is_forced);
	if (m->conflicts.count && !is_forced)
		return conflict_error(m->a, &m->conflicts, err);
	mine->set = managed_without_meta(m->a, &set);
	if (!typed_diff_is_empty(&all))
		mine->time_us = m->q->now_us;
	*ret_tree = (struct json *)merged;
	return RC_OK;
}

/* ---- Moving on from client-side apply ---- */

static void sort_tree(struct arena *a, struct json *v)
{
	if (v->type == JSON_ARRAY)
		for (size_t i = 0; i < v->array.count; i++)
			sort_tree(a, v->array.items[i]);
	if (v->type != JSON_OBJECT)
		return;
	struct json *sorted = json_object(a);
	struct field_set keys = {};
	for (size_t i = 0; i < v->object.count; i++) {
		sort_tree(a, v->object.members[i].value);
		field_set_add(a, &keys, path_field(v->object.members[i].key), true,
			      (struct field_set){});
	}
	for (size_t i = 0; i < keys.count; i++)
		json_add(a, sorted, keys.nodes[i].element.text,
			 json_get(v, keys.nodes[i].element.text));
	*v = *sorted;
}

/* kubectl's annotation follows what kubectl applies on the server. */
static void sync_last_applied(struct arena *a, const struct json *config, struct json *tree)
{
	struct json *annotations = json_path(tree, "metadata.annotations");
	if (!json_get(annotations, STR(LAST_APPLIED)))
		return;
	struct json *copy = json_copy(a, config);
	struct json *mine = json_path(copy, "metadata.annotations");
	if (mine)
		json_remove(mine, STR(LAST_APPLIED));
	sort_tree(a, copy);
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	json_write(&text, copy);
	buf_add_char(&text, '\n');
	json_set(a, annotations, STR(LAST_APPLIED), json_string(a, arena_str(a, buf_str(&text))));
}

/* What kubectl applied on the client, as far as the object still has it; false: nothing that
 * counts.
 */
static bool last_applied_set(struct managing *m, const struct json *live, struct field_set *ret_set)
{
	struct str text =
		json_str(json_get(json_path(live, "metadata.annotations"), STR(LAST_APPLIED)));
	struct json *last;
	if (!text.len || json_parse(m->a, text, &last, NULL, NULL) != RC_OK ||
	    !str_eq(json_path_str(last, "apiVersion"), m->q->kind->api_version) ||
	    typed_check(m->q->schema, last, NULL) != RC_OK)
		return false;
	struct field_set set = typed_set(m->a, m->q->schema, last);
	struct typed_diff d = typed_compare(m->a, m->q->schema, last, live);
	set = field_set_difference(m->a, &set, &d.modified, false);
	set = field_set_difference(m->a, &set, &d.added, false);
	*ret_set = field_set_difference(m->a, &set, &d.removed, false);
	return true;
}

static bool has_field(const struct managed_conflicts *c, struct str field)
{
	for (size_t i = 0; i < c->count; i++)
		if (str_eq(c->items[i].field, field))
			return true;
	return false;
}

/* Conflicts about fields that kubectl applied on the client before are none.  false: nothing is
 * known of such fields. */
static bool drop_last_applied(struct managing *m, const struct json *live)
{
	struct managing probe = {.a = m->a};
	struct field_set allowed;
	CLEANUP_BUF path = BUF_INIT(1u << 16);
	size_t kept = 0;
	if (!last_applied_set(m, live, &allowed))
		return false;
	managed_add_conflicts(&probe, STR(""), &allowed, &path);
	for (size_t i = 0; i < m->conflicts.count; i++)
		if (!has_field(&probe.conflicts, m->conflicts.items[i].field))
			m->conflicts.items[kept++] = m->conflicts.items[i];
	m->conflicts.count = kept;
	return true;
}

static enum rc apply_as_kubectl(struct managing *m, const struct json *live,
				const struct json *config, struct json **ret_tree, struct err *err)
{
	struct managed_entries before = m->entries;
	struct err first;
	before.items = arena_copy(m->a, before.items, before.count * sizeof(*before.items));
	enum rc rc = apply(m, live, config, m->q->is_forced, ret_tree, &first);
	if (rc == RC_OK)
		return rc;
	if (rc != RC_CONFLICT || !str_is(m->q->manager, "kubectl") || !drop_last_applied(m, live))
		return err_set(err, rc, "%s", first.text);
	if (m->conflicts.count)
		return conflict_error(m->a, &m->conflicts, err);
	m->entries = before;
	m->entries.cap = before.count;
	return apply(m, live, config, true, ret_tree, err);
}

/* The merged tree as the struct of its kind. */
static enum rc restore(struct managing *m, const struct json *config, struct json *tree,
		       struct json **ret_tree, struct err *err)
{
	const struct api_kind *kind = m->q->kind;
	const struct api_type *type = api_type(api_builtin(), kind->type);
	struct field_errors faults = {.arena = m->a};
	struct str group, version;
	struct err why, first;
	if (api_normalise(m->a, type, tree, NULL, ret_tree, &why) == RC_OK)
		return RC_OK;
	if (strategic_check_types(type, tree, config, &faults, &first) != RC_OK)
		why = first; /* in the words of the way that an apply takes */
	split_version(kind->api_version, &group, &version);
	return err_set(err, RC_INTERNAL,
		       "failed to convert new object (%.*s/%.*s; %.*s/%.*s, Kind=%.*s) to proper "
		       "version: unable to convert unstructured object to %.*s/%.*s, Kind=%.*s: %s",
		       STR_FMT(json_path_str(config, "metadata.namespace")),
		       STR_FMT(json_path_str(config, "metadata.name")), STR_FMT(group),
		       STR_FMT(version), STR_FMT(kind->kind), STR_FMT(group), STR_FMT(version),
		       STR_FMT(kind->kind), why.text);
}

enum rc managed_apply_with(struct arena *a, const struct managed_request *q,
			   const struct json *live_tree, const struct json *applied_tree,
			   struct json **ret_tree, struct managed_conflicts *ret_conflicts,
			   struct err *err)
{
	struct managing m = {.a = a, .q = q};
	const struct json *live = live_tree ? managed_without_managed(a, live_tree)
					    : managed_zero_tree(a, q);
	struct json *tree;
	TRY(check_configuration(&m, applied_tree, err));
	const struct json *managed = live_tree ? json_path(live_tree, "metadata.managedFields")
					       : NULL;
	if (managed_read(a, managed, &m.entries, err) != RC_OK)
		return err_wrap(err, "failed to decode managed fields");
	if (managed_entries_are_empty(&m.entries) && live_tree)
		managed_record(&m, managed_zero_tree(a, q), live, STR("before-first-apply"));
	enum rc rc = apply_as_kubectl(&m, live, applied_tree, &tree, err);
	if (rc == RC_CONFLICT && ret_conflicts)
		*ret_conflicts = m.conflicts;
	if (rc != RC_OK)
		return rc;
	tree = json_clone(a, tree);
	if (str_is(q->manager, "kubectl"))
		sync_last_applied(a, applied_tree, tree);
	if (!q->is_custom)
		TRY(restore(&m, applied_tree, tree, &tree, err));
	managed_write(a, &m.entries, tree);
	*ret_tree = tree;
	return RC_OK;
}

enum rc managed_apply(struct arena *a, const struct api_kind *kind, const struct json *live_tree,
		      const struct json *applied_tree, struct str manager, bool is_forced,
		      struct str subresource, int64_t now_us, struct json **ret_tree,
		      struct managed_conflicts *ret_conflicts, struct err *err)
{
	struct managed_request q = managed_request_of(kind, manager, subresource, now_us);
	q.is_forced = is_forced;
	return managed_apply_with(a, &q, live_tree, applied_tree, ret_tree, ret_conflicts, err);
}
