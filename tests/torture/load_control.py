#!/usr/bin/env python3
"""Loads a real control plane with simulated nodes, then asks it to stop: it must end by itself, with nothing to report.

    load_control.py [--build build] [--seconds 10] [--workers 4]

Built with a sanitizer, that shows that nothing leaks, races or is used after it was freed.
Ends with `N passed, N failed, N skipped`.
"""
import argparse
import os
import random
import re
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from own_control import OwnControl  # noqa: E402

REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|assertion).*")
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"
READS = ["/api/v1/pods", "/api/v1/pods?limit=3", "/api/v1/events", "/api/v1/nodes/n1", "/openapi/v2", "/openapi/v3",
         "/openapi/v3/apis/apps/v1", "/apis", "/metrics", "/readyz?verbose", "/version", "/api/v1/pods?resourceVersion=1",
         "/apis/apps/v1/deployments?labelSelector=!(", "/no/such/path"]


def pod_template(label, image):
    return {"metadata": {"labels": {"app": label}},
            "spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 80}]}]}}


def workloads():
    """(path below the namespace's, object)"""
    for group, kind, extra in (("apps/v1", "deployments", {"replicas": 5}),
                               ("apps/v1", "statefulsets", {"replicas": 2, "serviceName": "web"}),
                               ("apps/v1", "daemonsets", {})):
        yield f"/apis/{group}", kind, {"metadata": {"name": "web"}, "spec": {
            **extra, "selector": {"matchLabels": {"app": kind}}, "template": pod_template(kind, "registry.invalid/web:1")}}
    job = pod_template("job", "registry.invalid/job:1")
    job["spec"]["restartPolicy"] = "Never"
    yield "/apis/batch/v1", "jobs", {"metadata": {"name": "web"}, "spec": {"template": job, "completions": 2}}
    yield "/api/v1", "services", {"metadata": {"name": "web"}, "spec": {
        "type": "NodePort", "selector": {"app": "deployments"}, "ports": [{"port": 80}]}}


class Worker(threading.Thread):
    def __init__(self, number, cluster, until):
        super().__init__(daemon=True)
        self.number, self.cluster, self.until = number, cluster, until
        self.random = random.Random(number)
        self.turns, self.error = 0, None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.turns += 1
                self.turn(f"load-{self.number}-{self.turns}")
        except Exception as error:  # whatever it is, the test must tell it
            self.error = error

    def pause(self, most=0.2):
        time.sleep(self.random.uniform(0, most))

    def turn(self, namespace):
        c = self.cluster
        c.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        for group, kind, body in workloads():
            c.call("POST", f"{group}/namespaces/{namespace}/{kind}", body)
        deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
        for replicas in (8, 2, 6, 0, 3):
            c.call("PATCH", deployment + "/scale", {"spec": {"replicas": replicas}}, MERGE)
            self.pause()
        template = pod_template("deployments", f"registry.invalid/web:{self.turns + 1}")
        c.call("PATCH", deployment, {"spec": {"template": template}}, STRATEGIC)
        self.read(namespace)
        c.call("DELETE", f"/api/v1/namespaces/{namespace}/pods")
        c.call("DELETE", f"/api/v1/namespaces/{namespace}")

    def read(self, namespace):
        for path in READS:
            for accept in ("application/json", TABLE, PROTOBUF, "application/yaml"):
                self.cluster.exchange("GET", path, {"Accept": accept})
        for query in ("resourceVersion=1", "timeoutSeconds=1", "timeoutSeconds=1&labelSelector=app", "resourceVersion=99999999"):
            for number, _ in enumerate(self.cluster.watch(f"/api/v1/namespaces/{namespace}/pods", query)):
                if number == 10:
                    break  # gone in the middle


def main():
    parser = argparse.ArgumentParser(description="Load control, then stop it.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()
    failures = []
    with OwnControl(args.build, simulated_nodes=3) as control:
        until = time.monotonic() + args.seconds
        workers = [Worker(n, control.cluster(timeout=120), until) for n in range(args.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        failures += [f"worker {w.number}: {w.error!r}" for w in workers if w.error]
        code = control.stop()
        if code:
            failures.append(f"control ended with {code}")
        log = control.log(1 << 20)
        if REPORT.search(log):
            failures.append(log[REPORT.search(log).start():][:6000])
    print(f"{sum(w.turns for w in workers)} namespaces with workloads made and deleted")
    for failure in failures:
        print("FAIL", failure)
    print(f"{0 if failures else 1} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
