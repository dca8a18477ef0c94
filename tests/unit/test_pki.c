/* pki: authorities, certificates, signing requests, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/pki.h"

static struct arena arena;
static struct pki_pair ca;
static const struct str orgs[] = {STR_INIT("system:nodes"), STR_INIT("second")};
static const struct str names[] = {STR_INIT("n1"), STR_INIT("*.example.com"), STR_INIT("10.0.0.1"),
				   STR_INIT("fd00::1")};
static const struct pki_subject subject = {
	.common_name = STR_INIT("system:node:n1"),
	.organizations = orgs,
	.organization_count = 2,
	.alt_names = names,
	.alt_name_count = 4,
	.for_server = true,
	.for_client = true,
	.validity_s = 3600,
};

static int setup(void **state)
{
	struct err err = {};
	return pki_ca_new(&arena, "skeg-ca", 86400, &ca, &err) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
	arena_done(&arena);
	return 0;
}

static void test_authority(void **state)
{
	struct pki_cert cert;
	struct str hash;
	assert_int_equal(pki_cert_parse(&arena, ca.cert_pem, &cert, NULL), RC_OK);
	assert_true(cert.is_ca);
	assert_true(str_is(cert.common_name, "skeg-ca"));
	assert_int_equal(pki_pair_check(&ca, NULL), RC_OK);
	assert_int_equal(pki_cert_hash(&arena, ca.cert_pem, &hash, NULL), RC_OK);
	assert_int_equal(hash.len, 64);
}

static void test_issue_keeps_names(void **state)
{
	struct err err = {};
	struct pki_pair pair;
	struct pki_cert cert;
	assert_int_equal(pki_issue(&arena, &ca, &subject, &pair, &err), RC_OK);
	assert_int_equal(pki_pair_check(&pair, &err), RC_OK);
	assert_int_equal(pki_cert_verify(pair.cert_pem, ca.cert_pem, &err), RC_OK);
	assert_int_equal(pki_cert_parse(&arena, pair.cert_pem, &cert, &err), RC_OK);
	assert_true(str_is(cert.common_name, "system:node:n1"));
	assert_int_equal(cert.organization_count, 2);
	assert_true(str_is(cert.organizations[0], "system:nodes"));
	assert_int_equal(cert.dns_name_count, 2);
	assert_true(str_is(cert.dns_names[1], "*.example.com"));
	assert_int_equal(cert.address_count, 2);
	assert_true(str_is(cert.addresses[1], "fd00::1"));
	assert_false(cert.is_ca);
	assert_int_equal((cert.not_after_us - cert.not_before_us) / 1000000,
			 3600 + PKI_CLOCK_SKEW_S);
}

/* Between 75 and 85 % of the life since it was issued, not since the day that clocks are forgiven.
 */
static void test_renewal_comes_before_the_end(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct pki_pair pair;
		struct pki_cert cert;
		assert_int_equal(pki_issue(&arena, &ca, &subject, &pair, NULL), RC_OK);
		assert_int_equal(pki_cert_parse(&arena, pair.cert_pem, &cert, NULL), RC_OK);
		int64_t left_s = (cert.not_after_us - pki_renewal_us(&cert)) / 1000000;
		assert_in_range(left_s, 3600 * 15 / 100 - 1, 3600 * 25 / 100 + 1);
	}
}

static void test_validity_ends_with_authority(void **state)
{
	struct pki_pair pair;
	struct pki_cert cert, authority;
	struct pki_subject longer = subject;
	longer.validity_s = 10 * 86400;
	assert_int_equal(pki_issue(&arena, &ca, &longer, &pair, NULL), RC_OK);
	assert_int_equal(pki_cert_parse(&arena, pair.cert_pem, &cert, NULL), RC_OK);
	assert_int_equal(pki_cert_parse(&arena, ca.cert_pem, &authority, NULL), RC_OK);
	assert_int_equal(cert.not_after_us, authority.not_after_us);
}

static void test_strangers_do_not_verify(void **state)
{
	struct pki_pair other, pair, mixed;
	assert_int_equal(pki_ca_new(&arena, "other", 86400, &other, NULL), RC_OK);
	assert_int_equal(pki_issue(&arena, &other, &subject, &pair, NULL), RC_OK);
	assert_int_equal(pki_cert_verify(pair.cert_pem, ca.cert_pem, NULL), RC_INVALID);
	mixed = (struct pki_pair){pair.cert_pem, ca.key_pem};
	assert_int_equal(pki_pair_check(&mixed, NULL), RC_INVALID);
}

static void test_request_is_signed(void **state)
{
	struct err err = {};
	struct str key, csr, cert_pem;
	struct pki_csr parsed;
	struct pki_cert cert;
	assert_int_equal(pki_key_new(&arena, &key, &err), RC_OK);
	assert_int_equal(pki_csr_new(&arena, key, &subject, &csr, &err), RC_OK);
	assert_int_equal(pki_csr_parse(&arena, csr, &parsed, &err), RC_OK);
	assert_true(str_is(parsed.common_name, "system:node:n1"));
	assert_int_equal(parsed.organization_count, 2);
	assert_int_equal(parsed.dns_name_count, 2);
	assert_int_equal(parsed.address_count, 2);
	assert_false(parsed.is_rsa);
	assert_int_equal(pki_csr_sign(&arena, &ca, csr, &subject, &cert_pem, &err), RC_OK);
	assert_int_equal(pki_pair_check(&(struct pki_pair){cert_pem, key}, &err), RC_OK);
	assert_int_equal(pki_cert_parse(&arena, cert_pem, &cert, &err), RC_OK);
	assert_int_equal(cert.dns_name_count, 2);
}

static void test_broken_text(void **state)
{
	static const struct str texts[] = {
		STR_INIT(""),
		STR_INIT("nonsense"),
		STR_INIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		STR_INIT("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"),
	};
	struct pki_cert cert;
	struct pki_csr csr;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err err = {};
		assert_int_equal(pki_cert_parse(&arena, texts[i], &cert, &err), RC_INVALID);
		assert_true(strlen(err.text) > 10);
		assert_int_equal(pki_csr_parse(&arena, texts[i], &csr, &err), RC_INVALID);
	}
}

static void test_refused_subjects(void **state)
{
	struct pki_pair pair;
	struct pki_subject bad = subject;
	bad.validity_s = 0;
	assert_int_equal(pki_issue(&arena, &ca, &bad, &pair, NULL), RC_INVALID);
	bad = subject;
	bad.alt_names = &(struct str)STR_INIT("");
	bad.alt_name_count = 1;
	assert_int_equal(pki_issue(&arena, &ca, &bad, &pair, NULL), RC_INVALID);
}

static void test_es256(void **state)
{
	struct err err = {};
	unsigned char signature[PKI_ES256_BYTES];
	struct str public_pem;
	struct str text = STR("header.payload");
	assert_int_equal(pki_public_key(&arena, ca.key_pem, &public_pem, &err), RC_OK);
	for (int i = 0; i < 20; i++) { /* short r and s are padded */
		assert_int_equal(pki_sign_es256(ca.key_pem, text, signature, &err), RC_OK);
		assert_true(pki_verify_es256(public_pem, text, signature));
		assert_true(pki_verify_es256(ca.cert_pem, text, signature));
	}
	assert_false(pki_verify_es256(public_pem, STR("header.payloae"), signature));
	signature[40] ^= 1;
	assert_false(pki_verify_es256(public_pem, text, signature));
	memset(signature, 0, sizeof(signature));
	assert_false(pki_verify_es256(public_pem, text, signature));
}

static void test_web_key(void **state)
{
	struct pki_jwk a, b;
	assert_int_equal(pki_jwk(&arena, ca.key_pem, &a, NULL), RC_OK);
	assert_int_equal(pki_jwk(&arena, ca.cert_pem, &b, NULL), RC_OK);
	assert_int_equal(a.x.len, 43);
	assert_int_equal(a.y.len, 43);
	assert_int_equal(a.key_id.len, 43);
	assert_true(str_eq(a.key_id, b.key_id) && str_eq(a.x, b.x));
}

static void test_digests(void **state)
{
	static const unsigned char abc[4] = {0xba, 0x78, 0x16, 0xbf};
	static const unsigned char rfc4231[4] = {0x5b, 0xdc, 0xc1, 0x46}; /* test case 2 */
	unsigned char out[32];
	pki_sha256(STR("abc"), out);
	assert_memory_equal(out, abc, 4);
	pki_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
	assert_memory_equal(out, rfc4231, 4);
	assert_true(pki_equal("aa", "aa", 2));
	assert_false(pki_equal("aa", "ab", 2));
}

static void test_blocks(void **state)
{
	struct str block, two = arena_printf(&arena, "text\n%.*s%.*s", STR_FMT(ca.key_pem),
					     STR_FMT(ca.cert_pem));
	assert_true(pki_pem_block(two, "CERTIFICATE", 0, &block));
	assert_true(str_has_prefix(block, STR("-----BEGIN CERTIFICATE-----")));
	assert_false(pki_pem_block(two, "CERTIFICATE", 1, &block));
	assert_true(pki_pem_block(two, "PRIVATE KEY", 0, &block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_issue_keeps_names),
		cmocka_unit_test(test_renewal_comes_before_the_end),
		cmocka_unit_test(test_validity_ends_with_authority),
		cmocka_unit_test(test_strangers_do_not_verify),
		cmocka_unit_test(test_request_is_signed),
		cmocka_unit_test(test_broken_text),
		cmocka_unit_test(test_refused_subjects),
		cmocka_unit_test(test_es256),
		cmocka_unit_test(test_web_key),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_blocks),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
