/* random_object: objects of any kind made by its tables, for tests of what holds for all of them.
 *
 * A source is a string of bytes; each choice takes the next one, and behind the end every choice is
 * the simplest.  So a fuzzing engine steers what is made, and a failing object shrinks.
 * Owns: nothing; trees live in the arena, some strings are constants.
 * Limits: RANDOM_VALUES_MAX values and RANDOM_DEPTH_MAX levels an object. */
#ifndef SKEG_TESTS_RANDOM_OBJECT_H
#define SKEG_TESTS_RANDOM_OBJECT_H

#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

#define RANDOM_VALUES_MAX 600
#define RANDOM_DEPTH_MAX  14

struct random_source {
	const uint8_t *at, *end;
	size_t values; /* made so far */
};

size_t random_below(struct random_source *s, size_t limit);
/* A kind of the built-in tables. */
const struct api_kind *random_kind(struct random_source *s);
/* A document that api_normalise() takes: apiVersion, kind, name, and anything that the type has.
 * Elements of lists with keys and of sets differ.  Values are likely ones (names, addresses,
 * quantities, odd numbers), so that rules are reached, but not all of them valid. */
struct json *random_object(struct arena *a, struct random_source *s, const struct api_kind *kind);
/* The same again with some of its parts taken from another random object. */
struct json *random_change(struct arena *a, struct random_source *s, const struct api_kind *kind,
			   const struct json *tree);

/* Takes out of metadata what a client may not say. */
void random_drop_system(struct json *tree);

/* Fills bytes from a seed, for tests without an engine. */
void random_bytes(uint64_t seed, uint8_t *out, size_t size);

#endif
