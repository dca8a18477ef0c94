"""A small client of the Kubernetes API on Python's standard library: what the demo, the tests and the bench share.

    cluster = Cluster.from_kubeconfig("/var/lib/skeg/server/admin.kubeconfig")
    code, pod = cluster.call("GET", "/api/v1/namespaces/default/pods/web")
    for event in cluster.watch("/api/v1/pods"): ...
"""
import base64
import http.client
import json
import os
import re
import ssl
import tempfile
import time
import urllib.parse

http.client._MAXHEADERS = 1000  # one Warning header for each unknown field


class Refused(Exception):
    """The server answered, and not with success."""

    def __init__(self, method, path, code, body):
        message = body.get("message") if isinstance(body, dict) else body
        super().__init__(f"{method} {path}: {code} {message}")
        self.code, self.body = code, body


class Cluster:
    """One keep-alive connection; connects again when the server closed it. One thread each."""

    def __init__(self, url, context=None, token=None, timeout=30):
        self.url, self.context, self.token, self.timeout = urllib.parse.urlsplit(url), context, token, timeout
        self.connection = None

    @classmethod
    def from_kubeconfig(cls, path, **options):
        """Takes the first cluster and user of the file: what skeg writes holds one of each."""
        text = open(path, encoding="utf-8").read()

        def field(name):
            found = re.search(rf'"?{name}"?:\s*"?([^\s",}}]+)', text)
            return found.group(1) if found else None

        context = ssl.create_default_context()
        if field("certificate-authority-data"):
            context.load_verify_locations(cadata=base64.b64decode(field("certificate-authority-data")).decode())
        if field("client-certificate-data"):
            with tempfile.NamedTemporaryFile(prefix="skeg-", suffix=".pem") as pem:  # mode 0600
                for name in ("client-certificate-data", "client-key-data"):
                    pem.write(base64.b64decode(field(name)) + b"\n")
                pem.flush()
                context.load_cert_chain(pem.name)
        return cls(field("server"), context, field("token"), **options)

    def another(self):
        """The same cluster by a connection of its own."""
        return Cluster(urllib.parse.urlunsplit(self.url), self.context, self.token, self.timeout)

    def connect(self):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port or 443, timeout=self.timeout,
                                           context=self.context)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def exchange(self, method, target, headers=None, body=None):
        """Sends once, or twice when an idle connection turned out to be closed; gives (code, headers, text)."""
        given = {"Accept": "application/json"}
        if self.token:
            given["Authorization"] = "Bearer " + self.token
        if body is not None:
            given["Content-Type"] = "application/json"
        given.update(headers or {})
        while True:
            is_fresh = self.connection is None
            self.connection = self.connection or self.connect()
            try:
                return self._once(method, target, given, body)
            except (http.client.HTTPException, OSError) as error:
                self.close()
                if is_fresh or isinstance(error, TimeoutError):
                    raise ConnectionError(f"{method} {target}: {error or type(error).__name__}") from error

    def _once(self, method, target, headers, body):
        c = self.connection
        if c.sock is None:
            c.connect()
        c.putrequest(method, target, skip_accept_encoding=True)
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                if value != "":
                    c.putheader(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            c.putheader("Content-Length", str(len(body or b"")))
        try:
            c.endheaders(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may refuse a large body before it has read all of it: the answer is there
        reply = c.getresponse()
        text = reply.read().decode("utf-8", "replace")
        if reply.will_close:
            self.close()
        return reply.status, reply.headers, text

    def call(self, method, path, body=None, media_type=None):
        """Gives (code, document)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": media_type} if media_type else {}
        code, _, text = self.exchange(method, path, headers, data)
        try:
            return code, json.loads(text)
        except ValueError:
            return code, text

    def get(self, path):
        return self._must("GET", path)

    def create(self, path, body):
        return self._must("POST", path, body)

    def _must(self, method, path, body=None):
        code, document = self.call(method, path, body)
        if code >= 400:
            raise Refused(method, path, code, document)
        return document

    def watch(self, path, query="", timeout=60):
        """Yields events (dicts) until the server ends the stream, or TimeoutError after `timeout` silent seconds."""
        connection = self.connect()
        connection.timeout = timeout
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            connection.request("GET", f"{path}?watch=1{'&' if query else ''}{query}", headers=headers)
            reply = connection.getresponse()
            if reply.status != 200:
                raise Refused("GET", path, reply.status, reply.read().decode("utf-8", "replace"))
            for line in reply:
                if line.strip():
                    yield json.loads(line)
        finally:
            connection.close()


def wait_for(what, probe, timeout, every=0.1):
    """Calls probe() until it gives something true, and gives that; TimeoutError names what."""
    deadline, last = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        try:
            found = probe()
            if found:
                return found
        except (OSError, Refused) as error:
            last = error
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {timeout} s" + (f" ({last})" if last else ""))


def is_ready(document):
    """Of a pod or a node."""
    conditions = document.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def default_data_dir():
    return "/var/lib/skeg" if os.geteuid() == 0 else os.path.expanduser("~/.local/share/skeg")
