/* field_error: what validation found, in upstream's wording and order.
 * Owns: nothing; all of it lives in the arena of the request.  Limits: FIELD_ERRORS_MAX kept.
 * Source: apimachinery's field.Error: `spec.replicas: Invalid value: -1: must be greater than or
 * equal to 0`. */
#ifndef SKEG_API_FIELD_ERROR_H
#define SKEG_API_FIELD_ERROR_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"

#define FIELD_ERRORS_MAX 1000

/* type, reason of the cause, words in the message */
#define FIELD_ERROR_LIST(X)                                                                        \
	X(NOT_FOUND, "FieldValueNotFound", "Not found")                                            \
	X(REQUIRED, "FieldValueRequired", "Required value")                                        \
	X(DUPLICATE, "FieldValueDuplicate", "Duplicate value")                                     \
	X(INVALID, "FieldValueInvalid", "Invalid value")                                           \
	X(NOT_SUPPORTED, "FieldValueNotSupported", "Unsupported value")                            \
	X(FORBIDDEN, "FieldValueForbidden", "Forbidden")                                           \
	X(TOO_LONG, "FieldValueTooLong", "Too long")                                               \
	X(TOO_MANY, "FieldValueTooMany", "Too many")                                               \
	X(INTERNAL, "InternalError", "Internal error")                                             \
	X(TYPE_INVALID, "FieldValueTypeInvalid", "Invalid value")

enum field_error_type {
#define X(code, reason, words) FIELD_ERROR_##code,
	FIELD_ERROR_LIST(X)
#undef X
};

struct field_error {
	enum field_error_type type;
	struct str path; /* "spec.containers[0].image" */
	struct str
		value; /* as it is printed: `"abc"`, `-1`, `{"a":"b"}`; absent when not printed */
	struct str detail; /* after the last colon; may be empty */
};

struct field_errors {
	struct arena *arena;
	struct field_error *items;
	size_t count, cap;
};

/* value may be NULL (then nothing is printed, as for REQUIRED and FORBIDDEN). */
[[gnu::format(printf, 5, 6)]] void field_error_add(struct field_errors *list,
						   enum field_error_type type, struct str path,
						   const struct json *value, const char *detail,
						   ...);
/* `Unsupported value: "x": supported values: "a", "b"`; values comma separated, printed in that
 * order. */
void field_error_not_supported(struct field_errors *list, struct str path, const struct json *value,
			       struct str supported);
/* `<path>: <words>: <value>: <detail>`, as one cause; and without the path, as
 * Status.details.causes has it. */
void field_error_write(struct buf *out, const struct field_error *e);
void field_error_write_body(struct buf *out, const struct field_error *e);
const char *field_error_reason(enum field_error_type type);

/* Paths: printf into the arena of the list. */
#define FIELD_PATH(list, ...) arena_printf((list)->arena, __VA_ARGS__)

#endif
