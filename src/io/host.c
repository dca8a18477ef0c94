#include "io/host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

static bool read_address(const struct sockaddr *sa, struct ipaddr *ret_addr)
{
	char text[INET6_ADDRSTRLEN];
	const void *bytes = sa->sa_family == AF_INET
				    ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
				    : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
	return inet_ntop(sa->sa_family, bytes, text, sizeof(text)) &&
	       ipaddr_parse(str_of(text), ret_addr) && !ipaddr_is_loopback(*ret_addr) &&
	       !ipaddr_is_link_local(*ret_addr);
}

static bool find(const struct ifaddrs *list, int family, struct ipaddr *ret_addr)
{
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == family && (i->ifa_flags & IFF_UP) &&
		    !(i->ifa_flags & IFF_LOOPBACK) && read_address(i->ifa_addr, ret_addr))
			return true;
	return false;
}

bool host_address(struct ipaddr *ret_addr)
{
	struct ifaddrs *list;
	if (getifaddrs(&list) < 0)
		return false;
	bool is_found = find(list, AF_INET, ret_addr) || find(list, AF_INET6, ret_addr);
	freeifaddrs(list);
	return is_found;
}
