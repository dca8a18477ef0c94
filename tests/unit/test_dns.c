#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <ldns/ldns.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "api/api_ids.h"
#include "net/dns.h"
#include "net/dns_message.h"

#define TURN_MS	  20
#define MAX_TURNS 300
#define DOMAIN	  "cluster.local"

struct fixture {
	struct cache *cache;
	struct arena arena;
	struct dns_zone zone;
	struct ipnet nets[2];
	/* the server */
	struct loop *loop;
	struct dns *dns;
	uint16_t port, upstream_port;
	int upstream_fd, client_fd;
	char resolv_conf[64];
};

/* text with ' for " */
static void put(struct fixture *f, uint16_t stored_id, const char *text)
{
	CLEANUP_ARENA a = {};
	CLEANUP(object_unref_p) struct object *o = NULL;
	struct json *tree;
	struct err err;
	char *json = arena_cstr(&a, str_of(text));
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	if (json_parse(&a, str_of(json), &tree, NULL, &err) != RC_OK ||
	    object_new(api_by_stored(api_builtin(), stored_id), tree, 1, &o, &err) != RC_OK)
		fail_msg("%s", err.text);
	cache_put(f->cache, o);
}

static void fill(struct fixture *f)
{
	put(f, KIND_NAMESPACE, "{'metadata':{'name':'shop'}}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'web'},'spec':{'type':'ClusterIP','clusterIP':'"
	    "10.43.0.7',"
	    "'clusterIPs':['10.43.0.7','fd43::7'],'ports':[{'name':'http','protocol':'TCP','port':"
	    "80},"
	    "{'name':'dns','protocol':'UDP','port':53},{'port':99}]}}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'db'},'spec':{'clusterIP':'None','ports':[{'"
	    "name':'sql','port':5432}]}}");
	put(f, KIND_ENDPOINT_SLICE,
	    "{'metadata':{'namespace':'shop','name':'db-1','labels':{'kubernetes.io/"
	    "service-name':'db'}},"
	    "'addressType':'IPv4','ports':[{'name':'sql','protocol':'TCP','port':5433}],'endpoints'"
	    ":["
	    "{'addresses':['10.42.0.2'],'hostname':'db-0'},{'addresses':['10.42.1.2']},"
	    "{'addresses':['10.42.1.3'],'conditions':{'ready':false}}]}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'out'},'spec':{'type':'ExternalName','"
	    "externalName':'www.example.org'}}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'alias'},'spec':{'type':'ExternalName',"
	    "'externalName':'web.shop.svc.cluster.local'}}");
	put(f, KIND_SERVICE,
	    "{'metadata':{'namespace':'shop','name':'ring'},'spec':{'type':'ExternalName',"
	    "'externalName':'ring.shop.svc.cluster.local'}}");
}

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->cache = cache_new_literal(api_builtin());
	fill(f);
	f->zone.cache = f->cache;
	f->zone.domain_text = STR(DOMAIN);
	assert_true(dns_name_parse(&f->arena, STR(DOMAIN), &f->zone.domain));
	assert_true(ipnet_parse(STR("10.42.0.0/16"), &f->nets[0]));
	assert_true(ipnet_parse(STR("10.43.0.0/16"), &f->nets[1]));
	f->zone.own_nets = f->nets;
	f->zone.own_net_count = 2;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	cache_free(f->cache);
	arena_done(&f->arena);
	free(f);
	return 0;
}

/* --- lookups: one line a record: "[owner ]TYPE data" --- */

static void print_record(struct buf *out, const struct dns_record *r)
{
	char addr[IPADDR_TEXT_MAX];
	if (r->owner.at)
		buf_printf(out, "%.*s ", STR_FMT(r->owner));
	ipaddr_format(r->addr, addr);
	if (r->type == DNS_A || r->type == DNS_AAAA)
		buf_printf(out, "%s %s\n", r->type == DNS_A ? "A" : "AAAA", addr);
	else if (r->type == DNS_SRV)
		buf_printf(out, "SRV %u %u %.*s\n", r->weight, r->port, STR_FMT(r->target));
	else
		buf_printf(out, "%s %.*s\n",
			   r->type == DNS_CNAME ? "CNAME"
			   : r->type == DNS_PTR ? "PTR"
						: "TXT",
			   STR_FMT(r->target));
}

static const char *look_up(struct fixture *f, const char *name, enum dns_type type)
{
	struct dns_answer answer;
	struct dns_name parsed;
	CLEANUP_BUF out = BUF_INIT(65536);
	assert_true(dns_name_parse(&f->arena, str_of(name), &parsed));
	dns_lookup(&f->zone, &f->arena, &parsed, type, &answer);
	if (!answer.is_ours)
		return "upstream";
	if (answer.rcode != DNS_NOERROR)
		buf_printf(&out, "rcode %d\n", answer.rcode);
	for (size_t i = 0; i < answer.answer_count; i++)
		print_record(&out, &answer.answers[i]);
	if (answer.extra_count)
		buf_add_cstr(&out, "--\n");
	for (size_t i = 0; i < answer.extra_count; i++)
		print_record(&out, &answer.extras[i]);
	if (answer.follow.at)
		buf_printf(&out, "follow %.*s\n", STR_FMT(answer.follow));
	return arena_cstr(&f->arena, buf_str(&out));
}

static void names_and_their_answers(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		const char *want;
	} rows[] = {
		{"web.shop.svc.cluster.local", DNS_A, "A 10.43.0.7\n"},
		{"WEB.Shop.SVC.cluster.LOCAL.", DNS_A, "A 10.43.0.7\n"},
		{"web.shop.svc.cluster.local", DNS_AAAA, "AAAA fd43::7\n"},
		{"web.shop.svc.cluster.local", DNS_TXT, ""},
		{"web.other.svc.cluster.local", DNS_A, "rcode 3\n"},
		{"nope.shop.svc.cluster.local", DNS_A, "rcode 3\n"},
		{"x.web.shop.svc.cluster.local", DNS_A, "rcode 3\n"},
		{"shop.svc.cluster.local", DNS_A, ""},
		{"nope.svc.cluster.local", DNS_A, "rcode 3\n"},
		{"svc.cluster.local", DNS_A, ""},
		{"cluster.local", DNS_A, ""},
		{"other.cluster.local", DNS_A, "rcode 3\n"},
		{"_http._tcp.web.shop.svc.cluster.local", DNS_SRV,
		 "SRV 100 80 web.shop.svc.cluster.local\n--\n"
		 "web.shop.svc.cluster.local A 10.43.0.7\nweb.shop.svc.cluster.local AAAA "
		 "fd43::7\n"},
		{"_http._udp.web.shop.svc.cluster.local", DNS_SRV, "rcode 3\n"},
		{"_http._tcp.web.shop.svc.cluster.local", DNS_A, ""},
		{"web.shop.svc.cluster.local", DNS_SRV,
		 "SRV 50 80 web.shop.svc.cluster.local\nSRV 50 53 web.shop.svc.cluster.local\n--\n"
		 "web.shop.svc.cluster.local A 10.43.0.7\nweb.shop.svc.cluster.local AAAA "
		 "fd43::7\n"},
		{"db.shop.svc.cluster.local", DNS_A, "A 10.42.0.2\nA 10.42.1.2\n"},
		{"db.shop.svc.cluster.local", DNS_AAAA, ""},
		{"db-0.db.shop.svc.cluster.local", DNS_A, "A 10.42.0.2\n"},
		{"10-42-1-2.db.shop.svc.cluster.local", DNS_A, "A 10.42.1.2\n"},
		{"10-42-1-3.db.shop.svc.cluster.local", DNS_A, "rcode 3\n"},
		{"_sql._tcp.db.shop.svc.cluster.local", DNS_SRV,
		 "SRV 50 5433 db-0.db.shop.svc.cluster.local\n"
		 "SRV 50 5433 10-42-1-2.db.shop.svc.cluster.local\n--\n"
		 "db-0.db.shop.svc.cluster.local A 10.42.0.2\n"
		 "10-42-1-2.db.shop.svc.cluster.local A 10.42.1.2\n"},
		{"out.shop.svc.cluster.local", DNS_A,
		 "CNAME www.example.org\nfollow www.example.org\n"},
		{"out.shop.svc.cluster.local", DNS_CNAME, "CNAME www.example.org\n"},
		{"alias.shop.svc.cluster.local", DNS_A,
		 "CNAME web.shop.svc.cluster.local\nweb.shop.svc.cluster.local A 10.43.0.7\n"},
		{"10-42-9-9.shop.pod.cluster.local", DNS_A, "A 10.42.9.9\n"},
		{"fd42--9.shop.pod.cluster.local", DNS_AAAA, "AAAA fd42::9\n"},
		{"x.shop.pod.cluster.local", DNS_A, "rcode 3\n"},
		{"10-42-9-9.nope.pod.cluster.local", DNS_A, "rcode 3\n"},
		{"dns-version.cluster.local", DNS_TXT, "TXT 1.1.0\n"},
		{"7.0.43.10.in-addr.arpa", DNS_PTR, "PTR web.shop.svc.cluster.local\n"},
		{"2.0.42.10.in-addr.arpa", DNS_PTR, "PTR db-0.db.shop.svc.cluster.local\n"},
		{"9.9.42.10.in-addr.arpa", DNS_PTR, "rcode 3\n"},
		{"9.9.9.9.in-addr.arpa", DNS_PTR, "upstream"},
		{"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.d.f.ip6.arpa",
		 DNS_PTR, "PTR web.shop.svc.cluster.local\n"},
		{"www.example.org", DNS_A, "upstream"},
		{"xcluster.local", DNS_A, "upstream"},
		{"local", DNS_A, "upstream"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = look_up(*state, rows[i].name, rows[i].type);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s type %d:\n%sinstead of\n%s", rows[i].name, rows[i].type, got,
				 rows[i].want);
	}
}

static void a_ring_of_aliases_ends(void **state)
{
	const char *got = look_up(*state, "ring.shop.svc.cluster.local", DNS_A);
	assert_true(str_has_prefix(str_of(got), STR("rcode 2\n")));
}

static void bad_names(void **state)
{
	static const char *const rows[] = {
		"a..b", ".a", "..",
		"0123456789012345678901234567890123456789012345678901234567890123.x"};
	struct fixture *f = *state;
	struct dns_name name;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (dns_name_parse(&f->arena, str_of(rows[i]), &name))
			fail_msg("'%s' parses", rows[i]);
	assert_true(dns_name_parse(&f->arena, STR("."), &name));
	assert_int_equal(name.count, 0);
}

/* --- messages --- */

static void damaged_queries(void **state)
{
	struct fixture *f = *state;
	struct dns_query q;
	CLEANUP_BUF good = BUF_INIT(512);
	dns_ask_write(&good, 7, STR("web.shop.svc.cluster.local"), DNS_A);
	assert_true(dns_query_parse(&f->arena, buf_str(&good), &q));
	assert_int_equal(q.fault, DNS_NOERROR);
	assert_int_equal(q.name.count, 5);
	assert_int_equal(q.id, 7);
	for (size_t len = 0; len < good.len; len++) {
		bool is_answered = dns_query_parse(&f->arena, str_n(good.data, len), &q);
		assert_int_equal(is_answered, len >= DNS_HEADER_BYTES);
		assert_true(!is_answered || q.fault == DNS_FORMERR);
	}
	good.data[2] = (char)(good.data[2] | 0x10); /* opcode STATUS */
	assert_true(dns_query_parse(&f->arena, buf_str(&good), &q));
	assert_int_equal(q.fault, DNS_NOTIMP);
	good.data[2] = (char)0x80; /* a reply */
	assert_false(dns_query_parse(&f->arena, buf_str(&good), &q));
}

static void every_bit_of_a_query_may_be_wrong(void **state)
{
	struct fixture *f = *state;
	CLEANUP_BUF good = BUF_INIT(512);
	dns_ask_write(&good, 7, STR("_http._tcp.web.shop.svc.cluster.local"), DNS_SRV);
	for (size_t bit = 0; bit < good.len * 8; bit++) {
		CLEANUP_BUF out = BUF_INIT(DNS_MESSAGE_MAX);
		struct dns_query q;
		struct dns_answer answer = {.is_ours = true};
		good.data[bit / 8] = (char)(good.data[bit / 8] ^ (1 << bit % 8));
		if (dns_query_parse(&f->arena, buf_str(&good), &q)) {
			answer.rcode = q.fault;
			if (q.fault == DNS_NOERROR)
				dns_lookup(&f->zone, &f->arena, &q.name, q.type, &answer);
			dns_reply_write(&out, buf_str(&good), &q, &answer, STR(DOMAIN),
					(struct str){}, q.udp_max);
			assert_true(out.len >= DNS_HEADER_BYTES);
		}
		good.data[bit / 8] = (char)(good.data[bit / 8] ^ (1 << bit % 8));
	}
}

static void a_long_answer_is_cut(void **state)
{
	struct fixture *f = *state;
	struct dns_record records[100] = {};
	struct dns_answer answer = {.is_ours = true, .answers = records, .answer_count = 100};
	struct dns_query q;
	CLEANUP_BUF ask = BUF_INIT(512);
	CLEANUP_BUF out = BUF_INIT(DNS_MESSAGE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		records[i] = (struct dns_record){.type = DNS_A,
						 .addr = ipaddr_v4(10, 42, 0, (uint8_t)i)};
	dns_ask_write(&ask, 7, STR("db.shop.svc.cluster.local"), DNS_A);
	assert_true(dns_query_parse(&f->arena, buf_str(&ask), &q));
	dns_reply_write(&out, buf_str(&ask), &q, &answer, STR(DOMAIN), (struct str){}, 512);
	assert_int_equal(out.len, ask.len);
	assert_true(dns_message_is_cut(buf_str(&out)));
	buf_reset(&out);
	dns_reply_write(&out, buf_str(&ask), &q, &answer, STR(DOMAIN), (struct str){},
			DNS_MESSAGE_MAX);
	assert_true(out.len > 1600 && !dns_message_is_cut(buf_str(&out)));
}

/* --- the server, on loopback, with a name server of our own behind it --- */

static int bound_socket(int type, uint16_t *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int set_up_server(void **state)
{
	static const char conf[] =
		"# a comment\nsearch x\nnameserver 127.0.0.9\nnameserver 127.0.0.1 \n";
	struct err err;
	set_up(state);
	struct fixture *f = *state;
	struct ipaddr addr = ipaddr_v4(127, 0, 0, 1);
	f->loop = loop_new();
	f->upstream_fd = bound_socket(SOCK_DGRAM, &f->upstream_port);
	snprintf(f->resolv_conf, sizeof(f->resolv_conf), "/tmp/skeg-test-dns-XXXXXX");
	int fd = mkstemp(f->resolv_conf);
	assert_int_equal(write(fd, conf, sizeof(conf) - 1), sizeof(conf) - 1);
	close(fd);
	struct dns_config config = {
		.cache = f->cache,
		.domain = STR(DOMAIN),
		.addrs = &addr,
		.addr_count = 1,
		.netns_fd = -1,
		.own_nets = f->nets,
		.own_net_count = 2,
		.forward = {.resolv_conf = f->resolv_conf,
			    .skip = ipaddr_v4(127, 0, 0, 9),
			    .netns_fd = -1,
			    .port = f->upstream_port},
	};
	enum rc rc;
	do { /* free for UDP; by TCP somebody else may have it */
		close(bound_socket(SOCK_DGRAM, &config.port));
		rc = dns_new(f->loop, &config, &f->dns, &err);
	} while (rc == RC_CONFLICT);
	f->port = config.port;
	if (rc != RC_OK)
		fail_msg("%s", err.text);
	return 0;
}

static int tear_down_server(void **state)
{
	struct fixture *f = *state;
	dns_free(f->dns);
	loop_run_once(f->loop, 0);
	loop_free(f->loop);
	close(f->upstream_fd);
	close_fd_p(&f->client_fd);
	unlink(f->resolv_conf);
	return tear_down(state);
}

static void client_connect(struct fixture *f, int type)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(f->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	f->client_fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->client_fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void client_ask(struct fixture *f, const char *name, enum dns_type type, bool by_tcp)
{
	CLEANUP_BUF ask = BUF_INIT(512);
	dns_ask_write(&ask, 0x1234, str_of(name), type);
	char head[2] = {(char)(ask.len >> 8), (char)ask.len};
	if (by_tcp)
		assert_int_equal(send(f->client_fd, head, 2, 0), 2);
	assert_int_equal(send(f->client_fd, ask.data, ask.len, 0), ask.len);
}

static size_t wait_for(struct fixture *f, int fd, char *out, size_t max)
{
	for (int i = 0; i < MAX_TURNS; i++) {
		ssize_t len = recv(fd, out, max, MSG_DONTWAIT);
		if (len > 0)
			return (size_t)len;
		loop_run_once(f->loop, TURN_MS);
	}
	fail_msg("no message came");
	return 0;
}

/* The answer section as text, without TTL. */
static void assert_reply(const char *packet, size_t len, int rcode, const char *want)
{
	ldns_pkt *pkt;
	CLEANUP_BUF out = BUF_INIT(65536);
	assert_int_equal(ldns_wire2pkt(&pkt, (const uint8_t *)packet, len), LDNS_STATUS_OK);
	assert_int_equal(ldns_pkt_id(pkt), 0x1234);
	assert_int_equal(ldns_pkt_get_rcode(pkt), rcode);
	for (size_t i = 0; i < ldns_pkt_ancount(pkt); i++) {
		ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(pkt), i);
		char *owner = ldns_rdf2str(ldns_rr_owner(rr)),
		     *data = ldns_rdf2str(ldns_rr_rdf(rr, 0));
		buf_printf(&out, "%s %s\n", owner, data);
		free(owner);
		free(data);
	}
	assert_string_equal(out.data ? out.data : "", want);
	ldns_pkt_free(pkt);
}

static void the_zone_by_udp(void **state)
{
	struct fixture *f = *state;
	char bytes[1024];
	client_connect(f, SOCK_DGRAM);
	client_ask(f, "Web.shop.svc.cluster.local", DNS_A, false);
	size_t len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	assert_reply(bytes, len, DNS_NOERROR, "Web.shop.svc.cluster.local. 10.43.0.7\n");
	client_ask(f, "nope.shop.svc.cluster.local", DNS_A, false);
	len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	assert_reply(bytes, len, DNS_NXDOMAIN, "");
}

static void the_zone_by_tcp_twice_at_once(void **state)
{
	struct fixture *f = *state;
	char bytes[1024];
	client_connect(f, SOCK_STREAM);
	client_ask(f, "web.shop.svc.cluster.local", DNS_A, true);
	client_ask(f, "web.shop.svc.cluster.local", DNS_AAAA, true);
	size_t len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	while (len < 4 || len < 2u + (uint8_t)bytes[1] + 2)
		len += wait_for(f, f->client_fd, bytes + len, sizeof(bytes) - len);
	size_t first = (uint8_t)bytes[1];
	assert_reply(bytes + 2, first, DNS_NOERROR, "web.shop.svc.cluster.local. 10.43.0.7\n");
	assert_reply(bytes + first + 4, len - first - 4, DNS_NOERROR,
		     "web.shop.svc.cluster.local. fd43::7\n");
}

/* Answers the next query that reaches our upstream with one address. */
static void upstream_answers(struct fixture *f)
{
	char bytes[1024];
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	struct dns_query q;
	struct dns_record record = {.type = DNS_A, .addr = ipaddr_v4(203, 0, 113, 5)};
	struct dns_answer answer = {.answers = &record, .answer_count = 1};
	CLEANUP_BUF out = BUF_INIT(DNS_MESSAGE_MAX);
	ssize_t len = -1;
	for (int i = 0; i < MAX_TURNS && len < 0; i++) {
		len = recvfrom(f->upstream_fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer,
			       &peer_len);
		if (len < 0)
			loop_run_once(f->loop, TURN_MS);
	}
	struct str packet = str_n(bytes, (size_t)MAX(len, 0));
	assert_true(dns_query_parse(&f->arena, packet, &q));
	/* a reply with another id comes first, and must not count */
	q.id ^= 0x100;
	dns_reply_write(&out, packet, &q, &(struct dns_answer){.rcode = DNS_REFUSED}, STR(DOMAIN),
			(struct str){}, 512);
	sendto(f->upstream_fd, out.data, out.len, 0, (struct sockaddr *)&peer, peer_len);
	q.id ^= 0x100;
	buf_reset(&out);
	dns_reply_write(&out, packet, &q, &answer, STR(DOMAIN), (struct str){}, 512);
	sendto(f->upstream_fd, out.data, out.len, 0, (struct sockaddr *)&peer, peer_len);
}

static void everything_else_from_upstream(void **state)
{
	struct fixture *f = *state;
	char bytes[1024];
	client_connect(f, SOCK_DGRAM);
	client_ask(f, "www.example.org", DNS_A, false);
	upstream_answers(f);
	size_t len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	assert_reply(bytes, len, DNS_NOERROR, "www.example.org. 203.0.113.5\n");
}

static void an_external_name_and_its_address(void **state)
{
	struct fixture *f = *state;
	char bytes[1024];
	client_connect(f, SOCK_DGRAM);
	client_ask(f, "out.shop.svc.cluster.local", DNS_A, false);
	upstream_answers(f);
	size_t len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	assert_reply(bytes, len, DNS_NOERROR,
		     "out.shop.svc.cluster.local. www.example.org.\n"
		     "www.example.org. 203.0.113.5\n");
}

static void nobody_upstream_is_a_failure(void **state)
{
	struct fixture *f = *state;
	char bytes[1024];
	close(f->upstream_fd);
	f->upstream_fd = -1;
	client_connect(f, SOCK_DGRAM);
	client_ask(f, "www.example.org", DNS_A, false);
	size_t len = wait_for(f, f->client_fd, bytes, sizeof(bytes));
	assert_reply(bytes, len, DNS_SERVFAIL, "");
}

static void freed_with_queries_on_their_way(void **state)
{
	struct fixture *f = *state;
	client_connect(f, SOCK_DGRAM);
	client_ask(f, "www.example.org", DNS_A, false);
	for (int i = 0; i < 3; i++)
		loop_run_once(f->loop, TURN_MS);
}

int main(void)
{
#define ROW(fn)	   cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define SERVER(fn) cmocka_unit_test_setup_teardown(fn, set_up_server, tear_down_server)
	const struct CMUnitTest tests[] = {
		ROW(names_and_their_answers),
		ROW(a_ring_of_aliases_ends),
		ROW(bad_names),
		ROW(damaged_queries),
		ROW(every_bit_of_a_query_may_be_wrong),
		ROW(a_long_answer_is_cut),
		SERVER(the_zone_by_udp),
		SERVER(the_zone_by_tcp_twice_at_once),
		SERVER(everything_else_from_upstream),
		SERVER(an_external_name_and_its_address),
		SERVER(nobody_upstream_is_a_failure),
		SERVER(freed_with_queries_on_their_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
