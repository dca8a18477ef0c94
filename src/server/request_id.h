/* request_id: the name of a request in replies (Audit-Id), audit log and log lines.
 * Owns: nothing outside its struct.  Threads: one stock a thread. */
#ifndef SKEG_SERVER_REQUEST_ID_H
#define SKEG_SERVER_REQUEST_ID_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define REQUEST_ID_MAX 64 /* bytes of one that the client brings, as upstream */

/* Random bytes in stock, so that the kernel is asked once for many ids.  Zeroed: empty. */
struct id_stock {
	uint8_t bytes[1024];
	uint32_t left;
};

/* The client's own id if it brings a fitting one, else a new UUID, in a. */
struct str request_id_make(struct id_stock *stock, struct arena *a, struct str brought);

#endif
