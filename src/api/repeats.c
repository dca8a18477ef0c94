#include "api/repeats.h"

#include "api/validate-int.h"

#define SHORT 8 /* so many are compared one by one */

static struct str text_of(const struct json *list, size_t i, const char *key)
{
	return json_str(json_get(json_at(list, i), str_of(key)));
}

static uint64_t hash_of(const struct json *list, size_t i, const char *key)
{
	const struct json *item = json_at(list, i);
	if (key)
		return str_hash(text_of(list, i, key));
	return value_equal(item, NULL) ? 0 : json_hash(item);
}

static bool is_equal(const struct json *list, size_t i, size_t k, const char *key)
{
	return key ? str_eq(text_of(list, i, key), text_of(list, k, key))
		   : value_equal(json_at(list, i), json_at(list, k));
}

static void start(struct repeats_list *l, struct arena *a, const struct json *list, const char *key)
{
	size_t need = 2 * json_count(list);
	if (l->slot_count < need) {
		for (l->slot_count = 32; l->slot_count < need;)
			l->slot_count *= 2;
		l->slots = ARENA_ARRAY(a, uint32_t, l->slot_count);
	} else {
		memset(l->slots, 0, l->slot_count * sizeof(*l->slots));
	}
	l->list = list;
	l->key = key;
	l->next = 0;
}

/* The table of this list; the one that was not asked for longest when it has none. */
static struct repeats_list *find(struct repeats *r, struct arena *a, const struct json *list,
				 size_t i, const char *key)
{
	struct repeats_list *oldest = &r->lists[0], *found = NULL;
	for (size_t k = 0; k < REPEATS_LISTS && !found; k++) {
		struct repeats_list *l = &r->lists[k];
		if (l->list == list && l->key == key)
			found = l;
		else if (l->asked < oldest->asked)
			oldest = l;
	}
	if (!found || i < found->next)
		start(found ? found : oldest, a, list, key);
	found = found ? found : oldest;
	found->asked = ++r->asked;
	return found;
}

/* Puts the item in; true when an equal one is there. */
static bool has_or_add(struct repeats_list *l, size_t i)
{
	size_t at = hash_of(l->list, i, l->key) % l->slot_count;
	while (l->slots[at] && !is_equal(l->list, i, l->slots[at] - 1, l->key))
		at = (at + 1) % l->slot_count;
	if (l->slots[at])
		return true;
	l->slots[at] = (uint32_t)i + 1;
	return false;
}

static bool is_before(const struct json *list, size_t i, const char *key)
{
	for (size_t k = 0; k < i; k++)
		if (is_equal(list, i, k, key))
			return true;
	return false;
}

bool repeats_has(struct repeats *r, struct arena *a, const struct json *list, size_t i,
		 const char *key)
{
	if (i < SHORT)
		return is_before(list, i, key);
	struct repeats_list *l = find(r, a, list, i, key);
	bool has = false;
	while (l->next <= i)
		has = has_or_add(l, l->next++);
	return has;
}
