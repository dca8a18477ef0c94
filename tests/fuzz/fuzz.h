/* fuzz: what every target has in common.  A target is one file fuzz_<name>.c with this function and
 * a folder corpus/<name>/; it returns 0 and aborts when a property does not hold.  Built with
 * -Dfuzz=true (Clang) it is a libFuzzer program; always also as a smoke test, which runs the corpus
 * and mutations of it with a fixed seed (smoke.c). */
#ifndef SKEG_TESTS_FUZZ_H
#define SKEG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FUZZ_CHECK(expr) ASSERT(expr)

#endif
