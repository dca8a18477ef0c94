/* heap: intrusive binary min-heap; embed struct heap_node in what waits.
 * Owns: its array of pointers.  Threads: one at a time.  Limits: 2^32 - 2 nodes; who fills one from
 * outside bounds it.  Errors: none. */
#ifndef SKEG_BASE_HEAP_H
#define SKEG_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_node {
	uint32_t place; /* index + 1; 0: in no heap */
};

struct heap {
	/* Does a leave before b?  Ties leave in any order, the same in every run. */
	bool (*is_before)(const struct heap_node *a, const struct heap_node *b);
	struct heap_node **nodes;
	uint32_t count, cap;
};

/* A struct heap with only is_before set is a valid empty one. */
void heap_done(struct heap *h); /* nodes are left as they are */

struct heap_node *heap_peek(const struct heap *h); /* NULL when empty */
struct heap_node *heap_take(struct heap *h);	   /* NULL when empty */
void heap_add(struct heap *h, struct heap_node *node);
void heap_remove(struct heap *h, struct heap_node *node); /* does nothing when it is in no heap */
void heap_moved(struct heap *h, struct heap_node *node);  /* its order has changed */

static inline bool heap_has(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
