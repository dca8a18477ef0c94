#include "codec/protobuf.h"

#define TAG_MAX_BYTES	 5
#define VARINT_MAX_BYTES 10
#define WIRE_BITS	 3

static bool fail(struct protobuf_reader *r, const char *defect)
{
	r->defect = defect;
	r->at = r->end;
	return false;
}

bool protobuf_next_varint(struct protobuf_reader *r, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (r->at == r->end)
		return false;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->at == r->end)
			return fail(r, "unexpected EOF");
		uint64_t byte = (unsigned char)*r->at++;
		if (shift == 63 && byte > 1)
			break;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_value = value;
			return true;
		}
	}
	return fail(r, "proto: integer overflow");
}

static bool read_varint(struct protobuf_reader *r, uint64_t *ret_value)
{
	return r->at < r->end ? protobuf_next_varint(r, ret_value) : fail(r, "unexpected EOF");
}

static bool read_fixed(struct protobuf_reader *r, unsigned size, uint64_t *ret_value)
{
	if ((size_t)(r->end - r->at) < size)
		return fail(r, "unexpected EOF");
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)(unsigned char)r->at[i] << (8 * i);
	r->at += size;
	*ret_value = value;
	return true;
}

static bool read_bytes(struct protobuf_reader *r, struct str *ret_bytes)
{
	uint64_t len;
	if (!read_varint(r, &len))
		return false;
	if (len > (uint64_t)(r->end - r->at))
		return fail(r, "unexpected EOF");
	*ret_bytes = str_n(r->at, (size_t)len);
	r->at += len;
	return true;
}

bool protobuf_next(struct protobuf_reader *r, struct protobuf_field *ret_field)
{
	uint64_t tag;
	if (!protobuf_next_varint(r, &tag))
		return false;
	if (tag >> WIRE_BITS == 0 || tag >> WIRE_BITS > PROTOBUF_MAX_FIELD)
		return fail(r, "proto: illegal tag");
	ret_field->number = (uint32_t)(tag >> WIRE_BITS);
	ret_field->wire = (enum protobuf_wire)(tag & 7);
	switch (tag & 7) {
	case PROTOBUF_VARINT:
		return read_varint(r, &ret_field->value);
	case PROTOBUF_FIXED64:
		return read_fixed(r, 8, &ret_field->value);
	case PROTOBUF_FIXED32:
		return read_fixed(r, 4, &ret_field->value);
	case PROTOBUF_BYTES:
		return read_bytes(r, &ret_field->bytes);
	case 3:
	case 4:
		return fail(r, "proto: groups are not supported");
	default:
		return fail(r, "proto: illegal wireType");
	}
}

bool protobuf_expect(struct protobuf_reader *r, const struct protobuf_field *field,
		     enum protobuf_wire wire)
{
	return field->wire == wire || fail(r, "proto: wrong wireType");
}

enum rc protobuf_check(const struct protobuf_reader *r, const char *message, struct err *err)
{
	if (r->defect)
		return err_set(err, RC_BAD_REQUEST, "%s: %s", message, r->defect);
	return RC_OK;
}

static size_t put_varint(char *to, uint64_t value)
{
	size_t len = 0;
	for (; value >= 0x80; value >>= 7)
		to[len++] = (char)(value | 0x80);
	to[len++] = (char)value;
	return len;
}

void protobuf_add_varint(struct buf *out, uint64_t value)
{
	char bytes[VARINT_MAX_BYTES];
	buf_add(out, bytes, put_varint(bytes, value));
}

void protobuf_add_tag(struct buf *out, uint32_t number, enum protobuf_wire wire)
{
	ASSERT(number >= 1 && number <= PROTOBUF_MAX_FIELD);
	protobuf_add_varint(out, (uint64_t)number << WIRE_BITS | wire);
}

void protobuf_put_uint(struct buf *out, uint32_t number, uint64_t value)
{
	char bytes[TAG_MAX_BYTES + VARINT_MAX_BYTES];
	ASSERT(number >= 1 && number <= PROTOBUF_MAX_FIELD);
	size_t len = put_varint(bytes, (uint64_t)number << WIRE_BITS | PROTOBUF_VARINT);
	buf_add(out, bytes, len + put_varint(bytes + len, value));
}

void protobuf_put_int(struct buf *out, uint32_t number, int64_t value)
{
	protobuf_put_uint(out, number, (uint64_t)value);
}

void protobuf_put_bool(struct buf *out, uint32_t number, bool value)
{
	protobuf_put_uint(out, number, value);
}

void protobuf_put_double(struct buf *out, uint32_t number, double value)
{
	uint64_t bits;
	char bytes[8];
	memcpy(&bits, &value, sizeof(bits));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(bits >> (8 * i));
	protobuf_add_tag(out, number, PROTOBUF_FIXED64);
	buf_add(out, bytes, sizeof(bytes));
}

void protobuf_put_bytes(struct buf *out, uint32_t number, struct str bytes)
{
	char head[TAG_MAX_BYTES + VARINT_MAX_BYTES];
	ASSERT(number >= 1 && number <= PROTOBUF_MAX_FIELD);
	size_t len = put_varint(head, (uint64_t)number << WIRE_BITS | PROTOBUF_BYTES);
	buf_add(out, head, len + put_varint(head + len, bytes.len));
	buf_add_str(out, bytes);
}

/* One byte is kept for the length, enough for most messages; a longer one is moved up once. */
size_t protobuf_open(struct buf *out, uint32_t number)
{
	protobuf_add_tag(out, number, PROTOBUF_BYTES);
	buf_add_char(out, 0);
	return out->len;
}

void protobuf_close(struct buf *out, size_t mark)
{
	char length[VARINT_MAX_BYTES];
	if (out->is_full)
		return;
	ASSERT(mark >= 2 && mark <= out->len);
	size_t content = out->len - mark, more = put_varint(length, content) - 1;
	if (more) {
		if (!buf_reserve(out, more))
			return;
		memmove(out->data + mark + more, out->data + mark, content);
		buf_grew(out, more);
	}
	memcpy(out->data + mark - 1, length, more + 1);
}
