"""What bad_input.py does below the level of requests: heads, framing, frames, connections.

WIRE: rows of bytes and the answers that are allowed.  PRESSURE: functions that give what is wrong, or None.
"""
import os
import socket
import struct
import time

import bad_documents
from raw_http import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                      Closed, Http2, Raw, frame, head, hpack_field, hpack_int, tcp)

CLOSED = 0  # instead of a code: ended without a reply
HEAD_S = 32  # docs/http.md
HANDSHAKE_S = 10
IDLE_CONNECTIONS = 1000
UNREAD_KIB = 2 * (64 + 16 + 16) << 10  # two threads: what may wait, the list that passes it, and what the allocator keeps


def request(first=b"GET /version HTTP/1.1", *fields, body=b"", host=True):
    lines = [first, *([b"Host: x"] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def posted(*fields, body=b""):
    return request(b"POST /api/v1/namespaces/default/configmaps HTTP/1.1", b"Content-Type: application/json", *fields, body=body)


SMUGGLED = b"GET /api/v1/namespaces/default/configmaps/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

# Name, bytes, codes that are allowed. Nobody is authenticated here but where AUTH stands in the bytes.
HTTP1 = [
    ("many headers", request(b"GET /version HTTP/1.1", *[b"A%d: b" % i for i in range(3000)]), {431}),
    ("long header", request(b"GET /version HTTP/1.1", b"A: " + b"b" * 200_000), {431}),
    ("huge cookie", request(b"GET /version HTTP/1.1", b"Cookie: " + b"a=b; " * 20_000), {431}),
    ("many cookies", request(b"GET /version HTTP/1.1", *[b"Cookie: a=b"] * 2000), {431}),
    ("long target", request(b"GET /" + b"a" * 200_000 + b" HTTP/1.1"), {431, 414}),
    ("long method", request(b"G" * 100 + b" / HTTP/1.1"), {400}),
    ("head without end", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000, {431}),
    ("no request", b"\0" * 100 + b"\r\n\r\n", {400}),
    ("text", b"hello\r\n\r\n", {400}),
    ("only line feeds", b"GET /version HTTP/1.1\nHost: x\n\n", {400}),
    ("no version", b"GET /version\r\n\r\n", {400}),
    ("version 0.9", request(b"GET /version HTTP/0.9"), {400, 505}),
    ("version 2.0", request(b"GET /version HTTP/2.0"), {505}),
    ("version 1.11", request(b"GET /version HTTP/1.11"), {400, 505}),
    ("blanks in the line", request(b"GET  /version HTTP/1.1"), {400}),
    ("tab in the line", request(b"GET\t/version HTTP/1.1"), {400}),
    ("NUL in the target", request(b"GET /ver\0sion HTTP/1.1"), {400}),
    ("target without slash", request(b"GET version HTTP/1.1"), {400}),
    ("target with fragment", request(b"GET /version#a HTTP/1.1"), {400}),
    ("target with bad escape", request(b"GET /%zz HTTP/1.1"), {400}),
    ("target with NUL escape", request(b"GET /a%00 HTTP/1.1"), {400}),
    ("absolute target", request(b"GET https://elsewhere/version HTTP/1.1"), {200}),
    ("absolute target, no path", request(b"GET https://elsewhere HTTP/1.1"), {200, 401, 403}),
    ("absolute target of another kind", request(b"GET ftp://elsewhere/version HTTP/1.1"), {400}),
    ("authority", request(b"CONNECT elsewhere:443 HTTP/1.1"), {400, 405}),
    ("asterisk", request(b"OPTIONS * HTTP/1.1"), {200, 400, 401, 403, 404}),
    ("climbing", request(b"GET /api/../../etc/passwd HTTP/1.1"), {301, 400, 401, 403, 404}),
    ("climbing, escaped", request(b"GET /api/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {301, 400, 401, 403, 404}),
    ("TRACE", request(b"TRACE /version HTTP/1.1"), {401, 403, 404, 405}),
    ("a method of its own", request(b"BREW /version HTTP/1.1"), {401, 403, 404, 405}),
    ("PRI on HTTP/1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    ("no Host", request(host=False), {400}),
    ("two Hosts", request(b"GET /version HTTP/1.1", b"Host: y"), {400}),
    ("Host of two", request(b"GET /version HTTP/1.1", b"Host: a b", host=False), {400}),
    ("blank before the colon", request(b"GET /version HTTP/1.1", b"A : b"), {400}),
    ("folded line", request(b"GET /version HTTP/1.1", b"A: b", b" c"), {400}),
    ("no colon", request(b"GET /version HTTP/1.1", b"Abc"), {400}),
    ("no name", request(b"GET /version HTTP/1.1", b": b"), {400}),
    ("carriage return in a value", request(b"GET /version HTTP/1.1", b"A: b\rc"), {400}),
    ("NUL in a value", request(b"GET /version HTTP/1.1", b"A: b\0c"), {400}),
    ("both lengths", posted(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), {400}),
    ("both lengths, turned round", posted(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"0\r\n\r\n" + SMUGGLED), {400}),
    ("two lengths", posted(b"Content-Length: 0", b"Content-Length: 5", body=SMUGGLED), {400}),
    ("the same length twice", posted(b"Content-Length: 2", b"Content-Length: 2", body=b"{}" + SMUGGLED), {400}),
    ("a list of lengths", posted(b"Content-Length: 0, 5", body=SMUGGLED), {400}),
    ("negative length", posted(b"Content-Length: -1", body=SMUGGLED), {400}),
    ("signed length", posted(b"Content-Length: +0", body=SMUGGLED), {400}),
    ("hexadecimal length", posted(b"Content-Length: 0x0", body=SMUGGLED), {400}),
    ("length beyond 2^64", posted(b"Content-Length: 99999999999999999999", body=SMUGGLED), {400}),
    ("length of exabytes", posted(b"Content-Length: 999999999999999999"), {413, 401, 403}),
    ("chunked twice", posted(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), {400}),
    ("chunked and more", posted(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + SMUGGLED), {501}),
    ("chunked, spelt wrong", posted(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED), {501}),
    ("chunked in 1.0", request(b"POST /version HTTP/1.0", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), {400}),
    ("chunk of 2^64", posted(b"Transfer-Encoding: chunked", body=b"ffffffffffffffff1\r\n"), {400}),
    ("chunk with a sign", posted(b"Transfer-Encoding: chunked", body=b"-5\r\nhello\r\n"), {400}),
    ("chunk without its end", posted(b"Transfer-Encoding: chunked", body=b"2\r\n{}xx0\r\n\r\n"), {400}),
    ("chunk extension without end", posted(b"Transfer-Encoding: chunked", body=b"1;" + b"a" * 100_000), {400}),
    ("trailers without end", posted(b"Transfer-Encoding: chunked", body=b"0\r\n" + b"A: b\r\n" * 50_000), {400}),
    ("chunks of one byte", posted(b"AUTH", b"Transfer-Encoding: chunked", body=b"1\r\n{\r\n" + b"1\r\n \r\n" * (4 << 20)), {413}),
    ("a body without end", posted(b"AUTH", b"Transfer-Encoding: chunked", body=b"10000\r\n" + (b" " * 65536 + b"\r\n10000\r\n") * 80), {413}),
    ("4 MiB that were told", posted(b"AUTH", b"Content-Length: 4194304", body=b" " * (4 << 20)), {413}),
    ("another expectation", posted(b"Expect: the unexpected", b"Content-Length: 2", body=b"{}"), {417}),
    ("an upgrade to nothing", request(b"GET /version HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"), {200}),
    ("a token of a megabyte", request(b"GET /api HTTP/1.1", b"Authorization: Bearer " + b"a" * 60_000), {401}),
    ("a token of three parts", request(b"GET /api HTTP/1.1", b"Authorization: Bearer " + b"e30.e30.AAAA"), {401}),
    ("a token that is nested", request(b"GET /api HTTP/1.1", b"Authorization: Bearer " + b"W1tb" * 8000 + b".W1tb.AAAA"), {401}),
    ("impersonation of nobody", request(b"GET /api HTTP/1.1", b"Impersonate-User: admin"), {401, 403}),
    ("impersonation, forged", request(b"GET /api HTTP/1.1", b"X-Remote-User: admin", b"X-Remote-Group: system:masters"), {200, 401, 403}),
]


def http1_case(data, codes):
    def case(bench):
        with Raw(bench.control) as raw:
            raw.send(data.replace(b"AUTH", b"Authorization: Bearer " + raw.token.encode()))
            try:
                code, _, body = raw.reply()
            except Closed:
                code, body = CLOSED, ""
            if code not in codes:
                return f"answered {code}, not one of {sorted(codes)}: {body[:200]}"
            if code in (400, 413, 417, 431, 501, 505) and "kind" not in body and not raw.is_closed():
                return "the connection stays open"
            return None
    return case


def no_smuggling(bench):
    """Two requests in one write are two requests; what stands in a body is none."""
    inner = SMUGGLED
    with Raw(bench.control) as raw:
        auth = b"Authorization: Bearer " + raw.token.encode()
        raw.send(posted(auth, b"Content-Length: %d" % len(inner), body=inner) + request(b"GET /version HTTP/1.1", auth))
        first, second = raw.reply()[0], raw.reply()
        if first != 400 or second[0] != 200 or "gitVersion" not in second[2]:
            return f"replies {first}, {second}"
        raw.send(request())
        code = raw.reply()[0]
        return None if code == 200 else f"a third reply: {code}"


# ---------------------------------------------------------------- HTTP/2


def one_stream(data, allowed, settings=b""):
    """data begins stream 1, or does not; allowed: outcomes of that stream."""
    def case(bench):
        with Http2(bench.control, settings=settings) as h2:
            h2.send(data)
            outcome = h2.outcome(1)
            return None if outcome in allowed else f"ended with {outcome}, not one of {allowed}"
    return case


BIG_FIELD = hpack_field(b"x", b"y" * 3900, is_indexed=True)
REFUSED = {400, 431, "reset", "goaway", "closed"}
ENDED = {"reset", "goaway", "closed"}
GET = head()


def headers(block, flags=END_HEADERS | END_STREAM, stream=1):
    return frame(HEADERS, flags, stream, block)


def in_parts(block, count, size):
    """A head in one HEADERS and many CONTINUATION frames, never ended."""
    parts = [frame(CONTINUATION, 0, 1, block[:size])] * count
    return headers(block[:size], END_STREAM) + b"".join(parts)


HTTP2 = [
    ("HPACK bomb", one_stream(headers(GET + BIG_FIELD + b"\xbe" * 16_000), REFUSED)),
    ("HPACK bomb of many streams", one_stream(
        headers(GET + BIG_FIELD) + b"".join(headers(b"\xbe" * 4000, stream=s) for s in range(3, 60, 2)), {200, *REFUSED})),
    ("too many headers", one_stream(headers(GET + hpack_field(b"x", b"") * 3000), REFUSED)),
    ("huge cookie", one_stream(headers(GET[:-1] + GET[-1:] + hpack_field(b"cookie", b"a" * 16_000)), {200, 431})),
    ("CONTINUATION flood", one_stream(in_parts(GET, 2000, 1), ENDED)),
    ("CONTINUATION of nothing", one_stream(frame(CONTINUATION, 0, 1, b""), ENDED)),
    ("table of 4 GiB", one_stream(headers(hpack_int(0xffffffff, 5, 0x20) + GET), ENDED)),
    ("index that is not there", one_stream(headers(GET + b"\xff\xff\x7f"), ENDED)),
    ("length beyond the block", one_stream(headers(GET + b"\x00\x7f\xff\xff\xff\x7f"), ENDED)),
    ("integer without end", one_stream(headers(GET + b"\xff" * 100), ENDED)),
    ("no method", one_stream(headers(hpack_field(b":path", b"/")), REFUSED)),
    ("no path", one_stream(headers(hpack_field(b":method", b"GET") + hpack_field(b":scheme", b"https")), REFUSED)),
    ("path twice", one_stream(headers(GET + hpack_field(b":path", b"/api")), REFUSED)),
    ("pseudo-header that is not there", one_stream(headers(GET + hpack_field(b":x", b"y")), REFUSED)),
    ("upper case", one_stream(headers(GET + hpack_field(b"X", b"y")), REFUSED)),
    ("line end in a value", one_stream(headers(GET + hpack_field(b"x", b"y\r\nz: a")), {200, *REFUSED})),
    ("Connection", one_stream(headers(GET + hpack_field(b"connection", b"close")), REFUSED)),
    ("Transfer-Encoding", one_stream(headers(GET + hpack_field(b"transfer-encoding", b"chunked")), REFUSED)),
    ("two lengths", one_stream(headers(GET + hpack_field(b"content-length", b"1") * 2), REFUSED)),
    ("a length that is wrong", one_stream(headers(GET + hpack_field(b"content-length", b"7"), END_HEADERS)
                                          + frame(DATA, END_STREAM, 1, b"x"), REFUSED)),
    ("CONNECT", one_stream(headers(hpack_field(b":method", b"CONNECT") + hpack_field(b":authority", b"x:1")), {400, 405, *REFUSED})),
    ("stream zero", one_stream(headers(GET, stream=0), ENDED)),
    ("stream of even number", one_stream(headers(GET, stream=2), ENDED)),
    ("stream that goes back", one_stream(headers(GET, stream=5) + headers(GET), ENDED)),
    ("DATA without stream", one_stream(frame(DATA, END_STREAM, 1, b"x"), ENDED)),
    ("a stream that depends on itself", one_stream(headers(struct.pack(">IB", 1, 1) + GET, END_HEADERS | END_STREAM | 0x20), {200, *ENDED})),
    ("more padding than frame", one_stream(headers(b"\xff" + GET, END_HEADERS | END_STREAM | 8), ENDED)),
    ("frame too large", one_stream(frame(HEADERS, END_HEADERS, 1, b"\0" * 20_000), ENDED)),
    ("frame of 16 MiB", one_stream(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", ENDED)),
    ("window of nothing", one_stream(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), ENDED)),
    ("window too large", one_stream(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, ENDED)),
    ("settings too long", one_stream(frame(SETTINGS, payload=b"12345"), ENDED)),
    ("settings of a stream", one_stream(frame(SETTINGS, stream=1, payload=b""), ENDED)),
    ("ping too long", one_stream(frame(PING, payload=b"123456789"), ENDED)),
    ("push", one_stream(frame(5, END_HEADERS, 1, b"\0\0\0\2" + GET), ENDED)),
    ("unknown frame", one_stream(frame(0xee, 0xff, 1, b"what") + headers(GET), {200})),
    ("no window for a reply", one_stream(headers(GET), {200}, settings=struct.pack(">HI", 4, 0))),
]


def flood(data, count, allowed):
    """The same frames again and again, without reading; then the connection is over, or serves."""
    def case(bench):
        with Http2(bench.control) as h2:
            h2.socket.settimeout(60)
            for _ in range(count // 100):
                if not h2.send(data * 100):
                    break
            h2.request(1, head())
            outcome = h2.outcome(1)
            return None if outcome in allowed else f"ended with {outcome}"
    return case


def stream_after_stream(path, count, frames):
    """Opens streams that frames(stream) ends at once; before all have come, the server ends the connection."""
    def case(bench):
        with Http2(bench.control) as h2:
            block, sent = head(path, h2.token), 0
            for stream in range(1, 2 * count, 2):
                sent += 1
                if not h2.send(frames(block, stream)):
                    break
            outcome = h2.outcome(1 << 30)
            return None if outcome in ("goaway", "closed") and sent > 1 else f"{sent} streams, and then {outcome}"
    return case


def taken_back(block, stream):
    """A request that its sender resets."""
    return headers(block, stream=stream) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def reset_by_mistake(block, stream):
    """The peer makes the server reset the stream: a window of 0 is an error of that stream."""
    return headers(block, END_HEADERS, stream) + frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\0")


def too_many_streams(bench):
    """More watches than streams are allowed: the rest is refused, those that stand stay."""
    with Http2(bench.control) as h2:
        block = head(b"/api/v1/configmaps?watch=1", h2.token)
        for stream in range(1, 601, 2):
            h2.request(stream, block)
        refused, opened = set(), set()
        try:
            while len(refused) + len(opened) < 300:
                kind, _, stream, payload = h2.next_frame()
                if kind == RST_STREAM:
                    refused.add(stream)
                elif kind == HEADERS:
                    opened.add(stream)
        except (Closed, TimeoutError) as error:
            return f"{len(opened)} opened, {len(refused)} refused, then {error}"
        return None if len(opened) == 100 else f"{len(opened)} of 300 were opened"


def body_of_http2(bench):
    """4 MiB, and one without end."""
    for is_told in (True, False):
        with Http2(bench.control) as h2:
            more = [(b"content-type", b"application/json")] + ([(b"content-length", b"4194304")] if is_told else [])
            block = head(b"/api/v1/namespaces/default/configmaps", h2.token, b"POST", more)
            h2.request(1, block, is_ended=False)
            for _ in range(15):  # what the window allows
                h2.send(frame(DATA, 0, 1, b" " * 16384))
            code = None
            while code is None:
                kind, _, stream, payload = h2.next_frame()
                if kind == WINDOW_UPDATE:
                    h2.send(frame(DATA, 0, 1, b" " * 16384) * (int.from_bytes(payload, "big") // 16384 if stream == 1 else 0))
                elif kind in (HEADERS, RST_STREAM):
                    code = "reset" if kind == RST_STREAM else 413 if b"413" in payload else payload
            if code != 413:
                return f"answered {code}"
    return None


# ---------------------------------------------------------------- connections


def idle_connections(bench):
    """A thousand handshakes, nothing said; somebody else is still served."""
    context, kept = bench.control.tls(), []
    try:
        for _ in range(IDLE_CONNECTIONS):
            kept.append(context.wrap_socket(tcp(bench.control), server_hostname="127.0.0.1"))
        return bench.unwell()
    finally:
        for s in kept:
            s.close()


def half_open(data):
    """Connections that never finish their handshake are served no longer than it may take."""
    def case(bench):
        kept = [tcp(bench.control, timeout=HANDSHAKE_S + 10) for _ in range(200)]
        try:
            for s in kept:
                s.sendall(data)
            wrong = bench.unwell()
            if wrong:
                return wrong
            for s in kept:
                try:
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
            return None
        except TimeoutError:
            return f"a connection lives longer than {HANDSHAKE_S + 10} s"
        finally:
            for s in kept:
                s.close()
    return case


def client_hello(size=0):
    """A record of TLS that promises more than comes."""
    return b"\x16\x03\x01" + struct.pack(">H", 512) + b"\x01" + os.urandom(size)


def never_reads_list(bench):
    """Lists of 8 MiB each that nobody takes wait in memory up to a limit; then lists are refused until they are taken or gone."""
    kept, before = [], bench.control.rss_kib()
    path = "/api/v1/namespaces/heavy/configmaps"
    try:
        for _ in range(50):
            raw = Raw(bench.control, receive_buffer=4096)
            kept.append(raw)
            raw.send(request(b"GET /api/v1/namespaces/heavy/configmaps HTTP/1.1", b"Authorization: Bearer " + raw.token.encode()))
        time.sleep(1)
        grown = bench.control.rss_kib() - before
        if grown > UNREAD_KIB:
            return f"they hold {grown} KiB"
        codes = {bench.cluster.another().exchange("GET", path)[0] for _ in range(4)}
        if not codes <= {200, 429}:
            return f"others get {codes}"
        wrong = bench.unwell()
    finally:
        for raw in kept:
            raw.close()
    deadline = time.monotonic() + 10
    while not wrong and bench.cluster.another().exchange("GET", path)[0] != 200:
        if time.monotonic() > deadline:
            wrong = "lists are refused although nobody holds any"
        time.sleep(0.2)
    return wrong


def never_reads_watch(bench):
    """Events pile up only so far, then the watch ends."""
    kept, cluster = [], bench.cluster
    path = "/api/v1/namespaces/heavy/configmaps"
    try:
        for _ in range(20):
            raw = Raw(bench.control, receive_buffer=4096)
            kept.append(raw)
            raw.send(request(b"GET /api/v1/namespaces/heavy/configmaps?watch=1 HTTP/1.1", b"Authorization: Bearer " + raw.token.encode()))
        for i in range(150):
            body = {"metadata": {"labels": {"round": str(i)}}}
            code, document = cluster.call("PATCH", f"{path}/heavy-{i % 8}", body, "application/merge-patch+json")
            if code != 200:
                return f"a write answered {code} {document}"
        return bench.unwell()
    finally:
        for raw in kept:
            raw.close()


class SlowLoris:
    """Opened at the beginning of the run and looked at at its end, because a head may take half a minute."""

    def __init__(self, control):
        self.kept = [Raw(control, timeout=HEAD_S + 15) for _ in range(50)]
        for raw in self.kept:
            raw.send(b"GET /version HTTP/1.1\r\nHost: ")

    def drip(self):
        """One byte more, as such clients do; it must not win them time."""
        for raw in self.kept:
            raw.send(b"x")

    def wrong(self):
        for raw in self.kept:
            if not raw.is_closed():
                return f"a head may take longer than {HEAD_S + 15} s"
        return None

    def close(self):
        for raw in self.kept:
            raw.close()


def abrupt_ends(bench):
    """Resets in the middle of everything."""
    for data in (b"", client_hello(), b"GET / HTTP/1.1\r\n"):
        for _ in range(100):
            s = tcp(bench.control)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(data)
            s.close()
    for _ in range(50):
        with Raw(bench.control) as raw:
            raw.send(request(b"GET /api/v1/namespaces/heavy/configmaps HTTP/1.1", b"Authorization: Bearer " + raw.token.encode()))
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return None


def pipelined(bench):
    """A thousand requests in one write."""
    with Raw(bench.control) as raw:
        raw.send(request() * 1000)
        for i in range(1000):
            code = raw.reply()[0]
            if code != 200:
                return f"reply {i} is {code}"
    return None


ANY = {200, "goaway", "closed", "reset"}
WIRE = [
    ("HTTP/1", [(name, http1_case(data, codes)) for name, data, codes in HTTP1] + [
        ("a request within a body", no_smuggling), ("pipelined", pipelined)]),
    ("HTTP/2", HTTP2 + [("bodies", body_of_http2), ("too many streams", too_many_streams)]),
    ("floods", [
        ("rapid reset", stream_after_stream(b"/api/v1/pods", 20_000, taken_back)),
        ("rapid reset of watches", stream_after_stream(b"/api/v1/configmaps?watch=1", 2_000, taken_back)),
        ("resets by mistake", stream_after_stream(b"/api/v1/pods", 20_000, reset_by_mistake)),
        ("pings", flood(frame(PING, payload=b"12345678"), 200_000, ANY)),
        ("pings acknowledged", flood(frame(PING, ACK, payload=b"12345678"), 100_000, ANY)),
        ("settings", flood(frame(SETTINGS, payload=struct.pack(">HI", 4, 65535)), 100_000, ANY)),
        ("empty settings", flood(frame(SETTINGS), 100_000, ANY)),
        ("windows", flood(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), 100_000, ANY)),
        ("priorities", flood(frame(2, 0, 3, b"\0\0\0\0\1"), 100_000, ANY)),
        ("unknown frames", flood(frame(0xee, 0, 0, b"x" * 100), 50_000, ANY)),
    ]),
    ("connections", [
        ("a thousand idle", idle_connections),
        ("half open", half_open(b"")),
        ("half a hello", half_open(client_hello(100))),
        ("no TLS", half_open(b"GET / HTTP/1.1\r\n\r\n")),
        ("lists that nobody reads", never_reads_list),
        ("watches that nobody reads", never_reads_watch),
        ("abrupt ends", abrupt_ends),
    ]),
]


def document_case(row):
    _, method, target, media_type, body, code, pattern = row
    return lambda bench: bench.refused(method, target, media_type, body, code, pattern)


DOCUMENTS = [(group, [(row[0], document_case(row)) for row in rows]) for group, rows in bad_documents.DOCUMENTS]
