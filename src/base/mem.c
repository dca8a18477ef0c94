#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <string.h>

[[gnu::noreturn]] static void out_of_memory(size_t size_bytes)
{
	fprintf(stderr, "skeg: out of memory: %zu bytes\n", size_bytes);
	abort();
}

void *mem_alloc(size_t size_bytes)
{
	void *p = calloc(1, size_bytes ? size_bytes : 1);
	if (!p)
		out_of_memory(size_bytes);
	return p;
}

void *mem_resize(void *own_p, size_t size_bytes)
{
	void *p = realloc(own_p, size_bytes ? size_bytes : 1);
	if (!p)
		out_of_memory(size_bytes);
	return p;
}

char *mem_strndup(const char *s, size_t len)
{
	char *copy = mem_alloc(len + 1);
	memcpy(copy, s, len);
	return copy;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		out_of_memory(0);
	return text;
}

void mem_trim(void)
{
	malloc_trim(0);
}
