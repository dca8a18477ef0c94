/* api_error: refusals of an API server in the words kubectl uses for them.  Pure functions. */
#ifndef SKEG_CLIENT_API_ERROR_H
#define SKEG_CLIENT_API_ERROR_H

#include "base/err.h"
#include "codec/json.h"

#define API_ERROR_PREFIX "Error from server"

/* status: the reply's body as a tree, a Status or (behind a proxy) anything, NULL when it is no
 * JSON. Sets err and returns its code, never RC_OK. */
enum rc api_error_set(struct err *err, int http_status, const struct json *status);
/* "Error from server (Reason): text" is cut after its reason; false of other errors. */
bool api_error_cut(struct str text, struct str *ret_head, struct str *ret_rest);

#endif
