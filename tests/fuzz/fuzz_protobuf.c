/* What the reader accepts is written anew; that reads the same, and its writing is stable. */
#include "codec/protobuf.h"
#include "fuzz.h"

#define MAX_DEPTH	 16
#define MAX_OUTPUT_BYTES (4u << 20)

static bool is_message(struct str bytes)
{
	struct protobuf_reader r = protobuf_reader(bytes);
	struct protobuf_field field;
	while (protobuf_next(&r, &field))
		;
	return bytes.len > 0 && protobuf_check(&r, "message", NULL) == RC_OK;
}

static void copy_fixed(struct buf *out, const struct protobuf_field *field)
{
	char bytes[8];
	size_t len = field->wire == PROTOBUF_FIXED64 ? 8 : 4;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(field->value >> (8 * i));
	protobuf_add_tag(out, field->number, field->wire);
	buf_add(out, bytes, len);
}

static void copy_message(struct buf *out, struct str bytes, int depth)
{
	struct protobuf_reader r = protobuf_reader(bytes);
	struct protobuf_field field;
	while (protobuf_next(&r, &field)) {
		FUZZ_CHECK(field.number >= 1 && field.number <= PROTOBUF_MAX_FIELD);
		if (field.wire == PROTOBUF_VARINT) {
			protobuf_put_uint(out, field.number, field.value);
		} else if (field.wire != PROTOBUF_BYTES) {
			copy_fixed(out, &field);
		} else if (depth < MAX_DEPTH && is_message(field.bytes)) {
			size_t mark = protobuf_open(out, field.number);
			copy_message(out, field.bytes, depth + 1);
			protobuf_close(out, mark);
		} else {
			protobuf_put_bytes(out, field.number, field.bytes);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_BUF once = BUF_INIT(MAX_OUTPUT_BYTES), twice = BUF_INIT(MAX_OUTPUT_BYTES);
	struct str text = str_n((const char *)bytes, size);
	struct protobuf_reader packed = protobuf_reader(text);
	uint64_t value;
	while (protobuf_next_varint(&packed, &value))
		;
	if (!is_message(text))
		return 0;
	copy_message(&once, text, 0);
	FUZZ_CHECK(!once.is_full && is_message(buf_str(&once)));
	copy_message(&twice, buf_str(&once), 0);
	FUZZ_CHECK(str_eq(buf_str(&once), buf_str(&twice)));
	return 0;
}
