/* Events: of the core group, and what events.k8s.io asks for on top. */
#include "api/validate-int.h"

#define PART_MAX_CHARS 128
#define NOTE_MAX_CHARS 1024

/* ---- both groups ---- */

static void check_namespaces(struct check *v, const struct json *tree, bool is_old_form)
{
	struct str own = TEXT(GET(tree, "metadata"), "namespace");
	struct str its = TEXT(GET(tree, "involvedObject"), "namespace");
	bool is_home = str_is(own, "default") || (!is_old_form && str_is(own, "kube-system"));
	bool is_good = its.len == 0 ? is_home : !is_old_form || str_eq(its, own);
	if (!is_good)
		bad_text(v, MEMBER(ROOT("involvedObject"), "namespace"), its,
			 "does not match event.namespace");
}

static void check_short(struct check *v, const char *name, struct str text)
{
	if (text.len == 0)
		required(v, ROOT(name), "%s", "");
	if (text.len > PART_MAX_CHARS)
		bad_text(v, ROOT(name), STR(""), "can have at most %d characters", PART_MAX_CHARS);
}

/* Those with a time to the microsecond say who reports what; older ones only whom it is about. */
static void check_common(struct check *v, const struct json *tree, const char *controller_name)
{
	static const char *const parts[] = {"reportingInstance", "action", "reason"};
	bool is_old_form = TEXT(tree, "eventTime").len == 0;
	struct str controller = TEXT(tree, "reportingComponent");
	check_namespaces(v, tree, is_old_form);
	if (is_old_form)
		return;
	check_required(v, ROOT(controller_name), controller);
	check_name(v, ROOT(controller_name), NAME_QUALIFIED, controller);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		check_short(v, parts[i], json_str(json_get(tree, str_of(parts[i]))));
	if (TEXT(tree, "message").len > NOTE_MAX_CHARS)
		bad_text(v, ROOT("message"), STR(""), "can have at most %d characters",
			 NOTE_MAX_CHARS);
}

void core_event_rules(struct check *v, const struct json *tree)
{
	check_common(v, tree, "reportingComponent");
}

/* ---- events.k8s.io ---- */

static void check_unset(struct check *v, const struct json *tree, const char *name)
{
	const struct json *value = json_get(tree, str_of(name));
	bool is_set = value && value->type != JSON_NULL &&
		      !(value->type == JSON_INT && value->integer == 0) &&
		      !(value->type == JSON_OBJECT && json_count(value) == 0);
	if (is_set)
		bad_text(v, ROOT(name), STR(""), "needs to be unset");
}

static void check_series(struct check *v, const struct json *series)
{
	if (!series)
		return;
	if (INT(series, "count") < 2)
		bad_text(v, MEMBER(ROOT("series"), "count"), STR(""), "should be at least 2");
	if (TEXT(series, "lastObservedTime").len == 0)
		required(v, MEMBER(ROOT("series"), "lastObservedTime"), "%s", "");
}

void event_rules(struct check *v, const struct json *tree)
{
	static const char *const old_fields[] = {"source", "firstTimestamp", "lastTimestamp",
						 "count"};
	struct str type = TEXT(tree, "type");
	check_common(v, tree, "reportingController");
	if (TEXT(tree, "eventTime").len == 0)
		required(v, ROOT("eventTime"), "%s", "");
	check_series(v, GET(tree, "series"));
	if (!text_in(type, "Normal,Warning"))
		bad_text(v, ROOT("type"), STR(""), "has invalid value: %.*s", STR_FMT(type));
	for (size_t i = 0; i < ARRAY_LEN(old_fields); i++)
		check_unset(v, tree, old_fields[i]);
}

/* What no update of an event may change, in upstream's order. */
static const struct {
	const char *name, *said; /* NULL: as it is named */
	const char *type;	 /* of a structure */
	enum { OF_TEXT, OF_NUMBER, OF_TIME, OF_STRUCT, OF_POINTER } form;
} fixed[] = {
	{"involvedObject", NULL, "ObjectReference", OF_STRUCT},
	{"reason", NULL, NULL, OF_TEXT},
	{"message", NULL, NULL, OF_TEXT},
	{"source", NULL, "EventSource", OF_STRUCT},
	{"firstTimestamp", NULL, NULL, OF_TIME},
	{"lastTimestamp", NULL, NULL, OF_TIME},
	{"count", NULL, NULL, OF_NUMBER},
	{"reason", NULL, NULL, OF_TEXT}, /* said twice */
	{"type", NULL, NULL, OF_TEXT},
	{"eventTime", NULL, NULL, OF_TIME},
	{"action", NULL, NULL, OF_TEXT},
	{"related", NULL, "ObjectReference", OF_POINTER},
	{"reportingComponent", "reportingController", NULL, OF_TEXT},
	{"reportingInstance", NULL, NULL, OF_TEXT},
};

static const struct json *fixed_value(struct check *v, size_t i, const struct json *tree)
{
	const struct json *value = member_of(tree, str_of(fixed[i].name));
	if (fixed[i].form == OF_STRUCT || (fixed[i].form == OF_POINTER && value))
		return go_struct(v, fixed[i].type, value);
	if (value)
		return value;
	if (fixed[i].form == OF_TEXT)
		return json_string(v->arena, STR(""));
	return fixed[i].form == OF_NUMBER ? json_int(v->arena, 0) : NULL;
}

void event_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_common(v, tree, "reportingController");
	if (!value_equal(GET(old, "series"), GET(tree, "series")))
		check_series(v, GET(tree, "series"));
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		check_immutable(v, ROOT(fixed[i].said ? fixed[i].said : fixed[i].name),
				fixed_value(v, i, tree), fixed_value(v, i, old));
}
