#include <stdlib.h>

#include "codec/json-int.h"

void json_stack_done(struct json_stack *s)
{
	free(s->members);
	free(s->lines);
}

bool json_stack_open(struct json_stack *s)
{
	if (s->depth == JSON_MAX_DEPTH)
		return false;
	s->bases[s->depth++] = s->count;
	return true;
}

size_t json_stack_push(struct json_stack *s, struct str key, uint32_t line)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->members = mem_resize(s->members, s->cap * sizeof(*s->members));
		if (s->has_lines)
			s->lines = mem_resize(s->lines, s->cap * sizeof(*s->lines));
	}
	s->members[s->count] = (struct json_member){.key = key};
	if (s->has_lines)
		s->lines[s->count] = line;
	return s->count++;
}

/* The member that is open at each level is the last one before the next level's base. */
static void write_path(const struct json_stack *s, struct str key, struct buf *path)
{
	for (int level = 0; level + 1 < s->depth; level++) {
		size_t open = s->bases[level + 1] - 1;
		struct str name = s->members[open].key;
		if (!name.at)
			buf_printf(path, "[%zu]", open - s->bases[level]);
		else
			buf_printf(path, "%s%.*s", path->len ? "." : "", STR_FMT(name));
	}
	buf_printf(path, "%s%.*s", path->len ? "." : "", STR_FMT(key));
}

static void on_repeat(void *arg, size_t position, size_t place)
{
	struct json_stack *s = arg;
	size_t at = s->bases[s->depth - 1] + position;
	CLEANUP_BUF path = BUF_INIT(JSON_MAX_BYTES);
	if (s->duplicates->count >= JSON_MAX_DUPLICATES)
		return;
	write_path(s, s->members[at].key, &path);
	json_duplicates_add(s->arena, s->duplicates, arena_str(s->arena, buf_str(&path)),
			    s->members[at].key, s->has_lines ? s->lines[at] : 0, (uint32_t)place);
}

void json_stack_array(struct json_stack *s, struct json *array)
{
	size_t base = s->bases[--s->depth], count = s->count - base;
	struct json **items = count ? ARENA_ARRAY(s->arena, struct json *, count) : NULL;
	for (size_t i = 0; i < count; i++)
		items[i] = s->members[base + i].value;
	array->array.items = items;
	array->array.count = array->array.cap = count;
	s->count = base;
}

/* YAML becomes a map first. */
static bool merges_repeats(const struct json_stack *s)
{
	return !s->has_lines && !(s->duplicates && s->duplicates->keeps_last);
}

void json_stack_object(struct json_stack *s, struct json *object)
{
	size_t base = s->bases[s->depth - 1], count = s->count - base;
	if (count) {
		struct json_member *members = s->members + base;
		count = json_unique(s->arena, members, count, merges_repeats(s),
				    s->duplicates ? on_repeat : NULL, s);
		object->object.members = arena_copy(s->arena, members, count * sizeof(*members));
	}
	object->object.count = object->object.cap = count;
	s->count = base;
	s->depth--;
}
