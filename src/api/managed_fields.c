#include "api/managed_fields.h"

#include <stdlib.h>

#include "api/api_ids.h"
#include "api/convert.h"
#include "api/decode.h"
#include "api/gotext.h"
#include "api/managed-int.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

struct managing {
	struct arena *a;
	const struct managed_request *q;
	struct managed_entries entries;
	struct managed_conflicts conflicts;
};

/* ---- Trees and versions ---- */

/* Go's new object of the kind: what a create is compared with. */
static struct json *zero_tree(struct arena *a, const struct managed_request *q)
{
	struct json *tree = json_object(a), *out = tree;
	json_add(a, tree, STR("kind"), json_string(a, q->kind->kind));
	json_add(a, tree, STR("apiVersion"), json_string(a, q->kind->api_version));
	if (!q->is_custom &&
	    api_normalise(a, api_type(api_builtin(), q->kind->type), tree, NULL, &out, NULL))
		return tree;
	return out;
}

/* tree in another version; NULL when the kind has no such version. */
static const struct json *tree_in_version(struct managing *m, const struct json *tree,
					  struct str api_version, struct schema_ref *ret_schema)
{
	const struct api_kind *from = m->q->kind;
	*ret_schema = m->q->schema;
	if (str_eq(api_version, from->api_version))
		return tree;
	if (m->q->is_custom) {
		struct str group, version;
		bool is_grouped = str_cut(api_version, '/', &group, &version);
		return is_grouped && str_eq(group, from->group) ? tree : NULL;
	}
	const struct api_kind *to = api_by_api_version(api_builtin(), api_version, from->kind);
	if (!to || to->stored_id != from->stored_id)
		return NULL;
	*ret_schema = schema_ref_type(api_type(api_builtin(), to->type));
	struct json *converted = convert_tree(m->a, from, to, json_copy(m->a, tree));
	struct json *normal;
	if (api_normalise(m->a, api_type(api_builtin(), to->type), converted, NULL, &normal, NULL))
		return NULL;
	return normal;
}

static struct json *without_managed(struct arena *a, const struct json *tree)
{
	struct json *copy = json_object(a);
	for (size_t i = 0; i < tree->object.count; i++) {
		const struct json_member *m = &tree->object.members[i];
		struct json *value = m->value;
		if (str_is(m->key, "metadata") && value->type == JSON_OBJECT) {
			value = json_object(a);
			for (size_t j = 0; j < m->value->object.count; j++)
				json_add(a, value, m->value->object.members[j].key,
					 m->value->object.members[j].value);
			json_remove(value, STR("managedFields"));
		}
		json_add(a, copy, m->key, value);
	}
	return copy;
}

/* What this way in cannot change: it owns nothing of it. */
static struct field_set reset_fields(const struct managing *m)
{
	struct field_set set = {};
	struct str subresource = m->q->subresource;
	if (!subresource.len && api_subresource(m->q->kind, STR("status")))
		field_set_add(m->a, &set, path_field(STR("status")), true, (struct field_set){});
	/* What a client asks for in a CertificateSigningRequest is not its own any more. */
	if (str_is(subresource, "status") ||
	    m->q->kind->stored_id == KIND_CERTIFICATE_SIGNING_REQUEST)
		field_set_add(m->a, &set, path_field(STR("spec")), true, (struct field_set){});
	return set;
}

static struct typed_diff difference(struct managing *m, struct schema_ref schema,
				    const struct json *before, const struct json *after)
{
	struct field_set reset = reset_fields(m);
	struct typed_diff d = typed_compare(m->a, schema, before, after);
	d.added = field_set_difference(m->a, &d.added, &reset, true);
	d.modified = field_set_difference(m->a, &d.modified, &reset, true);
	d.removed = field_set_difference(m->a, &d.removed, &reset, true);
	return d;
}

/* ---- Conflicts ---- */

static struct str conflict_name(struct arena *a, const struct managed_entry *e)
{
	CLEANUP_BUF text = BUF_INIT(4096);
	gotext_quote(&text, e->manager);
	if (e->subresource.len) {
		buf_add_cstr(&text, " with subresource ");
		gotext_quote(&text, e->subresource);
	}
	if (!e->is_apply)
		buf_printf(&text, " using %.*s", STR_FMT(e->api_version));
	return arena_str(a, buf_str(&text));
}

static void add_conflict(struct managing *m, struct str manager, const struct buf *path)
{
	struct managed_conflicts *c = &m->conflicts;
	size_t cap = c->count; /* grown one by one: there are few */
	c->items = arena_grow(m->a, c->items, c->count, &cap, sizeof(*c->items));
	c->items[c->count] = (struct managed_conflict){
		.manager = manager, .field = arena_str(m->a, buf_str(path)), .order = c->count};
	c->count++;
}

/* Members of one level come before what is below. */
static void add_conflicts(struct managing *m, struct str manager, const struct field_set *set,
			  struct buf *path)
{
	size_t len = path->len;
	for (int is_below = 0; is_below < 2; is_below++)
		for (size_t i = 0; i < set->count; i++) {
			const struct field_node *n = &set->nodes[i];
			path_write(path, &n->element);
			if (is_below)
				add_conflicts(m, manager, &n->below, path);
			else if (n->is_member)
				add_conflict(m, manager, path);
			path->len = len;
		}
}

static int compare_conflicts(const void *left, const void *right)
{
	const struct managed_conflict *x = left, *y = right;
	int order = str_cmp(x->manager, y->manager);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static enum rc conflict_error(const struct managed_conflicts *c, struct err *err)
{
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

/* ---- The heart: what the change takes from the others ---- */

struct change {
	const struct json *before, *after;
	const struct managed_entry *by; /* left alone */
};

/* In the version of e; false when the kind has no such version. */
static bool change_in_version(struct managing *m, const struct change *c, struct str api_version,
			      struct typed_diff *ret_diff)
{
	struct schema_ref schema;
	const struct json *before = tree_in_version(m, c->before, api_version, &schema);
	const struct json *after = tree_in_version(m, c->after, api_version, &schema);
	if (!before || !after)
		return false;
	*ret_diff = difference(m, schema, before, after);
	return true;
}

/* With is_forced owners lose what is changed; otherwise that is a conflict, and nothing is done. */
static void take_over(struct managing *m, const struct change *c, const struct typed_diff *own,
		      bool is_forced)
{
	struct field_set *left = ARENA_ARRAY(m->a, struct field_set, m->entries.count + 1);
	for (size_t i = 0; i < m->entries.count; i++) {
		struct managed_entry *e = &m->entries.items[i];
		struct typed_diff d = *own;
		CLEANUP_BUF path = BUF_INIT(1u << 16);
		left[i] = e->set;
		if (e == c->by || e->is_gone)
			continue;
		if (!str_eq(e->api_version, m->q->kind->api_version) &&
		    !change_in_version(m, c, e->api_version, &d)) {
			e->is_gone = true;
			continue;
		}
		struct field_set changed = field_set_union(m->a, &d.modified, &d.added);
		struct field_set lost = field_set_intersection(m->a, &e->set, &changed);
		if (lost.count)
			add_conflicts(m, conflict_name(m->a, e), &lost, &path);
		left[i] = field_set_difference(m->a, &e->set, &lost, false);
		left[i] = field_set_difference(m->a, &left[i], &d.removed, false);
	}
	if (m->conflicts.count && !is_forced)
		return;
	for (size_t i = 0; i < m->entries.count; i++) {
		struct managed_entry *e = &m->entries.items[i];
		e->set = left[i];
		e->is_gone |= e != c->by && !e->set.count;
	}
}

/* ---- Update ---- */

static struct str manager_or_unknown(struct str manager)
{
	return manager.len ? manager : STR("unknown");
}

/* A write by manager turned before into after. */
static void update(struct managing *m, const struct json *before, const struct json *after,
		   struct str manager)
{
	struct change change = {.before = before, .after = after};
	struct typed_diff d = difference(m, m->q->schema, before, after);
	take_over(m, &change, &d, true);
	m->conflicts = (struct managed_conflicts){};
	struct field_set set = field_set_union(m->a, &d.added, &d.modified);
	struct managed_entry mine = {.manager = manager_or_unknown(manager),
				     .api_version = m->q->kind->api_version,
				     .subresource = m->q->subresource,
				     .time_us = m->q->now_us,
				     .set = managed_without_meta(m->a, &set)};
	if (!mine.set.count)
		return;
	struct managed_entry *there = managed_entry_find(&m->entries, &mine);
	if (!there) {
		managed_entry_add(m->a, &m->entries, mine);
	} else {
		there->set = field_set_union(m->a, &mine.set, &there->set);
		there->time_us = m->q->now_us;
	}
	managed_cap(m->a, &m->entries);
}

static bool is_reset(const struct json *managed)
{
	return managed && managed->type == JSON_ARRAY &&
	       (managed->array.count == 0 ||
		(managed->array.count == 1 && json_count(managed->array.items[0]) == 0));
}

/* Entries the write starts from.  false: they are to be forgotten. */
static bool read_entries(struct managing *m, const struct json *old_tree,
			 const struct json *new_tree)
{
	const struct json *mine = json_path(new_tree, "metadata.managedFields");
	if (!old_tree)
		return true;
	if (!m->q->subresource.len && is_reset(mine))
		return false;
	bool is_mine = !m->q->subresource.len && json_count(mine) &&
		       managed_read(m->a, mine, &m->entries, NULL) == RC_OK && m->entries.count;
	if (!is_mine && managed_read(m->a, json_path(old_tree, "metadata.managedFields"),
				     &m->entries, NULL) != RC_OK)
		m->entries = (struct managed_entries){};
	return true;
}

void managed_update_with(struct arena *a, const struct managed_request *q,
			 const struct json *old_tree, struct json *new_tree)
{
	struct managing m = {.a = a, .q = q};
	bool is_tracked = read_entries(&m, old_tree, new_tree);
	/* An object that nobody tracks stays so until it is applied. */
	is_tracked = is_tracked && (!old_tree || m.entries.count);
	const struct json *before = old_tree ? without_managed(a, old_tree) : zero_tree(a, q);
	if (is_tracked)
		update(&m, before, without_managed(a, new_tree), q->manager);
	managed_write(a, &m.entries, new_tree);
}

static struct managed_request request_of(const struct api_kind *kind, struct str manager,
					 struct str subresource, int64_t now_us)
{
	return (struct managed_request){
		.kind = kind,
		.schema = schema_ref_type(api_type(api_builtin(), kind->type)),
		.manager = manager,
		.subresource = subresource,
		.now_us = now_us,
	};
}

void managed_update(struct arena *a, const struct api_kind *kind, const struct json *old_tree,
		    struct json *new_tree, struct str manager, struct str subresource,
		    int64_t now_us)
{
	struct managed_request q = request_of(kind, manager, subresource, now_us);
	managed_update_with(a, &q, old_tree, new_tree);
}

/* ---- Apply: removal of what is applied no more ---- */

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

/* merged without what the applier applied before, does not apply now, and nobody else owns. */
static const struct json *prune(struct managing *m, const struct json *merged,
				const struct managed_entry *last)
{
	struct schema_ref schema;
	if (!last->set.count)
		return merged;
	const struct json *tree = tree_in_version(m, merged, last->api_version, &schema);
	if (!tree)
		return merged;
	struct field_set last_named = typed_named_members(m->a, schema, &last->set);
	struct field_set owned = owned_in(m, last->api_version);
	struct json *pruned = typed_remove(m->a, schema, tree, &last_named);
	pruned = add_back_owned(m, schema, tree, pruned, &owned);
	for (size_t i = 0; i < m->entries.count; i++) {
		const struct managed_entry *e = &m->entries.items[i];
		struct schema_ref other;
		if (e->is_gone || str_eq(e->api_version, last->api_version))
			continue;
		/* Owned in another version: what the field is called there decides. */
		const struct json *there = tree_in_version(m, merged, e->api_version, &other);
		if (!there)
			continue;
		const struct api_kind *kind =
			api_by_api_version(api_builtin(), e->api_version, m->q->kind->kind);
		if (m->q->is_custom || !kind)
			continue;
		struct field_set theirs = typed_named_members(m->a, other, &e->set);
		struct field_set all = named_set(m, other, there);
		struct field_set unowned = field_set_difference(m->a, &all, &theirs, false);
		struct json *kept = typed_remove(m->a, other, there, &unowned);
		const struct json *back = convert_tree(
			m->a, kind,
			api_by_api_version(api_builtin(), last->api_version, kind->kind), kept);
		owned = typed_set(m->a, schema, back);
		pruned = add_back_owned(m, schema, tree, pruned, &owned);
	}
	pruned = add_back_dangling(m, schema, tree, pruned, &last_named);
	return back_from_version(m, pruned, last->api_version);
}

/* ---- Apply ---- */

static enum rc check_configuration(struct managing *m, const struct json *config, struct err *err)
{
	const struct api_kind *kind = m->q->kind;
	struct str version = json_path_str(config, "apiVersion"),
		   name = json_path_str(config, "kind");
	struct str group, rest;
	if (!str_cut(version, '/', &group, &rest)) {
		group = STR("");
		rest = version;
	}
	if (!str_eq(version, kind->api_version) || !str_eq(name, kind->kind))
		return err_set(err, RC_BAD_REQUEST, "invalid object type: %.*s/%.*s, Kind=%.*s",
			       STR_FMT(group), STR_FMT(rest), STR_FMT(name));
	const struct json *managed = json_path(config, "metadata.managedFields");
	if (managed && managed->type != JSON_NULL)
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
	struct managed_entry like = {.manager = manager_or_unknown(m->q->manager),
				     .api_version = m->q->kind->api_version,
				     .subresource = m->q->subresource,
				     .is_apply = true};
	struct managed_entry *there = managed_entry_find(&m->entries, &like);
	return there ? there : managed_entry_add(m->a, &m->entries, like);
}

static enum rc apply(struct managing *m, const struct json *live, const struct json *config,
		     bool is_forced, struct json **ret_tree, struct err *err)
{
	struct field_set reset = reset_fields(m);
	struct managed_entry *mine = applier(m);
	struct managed_entry last = *mine;
	const struct json *merged = typed_merge(m->a, m->q->schema, live, config);
	struct field_set set = typed_set(m->a, m->q->schema, config);
	set = field_set_difference(m->a, &set, &reset, true);
	mine->set = set;
	mine->api_version = m->q->kind->api_version;
	merged = prune(m, merged, &last);
	struct change change = {.before = live, .after = merged, .by = mine};
	struct typed_diff d = difference(m, m->q->schema, live, merged);
	take_over(m, &change, &d, is_forced);
	if (m->conflicts.count && !is_forced)
		return conflict_error(&m->conflicts, err);
	mine->set = managed_without_meta(m->a, &set);
	if (!typed_diff_is_empty(&d))
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

/* Conflicts about fields that kubectl applied on the client before are none. */
static bool are_from_last_applied(struct managing *m, const struct json *live)
{
	struct str text =
		json_str(json_get(json_path(live, "metadata.annotations"), STR(LAST_APPLIED)));
	struct json *last;
	if (!text.len || json_parse(m->a, text, &last, NULL, NULL) != RC_OK ||
	    last->type != JSON_OBJECT)
		return false;
	struct field_set allowed = typed_set(m->a, m->q->schema, last);
	for (size_t i = 0; i < m->conflicts.count; i++) {
		struct managing probe = {.a = m->a};
		CLEANUP_BUF path = BUF_INIT(1u << 16);
		bool is_allowed = false;
		add_conflicts(&probe, STR(""), &allowed, &path);
		for (size_t j = 0; j < probe.conflicts.count; j++)
			is_allowed |=
				str_eq(probe.conflicts.items[j].field, m->conflicts.items[i].field);
		if (!is_allowed)
			return false;
	}
	return true;
}

static enum rc apply_as_kubectl(struct managing *m, const struct json *live,
				const struct json *config, struct json **ret_tree, struct err *err)
{
	struct managed_entries before = m->entries;
	bool is_kubectl = str_is(m->q->manager, "kubectl");
	struct err first;
	before.items = arena_copy(m->a, before.items, before.count * sizeof(*before.items));
	enum rc rc = apply(m, live, config, m->q->is_forced, ret_tree, &first);
	if (rc != RC_CONFLICT || !is_kubectl || !are_from_last_applied(m, live))
		return rc == RC_OK ? rc : err_set(err, rc, "%s", first.text);
	m->entries = before;
	m->entries.cap = before.count;
	m->conflicts = (struct managed_conflicts){};
	return apply(m, live, config, true, ret_tree, err);
}

enum rc managed_apply_with(struct arena *a, const struct managed_request *q,
			   const struct json *live_tree, const struct json *applied_tree,
			   struct json **ret_tree, struct managed_conflicts *ret_conflicts,
			   struct err *err)
{
	struct managing m = {.a = a, .q = q};
	const struct json *live = live_tree ? without_managed(a, live_tree) : zero_tree(a, q);
	struct json *tree;
	TRY(check_configuration(&m, applied_tree, err));
	const struct json *managed = live_tree ? json_path(live_tree, "metadata.managedFields")
					       : NULL;
	if (managed_read(a, managed, &m.entries, err) != RC_OK)
		return err_wrap(err, "failed to decode managed fields");
	if (managed_entries_are_empty(&m.entries) && live_tree)
		update(&m, zero_tree(a, q), live, STR("before-first-apply"));
	enum rc rc = apply_as_kubectl(&m, live, applied_tree, &tree, err);
	if (rc == RC_CONFLICT && ret_conflicts)
		*ret_conflicts = m.conflicts;
	if (rc != RC_OK)
		return rc;
	tree = json_copy(a, tree);
	if (str_is(q->manager, "kubectl"))
		sync_last_applied(a, applied_tree, tree);
	if (!q->is_custom)
		TRY(api_normalise(a, api_type(api_builtin(), q->kind->type), tree, NULL, &tree,
				  err));
	managed_write(a, &m.entries, tree);
	*ret_tree = tree;
	return RC_OK;
}

enum rc managed_apply(struct arena *a, const struct api_kind *kind, const struct json *live_tree,
		      const struct json *applied_tree, struct str manager, bool is_forced,
		      struct str subresource, int64_t now_us, struct json **ret_tree,
		      struct managed_conflicts *ret_conflicts, struct err *err)
{
	struct managed_request q = request_of(kind, manager, subresource, now_us);
	q.is_forced = is_forced;
	return managed_apply_with(a, &q, live_tree, applied_tree, ret_tree, ret_conflicts, err);
}

struct str managed_from_agent(struct arena *a, struct str user_agent)
{
	struct str name, rest;
	CLEANUP_BUF text = BUF_INIT(MANAGER_MAX_BYTES);
	str_cut(user_agent, '/', &name, &rest);
	for (size_t i = 0; i < name.len && text.len < MANAGER_MAX_BYTES; i++)
		if ((unsigned char)name.at[i] >= ' ' && name.at[i] != 0x7f)
			buf_add_char(&text, name.at[i]);
	while (text.len && !utf8_is_valid(buf_str(&text)))
		text.len--; /* cut inside a letter */
	return arena_str(a, buf_str(&text));
}

/* ---- Comparison ---- */

static bool is_same_entry(const struct json *x, const struct json *y)
{
	static const char *const keys[] = {"manager", "operation", "apiVersion", "subresource",
					   "fieldsType"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!str_eq(json_path_str(x, keys[i]), json_path_str(y, keys[i])))
			return false;
	return json_equal(json_get(x, STR("fieldsV1")), json_get(y, STR("fieldsV1")));
}

static bool has_entry(const struct json *list, const struct json *entry)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (is_same_entry(json_at(list, i), entry))
			return true;
	return false;
}

bool managed_equal(const struct json *tree_a, const struct json *tree_b)
{
	const struct json *x = json_path(tree_a, "metadata.managedFields");
	const struct json *y = json_path(tree_b, "metadata.managedFields");
	if (json_count(x) != json_count(y))
		return false;
	for (size_t i = 0; i < json_count(x); i++)
		if (!has_entry(y, json_at(x, i)))
			return false;
	return true;
}
