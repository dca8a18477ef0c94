#include "control/cron_schedule.h"

#include "base/mem.h"

#define MINUTE_US (60 * INT64_C(1000000))
#define DAY_MIN	  1440
#define DAYS_MOST (5 * 366)

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
					  "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
	int least, most;
	const char *const *names;
	int name_count;
};

static const struct field fields[] = {
	{0, 59, NULL, 0},	  {0, 23, NULL, 0},	{1, 31, NULL, 0},
	{1, 12, month_names, 12}, {0, 6, day_names, 7},
};

static const struct {
	const char *macro, *schedule;
} macros[] = {
	{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

static bool value_parse(const struct field *f, struct str text, int64_t *ret_value)
{
	for (int i = 0; i < f->name_count; i++)
		if (str_eq_nocase(text, str_of(f->names[i]))) {
			*ret_value = f->least + i;
			return true;
		}
	return str_to_i64(text, ret_value) && *ret_value >= f->least && *ret_value <= f->most;
}

/* One of a list: "*", "5", "1-5", each with "/2". */
static bool part_parse(const struct field *f, struct str text, uint64_t *bits)
{
	struct str range, step_text, first, last;
	int64_t step = 1, from = f->least, to = f->most;
	bool has_step = str_cut(text, '/', &range, &step_text);
	if (has_step && (!str_to_i64(step_text, &step) || step < 1))
		return false;
	if (!str_is(range, "*") && !str_is(range, "?")) {
		bool is_range = str_cut(range, '-', &first, &last);
		if (!value_parse(f, first, &from))
			return false;
		to = has_step ? f->most : from;
		if (is_range && (!value_parse(f, last, &to) || to < from))
			return false;
	}
	for (int64_t i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return true;
}

static bool field_parse(const struct field *f, struct str text, uint64_t *ret_bits)
{
	struct str part;
	bool has_more = true;
	*ret_bits = 0;
	while (has_more) {
		has_more = str_cut(text, ',', &part, &text);
		if (!part_parse(f, part, ret_bits))
			return false;
	}
	return true;
}

static bool is_star(struct str text)
{
	return text.len && (text.at[0] == '*' || text.at[0] == '?');
}

bool cron_parse(struct str text, struct cron_schedule *ret_schedule)
{
	struct cron_schedule s = {};
	uint64_t *bits[] = {&s.minutes, &s.hours, &s.days, &s.months, &s.weekdays};
	text = str_trim(text);
	for (size_t i = 0; i < ARRAY_LEN(macros); i++)
		if (str_is(text, macros[i].macro))
			text = str_of(macros[i].schedule);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct str one;
		bool has_more = str_cut(text, ' ', &one, &text);
		if (has_more == (i == ARRAY_LEN(fields) - 1) ||
		    !field_parse(&fields[i], one, bits[i]))
			return false;
		text = str_trim(text);
		if (i == 2)
			s.is_any_day = is_star(one);
		if (i == 4)
			s.is_any_weekday = is_star(one);
	}
	*ret_schedule = s;
	return true;
}

/* --- times --- */

/* Days since 1970 to month and day of month; Howard Hinnant's civil_from_days. */
static void civil(int64_t days, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era -
			      (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * day_of_year + 2) / 153;
	*ret_day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*ret_month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
}

static bool has(uint64_t bits, int64_t i)
{
	return bits & (UINT64_C(1) << i);
}

static bool is_day(const struct cron_schedule *s, int64_t days)
{
	int month, day;
	civil(days, &month, &day);
	bool is_weekday = has(s->weekdays, (days % 7 + 7 + 4) % 7);
	bool is_month_day = has(s->days, day);
	if (!has(s->months, month))
		return false;
	if (s->is_any_day || s->is_any_weekday)
		return is_weekday && is_month_day;
	return is_weekday || is_month_day;
}

static bool is_minute(const struct cron_schedule *s, int64_t minute)
{
	return has(s->hours, minute / 60) && has(s->minutes, minute % 60);
}

int64_t cron_next(const struct cron_schedule *s, int64_t after_us)
{
	int64_t minute = after_us / MINUTE_US + 1, first = minute / DAY_MIN;
	for (int64_t day = first; day < first + DAYS_MOST; day++) {
		if (!is_day(s, day))
			continue;
		for (int64_t m = day == first ? minute % DAY_MIN : 0; m < DAY_MIN; m++)
			if (is_minute(s, m))
				return (day * DAY_MIN + m) * MINUTE_US;
	}
	return 0;
}

int64_t cron_last(const struct cron_schedule *s, int64_t until_us)
{
	int64_t minute = until_us / MINUTE_US, first = minute / DAY_MIN;
	for (int64_t day = first; day > first - DAYS_MOST && day >= 0; day--) {
		if (!is_day(s, day))
			continue;
		for (int64_t m = day == first ? minute % DAY_MIN : DAY_MIN - 1; m >= 0; m--)
			if (is_minute(s, m))
				return (day * DAY_MIN + m) * MINUTE_US;
	}
	return 0;
}
