/* list: intrusive doubly linked list with a head; O(1) insert and remove.
 * Owns: nothing.  A node that is in no list has next == NULL. */
#ifndef SKEG_BASE_LIST_H
#define SKEG_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
	return node->next != NULL;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
	list_append(head->next, node);
}

static inline void list_remove(struct list *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = NULL;
}

/* NULL when empty. */
#define LIST_FIRST(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))

/* The body may remove item. */
#define LIST_FOR_EACH(item, head, member)                                                          \
	for (typeof(item) _next = (item = CONTAINER_OF((head)->next, typeof(*item), member),       \
				  CONTAINER_OF(item->member.next, typeof(*item), member));         \
	     &item->member != (head);                                                              \
	     item = _next, _next = CONTAINER_OF(item->member.next, typeof(*item), member))

#endif
