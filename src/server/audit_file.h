/* audit_file: a log file that is closed and renamed when it is full.
 *
 * A full file `audit.log` becomes `audit-2006-01-02T15-04-05.000.log`; the oldest of those go.
 * Owns: the descriptor.  Threads: one at a time; blocking.  Errors: RC_IO and as file.h. */
#ifndef SKEG_SERVER_AUDIT_FILE_H
#define SKEG_SERVER_AUDIT_FILE_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct audit_file {
	const char *path;    /* "-": standard output, never renamed */
	int64_t bytes_max;   /* 0: no limit */
	int64_t backups_max; /* 0: no limit */
	int64_t age_max_us;  /* of closed files; 0: no limit */
	int fd;		     /* -1: closed */
	int64_t bytes;
};

[[nodiscard]] enum rc audit_file_open(struct audit_file *f, struct err *err);
/* Whole lines. */
[[nodiscard]] enum rc audit_file_write(struct audit_file *f, struct str lines, struct err *err);
void audit_file_close(struct audit_file *f);

#endif
