/* Any text is an expression or has faults that can be printed; what is one has a cost. */
#include "codec/cel.h"
#include "fuzz.h"

static const struct cel_field fields[] = {{STR_INIT("n"), &cel_int}, {STR_INIT("s"), &cel_string}};
static const struct cel_type self = {
	.kind = CEL_STRUCT, .name = STR_INIT("Self"), .fields = fields, .field_count = 2};
static const struct cel_type names = {
	.kind = CEL_LIST, .of = {&cel_string}, .max_elements = 10, .has_max = true};
static const struct cel_variable variables[] = {
	{STR_INIT("self"), &self}, {STR_INIT("names"), &names}, {STR_INIT("object"), &cel_dyn}};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct cel_env env = {.variables = variables, .variable_count = 3, .has_bind = true};
	struct cel c;
	bool is_good = cel_compile(&c, &a, &env, str_n((const char *)bytes, size));
	FUZZ_CHECK(is_good == (c.fault_count == 0));
	if (is_good)
		(void)cel_cost_max(&c);
	else
		FUZZ_CHECK(str_has_prefix(cel_faults_text(&c), STR("ERROR: <input>:")));
	return 0;
}
