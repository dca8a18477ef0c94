/* A document that is decoded is written, and decodes to the same again; and so does its view. */
#include "api/decode.h"
#include "api/protobuf.h"
#include "api/view.h"
#include "fuzz.h"

#define MAX_OUTPUT_BYTES (64u << 20)

static struct json *decode(struct arena *a, struct str document, const struct api_type **ret_type)
{
	struct protobuf_envelope e;
	struct json *tree;
	if (protobuf_envelope_open(document, &e, NULL) != RC_OK)
		return NULL;
	*ret_type = api_type_by_kind(api_builtin(), e.api_version, e.kind);
	if (!*ret_type || api_protobuf_decode(a, *ret_type, &e, &tree, NULL) != RC_OK)
		return NULL;
	return tree;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(MAX_OUTPUT_BYTES);
	const struct api_type *type;
	struct json *tree = decode(&a, str_n((const char *)bytes, size), &type);
	if (!tree)
		return 0;
	api_protobuf_write(&out, type, tree);
	FUZZ_CHECK(!out.is_full);
	struct json *again = decode(&a, buf_str(&out), &type);
	FUZZ_CHECK(again && json_equal(tree, again));
	void *view = view_from_tree(&a, type, tree);
	FUZZ_CHECK(json_equal(view_to_tree(&a, type, view), tree));
	return 0;
}
