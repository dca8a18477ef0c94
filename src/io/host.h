/* host: what this machine is called and where it is reached. */
#ifndef SKEG_IO_HOST_H
#define SKEG_IO_HOST_H

#include <stdbool.h>

#include "base/ipaddr.h"

/* The first global unicast address of an interface that is up, IPv4 before IPv6; false: there is
 * none. */
bool host_address(struct ipaddr *ret_addr);

#endif
