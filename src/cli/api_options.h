/* api_options: what the API server can be told about authentication, tokens, certificates and
 * audit; one table for `skeg control`, `skeg server`, `skeg up` and the configuration file. */
#ifndef SKEG_CLI_API_OPTIONS_H
#define SKEG_CLI_API_OPTIONS_H

#include "client/command.h"
#include "server/server.h"

struct api_options {
	struct request_header_options request_headers;
	struct oidc_options oidc; /* but for required_claims */
	const char *authentication_config, *jwks_uri, *max_token_life, *signing_life;
	const char *request_timeout;
	int64_t min_request_timeout_s;
	const char *audit_policy, *audit_log, *audit_webhook;
	int64_t audit_max_mib, audit_max_backups, audit_max_days;
	struct text_list required_claims, issuers, audiences;
	bool allows_anonymous, extends_tokens, has_sandbox; /* the last for the process itself */
};

#define API_OPTIONS_DEFAULTS                                                                       \
	{                                                                                          \
		.request_headers = {.username_headers = "X-Remote-User",                           \
				    .uid_headers = "X-Remote-Uid",                                 \
				    .group_headers = "X-Remote-Group",                             \
				    .extra_prefixes = "X-Remote-Extra-"},                          \
		.audit_max_mib = 100, .allows_anonymous = true, .extends_tokens = true,            \
		.has_sandbox = true, .signing_life = "8760h", .request_timeout = "1m0s",           \
		.min_request_timeout_s = 1800,                                                     \
	}

extern const struct option_set api_option_set;

/* Fills authentication, tokens, certificates and audit of a configuration; what it points to lives
 * as long as options and arena. */
[[nodiscard]] enum rc api_options_apply(const struct api_options *options, struct arena *a,
					struct server_config *config, struct err *err);
/* Would a server start with them?  Before processes are started that would fail again and again. */
[[nodiscard]] enum rc api_options_check(const struct api_options *options, struct err *err);

#endif
