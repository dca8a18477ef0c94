/* admission of certificate signing requests: who asks, who may approve, who may sign.
 * Threads: core.  Source: upstream's plugins CertificateApproval, CertificateSigning and
 * CertificateSubjectRestriction, and the strategy of the kind. */
#ifndef SKEG_SERVER_ADMISSION_CERTIFICATES_H
#define SKEG_SERVER_ADMISSION_CERTIFICATES_H

#include "server/request.h"

enum step certificate_subject_restriction(struct request *r, const struct json *old,
					  struct json *tree);
enum step certificate_approval(struct request *r, const struct json *old, struct json *tree);
enum step certificate_signing(struct request *r, const struct json *old, struct json *tree);

/* Writes the asker's identity into the spec of a new request: what the client says of it is
 * dropped, for approvers trust it. */
void certificate_stamp(struct request *r, struct json *tree);

#endif
