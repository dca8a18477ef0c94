#include "server/admission_runtime_class.h"

#include "api/api_ids.h"
#include "server/server.h"

/* NULL: the Pod names no class, or one that is not there. */
static struct json *class_of(struct request *r, const struct json *tree)
{
	struct str name = json_path_str(tree, "spec.runtimeClassName");
	struct object *class = name.len ? store_pending_get(r->server->store, KIND_RUNTIME_CLASS,
							    (struct str){}, name)
					: NULL;
	return class ? object_tree(&r->arena, class) : NULL;
}

static void add_tolerations(struct arena *a, struct json *spec, const struct json *added)
{
	if (json_count(added) == 0)
		return;
	struct json *list = json_need_array(a, spec, STR("tolerations"));
	for (size_t i = 0; i < json_count(added); i++)
		if (json_find(list, json_at(added, i)) == json_count(list))
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
			return request_forbid(
				r, json_path_str(tree, "metadata.name"),
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
		return request_forbid(r, json_path_str(tree, "metadata.name"),
				      "pod rejected: RuntimeClass \"%.*s\" not found",
				      STR_FMT(name));
	struct json *overhead = json_path(class, "overhead.podFixed");
	const struct json *given = json_get(spec, STR("overhead"));
	if (overhead && given && !json_equal(given, overhead))
		return request_forbid(
			r, json_path_str(tree, "metadata.name"),
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
		return request_forbid(
			r, json_path_str(tree, "metadata.name"),
			"pod rejected: Pod Overhead set without corresponding RuntimeClass "
			"defined Overhead");
	return STEP_NEXT;
}
