/* json-int: what the files of this folder share and nobody else needs. */
#ifndef SKEG_CODEC_JSON_INT_H
#define SKEG_CODEC_JSON_INT_H

#include "codec/json.h"

/* First byte from at that is a control character, '"', '\\' or not ASCII; end when there is none.
 * is_html stops at '<', '>' and '&' too. */
const char *text_scan_plain(const char *at, const char *end, bool is_html);

/* Length of the valid UTF-8 sequence at at, 0 when it is none (overlong, surrogate, truncated). */
size_t utf8_length(const char *at, const char *end);
/* Writes code as UTF-8 (at most 4 bytes), returns the end. */
char *utf8_put(char *to, uint32_t code);
bool utf8_is_valid(struct str text);

/* The members of one object ordered by key, so that large objects cost n log n instead of n squared
 * (a hash would do, but an attacker may choose the keys).  Equal keys stay in their order. */
struct json_index {
	const struct json_member *members;
	uint32_t *order; /* owned */
	size_t count;
};

#define JSON_INDEX_FROM 16u /* smaller objects are searched as they are */

void json_index_init(struct json_index *index, const struct json_member *members, size_t count);
void json_index_done(struct json_index *index);
/* Position of key among the members, -1 when absent. */
ptrdiff_t json_index_find(const struct json_index *index, struct str key);

/* A lookup in one object that is repeated for many keys: indexed when the object is large. */
struct json_lookup {
	const struct json *object;
	struct json_index index;
};

void json_lookup_init(struct json_lookup *lookup, const struct json *object);
void json_lookup_done(struct json_lookup *lookup);
struct json *json_lookup_get(const struct json_lookup *lookup, struct str key);

/* Removes repeated keys in place: the last value wins at the place of the first, objects under one
 * key are merged one level deep.  Calls on_repeat (may be NULL) once a repeated key.  Returns the
 * new count. */
size_t json_unique(struct arena *a, struct json_member *members, size_t count,
		   void (*on_repeat)(void *arg, struct str key), void *arg);

/* Appends path to duplicates unless it is there or JSON_MAX_DUPLICATES are. */
void json_duplicates_add(struct arena *a, struct json_duplicates *duplicates, struct str path,
			 uint32_t line);

/* Levels of containers, at most limit + 1. */
int json_depth(const struct json *tree, int limit);

#endif
