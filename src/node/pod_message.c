#include "node/pod_message.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "node/agent-int.h"
#include "node/log_line.h"
#include "node/pod_paths.h"

#define FALLBACK_LINES 80
#define FALLBACK_BYTES 2048
#define LOG_TAIL_BYTES (64 << 10)

/* At most max bytes, of the end when from_end. */
static char *read_part(const char *path, size_t max, bool from_end, size_t *ret_len)
{
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (size <= 0)
		return NULL;
	off_t at = from_end && size > (off_t)max ? size - (off_t)max : 0;
	char *bytes = mem_alloc(max + 1);
	ssize_t n = pread(fd, bytes, max, at);
	*ret_len = n > 0 ? (size_t)n : 0;
	bytes[*ret_len] = '\0';
	return bytes;
}

static char *fallback(const struct pod_container *c)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(FALLBACK_BYTES + 1);
	size_t len = 0;
	CLEANUP(free_p)
	char *text = read_part(container_log_path(&a, c, c->attempt), LOG_TAIL_BYTES, true, &len);
	if (!text)
		return NULL;
	log_tail_text(&out, str_n(text, len), FALLBACK_LINES, FALLBACK_BYTES);
	return out.len ? buf_take(&out) : NULL;
}

char *pod_message_read(const struct pod_container *c, int exit_code)
{
	CLEANUP_ARENA a = {};
	size_t len = 0;
	if (c->worker->agent->config.is_simulated)
		return NULL;
	char *text = read_part(container_message_path(&a, c, c->attempt),
			       RUNTIME_TERMINATION_MESSAGE_MAX, false, &len);
	if (text && len && utf8_is_valid(str_n(text, len)))
		return text;
	free(text);
	bool falls_back = str_is(c->spec->termination_message_policy, "FallbackToLogsOnError");
	if (!falls_back || exit_code == 0)
		return NULL;
	text = fallback(c);
	if (text && !utf8_is_valid(str_of(text)))
		free(TAKE_PTR(text));
	return text;
}

int signal_number(struct str name)
{
	int64_t number;
	if (str_to_i64(name, &number))
		return number > 0 && number < NSIG ? (int)number : 0;
	if (str_has_prefix(name, STR("SIG")))
		name = str_skip(name, 3);
	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);
		if (known && str_is(name, known))
			return i;
	}
	if (str_has_prefix(name, STR("RTMIN+")) && str_to_i64(str_skip(name, 6), &number) &&
	    number >= 0 && number <= SIGRTMAX - SIGRTMIN)
		return SIGRTMIN + (int)number;
	return 0;
}
