/* Schedules of CronJobs, as github.com/robfig/cron/v3 parses and refuses them. */
#include <unistd.h>

#include "api/validate-int.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

static const struct field {
	int64_t min, max;
	const char *names; /* for min, min + 1, … */
} fields[] = {
	{0, 59, NULL},
	{0, 23, NULL},
	{1, 31, NULL},
	{1, 12, "jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec"},
	{0, 6, "sun,mon,tue,wed,thu,fri,sat"},
};

static const char descriptors[] = "@yearly,@annually,@monthly,@weekly,@daily,@midnight,@hourly";

static bool number_of(const struct field *field, struct str text, int64_t *ret_number)
{
	struct str name, rest = str_of(field->names);
	int64_t number = field->min;
	for (bool more = field->names != NULL; more; number++) {
		more = str_cut(rest, ',', &name, &rest);
		if (str_eq_nocase(name, text)) {
			*ret_number = number;
			return true;
		}
	}
	return str_to_i64(text, ret_number) && *ret_number >= 0;
}

/* What is wrong with one "a-b/c"; absent when nothing is. */
static struct str range_fault(struct check *v, const struct field *field, struct str text)
{
	struct str range, step_text, low_text, high_text;
	int64_t low = field->min, high = field->max, step = 1;
	bool has_step = str_cut(text, '/', &range, &step_text);
	bool has_high = str_cut(range, '-', &low_text, &high_text);
	bool is_all = str_is(low_text, "*") || str_is(low_text, "?");
	if (has_high && memchr(high_text.at, '-', high_text.len))
		return arena_printf(v->arena, "too many hyphens: %.*s", STR_FMT(text));
	if (has_step && memchr(step_text.at, '/', step_text.len))
		return arena_printf(v->arena, "too many slashes: %.*s", STR_FMT(text));
	if (!is_all && !number_of(field, low_text, &low))
		return arena_printf(v->arena,
				    "failed to parse int from %.*s: strconv.Atoi: parsing "
				    "\"%.*s\": invalid syntax",
				    STR_FMT(low_text), STR_FMT(low_text));
	if (!is_all && has_high && !number_of(field, high_text, &high))
		return arena_printf(v->arena,
				    "failed to parse int from %.*s: strconv.Atoi: parsing "
				    "\"%.*s\": invalid syntax",
				    STR_FMT(high_text), STR_FMT(high_text));
	if (has_step && !str_to_i64(step_text, &step))
		return arena_printf(v->arena,
				    "failed to parse int from %.*s: strconv.Atoi: parsing "
				    "\"%.*s\": invalid syntax",
				    STR_FMT(step_text), STR_FMT(step_text));
	if (!is_all && !has_high && !has_step)
		high = low;
	if (low < field->min)
		return arena_printf(v->arena,
				    "beginning of range (%lld) below minimum (%lld): %.*s",
				    (long long)low, (long long)field->min, STR_FMT(text));
	if (high > field->max)
		return arena_printf(v->arena, "end of range (%lld) above maximum (%lld): %.*s",
				    (long long)high, (long long)field->max, STR_FMT(text));
	if (low > high)
		return arena_printf(v->arena,
				    "beginning of range (%lld) beyond end of range (%lld): %.*s",
				    (long long)low, (long long)high, STR_FMT(text));
	if (step <= 0)
		return arena_printf(v->arena, "step of range should be a positive number: %.*s",
				    STR_FMT(text));
	return (struct str){};
}

static struct str field_fault(struct check *v, const struct field *field, struct str text)
{
	struct str part, fault = {};
	for (bool more = true; more && !fault.at;) {
		more = str_cut(text, ',', &part, &text);
		fault = range_fault(v, field, part);
	}
	return fault;
}

/* Go's durations: "1h30m", "1.5h". */
static bool is_duration(struct str s)
{
	bool has_any = false;
	if (s.len > 0 && (s.at[0] == '-' || s.at[0] == '+'))
		s = str_skip(s, 1);
	while (s.len > 0) {
		size_t digits = 0, unit = 0;
		while (digits < s.len && (strchr("0123456789.", s.at[digits]) && s.at[digits]))
			digits++;
		s = str_skip(s, digits);
		while (unit < s.len && !(strchr("0123456789.", s.at[unit]) && s.at[unit]))
			unit++;
		if (digits == 0 || !text_in(str_n(s.at, unit), "ns,us,µs,ms,s,m,h"))
			return false;
		s = str_skip(s, unit);
		has_any = true;
	}
	return has_any;
}

static struct str descriptor_fault(struct check *v, struct str text)
{
	struct str every = STR("@every ");
	if (text_in(text, descriptors))
		return (struct str){};
	if (!str_has_prefix(text, every))
		return arena_printf(v->arena, "unrecognized descriptor: %.*s", STR_FMT(text));
	struct str duration = str_skip(text, every.len);
	if (is_duration(duration))
		return (struct str){};
	return arena_printf(v->arena,
			    "failed to parse duration %.*s: time: invalid duration \"%.*s\"",
			    STR_FMT(text), STR_FMT(duration));
}

static struct str schedule_fault(struct check *v, struct str text)
{
	struct str words[16], rest = str_trim(text);
	size_t count = 0;
	CLEANUP_BUF shown = BUF_INIT(4096);
	if (str_has_prefix(text, STR("@")))
		return descriptor_fault(v, text);
	while (rest.len > 0) {
		size_t len = 0;
		while (len < rest.len && rest.at[len] != ' ' && rest.at[len] != '\t')
			len++;
		if (count < ARRAY_LEN(words))
			words[count] = str_n(rest.at, len);
		buf_printf(&shown, "%s%.*s", count ? " " : "", (int)len, rest.at);
		count++;
		rest = str_trim(str_skip(rest, len));
	}
	if (count != ARRAY_LEN(fields))
		return arena_printf(v->arena, "expected exactly 5 fields, found %zu: [%s]", count,
				    shown.data ? shown.data : "");
	struct str fault = {};
	for (size_t i = 0; i < count && !fault.at; i++)
		fault = field_fault(v, &fields[i], words[i]);
	return fault;
}

void check_schedule(struct check *v, const struct path *at, struct str schedule)
{
	if (str_has_prefix(schedule, STR("TZ=")) || str_has_prefix(schedule, STR("CRON_TZ="))) {
		bad_text(v, at, schedule,
			 "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
		return;
	}
	struct str fault = schedule_fault(v, schedule);
	if (fault.at)
		bad_text(v, at, schedule, "%.*s", STR_FMT(fault));
}

/* Names of the zone database only: no way out of its folder. */
static bool is_known_zone(struct check *v, struct str name)
{
	if (str_is(name, "UTC"))
		return true;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || strchr("_+-/", c);
		if (!c || !is_plain)
			return false;
	}
	if (access(ZONE_FOLDER "/UTC", F_OK) != 0)
		return true; /* no database here: the clock of the controller decides */
	struct str path = arena_printf(v->arena, ZONE_FOLDER "/%.*s", STR_FMT(name));
	return access(path.at, F_OK) == 0;
}

/* Two points outside of a path are refused before the database is asked. */
static bool has_odd_points(struct str name)
{
	for (size_t i = 1; i < name.len; i++)
		if (name.at[i] == '.' && name.at[i - 1] == '.')
			return !memchr(name.at, '/', name.len);
	return false;
}

void check_time_zone(struct check *v, const struct path *at, const struct json *zone)
{
	struct str name = json_str(zone);
	if (!zone)
		return;
	if (name.len == 0)
		bad(v, at, zone, "timeZone must be nil or non-empty string");
	else if (str_eq_nocase(name, STR("Local")))
		bad(v, at, zone,
		    "timeZone must be an explicit time zone as defined in "
		    "https://www.iana.org/time-zones");
	else if (has_odd_points(name))
		bad(v, at, zone, "time: invalid location name");
	else if (!is_known_zone(v, name))
		bad(v, at, zone, "unknown time zone %.*s", STR_FMT(name));
}
