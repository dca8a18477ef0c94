/* The input is a document and a patch, in two lines.  A patch leaves itself unchanged and gives a
 * document that can be written and read; the merge patch from before to after gives after. */
#include "codec/patch.h"
#include "fuzz.h"

#define MAX_OUTPUT_BYTES (8u << 20)

static bool has_null(const struct json *value)
{
	if (value->type == JSON_OBJECT)
		for (size_t i = 0; i < value->object.count; i++)
			if (has_null(value->object.members[i].value))
				return true;
	if (value->type == JSON_ARRAY)
		for (size_t i = 0; i < value->array.count; i++)
			if (has_null(value->array.items[i]))
				return true;
	return value->type == JSON_NULL;
}

static void check_written(struct arena *a, const struct json *tree)
{
	CLEANUP_BUF out = BUF_INIT(MAX_OUTPUT_BYTES);
	struct json *again;
	json_write(&out, tree);
	if (out.is_full)
		return;
	FUZZ_CHECK(json_parse(a, buf_str(&out), &again, NULL, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(tree, again));
}

static void check_diff(struct arena *a, const struct json *before, const struct json *after)
{
	struct json *target = json_clone(a, before);
	const struct json *patch = merge_patch_diff(a, before, after);
	if (before->type != JSON_OBJECT || after->type != JSON_OBJECT || has_null(before) ||
	    has_null(after))
		return;
	FUZZ_CHECK(merge_patch_apply(a, &target, patch, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(target, after));
	patch = merge_patch_three_way(a, before, after, before);
	target = json_clone(a, before);
	FUZZ_CHECK(merge_patch_apply(a, &target, patch, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(target, after));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str document_text, patch_text;
	struct json *before, *patch;
	struct err err;
	str_cut(str_n((const char *)bytes, size), '\n', &document_text, &patch_text);
	if (json_parse(&a, document_text, &before, NULL, NULL) != RC_OK ||
	    json_parse(&a, patch_text, &patch, NULL, NULL) != RC_OK)
		return 0;
	struct json *after = json_clone(&a, before), *same_patch = json_copy(&a, patch);
	enum rc rc = patch->type == JSON_OBJECT ? merge_patch_apply(&a, &after, patch, &err)
						: json_patch_apply(&a, &after, patch, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	FUZZ_CHECK(json_equal(patch, same_patch));
	if (rc != RC_OK)
		return 0;
	check_written(&a, after);
	check_diff(&a, before, after);
	return 0;
}
