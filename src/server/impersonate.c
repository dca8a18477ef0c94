/* Impersonate-User, -Group, -Uid, -Extra-*: a request in somebody else's name. */
#include "base/buf.h"
#include "server/authenticate.h"
#include "server/authz.h"
#include "server/route.h"
#include "server/server.h"

static bool may_impersonate(struct request *r, struct str group, struct str resource,
			    struct str subresource, struct str namespace, struct str name)
{
	struct attributes what = {.verb = STR("impersonate"),
				  .is_resource = true,
				  .group = group,
				  .resource = resource,
				  .subresource = subresource,
				  .namespace = namespace,
				  .name = name};
	struct str reason;
	if (authorizer_allows_or_why(r->server->authorizer, &r->user, &what, &r->arena, &reason))
		return true;
	struct api_kind kind = {.group = group, .plural = resource};
	request_forbidden(r, &kind, name, attributes_refusal(&r->arena, &r->user, &what, reason));
	return false;
}

static bool split_account(struct str name, struct str *ret_namespace, struct str *ret_account)
{
	static const struct str prefix = STR_INIT("system:serviceaccount:");
	return str_has_prefix(name, prefix) &&
	       str_cut(str_skip(name, prefix.len), ':', ret_namespace, ret_account);
}

static bool impersonate_groups(struct request *r, struct user *as)
{
	size_t at = 0;
	struct str value;
	while (http_header_next(r->exchange, "impersonate-group", &at, &value)) {
		if (!may_impersonate(r, STR(""), STR("groups"), STR(""), STR(""), value))
			return false;
		user_add_group(as, value);
	}
	return true;
}

static const struct str extra_prefix = STR_INIT("impersonate-extra-");

static struct str extra_key(struct request *r, struct str header)
{
	return percent_decode(&r->arena, str_skip(header, extra_prefix.len), false);
}

static bool impersonate_extra(struct request *r, struct user *as)
{
	size_t count;
	const struct http_header *headers = http_headers(r->exchange, &count);
	for (size_t i = 0; i < count; i++) {
		if (!str_has_prefix(headers[i].name, extra_prefix))
			continue;
		struct str key = extra_key(r, headers[i].name);
		if (!may_impersonate(r, STR("authentication.k8s.io"), STR("userextras"), key,
				     STR(""), headers[i].value))
			return false;
		user_add_extra(&r->arena, as, key, headers[i].value);
	}
	return true;
}

static void default_groups(struct request *r, struct user *as, struct str namespace)
{
	if (as->group_count == 0 && namespace.len)
		user_add_account_groups(&r->arena, as, namespace);
	bool is_anonymous = str_is(as->name, "system:anonymous");
	struct str all = is_anonymous ? STR("system:unauthenticated") : STR("system:authenticated");
	if (!user_is_in(as, STR("system:unauthenticated")) && !user_is_in(as, all))
		user_add_group(as, all);
}

/* Rights of somebody, but of whom?  The requests as upstream prints their references: {Kind
 * Namespace Name UID APIVersion ResourceVersion FieldPath}. */
static enum step nobody_to_impersonate(struct request *r)
{
	static const char version[] = "authentication.k8s.io/v1";
	CLEANUP_BUF list = BUF_INIT(64u << 10);
	struct str value, uid = http_header(r->exchange, "impersonate-uid");
	size_t at = 0, count;
	const struct http_header *headers = http_headers(r->exchange, &count);
	while (http_header_next(r->exchange, "impersonate-group", &at, &value))
		buf_printf(&list, "%s{Group  %.*s    }", list.len ? " " : "", STR_FMT(value));
	for (size_t i = 0; i < count; i++)
		if (str_has_prefix(headers[i].name, extra_prefix))
			buf_printf(&list, "%s{UserExtra  %.*s  %s  %.*s}", list.len ? " " : "",
				   STR_FMT(headers[i].value), version,
				   STR_FMT(extra_key(r, headers[i].name)));
	if (uid.at)
		buf_printf(&list, "%s{UID  %.*s  %s  }", list.len ? " " : "", STR_FMT(uid),
			   version);
	if (list.len == 0)
		return STEP_NEXT;
	return request_fail(r, RC_BAD_REQUEST, "requested [%.*s] without impersonating a user",
			    STR_FMT(buf_str(&list)));
}

enum step stage_impersonate(struct request *r)
{
	struct str name = http_header(r->exchange, "impersonate-user"), namespace = {}, account;
	struct str uid = http_header(r->exchange, "impersonate-uid");
	if (!name.len)
		return nobody_to_impersonate(r);
	struct user *as = ARENA_NEW(&r->arena, struct user);
	as->name = name;
	as->uid = uid;
	bool is_allowed =
		split_account(name, &namespace, &account)
			? may_impersonate(r, STR(""), STR("serviceaccounts"), STR(""), namespace,
					  account)
			: may_impersonate(r, STR(""), STR("users"), STR(""), STR(""), name);
	if (!is_allowed || !impersonate_groups(r, as) || !impersonate_extra(r, as))
		return STEP_DONE;
	if (uid.at &&
	    !may_impersonate(r, STR("authentication.k8s.io"), STR("uids"), STR(""), STR(""), uid))
		return STEP_DONE;
	default_groups(r, as, namespace);
	r->user = *as;
	return STEP_NEXT;
}
