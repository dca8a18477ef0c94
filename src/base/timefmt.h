/* timefmt: RFC 3339 times as the Kubernetes API writes them.  Times are microseconds since the
 * epoch (UTC); 0 stands for "no time".  Pure functions. */
#ifndef SKEG_BASE_TIMEFMT_H
#define SKEG_BASE_TIMEFMT_H

#include <stdint.h>

#include "base/str.h"

#define TIME_TEXT_MAX 32

/* metav1.Time: "2006-01-02T15:04:05Z"; returns the length. */
size_t time_format(int64_t time_us, char out[TIME_TEXT_MAX]);
/* metav1.MicroTime: "2006-01-02T15:04:05.000000Z". */
size_t time_format_micro(int64_t time_us, char out[TIME_TEXT_MAX]);
/* Any RFC 3339 time, with fraction and offset; false when s is not one. */
bool time_parse(struct str s, int64_t *ret_time_us);
/* Go duration as kubectl and skeg's tables show ages: "5s", "3m12s", "2d3h"; returns the length. */
size_t time_format_age(int64_t age_us, char out[TIME_TEXT_MAX]);

#endif
