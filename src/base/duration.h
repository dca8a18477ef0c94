/* duration: spans of time as Go and kubectl read them: "5s", "1h30m", "1.5h".  Pure. */
#ifndef SKEG_BASE_DURATION_H
#define SKEG_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Whole seconds, rounded up; false when text is none, is negative or exceeds DURATION_MAX_S. */
#define DURATION_MAX_S 9223372036ll /* Go's longest: 2^63 ns */
bool duration_parse(struct str text, int64_t *ret_seconds);
/* The same in milliseconds. */
bool duration_parse_ms(struct str text, int64_t *ret_ms);

#endif
