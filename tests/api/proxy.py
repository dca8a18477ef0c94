#!/usr/bin/env python3
"""The proxy subresources of pods, services and nodes, with real servers behind them.

    proxy.py [--build build]

Ends with `N passed, N failed, N skipped`.  The servers listen on this machine's own address, since loopback addresses are never
dialled; without another address everything is skipped.
"""
import base64
import hashlib
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from cluster_api import wait_for  # noqa: E402
from outcomes import Missing, Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402
from raw_http import Raw  # noqa: E402

PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BIG = 24 << 20


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            address = s.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


class Backend(http.server.BaseHTTPRequestHandler):
    """Tells what it got; some paths answer in a special way."""

    protocol_version = "HTTP/1.1"
    sent = 0

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while size := int(self.rfile.readline(), 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def answer(self, code, headers, data):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def slow_echo(self):
        """Each piece goes back as it comes: both bodies stream at once."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while size := int(self.rfile.readline(), 16):
            data = self.rfile.read(size)
            self.rfile.readline()
            self.wfile.write(b"%x\r\n%s\r\n" % (size, data))
            self.wfile.flush()
        self.rfile.readline()  # what is left unread makes the end of the connection a reset
        self.wfile.write(b"0\r\n\r\n")

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        while data := self.connection.recv(65536):
            self.connection.sendall(data.upper())
        self.close_connection = True

    def big(self):
        self.send_response(200)
        self.send_header("Content-Length", str(BIG))
        self.end_headers()
        piece = b"x" * 65536
        try:
            for _ in range(BIG // len(piece)):
                self.wfile.write(piece)
                Backend.sent += len(piece)
        except OSError:
            self.close_connection = True

    def serve(self):
        path = self.path.split("?")[0]
        if path == "/echo":
            self.slow_echo()
        elif path == "/ws" and self.headers.get("Upgrade") == "websocket":
            self.websocket()
        elif path == "/big":
            self.big()
        elif path == "/broken":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            self.close_connection = True
        elif path.startswith("/early/"):
            hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n"
            self.wfile.write(hint * int(path[7:]) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
            self.close_connection = True
        elif path == "/mute":
            self.close_connection = True
        elif path == "/moved":
            self.answer(302, [("Location", "/there/?a=b"), ("Access-Control-Allow-Origin", "*")], b"")
        elif path == "/page":
            self.answer(200, [("Content-Type", "text/html; charset=utf-8")],
                        b'<!-- <a href="/c"> --><a class=x href="/a?b=/c">a</a><img src=\'/i.png\'><a href="rel">'
                        b'<script>if (a < b) "<a href=\\"/no\\">"</script><link href=/l><a href="http://other.test/x">')
        else:
            self.answer(418 if path == "/tea" else 200, [("Content-Type", "application/json"), ("X-Own", "1")], json.dumps({
                "method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": self.body().decode()}).encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


def tls_server(folder, address):
    """A Backend behind a certificate that nobody vouches for."""
    certificate, key = os.path.join(folder, "backend.crt"), os.path.join(folder, "backend.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", certificate, "-subj", "/CN=backend", "-days", "2"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server((address, 0), Backend)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


class World:
    """A control plane, a pod whose address is the server's, and Services before it."""

    def __init__(self, control, address, port, tls_port):
        self.control, self.port, self.tls_port = control, port, tls_port
        self.cluster = control.cluster()
        self.cluster.create(PODS, {"metadata": {"name": "web"}, "spec": {"automountServiceAccountToken": False,
                            "schedulerName": "none", "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": port}]}]}})
        self.cluster.call("PATCH", PODS + "/web/status", {"status": {"podIP": address, "podIPs": [{"ip": address}]}},
                          "application/merge-patch+json")
        self.service("web", "web", address)
        self.service("foreign", None, address)
        self.service("empty", None, None)

    def service(self, name, pod, address):
        self.cluster.create(SERVICES, {"metadata": {"name": name}, "spec": {"ports": [{"name": "http", "port": 80}]}})
        target = {"targetRef": {"kind": "Pod", "name": pod, "namespace": "default"}} if pod else {}
        subsets = [{"addresses": [{"ip": address, **target}], "ports": [{"name": "http", "port": self.port}]}] if address else []
        self.cluster.create("/api/v1/namespaces/default/endpoints", {"metadata": {"name": name}, "subsets": subsets})

    def ask(self, path, method="GET", headers=None, body=None):
        code, headers, text = self.cluster.exchange(method, path, headers, body)
        try:
            return code, headers, json.loads(text)
        except ValueError:
            return code, headers, text


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def test_methods(w):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        body = None if method in ("GET", "DELETE", "OPTIONS") else b"some bytes"
        code, headers, got = w.ask(PODS + "/web/proxy/a/b%20c?d=e&f", method, body=body)
        same((code, got["method"], got["path"], got["body"]), (200, method, "/a/b%20c?d=e&f", (body or b"").decode()))
        same(headers["X-Own"], "1")
    code, headers, text = w.ask(PODS + "/web/proxy/x", "HEAD")
    same((code, text), (200, ""))
    assert int(headers["Content-Length"]) > 0
    same(w.ask(PODS + "/web/proxy/tea")[0], 418)


def test_headers(w):
    path = PODS + "/web/proxy/x/"
    code, _, got = w.ask(path, headers={"X-Mine": "1", "Connection": "x-hop", "X-Hop": "1", "X-Forwarded-For": "192.0.2.7",
                                        "Te": "gzip"})
    h = got["headers"]
    same((code, h["x-mine"], h["x-forwarded-uri"], h["x-forwarded-for"]), (200, "1", path, "192.0.2.7, 127.0.0.1"))
    for name in ("authorization", "x-hop", "te"):
        assert name not in h, name
    same(h["host"], f"127.0.0.1:{w.control.port}")


def test_names(w):
    port = w.port
    for path in (f"{PODS}/web:{port}", f"{PODS}/http:web:{port}", f"{SERVICES}/web:http", f"{SERVICES}/web:80", f"{SERVICES}/:web:80"):
        same(w.ask(path + "/proxy/x")[0], 200)
    for path, code, message in (
            (f"{SERVICES}/empty:http", 503, 'no endpoints available for service "empty"'),
            (f"{SERVICES}/foreign:http", 503, 'no endpoints available for service "foreign:http"'),
            (f"{SERVICES}/web:81", 503, 'no service port 81 found for service "web"'),
            (f"{SERVICES}/ftp:web:80", 400, 'invalid service request "ftp:web:80"'),
            (f"{PODS}/web:1:2:3", 400, 'invalid pod request "web:1:2:3"'),
            (f"{PODS}/absent", 404, 'pods "absent" not found')):
        got = w.ask(path + "/proxy/x")
        same((got[0], got[2]["message"]), (code, message))


def test_https(w):
    code, _, got = w.ask(f"{PODS}/https:web:{w.tls_port}/proxy/a?b=c", "POST", body=b"some bytes")
    same((code, got["path"], got["body"]), (200, "/a?b=c", "some bytes"))
    code, _, got = w.ask(f"{PODS}/http:web:{w.tls_port}/proxy/a")
    same(code, 503)
    code, _, got = w.ask(f"{PODS}/https:web:{w.port}/proxy/a")
    same(code, 503)


def test_unreachable(w):
    with socket.socket() as s:
        s.bind(("", 0))
        code, _, got = w.ask(f"{PODS}/web:{s.getsockname()[1]}/proxy/x")
    same((code, got["reason"]), (503, "ServiceUnavailable"))
    assert got["message"].startswith("error trying to reach service: dial tcp "), got["message"]
    assert got["message"].endswith("connect: connection refused"), got["message"]
    code, _, got = w.ask(PODS + "/web/proxy/mute")
    same((code, got["message"]), (503, "error trying to reach service: EOF"))


def test_root(w):
    code, headers, _ = w.ask(PODS + "/web/proxy?a=b")
    same((code, headers["Location"]), (301, PODS + "/web/proxy/?a=b"))
    same(w.ask(PODS + "/web/proxy", "POST", body=b"x")[2]["path"], "/")
    same(w.ask(PODS + "/web/proxy/a//../../../b/./")[2]["path"], "/b/")


def test_links(w):
    code, headers, _ = w.ask(PODS + "/web/proxy/moved")
    same((code, headers["Location"]), (302, PODS + "/web/proxy/there/?a=b"))
    assert "Access-Control-Allow-Origin" not in headers
    prefix = SERVICES + "/web:http/proxy"
    code, _, text = w.ask(prefix + "/page", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    same((code, text), (200, f'<!-- <a href="/c"> --><a class=x href="{prefix}/a?b=/c">a</a><img src=\'{prefix}/i.png\'><a href="rel">'
                        f'<script>if (a < b) "<a href=\\"/no\\">"</script><link href={prefix}/l><a href="http://other.test/x">'))


def start(raw, method, path, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Authorization: Bearer " + raw.token, *headers]
    raw.send(("\r\n".join(lines) + "\r\n\r\n").encode())


def read_until(raw, end, have=b""):
    while end not in have:
        have += raw.receive()
    return have


def test_both_ways(w):
    """The second piece is sent when the first has come back."""
    with Raw(w.control) as raw:
        start(raw, "POST", PODS + "/web/proxy/echo", "Transfer-Encoding: chunked")
        have = b""
        for word in (b"first", b"second"):
            raw.send(b"%x\r\n%s\r\n" % (len(word), word))
            have = read_until(raw, word, have)
        raw.send(b"0\r\n\r\n")
        read_until(raw, b"\r\n0\r\n\r\n", have)


def test_large_upload(w):
    data = os.urandom(6 << 20).hex().encode()  # beyond what other requests may bring
    code, _, got = w.ask(PODS + "/web/proxy/up", "POST", body=data)
    same((code, got["body"] == data.decode()), (200, True))


def test_http2(w):
    """What kubectl speaks: a body in, a body out, and one that is refused before it was sent."""
    if not shutil.which("curl"):
        raise Missing("curl is not installed")
    data = os.urandom(3 << 20).hex().encode()
    with tempfile.NamedTemporaryFile() as body:
        body.write(data)
        body.flush()

        def curl(path, *options):
            done = subprocess.run(["curl", "-s", "--http2", "--cacert", os.path.join(w.control.data_dir, "tls", "server-ca.crt"),
                                   "-H", "Authorization: Bearer " + w.control.token(), "-w", "\n%{http_version} %{http_code}",
                                   *options, f"https://127.0.0.1:{w.control.port}{path}"], capture_output=True, timeout=30)
            return done.stdout.rsplit(b"\n", 1)

        text, last = curl(PODS + "/web/proxy/up", "--data-binary", "@" + body.name)
        same((last, json.loads(text)["body"] == data.decode()), (b"2 200", True))
        text, last = curl(PODS + "/web/proxy/x")
        same((last, "transfer-encoding" in json.loads(text)["headers"]), (b"2 200", False))
        same(curl(PODS + "/absent/proxy/up", "--data-binary", "@" + body.name)[1], b"2 404")
        text, last = curl(PODS + "/web/proxy/big")
        same((last, len(text)), (b"2 200", BIG))


def test_back_pressure(w):
    before, Backend.sent = w.control.rss_kib(), 0
    with Raw(w.control, receive_buffer=4096) as raw:
        start(raw, "GET", PODS + "/web/proxy/big")
        raw.receive(100)
        last = -1
        while Backend.sent != last:
            last = Backend.sent
            time.sleep(0.3)
        assert last < BIG, "the server was never stopped"
        grown = w.control.rss_kib() - before
        assert grown < 8 << 10, f"{grown} KiB more"
        got = 100
        while got < BIG:
            got += len(raw.receive())


def test_broken(w):
    with Raw(w.control) as raw:
        start(raw, "GET", PODS + "/web/proxy/broken")
        have = b""
        try:
            while True:
                have += raw.receive()
        except Exception:  # noqa: BLE001  Closed: the length that was promised never comes
            pass
        assert have.endswith(b"short") or b"short" not in have, have
    same(w.ask(PODS + "/web/proxy/x")[0], 200)


def test_interim_replies(w):
    code, _, body = w.ask(PODS + "/web/proxy/early/5")
    same((code, body), (200, b"late"))
    code, _, got = w.ask(PODS + "/web/proxy/early/6")
    same((code, got["message"]), (503, "error trying to reach service: too many 1xx informational responses"))


def test_upgrade(w):
    with Raw(w.control) as raw:
        key = base64.b64encode(os.urandom(16)).decode()
        start(raw, "GET", PODS + "/web/proxy/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: " + key)
        head = read_until(raw, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert base64.b64encode(hashlib.sha1((key + WEBSOCKET).encode()).digest()) in head, head
        raw.send(b"hello")
        read_until(raw, b"HELLO")
    with Raw(w.control) as raw:
        start(raw, "GET", PODS + "/web/proxy/x", "Connection: Upgrade", "Upgrade: websocket")
        code, _, _ = raw.reply()
        same(code, 200)


def test_rights(w):
    for method, verb in (("GET", "get"), ("POST", "create"), ("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete")):
        w.cluster.create("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", {"metadata": {"name": verb}, "rules": [
            {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": [verb]}]})
        w.cluster.create("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {
            "metadata": {"name": verb}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": verb},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": verb}]})
        for asked in ("GET", "POST"):
            code, _, got = w.ask(PODS + "/web/proxy/x", asked, {"Impersonate-User": verb})
            same(code, 200 if asked == method else 403)
            if code == 200:
                assert "impersonate-user" not in got["headers"]


def test_nodes(w):
    code, _, got = w.ask("/api/v1/nodes/absent/proxy/pods")
    same((code, got["message"]), (404, 'nodes "absent" not found'))


TESTS = [test_methods, test_headers, test_names, test_https, test_unreachable, test_root, test_links, test_both_ways, test_large_upload,
         test_http2, test_back_pressure, test_broken, test_upgrade, test_rights, test_nodes]


def main():
    parser = option_parser("The proxy subresources.")
    parser.add_argument("--only")
    args = parser.parse_args()
    address = own_address()
    if not address:
        return skipped(len(TESTS), "this machine has no address but loopback")
    outcomes = Outcomes()
    with tempfile.TemporaryDirectory() as folder, OwnControl(args.build, simulated_nodes=0, is_memory=True) as control:
        wait_for("the account", lambda: control.cluster().get("/api/v1/namespaces/default/serviceaccounts/default"), 10)
        servers = Server((address, 0), Backend), tls_server(folder, address)
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        world = World(control, address, *(server.server_address[1] for server in servers))
        outcomes.each([test for test in TESTS if (args.only or "") in test.__name__], world)
        outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
