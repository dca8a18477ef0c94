/* A classic B-tree: values sit in all nodes, ITEMS_MIN to ITEMS_MAX in each but the root.
 *
 * Search inside a node touches almost only the node.  All keys of a node begin with the same `skip`
 * bytes (long runs: one namespace, one ReplicaSet's name); the eight bytes that follow are kept
 * beside the values as a big-endian number, the hint.  A search compares the prefix once, then
 * hints, and looks at a whole key only where hints are equal.  `skip` may be shorter than what the
 * keys really share; tune() sets it anew when a node is cut, joined or copied.
 *
 * Copy on write by reference counts: a node is changed in place when its count is 1 and so are
 * those of all nodes above it, which is what own() establishes on the way down.  Nobody else can
 * then reach the node to raise its count.
 *
 * Insertion splits full nodes, removal fills lean ones, both on the way down: one pass, no parents.
 */
#include "base/btree.h"

#include <endian.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/mem.h"

#define ITEMS_MAX  31
#define ITEMS_MIN  15
#define HINT_BYTES 8
#define SKIP_MAX   60000

struct btree_node {
	atomic_uint refs;
	uint16_t skip;
	uint8_t count;
	bool is_leaf;
	uint64_t hints[ITEMS_MAX];
	void *values[ITEMS_MAX];
	struct btree_node *children[]; /* ITEMS_MAX + 1, not in leaves */
};

/* --- keys: bytes of major, a zero, bytes of minor --- */

static size_t common_bytes(const char *a, const char *b, size_t len)
{
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t x, y;
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if (x != y)
			return i + (size_t)__builtin_ctzll(le64toh(x ^ y)) / 8;
	}
	while (i < len && a[i] == b[i])
		i++;
	return i;
}

static size_t key_common(struct btree_key a, struct btree_key b)
{
	size_t major = common_bytes(a.major.at, b.major.at, MIN(a.major.len, b.major.len));
	if (major < a.major.len || major < b.major.len)
		return major;
	return major + 1 + common_bytes(a.minor.at, b.minor.at, MIN(a.minor.len, b.minor.len));
}

/* -1 past the end. */
static int key_byte(struct btree_key key, size_t at)
{
	if (at < key.major.len)
		return (unsigned char)key.major.at[at];
	at -= key.major.len;
	if (at == 0)
		return 0;
	return at <= key.minor.len ? (unsigned char)key.minor.at[at - 1] : -1;
}

int btree_key_cmp(struct btree_key a, struct btree_key b)
{
	size_t common = key_common(a, b);
	return key_byte(a, common) - key_byte(b, common);
}

static uint64_t key_hint(struct btree_key key, size_t skip)
{
	if (skip > key.major.len && skip + HINT_BYTES <= key.major.len + 1 + key.minor.len) {
		uint64_t bytes;
		memcpy(&bytes, key.minor.at + (skip - key.major.len - 1), HINT_BYTES);
		return be64toh(bytes);
	}
	uint64_t hint = 0;
	for (size_t i = 0; i < HINT_BYTES; i++) {
		int byte = key_byte(key, skip + i);
		hint = hint << 8 | (uint64_t)MAX(byte, 0); /* zeros after the end */
	}
	return hint;
}

/* --- nodes --- */

static struct btree_node *node_new(bool is_leaf)
{
	size_t children = is_leaf ? 0 : (ITEMS_MAX + 1) * sizeof(struct btree_node *);
	struct btree_node *n = mem_alloc(sizeof(*n) + children);
	atomic_init(&n->refs, 1);
	n->is_leaf = is_leaf;
	return n;
}

static struct btree_node *node_ref(struct btree_node *n)
{
	unsigned before = atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	ASSERT(before > 0);
	return n;
}

static void node_unref(const struct btree_type *type, struct btree_node *n)
{
	unsigned before = atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before > 1)
		return;
	for (unsigned i = 0; i < n->count; i++)
		type->unref(n->values[i]);
	for (unsigned i = 0; !n->is_leaf && i <= n->count; i++)
		node_unref(type, n->children[i]);
	free(n);
}

static void set_hints(const struct btree_type *type, struct btree_node *n, size_t skip)
{
	n->skip = (uint16_t)skip;
	for (unsigned i = 0; i < n->count; i++)
		n->hints[i] = key_hint(type->key(n->values[i]), skip);
}

/* What all keys of the node share: the first and the last differ earliest. */
static size_t node_common(const struct btree_type *type, const struct btree_node *n)
{
	size_t common = key_common(type->key(n->values[0]), type->key(n->values[n->count - 1]));
	return MIN(common, SKIP_MAX);
}

/* Makes skip what the keys really share. */
static void tune(const struct btree_type *type, struct btree_node *n)
{
	if (n->count < 2)
		return;
	size_t common = node_common(type, n);
	if (common != n->skip)
		set_hints(type, n, common);
}

/* Before a value with this key enters the node. */
static void admit(const struct btree_type *type, struct btree_node *n, struct btree_key key)
{
	if (n->count == 0) {
		n->skip = 0;
		return;
	}
	size_t common = key_common(type->key(n->values[0]), key);
	if (common < n->skip)
		set_hints(type, n, common);
}

static struct btree_node *node_clone(const struct btree_type *type, struct btree_node *n)
{
	struct btree_node *copy = node_new(n->is_leaf);
	copy->skip = n->skip;
	copy->count = n->count;
	memcpy(copy->hints, n->hints, n->count * sizeof(n->hints[0]));
	for (unsigned i = 0; i < n->count; i++) {
		copy->values[i] = n->values[i];
		type->ref(n->values[i]);
	}
	for (unsigned i = 0; !n->is_leaf && i <= n->count; i++)
		copy->children[i] = node_ref(n->children[i]);
	tune(type, copy);
	return copy;
}

/* The node in *slot, whose parent is already ours, made ours. */
static struct btree_node *own(const struct btree_type *type, struct btree_node **slot)
{
	struct btree_node *n = *slot;
	if (atomic_load_explicit(&n->refs, memory_order_acquire) == 1)
		return n;
	*slot = node_clone(type, n);
	node_unref(type, n);
	return *slot;
}

/* The first position whose key is not below key. */
static unsigned find(const struct btree_type *type, const struct btree_node *n,
		     struct btree_key key, bool *ret_is_equal)
{
	*ret_is_equal = false;
	if (n->count == 0)
		return 0;
	if (n->skip > 0) {
		struct btree_key first = type->key(n->values[0]);
		size_t common = key_common(key, first);
		if (common < n->skip)
			return key_byte(key, common) < key_byte(first, common) ? 0 : n->count;
	}
	uint64_t hint = key_hint(key, n->skip);
	unsigned low = 0, high = n->count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int cmp = hint < n->hints[middle] ? -1 : hint > n->hints[middle];
		if (cmp == 0)
			cmp = btree_key_cmp(key, type->key(n->values[middle]));
		if (cmp == 0) {
			*ret_is_equal = true;
			return middle;
		}
		if (cmp < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* --- moving items inside and between nodes; hints move along when skip is the same --- */

static void item_insert(const struct btree_type *type, struct btree_node *n, unsigned at,
			void *value)
{
	struct btree_key key = type->key(value);
	ASSERT(n->count < ITEMS_MAX && at <= n->count);
	admit(type, n, key);
	memmove(&n->values[at + 1], &n->values[at], (n->count - at) * sizeof(n->values[0]));
	memmove(&n->hints[at + 1], &n->hints[at], (n->count - at) * sizeof(n->hints[0]));
	n->values[at] = value;
	n->hints[at] = key_hint(key, n->skip);
	n->count++;
}

static void *item_remove(struct btree_node *n, unsigned at)
{
	ASSERT(at < n->count);
	void *value = n->values[at];
	n->count--;
	memmove(&n->values[at], &n->values[at + 1], (n->count - at) * sizeof(n->values[0]));
	memmove(&n->hints[at], &n->hints[at + 1], (n->count - at) * sizeof(n->hints[0]));
	return value;
}

static void item_replace(const struct btree_type *type, struct btree_node *n, unsigned at,
			 void *value)
{
	struct btree_key key = type->key(value);
	admit(type, n, key);
	n->values[at] = value;
	n->hints[at] = key_hint(key, n->skip);
}

/* Room for a child at position at; count still counts what was there. */
static void child_insert(struct btree_node *n, unsigned at, struct btree_node *child,
			 unsigned child_count)
{
	memmove(&n->children[at + 1], &n->children[at],
		(child_count - at) * sizeof(n->children[0]));
	n->children[at] = child;
}

static struct btree_node *child_remove(struct btree_node *n, unsigned at, unsigned child_count)
{
	struct btree_node *child = n->children[at];
	memmove(&n->children[at], &n->children[at + 1],
		(child_count - at - 1) * sizeof(n->children[0]));
	return child;
}

/* Cuts the full child at position at in two, its median goes up; both are ours. */
static void child_split(const struct btree_type *type, struct btree_node *parent, unsigned at)
{
	struct btree_node *left = own(type, &parent->children[at]);
	struct btree_node *right = node_new(left->is_leaf);
	ASSERT(left->count == ITEMS_MAX);
	right->count = ITEMS_MAX - ITEMS_MIN - 1;
	right->skip = left->skip;
	memcpy(right->values, &left->values[ITEMS_MIN + 1],
	       right->count * sizeof(right->values[0]));
	memcpy(right->hints, &left->hints[ITEMS_MIN + 1], right->count * sizeof(right->hints[0]));
	if (!left->is_leaf)
		memcpy(right->children, &left->children[ITEMS_MIN + 1],
		       (right->count + 1u) * sizeof(right->children[0]));
	void *median = left->values[ITEMS_MIN];
	left->count = ITEMS_MIN;
	tune(type, right);
	tune(type, left);
	child_insert(parent, at + 1, right, parent->count + 1u);
	item_insert(type, parent, at, median);
}

/* Joins the children at and at + 1 with the value between them. */
static void child_join(const struct btree_type *type, struct btree_node *parent, unsigned at)
{
	struct btree_node *left = own(type, &parent->children[at]);
	struct btree_node *right = own(type, &parent->children[at + 1]);
	child_remove(parent, at + 1, parent->count + 1u);
	ASSERT(left->count + 1 + right->count <= ITEMS_MAX);
	left->values[left->count] = item_remove(parent, at);
	memcpy(&left->values[left->count + 1], right->values,
	       right->count * sizeof(right->values[0]));
	if (!left->is_leaf)
		memcpy(&left->children[left->count + 1], right->children,
		       (right->count + 1u) * sizeof(right->children[0]));
	left->count = (uint8_t)(left->count + 1 + right->count);
	set_hints(type, left, node_common(type, left));
	free(right);
}

static void borrow_from_left(const struct btree_type *type, struct btree_node *parent, unsigned at)
{
	struct btree_node *left = own(type, &parent->children[at - 1]);
	struct btree_node *child = own(type, &parent->children[at]);
	if (!child->is_leaf)
		child_insert(child, 0, left->children[left->count], child->count + 1u);
	item_insert(type, child, 0, parent->values[at - 1]);
	item_replace(type, parent, at - 1, item_remove(left, left->count - 1u));
}

static void borrow_from_right(const struct btree_type *type, struct btree_node *parent, unsigned at)
{
	struct btree_node *child = own(type, &parent->children[at]);
	struct btree_node *right = own(type, &parent->children[at + 1]);
	if (!child->is_leaf)
		child->children[child->count + 1] = child_remove(right, 0, right->count + 1u);
	item_insert(type, child, child->count, parent->values[at]);
	item_replace(type, parent, at, item_remove(right, 0));
}

/* Gives the child at position at more than ITEMS_MIN values; returns where it is now. */
static unsigned child_fill(const struct btree_type *type, struct btree_node *parent, unsigned at)
{
	if (parent->children[at]->count > ITEMS_MIN)
		return at;
	if (at > 0 && parent->children[at - 1]->count > ITEMS_MIN) {
		borrow_from_left(type, parent, at);
		return at;
	}
	if (at < parent->count && parent->children[at + 1]->count > ITEMS_MIN) {
		borrow_from_right(type, parent, at);
		return at;
	}
	if (at == parent->count)
		at--;
	child_join(type, parent, at);
	return at;
}

/* --- versions --- */

void btree_done(struct btree *t)
{
	if (t->root)
		node_unref(t->type, t->root);
	t->root = NULL;
	t->count = 0;
}

struct btree btree_copy(const struct btree *t)
{
	if (t->root)
		node_ref(t->root);
	return *t;
}

void *btree_get(const struct btree *t, struct btree_key key)
{
	const struct btree_node *n = t->root;
	while (n) {
		bool is_equal;
		unsigned at = find(t->type, n, key, &is_equal);
		if (is_equal)
			return n->values[at];
		n = n->is_leaf ? NULL : n->children[at];
	}
	return NULL;
}

static void *swap_value(const struct btree_type *type, struct btree_node *n, unsigned at,
			void *value)
{
	void *former = n->values[at];
	item_replace(type, n, at, value);
	return former;
}

static void root_split(struct btree *t)
{
	struct btree_node *root = node_new(false);
	root->children[0] = t->root;
	t->root = root;
	child_split(t->type, root, 0);
}

void *btree_set(struct btree *t, void *own_value)
{
	struct btree_key key = t->type->key(own_value);
	if (!t->root)
		t->root = node_new(true);
	struct btree_node *n = own(t->type, &t->root);
	if (n->count == ITEMS_MAX) {
		root_split(t);
		n = t->root;
	}
	for (;;) {
		bool is_equal;
		unsigned at = find(t->type, n, key, &is_equal);
		if (is_equal)
			return swap_value(t->type, n, at, own_value);
		if (n->is_leaf) {
			item_insert(t->type, n, at, own_value);
			if (n->count == ITEMS_MIN)
				tune(t->type, n);
			t->count++;
			return NULL;
		}
		if (n->children[at]->count < ITEMS_MAX) {
			n = own(t->type, &n->children[at]);
			continue;
		}
		child_split(t->type, n, at); /* the median may be the key: look again */
	}
}

static void *remove_last(const struct btree_type *type, struct btree_node *n)
{
	while (!n->is_leaf) {
		unsigned at = child_fill(type, n, n->count);
		n = own(type, &n->children[at]);
	}
	return item_remove(n, n->count - 1u);
}

/* n is ours, has more than ITEMS_MIN values unless it is the root, and key is in its subtree. */
static void *remove_below(const struct btree_type *type, struct btree_node *n, struct btree_key key)
{
	for (;;) {
		bool is_equal;
		unsigned at = find(type, n, key, &is_equal);
		if (n->is_leaf) {
			ASSERT(is_equal);
			return item_remove(n, at);
		}
		if (is_equal && n->children[at]->count > ITEMS_MIN) {
			void *former = n->values[at];
			item_replace(type, n, at, remove_last(type, own(type, &n->children[at])));
			return former;
		}
		if (n->children[at]->count > ITEMS_MIN)
			n = own(type, &n->children[at]);
		else
			/* Values moved, the one we look for perhaps too: look again from here. */
			child_fill(type, n, at);
	}
}

void *btree_remove(struct btree *t, struct btree_key key)
{
	if (!btree_get(t, key))
		return NULL;
	void *value = remove_below(t->type, own(t->type, &t->root), key);
	t->count--;
	struct btree_node *root = t->root;
	if (root->count == 0) { /* its last two children were joined, or it was a leaf */
		t->root = root->is_leaf ? NULL : root->children[0];
		free(root);
	}
	return value;
}

/* --- iteration: each frame stands before the value at its position, its child already visited ---
 */

static void descend(struct btree_iter *it, const struct btree_node *n)
{
	for (; n; n = n->is_leaf ? NULL : n->children[0]) {
		ASSERT(it->depth < BTREE_DEPTH_MAX);
		it->nodes[it->depth] = n;
		it->positions[it->depth++] = 0;
	}
}

void btree_first(struct btree_iter *it, const struct btree *t)
{
	it->depth = 0;
	descend(it, t->root);
}

void btree_seek(struct btree_iter *it, const struct btree *t, struct btree_key key, bool is_after)
{
	it->depth = 0;
	const struct btree_node *n = t->root;
	while (n) {
		bool is_equal;
		unsigned at = find(t->type, n, key, &is_equal);
		ASSERT(it->depth < BTREE_DEPTH_MAX);
		it->nodes[it->depth] = n;
		it->positions[it->depth++] = (uint8_t)(at + (is_equal && is_after));
		if (is_equal) {
			if (is_after && !n->is_leaf)
				descend(it, n->children[at + 1]);
			return;
		}
		n = n->is_leaf ? NULL : n->children[at];
	}
}

void *btree_next(struct btree_iter *it)
{
	while (it->depth > 0) {
		const struct btree_node *n = it->nodes[it->depth - 1];
		unsigned at = it->positions[it->depth - 1];
		if (at == n->count) {
			it->depth--;
			continue;
		}
		it->positions[it->depth - 1]++;
		if (!n->is_leaf)
			descend(it, n->children[at + 1]);
		return n->values[at];
	}
	return NULL;
}

/* --- check --- */

static int check_below(const struct btree_type *type, const struct btree_node *n, bool is_root)
{
	ASSERT(n->count <= ITEMS_MAX && (is_root || n->count >= ITEMS_MIN));
	for (unsigned i = 0; i < n->count; i++) {
		struct btree_key key = type->key(n->values[i]);
		ASSERT(n->hints[i] == key_hint(key, n->skip));
		ASSERT(i == 0 || key_common(type->key(n->values[0]), key) >= n->skip);
	}
	int depth = 0;
	for (unsigned i = 0; !n->is_leaf && i <= n->count; i++) {
		int below = check_below(type, n->children[i], false);
		ASSERT(i == 0 || below == depth);
		depth = below;
	}
	return depth + 1;
}

void btree_check(const struct btree *t)
{
	ASSERT((t->root == NULL) == (t->count == 0));
	if (!t->root)
		return;
	check_below(t->type, t->root, true);
	struct btree_iter it;
	size_t count = 0;
	void *before = NULL;
	btree_first(&it, t);
	for (void *v; (v = btree_next(&it)); before = v, count++)
		ASSERT(!before || btree_key_cmp(t->type->key(before), t->type->key(v)) < 0);
	ASSERT(count == t->count);
}
