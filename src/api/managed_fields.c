#include "api/managed_fields.h"

#include <stdlib.h>

#include "api/api_ids.h"
#include "api/convert.h"
#include "api/decode.h"
#include "api/empty_lists.h"
#include "api/gotext.h"
#include "api/managed-int.h"

/* ---- Trees and versions ---- */

/* Go's new object of the kind: what a create is compared with. */
struct json *managed_zero_tree(struct arena *a, const struct managed_request *q)
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
const struct json *managed_tree_in_version(struct managing *m, const struct json *tree,
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

struct json *managed_without_managed(struct arena *a, const struct json *tree)
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

/* ---- What a way in cannot change ---- */

struct reset {
	uint16_t kind; /* KIND_NONE: any */
	const char *subresource;
	const char *outer, *inner; /* inner NULL: all of outer */
};

static const struct reset resets[] = {
	{KIND_NONE, "status", "spec", NULL},
	{KIND_API_SERVICE, "status", "metadata", NULL},
	{KIND_CERTIFICATE_SIGNING_REQUEST, "", "spec", NULL},
	{KIND_CERTIFICATE_SIGNING_REQUEST, "approval", "spec", NULL},
	{KIND_CERTIFICATE_SIGNING_REQUEST, "approval", "status", "certificate"},
	{KIND_CERTIFICATE_SIGNING_REQUEST, "status", "status", "conditions"},
	{KIND_CUSTOM_RESOURCE_DEFINITION, "status", "metadata", NULL},
	{KIND_DEPLOYMENT, "status", "metadata", "labels"},
	{KIND_FLOW_SCHEMA, "status", "metadata", NULL},
	{KIND_POD, "status", "metadata", "deletionTimestamp"},
	{KIND_POD, "status", "metadata", "ownerReferences"},
	{KIND_PRIORITY_LEVEL_CONFIGURATION, "status", "metadata", NULL},
	{KIND_RESOURCE_CLAIM, "status", "metadata", NULL},
	{KIND_VALIDATING_ADMISSION_POLICY, "status", "metadata", NULL},
	{KIND_VOLUME_ATTACHMENT, "status", "metadata", NULL},
};

static void add_reset(struct arena *a, struct field_set *set, const struct reset *r)
{
	struct field_set inner = {};
	if (r->inner)
		field_set_add(a, &inner, path_field(str_of(r->inner)), true, (struct field_set){});
	field_set_add(a, set, path_field(str_of(r->outer)), !r->inner, inner);
}

struct field_set managed_reset_fields(const struct managing *m)
{
	static const struct reset status = {KIND_NONE, "", "status", NULL};
	const struct api_kind *kind = m->q->kind;
	struct field_set set = {};
	if (!m->q->subresource.len && api_subresource(kind, STR("status")))
		add_reset(m->a, &set, &status);
	for (size_t i = 0; i < ARRAY_LEN(resets); i++)
		if (str_is(m->q->subresource, resets[i].subresource) &&
		    (resets[i].kind == KIND_NONE || resets[i].kind == kind->stored_id))
			add_reset(m->a, &set, &resets[i]);
	return set;
}

/* ---- Differences ---- */

struct typed_diff managed_difference(struct managing *m, struct schema_ref schema,
				     const struct json *before, const struct json *after)
{
	struct typed_diff d = typed_compare(m->a, schema, before, after);
	return managed_owned_difference(m, d);
}

struct typed_diff managed_owned_difference(const struct managing *m, struct typed_diff d)
{
	struct field_set reset = managed_reset_fields(m);
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
void managed_add_conflicts(struct managing *m, struct str manager, const struct field_set *set,
			   struct buf *path)
{
	size_t len = path->len;
	for (int is_below = 0; is_below < 2; is_below++)
		for (size_t i = 0; i < set->count; i++) {
			const struct field_node *n = &set->nodes[i];
			path_write(path, &n->element);
			if (is_below)
				managed_add_conflicts(m, manager, &n->below, path);
			else if (n->is_member)
				add_conflict(m, manager, path);
			path->len = len;
		}
}

/* ---- The heart: what the change takes from the others ---- */

/* In the version of e; false when the kind has no such version. */
static bool change_in_version(struct managing *m, const struct change *c, struct str api_version,
			      struct typed_diff *ret_diff)
{
	struct schema_ref schema;
	const struct json *before = managed_tree_in_version(m, c->before, api_version, &schema);
	const struct json *after = managed_tree_in_version(m, c->after, api_version, &schema);
	if (!before || !after)
		return false;
	*ret_diff = managed_difference(m, schema, before, after);
	return true;
}

/* With is_forced owners lose what is changed; otherwise that is a conflict, and nothing is done. */
void managed_take_over(struct managing *m, const struct change *c, const struct typed_diff *own,
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
			managed_add_conflicts(m, conflict_name(m->a, e), &lost, &path);
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

struct str managed_name(struct str manager)
{
	return manager.len ? manager : STR("unknown");
}

/* A write by manager turned before into after. */
void managed_record(struct managing *m, const struct json *before, const struct json *after,
		    struct str manager)
{
	struct change change = {.before = before, .after = after};
	struct typed_diff d = managed_difference(m, m->q->schema, before, after);
	managed_take_over(m, &change, &d, true);
	m->conflicts = (struct managed_conflicts){};
	struct field_set set = field_set_union(m->a, &d.added, &d.modified);
	struct managed_entry mine = {.manager = managed_name(manager),
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

/* Versions are versions, and entries of this one name nothing that the kind does not have. */
static bool are_declared(const struct managing *m)
{
	for (size_t i = 0; i < m->entries.count; i++) {
		const struct managed_entry *e = &m->entries.items[i];
		bool is_ours = str_eq(e->api_version, m->q->kind->api_version);
		if (!managed_is_version(e->api_version) ||
		    (is_ours && !typed_declares(m->q->schema, &e->set)))
			return false;
	}
	return true;
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
	if (is_mine && !are_declared(m)) {
		m->entries = (struct managed_entries){};
		return false;
	}
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
	const struct json *before = old_tree ? managed_without_managed(a, old_tree)
					     : managed_zero_tree(a, q);
	struct json *after = managed_without_managed(a, new_tree);
	if (!q->is_custom)
		after = api_without_empty_lists(a, api_type(api_builtin(), q->kind->type), after);
	if (is_tracked)
		managed_record(&m, before, after, q->manager);
	managed_write(a, &m.entries, new_tree);
}

struct managed_request managed_request_of(const struct api_kind *kind, struct str manager,
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
	struct managed_request q = managed_request_of(kind, manager, subresource, now_us);
	managed_update_with(a, &q, old_tree, new_tree);
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
