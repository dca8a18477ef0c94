/* common: what several controllers need: owners, pods' states, labels, small texts.
 * Pure functions; memory is the plan's arena. */
#ifndef SKEG_CONTROL_COMMON_H
#define SKEG_CONTROL_COMMON_H

#include "api/api_ids.h"
#include "api/selector.h"
#include "api/views.h"
#include "base/mem.h"
#include "control/control.h"
#include "sync/reconcile.h"
#include "sync/view_selector.h"

#define SECOND_US INT64_C(1000000)

static inline const struct control_settings *plan_settings(const struct plan *p)
{
	return p->state;
}

/* An array of the plan's arena that grows. */
#define LIST_OF(type)                                                                              \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t count, cap;                                                                 \
	}
#define LIST_ADD(arena, list, item)                                                                \
	do {                                                                                       \
		if ((list)->count == (list)->cap)                                                  \
			(list)->at = arena_grow(arena, (list)->at, (list)->count, &(list)->cap,    \
						sizeof(*(list)->at));                              \
		(list)->at[(list)->count++] = (item);                                              \
	} while (0)

struct object_list {
	const struct object **at;
	size_t count, cap;
};

/* --- pods --- */

const struct pod_condition *pod_condition(const struct pod *pod, const char *type);
bool pod_is_ready(const struct pod *pod);
/* Ready for min_ready_s; *again_us (NULL allowed) is lowered to when that will be so. */
bool pod_is_available(const struct pod *pod, int32_t min_ready_s, int64_t now_us,
		      int64_t *again_us);
bool pod_is_terminal(const struct pod *pod);			   /* Succeeded or Failed */
bool pod_is_active(const struct object *o, const struct pod *pod); /* neither that nor deleting */
/* A pod as it is made out of a template for its controller. */
struct pod pod_from_template(struct plan *p, const struct object *owner,
			     const struct pod_template_spec *template);

/* --- owners --- */

/* A reference with controller and blockOwnerDeletion set. */
struct owner_reference_array owner_controller(struct plan *p, const struct object *owner);
/* The objects of a kind that owner controls: what its selector no longer matches is released, what
 * has no controller and matches is adopted (unless owner is being deleted), as upstream's
 * ControllerRefManager does. Only those keep() accepts are claimed; NULL: all. */
void claim_objects(struct plan *p, const struct object *owner, uint16_t kind,
		   const struct selector *selector, bool (*keep)(const struct object *o),
		   struct object_list *ret_claimed);
/* The controller of o as it is in the cache, when it is of that kind; else NULL. */
struct object *controller_of(const struct cache *cache, const struct object *o, uint16_t kind);
/* Adds the key of o's controller when that is of this kind. */
void keys_add_controller(struct keys *keys, const struct cache *cache, const struct object *o,
			 uint16_t kind);

/* --- maps, texts, times --- */

struct str_map str_map_with(struct arena *a, const struct str_map *map, struct str key,
			    struct str value);
struct str_map str_map_without(struct arena *a, const struct str_map *map, struct str key);
bool str_map_eq(const struct str_map *a, const struct str_map *b); /* in any order */
bool str_array_has(const struct str_array *array, struct str value);
int64_t now_s(const struct plan *p); /* whole seconds as metav1.Time has them, in microseconds */
struct str time_text(struct arena *a, int64_t time_us);
int32_t i32_or(const int32_t *value, int32_t otherwise);
/* A number, or a percentage of total rounded up or down; NULL is 0. */
int32_t scaled_value(const struct int_or_string *value, int32_t total, bool is_up);
const int32_t *i32_new(struct arena *a, int32_t value);
const bool *bool_of(bool value);
/* Runs the key again at that time, if not sooner anyway. */
void plan_again_at(struct plan *p, int64_t time_us);

#endif
