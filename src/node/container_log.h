/* container_log: reads a container's log file as kubelet serves it.
 *
 * The file has the CRI's format, one entry a line:
 *
 *	2026-01-02T03:04:05.123456789+00:00 stdout F text
 *
 * F ends a line of the container; P is a part of one, and the next entry goes on with it.  Lines
 * that are none of this are left out.  When the file was renamed (rotation) and another one stands
 * in its place, reading goes on there after the end of the old one.
 *
 * Owns: its descriptor.  Threads: one at a time; every call but container_log_parse() blocks for
 * the disk.  Limits: CONTAINER_LOG_ENTRY_MAX bytes an entry, what is longer is left out.
 * Source: kubelet's pkg/kubelet/kuberuntime/logs and kubernetes/cri-client/pkg/logs. */
#ifndef SKEG_NODE_CONTAINER_LOG_H
#define SKEG_NODE_CONTAINER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CONTAINER_LOG_ENTRY_MAX	 (1u << 20)
#define CONTAINER_LOG_STEP_BYTES (64u << 10) /* read by one container_log_read() */

struct container_log_options {
	int64_t tail_lines;  /* entries at the end of the file that are wanted; -1: all */
	int64_t since_us;    /* earlier entries are left out; 0: none */
	int64_t limit_bytes; /* of what comes out; -1: no limit */
	bool has_timestamps; /* each line begins with its time and a space */
	bool is_follow;	     /* more may be written until container_log_finish() */
};

struct container_log_entry {
	struct str time;   /* as in the file */
	struct str stream; /* "stdout" or "stderr" */
	struct str text;   /* without the line's end */
	bool is_partial;
};

/* line is without its end; false: it is no entry. */
bool container_log_parse(struct str line, struct container_log_entry *ret_entry);

struct container_log;

/* RC_NOT_FOUND: there is no such file. */
[[nodiscard]] enum rc container_log_open(const char *path,
					 const struct container_log_options *options,
					 struct container_log **ret_log, struct err *err);
void container_log_free(struct container_log *log);
DEFINE_CLEANUP(struct container_log *, container_log_free)

enum container_log_state {
	CONTAINER_LOG_MORE,   /* read again at once */
	CONTAINER_LOG_AT_END, /* everything that is there has been read */
	CONTAINER_LOG_FULL,   /* limit_bytes or tail_lines: there will be no more */
};

/* Appends text to out, at most about CONTAINER_LOG_STEP_BYTES and an entry. */
[[nodiscard]] enum rc container_log_read(struct container_log *log, struct buf *out,
					 enum container_log_state *ret_state, struct err *err);

/* Nothing more will be written: an entry without an end, if there is one, is the last. */
void container_log_finish(struct container_log *log);

#endif
