/* cron_schedule: "minute hour day-of-month month day-of-week", with names, lists, ranges, steps and
 * the macros @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.  Times are UTC.
 * Pure functions.  Source: https://en.wikipedia.org/wiki/Cron, as robfig/cron reads it: when both
 * days are restricted, either may match. */
#ifndef SKEG_CONTROL_CRON_SCHEDULE_H
#define SKEG_CONTROL_CRON_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct cron_schedule {
	uint64_t minutes, hours, days, months, weekdays; /* a bit each */
	bool is_any_day, is_any_weekday;
};

bool cron_parse(struct str text, struct cron_schedule *ret_schedule);
/* The first time after, or the last one not after, in microseconds; 0: none within five years. */
int64_t cron_next(const struct cron_schedule *s, int64_t after_us);
int64_t cron_last(const struct cron_schedule *s, int64_t until_us);

#endif
