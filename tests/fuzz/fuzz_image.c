/* What a registry says: an index, a manifest or a config, each read as each. */
#include "fuzz.h"
#include "node/image_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str text = str_n((const char *)bytes, size);
	struct image_descriptor chosen;
	struct image_manifest manifest;
	struct image_config config;
	struct json *tree;
	struct err err = {};
	enum rc rc = image_config_read(&a, text, &config, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (json_parse(&a, text, &tree, NULL, NULL) != RC_OK)
		return 0;
	(void)image_is_index((struct str){}, tree);
	rc = image_index_choose(tree, &chosen, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	rc = image_manifest_read(&a, tree, &manifest, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	FUZZ_CHECK(rc != RC_OK || manifest.layer_count <= MANIFEST_LAYERS_MAX);
	return 0;
}
