/* json: the tree form of a document, its parser and its writer.
 *
 * A tree lives in one arena and may be edited freely by the owner of that arena; strings point into
 * the arena or into the parsed text, which must outlive the tree.  Objects keep the order of their
 * members.  Numbers keep int64 apart from double as Kubernetes does: an integer literal that fits
 * is JSON_INT, all others are JSON_DOUBLE (a literal beyond the range of double becomes infinite
 * and is written as 1e999; NaN is written as null).
 *
 * Limits: JSON_MAX_DEPTH levels, JSON_MAX_BYTES of text, JSON_MAX_NODES values.
 * Errors: RC_BAD_REQUEST in the wording of Go's encoding/json (clients and tests compare it, so no
 * offset is added), RC_TOO_LARGE for text or values beyond the limit.  Source: RFC 8259; refused
 * beyond it: invalid UTF-8; lone surrogates become U+FFFD as in Go. */
#ifndef SKEG_CODEC_JSON_H
#define SKEG_CODEC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_MAX_DEPTH 512
#define JSON_MAX_BYTES (16u << 20)
#define JSON_MAX_NODES (4u << 20)

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json;

struct json_member {
	struct str key;
	struct json *value;
};

struct json {
	enum json_type type;
	union {
		bool boolean;
		int64_t integer;
		double number;
		struct str string;
		struct {
			struct json **items;
			size_t count, cap;
		} array;
		struct {
			struct json_member *members;
			size_t count, cap;
		} object;
	};
};

#define JSON_MAX_DUPLICATES 100

/* Duplicate keys found while parsing, each path once, named as upstream's strict decoder does, e.g.
 * `spec.containers[0].name`.  Of repeated scalars and lists the last wins; repeated objects are
 * merged, as Go does when it decodes into a struct, unless keeps_last, as it does with a map. */
struct json_duplicates {
	struct str *paths;
	struct str *keys; /* last part of the path */
	uint32_t *lines;  /* of the repeated value, counted from 1; 0 unless the text was YAML */
	uint32_t *places; /* how many different keys of its object stand before it */
	size_t count, cap;
	bool keeps_last; /* set before parsing */
};

/* Parses one document; trailing white space is allowed, anything else is an error.
 * duplicates may be NULL. */
[[nodiscard]] enum rc json_parse(struct arena *a, struct str text, struct json **ret_tree,
				 struct json_duplicates *duplicates, struct err *err);

/* Compact, HTML-unsafe characters (<, >, &, U+2028, U+2029) written as Go's encoder does (\u003c).
 */
void json_write(struct buf *out, const struct json *tree);
void json_write_indent(struct buf *out, const struct json *tree, int indent_columns);
void json_write_string(struct buf *out, struct str s); /* quoted and escaped */

/* A string may stand in a document: UTF-8 without overlong forms and surrogates. */
bool utf8_is_valid(struct str text);

/* Construction; strings are NOT copied. */
[[nodiscard]] struct json *json_null(struct arena *a);
[[nodiscard]] struct json *json_bool(struct arena *a, bool value);
[[nodiscard]] struct json *json_int(struct arena *a, int64_t value);
[[nodiscard]] struct json *json_double(struct arena *a, double value);
[[nodiscard]] struct json *json_string(struct arena *a, struct str value);
[[nodiscard]] struct json *json_cstring(struct arena *a, const char *value);
[[nodiscard, gnu::format(printf, 2, 3)]] struct json *json_printf(struct arena *a, const char *fmt,
								  ...);
[[nodiscard]] struct json *json_array(struct arena *a);
[[nodiscard]] struct json *json_object(struct arena *a);
/* Deep; json_copy copies the strings too, json_clone shares them. */
[[nodiscard]] struct json *json_copy(struct arena *a, const struct json *tree);
[[nodiscard]] struct json *json_clone(struct arena *a, const struct json *tree);

/* Reading.  All accept NULL and a value of another type, and then return NULL, absent, or 0. */
struct json *json_get(const struct json *object, struct str key);
struct json *json_at(const struct json *array, size_t index);
struct json *json_child(const struct json *array_or_object, size_t index);
size_t json_count(const struct json *array_or_object);
struct str json_str(const struct json *value);
int64_t json_i64(const struct json *value);
double json_f64(const struct json *value); /* of either kind of number */
bool json_is_true(const struct json *value);
const char *json_type_name(const struct json *value); /* as Go's errors say: "number", "array" … */
/* By dotted path of plain keys: json_path(pod, "spec.nodeName"). */
struct json *json_path(const struct json *tree, const char *dotted);
struct str json_path_str(const struct json *tree, const char *dotted);
bool json_equal(const struct json *a,
		const struct json *b);	      /* members in any order; 1 equals 1.0 */
uint64_t json_hash(const struct json *value); /* equal values have equal ones */

/* The first item that is equal; json_count() when there is none. */
size_t json_find(const struct json *array, const struct json *item);
bool json_has_text(const struct json *array, struct str text); /* a string that is text */

/* Editing.  set replaces or appends; values are not copied. */
void json_set(struct arena *a, struct json *object, struct str key, struct json *value);
void json_set_str(struct arena *a, struct json *object, struct str key, struct str value);
/* Appends without a search, for a key that the caller knows is not there. */
void json_add(struct arena *a, struct json *object, struct str key, struct json *value);
bool json_remove(struct json *object, struct str key); /* keeps the order; false when absent */
void json_append(struct arena *a, struct json *array, struct json *value);
void json_remove_at(struct json *array, size_t index);
/* The object or array at key, made when absent or of another type. */
struct json *json_need_object(struct arena *a, struct json *object, struct str key);
struct json *json_need_array(struct arena *a, struct json *object, struct str key);

#endif
