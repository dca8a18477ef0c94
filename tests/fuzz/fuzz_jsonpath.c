/* Any text is a template or has an error; what is one runs over a tree and ends. */
#include "codec/jsonpath.h"
#include "fuzz.h"

#define MAX_OUTPUT_BYTES (1u << 20)

static const char document[] =
	"{\"kind\":\"List\",\"n\":3,\"x.y\":true,\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
	"\"a\":\"x\",\"b\":[1,2.5,null]},{\"n\":7,\"a\":\"y\",\"b\":{\"c\":[]}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(MAX_OUTPUT_BYTES);
	struct jsonpath_results found;
	struct jsonpath *path;
	struct json *tree;
	struct err err;
	struct str text = str_n((const char *)bytes, size);
	FUZZ_CHECK(json_parse(&a, str_of(document), &tree, NULL, NULL) == RC_OK);
	enum rc rc = jsonpath_parse(&a, text, &path, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (rc == RC_OK) {
		rc = jsonpath_print(path, &a, tree, &out, &err);
		FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
		rc = jsonpath_find(path, &a, tree, &found, &err);
		FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	}
	rc = jsonpath_parse_relaxed(&a, text, &path, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	return 0;
}
