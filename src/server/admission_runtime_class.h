/* admission_runtime_class: a Pod takes overhead and placement of its RuntimeClass.
 * Threads: core.  Source: upstream's plugin/pkg/admission/runtimeclass. */
#ifndef SKEG_SERVER_ADMISSION_RUNTIME_CLASS_H
#define SKEG_SERVER_ADMISSION_RUNTIME_CLASS_H

#include "server/request.h"

enum step runtime_class_admit(struct request *r, const struct json *old, struct json *tree);
/* After validation: the overhead is the class's, or none. */
enum step runtime_class_judge(struct request *r, const struct json *old, struct json *tree);

#endif
