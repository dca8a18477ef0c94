#include "server/rule_match.h"

bool rule_lists(const struct str_array *list, struct str value)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_is(list->at[i], "*") || str_eq(list->at[i], value))
			return true;
	return false;
}

bool rule_covers_path(struct str pattern, struct str path)
{
	if (!str_has_suffix(pattern, STR("*")))
		return str_eq(pattern, path);
	return str_has_prefix(path, str_n(pattern.at, pattern.len - 1));
}

bool rule_lists_path(const struct str_array *patterns, struct str path)
{
	for (uint32_t i = 0; i < patterns->count; i++)
		if (rule_covers_path(patterns->at[i], path))
			return true;
	return false;
}
