/* go_duration: a duration as Go's time.Duration prints it: "10s", "1m20s", "350ms", "1.5s".
 * Pure function.  Source: https://pkg.go.dev/time#Duration.String */
#ifndef SKEG_NODE_GO_DURATION_H
#define SKEG_NODE_GO_DURATION_H

#include <stdint.h>

#define GO_DURATION_MAX 32

const char *go_duration(int64_t duration_ms, char out[GO_DURATION_MAX]); /* returns out */

#endif
