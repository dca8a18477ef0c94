/* btree: persistent (copy-on-write) B-tree of refcounted values in the order of their keys.
 *
 * A struct btree is one version.  btree_copy() makes another that shares all nodes; changing either
 * copies only the nodes on the path, and only those that somebody else still holds: nodes that this
 * version alone owns are changed in place, so a batch of changes between two copies copies each
 * node at most once.
 *
 * A key has two parts, ordered as if they were joined by a zero byte: (namespace, name).  The major
 * part of a stored key contains no zero byte.
 *
 * Owns: its nodes, and one reference to each value.  Threads: one version belongs to one thread at
 * a time; versions that share nodes may be read, copied and dropped by different threads. Limits:
 * 2^32 values, keys of 60,000 bytes (longer ones work, slower).  Errors: none. */
#ifndef SKEG_BASE_BTREE_H
#define SKEG_BASE_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct btree_key {
	struct str major, minor;
};

struct btree_type {
	/* The key lives as long as the value. */
	struct btree_key (*key)(const void *value);
	void (*ref)(void *value);
	void (*unref)(void *value);
};

struct btree_node;

struct btree {
	const struct btree_type *type;
	struct btree_node *root; /* NULL when empty */
	size_t count;
};

int btree_key_cmp(struct btree_key a, struct btree_key b);

/* A struct btree with only its type set is a valid empty one. */
void btree_done(struct btree *t);
struct btree btree_copy(const struct btree *t);

/* Borrowed; NULL when absent. */
void *btree_get(const struct btree *t, struct btree_key key);
/* Inserts, or replaces the value of the same key, which is then returned with its reference. */
[[nodiscard]] void *btree_set(struct btree *t, void *own_value);
/* Returns the value with its reference, or NULL. */
[[nodiscard]] void *btree_remove(struct btree *t, struct btree_key key);

/* Iteration in order of keys.  The version must stay as it is while it lasts. */
#define BTREE_DEPTH_MAX 8

struct btree_iter {
	const struct btree_node *nodes[BTREE_DEPTH_MAX]; /* from the root */
	uint8_t positions[BTREE_DEPTH_MAX];
	int depth; /* 0: at the end */
};

void btree_first(struct btree_iter *it, const struct btree *t);
/* To the first value whose key is not below key; with is_after, above key. */
void btree_seek(struct btree_iter *it, const struct btree *t, struct btree_key key, bool is_after);
void *btree_next(struct btree_iter *it); /* borrowed; NULL at the end */

/* For tests: aborts when an invariant of the tree is broken. */
void btree_check(const struct btree *t);

#endif
