/* list_options: the rules of list and watch parameters, in upstream's words. */
#ifndef SKEG_SERVER_LIST_OPTIONS_H
#define SKEG_SERVER_LIST_OPTIONS_H

#include "server/request.h"

/* STEP_NEXT when they are fine. */
enum step list_options_check(struct request *r);
/* A resourceVersion that is no number. */
enum step bad_revision(struct request *r, enum rc rc);
/* A read that wants a state not older than a revision; STEP_NEXT when the snapshot is. */
enum step list_revision_check(struct request *r);
/* 504 for a state that is still to come. */
enum step too_large_revision(struct request *r, int64_t wanted);
/* GET of a subresource that is not the object itself (scale, approval …). */
enum step read_subresource(struct request *r, struct object *o);

#endif
