#include "cli/api_options.h"

#include "base/duration.h"
#include "cli/option_value.h"
#include "client/kubeconfig.h"

#define HOUR_S		     3600
#define SIGNING_LIFE_LEAST_S 10

#define AT(member) offsetof(struct api_options, member)
static const struct option options[] = {
	{"anonymous-auth", 0, OPTION_FLAG, AT(allows_anonymous), NULL,
	 "serve requests without credentials as system:anonymous (true)"},
	{"authentication-config", 0, OPTION_TEXT, AT(authentication_config), "FILE",
	 "issuers of tokens (AuthenticationConfiguration), instead of --oidc-*"},
	{"oidc-issuer-url", 0, OPTION_TEXT, AT(oidc.issuer_url), "URL",
	 "issuer whose ID tokens are trusted; https only"},
	{"oidc-client-id", 0, OPTION_TEXT, AT(oidc.client_id), "ID",
	 "audience that ID tokens must name"},
	{"oidc-username-claim", 0, OPTION_TEXT, AT(oidc.username_claim), "CLAIM",
	 "claim that is the user's name (sub)"},
	{"oidc-username-prefix", 0, OPTION_TEXT, AT(oidc.username_prefix), "TEXT",
	 "goes before the user's name; - for none (the issuer and #, none for email)"},
	{"oidc-groups-claim", 0, OPTION_TEXT, AT(oidc.groups_claim), "CLAIM",
	 "claim with the user's groups, a text or a list"},
	{"oidc-groups-prefix", 0, OPTION_TEXT, AT(oidc.groups_prefix), "TEXT",
	 "goes before each group"},
	{"oidc-ca-file", 0, OPTION_TEXT, AT(oidc.ca_file), "FILE",
	 "authorities of the issuer's certificate (the system's)"},
	{"oidc-signing-algs", 0, OPTION_TEXT, AT(oidc.signing_algs), "LIST",
	 "algorithms that may sign ID tokens (RS256)"},
	{"oidc-required-claim", 0, OPTION_LIST, AT(required_claims), "NAME=VALUE",
	 "claim that ID tokens must have with this value"},
	{"requestheader-client-ca-file", 0, OPTION_TEXT, AT(request_headers.client_ca_file), "FILE",
	 "authority of authenticating proxies, whose headers name the user"},
	{"requestheader-allowed-names", 0, OPTION_TEXT, AT(request_headers.allowed_names), "LIST",
	 "common names of such proxies; any by default"},
	{"requestheader-username-headers", 0, OPTION_TEXT, AT(request_headers.username_headers),
	 "LIST", "headers with the user's name"},
	{"requestheader-uid-headers", 0, OPTION_TEXT, AT(request_headers.uid_headers), "LIST",
	 "headers with the user's uid"},
	{"requestheader-group-headers", 0, OPTION_TEXT, AT(request_headers.group_headers), "LIST",
	 "headers with the user's groups"},
	{"requestheader-extra-headers-prefix", 0, OPTION_TEXT, AT(request_headers.extra_prefixes),
	 "LIST", "how headers with more about the user begin"},
	{"service-account-issuer", 0, OPTION_LIST, AT(issuers), "URL",
	 "issuer of service account tokens; the first signs, all are believed"},
	{"api-audiences", 0, OPTION_LIST, AT(audiences), "NAME",
	 "audience of tokens for this server (the issuers)"},
	{"service-account-jwks-uri", 0, OPTION_TEXT, AT(jwks_uri), "URL",
	 "where others find the keys of service account tokens"},
	{"service-account-max-token-expiration", 0, OPTION_TEXT, AT(max_token_life), "DURATION",
	 "longest life of a token that is asked for, like 24h"},
	{"service-account-extend-token-expiration", 0, OPTION_FLAG, AT(extends_tokens), NULL,
	 "tokens in pods go on for a year, with warnings (true)"},
	{"cluster-signing-duration", 0, OPTION_TEXT, AT(signing_life), "DURATION",
	 "life of the certificates that are signed, the server's own too (8760h)"},
	{"request-timeout", 0, OPTION_TEXT, AT(request_timeout), "DURATION",
	 "time within which requests are answered, but for watches and streams (1m0s)",
	 .is_good = value_is_timeout, .wants = TIMEOUT_WANTED},
	{"min-request-timeout", 0, OPTION_NUMBER, AT(min_request_timeout_s), "SECONDS",
	 "watches without a time-out end after once to twice this (1800)", .most = 1 << 30},
	{"sandbox", 0, OPTION_FLAG, AT(has_sandbox), NULL,
	 "the control plane gives up capabilities and most system calls (true)"},
	{"audit-policy-file", 0, OPTION_TEXT, AT(audit_policy), "FILE",
	 "which requests the audit log records (audit.k8s.io/v1 Policy)"},
	{"audit-log-path", 0, OPTION_TEXT, AT(audit_log), "FILE",
	 "audit log, one JSON event a line; - is standard output"},
	{"audit-log-maxsize", 0, OPTION_NUMBER, AT(audit_max_mib), "MIB",
	 "size at which the audit log is closed and renamed; 0 never", .most = 1 << 20},
	{"audit-log-maxbackup", 0, OPTION_NUMBER, AT(audit_max_backups), "N",
	 "closed audit logs to keep; 0 all", .most = 1 << 20},
	{"audit-log-maxage", 0, OPTION_NUMBER, AT(audit_max_days), "DAYS",
	 "age at which closed audit logs go; 0 never", .most = 36500},
	{"audit-webhook-config-file", 0, OPTION_TEXT, AT(audit_webhook), "FILE",
	 "kubeconfig of a server that gets audit events"},
};

const struct option_set api_option_set = {options, ARRAY_LEN(options)};

static enum rc take_audit(const struct api_options *o, struct arena *a,
			  struct audit_options *ret_audit, struct err *err)
{
	struct kubeconfig_target hook = {};
	if (o->audit_webhook)
		TRY(kubeconfig_load(a, o->audit_webhook, NULL, &hook, err));
	*ret_audit = (struct audit_options){
		.policy_path = o->audit_policy,
		.log_path = o->audit_log,
		.log_max_mib = o->audit_max_mib,
		.log_max_backups = o->audit_max_backups,
		.log_max_age_days = o->audit_max_days,
		.webhook_url = hook.server,
		.webhook_ca_pem = hook.ca_pem,
		.webhook_cert_pem = hook.cert_pem,
		.webhook_key_pem = hook.key_pem,
		.webhook_token = hook.token,
	};
	return RC_OK;
}

/* ---- service account tokens ---- */

static enum rc check_issuers(const struct text_list *issuers, struct err *err)
{
	for (size_t i = 0; i < issuers->count; i++) {
		const char *one = issuers->at[i];
		if (!*one)
			return err_set(err, RC_INVALID,
				       "service-account-issuer cannot be an empty string");
		if (strchr(one, ':') && !strstr(one, "://"))
			return err_set(err, RC_INVALID,
				       "service-account-issuer \"%s\" contained a ':' but was not "
				       "a valid URL",
				       one);
	}
	return RC_OK;
}

static enum rc take_max_life(const char *text, int64_t *ret_seconds, struct err *err)
{
	if (!text)
		return RC_OK;
	if (!duration_parse(str_of(text), ret_seconds) || *ret_seconds < HOUR_S ||
	    *ret_seconds > TOKEN_MOST_S)
		return err_set(err, RC_INVALID,
			       "the service-account-max-token-expiration must be between 1 hour "
			       "and 2^32 seconds, like 24h, not '%s'",
			       text);
	return RC_OK;
}

static enum rc take_tokens(const struct api_options *o, struct token_options *ret_tokens,
			   struct err *err)
{
	if (o->jwks_uri && strncmp(o->jwks_uri, "https://", 8) != 0)
		return err_set(err, RC_INVALID,
			       "service-account-jwks-uri requires https scheme, parsed as: %s",
			       o->jwks_uri);
	TRY(check_issuers(&o->issuers, err));
	*ret_tokens = (struct token_options){
		.issuers = o->issuers.at,
		.issuer_count = o->issuers.count,
		.audiences = o->audiences.at,
		.audience_count = o->audiences.count,
		.jwks_uri = o->jwks_uri,
		.extends_expiry = o->extends_tokens,
	};
	return take_max_life(o->max_token_life, &ret_tokens->max_life_s, err);
}

static enum rc take_signing_life(const char *text, int64_t *ret_seconds, struct err *err)
{
	if (duration_parse(str_of(text), ret_seconds) && *ret_seconds >= SIGNING_LIFE_LEAST_S)
		return RC_OK;
	return err_set(err, RC_INVALID,
		       "--cluster-signing-duration: '%s' is not a duration of at least 10s, "
		       "like 8760h",
		       text);
}

enum rc api_options_apply(const struct api_options *o, struct arena *a,
			  struct server_config *config, struct err *err)
{
	bool is_duration =
		duration_parse_ms(str_of(o->request_timeout), &config->request_timeout_ms);
	ASSERT(is_duration); /* value_is_timeout() took it */
	config->min_request_timeout_s = o->min_request_timeout_s;
	config->request_headers = o->request_headers;
	config->authentication = (struct authentication_options){
		.oidc = o->oidc,
		.config_file = o->authentication_config,
		.refuses_anonymous = !o->allows_anonymous,
	};
	config->authentication.oidc.required_claims = o->required_claims.at;
	config->authentication.oidc.required_claim_count = o->required_claims.count;
	TRY(take_tokens(o, &config->tokens, err));
	TRY(take_signing_life(o->signing_life, &config->signing_life_s, err));
	return take_audit(o, a, &config->audit, err);
}

enum rc api_options_check(const struct api_options *o, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct server_config config = {};
	struct request_headers *headers;
	struct authentication_config *authentication;
	TRY(api_options_apply(o, &a, &config, err));
	TRY(request_headers_new(&config.request_headers, &headers, err));
	request_headers_free(headers);
	TRY(authentication_config_load(&config.authentication, NULL, 0, &authentication, err));
	authentication_config_free(authentication);
	if (!config.audit.log_path && !config.audit.webhook_url.len)
		return RC_OK;
	struct audit *audit;
	TRY(audit_new(&config.audit, &audit, err));
	audit_free(audit);
	return RC_OK;
}
