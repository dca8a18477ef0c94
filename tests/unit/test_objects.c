/* What a fuzzing target (fuzz_objects.c, fuzz_merges.c) holds every object to, tried on random
 * objects of every kind. */
#include "rules.h"

#include "../fuzz/fuzz.h"
#include "../fuzz/random_object.h"

#ifndef SEEDS /* more by hand: -DSEEDS=5000 */
#define SEEDS 40
#endif
#define INPUT_BYTES 3000

static void objects_of_every_kind_keep_their_properties(void **state)
{
	uint8_t input[INPUT_BYTES];
	for (uint32_t kind = 0; kind < api_builtin()->kind_count; kind++)
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			random_bytes(seed << 8 | kind, input, sizeof(input));
			input[0] = (uint8_t)(kind >> 8);
			input[1] = (uint8_t)kind;
			LLVMFuzzerTestOneInput(input, sizeof(input));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_of_every_kind_keep_their_properties),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
