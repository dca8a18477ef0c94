/* Security contexts of pods and containers, and what an operating system does not have. */
#include "api/validate-int.h"

static void check_id(struct check *v, const struct path *at, const struct json *id)
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

static void check_sysctls(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, sysctl, list)
	{
		const struct path *here = MEMBER(ITEM(at, i), "name");
		struct str name = TEXT(sysctl, "name");
		if (name.len == 0) {
			required(v, here, "%s", "");
			continue;
		}
		if (!is_sysctl_name(name)) {
			bad_text(v, here, name,
				 "must have at most 253 characters and match regex "
				 "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./"
				 "])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (str_eq(TEXT(json_at(list, k), "name"), name)) {
				duplicate(v, here, name);
				break;
			}
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
		if (str_trim(text).len == 0)
			required(v, local_at, "must be set when AppArmor type is Localhost");
		else if (str_trim(text).len != text.len)
			bad_text(v, local_at, text, "must not be padded with whitespace");
		if (text.len > 4095)
			too_long(v, local_at, 4095);
	} else if (local) {
		bad_text(v, local_at, text, "can only be set when AppArmor type is Localhost");
	}
}

static void check_windows_options(struct check *v, const struct path *at,
				  const struct json *options)
{
	const struct json *name = GET(options, "gmsaCredentialSpecName");
	const struct json *spec = GET(options, "gmsaCredentialSpec");
	const struct json *user = GET(options, "runAsUserName");
	if (name)
		check_name(v, MEMBER(at, "gmsaCredentialSpecName"), NAME_DNS_SUBDOMAIN,
			   json_str(name));
	if (spec && json_str(spec).len == 0)
		bad(v, MEMBER(at, "gmsaCredentialSpec"), spec,
		    "gmsaCredentialSpec cannot be an empty string");
	if (spec && json_str(spec).len > 64 << 10)
		bad(v, MEMBER(at, "gmsaCredentialSpec"), spec,
		    "gmsaCredentialSpec size must be under 64 KiB");
	if (user && json_str(user).len == 0)
		bad(v, MEMBER(at, "runAsUserName"), user,
		    "runAsUserName cannot be an empty string");
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
	check_sysctls(v, MEMBER(at, "sysctls"), GET(context, "sysctls"));
	check_optional_enum(v, MEMBER(at, "fsGroupChangePolicy"),
			    GET(context, "fsGroupChangePolicy"), "Always,OnRootMismatch");
	check_seccomp(v, MEMBER(at, "seccompProfile"), GET(context, "seccompProfile"));
	check_windows_options(v, MEMBER(at, "windowsOptions"), GET(context, "windowsOptions"));
	check_app_armor(v, MEMBER(at, "appArmorProfile"), GET(context, "appArmorProfile"));
	check_optional_enum(v, MEMBER(at, "supplementalGroupsPolicy"),
			    GET(context, "supplementalGroupsPolicy"), "Merge,Strict");
	check_optional_enum(v, MEMBER(at, "seLinuxChangePolicy"),
			    GET(context, "seLinuxChangePolicy"), "MountOption,Recursive");
}

static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

static void bar_linux(struct check *v, const struct path *at, const struct json *spec)
{
	static const char message[] = "windows options cannot be set for a linux pod";
	if (GET(GET(spec, "securityContext"), "windowsOptions"))
		forbidden(v, MEMBER(MEMBER(at, "securityContext"), "windowsOptions"), "%s",
			  message);
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct path *list_at = MEMBER(at, lists[l]);
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			if (GET(GET(c, "securityContext"), "windowsOptions"))
				forbidden(v,
					  MEMBER(MEMBER(ITEM(list_at, i), "securityContext"),
						 "windowsOptions"),
					  "%s", message);
		}
	}
}

static void bar_windows(struct check *v, const struct path *at, const struct json *spec)
{
	static const char message[] = "cannot be set for a windows pod";
	static const char *const pod_level[] = {"appArmorProfile",     "seLinuxOptions",
						"seccompProfile",      "fsGroup",
						"fsGroupChangePolicy", "sysctls",
						"runAsUser",	       "runAsGroup",
						"supplementalGroups",  "supplementalGroupsPolicy"};
	static const char *const container_level[] = {"appArmorProfile",
						      "seLinuxOptions",
						      "seccompProfile",
						      "capabilities",
						      "readOnlyRootFilesystem",
						      "privileged",
						      "allowPrivilegeEscalation",
						      "procMount",
						      "runAsUser",
						      "runAsGroup"};
	static const char *const host[] = {"hostUsers", "hostPID", "hostIPC"};
	const struct path *context_at = MEMBER(at, "securityContext");
	for (size_t i = 0; i < ARRAY_LEN(pod_level); i++)
		if (json_get(GET(spec, "securityContext"), str_of(pod_level[i])))
			forbidden(v, MEMBER(context_at, pod_level[i]), "%s", message);
	for (size_t i = 0; i < ARRAY_LEN(host); i++)
		if (json_get(spec, str_of(host[i])) &&
		    (i == 0 || json_is_true(json_get(spec, str_of(host[i])))))
			forbidden(v, MEMBER(at, host[i]), "%s", message);
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct path *list_at = MEMBER(at, lists[l]);
		FOR_ITEMS(i, c, json_get(spec, str_of(lists[l])))
		{
			const struct path *here = MEMBER(ITEM(list_at, i), "securityContext");
			for (size_t k = 0; k < ARRAY_LEN(container_level); k++)
				if (json_get(GET(c, "securityContext"), str_of(container_level[k])))
					forbidden(v, MEMBER(here, container_level[k]), "%s",
						  message);
		}
	}
}

void check_os(struct check *v, const struct path *spec_at, const struct json *spec)
{
	const struct json *os = GET(spec, "os");
	struct str name = TEXT(os, "name");
	if (!os)
		return;
	if (name.len == 0)
		required(v, MEMBER(MEMBER(spec_at, "os"), "name"), "%s", "");
	else if (!check_enum(v, MEMBER(spec_at, "os"), name, "linux,windows"))
		return;
	if (str_is(name, "linux"))
		bar_linux(v, spec_at, spec);
	else if (str_is(name, "windows"))
		bar_windows(v, spec_at, spec);
}
