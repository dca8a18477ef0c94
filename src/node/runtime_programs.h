/* runtime_programs: where the programs of the host are that a node starts, and what Debian package
 * has a missing one.  Threads: any.  Errors: RC_UNAVAILABLE naming package and remedy. */
#ifndef SKEG_NODE_RUNTIME_PROGRAMS_H
#define SKEG_NODE_RUNTIME_PROGRAMS_H

#include <stddef.h>

#include "base/err.h"

#define PROGRAM_PATH_MAX 256

/* Absolute path, looked up in the usual folders whatever PATH says; CNI plugins ("bridge") in
 * theirs. The error is "runc (Debian package runc) is not installed: apt install runc". */
[[nodiscard]] enum rc program_find(const char *name, char ret_path[PROGRAM_PATH_MAX],
				   struct err *err);

/* RC_OK when every program a node needs is there, or one error that names all that are missing. */
[[nodiscard]] enum rc programs_check(struct err *err);

#endif
