/* Label and field selectors from a query; whatever parses can be asked about any labels. */
#include "api/selector.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str text = str_n((const char *)bytes, size);
	struct selector labels;
	struct field_selector fields;
	struct err err = {};
	struct json *tree = json_object(&a);
	json_set_str(&a, tree, STR("app"), STR("web"));
	json_set_str(&a, tree, STR("n"), STR("5"));
	enum rc rc = selector_parse(&a, text, &labels, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (rc == RC_OK) {
		(void)selector_matches_tree(&labels, tree);
		(void)selector_matches_tree(&labels, NULL);
	}
	rc = field_selector_parse(&a, text, &fields, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (rc == RC_OK) {
		(void)field_selector_matches_tree(&fields, tree);
		(void)field_selector_exact(&fields, "metadata.name");
	}
	return 0;
}
