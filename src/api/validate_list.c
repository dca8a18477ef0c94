/* Lists: an item by a text of it, what stands in a list twice, too many items. */
#include "api/validate-int.h"

static struct str text_of(const struct json *list, size_t i, const char *key)
{
	return json_str(json_get(json_at(list, i), str_of(key)));
}

const struct json *item_named(const struct json *list, const char *key, struct str text)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (str_eq(text_of(list, i, key), text))
			return json_at(list, i);
	return NULL;
}

bool is_repeated(struct check *v, const struct json *list, size_t i)
{
	return repeats_has(&v->repeats, v->arena, list, i, NULL);
}

bool is_text_repeated(struct check *v, const struct json *list, size_t i, const char *key)
{
	return repeats_has(&v->repeats, v->arena, list, i, key);
}

void check_no_duplicates(struct check *v, const struct path *at, const struct json *list)
{
	for (size_t i = 1; i < json_count(list); i++)
		if (is_repeated(v, list, i))
			duplicate_value(v, ITEM(at, i), json_at(list, i));
}

bool check_count(struct check *v, const struct path *at, const struct json *list, size_t max)
{
	if (json_count(list) <= max)
		return true;
	too_many(v, at, json_count(list), max);
	return false;
}
