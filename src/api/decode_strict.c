#include <stdlib.h>

#include "api/decode.h"
#include "api/gotext.h"

/* Duplicates come from the parser and unknown fields from the walk; both are told in the order of
 * the document.  The place of a path is the list of positions of its members and elements: of the
 * n-th 2n + 1, of a repetition that follows n others 2n. */

#define PLACE_DEPTH_MAX 64

struct fault {
	struct str path;
	bool is_duplicate;
	uint32_t order; /* among equals: as they came */
	uint32_t depth;
	uint32_t place[PLACE_DEPTH_MAX];
	struct str keys[PLACE_DEPTH_MAX]; /* absent for an element of a list */
};

/* The member whose key begins rest, which may itself have dots: the longest wins. */
static const struct json_member *member_of(const struct json *object, struct str rest)
{
	const struct json_member *best = NULL;
	for (size_t i = 0; i < object->object.count; i++) {
		const struct json_member *m = &object->object.members[i];
		if (!str_has_prefix(rest, m->key) || (best && best->key.len > m->key.len))
			continue;
		char next = rest.len > m->key.len ? rest.at[m->key.len] : '.';
		if (next == '.' || next == '[')
			best = m;
	}
	return best;
}

static bool step_into_list(struct fault *f, const struct json **tree, struct str *rest)
{
	struct str index, tail;
	int64_t i;
	if (!rest->len || rest->at[0] != '[' || !str_cut(str_skip(*rest, 1), ']', &index, &tail) ||
	    !str_to_i64(index, &i))
		return false;
	*tree = json_at(*tree, (size_t)i);
	*rest = tail;
	f->place[f->depth++] = 2 * (uint32_t)i + 1;
	return true;
}

static bool step(struct fault *f, const struct json **tree, struct str *rest)
{
	if ((*tree)->type == JSON_ARRAY)
		return step_into_list(f, tree, rest);
	if ((*tree)->type != JSON_OBJECT)
		return false;
	if (rest->len && rest->at[0] == '.' && f->depth)
		*rest = str_skip(*rest, 1);
	const struct json_member *m = member_of(*tree, *rest);
	if (!m)
		return false;
	f->keys[f->depth] = m->key;
	f->place[f->depth++] = 2 * (uint32_t)(m - (*tree)->object.members) + 1;
	*rest = str_skip(*rest, m->key.len);
	*tree = m->value;
	return true;
}

static void find_place(struct fault *f, const struct json *tree)
{
	struct str rest = f->path;
	while (rest.len && tree && f->depth < PLACE_DEPTH_MAX && step(f, &tree, &rest))
		;
}

static int compare_order(const struct fault *a, const struct fault *b)
{
	return (a->order > b->order) - (a->order < b->order);
}

static int compare_places(const void *left, const void *right)
{
	const struct fault *a = left, *b = right;
	for (uint32_t i = 0; i < a->depth && i < b->depth; i++)
		if (a->place[i] != b->place[i])
			return a->place[i] < b->place[i] ? -1 : 1;
	return a->depth != b->depth ? (a->depth < b->depth ? -1 : 1) : compare_order(a, b);
}

/* YAML is made JSON with sorted keys before upstream reads it. */
static int compare_keys(const void *left, const void *right)
{
	const struct fault *a = left, *b = right;
	for (uint32_t i = 0; i < a->depth && i < b->depth; i++) {
		int order = str_cmp(a->keys[i], b->keys[i]);
		if (order)
			return order;
		if (!a->keys[i].at && a->place[i] != b->place[i])
			return a->place[i] < b->place[i] ? -1 : 1;
	}
	return a->depth != b->depth ? (a->depth < b->depth ? -1 : 1) : compare_order(a, b);
}

static struct fault *add_fault(struct fault *all, size_t *count, const struct json *tree,
			       struct str path)
{
	struct fault *f = &all[*count];
	*f = (struct fault){.path = path, .order = (uint32_t)*count};
	(*count)++;
	find_place(f, tree);
	return f;
}

/* path is one of unknown or below it: nobody looks at what is there. */
static bool is_in_unknown(const struct unknown_fields *unknown, struct str path)
{
	for (size_t i = 0; unknown && i < unknown->count; i++) {
		struct str u = unknown->paths[i];
		if (!str_has_prefix(path, u))
			continue;
		if (path.len == u.len || path.at[u.len] == '.' || path.at[u.len] == '[')
			return true;
	}
	return false;
}

static void add_duplicates(struct fault *all, size_t *count, const struct json *tree,
			   const struct json_duplicates *duplicates,
			   const struct unknown_fields *unknown)
{
	for (size_t i = 0; i < duplicates->count && *count < UNKNOWN_FIELDS_MAX; i++) {
		if (is_in_unknown(unknown, duplicates->paths[i]))
			continue;
		struct fault *f = add_fault(all, count, tree, duplicates->paths[i]);
		f->is_duplicate = true;
		if (f->depth)
			f->place[f->depth - 1] = 2 * duplicates->places[i];
	}
}

static struct str fault_text(struct arena *a, const struct fault *f)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	buf_add_cstr(&text, f->is_duplicate ? "duplicate field " : "unknown field ");
	gotext_quote(&text, f->path);
	return arena_str(a, buf_str(&text));
}

static struct str yaml_text(struct arena *a, struct str key, uint32_t line)
{
	return arena_printf(a, "line %u: key \"%.*s\" already set in map", line, STR_FMT(key));
}

struct strict_faults api_strict_faults(struct arena *a, const struct json *tree,
				       const struct json_duplicates *duplicates,
				       const struct unknown_fields *unknown, bool is_yaml)
{
	struct strict_faults faults = {};
	size_t count = 0, lines = is_yaml && duplicates ? duplicates->count : 0;
	if (!(duplicates && duplicates->count) && !(unknown && unknown->count))
		return faults; /* what follows needs room for the worst */
	struct fault *all = mem_alloc(UNKNOWN_FIELDS_MAX * sizeof(*all));
	if (duplicates && !is_yaml)
		add_duplicates(all, &count, tree, duplicates, unknown);
	for (size_t i = 0; unknown && i < unknown->count && count < UNKNOWN_FIELDS_MAX; i++)
		add_fault(all, &count, tree, unknown->paths[i]);
	qsort(all, count, sizeof(*all), is_yaml ? compare_keys : compare_places);
	faults.texts = ARENA_ARRAY(a, struct str, lines + count);
	for (size_t i = 0; i < lines; i++)
		faults.texts[faults.count++] =
			yaml_text(a, duplicates->keys[i], duplicates->lines[i]);
	faults.has_yaml_lines = lines > 0;
	for (size_t i = 0; i < count; i++)
		faults.texts[faults.count++] = fault_text(a, &all[i]);
	free(all);
	return faults;
}

struct str api_strict_error(struct arena *a, const struct strict_faults *faults)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	buf_add_cstr(&text, "strict decoding error: ");
	for (size_t i = 0; i < faults->count; i++) {
		bool is_line = faults->has_yaml_lines &&
			       str_has_prefix(faults->texts[i], STR("line "));
		if (i == 0 && is_line)
			buf_add_cstr(&text, "yaml: unmarshal errors:");
		if (is_line)
			buf_add_cstr(&text, "\n  ");
		else if (i)
			buf_add_cstr(&text, ", ");
		buf_add_str(&text, faults->texts[i]);
	}
	return arena_str(a, buf_str(&text));
}
