#include "server/authentication_config.h"

#include "http/pki.h"
#include "io/file.h"
#include "server/jwt_keys.h"

#define LIST_MAX	 64
#define DISCOVERY_SUFFIX "/.well-known/openid-configuration"

/* ---- the options ---- */

static bool has_any(const struct oidc_options *o)
{
	return o->issuer_url || o->client_id || o->ca_file || o->username_claim ||
	       o->username_prefix || o->groups_claim || o->groups_prefix || o->signing_algs ||
	       o->required_claim_count;
}

static struct str or_default(struct arena *a, const char *text, const char *otherwise)
{
	return arena_str(a, str_of(text ? text : otherwise));
}

/* Claims of other kinds may collide with names from elsewhere, addresses of mail do not. */
static struct str username_prefix(struct arena *a, const struct oidc_options *o)
{
	bool is_email = o->username_claim && strcmp(o->username_claim, "email") == 0;
	if (o->username_prefix && strcmp(o->username_prefix, "-") == 0)
		return STR("");
	if (o->username_prefix && *o->username_prefix)
		return arena_str(a, str_of(o->username_prefix));
	return is_email ? STR("") : arena_printf(a, "%s#", o->issuer_url);
}

static enum rc take_required(struct authentication_config *c, const struct oidc_options *o,
			     struct jwt_issuer_config *issuer, struct err *err)
{
	struct jwt_claim *claims =
		ARENA_ARRAY(&c->arena, struct jwt_claim, o->required_claim_count + 1);
	for (size_t i = 0; i < o->required_claim_count; i++) {
		struct str text = arena_str(&c->arena, str_of(o->required_claims[i]));
		if (!str_cut(text, '=', &claims[i].name, &claims[i].value) || !claims[i].name.len)
			return err_set(err, RC_INVALID,
				       "--oidc-required-claim: '%.*s' is not of the form "
				       "name=value",
				       STR_FMT(text));
	}
	issuer->required = claims;
	issuer->required_count = o->required_claim_count;
	return RC_OK;
}

static enum rc take_algorithms(struct authentication_config *c, const char *list, struct err *err)
{
	struct str rest = or_default(&c->arena, list, "RS256"), one;
	struct str *algorithms = ARENA_ARRAY(&c->arena, struct str, LIST_MAX);
	while (rest.len) {
		str_cut(rest, ',', &one, &rest);
		one = str_trim(one);
		if (!jwt_algorithm_is_known(one) || c->algorithm_count == LIST_MAX)
			return err_set(err, RC_INVALID,
				       "--oidc-signing-algs: oidc: unsupported signing alg: "
				       "\"%.*s\"; give some of " JWT_ALGORITHMS,
				       STR_FMT(one));
		algorithms[c->algorithm_count++] = one;
	}
	c->algorithms = algorithms;
	return RC_OK;
}

static enum rc take_options(struct authentication_config *c, const struct oidc_options *o,
			    struct err *err)
{
	struct arena *a = &c->arena;
	struct jwt_issuer_config *issuer = &c->issuers[0];
	if (!o->issuer_url || !*o->issuer_url || !o->client_id || !*o->client_id)
		return err_set(err, RC_INVALID,
			       "oidc-issuer-url and oidc-client-id must be specified together when "
			       "any oidc-* flags are set");
	struct str *audience = ARENA_NEW(a, struct str);
	*audience = arena_str(a, str_of(o->client_id));
	*issuer = (struct jwt_issuer_config){
		.url = arena_str(a, str_of(o->issuer_url)),
		.audiences = audience,
		.audience_count = 1,
		.username_claim = or_default(a, o->username_claim, "sub"),
		.username_prefix = username_prefix(a, o),
		.groups_claim = or_default(a, o->groups_claim, ""),
		.groups_prefix = or_default(a, o->groups_prefix, ""),
	};
	c->issuer_count = 1;
	if (o->ca_file && *o->ca_file)
		TRY(file_read(o->ca_file, PKI_PEM_MAX, a, &issuer->ca_pem, err));
	return take_required(c, o, issuer, err);
}

/* ---- what an issuer must be ---- */

static enum rc wrong(struct err *err, size_t index, const char *field, struct str value,
		     const char *why)
{
	return err_set(err, RC_INVALID, "jwt[%zu].%s: Invalid value: \"%.*s\": %s", index, field,
		       STR_FMT(value), why);
}

static enum rc check_url(size_t index, const char *field, struct str url, struct err *err)
{
	static const struct str scheme = STR_INIT("https://");
	struct str host, path;
	if (url.len == 0)
		return err_set(err, RC_INVALID, "jwt[%zu].%s: Required value: URL is required",
			       index, field);
	if (!str_has_prefix(url, scheme))
		return wrong(err, index, field, url, "URL scheme must be https");
	str_cut(str_skip(url, scheme.len), '/', &host, &path);
	if (memchr(host.at, '@', host.len))
		return wrong(err, index, field, url, "URL must not contain a username or password");
	if (memchr(url.at, '?', url.len))
		return wrong(err, index, field, url, "URL must not contain a query");
	if (memchr(url.at, '#', url.len))
		return wrong(err, index, field, url, "URL must not contain a fragment");
	if (host.len == 0)
		return wrong(err, index, field, url, "URL must contain a host");
	return RC_OK;
}

static enum rc check_authority(size_t index, struct str pem, struct err *err)
{
	struct str block;
	struct pki_cert cert;
	CLEANUP_ARENA a = {};
	if (pem.len == 0 || (pki_pem_block(pem, "CERTIFICATE", 0, &block) &&
			     pki_cert_parse(&a, pem, &cert, NULL) == RC_OK))
		return RC_OK;
	return wrong(err, index, "issuer.certificateAuthority", STR("<omitted>"),
		     "data does not contain any valid RSA or ECDSA certificates");
}

static enum rc check_issuer(const struct authentication_config *c, size_t index,
			    const struct str *own_issuers, size_t own_count, struct err *err)
{
	const struct jwt_issuer_config *issuer = &c->issuers[index];
	TRY(check_url(index, "issuer.url", issuer->url, err));
	for (size_t i = 0; i < own_count; i++)
		if (str_eq(issuer->url, own_issuers[i]))
			return wrong(err, index, "issuer.url", issuer->url,
				     "URL must not overlap with disallowed issuers (those of "
				     "service account tokens)");
	for (size_t i = 0; i < index; i++)
		if (str_eq(issuer->url, c->issuers[i].url))
			return err_set(err, RC_INVALID,
				       "jwt[%zu].issuer.url: Duplicate value: \"%.*s\"", index,
				       STR_FMT(issuer->url));
	if (issuer->discovery_url.len) {
		TRY(check_url(index, "issuer.discoveryURL", issuer->discovery_url, err));
		if (str_eq(issuer->discovery_url, issuer->url))
			return wrong(err, index, "issuer.discoveryURL", issuer->discovery_url,
				     "discoveryURL must be different from URL");
	}
	return check_authority(index, issuer->ca_pem, err);
}

/* Where the document of an issuer is. */
static void complete(struct authentication_config *c, struct jwt_issuer_config *issuer)
{
	struct str url = issuer->url;
	while (str_has_suffix(url, STR("/")))
		url.len--;
	if (issuer->discovery_url.len == 0)
		issuer->discovery_url =
			arena_printf(&c->arena, "%.*s" DISCOVERY_SUFFIX, STR_FMT(url));
}

static enum rc load(struct authentication_config *c, const struct authentication_options *o,
		    const struct str *own_issuers, size_t own_count, struct err *err)
{
	bool has_anonymous = false;
	c->refuses_anonymous = o->refuses_anonymous;
	TRY(take_algorithms(c, o->config_file ? JWT_ALGORITHMS : o->oidc.signing_algs, err));
	if (o->config_file && has_any(&o->oidc))
		return err_set(err, RC_INVALID,
			       "authentication-config file and oidc-* flags are mutually "
			       "exclusive");
	if (o->config_file)
		TRY(authentication_file_read(c, o->config_file, &has_anonymous, err));
	else if (has_any(&o->oidc))
		TRY(take_options(c, &o->oidc, err));
	if (has_anonymous && o->refuses_anonymous)
		return err_set(err, RC_INVALID,
			       "--anonymous-auth flag cannot be set when anonymous field is "
			       "configured in authentication configuration file");
	for (size_t i = 0; i < c->issuer_count; i++) {
		TRY(check_issuer(c, i, own_issuers, own_count, err));
		complete(c, &c->issuers[i]);
	}
	return RC_OK;
}

enum rc authentication_config_load(const struct authentication_options *options,
				   const struct str *own_issuers, size_t own_count,
				   struct authentication_config **ret_config, struct err *err)
{
	struct authentication_config *c = NEW(struct authentication_config);
	enum rc rc = load(c, options, own_issuers, own_count, err);
	if (rc != RC_OK) {
		authentication_config_free(c);
		return err_wrap(err, "authentication");
	}
	*ret_config = c;
	return RC_OK;
}

void authentication_config_free(struct authentication_config *c)
{
	if (!c)
		return;
	arena_done(&c->arena);
	free(c);
}
