/* yaml-int: the scalars of YAML, shared by reader and writer. */
#ifndef SKEG_CODEC_YAML_INT_H
#define SKEG_CODEC_YAML_INT_H

#include "codec/json.h"

enum yaml_kind { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_TIME, YAML_TEXT };

struct yaml_scalar {
	enum yaml_kind kind;
	bool boolean;
	int64_t integer;
	double number; /* of YAML_FLOAT, and of integers beyond int64, which are YAML_FLOAT too */
};

/* What a plain scalar without a tag means. */
struct yaml_scalar yaml_resolve(struct str text);
/* Whether text must be quoted to stay a string (numbers to the base 60 included, which other
 * readers know). */
bool yaml_is_ambiguous(struct str text);

#endif
