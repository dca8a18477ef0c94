/* admission_limits: what the LimitRanges of a namespace set and allow, for Pods and
 * PersistentVolumeClaims.
 *
 * Threads: core.  Source: upstream's plugin/pkg/admission/limitranger. */
#ifndef SKEG_SERVER_ADMISSION_LIMITS_H
#define SKEG_SERVER_ADMISSION_LIMITS_H

#include "server/request.h"

/* Containers get the requests and limits that they do not say. */
enum step limits_default(struct request *r, const struct json *old, struct json *tree);
/* After validation: refuses what is below a minimum, above a maximum or a ratio. */
enum step limits_judge_pod(struct request *r, const struct json *old, struct json *tree);
enum step limits_judge_claim(struct request *r, const struct json *old, struct json *tree);

#endif
