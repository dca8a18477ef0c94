/* mem: allocation that aborts on exhaustion, cleanup attributes, ownership macros.
 * Small fixed sizes abort on OOM; a size that comes from outside must pass a stated
 * limit before it gets here.  Threads: all calls safe. */
#ifndef SKEG_BASE_MEM_H
#define SKEG_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether a sanitizer watches what is freed: then nothing is kept for reuse. */
#ifdef __has_feature
#define MEM_IS_WATCHED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define MEM_IS_WATCHED 1
#else
#define MEM_IS_WATCHED 0
#endif

/* Never return NULL: print a message and abort. */
[[nodiscard]] void *mem_alloc(size_t size_bytes);		/* zeroed */
[[nodiscard]] void *mem_resize(void *own_p, size_t size_bytes); /* tail not zeroed */
[[nodiscard]] char *mem_strdup(const char *s);
[[nodiscard]] char *mem_strndup(const char *s, size_t len);
[[nodiscard, gnu::format(printf, 1, 2)]] char *mem_printf(const char *fmt, ...);

void mem_trim(void); /* gives back to the system what malloc keeps; takes milliseconds */

#define NEW(type) ((type *)mem_alloc(sizeof(type)))

/* Run fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Move a pointer or descriptor out of a variable with cleanup. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) *_slot = &(p);                                                           \
		typeof(p) _taken = *_slot;                                                         \
		*_slot = NULL;                                                                     \
		_taken;                                                                            \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_slot = &(fd);                                                                \
		int _taken = *_slot;                                                               \
		*_slot = -1;                                                                       \
		_taken;                                                                            \
	})

/* Define name_p() for CLEANUP() from a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##_p(type *slot)                                                      \
	{                                                                                          \
		if (*slot)                                                                         \
			fn(*slot);                                                                 \
	}

static inline void free_p(void *slot)
{
	free(*(void **)slot);
}

static inline void close_fd_p(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void close_file_p(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define ARRAY_LEN(a)			(sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
/* Arguments without side effects only. (sys/param.h has them too.) */
#undef MIN
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
