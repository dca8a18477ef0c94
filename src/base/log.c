#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static struct {
	enum log_level least;
	bool is_json;
} settings = {LOG_LEVEL_INFO, false};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, bool is_json)
{
	settings.least = least;
	settings.is_json = is_json;
}

void log_setup_name(const char *least)
{
	enum log_level level = LOG_LEVEL_INFO;
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(least, level_names[i]) == 0)
			level = (enum log_level)i;
	log_setup(level, settings.is_json);
}

bool log_is_on(enum log_level level)
{
	return level >= settings.least;
}

/* Quotes as JSON does, which logfmt readers accept too; returns the new end. */
static char *quote(char *p, char *end, const char *text)
{
	*p++ = '"';
	for (; *text && p < end - 8; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c < 0x20) {
			p += snprintf(p, 7, "\\u%04x", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	return p;
}

static size_t format_stamp(char *out, size_t size)
{
	struct timespec now;
	struct tm parts;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts);
	return len + (size_t)snprintf(out + len, size - len, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_at(enum log_level level, const char *area, const char *fmt, ...)
{
	if (!log_is_on(level))
		return;
	char text[LINE_MAX_BYTES / 2], stamp[40], line[LINE_MAX_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	format_stamp(stamp, sizeof(stamp));
	const char *shape = settings.is_json
				    ? "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"msg\":"
				    : "time=%s level=%s area=%s msg=";
	char *p = line + snprintf(line, sizeof(line), shape, stamp, level_names[level], area);
	p = quote(p, line + sizeof(line) - 4, text);
	if (settings.is_json)
		*p++ = '}';
	*p++ = '\n';
	if (write(STDERR_FILENO, line, (size_t)(p - line)) < 0)
		return; /* nobody is left to tell */
}
