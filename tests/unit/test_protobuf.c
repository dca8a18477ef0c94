#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "codec/protobuf.h"

/* Prints a message as "1:5 2:hex 9=fixed", the defect last. */
static void describe(struct buf *out, struct str bytes)
{
	struct protobuf_reader r = protobuf_reader(bytes);
	struct protobuf_field field;
	struct err err;
	while (protobuf_next(&r, &field)) {
		buf_printf(out, "%s%u:", out->len ? " " : "", field.number);
		if (field.wire == PROTOBUF_BYTES)
			hex_add(out, field.bytes);
		else
			buf_printf(out, "%s%llu", field.wire == PROTOBUF_VARINT ? "" : "=",
				   (unsigned long long)field.value);
	}
	if (protobuf_check(&r, "Pod", &err) != RC_OK)
		buf_printf(out, "%s%s", out->len ? " " : "", err.text);
}

static void test_reading(void **state)
{
	static const struct {
		struct str bytes;
		const char *described;
	} rows[] = {
		{STR_INIT(""), ""},
		{STR_INIT("\x08\x05"), "1:5"},
		{STR_INIT("\x08\x96\x01\x12\x02hi"), "1:150 2:6869"},
		{STR_INIT("\x12\x00"), "2:"},
		{STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		 "1:18446744073709551615"},
		{STR_INIT("\x08\x80\x00"), "1:0"},
		{STR_INIT("\x09\x01\0\0\0\0\0\0\0"), "1:=1"},
		{STR_INIT("\x0d\x01\0\0\x80"), "1:=2147483649"},
		{STR_INIT("\xf8\xff\xff\xff\x0f\x01"), "536870911:1"},
		{STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
		 "Pod: proto: integer overflow"},
		{STR_INIT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
		 "Pod: proto: integer overflow"},
		{STR_INIT("\x00\x01"), "Pod: proto: illegal tag"},
		{STR_INIT("\x80\x80\x80\x80\x10\x01"), "Pod: proto: illegal tag"},
		{STR_INIT("\x0b\x0c"), "Pod: proto: groups are not supported"},
		{STR_INIT("\x0c"), "Pod: proto: groups are not supported"},
		{STR_INIT("\x0e"), "Pod: proto: illegal wireType"},
		{STR_INIT("\x0f"), "Pod: proto: illegal wireType"},
		{STR_INIT("\x08\x01\x12\x03hi"), "1:1 Pod: unexpected EOF"},
		{STR_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), "Pod: unexpected EOF"},
		{STR_INIT("\x08"), "Pod: unexpected EOF"},
		{STR_INIT("\x80"), "Pod: unexpected EOF"},
		{STR_INIT("\x09\x01\0\0\0\0\0\0"), "Pod: unexpected EOF"},
		{STR_INIT("\x0d\x01\0\0"), "Pod: unexpected EOF"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF out = BUF_INIT(1000);
		describe(&out, rows[i].bytes);
		assert_string_equal(buf_str(&out).at, rows[i].described);
	}
	CLEANUP_BUF out = BUF_INIT(1000);
	describe(&out, (struct str){});
	assert_int_equal(out.len, 0);
}

static void test_numbers_round_trip(void **state)
{
	static const int64_t rows[] = {0,	  1,	     127,	128,	   16383, 16384,
				       INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, -1};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF out = BUF_INIT(100);
		protobuf_put_int(&out, 7, rows[i]);
		protobuf_put_double(&out, 8, (double)rows[i]);
		protobuf_put_bool(&out, 9, rows[i] & 1);
		struct protobuf_reader r = protobuf_reader(buf_str(&out));
		struct protobuf_field field;
		assert_true(protobuf_next(&r, &field));
		assert_int_equal(field.number, 7);
		assert_true((int64_t)field.value == rows[i]);
		assert_true(protobuf_next(&r, &field));
		assert_true(protobuf_double(&field) == (double)rows[i]);
		assert_true(protobuf_next(&r, &field));
		assert_int_equal(field.value, rows[i] & 1);
		assert_false(protobuf_next(&r, &field));
		assert_int_equal(protobuf_check(&r, "x", NULL), RC_OK);
	}
}

static void test_packed(void **state)
{
	struct protobuf_reader r = protobuf_reader(STR("\x01\x80\x01\x00"));
	uint64_t value, sum = 0;
	while (protobuf_next_varint(&r, &value))
		sum += value;
	assert_int_equal(sum, 129);
	assert_int_equal(protobuf_check(&r, "x", NULL), RC_OK);
	r = protobuf_reader(STR("\x01\x80"));
	while (protobuf_next_varint(&r, &value))
		;
	assert_int_equal(protobuf_check(&r, "x", NULL), RC_BAD_REQUEST);
}

static void test_wrong_wire_type(void **state)
{
	struct protobuf_reader r = protobuf_reader(STR("\x08\x05\x08\x06"));
	struct protobuf_field field;
	struct err err;
	assert_true(protobuf_next(&r, &field));
	assert_true(protobuf_expect(&r, &field, PROTOBUF_VARINT));
	assert_false(protobuf_expect(&r, &field, PROTOBUF_BYTES));
	assert_false(protobuf_next(&r, &field));
	assert_int_equal(protobuf_check(&r, "Pod", &err), RC_BAD_REQUEST);
	assert_string_equal(err.text, "Pod: proto: wrong wireType");
}

static const size_t nested_sizes[] = {0, 1, 119, 120, 126, 127, 128, 129, 16383, 16384, 70000};

static void test_nested_messages_of_every_length_size(void **state)
{
	char *filler = mem_alloc(70000);
	for (size_t i = 0; i < ARRAY_LEN(nested_sizes); i++) {
		CLEANUP_BUF out = BUF_INIT(1 << 20);
		size_t outer = protobuf_open(&out, 1);
		protobuf_put_uint(&out, 2, 300);
		size_t inner = protobuf_open(&out, 20);
		protobuf_put_bytes(&out, 3, str_n(filler, nested_sizes[i]));
		protobuf_close(&out, inner);
		protobuf_put_bytes(&out, 4, STR("tail"));
		protobuf_close(&out, outer);
		struct protobuf_reader top = protobuf_reader(buf_str(&out));
		struct protobuf_field field;
		assert_true(protobuf_next(&top, &field));
		struct protobuf_reader middle = protobuf_reader(field.bytes);
		assert_false(protobuf_next(&top, &field));
		assert_true(protobuf_next(&middle, &field) && field.value == 300);
		assert_true(protobuf_next(&middle, &field) && field.number == 20);
		struct protobuf_reader bottom = protobuf_reader(field.bytes);
		assert_true(protobuf_next(&middle, &field) && str_is(field.bytes, "tail"));
		assert_false(protobuf_next(&middle, &field));
		assert_true(protobuf_next(&bottom, &field));
		assert_int_equal(field.bytes.len, nested_sizes[i]);
		assert_false(protobuf_next(&bottom, &field));
		assert_null(top.defect || middle.defect || bottom.defect ? "" : NULL);
	}
	free(filler);
}

static void test_a_full_buffer_stays_quiet(void **state)
{
	for (size_t max = 0; max < 300; max++) {
		CLEANUP_BUF out = BUF_INIT(max);
		size_t outer = protobuf_open(&out, 1);
		for (int i = 0; i < 30; i++) {
			size_t inner = protobuf_open(&out, 2);
			protobuf_put_bytes(&out, 3, STR("0123456789"));
			protobuf_close(&out, inner);
		}
		protobuf_close(&out, outer);
		assert_int_equal(buf_check(&out, "message", NULL), RC_TOO_LARGE);
	}
}

static void test_truncation(void **state)
{
	CLEANUP_BUF out = BUF_INIT(1000);
	size_t mark = protobuf_open(&out, 1);
	protobuf_put_bytes(&out, 200, STR("some text"));
	protobuf_put_double(&out, 3, 1.5);
	protobuf_close(&out, mark);
	for (size_t len = 1; len < out.len; len++) {
		char *copy = mem_resize(NULL, len);
		memcpy(copy, out.data, len);
		struct protobuf_reader r = protobuf_reader(str_n(copy, len));
		struct protobuf_field field;
		assert_false(protobuf_next(&r, &field));
		assert_int_equal(protobuf_check(&r, "x", NULL), RC_BAD_REQUEST);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_numbers_round_trip),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_wrong_wire_type),
		cmocka_unit_test(test_nested_messages_of_every_length_size),
		cmocka_unit_test(test_a_full_buffer_stays_quiet),
		cmocka_unit_test(test_truncation),
	};
	return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
