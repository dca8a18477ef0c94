/* copy_archive: files of this machine as a tar, and a tar as files of this machine, for `skeg cp`.
 *
 * What comes out of a container is hostile until proven otherwise: every name is taken apart and
 * opened beneath the destination without following symlinks, ".." and links are left out with a
 * warning, and only files and folders are made.  Kept of a file: its bytes and rwx bits, less those
 * of the umask.
 * Threads: any; blocking.  Limits: COPY_DEPTH_MAX folders in folders.
 * Source: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (ustar). */
#ifndef SKEG_CLIENT_COPY_ARCHIVE_H
#define SKEG_CLIENT_COPY_ARCHIVE_H

#include "base/err.h"
#include "base/str.h"

#define COPY_DEPTH_MAX 256

/* Writes the file or folder at path to fd; in the archive it is called name.  Symlinks stay
 * symlinks; sockets and devices are left out. */
[[nodiscard]] enum rc copy_pack(int fd, const char *path, const char *name, struct err *err);

/* Reads an archive from fd: all its names begin with prefix ("var/log"), which becomes path.  Into
 * a folder that exists already go the entries below prefix, or the one file that it is.
 * *ret_count: files and folders that were made. */
[[nodiscard]] enum rc copy_unpack(int fd, struct str prefix, const char *path, size_t *ret_count,
				  struct err *err);

#endif
