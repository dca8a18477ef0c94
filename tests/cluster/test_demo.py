#!/usr/bin/env python3
"""The whole demo as a test: `make up`, five real pods that answer, death of every process, `make down`, and the machine as it was.

    test_demo.py [--build build-release] [-v]

Needs root, and no other cluster named "skeg" on this machine. Exit code 77 when it cannot run here.
"""
import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tools"), os.path.join(TOP, "demo")]

import demo  # noqa: E402
import host_state  # noqa: E402
from cluster_api import Cluster, is_ready, wait_for  # noqa: E402
from own_server import free_port  # noqa: E402

UP_MAX_S = 60  # the bar is 25 s on a machine that does nothing else; see make bench
CONFIG_MAPS = f"/api/v1/namespaces/{demo.NAMESPACE}/configmaps"
PODS = f"/api/v1/namespaces/{demo.NAMESPACE}/pods"
OTHER_KUBECONFIG = """apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://192.0.2.1:6443
  name: other
contexts:
- context:
    cluster: other
    user: other
  name: other
current-context: other
preferences: {}
users:
- name: other
  user:
    token: abc
"""


class Stage:
    """Folders, processes and the client of the run."""

    def __init__(self, args):
        self.args = args
        self.folder = tempfile.mkdtemp(prefix="skeg-demo-", dir="/var/tmp")
        self.data_dir = os.path.join(self.folder, "data")
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.port = free_port()
        os.environ["KUBECONFIG"] = self.kubeconfig
        with open(self.kubeconfig, "w", encoding="utf-8") as out:
            out.write(OTHER_KUBECONFIG)
        os.chmod(self.kubeconfig, 0o600)

    def demo(self, verb):
        command = [os.path.join(TOP, "demo/demo.py"), verb, "--build", self.args.build, "--data-dir", self.data_dir, "--demo-dir",
                   os.path.join(self.folder, "demo"), "--kubeconfig", self.kubeconfig, "--port", str(self.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400)
        if self.args.v:
            print(done.stdout + done.stderr, flush=True)
        assert done.returncode == 0, f"demo.py {verb}: code {done.returncode}:\n{done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout

    def log(self):
        try:
            return open(os.path.join(self.data_dir, "skeg.log"), encoding="utf-8", errors="replace").read()[-6000:]
        except OSError:
            return ""

    def cluster(self):
        return Cluster.from_kubeconfig(os.path.join(self.data_dir, "server", "admin.kubeconfig"))

    def pods(self):
        return demo_pods(self.cluster())

    def children(self):
        """{command word and node: pid} of the supervisor's processes."""
        supervisor = demo.Demo.supervisor(self.data_dir)
        found = {}
        for child in open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii").read().split():
            words = open(f"/proc/{child}/cmdline", "rb").read().decode().split("\0")
            name = next((w.split("=")[1] for w in words if w.startswith("--node-name=")), words[1] if len(words) > 1 else "")
            found[name] = int(child)
        return found


def demo_pods(cluster):
    found = cluster.get(PODS + "?labelSelector=app%3Dweb-application")["items"]
    return [p for p in found if "deletionTimestamp" not in p["metadata"]]


def identity(pods):
    """What a restart would change: container ids, counts, start times, processes."""
    containers = sorted((p["metadata"]["name"], c["containerID"], c["restartCount"], c["state"]["running"]["startedAt"])
                        for p in pods for c in p["status"]["containerStatuses"])
    return containers, processes()


def processes():
    """(pid, start time) of each web application on this machine."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            if open(path, encoding="ascii").read().strip() == "web-application":
                pid = path.split("/")[2]
                found.append((int(pid), open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[19]))
        except OSError:
            continue
    return sorted(found)


def all_ready(stage):
    """The five pods once all of them and the nodes are ready; also when control was away."""
    cluster = stage.cluster()
    pods = demo_pods(cluster)
    nodes = cluster.get("/api/v1/nodes")["items"]
    return pods if len(pods) == 5 and all(map(is_ready, pods)) and len(nodes) == 3 and all(map(is_ready, nodes)) else None


def renewed(stage, node, than):
    """Whether the node's lease was renewed by an agent that came after `than`, its former renewal."""
    lease = stage.cluster().get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}")
    return lease["spec"]["renewTime"] if lease["spec"]["renewTime"] > than else None


def service_address(stage):
    service = stage.cluster().get(f"/api/v1/namespaces/{demo.NAMESPACE}/services/{demo.SERVICE}")
    return service["status"]["loadBalancer"]["ingress"][0]["ip"]


def ask_until_all(stage):
    names = {p["metadata"]["name"] for p in stage.pods()}
    address, missing = service_address(stage), set(names)

    def request():
        missing.discard(demo.ask(address, 80)["pod"])
        return not missing

    wait_for(f"answers of all pods at {address}", request, 20, 0)


# ---------------------------------------------------------------- the tests, in this order


def test_up(stage):
    began = time.monotonic()
    text = stage.demo("up")
    took = time.monotonic() - began
    assert took < UP_MAX_S, f"make up took {took:.1f} s"
    for words in ("from this machine by LoadBalancer", "from this machine by NodePort", "from a pod on node1", "from a pod on node2",
                  "from a pod on node3", "to itself by ClusterIP"):
        assert words in text, f"'{words}' is missing:\n{text}"
    pods = stage.pods()
    assert len(pods) == 5 and all(map(is_ready, pods))
    assert {p["spec"]["nodeName"] for p in pods} == {"node1", "node2", "node3"}, "the pods are not on all nodes"
    assert len(processes()) == 5
    return f"{took:.1f} s"


def test_readiness_delay(stage):
    """The readiness probe's initialDelaySeconds is 10: nobody is ready sooner."""
    for pod in stage.pods():
        condition = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        parse = "%Y-%m-%dT%H:%M:%SZ"
        waited = time.mktime(time.strptime(condition["lastTransitionTime"], parse)) - time.mktime(time.strptime(started, parse))
        assert 9 <= waited <= 17, f"{pod['metadata']['name']} was ready {waited:.0f} s after its start"


def test_again(stage):
    """make up on a running cluster changes nothing and asks again."""
    before = identity(stage.pods())
    stage.demo("up")
    assert identity(stage.pods()) == before


def test_agent_killed(stage):
    before = identity(stage.pods())
    old = stage.children()["node1"]
    lease = stage.cluster().get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1")["spec"]["renewTime"]
    os.kill(old, signal.SIGKILL)
    wait_for("a new agent", lambda: stage.children().get("node1", old) != old, 20)
    wait_for("the lease of node1", lambda: renewed(stage, "node1", lease), 30)
    after = identity(wait_for("ready pods", lambda: all_ready(stage), 40))
    assert after == before, f"before {before}\nafter {after}"
    ask_until_all(stage)


def test_control_killed(stage):
    before = identity(stage.pods())
    old = stage.children()["control"]
    address = service_address(stage)
    os.kill(old, signal.SIGKILL)
    assert demo.ask(address, 80)["pod"], "the service must answer without a control plane"
    wait_for("a new control plane", lambda: stage.children().get("control", old) != old and stage.pods(), 20)
    after = identity(wait_for("ready pods", lambda: all_ready(stage), 40))
    assert after == before, f"before {before}\nafter {after}"
    ask_until_all(stage)


def test_stop_and_up(stage):
    before = identity(stage.pods())
    address = service_address(stage)
    done = subprocess.run([stage.args.skeg, "stop", "--data-dir", stage.data_dir], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert len(processes()) == 5, "containers must run on"
    assert demo.ask(address, 80)["pod"], "the service must answer while skeg is stopped"
    stage.demo("up")
    after = identity(wait_for("ready pods", lambda: all_ready(stage), 40))
    assert after == before, f"before {before}\nafter {after}"


class Load:
    """Writers of ConfigMaps, each with one name and a number that only grows, and requests to the service."""

    def __init__(self, stage, writers=8):
        self.stage, self.address = stage, service_address(stage)
        self.acknowledged, self.unanswered, self.answers, self.failures = [0] * writers, 0, 0, []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=[i]) for i in range(writers)] + [threading.Thread(target=self.ask)]

    def write(self, i):
        cluster, number = self.stage.cluster(), 0
        while not self.is_over.is_set():
            number += 1
            try:
                code, _ = cluster.call("PATCH", f"{CONFIG_MAPS}/load-{i}", {"data": {"n": str(number)}}, "application/merge-patch+json")
                if code == 200:
                    self.acknowledged[i] = number
            except OSError:  # control is away
                self.unanswered += 1
                time.sleep(0.05)

    def ask(self):
        while not self.is_over.is_set():
            try:
                demo.ask(self.address, 80)
                self.answers += 1
            except OSError as error:
                self.failures.append(str(error))
            time.sleep(0.01)

    def lost(self):
        """Names whose last acknowledged number is not there."""
        found = self.stage.cluster().get(CONFIG_MAPS)["items"]
        numbers = {c["metadata"]["name"]: int(c["data"]["n"]) for c in found if c["metadata"]["name"].startswith("load-")}
        return [f"load-{i}: {numbers.get(f'load-{i}')} < {n}" for i, n in enumerate(self.acknowledged) if numbers.get(f"load-{i}", -1) < n]

    def goes_on(self):
        """Waits until everybody has written and asked since now."""
        writes, answers = list(self.acknowledged), self.answers
        wait_for("the load", lambda: self.answers > answers and all(n > w for n, w in zip(self.acknowledged, writes)), 20)

    def __enter__(self):
        cluster = self.stage.cluster()
        for i in range(len(self.acknowledged)):
            cluster.create(CONFIG_MAPS, {"metadata": {"name": f"load-{i}"}, "data": {"n": "0"}})
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def test_killed_under_load(stage):
    """Agents and control die by turns while others write and ask; no pod, no acknowledged write and no request is lost."""
    before = identity(stage.pods())
    with Load(stage) as load:
        for name in ("control", "node2", "control", "node3", "control"):
            load.goes_on()
            old = stage.children()[name]
            os.kill(old, signal.SIGKILL)
            wait_for(f"a new {name}", lambda: stage.children().get(name, old) != old, 20)
            wait_for("ready pods", lambda: all_ready(stage), 40)
    after = identity(wait_for("ready pods", lambda: all_ready(stage), 40))
    assert after == before, f"before {before}\nafter {after}"
    assert not load.lost(), load.lost()
    assert not load.failures, f"{len(load.failures)} of {load.answers} requests failed: {load.failures[:3]}"
    assert sum(load.acknowledged) > 100, load.acknowledged
    return f"{sum(load.acknowledged)} writes acknowledged, {load.unanswered} unanswered, {load.answers} requests answered"


def test_pod_deleted(stage):
    """A pod is replaced, and no request fails meanwhile."""
    address, is_over, failures, count = service_address(stage), threading.Event(), [], [0]

    def requests():
        while not is_over.is_set():
            try:
                demo.ask(address, 80)
            except OSError as error:
                failures.append(str(error))
            count[0] += 1
            time.sleep(0.01)

    thread = threading.Thread(target=requests)
    thread.start()
    try:
        name = stage.pods()[0]["metadata"]["name"]
        stage.cluster().call("DELETE", f"{PODS}/{name}")
        wait_for("the end of the pod", lambda: stage.cluster().call("GET", f"{PODS}/{name}")[0] == 404, 40)
        wait_for("five ready pods", lambda: all_ready(stage), 60)
    finally:
        is_over.set()
        thread.join()
    assert not failures, f"{len(failures)} of {count[0]} requests failed: {failures[:3]}"
    return f"{count[0]} requests"


def test_container_killed(stage):
    """A container that dies is started again, and counted."""
    pid = processes()[0][0]
    os.kill(pid, signal.SIGKILL)
    wait_for("a restart", lambda: any(c["restartCount"] for p in stage.pods() for c in p["status"]["containerStatuses"]), 30)
    pods = wait_for("ready pods", lambda: all_ready(stage), 60)
    again = [c for p in pods for c in p["status"]["containerStatuses"] if c["restartCount"]]
    assert len(again) == 1 and again[0]["lastState"]["terminated"]["exitCode"] == 137, json.dumps(again)


def test_logs(stage):
    name = stage.pods()[0]["metadata"]["name"]
    code, text = stage.cluster().call("GET", f"{PODS}/{name}/log")
    assert code == 200 and f"{name} serves port 8080" in text, f"{code}: {text}"


def test_down(stage):
    stage.demo("down")
    assert not os.path.exists(stage.data_dir) or not os.listdir(stage.data_dir), os.listdir(stage.data_dir)
    found = wait_for("the machine as before", lambda: host_state.compare(stage.before, host_state.record()) or ["same"], 5)
    assert found == ["same"], "\n".join(found)


TESTS = [test_up, test_readiness_delay, test_logs, test_again, test_agent_killed, test_control_killed, test_killed_under_load,
         test_stop_and_up,
         test_pod_deleted, test_container_killed, test_down]


def cannot_run(args):
    if os.geteuid() != 0:
        return "real containers and networks need root"
    for name in ("docker-registry", "runc", "conmon", "nft"):
        if not shutil.which(name):
            return f"{name} is not installed: make packages"
    if glob.glob("/run/netns/skeg-skeg*"):
        return "a cluster runs on this machine already: make down"
    return None if os.access(args.skeg, os.X_OK) else f"{args.skeg} is not there: make"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    args.skeg = os.path.join(os.path.abspath(args.build), "src", "skeg")
    reason = cannot_run(args)
    if reason:
        print(reason)
        return 77
    stage = Stage(args)
    stage.before = host_state.record()
    failed = 0
    try:
        for test in TESTS:
            began = time.monotonic()
            try:
                note = test(stage) or ""
                print(f"ok   {test.__name__} ({time.monotonic() - began:.1f} s) {note}", flush=True)
            except Exception as error:  # the next tests say more
                failed += 1
                print(f"FAIL {test.__name__}: {type(error).__name__}: {error}", flush=True)
                if test is test_up:
                    print(stage.log())
                    break
    finally:
        subprocess.run([os.path.join(TOP, "demo/demo.py"), "down", "--build", args.build, "--data-dir", stage.data_dir, "--demo-dir",
                        os.path.join(stage.folder, "demo"), "--kubeconfig", stage.kubeconfig], capture_output=True, check=False)
        shutil.rmtree(stage.folder, ignore_errors=True)
    print(f"{len(TESTS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
