#include "base/ipaddr.h"

#include <arpa/inet.h>
#include <stdio.h>

static size_t family_bytes(unsigned family)
{
	return ip_family_bits(family) / 8;
}

struct ipaddr ipaddr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ipaddr){.family = IP_V4, .bytes = {a, b, c, d}};
}

/* Decimal without sign or leading zero, at most max. */
static bool parse_decimal(struct str text, unsigned max, unsigned *ret_value)
{
	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.at[0] == '0'))
		return false;
	unsigned value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.at[i] - '0');
	}
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

static bool parse_v4(struct str text, uint8_t ret_bytes[4])
{
	for (int i = 0; i < 4; i++) {
		struct str part, rest;
		bool has_dot = str_cut(text, '.', &part, &rest);
		unsigned value;
		if (has_dot != (i < 3) || !parse_decimal(part, 255, &value))
			return false;
		ret_bytes[i] = (uint8_t)value;
		text = rest;
	}
	return true;
}

/* inet_pton is as strict as netip but for leading zeros in an embedded IPv4 address. */
static bool parse_v6(struct str text, uint8_t ret_bytes[16])
{
	char copy[IPADDR_TEXT_MAX];
	if (text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	struct str head, tail;
	uint8_t embedded[4];
	if (memchr(text.at, '.', text.len) && str_cut_last(text, ':', &head, &tail) &&
	    !parse_v4(tail, embedded))
		return false;
	return inet_pton(AF_INET6, copy, ret_bytes) == 1;
}

bool ipaddr_parse(struct str text, struct ipaddr *ret_addr)
{
	struct ipaddr addr = {};
	if (!text.at)
		return false;
	bool is_v6 = memchr(text.at, ':', text.len) != NULL;
	if (is_v6 ? !parse_v6(text, addr.bytes) : !parse_v4(text, addr.bytes))
		return false;
	addr.family = is_v6 ? IP_V6 : IP_V4;
	*ret_addr = addr;
	return true;
}

static bool is_mapped(const uint8_t bytes[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

bool ipaddr_unmap(struct ipaddr *addr)
{
	if (addr->family != IP_V6 || !is_mapped(addr->bytes))
		return false;
	*addr = ipaddr_v4(addr->bytes[12], addr->bytes[13], addr->bytes[14], addr->bytes[15]);
	return true;
}

static unsigned group_of(const uint8_t bytes[16], int index)
{
	return (unsigned)bytes[index * 2] << 8 | bytes[index * 2 + 1];
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952 §4.2). */
static void find_zero_run(const uint8_t bytes[16], int *ret_start, int *ret_end)
{
	*ret_start = *ret_end = -1;
	for (int i = 0; i < 8; i++) {
		int end = i;
		while (end < 8 && group_of(bytes, end) == 0)
			end++;
		if (end - i >= 2 && end - i > *ret_end - *ret_start) {
			*ret_start = i;
			*ret_end = end;
		}
		if (end > i)
			i = end;
	}
}

/* Not inet_ntop, which writes ::1.2.3.4 for what RFC 5952 and netip write as ::102:304. */
static size_t format_v6(const uint8_t bytes[16], char out[IPADDR_TEXT_MAX])
{
	if (is_mapped(bytes))
		return (size_t)snprintf(out, IPADDR_TEXT_MAX, "::ffff:%u.%u.%u.%u", bytes[12],
					bytes[13], bytes[14], bytes[15]);
	int zero_start, zero_end;
	find_zero_run(bytes, &zero_start, &zero_end);
	size_t len = 0;
	for (int i = 0; i < 8; i++) {
		if (i == zero_start) {
			len += (size_t)snprintf(out + len, IPADDR_TEXT_MAX - len, "::");
			i = zero_end - 1;
			continue;
		}
		const char *colon = i > 0 && i != zero_end ? ":" : "";
		len += (size_t)snprintf(out + len, IPADDR_TEXT_MAX - len, "%s%x", colon,
					group_of(bytes, i));
	}
	return len;
}

size_t ipaddr_format(struct ipaddr addr, char out[IPADDR_TEXT_MAX])
{
	const uint8_t *b = addr.bytes;
	out[0] = 0;
	if (addr.family == IP_V4)
		return (size_t)snprintf(out, IPADDR_TEXT_MAX, "%u.%u.%u.%u", b[0], b[1], b[2],
					b[3]);
	return addr.family == IP_V6 ? format_v6(b, out) : 0;
}

int ipaddr_cmp(struct ipaddr a, struct ipaddr b)
{
	if (a.family != b.family)
		return a.family < b.family ? -1 : 1;
	return memcmp(a.bytes, b.bytes, family_bytes(a.family));
}

bool ipaddr_is_unspecified(struct ipaddr addr)
{
	static const uint8_t zero[16];
	return addr.family != IP_NONE && memcmp(addr.bytes, zero, sizeof(zero)) == 0;
}

bool ipaddr_is_loopback(struct ipaddr addr)
{
	static const uint8_t one[16] = {[15] = 1};
	if (addr.family == IP_V4)
		return addr.bytes[0] == 127;
	return addr.family == IP_V6 && memcmp(addr.bytes, one, sizeof(one)) == 0;
}

bool ipaddr_is_link_local(struct ipaddr addr)
{
	const uint8_t *b = addr.bytes;
	if (addr.family == IP_V4)
		return b[0] == 169 && b[1] == 254;
	return addr.family == IP_V6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

bool ipaddr_is_multicast(struct ipaddr addr)
{
	if (addr.family == IP_V4)
		return (addr.bytes[0] & 0xf0) == 0xe0;
	return addr.family == IP_V6 && addr.bytes[0] == 0xff;
}

bool ipaddr_add(struct ipaddr addr, uint64_t count, struct ipaddr *ret_addr)
{
	uint64_t carry = count;
	for (size_t i = family_bytes(addr.family); i-- > 0 && carry;) {
		uint64_t sum = addr.bytes[i] + (carry & 0xff);
		addr.bytes[i] = (uint8_t)sum;
		carry = (carry >> 8) + (sum >> 8);
	}
	if (carry || addr.family == IP_NONE)
		return false;
	*ret_addr = addr;
	return true;
}

bool ipnet_parse(struct str text, struct ipnet *ret_net)
{
	struct str left, right;
	struct ipnet net;
	unsigned bits;
	if (!text.at || !str_cut_last(text, '/', &left, &right) || !ipaddr_parse(left, &net.addr) ||
	    !parse_decimal(right, ip_family_bits(net.addr.family), &bits))
		return false;
	net.prefix_bits = (uint8_t)bits;
	*ret_net = net;
	return true;
}

size_t ipnet_format(struct ipnet net, char out[IPNET_TEXT_MAX])
{
	char text[IPADDR_TEXT_MAX];
	out[0] = 0;
	if (!ipaddr_format(net.addr, text))
		return 0;
	return (size_t)snprintf(out, IPNET_TEXT_MAX, "%s/%u", text, net.prefix_bits);
}

bool ipnet_eq(struct ipnet a, struct ipnet b)
{
	return a.prefix_bits == b.prefix_bits && ipaddr_eq(a.addr, b.addr);
}

static uint8_t mask_byte(unsigned prefix_bits, size_t index)
{
	unsigned before = (unsigned)index * 8;
	if (prefix_bits >= before + 8)
		return 0xff;
	return prefix_bits <= before ? 0 : (uint8_t)(0xff << (8 - (prefix_bits - before)));
}

struct ipnet ipnet_masked(struct ipnet net)
{
	for (size_t i = 0; i < sizeof(net.addr.bytes); i++)
		net.addr.bytes[i] &= mask_byte(net.prefix_bits, i);
	return net;
}

struct ipnet ipnet_of(struct ipaddr addr)
{
	return (struct ipnet){.addr = addr, .prefix_bits = (uint8_t)ip_family_bits(addr.family)};
}

bool ipnet_contains(struct ipnet net, struct ipaddr addr)
{
	if (addr.family == IP_NONE || addr.family != net.addr.family)
		return false;
	for (size_t i = 0; i < family_bytes(addr.family); i++)
		if ((addr.bytes[i] ^ net.addr.bytes[i]) & mask_byte(net.prefix_bits, i))
			return false;
	return true;
}

bool ipnet_overlaps(struct ipnet a, struct ipnet b)
{
	return a.prefix_bits <= b.prefix_bits ? ipnet_contains(a, b.addr)
					      : ipnet_contains(b, a.addr);
}

static unsigned host_bits(struct ipnet net)
{
	unsigned bits = ip_family_bits(net.addr.family);
	return bits > net.prefix_bits ? bits - net.prefix_bits : 0;
}

uint64_t ipnet_size(struct ipnet net)
{
	if (net.addr.family == IP_NONE)
		return 0;
	unsigned bits = host_bits(net);
	return bits >= 64 ? UINT64_MAX : UINT64_C(1) << bits;
}

bool ipnet_nth(struct ipnet net, uint64_t n, struct ipaddr *ret_addr)
{
	unsigned bits = host_bits(net);
	if (bits < 64 && n >> bits)
		return false;
	return ipaddr_add(ipnet_masked(net).addr, n, ret_addr);
}

bool ipnet_index(struct ipnet net, struct ipaddr addr, uint64_t *ret_n)
{
	if (!ipnet_contains(net, addr))
		return false;
	uint64_t n = 0;
	for (size_t i = 0; i < family_bytes(addr.family); i++) {
		if (n >> 56)
			return false;
		n = n << 8 | (uint8_t)(addr.bytes[i] & ~mask_byte(net.prefix_bits, i));
	}
	*ret_n = n;
	return true;
}

/* Adds n << shift_bits to a 128-bit number. */
static bool add_shifted(struct ipaddr *addr, uint64_t n, unsigned shift_bits)
{
	size_t low = family_bytes(addr->family) - shift_bits / 8; /* bytes above the shift */
	unsigned __int128 carry = (unsigned __int128)n << (shift_bits % 8);
	while (low-- > 0 && carry) {
		unsigned __int128 sum = addr->bytes[low] + (carry & 0xff);
		addr->bytes[low] = (uint8_t)sum;
		carry = (carry >> 8) + (sum >> 8);
	}
	return carry == 0;
}

bool ipnet_nth_subnet(struct ipnet net, unsigned prefix_bits, uint64_t n, struct ipnet *ret_net)
{
	unsigned bits = ip_family_bits(net.addr.family);
	if (prefix_bits < net.prefix_bits || prefix_bits > bits)
		return false;
	unsigned index_bits = prefix_bits - net.prefix_bits;
	if (index_bits < 64 && n >> index_bits)
		return false;
	struct ipnet sub = ipnet_masked(net);
	sub.prefix_bits = (uint8_t)prefix_bits;
	if (bits == 0 || !add_shifted(&sub.addr, n, bits - prefix_bits))
		return false;
	*ret_net = sub;
	return true;
}
