#!/usr/bin/env python3
"""Stock kubectl against two simulated nodes: commands, and what their output must say.

    kubectl_day.py [--kubectl PATH] [--build build-release] [-v]

Every step is a command of one line and a regular expression (re.search, multi-line) its output must match; a leading '!' means that the
command must fail. Exit code 77 without a kubectl.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))

from own_server import OwnServer  # noqa: E402

STEPS = [
    ("version", r'Server Version: (version\.Info\{.*GitVersion:")?v1\.35\.'),
    ("get nodes", r"^n1 +Ready .*\n(.*\n)*n2 +Ready "),
    ("api-resources --namespaced=false", r"namespaces +ns +v1 +false +Namespace"),
    ("create namespace day", r"namespace/day created"),
    ("create configmap c --from-literal=a=1 -n day", r"configmap/c created"),
    ("!create configmap c --from-literal=a=1 -n day", r"already exists"),
    ("create secret generic s --from-literal=p=q -n day", r"secret/s created"),
    ("create deployment web --image=registry.example/web:1 --replicas=3 -n day", r"deployment.apps/web created"),
    ("rollout status deployment/web -n day --timeout=30s", r"successfully rolled out"),
    ("get pods -n day -l app=web --no-headers", r"(web-\S+ +1/1 +Running.*\n){3}"),
    ("get deploy web -n day -o jsonpath={.status.readyReplicas}", r"^3$"),
    ("get deploy web -n day -o yaml", r"kind: Deployment"),
    ("expose deployment web --port=80 --target-port=8080 -n day", r"service/web exposed"),
    ("get endpointslices -n day", r"web-\S+ +IPv4 +8080"),
    ("scale deployment web --replicas=5 -n day", r"deployment.apps/web scaled"),
    ("rollout status deployment/web -n day --timeout=30s", r"successfully rolled out"),
    ("set image deployment/web web=registry.example/web:2 -n day", r"image updated"),
    ("rollout status deployment/web -n day --timeout=60s", r"successfully rolled out"),
    ("rollout history deployment/web -n day", r"^1 .*\n2 "),
    ("rollout undo deployment/web -n day", r"rolled back"),
    ("rollout status deployment/web -n day --timeout=60s", r"successfully rolled out"),
    ("label deployment web tier=front -n day", r"labeled"),
    ("annotate deployment web note=hello -n day", r"deployment.apps/web annotated?$"),  # 1.27 says "annotate"
    ('patch deployment web -n day -p {"spec":{"minReadySeconds":1}}', r"patched"),
    ("describe deployment web -n day", r"(?s)Replicas: +5 desired.*Events:"),
    ("describe node n1", r"(?s)Capacity:.*Non-terminated Pods:"),
    ("get events -n day", r"Scheduled .*Successfully assigned day/web-"),
    ("auth can-i create pods -n day", r"yes"),
    ("explain pod.spec.containers.image", r"FIELD: image"),
    ("explain deployment --recursive", r"(?s)DESCRIPTION:\n +\S.*revisionHistoryLimit"),
    ("explain hpa.spec --api-version=autoscaling/v1", r"(?s)targetCPUUtilizationPercentage.*percent of what they ask for"),
    ("get pods -A -o name", r"pod/web-"),
    ("get deploy,rs,svc -n day", r"deployment.apps/web"),
    ("!get pods nothere -n day", r'pods "nothere" not found'),
    ("!get nosuchthing", r"the server doesn't have a resource type"),
    ("apply -f examples/prerequisites.yaml", r"(?s)namespace/production created.*configmap/redis-config created"),
    ("apply --server-side -f examples/prerequisites.yaml --force-conflicts", r"serverside-applied"),
    ("apply -f examples/web-application.yaml", r"(?s)deployment.apps/web-application created.*service/web-application-service created"),
    # Upstream says "configured" of the Deployment: "1000m" in the file is "1" in the cluster.
    ("apply -f examples/web-application.yaml", r"service/web-application-service unchanged"),
    ("diff -f examples/web-application.yaml", r"^$"),
    ("delete -f examples/web-application.yaml", r'deployment.apps "web-application" deleted'),
    ("delete deployment web -n day", r'"web" deleted'),
    ("wait --for=delete pod -l app=web -n day --timeout=60s", r""),
    ("delete namespace day --timeout=60s", r'namespace "day" deleted'),
    ("!get namespace day", r"NotFound"),
]


def words_of(command):
    return command.split(" ") if "{" in command else shlex.split(command)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubectl", default=shutil.which("kubectl"))
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    if not args.kubectl:
        print("kubectl is not installed")
        return 77
    failed = 0
    with OwnServer(args.build) as server:
        for command, pattern in STEPS:
            must_fail = command.startswith("!")
            words = [args.kubectl, "--kubeconfig", server.kubeconfig, *words_of(command.lstrip("!"))]
            try:
                done = subprocess.run(words, capture_output=True, text=True, timeout=90, cwd=TOP)
                text, code = done.stdout + done.stderr, done.returncode
            except subprocess.TimeoutExpired:
                text, code = "no end after 90 s", None
            is_right = code is not None and (code != 0) == must_fail and re.search(pattern, text, re.MULTILINE)
            failed += not is_right
            if args.v or not is_right:
                print(f"{'ok  ' if is_right else 'FAIL'} kubectl {command.lstrip('!')} (code {code}): {text.strip()[:600]}", flush=True)
    print(f"{len(STEPS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
