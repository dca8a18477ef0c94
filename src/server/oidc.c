#include "server/oidc.h"

#include "base/timefmt.h"
#include "server/jwt_issuer.h"

#define EARLY_MAX_S 300 /* a token may be this much younger than our clock */

struct oidc {
	const struct authentication_config *config;
	struct jwt_issuer *issuers[JWT_ISSUERS_MAX];
	size_t count;
	struct loop *core;
};

enum rc oidc_new(struct loop *core, const struct authentication_config *config,
		 struct oidc **ret_oidc, struct err *err)
{
	struct oidc *o = NEW(struct oidc);
	o->config = config;
	o->core = core;
	for (; o->count < config->issuer_count; o->count++) {
		enum rc rc = jwt_issuer_new(core, &config->issuers[o->count], &o->issuers[o->count],
					    err);
		if (rc != RC_OK) {
			oidc_free(o);
			return rc;
		}
	}
	*ret_oidc = o;
	return RC_OK;
}

void oidc_start(struct oidc *o)
{
	for (size_t i = 0; i < o->count; i++)
		jwt_issuer_start(o->issuers[i]);
}

void oidc_stop(struct oidc *o)
{
	for (size_t i = 0; i < o->count; i++)
		jwt_issuer_stop(o->issuers[i]);
}

void oidc_free(struct oidc *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		jwt_issuer_free(o->issuers[i]);
	free(o);
}

static struct jwt_issuer *find(struct oidc *o, const struct jwt *jwt)
{
	struct str url = json_path_str(jwt->claims, "iss");
	for (size_t i = 0; i < o->count; i++)
		if (str_eq(url, jwt_issuer_config(o->issuers[i])->url))
			return o->issuers[i];
	return NULL;
}

/* ---- what every token must have ---- */

static enum rc check_algorithm(const struct oidc *o, const struct jwt *jwt, struct err *err)
{
	for (size_t i = 0; i < o->config->algorithm_count; i++)
		if (str_eq(jwt->algorithm, o->config->algorithms[i]))
			return RC_OK;
	return err_set(err, RC_UNAUTHORIZED,
		       "oidc: verify token: id token signed with unsupported algorithm \"%.*s\"",
		       STR_FMT(jwt->algorithm));
}

static bool is_for(const struct json *audience, const struct jwt_issuer_config *c)
{
	for (size_t i = 0; i < c->audience_count; i++)
		if (str_eq(json_str(audience), c->audiences[i]))
			return true;
	return false;
}

static enum rc check_audience(const struct json *claims, const struct jwt_issuer_config *c,
			      struct err *err)
{
	const struct json *audience = json_get(claims, STR("aud"));
	bool is_ours = audience && audience->type == JSON_STRING && is_for(audience, c);
	for (size_t i = 0; audience && audience->type == JSON_ARRAY && i < json_count(audience);
	     i++)
		is_ours |= is_for(json_at(audience, i), c);
	return is_ours ? RC_OK
		       : err_set(err, RC_UNAUTHORIZED,
				 "oidc: verify token: oidc: expected audience is not among those "
				 "of the token");
}

static enum rc check_times(const struct json *claims, struct err *err)
{
	double now_s = (double)world_wall_us() / 1e6;
	const struct json *begin = json_get(claims, STR("nbf"));
	if (json_f64(json_get(claims, STR("exp"))) <= now_s)
		return err_set(err, RC_UNAUTHORIZED, "oidc: verify token: oidc: token is expired");
	if (begin && json_f64(begin) > now_s + EARLY_MAX_S)
		return err_set(err, RC_UNAUTHORIZED,
			       "oidc: verify token: oidc: current time is before the nbf (not "
			       "before) time");
	return RC_OK;
}

/* ---- claims ---- */

static enum rc text_claim(const struct json *claims, struct str name, struct str *ret_text,
			  struct err *err)
{
	const struct json *value = json_get(claims, name);
	if (!value)
		return err_set(err, RC_UNAUTHORIZED,
			       "oidc: parse claim \"%.*s\": claim not present", STR_FMT(name));
	if (value->type != JSON_STRING)
		return err_set(err, RC_UNAUTHORIZED,
			       "oidc: parse claim \"%.*s\": a string is expected", STR_FMT(name));
	*ret_text = value->string;
	return RC_OK;
}

static enum rc take_name(struct arena *a, const struct json *claims,
			 const struct jwt_issuer_config *c, struct user *u, struct err *err)
{
	struct str name;
	const struct json *verified = json_get(claims, STR("email_verified"));
	TRY(text_claim(claims, c->username_claim, &name, err));
	if (str_is(c->username_claim, "email") && verified && !json_is_true(verified))
		return err_set(err, RC_UNAUTHORIZED, "oidc: email not verified");
	u->name = arena_printf(a, "%.*s%.*s", STR_FMT(c->username_prefix), STR_FMT(name));
	return c->uid_claim.len ? text_claim(claims, c->uid_claim, &u->uid, err) : RC_OK;
}

static enum rc add_group(struct arena *a, const struct json *group,
			 const struct jwt_issuer_config *c, struct user *u, struct err *err)
{
	if (group->type != JSON_STRING)
		return err_set(err, RC_UNAUTHORIZED,
			       "oidc: parse groups claim \"%.*s\": strings are expected",
			       STR_FMT(c->groups_claim));
	if (u->group_count == REQUEST_GROUPS_MAX - 1) /* one comes later: who authenticated */
		return err_set(err, RC_UNAUTHORIZED,
			       "oidc: groups claim \"%.*s\": more than %d groups; let the issuer "
			       "name only those that matter here",
			       STR_FMT(c->groups_claim), REQUEST_GROUPS_MAX - 1);
	u->groups[u->group_count++] =
		arena_printf(a, "%.*s%.*s", STR_FMT(c->groups_prefix), STR_FMT(group->string));
	return RC_OK;
}

/* One string is one group. */
static enum rc take_groups(struct arena *a, const struct json *claims,
			   const struct jwt_issuer_config *c, struct user *u, struct err *err)
{
	const struct json *groups = c->groups_claim.len ? json_get(claims, c->groups_claim) : NULL;
	if (!groups || groups->type == JSON_NULL)
		return RC_OK;
	if (groups->type != JSON_ARRAY)
		return add_group(a, groups, c, u, err);
	for (size_t i = 0; i < json_count(groups); i++)
		TRY(add_group(a, json_at(groups, i), c, u, err));
	return RC_OK;
}

static enum rc check_required(const struct json *claims, const struct jwt_issuer_config *c,
			      struct err *err)
{
	for (size_t i = 0; i < c->required_count; i++) {
		struct str name = c->required[i].name, value;
		if (!json_get(claims, name))
			return err_set(err, RC_UNAUTHORIZED,
				       "oidc: required claim %.*s not present in ID token",
				       STR_FMT(name));
		TRY(text_claim(claims, name, &value, err));
		if (!str_eq(value, c->required[i].value))
			return err_set(err, RC_UNAUTHORIZED,
				       "oidc: required claim %.*s value does not match. Got = "
				       "%.*s, want = %.*s",
				       STR_FMT(name), STR_FMT(value),
				       STR_FMT(c->required[i].value));
	}
	return RC_OK;
}

/* Before the signature: cheap, and keys are not fetched for a token that is no good anyway. */
static enum rc check(struct oidc *o, struct arena *a, const struct jwt *jwt,
		     struct jwt_issuer *issuer, struct user *u, struct err *err)
{
	const struct jwt_issuer_config *c = jwt_issuer_config(issuer);
	if (!jwt_issuer_is_known(issuer))
		return err_set(err, RC_UNAUTHORIZED, "oidc: authenticator not initialized");
	TRY(check_algorithm(o, jwt, err));
	TRY(check_audience(jwt->claims, c, err));
	TRY(check_times(jwt->claims, err));
	TRY(take_name(a, jwt->claims, c, u, err));
	TRY(take_groups(a, jwt->claims, c, u, err));
	return check_required(jwt->claims, c, err);
}

enum oidc_finding oidc_verify(struct oidc *o, struct arena *a, struct str token,
			      struct user *ret_user, struct err *err)
{
	struct jwt jwt;
	struct user *u = ARENA_NEW(a, struct user);
	if (!o || o->count == 0 || jwt_parse(a, token, &jwt, err) != RC_OK)
		return OIDC_OTHER;
	struct jwt_issuer *issuer = find(o, &jwt);
	if (!issuer)
		return OIDC_OTHER;
	if (check(o, a, &jwt, issuer, u, err) != RC_OK)
		return OIDC_BAD;
	struct jwt_keys *keys = jwt_issuer_keys(issuer);
	bool is_good = jwt_is_signed_by(&jwt, keys);
	jwt_keys_unref(keys);
	if (!is_good) {
		err_set(err, RC_UNAUTHORIZED,
			"oidc: verify token: failed to verify signature: no key of the issuer "
			"fits");
		return OIDC_UNKNOWN;
	}
	jwt_issuer_touch(issuer);
	*ret_user = *u;
	return OIDC_GOOD;
}

/* ---- waiting ---- */

/* Lives in the arena of its request. */
struct parked {
	struct jwt_wait wait;
	struct jwt_issuer *issuer;
	struct request *r;
	void (*resumed)(struct request *r);
};

static void back_home(struct loop_msg *msg)
{
	struct request *r = CONTAINER_OF(msg, struct request, msg);
	struct parked *p = r->ctx;
	r->ctx = NULL;
	p->resumed(r);
}

static void fetched(struct jwt_wait *w)
{
	struct request *r = CONTAINER_OF(w, struct parked, wait)->r;
	r->msg.fn = back_home;
	loop_post(r->home, &r->msg);
}

static void park(struct loop_msg *msg)
{
	struct parked *p = CONTAINER_OF(msg, struct request, msg)->ctx;
	jwt_issuer_wait(p->issuer, &p->wait);
}

void oidc_wait(struct oidc *o, struct request *r, struct str token,
	       void (*resumed)(struct request *r))
{
	struct jwt jwt;
	struct parked *p = ARENA_NEW(&r->arena, struct parked);
	enum rc rc = jwt_parse(&r->arena, token, &jwt, NULL);
	ASSERT(rc == RC_OK && r->ctx == NULL);
	*p = (struct parked){
		.wait = {.done = fetched}, .issuer = find(o, &jwt), .r = r, .resumed = resumed};
	r->ctx = p;
	r->msg.fn = park;
	loop_post(o->core, &r->msg);
}
