/* Operating systems of pods: options of Windows, and what one system has and the other has not. */
#include "api/validate-int.h"

#define SPEC_MAX_BYTES	 (64 << 10)
#define DOMAIN_MAX_BYTES 256
#define USER_MAX_BYTES	 104

/* ---- options of Windows ---- */

static bool has_any(struct str text, const char *characters)
{
	for (size_t i = 0; i < text.len; i++)
		if (strchr(characters, text.at[i]))
			return true;
	return false;
}

static bool has_control(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return true;
	return false;
}

static bool is_net_bios(struct str domain)
{
	return domain.len > 0 && domain.len <= 15 && domain.at[0] != '.' &&
	       !has_any(domain, "\\/:*?\"<>|");
}

/* Labels of letters of any case. */
static bool is_dns_domain(struct str domain)
{
	struct str label, rest = domain;
	for (bool more = true; more;) {
		more = str_cut(rest, '.', &label, &rest);
		if (label.len == 0 || label.len > 63 || label.at[0] == '-' ||
		    label.at[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = label.at[i];
			if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
			    !(c >= '0' && c <= '9') && c != '-')
				return false;
		}
	}
	return true;
}

static bool is_only_dots(struct str user)
{
	for (size_t i = 0; i < user.len; i++)
		if (user.at[i] != '.' && user.at[i] != ' ')
			return false;
	return user.len > 0;
}

/* "domain\user" or "user" */
static void check_user_parts(struct check *v, const struct path *at, struct str name)
{
	struct str domain, user;
	bool has_domain = str_cut(name, '\\', &domain, &user);
	if (!has_domain) {
		user = name;
		domain = STR("");
	}
	if (domain.len >= DOMAIN_MAX_BYTES)
		bad_text(v, at, name, "runAsUserName's Domain length must be under %d characters",
			 DOMAIN_MAX_BYTES);
	if (has_domain && !is_net_bios(domain) && !is_dns_domain(domain))
		bad_text(v, at, name,
			 "runAsUserName's Domain doesn't match the NetBios nor the DNS format");
	if (user.len == 0)
		bad_text(v, at, name, "runAsUserName's User cannot be empty");
	else if (user.len > USER_MAX_BYTES)
		bad_text(v, at, name,
			 "runAsUserName's User length must not be longer than %d characters",
			 USER_MAX_BYTES);
	if (is_only_dots(user))
		bad_text(v, at, name, "runAsUserName's User cannot contain only periods or spaces");
	if (has_any(user, "\"/\\:;|=,+*?<>@[]"))
		bad_text(v, at, name,
			 "runAsUserName's User cannot contain the following characters: "
			 "\"/\\:;|=,+*?<>@[]");
}

static void check_user_name(struct check *v, const struct path *at, struct str name)
{
	size_t backslashes = 0;
	for (size_t i = 0; i < name.len; i++)
		backslashes += name.at[i] == '\\';
	if (name.len == 0)
		bad_text(v, at, name, "runAsUserName cannot be an empty string");
	else if (has_control(name))
		bad_text(v, at, name, "runAsUserName cannot contain control characters");
	else if (backslashes > 1)
		bad_text(v, at, name, "runAsUserName cannot contain more than one backslash");
	else
		check_user_parts(v, at, name);
}

void check_windows_options(struct check *v, const struct path *at, const struct json *options)
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
	if (spec && json_str(spec).len > SPEC_MAX_BYTES)
		bad(v, MEMBER(at, "gmsaCredentialSpec"), spec,
		    "gmsaCredentialSpec size must be under 64 KiB");
	if (user)
		check_user_name(v, MEMBER(at, "runAsUserName"), json_str(user));
}

/* ---- what a system does not have ---- */

static const struct json *host_process(const struct json *context)
{
	return GET(GET(context, "windowsOptions"), "hostProcess");
}

static const char *const visited_lists[] = {"initContainers", "containers", "ephemeralContainers"};
static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

/* Processes of the host: all containers of the pod or none, and on the network of the host. */
void check_host_process(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *pod = host_process(GET(spec, "securityContext"));
	size_t count = 0, host_count = 0;
	for (size_t l = 0; l < ARRAY_LEN(visited_lists); l++) {
		const struct path *list_at = MEMBER(at, visited_lists[l]);
		FOR_ITEMS(i, c, json_get(spec, str_of(visited_lists[l])))
		{
			const struct path *context_at = MEMBER(ITEM(list_at, i), "securityContext");
			const struct json *own = host_process(GET(c, "securityContext"));
			count++;
			host_count += json_is_true(own ? own : pod);
			if (pod && own && json_is_true(pod) != json_is_true(own))
				bad(v, MEMBER(MEMBER(context_at, "windowsOptions"), "hostProcess"),
				    own,
				    "pod hostProcess value must be identical if both are "
				    "specified, was %s",
				    json_is_true(pod) ? "true" : "false");
		}
	}
	if (host_count > 0 && host_count != count)
		bad_text(v, at, STR(""),
			 "If pod contains any hostProcess containers then all containers must be "
			 "HostProcess containers");
	if (host_count > 0 && !IS(spec, "hostNetwork"))
		bad(v, MEMBER(at, "hostNetwork"), json_bool(v->arena, false),
		    "hostNetwork must be true if pod contains any hostProcess containers");
}

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
	/* those of the security context; others are flags of the spec itself */
	static const struct {
		const char *member;
		enum { CONTEXT, SPEC_SET, SPEC_TRUE } holder;
	} pod_level[] = {{"appArmorProfile", CONTEXT},
			 {"seLinuxOptions", CONTEXT},
			 {"hostUsers", SPEC_SET},
			 {"hostPID", SPEC_TRUE},
			 {"hostIPC", SPEC_TRUE},
			 {"seccompProfile", CONTEXT},
			 {"fsGroup", CONTEXT},
			 {"fsGroupChangePolicy", CONTEXT},
			 {"sysctls", CONTEXT},
			 {"shareProcessNamespace", SPEC_SET},
			 {"runAsUser", CONTEXT},
			 {"runAsGroup", CONTEXT},
			 {"supplementalGroups", CONTEXT},
			 {"supplementalGroupsPolicy", CONTEXT},
			 {"seLinuxChangePolicy", CONTEXT}};
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
	const struct path *context_at = MEMBER(at, "securityContext");
	for (size_t i = 0; i < ARRAY_LEN(pod_level); i++) {
		bool is_context = pod_level[i].holder == CONTEXT;
		const struct json *value =
			member_of(is_context ? GET(spec, "securityContext") : spec,
				  str_of(pod_level[i].member));
		if (value && (pod_level[i].holder != SPEC_TRUE || json_is_true(value)))
			forbidden(v, MEMBER(is_context ? context_at : at, pod_level[i].member),
				  "%s", message);
	}
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
