#include "client/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "io/loop.h"

static int64_t started_ms;

static double elapsed_s(void)
{
	if (!started_ms)
		started_ms = world_mono_ms();
	return (double)(world_mono_ms() - started_ms) / 1000;
}

static void line(const char *color, const char *mark, const char *fmt, va_list ap)
{
	bool has_color = isatty(STDERR_FILENO);
	fprintf(stderr, "%s%s%s ", has_color ? color : "", mark, has_color ? "\033[0m" : "");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, " (%.1f s)\n", elapsed_s());
}

void progress_step(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("\033[36m", "•", fmt, ap);
	va_end(ap);
}

void progress_done(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("\033[32m", "✓", fmt, ap);
	va_end(ap);
}

void progress_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line("\033[33m", "!", fmt, ap);
	va_end(ap);
}
