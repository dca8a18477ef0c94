"""Connections that may break every rule: bytes of HTTP/1 and frames of HTTP/2 as the caller wants them.

    with Raw(control) as raw:
        raw.send(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        code, headers, body = raw.reply()
"""
import http.client
import socket
import ssl
import struct

TIMEOUT_S = 20
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # RFC 7541, appendix A


class Closed(Exception):
    """The peer ended the connection."""


def tcp(control, timeout=TIMEOUT_S, receive_buffer=0):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(timeout)
    s.connect(("127.0.0.1", control.port))
    return s


class Raw:
    """TLS to control; alpn: ["h2"] for HTTP/2."""

    def __init__(self, control, alpn=(), timeout=TIMEOUT_S, receive_buffer=0):
        context = control.tls()
        if alpn:
            context.set_alpn_protocols(list(alpn))
        self.token = control.token()
        self.socket = context.wrap_socket(tcp(control, timeout, receive_buffer), server_hostname="127.0.0.1")

    def send(self, data):
        """Gives False when the peer closed while it was sent."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionError, ssl.SSLError):
            return False

    def receive(self, size=65536):
        try:
            data = self.socket.recv(size)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        return data

    def reply(self, method="GET"):
        """(code, headers, body) of HTTP/1; raises Closed when there is none."""
        reply = http.client.HTTPResponse(self.socket, method=method)
        try:
            reply.begin()
            return reply.status, reply.headers, reply.read().decode("utf-8", "replace")
        except (http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def is_closed(self):
        """Reads whatever comes until the peer ends it; False when it stays silent for the timeout."""
        try:
            while True:
                self.receive()
        except Closed:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---------------------------------------------------------------- HTTP/2


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def hpack_int(value, prefix, first=0):
    """RFC 7541 §5.1."""
    top = (1 << prefix) - 1
    if value < top:
        return bytes([first | value])
    out, value = [first | top], value - top
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def hpack_field(name, value, is_indexed=False):
    """A literal, without Huffman's code."""
    def text(s):
        return hpack_int(len(s), 7) + s
    return (b"\x40" if is_indexed else b"\x00") + text(name) + text(value)


def head(path=b"/version", token="", method=b"GET", more=()):
    fields = [(b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", b"x")]
    if token:
        fields.append((b"authorization", b"Bearer " + token.encode()))
    return b"".join(hpack_field(name, value) for name, value in [*fields, *more])


class Http2(Raw):
    def __init__(self, control, settings=b"", **options):
        super().__init__(control, alpn=["h2"], **options)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.buffer = b""
        self.send(PREFACE + frame(SETTINGS, payload=settings))

    def request(self, stream, block, is_ended=True):
        return self.send(frame(HEADERS, END_HEADERS | (END_STREAM if is_ended else 0), stream, block))

    def next_frame(self):
        """(kind, flags, stream, payload)."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            self.buffer += self.receive()
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        return kind, flags, stream, payload

    def outcome(self, stream):
        """How a request ended: its status, "reset", "goaway" or "closed"."""
        try:
            while True:
                kind, _, at, payload = self.next_frame()
                if kind == GOAWAY:
                    return "goaway"
                if at == stream and kind == RST_STREAM:
                    return "reset"
                if at == stream and kind == HEADERS:
                    return status_of(payload)
        except Closed:
            return "closed"


def status_of(block):
    """The first field of a reply is its :status; the size of the table may be told before."""
    while block and block[0] & 0xe0 == 0x20:
        block = block[1:]
    if block[0] & 0x80:
        return STATIC_STATUS.get(block[0] & 0x7f, 0)
    size = block[1] & 0x7f
    return 0 if block[1] & 0x80 else int(block[2:2 + size])
