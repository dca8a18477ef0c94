/* Snapshots: the trees of all kinds as of one revision, shared and never changed. */
#include "base/mem.h"
#include "store/store-int.h"

static struct btree_key object_key(const void *value)
{
	const struct object *o = value;
	return (struct btree_key){o->namespace, o->name};
}

static void object_ref_value(void *value)
{
	object_ref(value);
}

static void object_unref_value(void *value)
{
	object_unref(value);
}

const struct btree_type object_tree_type = {object_key, object_ref_value, object_unref_value};

struct snapshot *snapshot_new(const struct btree *trees, uint32_t kind_count, int64_t revision)
{
	struct snapshot *s = mem_alloc(sizeof(*s) + kind_count * sizeof(s->trees[0]));
	atomic_init(&s->refs, 1);
	s->kind_count = kind_count;
	s->revision = revision;
	for (uint32_t i = 0; i < kind_count; i++)
		s->trees[i] = btree_copy(&trees[i]);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	int before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	ASSERT(before > 0);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s)
		return;
	int before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before > 1)
		return;
	for (uint32_t i = 0; i < s->kind_count; i++)
		btree_done(&s->trees[i]);
	free(s);
}

struct snapshot *store_snapshot(struct store *store)
{
	pthread_mutex_lock(&store->publish_lock);
	struct snapshot *s = snapshot_ref(store->published);
	pthread_mutex_unlock(&store->publish_lock);
	return s;
}

int64_t snapshot_revision(const struct snapshot *s)
{
	return s->revision;
}

static const struct btree *tree_of(const struct snapshot *s, uint16_t stored_id)
{
	ASSERT(stored_id < s->kind_count);
	return &s->trees[stored_id];
}

struct object *snapshot_get(const struct snapshot *s, uint16_t stored_id, struct str namespace,
			    struct str name)
{
	return btree_get(tree_of(s, stored_id), (struct btree_key){namespace, name});
}

size_t snapshot_count(const struct snapshot *s, uint16_t stored_id)
{
	return tree_of(s, stored_id)->count;
}

struct snapshot *snapshot_narrow(const struct snapshot *s, const uint16_t *stored_ids, size_t count)
{
	struct snapshot *narrow =
		mem_alloc(sizeof(*narrow) + s->kind_count * sizeof(narrow->trees[0]));
	atomic_init(&narrow->refs, 1);
	narrow->kind_count = s->kind_count;
	narrow->revision = s->revision;
	for (uint32_t i = 0; i < s->kind_count; i++)
		narrow->trees[i] = (struct btree){.type = &object_tree_type};
	for (size_t i = 0; i < count; i++)
		narrow->trees[stored_ids[i]] = btree_copy(tree_of(s, stored_ids[i]));
	return narrow;
}

bool snapshot_kind_is_same(const struct snapshot *a, const struct snapshot *b, uint16_t stored_id)
{
	return tree_of(a, stored_id)->root == tree_of(b, stored_id)->root;
}

void snapshot_iter_init(struct snapshot_iter *it, const struct snapshot *s, uint16_t stored_id,
			struct str namespace, struct str after_namespace, struct str after_name)
{
	const struct btree *tree = tree_of(s, stored_id);
	*it = (struct snapshot_iter){.snapshot = s, .stored_id = stored_id, .namespace = namespace};
	struct btree_key start = {namespace, {}};
	struct btree_key after = {after_namespace, after_name};
	if (after_name.at && btree_key_cmp(after, start) >= 0)
		btree_seek(&it->tree, tree, after, true);
	else if (namespace.at)
		btree_seek(&it->tree, tree, start, false);
	else
		btree_first(&it->tree, tree);
}

struct object *snapshot_next(struct snapshot_iter *it)
{
	struct object *o = btree_next(&it->tree);
	if (!o || !it->namespace.at || str_eq(o->namespace, it->namespace))
		return o;
	it->tree.depth = 0;
	return NULL;
}
