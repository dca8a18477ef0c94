/* Every document that parses survives the way through JSON and through YAML; an error has a place.
 */
#include "codec/yaml.h"
#include "fuzz.h"

#define MAX_OUTPUT_BYTES (1u << 20)

static void check_document(struct arena *a, const struct json *tree)
{
	CLEANUP_BUF json = BUF_INIT(MAX_OUTPUT_BYTES), yaml = BUF_INIT(MAX_OUTPUT_BYTES);
	struct json *from_json;
	struct yaml_document *documents;
	size_t count;
	json_write(&json, tree);
	if (json.is_full)
		return;
	FUZZ_CHECK(json_parse(a, buf_str(&json), &from_json, NULL, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(tree, from_json));
	yaml_write(&yaml, tree);
	if (yaml.is_full)
		return;
	FUZZ_CHECK(yaml_parse(a, buf_str(&yaml), &documents, &count, NULL, NULL) == RC_OK);
	FUZZ_CHECK(count == 1 && json_equal(tree, documents[0].tree));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str text = str_n((const char *)bytes, size);
	struct json_duplicates duplicates = {};
	struct yaml_document *documents;
	struct yaml_place place = {};
	size_t count;
	struct err err;
	enum rc rc = yaml_parse(&a, text, &documents, &count, &duplicates, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	FUZZ_CHECK(yaml_find_error(text, &place) == (rc != RC_OK));
	if (rc != RC_OK) {
		FUZZ_CHECK(place.line >= 1 && place.column >= 1);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		check_document(&a, documents[i].tree);
	return 0;
}
