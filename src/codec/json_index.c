#include <stdlib.h>

#include "codec/json-int.h"

static int compare_members(const void *left, const void *right, void *arg)
{
	const struct json_member *members = arg;
	uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
	int order = str_cmp(members[l].key, members[r].key);
	return order != 0 ? order : (l > r) - (l < r);
}

void json_index_init(struct json_index *index, const struct json_member *members, size_t count)
{
	ASSERT(count <= UINT32_MAX);
	index->members = members;
	index->count = count;
	index->order = mem_resize(NULL, (count + 1) * sizeof(*index->order));
	for (size_t i = 0; i < count; i++)
		index->order[i] = (uint32_t)i;
	qsort_r(index->order, count, sizeof(*index->order), compare_members, (void *)members);
}

void json_index_done(struct json_index *index)
{
	free(index->order);
	*index = (struct json_index){};
}

ptrdiff_t json_index_find(const struct json_index *index, struct str key)
{
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(index->members[index->order[middle]].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->count || !str_eq(index->members[index->order[low]].key, key))
		return -1;
	return (ptrdiff_t)index->order[low];
}

static int compare_keys(const void *left, const void *right)
{
	return str_cmp(((const struct json_member *)left)->key,
		       ((const struct json_member *)right)->key);
}

void json_sort_members(struct json *object)
{
	struct json_member *members = object->object.members;
	for (size_t i = 1; i < object->object.count; i++)
		if (compare_keys(&members[i - 1], &members[i]) > 0) {
			qsort(members, object->object.count, sizeof(*members), compare_keys);
			return;
		}
}

void json_lookup_init(struct json_lookup *lookup, const struct json *object)
{
	*lookup = (struct json_lookup){.object = object};
	if (object && object->type == JSON_OBJECT && object->object.count > JSON_INDEX_FROM)
		json_index_init(&lookup->index, object->object.members, object->object.count);
}

void json_lookup_done(struct json_lookup *lookup)
{
	json_index_done(&lookup->index);
}

struct json *json_lookup_get(const struct json_lookup *lookup, struct str key)
{
	if (!lookup->index.order)
		return json_get(lookup->object, key);
	ptrdiff_t at = json_index_find(&lookup->index, key);
	return at < 0 ? NULL : lookup->object->object.members[at].value;
}

/* Encoders sort their keys, so that one pass mostly shows that nothing is repeated. */
static bool is_ascending(const struct json_member *members, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (str_cmp(members[i - 1].key, members[i].key) >= 0)
			return false;
	return true;
}

static bool has_repeat_small(const struct json_member *members, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (str_eq(members[i].key, members[j].key))
				return true;
	return false;
}

static struct json *merge_run(struct arena *a, const struct json_index *index, size_t from,
			      size_t to)
{
	struct json *last = index->members[index->order[to - 1]].value;
	size_t first = to, total = 0;
	while (first > from) {
		const struct json *value = index->members[index->order[first - 1]].value;
		if (value->type != JSON_OBJECT)
			break;
		total += value->object.count;
		first--;
	}
	if (to - first < 2)
		return last;
	struct json *merged = json_object(a);
	merged->object.members = ARENA_ARRAY(a, struct json_member, total);
	merged->object.cap = total;
	for (size_t i = first; i < to; i++) {
		const struct json *value = index->members[index->order[i]].value;
		for (size_t m = 0; m < value->object.count; m++)
			merged->object.members[merged->object.count++] = value->object.members[m];
	}
	merged->object.count = json_unique(a, merged->object.members, total, false, NULL, NULL);
	return merged;
}

static void mark_repeats(struct arena *a, const struct json_index *index,
			 struct json_member *members, bool is_merged)
{
	for (size_t from = 0, to; from < index->count; from = to) {
		struct str key = members[index->order[from]].key;
		for (to = from + 1;
		     to < index->count && str_eq(members[index->order[to]].key, key);)
			to++;
		if (to - from == 1)
			continue;
		members[index->order[from]].value = is_merged ? merge_run(a, index, from, to)
							      : members[index->order[to - 1]].value;
		for (size_t i = from + 1; i < to; i++)
			members[index->order[i]].value = NULL;
	}
}

size_t json_unique(struct arena *a, struct json_member *members, size_t count, bool is_merged,
		   void (*on_repeat)(void *arg, size_t position, size_t place), void *arg)
{
	if (is_ascending(members, count) ||
	    (count <= JSON_INDEX_FROM && !has_repeat_small(members, count)))
		return count;
	struct json_index index;
	json_index_init(&index, members, count);
	mark_repeats(a, &index, members, is_merged);
	json_index_done(&index);
	for (size_t i = 0, place = 0; on_repeat && i < count; i++) {
		if (members[i].value)
			place++;
		else
			on_repeat(arg, i, place);
	}
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (members[i].value)
			members[kept++] = members[i];
	return kept;
}
