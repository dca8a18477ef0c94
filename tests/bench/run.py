#!/usr/bin/env python3
"""make bench: what skeg costs, against its bars.

    run.py [--build build-release] [--quick] [--only NAME] [--json FILE] [--no-pods]

Prints `name value unit bar` a line. --quick measures shorter; figures then are for comparing, not for the record. The part with real
pods needs root and starts a cluster with the web application. Exit code 1 when a figure misses its bar.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests/cluster"), os.path.join(TOP, "demo")]

from cluster_api import wait_for  # noqa: E402
from own_server import OwnServer, free_port  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
# name -> (unit, bar or None, what is better); a bar of None is for information.
BARS = {
    "binary, stripped": ("MiB", 8),
    "start to ready, cold": ("s", 0.3),
    "PSS of control, empty": ("MiB", 25),
    "idle CPU of control, two simulated nodes": ("%", 0.5),
    "idle bytes written by control": ("B", 0),
    "OpenAPI v3: index, first time, server CPU": ("ms", 30),
    "OpenAPI v3: all documents after it, server CPU": ("ms", None),
    "OpenAPI v2: protobuf, first time, server CPU": ("ms", 30),
    "OpenAPI v2: JSON, first time, server CPU": ("ms", 30),
    "create, one client": ("/s", None),
    "create, 16 clients": ("/s", None),
    "create, 64 clients": ("/s", None),
    "create, server CPU": ("µs", 120),
    "apply of a Deployment, unchanged, server CPU": ("µs", 250),
    "create of a Deployment, dry run, server CPU": ("µs", 250),
    "create of a Deployment, with its controllers": ("µs", None),
    "get, 16 clients": ("/s", None),
    "get, server CPU": ("µs", None),
    "GET h2 64 clients 1 KB, server CPU": ("µs", None),
    "nghttpd 1 KB, server CPU": ("µs", None),
    "GET above nghttpd": ("µs", 20),
    "GET h2 64 clients": ("/s", None),
    "LIST of 500 pods as Table": ("ms", 1.5),
    "LIST of 500 pods as Table, server CPU": ("ms", None),
    "watch events delivered, 100 watchers": ("/s", None),
    "watch, server CPU an event": ("µs", None),
    "demo: make up": ("s", 25),
    "demo: PSS of control": ("MiB", 25),
    "demo: PSS of a node agent": ("MiB", 15),
    "demo: idle CPU of control": ("%", 0.5),
    "demo: idle CPU of a node agent": ("%", None),
    "demo: bytes written by control": ("B", 0),
}


class Figures:
    def __init__(self):
        self.rows, self.missed = [], 0

    def add(self, name, value):
        unit, bar = BARS[name]
        mark = "" if bar is None else "ok" if value <= bar else "MISSED"
        self.missed += mark == "MISSED"
        self.rows.append({"name": name, "value": value, "unit": unit, "bar": bar})
        print(f"{name:<46} {value:>12.3f} {unit:<4} {'≤ %g' % bar if bar is not None else '':<8} {mark}", flush=True)


# ---------------------------------------------------------------- reading /proc


def cpu_s(pid):
    """User and system time in seconds: by the scheduler's own count where there is one, else in clock ticks."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            total += int(open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii").read().split()[0])
    if total:
        return total / 1e9
    words = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def pss_mib(pid):
    text = open(f"/proc/{pid}/smaps_rollup", encoding="ascii").read()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024


def written(pid):
    """Bytes that went towards the disk; what goes to sockets is not among them."""
    return int(re.search(r"^write_bytes: (\d+)", open(f"/proc/{pid}/io", encoding="ascii").read(), re.MULTILINE).group(1))


class Idle:
    """What processes cost while nobody asks anything of them."""

    def __init__(self, pids, seconds):
        before = [(cpu_s(p), written(p)) for p in pids]
        time.sleep(seconds)
        after = [(cpu_s(p), written(p)) for p in pids]
        self.cpu_percent = [(a[0] - b[0]) / seconds * 100 for a, b in zip(after, before)]
        self.bytes = [a[1] - b[1] for a, b in zip(after, before)]


# ---------------------------------------------------------------- without load


def bench_binary(args, figures):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "skeg")
        subprocess.run(["strip", "-o", path, os.path.join(args.build, "src", "skeg")], check=True)
        figures.add("binary, stripped", os.path.getsize(path) / 2**20)


def drop_caches():
    with contextlib.suppress(OSError):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as out:
            out.write("1")


def bench_start(args, figures):
    """From the command to the first answer of /readyz: new folder, keys made, nothing in the page cache where root may empty it."""
    times = []
    for _ in range(3 if args.quick else 5):
        drop_caches()
        server = OwnServer(args.build, is_memory=False)
        try:
            began = time.monotonic()
            server.start()
            cluster = server.cluster()
            wait_for("/readyz", lambda: cluster.exchange("GET", "/readyz")[0] == 200, 10, 0.002)
            times.append(time.monotonic() - began)
        finally:
            server.__exit__()
    figures.add("start to ready, cold", statistics.median(times))


def bench_idle(args, figures):
    with OwnServer(args.build, is_memory=False) as server:
        wait_for("nodes", lambda: len(server.cluster().get("/api/v1/nodes")["items"]) == 2, 10)
        time.sleep(15)  # events and the first lease of each node are written by then
        pid = server.control_pid()
        figures.add("PSS of control, empty", pss_mib(pid))
        idle = Idle([pid], 20 if args.quick else 60)
        figures.add("idle CPU of control, two simulated nodes", idle.cpu_percent[0])
        figures.add("idle bytes written by control", idle.bytes[0])


# ---------------------------------------------------------------- under load

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def bench_documents(args, figures):
    """What is made when the first client asks, with compression; the connection stands already."""
    with OwnServer(args.build, is_memory=True) as server:
        cluster, pid = server.cluster(), server.control_pid()
        gzip = {"Accept-Encoding": "gzip"}
        protobuf = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", **gzip}
        cluster.get("/version")
        index, cpu = measured(pid, lambda: cluster.get("/openapi/v3"))
        figures.add("OpenAPI v3: index, first time, server CPU", cpu * 1e3)

        def ask(path, headers):
            code = cluster.exchange("GET", path, headers)[0]
            assert code == 200, f"{path}: {code}"

        _, cpu = measured(pid, lambda: [ask(one["serverRelativeURL"], gzip) for one in index["paths"].values()])
        figures.add("OpenAPI v3: all documents after it, server CPU", cpu * 1e3)
        _, cpu = measured(pid, lambda: ask("/openapi/v2", protobuf))
        figures.add("OpenAPI v2: protobuf, first time, server CPU", cpu * 1e3)
        _, cpu = measured(pid, lambda: ask("/openapi/v2", gzip))
        figures.add("OpenAPI v2: JSON, first time, server CPU", cpu * 1e3)


def config_map(name):
    return {"metadata": {"name": name}, "data": {"text": "x" * 700}}


def in_threads(count, work):
    """work(number) in each; seconds until all are done."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
    return time.monotonic() - began


def create_all(cluster, prefix, count):
    for number in range(count):
        cluster.create(CONFIG_MAPS, config_map(f"{prefix}-{number}"))


def h2load(url, requests, clients, headers=(), options=()):
    """Requests a second; every answer must be a success."""
    command = ["h2load", "-n", str(requests), "-c", str(clients), "-m", "1", "-t", "1", *options]
    for header in headers:
        command += ["-H", header]
    text = subprocess.run(command + [url], capture_output=True, text=True, check=True).stdout
    if f"{requests} succeeded" not in text:
        raise ConnectionError(f"h2load {url}: {text}")
    return float(re.search(r"([\d.]+) req/s", text).group(1))


def measured(pid, work):
    """(what work gives, CPU seconds of the process meanwhile)."""
    before = cpu_s(pid)
    result = work()
    return result, cpu_s(pid) - before


def h2load_body(server, path, body, requests, clients, content_type="application/json", options=()):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(body, file)
        file.flush()
        return h2load(f"https://127.0.0.1:{server.port}{path}", requests, clients,
                      [f"authorization: Bearer {server.token()}", f"content-type: {content_type}"], ["-d", file.name, *options])


def h2load_create(server, requests, clients):
    """The same body each time: the server makes the names."""
    return h2load_body(server, CONFIG_MAPS, {"metadata": {"generateName": "load-"}, "data": {"text": "x" * 700}}, requests, clients)


def bench_writes(args, figures, server):
    count = 300 if args.quick else 2000
    create_all(server.cluster(), "one", 3)
    figures.add("create, one client", h2load_create(server, count, 1))
    figures.add("create, 16 clients", h2load_create(server, 4 * count, 16))
    rate, cpu = measured(server.control_pid(), lambda: h2load_create(server, 10 * count, 64))
    figures.add("create, 64 clients", rate)
    figures.add("create, server CPU", cpu / (10 * count) * 1e6)


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
APPLY = "application/apply-patch+yaml"


def deployment(**metadata):
    """Without replicas: no pods come of it."""
    container = {"name": "main", "image": "registry.example/web:1", "ports": [{"name": "http", "containerPort": 8080}],
                 "env": [{"name": "MODE", "value": "bench"}], "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                 "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}}


def bench_deployments(args, figures, server):
    """What controllers do for each new one goes on behind the replies: the clock stops when the last has been looked at."""
    count, pid, cluster = 500 if args.quick else 5000, server.control_pid(), server.cluster()
    path = f"{DEPLOYMENTS}/applied?fieldManager=bench&force=true"

    def apply(requests, clients):
        return h2load_body(server, path, deployment(name="applied"), requests, clients, APPLY, ["-H", ":method: PATCH"])

    def is_observed(name):
        return cluster.get(f"{DEPLOYMENTS}/{name}").get("status", {}).get("observedGeneration")

    def create(query=""):
        h2load_body(server, DEPLOYMENTS + query, deployment(generateName="load-"), count, 64)

    def create_and_wait():
        create()
        cluster.create(DEPLOYMENTS, deployment(name="last"))
        wait_for("the controller", lambda: is_observed("last"), 60, 0.1)

    apply(1, 1)
    wait_for("the controller", lambda: is_observed("applied"), 10)
    _, cpu = measured(pid, lambda: apply(4 * count, 64))
    figures.add("apply of a Deployment, unchanged, server CPU", cpu / (4 * count) * 1e6)
    _, cpu = measured(pid, lambda: create("?dryRun=All"))
    figures.add("create of a Deployment, dry run, server CPU", cpu / count * 1e6)
    _, cpu = measured(pid, create_and_wait)
    figures.add("create of a Deployment, with its controllers", cpu / count * 1e6)


def bench_reads(args, figures, server):
    pid, count = server.control_pid(), 200 if args.quick else 1000

    def read(_):
        cluster = server.cluster()
        for _ in range(count):
            cluster.get(f"{CONFIG_MAPS}/one-1")

    seconds, cpu = measured(pid, lambda: in_threads(16, read))
    figures.add("get, 16 clients", 16 * count / seconds)
    figures.add("get, server CPU", cpu / (16 * count) * 1e6)


def bench_h2(args, figures, server):
    """h2load with the admin's token against the API server, and against nghttpd with a file of as many bytes."""
    requests = 20000 if args.quick else 100000
    url = f"https://127.0.0.1:{server.port}{CONFIG_MAPS}/one-1"
    body = server.cluster().exchange("GET", f"{CONFIG_MAPS}/one-1")[2].encode()
    rounds, rates, ours, theirs = 2 if args.quick else 3, [], [], []
    with nghttpd(body) as (floor_url, floor_pid):
        for _ in range(rounds):
            rate, cpu = measured(server.control_pid(), lambda: h2load(url, requests, 64, [f"authorization: Bearer {server.token()}"]))
            rates.append(rate)
            ours.append(cpu / requests * 1e6)
            _, cpu = measured(floor_pid, lambda: h2load(floor_url, requests, 64))
            theirs.append(cpu / requests * 1e6)
    figures.add("GET h2 64 clients", statistics.median(rates))
    figures.add("GET h2 64 clients 1 KB, server CPU", statistics.median(ours))
    figures.add("nghttpd 1 KB, server CPU", statistics.median(theirs))
    figures.add("GET above nghttpd", statistics.median(ours) - statistics.median(theirs))


@contextlib.contextmanager
def nghttpd(body):
    """(URL, pid) of one that serves these bytes over TLS."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "file"), "wb") as out:
            out.write(body)
        key, cert, port = os.path.join(folder, "key"), os.path.join(folder, "cert"), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        process = subprocess.Popen(["nghttpd", "-d", folder, "-n", "1", str(port), key, cert], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            url = f"https://127.0.0.1:{port}/file"
            wait_for("nghttpd", lambda: h2load(url, 1, 1), 10)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


POD = {"spec": {"containers": [{"name": "main", "image": "registry.example/web:1", "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}]}}


def bench_list(args, figures, server):
    """500 pods as kubectl asks for them; time on one connection, the least of some rounds, since the rest is the machine's noise."""
    cluster = server.cluster()
    for number in range(500):
        cluster.create("/api/v1/namespaces/default/pods", {"metadata": {"name": f"pod-{number:03}"}, **POD})
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    count, times = 20 if args.quick else 100, []

    def ask():
        for _ in range(count):
            began = time.monotonic()
            code, _, text = cluster.exchange("GET", "/api/v1/namespaces/default/pods?limit=500", accept)
            times.append(time.monotonic() - began)
            assert code == 200 and '"Table"' in text[:200]

    _, cpu = measured(server.control_pid(), ask)
    figures.add("LIST of 500 pods as Table", min(times) * 1000)
    figures.add("LIST of 500 pods as Table, server CPU", cpu / count * 1000)


def bench_watch(args, figures, server):
    """Each of 100 watchers gets each of N events; they read without decoding, so that the generator costs little."""
    watchers, events = 100, 20 if args.quick else 100
    cluster = server.cluster()
    version = cluster.get(CONFIG_MAPS + "?limit=1")["metadata"]["resourceVersion"]
    connections = []
    for _ in range(watchers):
        connection = cluster.connect()
        connection.request("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=60")
        connections.append((connection, connection.getresponse()))

    def read(number):
        reply = connections[number][1]
        for _ in range(events):
            assert reply.readline()

    def work():
        writer = threading.Thread(target=lambda: create_all(server.cluster(), "watched", events))
        writer.start()
        seconds = in_threads(watchers, read)
        writer.join()
        return seconds

    seconds, cpu = measured(server.control_pid(), work)
    figures.add("watch events delivered, 100 watchers", watchers * events / seconds)
    figures.add("watch, server CPU an event", cpu / (watchers * events) * 1e6)
    for connection, _ in connections:
        connection.close()


def bench_load(args, figures):
    if not shutil.which("h2load") or not shutil.which("nghttpd"):
        print("h2load or nghttpd is not installed: make packages")
        return
    with OwnServer(args.build, is_memory=False) as server:
        for part in (bench_writes, bench_reads, bench_h2, bench_list, bench_watch):
            part(args, figures, server)
    with OwnServer(args.build, is_memory=False) as server:
        bench_deployments(args, figures, server)


# ---------------------------------------------------------------- with real pods


def bench_demo(args, figures):
    """The web application on three nodes."""
    import demo
    import test_demo
    reason = "left out" if args.no_pods else test_demo.cannot_run(args)
    if reason:
        print(f"real pods: {reason}")
        return
    stage = test_demo.Stage(args)
    try:
        began = time.monotonic()
        stage.demo("up")
        figures.add("demo: make up", time.monotonic() - began)
        children = stage.children()
        agents = [pid for name, pid in children.items() if name.startswith("node")]
        time.sleep(15)
        idle = Idle([children["control"], *agents], 20 if args.quick else 60)
        figures.add("demo: PSS of control", pss_mib(children["control"]))
        figures.add("demo: PSS of a node agent", max(map(pss_mib, agents)))
        figures.add("demo: idle CPU of control", idle.cpu_percent[0])
        figures.add("demo: idle CPU of a node agent", max(idle.cpu_percent[1:]))
        figures.add("demo: bytes written by control", idle.bytes[0])
        assert demo.ask(test_demo.service_address(stage), 80)
    finally:
        stage.demo("down")
        shutil.rmtree(stage.folder, ignore_errors=True)


PARTS = {"binary": bench_binary, "start": bench_start, "idle": bench_idle, "documents": bench_documents, "load": bench_load, "demo": bench_demo}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-pods", action="store_true")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    args.skeg = os.path.join(args.build, "src", "skeg")
    figures = Figures()
    for name, part in PARTS.items():
        if not args.only or args.only == name:
            part(args, figures)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(figures.rows, out, indent=1)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
