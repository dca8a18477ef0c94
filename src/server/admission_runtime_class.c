#include "server/admission_runtime_class.h"

#include "api/api_ids.h"
#include "server/server.h"

[[gnu::format(printf, 3, 4)]] static enum step refuse(struct request *r, const struct json *tree,
						      const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str why = arena_vprintf(&r->arena, fmt, ap);
	va_end(ap);
	return request_forbidden(r, r->route.kind, json_path_str(tree, "metadata.name"), why);
}

/* NULL: the Pod names no class, or one that is not there. */
static struct json *class_of(struct request *r, const struct json *tree)
{
	struct str name = json_path_str(tree, "spec.runtimeClassName");
	struct object *class = name.len ? store_pending_get(r->server->store, KIND_RUNTIME_CLASS,
							    (struct str){}, name)
					: NULL;
	return class ? object_tree(&r->arena, class) : NULL;
}

static bool has_member(const struct json *list, const struct json *item)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (json_equal(json_at(list, i), item))
			return true;
	return false;
}

static void add_tolerations(struct arena *a, struct json *spec, const struct json *added)
{
	struct json *list = json_get(spec, STR("tolerations"));
	if (json_count(added) == 0)
		return;
	if (!list || list->type != JSON_ARRAY) {
		list = json_array(a);
		json_set(a, spec, STR("tolerations"), list);
	}
	for (size_t i = 0; i < json_count(added); i++)
		if (!has_member(list, json_at(added, i)))
			json_append(a, list, json_at(added, i));
}

static enum step add_selector(struct request *r, struct json *tree, const struct json *added)
{
	struct arena *a = &r->arena;
	for (size_t i = 0; i < json_count(added); i++) {
		struct json_member m = added->object.members[i];
		struct json *selector =
			json_need_object(a, json_get(tree, STR("spec")), STR("nodeSelector"));
		const struct json *had = json_get(selector, m.key);
		if (had && !json_equal(had, m.value))
			return refuse(r, tree,
				      "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = "
				      "%.*s; pod.spec.nodeSelector[%.*s] = %.*s",
				      STR_FMT(m.key), STR_FMT(json_str(m.value)), STR_FMT(m.key),
				      STR_FMT(json_str(had)));
		json_set(a, selector, m.key, m.value);
	}
	return STEP_NEXT;
}

enum step runtime_class_admit(struct request *r, const struct json *old, struct json *tree)
{
	struct str name = json_path_str(tree, "spec.runtimeClassName");
	struct json *class = class_of(r, tree), *spec = json_get(tree, STR("spec"));
	if (name.len == 0)
		return STEP_NEXT;
	if (!class)
		return refuse(r, tree, "pod rejected: RuntimeClass \"%.*s\" not found",
			      STR_FMT(name));
	struct json *overhead = json_path(class, "overhead.podFixed");
	const struct json *given = json_get(spec, STR("overhead"));
	if (overhead && given && !json_equal(given, overhead))
		return refuse(r, tree,
			      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined "
			      "Overhead");
	if (overhead)
		json_set(&r->arena, spec, STR("overhead"), overhead);
	add_tolerations(&r->arena, spec, json_path(class, "scheduling.tolerations"));
	return add_selector(r, tree, json_path(class, "scheduling.nodeSelector"));
}

enum step runtime_class_judge(struct request *r, const struct json *old, struct json *tree)
{
	const struct json *given = json_path(tree, "spec.overhead");
	if (given && !json_path(class_of(r, tree), "overhead"))
		return refuse(r, tree,
			      "pod rejected: Pod Overhead set without corresponding RuntimeClass "
			      "defined Overhead");
	return STEP_NEXT;
}
