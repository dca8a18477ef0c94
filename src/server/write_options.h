/* write_options: the rules of parameters of creates, updates, patches and deletes, in upstream's
 * words. */
#ifndef SKEG_SERVER_WRITE_OPTIONS_H
#define SKEG_SERVER_WRITE_OPTIONS_H

#include "server/request.h"

/* STEP_NEXT when they are fine. */
enum step write_options_check(struct request *r);
enum step delete_options_check(struct request *r, const struct json *body);

/* From a DeleteOptions into r->deletion. */
void delete_options_read(struct request *r, const struct json *tree);

#endif
