/* admission_storage: claims get the default StorageClass, and grow only where their class allows.
 * Threads: core.  Source: upstream's plugin/pkg/admission/storage. */
#ifndef SKEG_SERVER_ADMISSION_STORAGE_H
#define SKEG_SERVER_ADMISSION_STORAGE_H

#include "server/request.h"

enum step default_storage_class(struct request *r, const struct json *old, struct json *tree);
/* After validation of an update. */
enum step claim_resize(struct request *r, const struct json *old, struct json *tree);

#endif
