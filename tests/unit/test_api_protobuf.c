#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "api/decode.h"
#include "api/protobuf.h"
#include "base/encode.h"
#include "wire_objects.h"

static struct str bytes_of(struct arena *a, const struct wire_object *o)
{
	struct str bytes;
	if (!base64_decode(a, o->protobuf, &bytes))
		fail_msg("%.*s: no base64", STR_FMT(o->path));
	return bytes;
}

/* Where JSON and protobuf do not say the same. */
static bool is_exception(struct str path, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_has_suffix(path, str_of(paths[i])))
			return true;
	return false;
}

static const char *const json_says_more[] = {
	"/statefulsets/ref-wire-full", /* kind and apiVersion of volumeClaimTemplates: a default */
	"/default/configmaps",	       /* a list, read at another revision */
	"/apps/v1/deployments",	       /* an empty list */
};
static const char *const protobuf_says_more[] = {
	"/controllerrevisions/ref-wire-minimal", /* white space in a RawExtension */
	"/controllerrevisions/ref-wire-nested",	 "/deviceclasses/ref-wire-full",
	"/resourceclaims/ref-wire-full",	 "/default/configmaps",
};

static void documents_are_decoded(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *o = &all.items[i];
		struct protobuf_envelope e;
		struct json *tree;
		struct err err;
		if (protobuf_envelope_open(bytes_of(&all.arena, o), &e, &err) ||
		    api_protobuf_decode(&all.arena, o->type, &e, &tree, &err))
			fail_msg("%.*s: %s", STR_FMT(o->path), err.text);
		if (!is_exception(o->path, json_says_more, ARRAY_LEN(json_says_more)))
			wire_assert_same(o->path, tree, o->json);
	}
	wire_objects_done(&all);
}

static void documents_are_written_byte_for_byte(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *o = &all.items[i];
		CLEANUP_BUF out = BUF_INIT(16u << 20);
		CLEANUP_BUF text = BUF_INIT(16u << 20);
		api_protobuf_write(&out, o->type, o->json);
		base64_add(&text, buf_str(&out));
		if (!str_eq(buf_str(&text), o->protobuf) &&
		    !is_exception(o->path, protobuf_says_more, ARRAY_LEN(protobuf_says_more)))
			fail_msg("%.*s:\n got %s\nwant %.*s", STR_FMT(o->path), text.data,
				 STR_FMT(o->protobuf));
	}
	wire_objects_done(&all);
}

/* Whatever is cut or changed: an error or a tree, nothing else. */
static void damaged_documents_do_no_harm(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i += 7) {
		const struct wire_object *o = &all.items[i];
		CLEANUP_ARENA a = {};
		struct str bytes = bytes_of(&a, o);
		for (size_t at = 0; at < bytes.len; at++) {
			CLEANUP_ARENA scratch = {};
			struct protobuf_envelope e;
			struct json *tree;
			char *copy = arena_copy(&scratch, bytes.at, bytes.len);
			struct str damaged = str_n(copy, at % 2 ? at : bytes.len);
			copy[at] = (char)(copy[at] + 1 + (char)(at * 37));
			if (protobuf_envelope_open(damaged, &e, NULL) == RC_OK &&
			    api_protobuf_decode(&scratch, o->type, &e, &tree, NULL) == RC_OK)
				assert_int_equal(tree->type, JSON_OBJECT);
		}
	}
	wire_objects_done(&all);
}

static void odd_messages(void **state)
{
	static const struct {
		const char *hex, *want;
		int type;
	} rows[] = {
		/* a map with a repeated key: the last wins; a key without a value */
		{"12060a016112013112060a016112013212030a0162",
		 "{\"kind\":\"K\",\"apiVersion\":\"v\",\"metadata\":{},\"data\":{\"a\":\"2\",\"b\":"
		 "\"\"}}",
		 TYPE_CORE_V1_CONFIG_MAP},
		/* packed numbers: supplementalGroups */
		{"22020506", "{\"supplementalGroups\":[5,6]}", TYPE_CORE_V1_POD_SECURITY_CONTEXT},
		{"200520062801", "{\"supplementalGroups\":[5,6],\"fsGroup\":1}",
		 TYPE_CORE_V1_POD_SECURITY_CONTEXT},
		/* a tag nobody knows */
		{"c03e010a0178", "{\"name\":\"x\"}", TYPE_META_V1_OBJECT_META},
		{"", "{}", TYPE_META_V1_OBJECT_META},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		char raw[64];
		size_t len = strlen(rows[i].hex) / 2;
		for (size_t j = 0; j < len; j++) {
			unsigned byte;
			assert_int_equal(sscanf(rows[i].hex + 2 * j, "%2x", &byte), 1);
			raw[j] = (char)byte;
		}
		struct protobuf_envelope e = {STR("v"), STR("K"), str_n(raw, len), {}, {}};
		const struct api_type *type = api_type(api_builtin(), rows[i].type);
		struct json *tree, *want;
		struct err err;
		if (api_protobuf_decode(&a, type, &e, &tree, &err) != RC_OK)
			fail_msg("%s: %s", rows[i].hex, err.text);
		assert_int_equal(json_parse(&a, str_of(rows[i].want), &want, NULL, NULL), RC_OK);
		wire_assert_same(str_of(rows[i].hex), tree, want);
	}
}

static void other_formats_are_refused(void **state)
{
	struct protobuf_envelope e;
	struct err err;
	assert_int_equal(protobuf_envelope_open(STR("{\"kind\":\"Pod\"}"), &e, &err),
			 RC_BAD_REQUEST);
	assert_string_equal(err.text, "provided data does not appear to be a protobuf message, "
				      "expected prefix [107 56 115 0]");
	assert_int_equal(protobuf_envelope_open(str_n("k8s\0\x0a\x7f", 6), &e, &err),
			 RC_BAD_REQUEST);
	CLEANUP_ARENA a = {};
	struct json *tree;
	struct protobuf_envelope bad = {.raw = str_n("\x0a\x02\xff\xfe", 4)};
	assert_int_equal(api_protobuf_decode(&a, api_type(api_builtin(), TYPE_META_V1_OBJECT_META),
					     &bad, &tree, &err),
			 RC_BAD_REQUEST);
}

static void watch_frames_carry_their_length(void **state)
{
	CLEANUP_BUF out = BUF_INIT(1024);
	api_protobuf_watch_frame(&out, STR("ADDED"), STR("doc"));
	static const char want[] = "\0\0\0\x0e\x0a\x05"
				   "ADDED\x12\x05\x0a\x03"
				   "doc";
	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.data, want, out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_decoded),
		cmocka_unit_test(documents_are_written_byte_for_byte),
		cmocka_unit_test(damaged_documents_do_no_harm),
		cmocka_unit_test(odd_messages),
		cmocka_unit_test(other_formats_are_refused),
		cmocka_unit_test(watch_frames_carry_their_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
