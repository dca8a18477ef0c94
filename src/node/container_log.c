#include "node/container_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/timefmt.h"

#define TAIL_BLOCK_BYTES 8192
#define FRACTION_DIGITS	 9

struct container_log {
	int fd;
	char *path;
	struct container_log_options options;
	struct buf pending;    /* the beginning of an entry */
	int64_t lines_left;    /* -1: no limit */
	int64_t bytes_left;    /* -1: no limit */
	bool is_final;	       /* nothing more will be written */
	bool is_dropping;      /* until the end of an entry that is too long */
	bool is_inside_a_line; /* the last entry was a part */
};

/* ---- entries ---- */

bool container_log_parse(struct str line, struct container_log_entry *ret_entry)
{
	struct str time, stream, tags, text, tag;
	if (!str_cut(line, ' ', &time, &line) || !str_cut(line, ' ', &stream, &line))
		return false;
	if (!str_is(stream, "stdout") && !str_is(stream, "stderr"))
		return false;
	if (!str_cut(line, ' ', &tags, &text))
		text = str_n("", 0);
	str_cut(tags, ':', &tag, &(struct str){});
	if (time.len == 0 || time.len >= TIME_TEXT_MAX * 2 ||
	    (!str_is(tag, "F") && !str_is(tag, "P")))
		return false;
	*ret_entry = (struct container_log_entry){time, stream, text, str_is(tag, "P")};
	return true;
}

/* Go's RFC3339NanoFixed: always nine digits of fraction, UTC as Z. */
static void add_time(struct buf *out, struct str time)
{
	size_t at = MIN(time.len, sizeof("2006-01-02T15:04:05") - 1);
	size_t digits = 0;
	buf_add(out, time.at, at);
	buf_add_char(out, '.');
	if (at < time.len && time.at[at] == '.')
		at++;
	while (at < time.len && time.at[at] >= '0' && time.at[at] <= '9') {
		if (digits++ < FRACTION_DIGITS)
			buf_add_char(out, time.at[at]);
		at++;
	}
	for (; digits < FRACTION_DIGITS; digits++)
		buf_add_char(out, '0');
	struct str zone = str_skip(time, at);
	buf_add_str(out, str_is(zone, "+00:00") ? STR("Z") : zone);
}

static bool is_too_early(const struct container_log *log, struct str time)
{
	int64_t time_us;
	return log->options.since_us && time_parse(time, &time_us) &&
	       time_us < log->options.since_us;
}

static void limit_output(struct container_log *log, struct buf *out, size_t len_before)
{
	if (log->bytes_left < 0)
		return;
	size_t added = out->len - len_before;
	size_t kept = MIN(added, (size_t)log->bytes_left);
	buf_cut(out, len_before + kept);
	log->bytes_left -= (int64_t)kept;
}

static bool is_full(const struct container_log *log)
{
	return log->bytes_left == 0 || log->lines_left == 0;
}

static void add_entry(struct container_log *log, struct buf *out, struct str line, bool has_end)
{
	struct container_log_entry e;
	size_t len_before = out->len;
	if (is_full(log) || !container_log_parse(line, &e))
		return;
	if (!is_too_early(log, e.time)) {
		if (log->options.has_timestamps && !log->is_inside_a_line) {
			add_time(out, e.time);
			buf_add_char(out, ' ');
		}
		buf_add_str(out, e.text);
		if (has_end && !e.is_partial)
			buf_add_char(out, '\n');
		limit_output(log, out, len_before);
	}
	if (log->lines_left > 0)
		log->lines_left--;
	log->is_inside_a_line = e.is_partial;
}

static void take_entries(struct container_log *log, struct buf *out)
{
	struct str rest = buf_str(&log->pending), line, tail;
	while (str_cut(rest, '\n', &line, &tail)) {
		if (!log->is_dropping)
			add_entry(log, out, line, true);
		log->is_dropping = false;
		rest = tail;
	}
	buf_consume(&log->pending, log->pending.len - rest.len);
	if (log->pending.len > CONTAINER_LOG_ENTRY_MAX || log->is_dropping) {
		log->is_dropping = true;
		buf_reset(&log->pending);
	}
}

/* ---- the file ---- */

static enum rc open_file(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno, "open log '%s'",
			       path);
	*ret_fd = fd;
	return RC_OK;
}

/* Counts newlines in len bytes backwards; the offset behind the last one wanted, or -1. */
static ssize_t find_start(const char *bytes, size_t len, int64_t *newlines_left)
{
	for (size_t i = len; i-- > 0;)
		if (bytes[i] == '\n' && (*newlines_left)-- == 0)
			return (ssize_t)i + 1;
	return -1;
}

/* Where the last `lines` entries begin. */
static enum rc seek_tail(struct container_log *log, int64_t lines, struct err *err)
{
	char block[TAIL_BLOCK_BYTES];
	int64_t newlines_left = lines;
	off_t end = lseek(log->fd, 0, SEEK_END);
	bool is_last = true;
	while (end > 0 && lines > 0) {
		off_t begin = end > TAIL_BLOCK_BYTES ? end - TAIL_BLOCK_BYTES : 0;
		ssize_t len = pread(log->fd, block, (size_t)(end - begin), begin);
		if (len <= 0)
			return err_sys(err, RC_IO, errno, "read log '%s'", log->path);
		if (is_last && block[len - 1] != '\n')
			newlines_left--; /* an entry without its end counts as well */
		is_last = false;
		ssize_t start = find_start(block, (size_t)len, &newlines_left);
		end = start >= 0 ? begin + start : begin;
		if (start >= 0)
			break;
	}
	if (lseek(log->fd, end, SEEK_SET) < 0)
		return err_sys(err, RC_IO, errno, "seek in log '%s'", log->path);
	return RC_OK;
}

enum rc container_log_open(const char *path, const struct container_log_options *options,
			   struct container_log **ret_log, struct err *err)
{
	CLEANUP(container_log_free_p) struct container_log *log = NEW(struct container_log);
	log->fd = -1;
	log->path = mem_strdup(path);
	log->options = *options;
	log->pending.max_bytes = CONTAINER_LOG_ENTRY_MAX + 2 * CONTAINER_LOG_STEP_BYTES;
	log->bytes_left = options->limit_bytes;
	log->lines_left = options->is_follow ? -1 : options->tail_lines;
	log->is_final = !options->is_follow;
	TRY(open_file(path, &log->fd, err));
	if (options->tail_lines >= 0)
		TRY(seek_tail(log, options->tail_lines, err));
	*ret_log = TAKE_PTR(log);
	return RC_OK;
}

void container_log_free(struct container_log *log)
{
	if (!log)
		return;
	close_fd_p(&log->fd);
	buf_done(&log->pending);
	free(log->path);
	free(log);
}

void container_log_finish(struct container_log *log)
{
	log->is_final = true;
}

static ssize_t read_some(struct container_log *log)
{
	char *room = buf_reserve(&log->pending, CONTAINER_LOG_STEP_BYTES);
	ssize_t got;
	ASSERT(room); /* pending is cut to less than its maximum after every step */
	do
		got = read(log->fd, room, CONTAINER_LOG_STEP_BYTES);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		buf_grew(&log->pending, (size_t)got);
	return got;
}

/* Another file in place of ours: whoever writes has closed ours before it made that one, so what is
 * in ours now is all of it. */
static bool open_next(struct container_log *log, int *ret_fd)
{
	struct stat ours, there;
	if (!log->options.is_follow || fstat(log->fd, &ours) < 0 || stat(log->path, &there) < 0)
		return false;
	if (ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
		return false;
	return open_file(log->path, ret_fd, NULL) == RC_OK;
}

static enum rc read_failed(const struct container_log *log, struct err *err)
{
	return err_sys(err, RC_IO, errno, "read log '%s'", log->path);
}

/* At the end of the file: go on with the next one or finish. */
static enum rc reach_end(struct container_log *log, struct buf *out,
			 enum container_log_state *ret_state, struct err *err)
{
	CLEANUP(close_fd_p) int next = -1;
	*ret_state = CONTAINER_LOG_AT_END;
	if (open_next(log, &next)) {
		*ret_state = CONTAINER_LOG_MORE;
		ssize_t got = read_some(log); /* came between our end and the next file */
		if (got < 0)
			return read_failed(log, err);
		take_entries(log, out);
		if (got > 0)
			return RC_OK;
		close(log->fd);
		log->fd = TAKE_FD(next);
		return RC_OK;
	}
	if (log->is_final && log->pending.len > 0) {
		add_entry(log, out, buf_str(&log->pending), false);
		buf_reset(&log->pending);
	}
	return RC_OK;
}

enum rc container_log_read(struct container_log *log, struct buf *out,
			   enum container_log_state *ret_state, struct err *err)
{
	enum container_log_state state = CONTAINER_LOG_MORE;
	if (!is_full(log)) {
		ssize_t got = read_some(log);
		if (got < 0)
			return read_failed(log, err);
		if (got == 0)
			TRY(reach_end(log, out, &state, err));
		else
			take_entries(log, out);
	}
	*ret_state = is_full(log) ? CONTAINER_LOG_FULL : state;
	return RC_OK;
}
