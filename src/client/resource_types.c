#include "client/resource_types.h"

#define WORDS_MAX     512 /* names that an unknown type is compared with */
#define TYPE_WORD_MAX 253

static bool list_has(struct str list, struct str word)
{
	struct str rest = list, item;
	while (rest.len) {
		str_cut(rest, ',', &item, &rest);
		if (str_eq_nocase(item, word))
			return true;
	}
	return false;
}

static bool is_called(const struct api_kind *kind, struct str word)
{
	return str_eq_nocase(word, kind->plural) || str_eq_nocase(word, kind->singular) ||
	       str_eq_nocase(word, kind->kind) || list_has(kind->short_names, word);
}

/* tail: "", "apps", "v1" or "v1.apps"; a group may be cut short at a dot ("rbac"). */
static bool is_qualified(const struct api_kind *kind, struct str tail)
{
	struct str version, group;
	if (tail.len == 0 || str_eq(tail, kind->group))
		return true;
	if (str_has_prefix(kind->group, tail) && kind->group.at[tail.len] == '.')
		return true;
	str_cut(tail, '.', &version, &group);
	return str_eq(version, kind->version) && str_eq(group, kind->group);
}

const struct api_kind *resource_type_find(struct str word)
{
	const struct api *api = api_builtin();
	struct str name, tail;
	str_cut(word, '.', &name, &tail);
	for (size_t i = 0; i < api->kind_count; i++)
		if (is_called(&api->kinds[i], name) && is_qualified(&api->kinds[i], tail))
			return &api->kinds[i];
	return NULL;
}

static struct str with_group(struct arena *a, struct str name, struct str group)
{
	return group.len ? arena_printf(a, "%.*s.%.*s", STR_FMT(name), STR_FMT(group)) : name;
}

struct str resource_type_label(struct arena *a, const struct api_kind *kind)
{
	return with_group(a, kind->singular, kind->group);
}

struct str resource_type_plural(struct arena *a, const struct api_kind *kind)
{
	return with_group(a, kind->plural, kind->group);
}

static enum rc unknown_type(struct arena *a, struct str word, struct err *err)
{
	const struct api *api = api_builtin();
	const char *names[WORDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < api->kind_count && count + 2 <= WORDS_MAX; i++) {
		names[count++] = arena_cstr(a, api->kinds[i].plural);
		names[count++] = arena_cstr(a, api->kinds[i].singular);
	}
	const char *near = nearest_name(arena_cstr(a, word), names, count);
	return err_set(err, RC_NOT_FOUND, "the server doesn't have a resource type \"%.*s\"%s%s%s",
		       STR_FMT(word), near ? "; did you mean \"" : "", near ? near : "",
		       near ? "\"?" : "");
}

/* "all,pods" names pods once. */
static void target_add(struct arena *a, struct resource_targets *t, const struct api_kind *kind,
		       struct str name)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].kind == kind && str_eq(t->items[i].name, name))
			return;
	t->items = arena_grow(a, t->items, t->count, &t->cap, sizeof(*t->items));
	t->items[t->count++] = (struct resource_target){kind, name};
}

/* One kind a stored kind: horizontalpodautoscalers are in two versions, but in "all" once. */
static bool category_add(struct arena *a, struct resource_targets *t, struct str category,
			 struct str name)
{
	const struct api *api = api_builtin();
	bool is_known = false;
	for (size_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *kind = &api->kinds[i];
		if (!list_has(kind->categories, category))
			continue;
		is_known = true;
		if (api_by_group_resource(api, kind->group, kind->plural) == kind)
			target_add(a, t, kind, name);
	}
	return is_known;
}

static enum rc types_add(struct arena *a, struct resource_targets *t, struct str types,
			 struct str name, struct err *err)
{
	struct str rest = types, word;
	do {
		str_cut(rest, ',', &word, &rest);
		if (word.len > TYPE_WORD_MAX)
			return err_set(err, RC_BAD_REQUEST,
				       "a resource type has at most %d letters, this one has %zu",
				       TYPE_WORD_MAX, word.len);
		const struct api_kind *kind = resource_type_find(word);
		if (kind)
			target_add(a, t, kind, name);
		else if (word.len == 0 || !category_add(a, t, word, name))
			return unknown_type(a, word, err);
	} while (rest.at);
	return RC_OK;
}

static enum rc pair_add(struct arena *a, struct resource_targets *t, struct str word,
			struct err *err)
{
	struct str type, name;
	if (!str_cut(word, '/', &type, &name))
		return err_set(err, RC_BAD_REQUEST,
			       "'%.*s' has no type while others have; write TYPE/NAME for each, or "
			       "TYPE NAME…",
			       STR_FMT(word));
	if (name.len == 0 || memchr(name.at, '/', name.len))
		return err_set(err, RC_BAD_REQUEST,
			       "'%.*s' is not of the form TYPE/NAME; an example is pod/web",
			       STR_FMT(word));
	return types_add(a, t, type, name, err);
}

static bool has_slash(struct str word)
{
	return word.len && memchr(word.at, '/', word.len);
}

enum rc resource_targets_parse(struct arena *a, const struct text_list *words,
			       struct resource_targets *ret_targets, struct err *err)
{
	struct resource_targets t = {};
	if (words->count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "name a type of resource, for example pods, or TYPE/NAME");
	struct str first = str_of(words->at[0]);
	bool is_pairs = has_slash(first);
	if (!is_pairs && words->count == 1)
		TRY(types_add(a, &t, first, (struct str){}, err));
	for (size_t i = is_pairs ? 0 : 1; i < words->count; i++) {
		struct str word = str_of(words->at[i]);
		if (!is_pairs && has_slash(word))
			return err_set(err, RC_BAD_REQUEST,
				       "'%s' names its type itself; leave out the separate '%s'",
				       words->at[i], words->at[0]);
		if (is_pairs)
			TRY(pair_add(a, &t, word, err));
		else
			TRY(types_add(a, &t, first, word, err));
	}
	*ret_targets = t;
	return RC_OK;
}
