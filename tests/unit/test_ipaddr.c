#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/ipaddr.h"
#include "base/mem.h"

static struct ipaddr addr_of(const char *text)
{
	struct ipaddr addr;
	if (!ipaddr_parse(str_of(text), &addr))
		fail_msg("'%s' does not parse", text);
	return addr;
}

static struct ipnet net_of(const char *text)
{
	struct ipnet net;
	if (!ipnet_parse(str_of(text), &net))
		fail_msg("'%s' does not parse", text);
	return net;
}

static void assert_addr(struct ipaddr addr, const char *want)
{
	char text[IPADDR_TEXT_MAX];
	assert_int_equal(ipaddr_format(addr, text), strlen(want));
	assert_string_equal(text, want);
}

static void assert_net(struct ipnet net, const char *want)
{
	char text[IPNET_TEXT_MAX];
	assert_int_equal(ipnet_format(net, text), strlen(want));
	assert_string_equal(text, want);
}

static void addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"10.42.1.255", "10.42.1.255"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"::102:304", "::102:304"},
		{"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_addr(addr_of(rows[i].text), rows[i].want);
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const rows[] = {
		"",	      "1",	   "1.2.3",	"1.2.3.4.5",	 "01.2.3.4",
		"1.2.3.04",   "1.2.3.256", "1.2.3.",	".1.2.3",	 "1.2.3.4 ",
		" 1.2.3.4",   "1.2.3.-4",  "0x1.2.3.4", "1.2.3.+4",	 ":",
		":::",	      "1::2::3",   "12345::",	"::1%eth0",	 "fe80::1%1",
		"::01.2.3.4", "::1.2.3",   "g::",	"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"[::1]",      "1.2.3.4/8", "a.b.c.d",
	};
	struct ipaddr addr;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (ipaddr_parse(str_of(rows[i]), &addr))
			fail_msg("'%s' parses", rows[i]);
	assert_false(ipaddr_parse(str_n("1.2.3.4\0", 8), &addr));
	assert_false(ipaddr_parse((struct str){}, &addr));
}

static void addresses_have_an_order(void **state)
{
	assert_true(ipaddr_cmp(addr_of("10.0.0.2"), addr_of("10.0.0.10")) < 0);
	assert_true(ipaddr_cmp(addr_of("255.0.0.2"), addr_of("::1")) < 0);
	assert_true(ipaddr_eq(addr_of("::ffff:0:0"), addr_of("::ffff:0.0.0.0")));
	assert_false(ipaddr_eq(addr_of("::ffff:1.2.3.4"), addr_of("1.2.3.4")));
	assert_true(ipaddr_eq((struct ipaddr){}, (struct ipaddr){}));
}

static void addresses_have_classes(void **state)
{
	static const struct {
		const char *text;
		bool unspecified, loopback, link_local, multicast;
	} rows[] = {
		{"0.0.0.0", true, false, false, false},
		{"::", true, false, false, false},
		{"127.9.9.9", false, true, false, false},
		{"::1", false, true, false, false},
		{"169.254.1.1", false, false, true, false},
		{"fe80::1", false, false, true, false},
		{"febf::1", false, false, true, false},
		{"fec0::1", false, false, false, false},
		{"224.0.0.1", false, false, false, true},
		{"239.1.1.1", false, false, false, true},
		{"ff02::1", false, false, false, true},
		{"10.0.0.1", false, false, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipaddr addr = addr_of(rows[i].text);
		assert_int_equal(ipaddr_is_unspecified(addr), rows[i].unspecified);
		assert_int_equal(ipaddr_is_loopback(addr), rows[i].loopback);
		assert_int_equal(ipaddr_is_link_local(addr), rows[i].link_local);
		assert_int_equal(ipaddr_is_multicast(addr), rows[i].multicast);
	}
}

static void counting_on_carries_and_ends(void **state)
{
	struct ipaddr addr;
	assert_true(ipaddr_add(addr_of("10.0.255.255"), 1, &addr));
	assert_addr(addr, "10.1.0.0");
	assert_true(ipaddr_add(addr_of("10.0.0.0"), 0x010203, &addr));
	assert_addr(addr, "10.1.2.3");
	assert_true(ipaddr_add(addr_of("fd00::ffff:ffff:ffff:ffff"), 1, &addr));
	assert_addr(addr, "fd00:0:0:1::");
	assert_false(ipaddr_add(addr_of("255.255.255.255"), 1, &addr));
	assert_false(ipaddr_add((struct ipaddr){}, 0, &addr));
}

static void prefixes_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0",	"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "::/129",
		"10.0.0.0/8/8", "/8",	     "10.0.0/8",    "10.0.0.0/ 8", "::/+1"};
	struct ipnet net;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ipnet_parse(str_of(bad[i]), &net))
			fail_msg("'%s' parses", bad[i]);
	assert_net(net_of("10.42.1.5/24"), "10.42.1.5/24");
	assert_net(ipnet_masked(net_of("10.42.1.5/22")), "10.42.0.0/22");
	assert_net(ipnet_masked(net_of("fd00:1:2:3::9/60")), "fd00:1:2::/60");
	assert_net(ipnet_masked(net_of("1.2.3.4/0")), "0.0.0.0/0");
	assert_net(ipnet_of(addr_of("1.2.3.4")), "1.2.3.4/32");
	assert_net(ipnet_of(addr_of("::1")), "::1/128");
}

static void prefixes_contain_and_overlap(void **state)
{
	assert_true(ipnet_contains(net_of("10.42.0.0/16"), addr_of("10.42.255.255")));
	assert_false(ipnet_contains(net_of("10.42.0.0/16"), addr_of("10.43.0.0")));
	assert_true(ipnet_contains(net_of("0.0.0.0/0"), addr_of("9.9.9.9")));
	assert_false(ipnet_contains(net_of("0.0.0.0/0"), addr_of("::")));
	assert_true(ipnet_contains(net_of("10.42.0.0/23"), addr_of("10.42.1.1")));
	assert_true(ipnet_overlaps(net_of("10.0.0.0/8"), net_of("10.42.0.0/16")));
	assert_true(ipnet_overlaps(net_of("10.42.0.0/16"), net_of("10.0.0.0/8")));
	assert_false(ipnet_overlaps(net_of("10.42.0.0/16"), net_of("10.43.0.0/16")));
}

static void prefixes_are_counted(void **state)
{
	struct ipaddr addr;
	struct ipnet net;
	uint64_t n;
	assert_int_equal(ipnet_size(net_of("10.43.0.0/16")), 65536);
	assert_int_equal(ipnet_size(net_of("10.43.0.1/32")), 1);
	assert_true(ipnet_size(net_of("fd00::/64")) == UINT64_MAX);
	assert_true(ipnet_nth(net_of("10.43.0.0/16"), 10, &addr));
	assert_addr(addr, "10.43.0.10");
	assert_false(ipnet_nth(net_of("10.43.0.0/16"), 65536, &addr));
	assert_false(ipnet_nth(net_of("10.43.0.1/32"), 1, &addr));
	assert_true(ipnet_nth(net_of("fd00::/64"), UINT64_MAX, &addr));
	assert_addr(addr, "fd00::ffff:ffff:ffff:ffff");
	assert_true(ipnet_index(net_of("10.43.0.0/16"), addr_of("10.43.1.2"), &n));
	assert_int_equal(n, 258);
	assert_false(ipnet_index(net_of("10.43.0.0/16"), addr_of("10.44.0.0"), &n));
	assert_true(ipnet_nth_subnet(net_of("10.42.0.0/16"), 24, 3, &net));
	assert_net(net, "10.42.3.0/24");
	assert_false(ipnet_nth_subnet(net_of("10.42.0.0/16"), 24, 256, &net));
	assert_false(ipnet_nth_subnet(net_of("10.42.0.0/16"), 8, 0, &net));
	assert_true(ipnet_nth_subnet(net_of("fd00:42::/48"), 64, 0x102, &net));
	assert_net(net, "fd00:42:0:102::/64");
	assert_true(ipnet_nth_subnet(net_of("10.42.0.0/16"), 26, 5, &net));
	assert_net(net, "10.42.1.64/26");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(addresses_have_an_order),
		cmocka_unit_test(addresses_have_classes),
		cmocka_unit_test(counting_on_carries_and_ends),
		cmocka_unit_test(prefixes_are_read_strictly),
		cmocka_unit_test(prefixes_contain_and_overlap),
		cmocka_unit_test(prefixes_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
