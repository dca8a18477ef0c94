#include "node/pod_security.h"

#include "api/quantity.h"
#include "node/agent-int.h"

#define OOM_GUARANTEED	(-997)
#define OOM_BEST_EFFORT 1000
#define SECCOMP_FOLDER	"seccomp"

static const struct pod_security_context no_pod_context;
static const struct security_context no_context;

static const struct pod_security_context *pod_context(const struct pod_container *c)
{
	const struct pod_security_context *s = c->worker->pod->spec.security_context;
	return s ? s : &no_pod_context;
}

static const struct security_context *own_context(const struct pod_container *c)
{
	return c->spec->security_context ? c->spec->security_context : &no_context;
}

/* ---- runAsNonRoot ---- */

static struct str pod_words(struct arena *a, const struct pod_container *c)
{
	const struct pod_worker *w = c->worker;
	return arena_printf(a, "(pod: \"%.*s_%.*s(%.*s)\", container: %.*s)", STR_FMT(w->name),
			    STR_FMT(w->namespace), STR_FMT(w->uid), STR_FMT(c->name));
}

static enum rc check_non_root(struct arena *a, const struct pod_container *c,
			      const struct runtime_image_info *image, int64_t user, struct err *err)
{
	const bool *own = own_context(c)->run_as_non_root;
	const bool *must = own ? own : pod_context(c)->run_as_non_root;
	if (!must || !*must || user > 0)
		return RC_OK;
	if (user == 0)
		return err_set(err, RC_INVALID, "container's runAsUser breaks non-root policy %.*s",
			       STR_FMT(pod_words(a, c)));
	if (image->user_name.len)
		return err_set(err, RC_INVALID,
			       "container has runAsNonRoot and image has non-numeric user (%.*s), "
			       "cannot verify user is non-root %.*s",
			       STR_FMT(image->user_name), STR_FMT(pod_words(a, c)));
	if (image->user_id <= 0)
		return err_set(err, RC_INVALID,
			       "container has runAsNonRoot and image will run as root %.*s",
			       STR_FMT(pod_words(a, c)));
	return RC_OK;
}

/* ---- the rest ---- */

static void set_groups(struct arena *a, const struct pod_security_context *pod,
		       struct runtime_security *s)
{
	int64_t *groups = ARENA_ARRAY(a, int64_t, pod->supplemental_groups.count + 1);
	for (uint32_t i = 0; i < pod->supplemental_groups.count; i++)
		groups[s->supplemental_group_count++] = pod->supplemental_groups.at[i];
	if (pod->fs_group)
		groups[s->supplemental_group_count++] = *pod->fs_group;
	s->supplemental_groups = groups;
	s->is_supplemental_groups_strict = str_is(pod->supplemental_groups_policy, "Strict");
}

static enum rc set_seccomp(struct arena *a, const struct pod_container *c,
			   struct runtime_security *s, struct err *err)
{
	const struct seccomp_profile *own = own_context(c)->seccomp_profile;
	const struct seccomp_profile *p = own ? own : pod_context(c)->seccomp_profile;
	s->seccomp = RUNTIME_SECCOMP_UNCONFINED;
	if (!p || str_is(p->type, "Unconfined"))
		return RC_OK;
	if (str_is(p->type, "RuntimeDefault")) {
		s->seccomp = RUNTIME_SECCOMP_DEFAULT;
		return RC_OK;
	}
	if (!p->localhost_profile.len ||
	    memmem(p->localhost_profile.at, p->localhost_profile.len, "..", 2))
		return err_set(err, RC_INVALID,
			       "localhostProfile must be set and stay in the "
			       "folder of profiles");
	s->seccomp = RUNTIME_SECCOMP_LOCALHOST;
	s->seccomp_path = arena_printf(a, "%s/" SECCOMP_FOLDER "/%.*s",
				       c->worker->agent->config.folder,
				       STR_FMT(p->localhost_profile));
	return RC_OK;
}

static bool is_on(const bool *flag)
{
	return flag && *flag;
}

enum rc pod_security_make(struct arena *a, const struct pod_container *c,
			  const struct runtime_image_info *image,
			  struct runtime_security *ret_security, struct err *err)
{
	const struct security_context *own = own_context(c);
	const struct pod_security_context *pod = pod_context(c);
	const int64_t *user = own->run_as_user ? own->run_as_user : pod->run_as_user;
	const int64_t *group = own->run_as_group ? own->run_as_group : pod->run_as_group;
	struct runtime_security s = {
		.run_as_user = user ? *user : RUNTIME_ID_UNSET,
		.run_as_group = group ? *group : RUNTIME_ID_UNSET,
		.is_privileged = is_on(own->privileged),
		.is_root_read_only = is_on(own->read_only_root_filesystem),
		.has_no_new_privs = own->allow_privilege_escalation &&
				    !*own->allow_privilege_escalation,
		.is_proc_unmasked = str_is(own->proc_mount, "Unmasked"),
	};
	TRY(check_non_root(a, c, image, s.run_as_user, err));
	if (own->capabilities) {
		s.capabilities_add = own->capabilities->add.at;
		s.capability_add_count = own->capabilities->add.count;
		s.capabilities_drop = own->capabilities->drop.at;
		s.capability_drop_count = own->capabilities->drop.count;
	}
	set_groups(a, pod, &s);
	TRY(set_seccomp(a, c, &s, err));
	*ret_security = s;
	return RC_OK;
}

int pod_oom_score_adj(const struct pod_container *c, int64_t node_memory_bytes)
{
	struct str class = c->worker->pod->status.qos_class;
	int64_t request =
		runtime_resources_of(container_requirements(c, POD_ALLOCATED)).memory_request_bytes;
	if (str_is(class, "Guaranteed"))
		return OOM_GUARANTEED;
	if (str_is(class, "BestEffort") || node_memory_bytes <= 0)
		return OOM_BEST_EFFORT;
	int64_t score = 1000 - (int64_t)((__int128)1000 * request / node_memory_bytes);
	return (int)MIN(MAX(score, 1000 + OOM_GUARANTEED), OOM_BEST_EFFORT - 1);
}
