/* What parses is written and parses to the same again; from the second time on the bytes are the
 * same, too (a first writing may turn -0.0 into -0, which is the integer 0, as in Go). */
#include "codec/json.h"
#include "fuzz.h"

#define MAX_OUTPUT_BYTES (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF once = BUF_INIT(MAX_OUTPUT_BYTES), twice = BUF_INIT(MAX_OUTPUT_BYTES);
	CLEANUP_BUF thrice = BUF_INIT(MAX_OUTPUT_BYTES);
	struct json_duplicates duplicates = {};
	struct json *tree, *again, *third;
	struct err err;
	enum rc rc = json_parse(&a, str_n((const char *)bytes, size), &tree, &duplicates, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (rc != RC_OK)
		return 0;
	json_write(&once, tree);
	if (once.is_full)
		return 0;
	FUZZ_CHECK(json_parse(&a, buf_str(&once), &again, NULL, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(tree, again));
	json_write(&twice, again);
	FUZZ_CHECK(json_parse(&a, buf_str(&twice), &third, NULL, NULL) == RC_OK);
	json_write(&thrice, third);
	FUZZ_CHECK(str_eq(buf_str(&twice), buf_str(&thrice)));
	FUZZ_CHECK(json_equal(json_copy(&a, tree), json_clone(&a, again)));
	return 0;
}
