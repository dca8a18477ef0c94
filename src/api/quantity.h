/* quantity: resource.Quantity, the numbers with suffixes of requests, limits and capacities.
 *
 * A value is held exactly as a count of nano units in 128 bits, which is finer and wider than what
 * upstream keeps (values beyond 2^63-1 units are capped to it, digits below nano are rounded away
 * from zero), together with the family of suffixes it was written with, so that text comes out in
 * upstream's canonical form: "1.5Gi" is "1536Mi", "0.5" is "500m", "2000m" is "2".
 *
 * Pure functions.  Errors: RC_BAD_REQUEST with upstream's sentence.
 * Source: apimachinery pkg/api/resource;
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
#ifndef SKEG_API_QUANTITY_H
#define SKEG_API_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define QUANTITY_TEXT_MAX 64 /* with the NUL */

enum quantity_form {
	QUANTITY_DECIMAL,  /* n u m k M G T P E */
	QUANTITY_BINARY,   /* Ki Mi Gi Ti Pi Ei */
	QUANTITY_EXPONENT, /* e3, e6 … */
};

struct quantity {
	__int128 nano;
	enum quantity_form form;
};

[[nodiscard]] enum rc quantity_parse(struct str text, struct quantity *ret_quantity,
				     struct err *err);
/* Canonical text with a NUL; returns its length. */
size_t quantity_format(struct quantity q, char out[QUANTITY_TEXT_MAX]);

struct quantity quantity_of(int64_t units, enum quantity_form form);
struct quantity quantity_of_milli(int64_t milli, enum quantity_form form);
/* Rounded away from zero and saturated to int64, as upstream's Value() and MilliValue(). */
int64_t quantity_value(struct quantity q);
int64_t quantity_milli(struct quantity q);
/* The text's value or 0 when it is no quantity: for trees that have been checked before. */
int64_t quantity_text_value(struct str text);
int64_t quantity_text_milli(struct str text);

/* What SetDefaults_ResourceList does: away from zero to whole milli units. */
struct quantity quantity_round_milli(struct quantity q);
bool quantity_is_whole(struct quantity q); /* a whole number of units */
int quantity_sign(struct quantity q);
int quantity_cmp(struct quantity a, struct quantity b);
/* The result keeps the form of a, or takes b's when a is zero. */
struct quantity quantity_add(struct quantity a, struct quantity b);
struct quantity quantity_sub(struct quantity a, struct quantity b);

#endif
