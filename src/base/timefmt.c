#include "base/timefmt.h"

#include <stdio.h>
#include <time.h>

#include "base/mem.h"

#define US_PER_S 1000000

static time_t split(int64_t time_us, int *ret_us)
{
	int64_t us = time_us % US_PER_S;
	int64_t s = time_us / US_PER_S;
	if (us < 0) {
		us += US_PER_S;
		s--;
	}
	*ret_us = (int)us;
	return s;
}

static size_t format(int64_t time_us, bool has_fraction, char out[TIME_TEXT_MAX])
{
	int us;
	time_t s = split(time_us, &us);
	struct tm parts;
	gmtime_r(&s, &parts);
	size_t len = (size_t)snprintf(out, TIME_TEXT_MAX - 9, "%04d-%02d-%02dT%02d:%02d:%02d",
				      (parts.tm_year + 1900) % 10000, parts.tm_mon + 1,
				      parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
	len = MIN(len, (size_t)TIME_TEXT_MAX - 10);
	if (has_fraction)
		return len + (size_t)snprintf(out + len, TIME_TEXT_MAX - len, ".%06dZ", us);
	memcpy(out + len, "Z", 2);
	return len + 1;
}

size_t time_format(int64_t time_us, char out[TIME_TEXT_MAX])
{
	return format(time_us, false, out);
}

size_t time_format_micro(int64_t time_us, char out[TIME_TEXT_MAX])
{
	return format(time_us, true, out);
}

/* Reads exactly count digits at *s and moves on; -1 when there are fewer. */
static int digits(struct str *s, size_t count)
{
	int value = 0;
	if (s->len < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (s->at[i] < '0' || s->at[i] > '9')
			return -1;
		value = value * 10 + (s->at[i] - '0');
	}
	*s = str_skip(*s, count);
	return value;
}

static bool literal(struct str *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static int fraction_us(struct str *s)
{
	int us = 0, scale = US_PER_S / 10;
	for (; s->len && s->at[0] >= '0' && s->at[0] <= '9'; *s = str_skip(*s, 1), scale /= 10)
		us += (s->at[0] - '0') * scale;
	return us;
}

static bool offset_s(struct str *s, int *ret_offset_s)
{
	*ret_offset_s = 0;
	if (literal(s, 'Z'))
		return s->len == 0;
	int sign = s->len && s->at[0] == '-' ? -1 : 1;
	if (!literal(s, '-') && !literal(s, '+'))
		return false;
	int hours = digits(s, 2);
	int minutes = literal(s, ':') ? digits(s, 2) : -1;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && s->len == 0;
}

static bool is_date(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return year >= 0 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && is_leap);
}

bool time_parse(struct str s, int64_t *ret_time_us)
{
	struct tm parts = {};
	int us = 0, offset;
	int year = digits(&s, 4);
	int month = literal(&s, '-') ? digits(&s, 2) : -1;
	int day = literal(&s, '-') ? digits(&s, 2) : -1;
	parts.tm_hour = literal(&s, 'T') ? digits(&s, 2) : -1;
	parts.tm_min = literal(&s, ':') ? digits(&s, 2) : -1;
	parts.tm_sec = literal(&s, ':') ? digits(&s, 2) : -1;
	if (!is_date(year, month, day) || parts.tm_hour < 0 || parts.tm_hour > 23 ||
	    parts.tm_min < 0 || parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 59)
		return false;
	if (literal(&s, '.'))
		us = fraction_us(&s);
	if (!offset_s(&s, &offset))
		return false;
	parts.tm_year = year - 1900;
	parts.tm_mon = month - 1;
	parts.tm_mday = day;
	*ret_time_us = ((int64_t)timegm(&parts) - offset) * US_PER_S + us;
	return true;
}

static char *put_count(char *to, int64_t count, char unit)
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + count % 10);
	while (count /= 10);
	while (n)
		*to++ = digits[--n];
	*to++ = unit;
	*to = '\0';
	return to;
}

/* Upstream's HumanDuration: two units while the first is small, then one. */
size_t time_format_age(int64_t age_us, char out[TIME_TEXT_MAX])
{
	static const struct {
		int64_t below_s, unit_s, sub_s;
		char unit, sub;
	} rows[] = {
		{120, 1, 0, 's', 0},
		{600, 60, 1, 'm', 's'},
		{3 * 3600, 60, 0, 'm', 0},
		{8 * 3600, 3600, 60, 'h', 'm'},
		{48 * 3600, 3600, 0, 'h', 0},
		{8 * 86400, 86400, 3600, 'd', 'h'},
		{2 * 365 * 86400, 86400, 0, 'd', 0},
		{8 * 365 * 86400, 365 * 86400, 86400, 'y', 'd'},
		{INT64_MAX, 365 * 86400, 0, 'y', 0},
	};
	int64_t age_s = age_us / US_PER_S;
	if (age_s < 0) {
		strcpy(out, age_s < -1 ? "<invalid>" : "0s");
		return strlen(out);
	}
	size_t i = 0;
	while (age_s >= rows[i].below_s)
		i++;
	int64_t sub = rows[i].sub_s ? age_s % rows[i].unit_s / rows[i].sub_s : 0;
	char *end = put_count(out, age_s / rows[i].unit_s, rows[i].unit);
	if (sub)
		end = put_count(end, sub, rows[i].sub);
	return (size_t)(end - out);
}
