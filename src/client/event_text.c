#include "client/event_text.h"

#include <stdlib.h>

#include "base/timefmt.h"
#include "io/loop.h"

struct str event_time_since(struct arena *a, struct str time)
{
	char text[TIME_TEXT_MAX];
	int64_t time_us;
	if (!time_parse(time, &time_us))
		return STR("<unknown>");
	int64_t age_us = MAX(world_wall_us() - time_us, (int64_t)0);
	return arena_str(a, str_n(text, time_format_age(age_us, text)));
}

static struct str first_time(const struct json *event)
{
	struct str time = json_path_str(event, "firstTimestamp");
	return time.len ? time : json_path_str(event, "eventTime");
}

static struct str last_time(const struct json *event)
{
	struct str time = json_path_str(event, "series.lastObservedTime");
	if (!time.len)
		time = json_path_str(event, "lastTimestamp");
	return time.len ? time : first_time(event);
}

static int compare_events(const void *x, const void *y)
{
	int64_t a = 0, b = 0;
	time_parse(last_time(*(const struct json *const *)x), &a);
	time_parse(last_time(*(const struct json *const *)y), &b);
	return a < b ? -1 : a > b;
}

void events_sort(struct json *list)
{
	if (json_count(list))
		qsort(list->array.items, json_count(list), sizeof(struct json *), compare_events);
}

struct str event_age(struct arena *a, const struct json *event)
{
	const struct json *series = json_get(event, STR("series"));
	int64_t count = json_i64(json_get(series ? series : event, STR("count")));
	struct str first = event_time_since(a, first_time(event));
	if (count <= 1)
		return first;
	return arena_printf(a, "%.*s (x%lld over %.*s)",
			    STR_FMT(event_time_since(a, last_time(event))), (long long)count,
			    STR_FMT(first));
}

struct str event_source(struct arena *a, const struct json *event)
{
	struct str component = json_path_str(event, "source.component");
	struct str host = json_path_str(event, "source.host");
	if (!component.len)
		component = json_path_str(event, "reportingComponent");
	return host.len ? arena_printf(a, "%.*s, %.*s", STR_FMT(component), STR_FMT(host))
			: component;
}
