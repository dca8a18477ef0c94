#!/usr/bin/env python3
"""Helm's life of a release, with the chart beside this file, against a cluster whose nodes are simulated.

    helm.py --kubeconfig FILE [--helm PROGRAM] [-v]

A step is a command line of helm and what its output must match (re.search, multi-line); '!' before it: the command must fail.
Ends with `N passed, N failed, N skipped`; skipped as a whole without a helm.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STEP_S = 60

STEPS = [
    ("lint harbour", r"1 chart\(s\) linted, 0 chart\(s\) failed"),
    ("template b harbour --validate", r"(?s)autoscaling: \"true\".*deployments: \"true\""),
    ("install a harbour {crds} --create-namespace --wait --wait-for-jobs --timeout 30s", r"STATUS: deployed"),
    ("!install a harbour", r"cannot re-?use a name"),
    ("install b harbour --dry-run=server", r"space: \"Namespace\""),
    ("test a --timeout 20s", r"Phase: +Succeeded"),
    ("upgrade a harbour --wait --timeout 30s --set greeting=bye --set replicas=3", r"has been upgraded"),
    ("get manifest a", r"greeting: \"bye\""),
    ("get values a", r"replicas: 3"),
    ("get hooks a", r"kind: Job"),
    # Pods that fit nowhere: what was before comes back.
    ("!upgrade --install a harbour {rollback} --timeout 4s --set nodeSelector.no=such", r"has been rolled back"),
    ("history a", r"(?s)2 .*superseded.*3 .*failed.*4 .*deployed.*Rollback to 2"),
    ("!upgrade a harbour --timeout 20s --set exitCode=3", r"pre-upgrade hooks failed"),
    ("rollback a 1 --wait --timeout 30s", r"Rollback was a success"),
    ("status a", r"STATUS: deployed\n(.*\n)*REVISION: 6"),
    ("get all a", r"USER-SUPPLIED VALUES"),
    ("list --all-namespaces", r"^a\s+helm\s+6\s.*deployed\s+harbour-0\.1\.0"),
    ("upgrade a harbour --reuse-values --set replicas=1 --wait --timeout 30s", r"has been upgraded"),
    ("!upgrade a harbour --set replicas=-1", r"(?s)spec\.replicas.*must be greater than or equal to 0"),
    ("uninstall a --wait --timeout 30s", r"release \"a\" uninstalled"),
    ("!status a", r"not found"),
    ("list --all-namespaces --short", r"^$"),
]


def run(command, args, folder, flags):
    line = command.lstrip("!").format(**flags)
    environment = {**os.environ, "HELM_CACHE_HOME": folder, "HELM_CONFIG_HOME": folder, "HELM_DATA_HOME": folder}
    done = subprocess.run([args.helm, "--kubeconfig", args.kubeconfig, "--namespace", "helm", *line.split()], capture_output=True,
                          text=True, timeout=STEP_S, check=False, cwd=HERE, env=environment)
    return line, done.stdout + done.stderr, done.returncode


def flags_of(helm):
    """What differs between the versions: Helm 4 has renamed what undoes a failed upgrade, and takes no definition of a custom
    resource that is not served; Helm 3 goes on."""
    text = subprocess.run([helm, "upgrade", "--help"], capture_output=True, text=True, check=False).stdout
    if "--rollback-on-failure" in text:
        return {"rollback": "--rollback-on-failure --wait", "crds": "--skip-crds"}
    return {"rollback": "--atomic", "crds": ""}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--helm", default=shutil.which("helm"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    if not args.helm:
        print("helm is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    folder = os.path.join(os.path.dirname(os.path.abspath(args.kubeconfig)), "helm")
    flags = flags_of(args.helm)
    failed = 0
    for command, pattern in STEPS:
        try:
            line, text, code = run(command, args, folder, flags)
        except subprocess.TimeoutExpired:
            line, text, code = command, f"no end after {STEP_S} s", None
        is_right = code is not None and (code != 0) == command.startswith("!") and re.search(pattern, text, re.MULTILINE)
        failed += not is_right
        if args.v or not is_right:
            print(f"{'ok  ' if is_right else 'FAIL'} helm {line} (code {code}): {text.strip()[:800]}", flush=True)
    print(f"{len(STEPS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
