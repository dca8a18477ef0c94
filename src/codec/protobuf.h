/* protobuf: the wire format, reader and writer; messages are known to the caller only.
 *
 * Reader: a cursor over bytes that somebody else owns; fields point into them.  Every read is
 *checked against the end.  A defect ends the loop like the end of the message does and is told once
 *by protobuf_check():
 *
 *	struct protobuf_reader r = protobuf_reader(bytes);
 *	struct protobuf_field field;
 *	while (protobuf_next(&r, &field))
 *		switch (field.number) { ... }           // unknown numbers: just go on
 *	TRY(protobuf_check(&r, "Pod", err));
 *
 * The caller descends into nested messages with a reader of field.bytes and limits the depth (say,
 * JSON_MAX_DEPTH).  Groups are refused, as no Kubernetes type has any.
 *
 * Writer: appends to a struct buf, whose sticky is_full stands for its errors.  A nested message
 * stands between protobuf_open() and protobuf_close(); its length is patched in afterwards.
 *
 * Errors: RC_BAD_REQUEST, worded as gogo/protobuf does.
 * Source: https://protobuf.dev/programming-guides/encoding/ */
#ifndef SKEG_CODEC_PROTOBUF_H
#define SKEG_CODEC_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5,
};

#define PROTOBUF_MAX_FIELD ((1u << 29) - 1)

struct protobuf_reader {
	const char *at, *end;
	const char *defect; /* NULL: none so far */
};

struct protobuf_field {
	uint32_t number; /* 1 … PROTOBUF_MAX_FIELD */
	enum protobuf_wire wire;
	uint64_t value;	  /* VARINT, FIXED64, FIXED32; of int32 and int64 two's complement */
	struct str bytes; /* BYTES: string, bytes, message or packed numbers; never absent */
};

static inline struct protobuf_reader protobuf_reader(struct str bytes)
{
	const char *at = bytes.at ? bytes.at : "";
	return (struct protobuf_reader){.at = at, .end = at + bytes.len};
}

/* The next field; false at the end and after a defect. */
bool protobuf_next(struct protobuf_reader *r, struct protobuf_field *ret_field);
/* The next of packed varints; false at the end and after a defect. */
bool protobuf_next_varint(struct protobuf_reader *r, uint64_t *ret_value);
/* Marks the message defective unless field has this wire type; name stands in the error. */
bool protobuf_expect(struct protobuf_reader *r, const struct protobuf_field *field,
		     enum protobuf_wire wire);
/* RC_OK when the whole message was read without a defect, else an error naming message. */
[[nodiscard]] enum rc protobuf_check(const struct protobuf_reader *r, const char *message,
				     struct err *err);

static inline double protobuf_double(const struct protobuf_field *field)
{
	double number;
	memcpy(&number, &field->value, sizeof(number));
	return number;
}

void protobuf_add_varint(struct buf *out, uint64_t value); /* without a tag */
void protobuf_add_tag(struct buf *out, uint32_t number, enum protobuf_wire wire);
/* Field and value. */
void protobuf_put_uint(struct buf *out, uint32_t number, uint64_t value);
void protobuf_put_int(struct buf *out, uint32_t number, int64_t value); /* int32 and int64 */
void protobuf_put_bool(struct buf *out, uint32_t number, bool value);
void protobuf_put_double(struct buf *out, uint32_t number, double value);
void protobuf_put_bytes(struct buf *out, uint32_t number, struct str bytes);

/* Begins a nested message; what follows is its content until protobuf_close(mark).  Nests. */
[[nodiscard]] size_t protobuf_open(struct buf *out, uint32_t number);
void protobuf_close(struct buf *out, size_t mark);

#endif
