/* A packet that anybody may send: taken as a query, and as the reply of another server; what is
 * answered keeps to its limit and is a reply. */
#include "net/dns_message.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str packet = str_n((const char *)bytes, MIN(size, (size_t)DNS_MESSAGE_MAX));
	struct dns_query query = {};
	(void)dns_message_id(packet);
	(void)dns_message_is_cut(packet);
	(void)dns_message_answers(packet, packet);
	if (!dns_query_parse(&a, packet, &query))
		return 0;
	struct dns_answer answer = {.rcode = query.fault};
	CLEANUP_BUF out = BUF_INIT(DNS_MESSAGE_MAX);
	dns_reply_write(&out, packet, &query, &answer, STR("cluster.local"), (struct str){},
			DNS_UDP_PLAIN_MAX);
	FUZZ_CHECK(out.len >= DNS_HEADER_BYTES && out.len <= DNS_UDP_PLAIN_MAX);
	FUZZ_CHECK(dns_message_id(buf_str(&out)) == query.id);
	FUZZ_CHECK((unsigned char)out.data[2] & 0x80);
	return 0;
}
