/* audit_policy: which requests are recorded, at which stages, with how much of them.
 *
 * The first rule that matches decides; a request that none matches is not recorded.
 * Owns: the rules.  Threads: a policy never changes; all calls safe.
 * Limits: AUDIT_POLICY_MAX_BYTES of text.  Errors: RC_INVALID naming the file's field.
 * Source: audit.k8s.io/v1 Policy of upstream v1.35. */
#ifndef SKEG_SERVER_AUDIT_POLICY_H
#define SKEG_SERVER_AUDIT_POLICY_H

#include "server/request.h"

#define AUDIT_POLICY_MAX_BYTES (1u << 20)

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE };
enum audit_stage { AUDIT_RECEIVED, AUDIT_STARTED, AUDIT_COMPLETE, AUDIT_PANIC };

extern const char *const audit_level_names[];
extern const char *const audit_stage_names[];

struct audit_decision {
	enum audit_level level;
	uint32_t omitted_stages; /* 1 << enum audit_stage */
	bool omits_managed_fields;
};

struct audit_policy;

/* YAML or JSON. */
[[nodiscard]] enum rc audit_policy_parse(struct str text, struct audit_policy **ret_policy,
					 struct err *err);
void audit_policy_free(struct audit_policy *policy);

struct audit_decision audit_policy_decide(const struct audit_policy *policy,
					  const struct request *r);

#endif
