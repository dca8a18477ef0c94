#include "base/err.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *reason;
	int status;
} rc_table[] = {
#define X(code, reason, status) [RC_##code] = {reason, status},
	RC_LIST(X)
#undef X
};

const char *rc_reason(enum rc rc)
{
	return rc_table[rc].reason;
}

int rc_status(enum rc rc)
{
	return rc_table[rc].status;
}

static void cut_mark(char *text, int len)
{
	if (len >= ERR_TEXT_MAX)
		memcpy(text + ERR_TEXT_MAX - 4, "...", 4);
}

enum rc err_setv(struct err *err, enum rc rc, const char *fmt, va_list ap)
{
	if (!err)
		return rc;
	err->rc = rc;
	err->sys = 0;
	cut_mark(err->text, vsnprintf(err->text, sizeof(err->text), fmt, ap));
	return rc;
}

enum rc err_set(struct err *err, enum rc rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_setv(err, rc, fmt, ap);
	va_end(ap);
	return rc;
}

enum rc err_sys(struct err *err, enum rc rc, int sys, const char *fmt, ...)
{
	if (!err)
		return rc;
	va_list ap;
	va_start(ap, fmt);
	err_setv(err, rc, fmt, ap);
	va_end(ap);
	err->sys = sys;
	size_t len = strlen(err->text);
	int more = snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(sys));
	cut_mark(err->text, (int)len + more);
	return rc;
}

enum rc err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err)
		return RC_INTERNAL;
	char old[ERR_TEXT_MAX];
	memcpy(old, err->text, sizeof(old));
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (len < ERR_TEXT_MAX)
		len += snprintf(err->text + len, sizeof(err->text) - (size_t)len, ": %s", old);
	cut_mark(err->text, len);
	return err->rc;
}

void assert_failed(const char *expr, const char *file, int line)
{
	void *frames[48];
	fprintf(stderr, "skeg: assertion failed: %s (%s:%d)\n", expr, file, line);
	backtrace_symbols_fd(frames, backtrace(frames, 48), STDERR_FILENO);
	abort();
}
