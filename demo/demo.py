#!/usr/bin/env python3
"""The demo: a cluster of three nodes on this machine, and the web application of examples/ in five real pods on it.

    demo.py up [--build build-release] [--data-dir D] [--demo-dir D] [--nodes 3]
    demo.py down

`up` starts a registry with the image, a cluster whose nodes find that registry as a mirror of myregistry.io, applies
examples/prerequisites.yaml and examples/web-application.yaml, and asks the Service until every pod has answered: from this machine, from
a pod on each node, from a pod to itself. `down` takes all of it away again. docs/demo.md tells what is where.
"""
import argparse
import glob
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TOP, "tools")]

import image  # noqa: E402
from cluster_api import Cluster, Refused, default_data_dir, is_ready, wait_for  # noqa: E402

NAMESPACE, SERVICE, DEPLOYMENT = "production", "web-application-service", "web-application"
REGISTRY_PORTS = range(5000, 5050)
ROLLOUT_S = 180
ANSWER_S = 20


class Failed(Exception):
    """Its text is for the user: what, where, what to do."""


# ---------------------------------------------------------------- showing progress


class Screen:
    """A line a step; below it, on a terminal, lines that change in place."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty()
        self.start = time.monotonic()
        self.shown = 0
        self.last = {}

    def step(self, text):
        self.shown = 0
        print(f"{time.monotonic() - self.start:5.1f} s  {text}", flush=True)

    def lines(self, rows):
        """rows: {name: text}; a terminal shows them all, a file only what changed."""
        if self.is_terminal:
            if self.shown:
                print(f"\033[{self.shown}A", end="")
            for name, text in rows.items():
                print(f"\033[2K         {name}  {text}")
            self.shown = len(rows)
        else:
            for name, text in rows.items():
                if self.last.get(name) != text:
                    print(f"{time.monotonic() - self.start:5.1f} s  {name}  {text}")
        sys.stdout.flush()
        self.last = dict(rows)


# ---------------------------------------------------------------- the registry


def pid_of(path):
    """The pid in a file, if that process is a registry still."""
    try:
        pid = int(open(path, encoding="ascii").read())
        command = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[0]
        return pid if command.endswith(b"docker-registry") else None
    except (OSError, ValueError):
        return None


def answers(url):
    try:
        return image.OPEN(url, timeout=1).status == 200
    except OSError:
        return False


def free_port():
    for port in REGISTRY_PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed(f"no free port for the registry between {REGISTRY_PORTS[0]} and {REGISTRY_PORTS[-1]}")


def start_registry(folder):
    """Gives its URL. One that runs from an earlier `up` is used again."""
    config, pid_file, port_file = (os.path.join(folder, n) for n in ("registry.yml", "registry.pid", "registry.port"))
    if pid_of(pid_file):
        return f"http://127.0.0.1:{open(port_file, encoding='ascii').read()}"
    program = shutil.which("docker-registry")
    if not program:
        raise Failed("docker-registry is not installed: apt install docker-registry (or make packages)")
    port = free_port()
    with open(config, "w", encoding="utf-8") as out:
        out.write("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                  f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
                  f"http: {{addr: '127.0.0.1:{port}', secret: demo}}\n")
    log = open(os.path.join(folder, "registry.log"), "ab")
    process = subprocess.Popen([program, "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True, cwd=folder)
    for path, value in ((pid_file, process.pid), (port_file, port)):
        with open(path, "w", encoding="ascii") as out:
            out.write(str(value))
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("the registry", lambda: answers(url + "/v2/") or process.poll() is not None, 15, 0.02)
    except TimeoutError as error:
        raise Failed(f"{error}; see {folder}/registry.log") from error
    if process.poll() is not None:
        raise Failed(f"the registry ended with code {process.returncode}; see {folder}/registry.log")
    return url


def stop_registry(folder):
    pid = pid_of(os.path.join(folder, "registry.pid"))
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    wait_for("the end of the registry", lambda: pid_of(os.path.join(folder, "registry.pid")) is None, 15, 0.02)


# ---------------------------------------------------------------- the cluster


class Demo:
    def __init__(self, args):
        self.args = args
        self.skeg = os.path.join(args.build, "src", "skeg")
        self.program = os.path.join(args.demo_dir, "web-application")
        self.screen = Screen()
        self.cluster = None

    def run_skeg(self, *words, **options):
        command = [self.skeg, *words]
        done = subprocess.run(command, capture_output=True, text=True, **options)
        if done.returncode:
            raise Failed(f"'skeg {' '.join(words)}' ended with code {done.returncode}: "
                         f"{(done.stderr or done.stdout).strip()}")
        return done.stdout

    # ---- up ----

    def up(self):
        self.check_machine()
        os.makedirs(self.args.demo_dir, mode=0o755, exist_ok=True)
        self.build_program()
        registry = start_registry(self.args.demo_dir)
        self.write_mirrors(registry)
        starting = self.start_cluster()
        image.Image.of_web_application(self.program).push(registry, "web-application", "v1.2.0")
        self.screen.step(f"image myregistry.io/web-application:v1.2.0 is in the registry at {registry}")
        self.join_cluster(starting)
        self.apply()
        pods = self.follow_rollout()
        self.ask_everywhere(pods)
        self.summary()

    def check_machine(self):
        if os.geteuid() != 0:
            raise Failed("real pods need root: run it as root, or with sudo")
        if not os.access(self.skeg, os.X_OK):
            raise Failed(f"{self.skeg} is not there: run 'make' first")

    def build_program(self):
        """A static program, so that the image holds nothing else."""
        source = os.path.join(HERE, "web-application.c")
        if os.path.exists(self.program) and os.path.getmtime(self.program) > os.path.getmtime(source):
            return
        compiler = [os.environ.get("CC", "gcc"), "-std=gnu2x", "-Os", "-static", "-s", "-o", self.program, source]
        done = subprocess.run(compiler, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"the web application does not compile: {done.stderr.strip()}; needs gcc and libc6-dev")

    def write_mirrors(self, registry):
        with open(os.path.join(self.args.demo_dir, "registries.yaml"), "w", encoding="utf-8") as out:
            out.write(f"mirrors:\n  myregistry.io:\n    endpoint:\n    - {registry}\n")

    def start_cluster(self):
        """Starts `skeg up`, unless it runs already; gives the process or None."""
        if Demo.supervisor(self.args.data_dir):
            self.screen.step("a cluster runs already")
            return None
        command = [self.skeg, "up", "--nodes", str(self.args.nodes), "--node-label", "node-type=application",
                   "--registries", os.path.join(self.args.demo_dir, "registries.yaml"), "--detach",
                   "--data-dir", self.args.data_dir, "--port", str(self.args.port)]
        if self.args.kubeconfig:
            command += ["--kubeconfig", self.args.kubeconfig]
        self.screen.step(f"starting a cluster of {self.args.nodes} nodes")
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)

    @staticmethod
    def supervisor(data_dir):
        try:
            pid = int(open(os.path.join(data_dir, "supervisor.pid"), encoding="ascii").read())
            return pid if b"skeg" in open(f"/proc/{pid}/cmdline", "rb").read() else None
        except (OSError, ValueError):
            return None

    def join_cluster(self, starting):
        if starting:
            try:
                text = starting.communicate(timeout=120)[0]
            except subprocess.TimeoutExpired as error:
                raise Failed(f"'skeg up' is not ready after 120 s; see {self.args.data_dir}/skeg.log") from error
            if starting.returncode:
                raise Failed(f"'skeg up' ended with code {starting.returncode}:\n{text.strip()}\n{self.last_words()}")
        self.cluster = Cluster.from_kubeconfig(os.path.join(self.args.data_dir, "server", "admin.kubeconfig"))
        nodes = wait_for("ready nodes", self.ready_nodes, 60)
        self.screen.step(f"{len(nodes)} nodes are ready: {', '.join(n['metadata']['name'] for n in nodes)}")

    def last_words(self):
        try:
            return "".join(open(os.path.join(self.args.data_dir, "skeg.log"), encoding="utf-8").readlines()[-15:])
        except OSError:
            return ""

    def ready_nodes(self):
        nodes = self.cluster.get("/api/v1/nodes")["items"]
        return nodes if len(nodes) >= self.args.nodes and all(is_ready(n) for n in nodes) else None

    # ---- the rollout ----

    def apply(self):
        for name in ("prerequisites.yaml", "web-application.yaml"):
            config = os.path.join(self.args.data_dir, "server", "admin.kubeconfig")
            said = self.run_skeg("apply", "--kubeconfig", config, "-f", os.path.join(TOP, "examples", name))
            self.screen.step(f"applied examples/{name}: {', '.join(line.split()[0] for line in said.splitlines() if line)}")

    def deployment(self):
        return self.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{DEPLOYMENT}")

    def pods(self):
        found = self.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{DEPLOYMENT}")["items"]
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def follow_rollout(self):
        """Shows each change of each pod; returns the pods once all are ready."""
        wanted = self.deployment()["spec"]["replicas"]
        deadline = time.monotonic() + ROLLOUT_S
        pods = {}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        while time.monotonic() < deadline:
            try:
                for event in self.cluster.another().watch(path, f"labelSelector=app%3D{DEPLOYMENT}&timeoutSeconds=15",
                                                          timeout=20):
                    name = event["object"]["metadata"].get("name")
                    if event["type"] == "DELETED":
                        pods.pop(name, None)
                    elif event["type"] in ("ADDED", "MODIFIED"):
                        pods[name] = event["object"]
                    self.screen.lines({n: describe(p) for n, p in sorted(pods.items())})
                    if sum(is_ready(p) for p in pods.values()) >= wanted:
                        self.screen.step(f"all {wanted} pods are ready")
                        return list(pods.values())
                    if time.monotonic() > deadline:
                        break
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)  # control starts again: the watch too
        raise Failed(f"{sum(is_ready(p) for p in pods.values())} of {wanted} pods are ready after {ROLLOUT_S} s; "
                     f"their last events:\n{self.events()}")

    def events(self):
        found = self.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
        return "\n".join(f"  {e['involvedObject'].get('name')}: {e.get('reason')}: {e.get('message')}" for e in found[-12:])

    # ---- requests ----

    def ask_everywhere(self, pods):
        names = {p["metadata"]["name"] for p in pods}
        service = wait_for("an address of the load balancer", self.balanced_service, 30)
        address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
        cluster_ip, port = service["spec"]["clusterIP"], service["spec"]["ports"][0]
        self.until_all(f"from this machine by LoadBalancer {address}:{port['port']}", names,
                       lambda: ask(address, port["port"]))
        node = next(a["address"] for a in self.ready_nodes()[-1]["status"]["addresses"] if a["type"] == "InternalIP")
        self.until_all(f"from this machine by NodePort {node}:{port['nodePort']}", names,
                       lambda: ask(node, port["nodePort"]))
        by_node = {p["spec"]["nodeName"]: p for p in pods}
        for node_name, pod in sorted(by_node.items()):
            self.until_all(f"from a pod on {node_name} by ClusterIP {cluster_ip}:{port['port']}", names,
                           lambda pod=pod: self.ask_from(pod, cluster_ip, port["port"]))
        pod = pods[0]
        self.until_all(f"from pod {pod['metadata']['name']} to itself by ClusterIP", {pod["metadata"]["name"]},
                       lambda: self.ask_from(pod, cluster_ip, port["port"]))

    def balanced_service(self):
        service = self.cluster.get(f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}")
        return service if service["status"].get("loadBalancer", {}).get("ingress") else None

    def until_all(self, what, names, request):
        """request() gives a page or None; each page names its pod."""
        missing, asked, last = set(names), 0, None
        deadline = time.monotonic() + ANSWER_S
        while missing:
            if time.monotonic() > deadline:
                raise Failed(f"{what}: no answer of {', '.join(sorted(missing))} in {asked} requests; last: {last}")
            asked += 1
            try:
                page = request()
                check_page(page)
                missing.discard(page["pod"])
            except OSError as error:
                last = error
                time.sleep(0.1)
        self.screen.step(f"{what}: {'all ' if len(names) > 1 else ''}{len(names)} answered, {asked} requests")

    def ask_from(self, pod, host, port):
        """The same program as in the pod, as a client, in the pod's network namespace."""
        done = subprocess.run(["nsenter", f"--net={self.netns(pod)}", self.program, "get", host, str(port)],
                              capture_output=True, text=True, timeout=10)
        if done.returncode:
            raise OSError(done.stderr.strip() or done.stdout.strip() or f"code {done.returncode}")
        return parse_page(done.stdout)

    def netns(self, pod):
        """The file that keeps the pod's network namespace."""
        for pattern in ("*", "*/*", "*/*/*"):
            found = glob.glob(os.path.join(self.args.data_dir, "nodes", pattern, "sandboxes", pod["metadata"]["uid"], "net"))
            if found:
                return found[0]
        raise OSError(f"no network namespace of pod {pod['metadata']['name']} below {self.args.data_dir}/nodes")

    def summary(self):
        service = self.balanced_service()
        address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
        self.screen.step("done")
        print(f"\n  curl http://{address}/\n  {self.skeg} get pods -n {NAMESPACE}\n"
              f"  kubectl get all -n {NAMESPACE}\n  make down\n")

    # ---- down ----

    def down(self):
        """Everything that up made, in the reverse order."""
        if os.path.isdir(self.args.data_dir):
            if not os.access(self.skeg, os.X_OK):
                raise Failed(f"{self.skeg} is not there, and {self.args.data_dir} is: run 'make' first, then 'make down'")
            options = ["--kubeconfig", self.args.kubeconfig] if self.args.kubeconfig else []
            self.screen.step("removing the cluster")
            self.run_skeg("reset", "--yes", "--data-dir", self.args.data_dir, *options)
        stop_registry(self.args.demo_dir)
        shutil.rmtree(self.args.demo_dir, ignore_errors=True)
        self.screen.step("nothing is left")


# ---------------------------------------------------------------- pages of the web application


def parse_page(text):
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def ask(host, port):
    """A connection a request: the next may reach another pod."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/")
        reply = connection.getresponse()
        text = reply.read().decode()
        if reply.status != 200:
            raise OSError(f"status {reply.status}: {text}")
        return parse_page(text)
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


EXPECTED = {"DATABASE_URL": "set", "REDIS_HOST": "set", "/tmp": "writable", "/app/cache": "writable", "/": "read-only",
            "user": "1000"}


def check_page(page):
    for name, value in EXPECTED.items():
        if page.get(name) != value:
            raise Failed(f"pod {page.get('pod')} says '{name}: {page.get(name)}', not '{value}'")


def describe(pod):
    status = pod.get("status", {})
    text = status.get("phase", "Pending")
    for container in status.get("containerStatuses", []):
        state = container.get("state", {})
        for form in ("waiting", "terminated"):
            if form in state:
                text = state[form].get("reason", form)
        if container.get("restartCount"):
            text += f", {container['restartCount']} restarts"
    if is_ready(pod):
        text = "Ready"
    elif text == "Running":
        text = "Running, not ready yet"
    return f"{pod.get('spec', {}).get('nodeName', '(no node yet)'):<8} {text}"


def main():
    parser = argparse.ArgumentParser(description="The demo cluster with the web application.")
    parser.add_argument("verb", choices=("up", "down"))
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"), help="folder with src/skeg")
    parser.add_argument("--data-dir", default=default_data_dir(), help="of the cluster")
    parser.add_argument("--demo-dir", default="/var/lib/skeg-demo", help="of the registry")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--port", type=int, default=6443, help="of the API server")
    parser.add_argument("--kubeconfig", help="file that gets the context 'skeg' (~/.kube/config)")
    args = parser.parse_args()
    for name in ("build", "data_dir", "demo_dir"):
        setattr(args, name, os.path.abspath(getattr(args, name)))
    try:
        getattr(Demo(args), args.verb)()
    except (Failed, TimeoutError, Refused, OSError) as error:
        sys.exit(f"\ndemo: error: {error}")


if __name__ == "__main__":
    main()
