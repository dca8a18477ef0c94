/* option_value: what values of options may be, so that a wrong one is told before anything starts.
 * Pure functions; each goes with the words that say what it wants. */
#ifndef SKEG_CLI_OPTION_VALUE_H
#define SKEG_CLI_OPTION_VALUE_H

#include <stdbool.h>

#define PORT_MOST	     65535
#define SIMULATED_NODES_MOST 10000

#define LEVEL_WANTED "debug, info, warn or error"
bool value_is_level(const char *text);

#define TIMEOUT_WANTED "a duration above 0, like 60s or 1m30s"
bool value_is_timeout(const char *text);

#define ADDRESS_WANTED "an IPv4 or IPv6 address"
bool value_is_address(const char *text);
bool value_is_bind_address(const char *text); /* "": all of them */

#define POD_CIDR_WANTED                                                                            \
	"a prefix with room for nodes, like 10.42.0.0/16 (a node gets a /24 or /64), or two of "   \
	"both families with ',' between"
bool value_is_pod_cidrs(const char *text);

#define SERVICE_CIDR_WANTED "a prefix of at least 8 addresses, like 10.43.0.0/16"
bool value_is_service_cidr(const char *text);

#define DOMAIN_WANTED "a domain in lower case, like cluster.local"
bool value_is_domain(const char *text);

#define CERTIFICATE_NAME_WANTED "a DNS name (also *.example.com) or an IP address"
bool value_is_certificate_name(const char *text);

#define LABEL_WANTED "a label like node-type=application"
bool value_is_label(const char *text);

#endif
