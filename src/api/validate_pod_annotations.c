/* Annotations of pods: those with a form of their own, and those that fields have replaced. */
#include "api/validate-int.h"

#define APP_ARMOR     "container.apparmor.security.beta.kubernetes.io/"
#define SECCOMP	      "container.seccomp.security.alpha.kubernetes.io/"
#define SECCOMP_POD   "seccomp.security.alpha.kubernetes.io/pod"
#define DELETION_COST "controller.kubernetes.io/pod-deletion-cost"
#define MIRROR	      "kubernetes.io/config.mirror"
#define LOCAL	      "localhost/"

static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};

static bool has_container(const struct json *spec, struct str name)
{
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			if (str_eq(TEXT(c, "name"), name))
				return true;
		}
	return false;
}

static void check_seccomp_text(struct check *v, const struct path *at, struct str text)
{
	if (text_in(text, "runtime/default,docker/default,unconfined"))
		return;
	if (str_has_prefix(text, STR(LOCAL)))
		check_descending_path(v, at, str_skip(text, strlen(LOCAL)));
	else
		bad_text(v, at, text, "must be a valid seccomp profile");
}

static void check_app_armor_text(struct check *v, const struct path *at, struct str name,
				 struct str text, const struct json *spec)
{
	if (!has_container(spec, name))
		bad_text(v, at, name, "container not found");
	if (text.len > 0 && !text_in(text, "runtime/default,unconfined") &&
	    !str_has_prefix(text, STR(LOCAL)))
		bad_text(v, at, text, "invalid AppArmor profile name: \"%.*s\"", STR_FMT(text));
}

static void check_deletion_cost(struct check *v, const struct path *at,
				const struct json *annotations)
{
	struct str cost = TEXT(annotations, DELETION_COST);
	int64_t number;
	if (cost.at && (!str_to_i64(cost, &number) || number < INT32_MIN || number > INT32_MAX))
		bad_text(v, KEY(at, STR(DELETION_COST)), cost, "must be a 32bit integer");
}

void check_pod_annotations(struct check *v, const struct path *at, const struct json *annotations,
			   const struct json *spec)
{
	const struct json *mirror = GET(annotations, MIRROR);
	if (mirror && TEXT(spec, "nodeName").len == 0)
		bad(v, KEY(at, STR(MIRROR)), mirror,
		    "must set spec.nodeName if mirror pod annotation is set");
	check_deletion_cost(v, at, annotations);
	if (GET(annotations, SECCOMP_POD))
		check_seccomp_text(v, MEMBER(at, SECCOMP_POD), TEXT(annotations, SECCOMP_POD));
	for (size_t i = 0; i < json_count(annotations); i++) {
		struct json_member m = annotations->object.members[i];
		if (str_has_prefix(m.key, STR(SECCOMP)))
			check_seccomp_text(v, MEMBER(at, arena_cstr(v->arena, m.key)),
					   json_str(m.value));
	}
	for (size_t i = 0; i < json_count(annotations); i++) {
		struct json_member m = annotations->object.members[i];
		if (str_has_prefix(m.key, STR(APP_ARMOR)))
			check_app_armor_text(v, KEY(at, m.key), str_skip(m.key, strlen(APP_ARMOR)),
					     json_str(m.value), spec);
	}
}

static const struct {
	const char *beginning, *name;
} fixed[] = {{APP_ARMOR, "AppArmor annotations"}, {MIRROR, "mirror pod annotation"}};

void check_pod_annotation_updates(struct check *v, const struct json *old, const struct json *tree)
{
	const struct path *at = MEMBER(ROOT("metadata"), "annotations");
	const struct json *was = GET(GET(old, "metadata"), "annotations");
	const struct json *is = GET(GET(tree, "metadata"), "annotations");
	for (size_t i = 0; i < json_count(was); i++) {
		struct json_member m = was->object.members[i];
		for (size_t k = 0; k < ARRAY_LEN(fixed); k++)
			if (str_has_prefix(m.key, str_of(fixed[k].beginning)) &&
			    !value_equal(json_get(is, m.key), m.value))
				forbidden(v, KEY(at, m.key), "may not remove or update %s",
					  fixed[k].name);
	}
	for (size_t i = 0; i < json_count(is); i++) {
		struct str key = is->object.members[i].key;
		for (size_t k = 0; k < ARRAY_LEN(fixed); k++)
			if (str_has_prefix(key, str_of(fixed[k].beginning)) && !json_get(was, key))
				forbidden(v, KEY(at, key), "may not add %s", fixed[k].name);
	}
	check_pod_annotations(v, at, is, GET(tree, "spec"));
}

/* ---- annotation and field say the same ---- */

/* Upstream's words for the two kinds of profile. */
struct profile_words {
	const char *field, *beginning, *type_text, *name_text, *defaults;
};

static const struct profile_words seccomp_words = {
	"seccompProfile", SECCOMP, "seccomp type in annotation and field must match",
	"seccomp profile in annotation and field must match", "runtime/default,docker/default"};
static const struct profile_words app_armor_words = {
	"appArmorProfile", APP_ARMOR, "apparmor type in annotation and field must match",
	"apparmor profile in annotation and field must match", "runtime/default"};

static void check_match(struct check *v, const struct path *at, const struct json *annotation,
			const struct json *profile, const struct profile_words *words)
{
	struct str text = json_str(annotation), type = TEXT(profile, "type");
	const char *known = str_is(type, "Unconfined")	     ? "unconfined"
			    : str_is(type, "RuntimeDefault") ? words->defaults
							     : NULL;
	if (!annotation || !profile)
		return;
	if (known && !text_in(text, known))
		forbidden(v, MEMBER(at, "type"), "%s", words->type_text);
	if (!str_is(type, "Localhost"))
		return;
	if (!str_has_prefix(text, STR(LOCAL)))
		forbidden(v, MEMBER(at, "type"), "%s", words->type_text);
	else if (!GET(profile, "localhostProfile") ||
		 !str_eq(str_skip(text, strlen(LOCAL)), TEXT(profile, "localhostProfile")))
		forbidden(v, MEMBER(at, "localhostProfile"), "%s", words->name_text);
}

/* fallback: the profile of the pod where the container has none, or NULL */
static void check_container_matches(struct check *v, const struct path *at, const struct json *spec,
				    const struct json *annotations, const struct json *fallback,
				    const struct profile_words *words)
{
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct path *list_at = MEMBER(at, lists[l]);
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			const struct path *context_at = MEMBER(ITEM(list_at, i), "securityContext");
			const struct json *own =
				member_of(GET(c, "securityContext"), str_of(words->field));
			struct str key = arena_printf(v->arena, "%s%.*s", words->beginning,
						      STR_FMT(TEXT(c, "name")));
			check_match(v, MEMBER(context_at, words->field),
				    member_of(annotations, key), own ? own : fallback, words);
		}
	}
}

void check_profile_annotations(struct check *v, const struct path *at, const struct json *spec,
			       const struct json *annotations)
{
	const struct json *context = GET(spec, "securityContext");
	const struct path *pod_at = MEMBER(MEMBER(at, "securityContext"), "seccompProfile");
	check_match(v, pod_at, GET(annotations, SECCOMP_POD), GET(context, "seccompProfile"),
		    &seccomp_words);
	check_container_matches(v, at, spec, annotations, NULL, &seccomp_words);
	if (!str_is(TEXT(GET(spec, "os"), "name"), "windows"))
		check_container_matches(v, at, spec, annotations, GET(context, "appArmorProfile"),
					&app_armor_words);
}
