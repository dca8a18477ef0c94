/* wire_objects: tests/data/wire_objects.jsonl, one object of every kind and more in JSON and in
 * protobuf, as an API server gave them at one revision: {"path", "json", "protobuf"}. */
#ifndef TEST_WIRE_OBJECTS_H
#define TEST_WIRE_OBJECTS_H

#include <stdio.h>

#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"

struct wire_object {
	struct str path, protobuf; /* base64 */
	struct json *json;
	const struct api_type *type;
	const struct api_kind *kind; /* NULL for a list or a Status */
};

struct wire_objects {
	struct arena arena;
	char *text;
	struct wire_object *items;
	size_t count, cap;
};

static inline void wire_object_add(struct wire_objects *all, struct json *row)
{
	all->items =
		arena_grow(&all->arena, all->items, all->count, &all->cap, sizeof(*all->items));
	struct json *json = json_get(row, STR("json"));
	struct str version = json_path_str(json, "apiVersion"), kind = json_path_str(json, "kind");
	all->items[all->count++] = (struct wire_object){
		.path = json_path_str(row, "path"),
		.protobuf = json_path_str(row, "protobuf"),
		.json = json,
		.type = api_type_by_kind(api_builtin(), version, kind),
		.kind = api_by_api_version(api_builtin(), version, kind),
	};
}

static inline void wire_objects_load(struct wire_objects *all)
{
	CLEANUP_BUF text = BUF_INIT(64u << 20);
	FILE *f = fopen(TEST_DATA "/wire_objects.jsonl", "re");
	if (!f)
		fail_msg("cannot open " TEST_DATA "/wire_objects.jsonl");
	for (size_t n = 1; n > 0; buf_grew(&text, n))
		n = fread(buf_reserve(&text, 1u << 16), 1, 1u << 16, f);
	fclose(f);
	*all = (struct wire_objects){};
	struct str rest = buf_str(&text), line;
	all->text = buf_take(&text);
	while (rest.len) {
		struct json *row;
		struct err err;
		str_cut(rest, '\n', &line, &rest);
		if (json_parse(&all->arena, line, &row, NULL, &err) != RC_OK)
			fail_msg("%s", err.text);
		wire_object_add(all, row);
	}
	if (all->count < 200)
		fail_msg("only %zu objects", all->count);
}

static inline void wire_objects_done(struct wire_objects *all)
{
	arena_done(&all->arena);
	free(all->text);
}

/* Fails with both texts unless they are the same, also in order. */
static inline void wire_assert_same(struct str path, const struct json *got,
				    const struct json *want)
{
	CLEANUP_BUF got_text = BUF_INIT(64u << 20);
	CLEANUP_BUF want_text = BUF_INIT(64u << 20);
	json_write(&got_text, got);
	json_write(&want_text, want);
	if (!str_eq(buf_str(&got_text), buf_str(&want_text)))
		fail_msg("%.*s:\n got %s\nwant %s", STR_FMT(path), got_text.data, want_text.data);
}

#endif
