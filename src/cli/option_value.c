#include "cli/option_value.h"

#include <string.h>

#include "api/names.h"
#include "base/duration.h"
#include "base/ipaddr.h"

#define NODE_BITS_V4	24
#define NODE_BITS_V6	64
#define FAMILIES	2
#define SERVICES_FEWEST 8

bool value_is_level(const char *text)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0)
			return true;
	return false;
}

bool value_is_timeout(const char *text)
{
	int64_t timeout_ms;
	return duration_parse_ms(str_of(text), &timeout_ms) && timeout_ms > 0;
}

bool value_is_address(const char *text)
{
	struct ipaddr addr;
	return ipaddr_parse(str_of(text), &addr);
}

bool value_is_bind_address(const char *text)
{
	return text[0] == '\0' || value_is_address(text);
}

bool value_is_pod_cidrs(const char *text)
{
	struct str rest = str_of(text), one;
	size_t counts[FAMILIES] = {};
	do {
		struct ipnet net;
		str_cut(rest, ',', &one, &rest);
		if (!ipnet_parse(one, &net))
			return false;
		bool is_v6 = net.addr.family == IP_V6;
		if (net.prefix_bits > (is_v6 ? NODE_BITS_V6 : NODE_BITS_V4) || ++counts[is_v6] > 1)
			return false;
	} while (rest.at);
	return true;
}

bool value_is_service_cidr(const char *text)
{
	struct ipnet net;
	return ipnet_parse(str_of(text), &net) && ipnet_size(net) >= SERVICES_FEWEST;
}

bool value_is_domain(const char *text)
{
	return name_is(NAME_DNS_SUBDOMAIN, str_of(text));
}

bool value_is_certificate_name(const char *text)
{
	return value_is_domain(text) || value_is_address(text) ||
	       name_is(NAME_WILDCARD_SUBDOMAIN, str_of(text));
}

bool value_is_label(const char *text)
{
	struct str key, value;
	return str_cut(str_of(text), '=', &key, &value) && name_is(NAME_QUALIFIED, key) &&
	       name_is(NAME_LABEL_VALUE, value);
}
