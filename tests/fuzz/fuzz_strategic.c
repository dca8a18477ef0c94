/* The input is an object and a strategic merge patch, in two lines.  The patch is refused in words,
 * or it gives what can be normalised or refused in words; no patch changes nothing. */
#include "api/decode.h"
#include "api/strategic.h"
#include "fuzz.h"

#define MAX_INPUT_BYTES (64u << 10)

static void check_empty(struct arena *a, const struct api_type *type, const struct json *tree)
{
	struct field_errors errors = {.arena = a};
	struct json *same;
	FUZZ_CHECK(strategic_merge(a, type, json_copy(a, tree), json_object(a), &same, &errors,
				   NULL) == RC_OK);
	FUZZ_CHECK(json_equal(same, tree));
}

static void check_shown(const struct json *patch)
{
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	go_value_write(&text, patch);
	FUZZ_CHECK(text.len || text.is_full || patch->type == JSON_STRING);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str document, text;
	struct json *body, *patch, *tree, *result, *normal;
	struct field_errors errors = {.arena = &a};
	struct err err = {};
	str_cut(str_n((const char *)bytes, size), '\n', &document, &text);
	if (size > MAX_INPUT_BYTES || json_parse(&a, document, &body, NULL, NULL) != RC_OK ||
	    json_parse(&a, text, &patch, NULL, NULL) != RC_OK)
		return 0;
	const struct api_type *type = api_type_by_kind(
		api_builtin(), json_path_str(body, "apiVersion"), json_path_str(body, "kind"));
	if (!type || api_normalise(&a, type, body, NULL, &tree, NULL) != RC_OK)
		return 0;
	check_empty(&a, type, tree);
	check_shown(patch);
	enum rc rc = strategic_merge(&a, type, json_copy(&a, tree), json_copy(&a, patch), &result,
				     &errors, &err);
	FUZZ_CHECK(rc == RC_OK || err.text[0]);
	FUZZ_CHECK((rc == RC_INVALID) >= (errors.count > 0));
	if (rc == RC_OK && api_normalise(&a, type, result, NULL, &normal, &err) != RC_OK)
		FUZZ_CHECK(err.text[0]);
	return 0;
}
