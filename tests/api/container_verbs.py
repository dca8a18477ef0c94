#!/usr/bin/env python3
"""exec, cp, port-forward and edit of skeg against a small API server of this test's own, whose containers are programs of this machine.

    container_verbs.py [--build build-release] [-v]

What no simulated node can show: bytes of standard input, exit codes, archives in both directions, hostile archives, an editor, the ports
of headless Services, and a list whose continue token expires.
"""
import argparse
import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default", "labels": {"app": "p"}},
       "spec": {"containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}]}, "status": {"phase": "Running"}}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "default", "resourceVersion": "1"}, "data": {"a": "b"}}


def service(name, address):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"clusterIP": address, "selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": "web"}]}}


def status(code, reason, message, **metadata):
    return code, {"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "message": message, "reason": reason, "code": code}


def hostile_archive():
    """Names that lead out of the destination, by themselves and over a link of the archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name, kind=tarfile.REGTYPE, target="", data=b"evil"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, len(data) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
        add("evil/good", data=b"good")
        add("evil/../../outside")
        add("evil/link", tarfile.SYMTYPE, "/tmp")
        add("evil/link/below-a-link")
        add("evil/device", tarfile.CHRTYPE)
        add("evil/hard", tarfile.LNKTYPE, "evil/good")
    return out.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        name = url.path.removeprefix("/api/v1/namespaces/default/")
        fixed = {"pods/p": POD, "services/headless": service("headless", "None"), "services/usual": service("usual", "10.0.0.1"),
                 "configmaps/m": CONFIG_MAP, "pods": {"kind": "PodList", "apiVersion": "v1", "items": [POD]}}
        if name == "pods/p/exec":
            with contextlib.suppress(OSError):  # the client has gone
                self.exec(query)
        elif name == "pods/p/portforward":
            self.upgrade("SPDY/3.1+portforward.k8s.io")
            time.sleep(3)
        elif name == "configmaps":
            self.reply(*self.pages(query.get("continue", [""])[0]))
        elif name in fixed:
            self.reply(200, fixed[name])
        else:
            self.reply(*status(404, "NotFound", f"{name} not found"))

    @staticmethod
    def pages(token):
        """Two pages; the token of the first has expired when it comes back, and is answered with another."""
        if token == "old":
            return status(410, "Expired", "The provided continue parameter is too old", **{"continue": "new"})
        name, following = ("b", "") if token == "new" else ("a", "old")
        return 200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "9", "continue": following},
                     "items": [{"metadata": {"name": name, "namespace": "default"}}]}

    def do_PATCH(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.patches += 1
        self.reply(*status(422, "Invalid", "data: Invalid value: no such thing"))

    # ---- WebSocket (RFC 6455), the accepting side

    def upgrade(self, protocol):
        key = base64.b64encode(hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + MAGIC).digest()).decode()
        self.wfile.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n"
                         f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n".encode())
        self.wfile.flush()
        self.close_connection = True

    def send_message(self, data, opcode=2):
        size = len(data)
        head = bytes([0x80 | opcode]) + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536
                                         else b"\x7f" + struct.pack(">Q", size))
        with self.lock:
            self.wfile.write(head + data)

    def take(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError
        return data

    def messages(self):
        whole = b""
        while True:
            first, second = self.take(2)
            size = second & 0x7f
            if size > 125:
                size = struct.unpack(">H" if size == 126 else ">Q", self.take(2 if size == 126 else 8))[0]
            mask = self.take(4)
            data = self.take(size)
            key = (mask * (size // 4 + 1))[:size]
            whole += (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
            if first & 0x0f == 8:
                return
            if first & 0x80:
                yield whole
                whole = b""

    # ---- exec

    def exec(self, query):
        self.lock = threading.Lock()
        self.upgrade("v5.channel.k8s.io")
        command = query["command"]
        if command[-1] == "evil":
            self.send_message(b"\x01" + hostile_archive())
            self.send_message(b"\x03" + json.dumps({"status": "Success"}).encode())
            self.send_message(struct.pack(">H", 1000), opcode=8)
            return
        process = subprocess.Popen(command, cwd=self.server.root, stdin=subprocess.PIPE if "stdin" in query else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pumps = [threading.Thread(target=self.pump, args=(stream, channel)) for channel, stream in ((1, process.stdout), (2, process.stderr))]
        for pump in pumps:
            pump.start()
        threading.Thread(target=self.feed, args=(process,), daemon=True).start()
        for pump in pumps:
            pump.join()
        code = process.wait()
        result = {"status": "Success"} if code == 0 else {"status": "Failure", "reason": "NonZeroExitCode", "details": {
            "causes": [{"reason": "ExitCode", "message": str(code)}]}}
        self.send_message(b"\x03" + json.dumps(result).encode())
        self.send_message(struct.pack(">H", 1000), opcode=8)

    def pump(self, stream, channel):
        with contextlib.suppress(OSError):
            while data := stream.read1(30000):
                self.send_message(bytes([channel]) + data)
        stream.close()

    def feed(self, process):
        try:
            for message in self.messages():
                if message[0] == 0 and process.stdin:
                    process.stdin.write(message[1:])
                elif message[:2] == b"\xff\x00" and process.stdin:
                    process.stdin.close()
        except (ConnectionError, OSError, ValueError):
            if process.stdin:
                process.stdin.close()


class Bench:
    def __init__(self, args):
        self.skeg = os.path.join(os.path.abspath(args.build), "src", "skeg")
        self.here = tempfile.mkdtemp(prefix="skeg-verbs-")  # where skeg runs
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.root = tempfile.mkdtemp(prefix="skeg-container-")  # where commands of the container run
        self.server.patches = 0
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run(self, *words, data=b"", environment=None, timeout=30):
        command = [self.skeg, words[0], "--server", f"http://127.0.0.1:{self.server.server_port}", *words[1:]]
        return subprocess.run(command, input=data, capture_output=True, cwd=self.here, timeout=timeout, check=False,
                              env={**os.environ, **(environment or {})})

    def path(self, name):
        return os.path.join(self.here, name)

    def close(self):
        self.server.shutdown()
        shutil.rmtree(self.here)
        shutil.rmtree(self.server.root)


def check_exec_input(bench):
    data = os.urandom(5 << 20)
    done = bench.run("exec", "-i", "p", "--", "cat", data=data)
    assert (done.returncode, done.stderr, done.stdout == data) == (0, b"", True), (done.returncode, done.stderr[-300:], len(done.stdout))


def check_exec_code_and_streams(bench):
    done = bench.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n"), done
    assert done.stderr == b"err\ncommand terminated with exit code 7\n", done.stderr


def check_exec_slow_reader(bench):
    """Output that nobody reads stops the connection; it is whole afterwards, and a reader that goes away ends the session."""
    command = [bench.skeg, "exec", "--server", f"http://127.0.0.1:{bench.server.server_port}", "p", "--", "head", "-c", "30000000", "/dev/zero"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1)
        resident = int(next(line for line in open(f"/proc/{process.pid}/status", encoding="ascii") if line.startswith("VmRSS")).split()[1])
        assert resident < 20000, f"{resident} KiB wait in memory"
        assert len(process.stdout.read()) == 30000000
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(1000)
        process.stdout.close()
        assert process.wait(10) == 1 and b"Broken pipe" in process.stderr.read()


def check_cp_file(bench):
    data = os.urandom(3 << 20)
    with open(bench.path("there"), "wb") as out:
        out.write(data)
    assert bench.run("cp", "there", "p:sub").returncode == 0
    assert open(os.path.join(bench.server.root, "sub"), "rb").read() == data
    os.mkdir(os.path.join(bench.server.root, "folder"))
    assert bench.run("cp", "there", "default/p:folder").returncode == 0
    assert open(os.path.join(bench.server.root, "folder/there"), "rb").read() == data
    done = bench.run("cp", "p:folder/there", "back")
    assert done.returncode == 0 and open(bench.path("back"), "rb").read() == data, done.stderr


def check_cp_folder(bench):
    os.makedirs(bench.path("tree/a/b"))
    os.makedirs(bench.path("tree/empty"))
    with open(bench.path("tree/a/b/deep"), "w", encoding="ascii") as out:
        out.write("deep")
    os.chmod(bench.path("tree/a/b/deep"), 0o755)
    os.symlink("a/b/deep", bench.path("tree/link"))
    assert bench.run("cp", "tree", "p:copy").returncode == 0
    assert os.readlink(os.path.join(bench.server.root, "copy/link")) == "a/b/deep"
    done = bench.run("cp", "p:copy", "new/tree")
    assert done.returncode == 0 and b"skipping symlink" in done.stderr, done.stderr
    assert open(bench.path("new/tree/a/b/deep"), encoding="ascii").read() == "deep"
    assert os.access(bench.path("new/tree/a/b/deep"), os.X_OK) and os.path.isdir(bench.path("new/tree/empty"))


def check_cp_hostile(bench):
    os.mkdir(bench.path("safe"))
    os.symlink("/nowhere", bench.path("safe/escape"))
    done = bench.run("cp", "p:evil", "safe/into")
    said = done.stderr.decode()
    assert done.returncode == 0 and "outside target destination" in said and "skipping symlink" in said, said
    assert sorted(os.listdir(bench.path("safe/into"))) == ["good", "hard", "link"], os.listdir(bench.path("safe/into"))
    assert os.listdir(bench.path("safe/into/link")) == ["below-a-link"] and not os.path.exists("/tmp/below-a-link")
    assert open(bench.path("safe/into/hard"), encoding="ascii").read() == "good"
    assert not os.path.exists(bench.path("outside")) and not os.path.exists(bench.path("safe/outside"))
    os.makedirs(bench.path("trap"))
    os.symlink("/tmp", bench.path("trap/link"))  # the destination has a link where the archive has a folder
    done = bench.run("cp", "p:evil", "trap")
    assert done.returncode == 1 and not os.path.exists("/tmp/below-a-link"), done.stderr


def check_cp_refusals(bench):
    for words, text in ((("a", "b"), "one of src or dest must be a remote"), (("p:a", "p:b"), "one of src or dest must be a local"),
                        (("nothere", "p:a"), "doesn't exist in local filesystem"), (("p:", "b"), "filepath can not be empty"),
                        ((":a", "b"), "filespec must match"), (("a",), "source and destination are required"),
                        (("p:nothere", "b"), "command terminated with exit code 2")):
        done = bench.run("cp", *words)
        assert done.returncode == 1 and text in done.stderr.decode(), (words, done.stderr)


def check_forwarded_port(bench):
    """A headless Service has no translation of ports: its pods are reached at the port itself."""
    for name, port in (("headless", 80), ("usual", 8080)):
        done = bench.run("port-forward", f"service/{name}", ":80", timeout=20)
        assert f"-> {port}\n" in done.stdout.decode(), (name, done.stdout, done.stderr)


def check_edit_ends(bench):
    """A text that the server refuses comes back once with its words; left as it is, it ends."""
    editor = bench.path("editor")
    with open(editor, "w", encoding="ascii") as out:
        out.write("#!/bin/sh\necho edited >> $COUNT\nexec sed -i 's/^  a: .*/  a: changed/' \"$1\"\n")
    os.chmod(editor, 0o755)
    done = bench.run("edit", "configmap", "m", environment={"KUBE_EDITOR": editor, "COUNT": bench.path("count")}, timeout=20)
    edits = open(bench.path("count"), encoding="ascii").read().count("edited")
    assert done.returncode == 1 and b"no such thing" in done.stderr, done
    assert (edits, bench.server.patches) == (2, 2), (edits, bench.server.patches)


def check_list_goes_on(bench):
    done = bench.run("get", "configmaps", "-o", "name")
    assert done.stdout == b"configmap/a\nconfigmap/b\n", (done.stdout, done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    checks = [(name, fn) for name, fn in globals().items() if name.startswith("check_")]
    failed = 0
    for name, check in checks:
        bench = Bench(args)
        try:
            check(bench)
            if args.v:
                print(f"ok   {name}", flush=True)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAIL {name}: {type(error).__name__} {str(error)[:900]}", flush=True)
        finally:
            bench.close()
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
