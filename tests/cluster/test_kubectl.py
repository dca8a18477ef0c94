#!/usr/bin/env python3
"""A day of work with stock kubectl on real pods: watch, logs, exec with and without a terminal, attach, copies, forwarded
ports, edit, rollouts, drain against a disruption budget, and clean refusals.

    test_kubectl.py [--kubectl PATH] [--build build-release] [--step TEXT] [-v]

kubectl is $SKEG_KUBECTL, or each version that lies beside the first in PATH (kubectl.1.27 ... kubectl.1.33), or that one. Needs
root, and no other cluster named "skeg" on this machine. Exit code 77 when it cannot run here.
"""
import argparse
import fcntl
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tools"), os.path.join(TOP, "demo")]

import demo  # noqa: E402
from cluster_api import wait_for  # noqa: E402
from own_server import free_port  # noqa: E402
from test_demo import Stage, cannot_run  # noqa: E402
from tools_image import tools_image  # noqa: E402

IMAGE = "tools.test/tools:v1"
PATIENCE_S = 40
SPACE = "day"
WEB = demo.NAMESPACE

OBJECTS = """
apiVersion: v1
kind: Namespace
metadata: {name: day}
---
apiVersion: v1
kind: Pod
metadata: {name: shell, namespace: day, labels: {app: shell}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: shell, image: IMAGE, command: [sh, -c, 'trap "exit 0" TERM; while true; do sleep 1; done']}
---
apiVersion: v1
kind: Pod
metadata: {name: echo, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: echo, image: IMAGE, stdin: true, command: [sh, -c, 'echo ready; while read line; do echo "got $line"; done; sleep 1000']}
---
apiVersion: v1
kind: Pod
metadata: {name: terminal, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: terminal, image: IMAGE, stdin: true, tty: true, command: [sh]}
---
apiVersion: v1
kind: Pod
metadata: {name: well, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: well, image: IMAGE, command: [guest, grpc, "9000", "1"], readinessProbe: {grpc: {port: 9000}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: ill, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: ill, image: IMAGE, command: [guest, grpc, "9000", "2"], readinessProbe: {grpc: {port: 9000, service: a}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: growing, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: growing
    image: IMAGE
    command: [sleep, "1000"]
    resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
  - name: stubborn
    image: IMAGE
    command: [sleep, "1000"]
    resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]
    resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: door, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: door, image: IMAGE, command: [guest, say, "7000", "come in"], ports: [{containerPort: 7000, hostPort: 18700}]}
---
apiVersion: v1
kind: Pod
metadata: {name: once, namespace: day}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: once, image: IMAGE, stdin: true, stdinOnce: true, command: [sh, -c, 'cat; echo over']}
---
apiVersion: v1
kind: Pod
metadata: {name: ticker, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: ticker, image: IMAGE, command: [sh, -c, 'i=0; while true; do echo "tick $i"; i=$((i+1)); sleep 1; done']}
---
apiVersion: v1
kind: Pod
metadata: {name: restarts, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: restarts
    image: IMAGE
    command: [sh, -c, 'if test -e /data/seen; then echo second; sleep 1000; fi; echo first; : > /data/seen; exit 3']
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded, namespace: day}
spec:
  replicas: 3
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: guarded}}}
      containers:
      - {name: guarded, image: IMAGE, command: [sh, -c, 'trap "exit 0" TERM; while true; do sleep 1; done']}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: guarded, namespace: day}
spec:
  minAvailable: 2
  selector: {matchLabels: {app: guarded}}
""".replace("IMAGE", IMAGE)

LIVES = """
apiVersion: v1
kind: Pod
metadata: {name: words, namespace: day}
spec:
  restartPolicy: Never
  containers:
  - {name: told, image: IMAGE, command: [sh, -c, 'echo last words > /dev/termination-log; exit 3']}
  - {name: path, image: IMAGE, command: [sh, -c, 'echo elsewhere > /tmp/words; exit 4'], terminationMessagePath: /tmp/words}
  - {name: logs, image: IMAGE, command: [sh, -c, 'echo from the log; exit 5'], terminationMessagePolicy: FallbackToLogsOnError}
---
apiVersion: v1
kind: Pod
metadata: {name: hooks, namespace: day}
spec:
  terminationGracePeriodSeconds: 20
  containers:
  - name: hooks
    image: IMAGE
    command: [sh, -c, 'trap "echo asked; exit 0" TERM; while true; do sleep 0.2; done']
    lifecycle:
      postStart: {exec: {command: [sh, -c, 'echo welcome > /proc/1/fd/1']}}
      preStop: {exec: {command: [sh, -c, 'echo farewell > /proc/1/fd/1']}}
---
apiVersion: v1
kind: Pod
metadata: {name: slow, namespace: day}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: slow
    image: IMAGE
    command: [sh, -c, 'sleep 3; : > /tmp/up; sleep 1000']
    startupProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1, failureThreshold: 20}
    livenessProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1, failureThreshold: 1}
    readinessProbe: {tcpSocket: {port: 7001}, periodSeconds: 1}
  initContainers:
  - name: beside
    image: IMAGE
    restartPolicy: Always
    command: [guest, say, "7001", "yes"]
---
apiVersion: v1
kind: Pod
metadata: {name: chores, namespace: day}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 5
  initContainers:
  - {name: first, image: IMAGE, command: [sh, -c, 'echo one > /data/first'], volumeMounts: [{name: data, mountPath: /data}]}
  - {name: beside, image: IMAGE, restartPolicy: Always, command: [sh, -c, 'trap "exit 0" TERM; while true; do sleep 0.2; done']}
  containers:
  - {name: main, image: IMAGE, command: [cat, /data/first], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: day}
spec:
  activeDeadlineSeconds: 2
  terminationGracePeriodSeconds: 1
  containers: [{name: late, image: IMAGE, command: [sleep, "1000"]}]
""".replace("IMAGE", IMAGE)


class Day:
    def __init__(self, stage, args):
        self.stage, self.kubectl = stage, args.kubectl
        said = json.loads(self.run("version", "--client", "-o", "json"))["clientVersion"]
        self.version = (int(said["major"]), int(re.match(r"\d+", said["minor"])[0]))

    def words(self, *words):
        return [self.kubectl, "--kubeconfig", self.stage.kubeconfig, *words]

    def run(self, *words, code=0, text_in=None, environment=None):
        """Its output, both kinds."""
        done = subprocess.run(self.words(*words), input=text_in, capture_output=True, text=True, timeout=PATIENCE_S,
                              env={**os.environ, **(environment or {})}, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"kubectl {' '.join(words)}: code {done.returncode}, not {code}: {said[-1500:]}"
        return said

    def says(self, pattern, *words, **options):
        said = self.run(*words, **options)
        assert re.search(pattern, said, re.MULTILINE | re.DOTALL), f"kubectl {' '.join(words)} does not say '{pattern}': {said[-1500:]}"
        return said

    def follow(self, *words):
        return Follower(self.words(*words))

    def web_pod(self):
        return next(p["metadata"]["name"] for p in self.stage.pods() if p["status"]["phase"] == "Running")


class Follower:
    """A kubectl that runs on, by a pipe or a terminal of its own."""

    def __init__(self, words, has_terminal=False, environment=None):
        self.seen = ""
        self.terminal = None
        if has_terminal:
            self.terminal, other = pty.openpty()
            self.process = subprocess.Popen(words, stdin=other, stdout=other, stderr=other, start_new_session=True, close_fds=True,
                                            env={**os.environ, **(environment or {})})
            os.close(other)
            self.fd = self.terminal
        else:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.fd = self.process.stdout.fileno()

    def send(self, text):
        os.write(self.terminal if self.terminal is not None else self.process.stdin.fileno(), text.encode())

    def until(self, pattern, timeout=PATIENCE_S):
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.seen, re.MULTILINE | re.DOTALL):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], f"no '{pattern}' in {timeout} s: {self.seen[-1500:]!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the terminal's other end is closed
                data = b""
            assert data, f"it ended without '{pattern}': {self.seen[-1500:]!r}"
            self.seen += data.decode("utf-8", "replace")

    def pump(self, timeout):
        """All that it has said, after having listened for so long."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        return self.seen

    def code(self):
        return self.process.wait(PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.terminal is not None:
            os.close(self.terminal)
        else:
            self.process.stdin.close()
            self.process.stdout.close()


# ---------------------------------------------------------------- the steps, in this order


def step_apply(day):
    day.says("deployment.apps/guarded created", "apply", "-f", "-", text_in=OBJECTS)
    day.run("wait", "--for=condition=Ready", "pod/shell", "pod/echo", "pod/ticker", "-n", SPACE, f"--timeout={PATIENCE_S - 5}s")
    day.says("successfully rolled out", "rollout", "status", "deployment/guarded", "-n", SPACE, "--timeout=30s")


def step_get_watch(day):
    with day.follow("get", "pods", "-n", SPACE, "-w") as watch:
        watch.until(r"^shell +1/1 +Running")
        day.run("run", "seen", f"--image={IMAGE}", "--restart=Never", "-n", SPACE, "--command", "--", "sh", "-c", "exit 0")
        watch.until(r"^seen +0/1 +Pending.*^seen +0/1 +ContainerCreating.*^seen +0/1 +Completed")
        day.run("delete", "pod", "seen", "-n", SPACE)


def step_logs_follow(day):
    with day.follow("logs", "-f", "ticker", "-n", SPACE, "--tail=1") as logs:
        logs.until(r"tick (\d+)\n.*tick \d+\n.*tick \d+\n")
    numbers = [int(n) for n in re.findall(r"tick (\d+)", logs.seen)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"lines are missing: {numbers}"
    day.says(r"^\S+Z tick 0$", "logs", "ticker", "-n", SPACE, "--timestamps", "--limit-bytes=100")
    day.says("serves port 8080", "logs", "-l", "app=web-application", "-n", WEB, "--prefix")


def step_logs_previous(day):
    wait_for("a restart", lambda: "second" in day.run("logs", "restarts", "-n", SPACE), PATIENCE_S, 0.5)
    said = day.says("^first$", "logs", "restarts", "-n", SPACE, "--previous")
    assert "second" not in said, said
    day.says("previous terminated container .* not found", "logs", "shell", "-n", SPACE, "--previous", code=1)


def step_describe(day):
    day.says(r"Name: +restarts.*Last State: +Terminated.*Exit Code: +3.*Restart Count: +1.*Events:.*Started", "describe", "pod",
             "restarts", "-n", SPACE)
    day.says(r"Replicas: +5 desired.*NewReplicaSet:.*\(5/5 replicas created\)", "describe", "deployment", demo.DEPLOYMENT, "-n", WEB)
    day.says(r"Type: +LoadBalancer.*Endpoints: +\S+:8080", "describe", "service", demo.SERVICE, "-n", WEB)
    day.says(r"Ready +True.*Allocated resources:", "describe", "node", "node1")


def step_edit(day):
    path = os.path.join(day.stage.folder, "editor")
    with open(path, "w", encoding="ascii") as out:
        out.write("#!/bin/sh\nexec sed -i 's/^spec:$/spec:\\n  minReadySeconds: 1/' \"$1\"\n")
    os.chmod(path, 0o755)
    day.says("deployment.apps/guarded edited", "edit", "deployment", "guarded", "-n", SPACE, environment={"KUBE_EDITOR": path})
    day.says("^1$", "get", "deployment", "guarded", "-n", SPACE, "-o", "jsonpath={.spec.minReadySeconds}")
    day.says("Edit cancelled, no changes made", "edit", "deployment", "guarded", "-n", SPACE, environment={"KUBE_EDITOR": "true"})


def step_exec(day):
    day.says("^hello$", "exec", "shell", "-n", SPACE, "--", "sh", "-c", "echo hello")
    day.says("^read in$", "exec", "-i", "shell", "-n", SPACE, "--", "cat", text_in="read in\n")
    day.says("command terminated with exit code 7", "exec", "shell", "-n", SPACE, "--", "sh", "-c", "exit 7", code=7)
    done = subprocess.run(day.words("exec", "shell", "-n", SPACE, "--", "sh", "-c", "echo out; echo err >&2"), capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False)
    # Some versions of kubectl read before they have made their streams, and say so when the first, empty message comes first.
    errors = re.sub(r"^E.*Unknown stream id 1, discarding message\n", "", done.stderr)
    assert (done.stdout, errors.strip()) == ("out\n", "err"), (done.stdout, done.stderr)
    large = "x" * 79 + "\n"
    said = day.run("exec", "-i", "shell", "-n", SPACE, "--", "cat", text_in=large * 20_000)
    assert said == large * 20_000, f"{len(said)} bytes came back"


def step_exec_terminal(day):
    with Follower(day.words("exec", "-it", "shell", "-n", SPACE, "--", "sh"), has_terminal=True) as shell:
        shell.until(r"[#$] $")
        shell.send("stty size; test -t 0 && echo is a terminal\n")
        shell.until(r"^is a terminal")
        shell.send("exit 5\n")
        assert shell.code() == 5, f"code {shell.code()}: {shell.seen!r}"


def step_attach(day):
    with day.follow("attach", "-i", "echo", "-n", SPACE) as attached:
        time.sleep(1)  # attach has no sign of being there that every version shows
        attached.send("hello\n")
        attached.until("got hello")
    day.says("got hello", "logs", "echo", "-n", SPACE)


def step_attach_terminal(day):
    """A terminal of the container itself, with the size of the one that kubectl has."""
    for rows, protocol in ((33, "true"), (44, "false")):  # WebSocket, SPDY
        with Follower(day.words("attach", "-it", "terminal", "-n", SPACE), has_terminal=True,
                      environment={"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": protocol}) as shell:
            fcntl.ioctl(shell.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 111, 0, 0))
            shell.process.send_signal(signal.SIGWINCH)
            try:
                wait_for("the size", lambda: shell.send("stty size\n") or re.search(f"^{rows} 111", shell.pump(0.5), re.MULTILINE),
                         PATIENCE_S // 2, 0.5)
            except TimeoutError as error:
                raise AssertionError(f"{error} (WebSockets: {protocol}): {shell.seen[-600:]!r}") from None


def step_attach_once(day):
    """The end of the first client's input is the end of the container's."""
    day.run("attach", "-i", "once", "-n", SPACE, text_in="line one\nline two\n")
    wait_for("the end of once", lambda: "Succeeded" in day.run("get", "pod", "once", "-n", SPACE, "-o", "jsonpath={.status.phase}"),
             PATIENCE_S, 0.5)
    day.says("^line one\r?$.*^line two\r?$.*^over$", "logs", "once", "-n", SPACE)


def step_probe_grpc(day):
    day.run("wait", "--for=condition=Ready", "pod/well", "-n", SPACE, f"--timeout={PATIENCE_S - 5}s")
    wait_for("the event", lambda: 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
             in day.run("get", "events", "-n", SPACE, "--field-selector=involvedObject.name=ill"), PATIENCE_S, 0.5)
    day.says("0/1 +Running", "get", "pod", "ill", "-n", SPACE)


def step_cp(day):
    source, back = (os.path.join(day.stage.folder, name) for name in ("there", "back"))
    data = os.urandom(3 << 20)
    with open(source, "wb") as out:
        out.write(data)
    day.run("cp", source, f"{SPACE}/shell:/tmp/there")
    day.run("cp", f"{SPACE}/shell:/tmp/there", back)
    assert open(back, "rb").read() == data, "another file came back"


def step_port_forward(day):
    port = free_port()
    with day.follow("port-forward", f"pod/{day.web_pod()}", f"{port}:8080", "-n", WEB) as forward:
        forward.until("Forwarding from 127.0.0.1")
        for _ in range(20):
            assert demo.ask("127.0.0.1", port)["pod"] == day.web_pod()
        with socket.create_connection(("127.0.0.1", port)) as idle:
            assert demo.ask("127.0.0.1", port)["pod"]
            idle.close()
    with day.follow("port-forward", f"service/{demo.SERVICE}", f"{port}:80", "-n", WEB) as forward:
        forward.until("Forwarding from 127.0.0.1")
        assert demo.ask("127.0.0.1", port)["pod"]


def step_proxy(day):
    """Pods on each node, a service's pods, and the agents, through the API and through `kubectl proxy`."""
    space = f"/api/v1/namespaces/{WEB}"
    pods = [p["metadata"]["name"] for p in day.stage.cluster().get(space + "/pods")["items"]]
    for pod in pods:
        assert demo.parse_page(day.run("get", "--raw", f"{space}/pods/{pod}:8080/proxy/"))["pod"] == pod
    seen = {demo.parse_page(day.run("get", "--raw", f"{space}/services/{demo.SERVICE}:80/proxy/"))["pod"] for _ in range(5)}
    assert seen and seen <= set(pods), seen
    for node in day.stage.cluster().get("/api/v1/nodes")["items"]:
        name = node["metadata"]["name"]
        assert day.run("get", "--raw", f"/api/v1/nodes/{name}/proxy/healthz") == "ok"
        assert json.loads(day.run("get", "--raw", f"/api/v1/nodes/{name}/proxy/pods"))["kind"] == "PodList"
    port = free_port()
    with day.follow("proxy", f"--port={port}") as proxy:
        proxy.until("Starting to serve")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{space}/pods/{pods[0]}:8080/proxy/", timeout=10) as reply:
            assert demo.parse_page(reply.read().decode())["pod"] == pods[0]


def step_debug(day):
    """A second look into a pod that runs: processes of the target, the pod's network, logs, exec, a terminal."""
    day.run("debug", "shell", "-n", SPACE, f"--image={IMAGE}", "--container=looker", "--target=shell", "--", "sh", "-c",
            "cat /proc/1/cmdline; echo; cat /etc/hostname; exec sleep 1000")
    wait_for("the ephemeral container", lambda: "running" in ephemeral_state(day, "looker"), PATIENCE_S, 0.3)
    day.says("trap.*^shell$", "logs", "shell", "-n", SPACE, "-c", "looker")
    day.says("^inside$", "exec", "shell", "-n", SPACE, "-c", "looker", "--", "sh", "-c", "test -d /proc/1 && echo inside")
    day.says("1/1 +Running +0", "get", "pod", "shell", "-n", SPACE)
    day.run("debug", "shell", "-n", SPACE, f"--image={IMAGE}", "--container=brief", "--", "sh", "-c", "exit 4")
    wait_for("its end", lambda: "terminated" in ephemeral_state(day, "brief"), PATIENCE_S, 0.3)
    assert ephemeral_state(day, "brief")["terminated"]["exitCode"] == 4
    name = re.search(r"node-debugger-\S+", day.run("debug", "node/node1", "-n", SPACE, f"--image={IMAGE}", "--", "ls", "/host"))[0]
    day.run("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "-n", SPACE, f"--timeout={PATIENCE_S - 5}s")
    assert "etc" in day.run("logs", name, "-n", SPACE).split()
    name = f"terminal-{day.version[1]}"
    with Follower(day.words("debug", "-it", "shell", "-n", SPACE, f"--image={IMAGE}", f"--container={name}", "--target=shell", "--",
                            "sh"), has_terminal=True) as shell:
        # The first prompt may have been printed before kubectl attached.
        wait_for("the prompt", lambda: shell.send("\n") or re.search(r"[#$] ", shell.pump(0.5)), PATIENCE_S, 0.1)
        shell.send("test -t 0 && echo is a terminal\n")
        shell.until(r"^is a terminal")
        shell.send("exit 5\n")
        assert shell.code() in (0, 5), f"code {shell.code()}: {shell.seen!r}"


def ephemeral_state(day, name):
    pod = json.loads(day.run("get", "pod", "shell", "-n", SPACE, "-o", "json"))
    return next((s["state"] for s in pod["status"].get("ephemeralContainerStatuses", ()) if s["name"] == name), {})


RESIZE_SINCE = (1, 32)  # earlier, kubectl does not know the subresource


def resize(day, name, cpu, memory):
    patch = {"spec": {"containers": [{"name": name, "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu, "memory": memory}}}]}}
    day.says("patched", "patch", "pod", "growing", "-n", SPACE, "--subresource=resize", "-p", json.dumps(patch))


def group_value(pod, name, files):
    """Of a container's control group; name None: of the pod's."""
    status = [s for s in pod["status"]["containerStatuses"] if s["name"] == name]
    below = status[0]["containerID"].split("//")[1] + "/" if status else ""
    for path in files:
        for found in glob.glob(f"/sys/fs/cgroup/{path.replace('GROUP/', 'skeg/**/pod' + pod['metadata']['uid'] + '/' + below)}", recursive=True):
            return open(found, encoding="ascii").read().strip()
    raise AssertionError(f"no control group of {name}")


MEMORY_FILES = ("memory/GROUP/memory.limit_in_bytes", "GROUP/memory.max")
QUOTA_FILES = ("cpu/GROUP/cpu.cfs_quota_us", "cpu,cpuacct/GROUP/cpu.cfs_quota_us", "GROUP/cpu.max")


def growing(day, name, cpu, memory):
    """The pod once a container runs with these limits."""
    def look():
        pod = json.loads(day.run("get", "pod", "growing", "-n", SPACE, "-o", "json"))
        status = next(s for s in pod["status"]["containerStatuses"] if s["name"] == name)
        is_open = any(c["type"].startswith("PodResize") for c in pod["status"]["conditions"])
        return pod if "running" in status["state"] and status["resources"]["limits"] == {"cpu": cpu, "memory": memory} and not is_open else None
    return wait_for(f"the new limits of {name}", look, PATIENCE_S, 0.3)


def step_resize(day):
    if day.version < RESIZE_SINCE:
        return "left out"
    growing(day, "growing", "200m", "64Mi")
    resize(day, "growing", "300m", "96Mi")
    pod = growing(day, "growing", "300m", "96Mi")
    assert group_value(pod, "growing", MEMORY_FILES) == str(96 << 20), group_value(pod, "growing", MEMORY_FILES)
    assert group_value(pod, "growing", QUOTA_FILES).startswith("30000"), group_value(pod, "growing", QUOTA_FILES)
    assert group_value(pod, None, MEMORY_FILES) == str(160 << 20), group_value(pod, None, MEMORY_FILES)
    assert all(s["restartCount"] == 0 for s in pod["status"]["containerStatuses"]), pod["status"]
    resize(day, "stubborn", "200m", "48Mi")
    pod = growing(day, "stubborn", "200m", "48Mi")
    assert [s["restartCount"] for s in pod["status"]["containerStatuses"]] == [0, 1], pod["status"]
    assert group_value(pod, "stubborn", MEMORY_FILES) == str(48 << 20), group_value(pod, "stubborn", MEMORY_FILES)
    wait_for("the pod's group", lambda: group_value(pod, None, MEMORY_FILES) == str(144 << 20), PATIENCE_S, 0.3)
    resize(day, "growing", "2000", "96Mi")
    wait_for("the refusal", lambda: "Infeasible" in day.run("get", "pod", "growing", "-n", SPACE, "-o",
                                                           "jsonpath={.status.conditions[?(@.type=='PodResizePending')].reason}"), PATIENCE_S, 0.3)
    resize(day, "growing", "300m", "96Mi")
    growing(day, "growing", "300m", "96Mi")
    day.says("ResizeStarted.*ResizeCompleted.*resize requires restart.*ResizeInfeasible", "get", "events", "-n", SPACE,
             "--field-selector=involvedObject.name=growing", "--sort-by=.metadata.creationTimestamp")
    return None


def heard_at(address, port):
    try:
        with socket.create_connection((address, port), timeout=2) as client:
            return client.recv(100).decode()
    except OSError as error:
        return f"{type(error).__name__}"


def step_host_port(day):
    def address():
        return day.run("get", "pod", "door", "-n", SPACE, "-o", "jsonpath={.status.hostIP}")
    wait_for("the door", lambda: address() and heard_at(address(), 18700) == "come in", PATIENCE_S, 0.3)
    there = address()
    inside = day.run("get", "pod", "door", "-n", SPACE, "-o", "jsonpath={.status.podIP}")
    assert heard_at(inside, 7000) == "come in" and heard_at(there, 7000) != "come in"
    day.run("delete", "pod", "door", "-n", SPACE)
    wait_for("the end of the door", lambda: heard_at(there, 18700) == "ConnectionRefusedError", PATIENCE_S, 0.3)


def step_lives(day):
    """Hooks, last words, probes that wait, sidecars, deadlines."""
    def status(name, path):
        return day.run("get", "pod", name, "-n", SPACE, "-o", f"jsonpath={{.status.{path}}}")

    def until(name, path, want):
        wait_for(f"{want} of {name}", lambda: status(name, path) == want, PATIENCE_S, 0.3)
    day.run("apply", "-f", "-", text_in=LIVES)
    until("words", "phase", "Failed")
    said = status("words", "containerStatuses[*].state.terminated.message")
    assert sorted(said.split()) == sorted("last words elsewhere from the log".split()), said
    until("late", "reason", "DeadlineExceeded")
    until("chores", "phase", "Succeeded")
    day.says("^one$", "logs", "chores", "-n", SPACE, "-c", "main")
    ends = json.loads(day.run("get", "pod", "chores", "-n", SPACE, "-o", "json"))["status"]
    assert ends["initContainerStatuses"][1]["state"]["terminated"]["finishedAt"] >= ends["containerStatuses"][0]["state"]["terminated"][
        "finishedAt"], ends
    until("slow", "conditions[?(@.type=='Ready')].status", "True")
    assert status("slow", "containerStatuses[0].restartCount") == "0"
    wait_for("the hook", lambda: "welcome" in day.run("logs", "hooks", "-n", SPACE), PATIENCE_S, 0.3)
    with day.follow("logs", "-f", "hooks", "-n", SPACE) as logs:
        logs.until("welcome")
        day.run("delete", "pod", "hooks", "-n", SPACE)
        logs.until("farewell.*asked")


def step_images(day):
    """The node tells what images it has."""
    nodes = json.loads(day.run("get", "nodes", "-o", "json"))["items"]
    assert all(any("web-application" in name for i in node["status"]["images"] for name in i["names"]) for node in nodes), nodes[0]["status"]["images"]


def step_clients(day):
    """The same programs as tests/clients, where there are real pods."""
    done = subprocess.run([os.path.join(TOP, "tests/clients/run.py"), "--build", day.stage.args.build, "--kubeconfig",
                           day.stage.kubeconfig, "--shell", f"{SPACE}/shell", "--web", f"{WEB}/{day.web_pod()}", "--image", IMAGE],
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout.strip() if "skipped: " in done.stdout else None


def step_top(day):
    day.says("Metrics API not available", "top", "nodes", code=1)
    day.says("Metrics API not available", "top", "pods", "-n", SPACE, code=1)


def step_rollout(day):
    guarded = ("deployment/guarded", "-n", SPACE)
    day.says("restarted", "rollout", "restart", *guarded)
    day.says("successfully rolled out", "rollout", "status", *guarded, "--timeout=35s")
    day.says("image updated", "set", "image", "deployment/guarded", "guarded=tools.test/absent:v9", "-n", SPACE)
    day.says("timed out waiting for the condition|exceeded its progress deadline", "rollout", "status", *guarded, "--timeout=2s", code=1)
    day.says("rolled back", "rollout", "undo", *guarded)
    day.says("successfully rolled out", "rollout", "status", *guarded, "--timeout=35s")
    day.says(r"^\d+ ", "rollout", "history", *guarded)


def step_drain(day):
    """Evictions wait for the budget, and the pods are elsewhere afterwards."""
    day.run("scale", "deployment/guarded", "--replicas=2", "-n", SPACE)
    day.says("successfully rolled out", "rollout", "status", "deployment/guarded", "-n", SPACE, "--timeout=30s")
    wait_for("two pods", lambda: len(day.run("get", "pods", "-l", "app=guarded", "-n", SPACE, "-o", "name").split()) == 2, 20, 0.3)
    node = day.run("get", "pods", "-l", "app=guarded", "-n", SPACE, "-o", "jsonpath={.items[0].spec.nodeName}")
    drain = ("drain", node, "--pod-selector=app=guarded", "--ignore-daemonsets", "--delete-emptydir-data")
    day.says("Cannot evict pod as it would violate the pod's disruption budget", *drain, "--timeout=6s", code=1)
    day.run("scale", "deployment/guarded", "--replicas=3", "-n", SPACE)
    day.says("(drained|evicted)", *drain, f"--timeout={PATIENCE_S - 5}s")
    day.says(rf"{node} +Ready,SchedulingDisabled", "get", "nodes")
    day.says("successfully rolled out", "rollout", "status", "deployment/guarded", "-n", SPACE, "--timeout=30s")
    nodes = day.run("get", "pods", "-l", "app=guarded", "-n", SPACE, "--field-selector=status.phase=Running", "-o",
                    "jsonpath={.items[*].spec.nodeName}").split()
    assert node not in nodes, f"{node} is drained, and has pods: {nodes}"
    day.says("uncordoned", "uncordon", node)


def step_delete(day):
    day.says(f'namespace "{SPACE}" deleted', "delete", "namespace", SPACE, "--timeout=35s")
    day.says("NotFound", "get", "namespace", SPACE, code=1)


STEPS = [value for name, value in list(globals().items()) if name.startswith("step_")]


ONCE = (step_probe_grpc, step_host_port, step_lives, step_images, step_clients)  # the same with every kubectl


def run_steps(day, args, steps):
    counts = [0, 0, 0]
    for step in steps:
        if args.step not in step.__name__ and step is not step_apply:
            continue
        began = time.monotonic()
        try:
            note = step(day)
            counts[2 if note else 0] += 1
            if args.v or note:
                print(f"ok   {step.__name__} ({time.monotonic() - began:.1f} s) {note or ''}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            counts[1] += 1
            print(f"FAIL {step.__name__} ({time.monotonic() - began:.1f} s): {type(error).__name__}: {error}", flush=True)
            if step is step_apply:
                break
    return counts


def found_kubectls():
    first = os.environ.get("SKEG_KUBECTL")
    if first or not shutil.which("kubectl"):
        return [first] if first else []
    first = os.path.realpath(shutil.which("kubectl"))
    versions = glob.glob(glob.escape(first) + ".1.[0-9]*")
    return sorted(versions, key=lambda path: int(path.rpartition(".")[2])) or [first]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubectl", action="append", help="may be given more than once")
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("--step", default="", help="only steps whose name contains this")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    args.skeg = os.path.join(os.path.abspath(args.build), "src", "skeg")
    programs = args.kubectl or found_kubectls()
    reason = cannot_run(args) or ("kubectl is neither in PATH nor in $SKEG_KUBECTL" if not programs else None)
    if reason:
        print(reason)
        return 77
    counts = [0, 0, 0]
    stage = Stage(args)
    is_verbose, args.v = args.v, False
    try:
        began = time.monotonic()
        stage.demo("up")
        print(f"five pods are ready ({time.monotonic() - began:.0f} s)", flush=True)
        args.v = is_verbose
        archive = os.path.join(stage.folder, "tools.tar")
        tools_image().write_archive(archive, IMAGE)
        subprocess.run([args.skeg, "image", "--data-dir", stage.data_dir, "load", archive], check=True, capture_output=True, timeout=60)
        for args.kubectl in programs:
            day = Day(stage, args)
            print(f"kubectl {day.version[0]}.{day.version[1]}", flush=True)
            steps = STEPS if args.kubectl == programs[0] else [s for s in STEPS if s not in ONCE]
            counts = [a + b for a, b in zip(counts, run_steps(day, args, steps))]
    finally:
        args.v = False
        subprocess.run([os.path.join(TOP, "demo/demo.py"), "down", "--build", args.build, "--data-dir", stage.data_dir, "--demo-dir",
                        os.path.join(stage.folder, "demo"), "--kubeconfig", stage.kubeconfig], capture_output=True, check=False)
        shutil.rmtree(stage.folder, ignore_errors=True)
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] or not counts[0] else 0


if __name__ == "__main__":
    sys.exit(main())
