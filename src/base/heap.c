#include "base/heap.h"

#include "base/err.h"
#include "base/mem.h"

void heap_done(struct heap *h)
{
	free(h->nodes);
	h->nodes = NULL;
	h->count = h->cap = 0;
}

static void put(struct heap *h, uint32_t at, struct heap_node *node)
{
	h->nodes[at] = node;
	node->place = at + 1;
}

static void rise(struct heap *h, uint32_t at, struct heap_node *node)
{
	while (at > 0 && h->is_before(node, h->nodes[(at - 1) / 2])) {
		put(h, at, h->nodes[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(h, at, node);
}

static void sink(struct heap *h, uint32_t at, struct heap_node *node)
{
	for (;;) {
		uint32_t below = 2 * at + 1;
		if (below >= h->count)
			break;
		if (below + 1 < h->count && h->is_before(h->nodes[below + 1], h->nodes[below]))
			below++;
		if (!h->is_before(h->nodes[below], node))
			break;
		put(h, at, h->nodes[below]);
		at = below;
	}
	put(h, at, node);
}

static void settle(struct heap *h, uint32_t at, struct heap_node *node)
{
	if (at > 0 && h->is_before(node, h->nodes[(at - 1) / 2]))
		rise(h, at, node);
	else
		sink(h, at, node);
}

struct heap_node *heap_peek(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}

struct heap_node *heap_take(struct heap *h)
{
	struct heap_node *first = heap_peek(h);
	if (first)
		heap_remove(h, first);
	return first;
}

void heap_add(struct heap *h, struct heap_node *node)
{
	ASSERT(node->place == 0);
	if (h->count == h->cap) {
		h->cap = MAX(h->cap * 2, 16u);
		h->nodes = mem_resize(h->nodes, h->cap * sizeof(*h->nodes));
	}
	rise(h, h->count++, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	if (node->place == 0)
		return;
	uint32_t at = node->place - 1;
	ASSERT(at < h->count && h->nodes[at] == node);
	struct heap_node *last = h->nodes[--h->count];
	node->place = 0;
	if (last != node)
		settle(h, at, last);
}

void heap_moved(struct heap *h, struct heap_node *node)
{
	ASSERT(node->place > 0 && h->nodes[node->place - 1] == node);
	settle(h, node->place - 1, node);
}
