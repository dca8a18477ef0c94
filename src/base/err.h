/* err: result codes and error values.
 *
 * A fallible function returns enum rc and takes a struct err * last (NULL allowed).  The error is
 * set once where it is detected, wrapped on the way up, and logged or sent once at the top.  struct
 * err lives on the caller's stack; no error path allocates.
 *
 * RC_LIST maps one to one to the reason and HTTP status of the Kubernetes API
 * (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). */
#ifndef SKEG_BASE_ERR_H
#define SKEG_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* code, API reason, HTTP status */
#define RC_LIST(X)                                                                                 \
	X(OK, "", 200)                                                                             \
	X(BAD_REQUEST, "BadRequest", 400)                                                          \
	X(UNAUTHORIZED, "Unauthorized", 401)                                                       \
	X(FORBIDDEN, "Forbidden", 403)                                                             \
	X(NOT_FOUND, "NotFound", 404)                                                              \
	X(METHOD_NOT_ALLOWED, "MethodNotAllowed", 405)                                             \
	X(NOT_ACCEPTABLE, "NotAcceptable", 406)                                                    \
	X(ALREADY_EXISTS, "AlreadyExists", 409)                                                    \
	X(CONFLICT, "Conflict", 409)                                                               \
	X(GONE, "Gone", 410)                                                                       \
	X(EXPIRED, "Expired", 410)                                                                 \
	X(TOO_LARGE, "RequestEntityTooLarge", 413)                                                 \
	X(UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", 415)                                     \
	X(INVALID, "Invalid", 422)                                                                 \
	X(TOO_MANY_REQUESTS, "TooManyRequests", 429)                                               \
	X(INTERNAL, "InternalError", 500)                                                          \
	X(IO, "InternalError", 500)                                                                \
	X(SERVER_TIMEOUT, "ServerTimeout", 500)                                                    \
	X(UNAVAILABLE, "ServiceUnavailable", 503)                                                  \
	X(TIMEOUT, "Timeout", 504)

enum rc {
#define X(code, reason, status) RC_##code,
	RC_LIST(X)
#undef X
};

const char *rc_reason(enum rc rc); /* "" for RC_OK */
int rc_status(enum rc rc);

#define ERR_TEXT_MAX 1024

struct err {
	enum rc rc;
	int sys;		 /* errno where the cause was a system call, else 0 */
	char text[ERR_TEXT_MAX]; /* cut with "..." when longer */
};

/* Set a fresh error; returns rc so that callers can `return err_set(...)`. */
[[gnu::format(printf, 3, 4)]] enum rc err_set(struct err *err, enum rc rc, const char *fmt, ...);
enum rc err_setv(struct err *err, enum rc rc, const char *fmt, va_list ap);

/* The same for a failed system call: appends ": <strerror(sys)>". */
[[gnu::format(printf, 4, 5)]] enum rc err_sys(struct err *err, enum rc rc, int sys, const char *fmt,
					      ...);

/* Prefix "<text>: " to an error that is set; returns its rc. */
[[gnu::format(printf, 2, 3)]] enum rc err_wrap(struct err *err, const char *fmt, ...);

/* Forward a code together with its error only when it is not RC_OK. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		enum rc _rc = (expr);                                                              \
		if (_rc != RC_OK)                                                                  \
			return _rc;                                                                \
	} while (0)

/* Assertions are for our own bugs only and stay on in release builds: prints a backtrace, aborts.
 */
[[gnu::noreturn]] void assert_failed(const char *expr, const char *file, int line);
#define ASSERT(expr)                                                                               \
	do {                                                                                       \
		if (__builtin_expect(!(expr), 0))                                                  \
			assert_failed(#expr, __FILE__, __LINE__);                                  \
	} while (0)

#endif
