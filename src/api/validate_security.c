/* Security contexts of pods and containers. */
#include "api/validate-int.h"

void check_id(struct check *v, const struct path *at, const struct json *id)
{
	if (id && (json_i64(id) < 0 || json_i64(id) > INT32_MAX))
		bad(v, at, id, "must be between 0 and 2147483647, inclusive");
}

static bool is_sysctl_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		bool is_edge = i == 0 || i + 1 == s.len || strchr("./", s.at[i - 1]) ||
			       strchr("./", s.at[i + 1]);
		if (!is_alnum && (is_edge || !strchr("-_./", c)))
			return false;
	}
	return s.len > 0 && s.len <= 253;
}

/* Sysctls of a namespace that the pod shares with its node: would change the node's. */
static const struct {
	const char *beginning, *member;
} host_sysctls[] = {
	{"net.", "hostNetwork"},   {"kernel.shm", "hostIPC"}, {"kernel.msg", "hostIPC"},
	{"fs.mqueue.", "hostIPC"}, {"kernel.sem", "hostIPC"},
};

static void check_host_sysctl(struct check *v, const struct path *at, struct str name,
			      const struct json *spec)
{
	char *dotted = arena_cstr(v->arena, name);
	for (size_t i = 0; i < name.len; i++)
		if (dotted[i] == '/')
			dotted[i] = '.';
	for (size_t i = 0; i < ARRAY_LEN(host_sysctls); i++)
		if (str_has_prefix(str_n(dotted, name.len), str_of(host_sysctls[i].beginning)) &&
		    json_is_true(json_get(spec, str_of(host_sysctls[i].member)))) {
			bad_text(v, at, name, "may not be specified when '%s' is true",
				 host_sysctls[i].member);
			return;
		}
}

static void check_sysctl_name(struct check *v, const struct path *at, const struct json *list,
			      size_t i)
{
	struct str name = TEXT(json_at(list, i), "name");
	if (name.len == 0) {
		required(v, at, "%s", "");
		return;
	}
	if (!is_sysctl_name(name)) {
		bad_text(v, at, name,
			 "must have at most 253 characters and match regex "
			 "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./"
			 "])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
		return;
	}
	if (is_text_repeated(v, list, i, "name"))
		duplicate(v, at, name);
}

static void check_sysctls(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *list = GET(GET(spec, "securityContext"), "sysctls");
	FOR_ITEMS(i, sysctl, list)
	{
		const struct path *here = MEMBER(ITEM(at, i), "name");
		check_sysctl_name(v, here, list, i);
		check_host_sysctl(v, here, TEXT(sysctl, "name"), spec);
	}
}

static void check_seccomp(struct check *v, const struct path *at, const struct json *profile)
{
	const struct json *local = GET(profile, "localhostProfile");
	struct str type = TEXT(profile, "type");
	const struct path *local_at = MEMBER(at, "localhostProfile");
	if (!profile)
		return;
	if (type.len == 0)
		required(v, MEMBER(at, "type"), "type is required when seccompProfile is set");
	else
		check_enum(v, MEMBER(at, "type"), type, "Localhost,RuntimeDefault,Unconfined");
	if (str_is(type, "Localhost")) {
		if (!local)
			required(v, local_at, "must be set when seccomp type is Localhost");
		else
			check_descending_path(v, local_at, json_str(local));
	} else if (local) {
		bad(v, local_at, go_struct(v, "SeccompProfile", profile),
		    "can only be set when seccomp type is Localhost");
	}
}

static void check_app_armor(struct check *v, const struct path *at, const struct json *profile)
{
	const struct json *local = GET(profile, "localhostProfile");
	struct str type = TEXT(profile, "type"), text = json_str(local);
	const struct path *local_at = MEMBER(at, "localhostProfile");
	if (!profile)
		return;
	if (type.len == 0)
		required(v, MEMBER(at, "type"), "type is required when appArmorProfile is set");
	else
		check_enum(v, MEMBER(at, "type"), type, "Localhost,RuntimeDefault,Unconfined");
	if (str_is(type, "Localhost")) {
		if (str_trim(text).len != text.len)
			bad_text(v, local_at, text, "must not be padded with whitespace");
		else if (text.len == 0)
			required(v, local_at, "must be set when AppArmor type is Localhost");
		if (text.len > 4095)
			too_long(v, local_at, 4095);
	} else if (local && text_in(type, "RuntimeDefault,Unconfined")) {
		bad_text(v, local_at, text, "can only be set when AppArmor type is Localhost");
	}
}

static bool adds_sys_admin(const struct json *context)
{
	FOR_ITEMS(i, item, GET(GET(context, "capabilities"), "add"))
	{
		if (str_is(json_str(item), "CAP_SYS_ADMIN"))
			return true;
	}
	return false;
}

static void check_escalation(struct check *v, const struct path *at, const struct json *context)
{
	const struct json *allow = GET(context, "allowPrivilegeEscalation");
	if (!allow || json_is_true(allow))
		return;
	if (IS(context, "privileged"))
		bad(v, at, go_struct(v, "SecurityContext", context),
		    "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
	if (adds_sys_admin(context))
		bad(v, at, go_struct(v, "SecurityContext", context),
		    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
		    "CAP_SYS_ADMIN");
}

void check_container_security(struct check *v, const struct path *at, const struct json *context,
			      const struct pod_check *pod)
{
	const struct json *mount = GET(context, "procMount");
	if (!context)
		return;
	check_id(v, MEMBER(at, "runAsUser"), GET(context, "runAsUser"));
	check_id(v, MEMBER(at, "runAsGroup"), GET(context, "runAsGroup"));
	if (mount)
		check_enum(v, MEMBER(at, "procMount"), json_str(mount), "Default,Unmasked");
	if (pod->shares_users && str_is(json_str(mount), "Unmasked"))
		bad(v, MEMBER(at, "procMount"), mount,
		    "`hostUsers` must be false to use `Unmasked`");
	check_seccomp(v, MEMBER(at, "seccompProfile"), GET(context, "seccompProfile"));
	check_escalation(v, at, context);
	check_windows_options(v, MEMBER(at, "windowsOptions"), GET(context, "windowsOptions"));
	check_app_armor(v, MEMBER(at, "appArmorProfile"), GET(context, "appArmorProfile"));
}

void check_pod_security(struct check *v, const struct path *spec_at, const struct json *spec)
{
	const struct json *context = GET(spec, "securityContext");
	const struct path *at = MEMBER(spec_at, "securityContext");
	check_id(v, MEMBER(at, "fsGroup"), GET(context, "fsGroup"));
	check_id(v, MEMBER(at, "runAsUser"), GET(context, "runAsUser"));
	check_id(v, MEMBER(at, "runAsGroup"), GET(context, "runAsGroup"));
	FOR_ITEMS(i, group, GET(context, "supplementalGroups"))
	{
		check_id(v, ITEM(MEMBER(at, "supplementalGroups"), i), group);
	}
	if (IS(spec, "hostPID") && IS(spec, "shareProcessNamespace"))
		bad(v, MEMBER(at, "shareProcessNamespace"), GET(spec, "shareProcessNamespace"),
		    "ShareProcessNamespace and HostPID cannot both be enabled");
	check_sysctls(v, MEMBER(at, "sysctls"), spec);
	check_optional_enum(v, MEMBER(at, "fsGroupChangePolicy"),
			    GET(context, "fsGroupChangePolicy"), "Always,OnRootMismatch");
	check_seccomp(v, MEMBER(at, "seccompProfile"), GET(context, "seccompProfile"));
	check_windows_options(v, MEMBER(at, "windowsOptions"), GET(context, "windowsOptions"));
	check_app_armor(v, MEMBER(at, "appArmorProfile"), GET(context, "appArmorProfile"));
	check_optional_enum(v, MEMBER(at, "supplementalGroupsPolicy"),
			    GET(context, "supplementalGroupsPolicy"), "Merge,Strict");
	check_optional_enum(v, MEMBER(at, "seLinuxChangePolicy"),
			    GET(context, "seLinuxChangePolicy"), "Recursive");
}
