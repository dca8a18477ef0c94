/* In which order the items of a merged list stand. */
#include "api/strategic-int.h"

bool strategic_same_item(const struct json *a, const struct json *b, struct str key)
{
	if (!key.at)
		return json_equal(a, b);
	const struct json *x = json_get(a, key), *y = json_get(b, key);
	return x && y && json_equal(x, y);
}

/* Where the items of list stand in order, -1 for those that do not.  Mostly they stand in that
 * order already, so the search goes on from the last place. */
static ptrdiff_t *places(struct arena *a, const struct json *list, const struct json *order,
			 struct str key)
{
	size_t count = json_count(order), from = 0;
	ptrdiff_t *found = ARENA_ARRAY(a, ptrdiff_t, json_count(list) + 1);
	for (size_t i = 0; i < json_count(list); i++) {
		found[i] = -1;
		for (size_t k = 0; k < count && found[i] < 0; k++) {
			size_t at = from + k < count ? from + k : from + k - count;
			if (strategic_same_item(json_at(order, at), json_at(list, i), key))
				found[i] = (ptrdiff_t)at;
		}
		if (found[i] >= 0)
			from = (size_t)found[i];
	}
	return found;
}

/* Upstream's stable sort by the place in order; what has no place goes before all it meets. */
static void sort_by(struct arena *a, struct json *list, const struct json *order, struct str key)
{
	ptrdiff_t *place = places(a, list, order, key);
	for (size_t i = 1; i < json_count(list); i++) {
		struct json *item = list->array.items[i];
		ptrdiff_t mine = place[i];
		size_t at = i;
		for (; at > 0; at--) {
			if (mine >= 0 && place[at - 1] >= 0 && mine >= place[at - 1])
				break;
			list->array.items[at] = list->array.items[at - 1];
			place[at] = place[at - 1];
		}
		list->array.items[at] = item;
		place[at] = mine;
	}
}

struct json *strategic_order(struct arena *a, const struct json *merged,
			     const struct json *patch_order, const struct json *server_order,
			     struct str key)
{
	struct json *mine = json_array(a), *theirs = json_array(a), *all = json_array(a);
	const ptrdiff_t *is_named = places(a, merged, patch_order, key);
	for (size_t i = 0; i < json_count(merged); i++)
		json_append(a, is_named[i] >= 0 ? mine : theirs, json_at(merged, i));
	sort_by(a, mine, patch_order, key);
	sort_by(a, theirs, server_order, key);
	const ptrdiff_t *left = places(a, theirs, server_order, key);
	const ptrdiff_t *right = places(a, mine, server_order, key);
	size_t m = 0, t = 0;
	while (m < json_count(mine) || t < json_count(theirs)) {
		bool takes_theirs = m == json_count(mine);
		if (m < json_count(mine) && t < json_count(theirs))
			takes_theirs = left[t] >= 0 && right[m] >= 0 && left[t] < right[m];
		json_append(a, all, takes_theirs ? json_at(theirs, t++) : json_at(mine, m++));
	}
	return all;
}

enum rc strategic_check_order(const struct json *patch, const struct json *order, struct str key,
			      struct err *err)
{
	size_t at = 0;
	for (size_t i = 0; i < json_count(patch) && json_count(order); i++) {
		const struct json *item = json_at(patch, i);
		if (json_get(item, STR(STRATEGIC_DIRECTIVE)))
			continue;
		while (at < json_count(order) &&
		       !strategic_same_item(json_at(order, at), item, key))
			at++;
		if (at++ >= json_count(order))
			return strategic_order_mismatch(patch, order, err);
	}
	return RC_OK;
}
