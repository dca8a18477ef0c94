/* Parameters of pods/log, judged before anybody is asked for a log.
 * Source: upstream's ValidatePodLogOptions. */
#include "api/gotext.h"
#include "base/timefmt.h"
#include "server/pipeline.h"
#include "server/route.h"

static struct str parameter(struct request *r, const char *name)
{
	return query_get(&r->arena, r->query, name);
}

static enum step check_numbers(struct request *r, struct field_errors *errors)
{
	static const struct {
		const char *name;
		int64_t least;
		const char *why;
	} rows[] = {
		{"tailLines", 0, "must be greater than or equal to 0"},
		{"limitBytes", 1, "must be greater than 0"},
		{"sinceSeconds", 1, "must be greater than 0"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = parameter(r, rows[i].name);
		struct err err;
		int64_t value;
		if (text.len == 0)
			continue;
		if (gotext_int(text, &value, &err) != RC_OK)
			return request_fail(r, RC_BAD_REQUEST, "%s", err.text);
		if (value < rows[i].least)
			field_error_add(errors, FIELD_ERROR_INVALID, str_of(rows[i].name),
					json_int(&r->arena, value), "%s", rows[i].why);
	}
	return STEP_NEXT;
}

static enum step check_since(struct request *r, struct field_errors *errors)
{
	struct str time = parameter(r, "sinceTime");
	int64_t us;
	if (time.len == 0)
		return STEP_NEXT;
	if (!time_parse(time, &us))
		return request_fail(
			r, RC_BAD_REQUEST,
			"parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot "
			"parse \"%.*s\" as \"2006\"",
			STR_FMT(time), STR_FMT(time));
	if (parameter(r, "sinceSeconds").len)
		field_error_add(errors, FIELD_ERROR_FORBIDDEN, STR("[]"), NULL,
				"at most one of `sinceTime` or `sinceSeconds` may be specified");
	return STEP_NEXT;
}

enum step log_options_check(struct request *r)
{
	struct field_errors errors = {.arena = &r->arena};
	if (r->query.len == 0)
		return STEP_NEXT;
	if (check_numbers(r, &errors) == STEP_DONE || check_since(r, &errors) == STEP_DONE)
		return STEP_DONE;
	if (parameter(r, "stream").len)
		field_error_add(&errors, FIELD_ERROR_FORBIDDEN, STR("stream"), NULL,
				"may not be specified");
	if (errors.count == 0)
		return STEP_NEXT;
	return request_invalid(r, STR(""), STR("PodLogOptions"), r->route.name, &errors);
}
