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

/* Members in the order of their keys, as Go writes a map. */
void json_sort_members(struct json *object);

/* Removes repeated keys in place: the last value wins at the place of the first; is_merged joins
 * objects under one key, one level deep.  Calls on_repeat (may be NULL) with the position of every
 * repetition, in order, and how many different keys stand before it.  Returns the new count. */
size_t json_unique(struct arena *a, struct json_member *members, size_t count, bool is_merged,
		   void (*on_repeat)(void *arg, size_t position, size_t place), void *arg);

/* Appends to duplicates unless the same path and line are there, or JSON_MAX_DUPLICATES are. */
void json_duplicates_add(struct arena *a, struct json_duplicates *duplicates, struct str path,
			 struct str key, uint32_t line, uint32_t place);

/* json_stack: the open containers of a parser.  Values wait here until their container closes; then
 * they move to the arena in one piece of the right size. */
struct json_stack {
	struct arena *arena;
	struct json_duplicates *duplicates; /* may be NULL */
	struct json_member *members;	    /* owned; array items have an absent key */
	uint32_t *lines;		    /* owned; of the members, when has_lines */
	bool has_lines;
	size_t count, cap;
	int depth;
	size_t bases[JSON_MAX_DEPTH]; /* where each open container begins; not initialised */
};

void json_stack_done(struct json_stack *s);
/* Begins a container; false when JSON_MAX_DEPTH are open. */
[[nodiscard]] bool json_stack_open(struct json_stack *s);
/* Adds a member whose value the caller sets in s->members[returned slot].value. */
size_t json_stack_push(struct json_stack *s, struct str key, uint32_t line);
/* Closes the newest container and fills the value with its content. */
void json_stack_array(struct json_stack *s, struct json *array);
void json_stack_object(struct json_stack *s, struct json *object);

/* The shortest decimal that reads back as value, finite: plain notation while 10^low <= value <
 * 10^high, else with an exponent of at least exponent_digits digits. */
void double_write(struct buf *out, double value, int low, int high, int exponent_digits);

/* Levels of containers, at most limit + 1. */
int json_depth(const struct json *tree, int limit);

#endif
