#include "api/convert.h"

#include "api/convert-int.h"

/* Members that only change their name. */
struct rename {
	const char *core, *events; /* dotted within one level: the last part is the new key */
};

static const struct rename event_names[] = {
	{"involvedObject", "regarding"},
	{"message", "note"},
	{"source", "deprecatedSource"},
	{"firstTimestamp", "deprecatedFirstTimestamp"},
	{"lastTimestamp", "deprecatedLastTimestamp"},
	{"count", "deprecatedCount"},
	{"reportingComponent", "reportingController"},
};

static struct json *convert_event(struct arena *a, bool is_to_core, struct json *tree)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < json_count(tree); i++) {
		struct str key = tree->object.members[i].key;
		for (size_t k = 0; k < ARRAY_LEN(event_names); k++) {
			const char *from = is_to_core ? event_names[k].events : event_names[k].core;
			if (str_is(key, from))
				key = str_of(is_to_core ? event_names[k].core
							: event_names[k].events);
		}
		json_set(a, out, key, tree->object.members[i].value);
	}
	return out;
}

struct json *convert_shallow_copy(struct arena *a, const struct json *object)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < json_count(object); i++)
		json_add(a, out, object->object.members[i].key, object->object.members[i].value);
	return out;
}

struct json *convert_tree(struct arena *a, const struct api_kind *from, const struct api_kind *to,
			  struct json *tree)
{
	struct json *out = tree;
	if (from == to)
		return tree;
	if (str_is(to->kind, "Event"))
		out = convert_event(a, to->group.len == 0, tree);
	else if (str_is(to->kind, "HorizontalPodAutoscaler"))
		out = str_is(to->version, "v1") ? convert_autoscaler_to_v1(a, tree)
						: convert_autoscaler_to_v2(a, tree);
	if (json_get(out, STR("apiVersion")))
		json_set_str(a, out, STR("apiVersion"), to->api_version);
	return out;
}
