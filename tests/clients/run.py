#!/usr/bin/env python3
"""Programs on the clients that people use, against a control plane of their own with simulated nodes: the Python client, client-go and Helm.

    run.py [--build build-release] [--only python|go|helm]
    run.py --kubeconfig FILE [--shell NAMESPACE/NAME] [--web NAMESPACE/NAME] [--image NAME]     # a cluster that runs already

What they need is fetched once, by pip and go, into the build folder; without the tool, or without a way to what it fetches,
that client counts as skipped; so does Helm where no program `helm` is, and on a cluster that runs already: its chart is for
simulated nodes. A client that is there and does not compile has failed. Ends with `N passed, N failed, N skipped`.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))

from own_control import OwnControl  # noqa: E402

FETCH_S = 300
BUILD_S = 900  # client-go takes minutes once; go keeps what it compiled
RUN_S = 300


class Missing(Exception):
    """Why a client cannot run here."""


class Broken(Exception):
    """Why a client's program is no program."""


def must(words, what, **options):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=FETCH_S, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{what}: {error}") from error
    if done.returncode:
        raise Missing(f"{what}: {(done.stderr or done.stdout).strip()[-300:]}")


def python_client(folder):
    """An interpreter that has the package, made when it is not there."""
    interpreter = os.path.join(folder, "venv", "bin", "python")
    if subprocess.run([interpreter, "-c", "import kubernetes"], capture_output=True, check=False).returncode \
            if os.path.exists(interpreter) else True:
        must([sys.executable, "-m", "venv", os.path.join(folder, "venv")], "no virtual environment (python3-venv)")
        must([interpreter, "-m", "pip", "install", "-q", "-r", os.path.join(HERE, "python", "requirements.txt")], "pip install")
    return [interpreter, os.path.join(HERE, "python", "client.py")]


def go_client(folder):
    if not shutil.which("go"):
        raise Missing("go is not installed")
    program = os.path.join(folder, "go-client")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOPATH": os.environ.get("GOPATH") or os.path.join(folder, "gopath")}
    source = os.path.join(HERE, "go")
    must(["go", "mod", "download", "-modcacherw"], "go mod download", cwd=source, env=environment)
    # Unoptimised code is compiled sooner, and this program is in no hurry.
    done = subprocess.run(["go", "build", "-trimpath", "-modcacherw", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", program, "."],
                          cwd=source, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode:
        raise Broken(done.stderr[-3000:])
    return [program]


def helm_client(_folder):
    if not shutil.which("helm"):
        raise Missing("helm is not installed")
    return [sys.executable, os.path.join(HERE, "helm", "helm.py")]


CLIENTS = {"python": (python_client, "--"), "go": (go_client, "-"), "helm": (helm_client, "--")}
ON_REAL_NODES = ("python", "go")


def run(name, folder, options):
    """(passed, failed, skipped); options: {name: value}."""
    make, dashes = CLIENTS[name]
    try:
        words = make(folder)
    except Missing as why:
        print(f"{name}: skipped: {why}", flush=True)
        return [0, 0, 1]
    except Broken as why:
        print(f"{name}: does not compile: {why}", flush=True)
        return [0, 1, 0]
    words += [word for key, value in options.items() if value for word in (dashes + key, value)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=RUN_S, check=False)
    found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", done.stdout, re.MULTILINE)
    counts = [int(n) for n in found[-1]] if found else [0, 1, 0]
    if counts[1] or done.returncode:
        print(f"{name}: code {done.returncode}\n{done.stdout}{done.stderr[-3000:]}", flush=True)
        counts[1] = max(counts[1], 1)
    return counts


def main():
    parser = argparse.ArgumentParser(description="Clients that people use.")
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("--only", choices=CLIENTS)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--shell", help="NAMESPACE/NAME of a pod that has a shell")
    parser.add_argument("--web", help="NAMESPACE/NAME of a pod that answers at port 8080")
    parser.add_argument("--image", help="that the nodes of the cluster have, with a shell")
    args = parser.parse_args()
    folder = os.path.join(os.path.abspath(args.build), "clients")
    os.makedirs(folder, exist_ok=True)
    counts = [0, 0, 0]
    for name in [args.only] if args.only else ON_REAL_NODES if args.kubeconfig else CLIENTS:
        if args.kubeconfig:
            own = {"kubeconfig": args.kubeconfig, "shell": args.shell, **({"web": args.web} if name == "go" else {"image": args.image})}
            row = run(name, folder, own)
        else:
            with OwnControl(args.build, is_memory=True) as control:
                row = run(name, folder, {"kubeconfig": os.path.join(control.data_dir, "admin.kubeconfig")})
        counts = [a + b for a, b in zip(counts, row)]
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
