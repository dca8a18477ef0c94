/* log: one line an event on standard error, logfmt or JSON.
 * Threads: all calls safe.  Secrets are never passed in.  Errors of writing are ignored. */
#ifndef SKEG_BASE_LOG_H
#define SKEG_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_setup(enum log_level least, bool is_json);
/* "debug", "info", "warn", "error"; anything else is info. */
void log_setup_name(const char *least);
bool log_is_on(enum log_level level);

/* area is the layer or module that speaks ("store", "node"); fmt is one sentence without a newline.
 */
[[gnu::format(printf, 3, 4)]] void log_at(enum log_level level, const char *area, const char *fmt,
					  ...);

#define log_debug(area, ...)                                                                       \
	do {                                                                                       \
		if (log_is_on(LOG_LEVEL_DEBUG))                                                    \
			log_at(LOG_LEVEL_DEBUG, area, __VA_ARGS__);                                \
	} while (0)
#define log_info(area, ...)  log_at(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_at(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_at(LOG_LEVEL_ERROR, area, __VA_ARGS__)

#endif
