#!/usr/bin/env python3
"""Sends the real binary what no client should send. Every case has its answer; and after every group the server still
answers at once, holds what it held, keeps its memory bounded, and has logged no error.

    bad_input.py [--build build] [--group TEXT] [--case TEXT] [--sanitized] [-v]

--sanitized: the build is one of ASan and UBSan: memory is not judged, and their reports count as errors.
Ends with `N passed, N failed, N skipped`.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

import bad_documents  # noqa: E402
from bad_wire import DOCUMENTS, WIRE, SlowLoris  # noqa: E402
from cluster_api import wait_for  # noqa: E402
from own_control import OwnControl  # noqa: E402

PROMPT_S = 2.0  # an answer, however busy the machine of the test is
GROWTH_MAX_KIB = 64 << 10
HEAVY, HEAVY_BYTES = 8, 1_000_000


class Bench:
    def __init__(self, control, is_sanitized):
        self.control, self.is_sanitized = control, is_sanitized
        self.cluster = control.cluster()
        self.fill()
        self.before = self.contents()
        self.rss_kib = control.rss_kib()

    def fill(self):
        """What every case must leave as it is, and a namespace with large objects."""
        create = self.cluster.create
        create(bad_documents.CONFIG_MAPS, {"metadata": {"name": "kept"}, "data": {"a": "ü"}})
        web = bad_documents.deployment(replicas=0)
        web["metadata"]["name"] = "web"
        create(bad_documents.DEPLOYMENTS, web)
        create("/api/v1/namespaces", {"metadata": {"name": "heavy"}})
        for i in range(HEAVY):
            create("/api/v1/namespaces/heavy/configmaps", {"metadata": {"name": f"heavy-{i}"}, "data": {"a": "x" * HEAVY_BYTES}})

    def contents(self):
        """Names, and what the kept objects hold, but for what controllers write."""
        kept = [self.cluster.get(path) for path in (bad_documents.KEPT, bad_documents.WEB)]
        names = [[item["metadata"]["name"] for item in self.cluster.get(path)["items"]] for path in (
            bad_documents.CONFIG_MAPS, bad_documents.DEPLOYMENTS, "/api/v1/namespaces", bad_documents.CRDS, "/api/v1/pods")]
        return [kept[0], kept[1]["spec"], names]

    def refused(self, method, target, media_type, body, code, pattern):
        data = None if method == "GET" else body
        got, _, text = self.cluster.exchange(method, target, {"Content-Type": media_type}, data)
        if not re.fullmatch(str(code), str(got)):
            return f"answered {got}, not {code}: {text[:400]}"
        if not re.search(pattern, text):
            return f"does not say '{pattern}': {text[:400]}"
        if got >= 400 and '"kind":"Status"' not in text and pattern != "malformed":
            return f"no Status: {text[:400]}"
        return None

    def unwell(self):
        """What is wrong with the server's health, or None; by a connection of its own."""
        if self.control.process.poll() is not None:
            return f"it ended with {self.control.process.returncode}: {self.control.log()}"
        other = self.cluster.another()
        started = time.monotonic()
        try:
            for path in ("/livez", bad_documents.KEPT):
                code, _, text = other.exchange("GET", path)
                if code != 200:
                    return f"GET {path} answers {code} {text[:200]}"
        except OSError as error:
            return f"it does not answer: {error}"
        finally:
            other.close()
        taken = time.monotonic() - started
        return f"it answers after {taken:.1f} s only" if taken > PROMPT_S and not self.is_sanitized else None

    def has_shrunk(self):
        """What the last connections had is given back soon after they ended."""
        try:
            return wait_for("memory", lambda: self.control.rss_kib() - self.rss_kib < GROWTH_MAX_KIB, PROMPT_S)
        except TimeoutError:
            return False

    def harmed(self):
        """What a group of cases has left, or None."""
        wrong = self.unwell()
        if wrong:
            return wrong
        if not self.is_sanitized and not self.has_shrunk():
            return f"it grew by {(self.control.rss_kib() - self.rss_kib) >> 10} MiB"
        errors = [line for line in self.control.log(1 << 20).splitlines()
                  if re.search(r"level=error|ERROR: \w+Sanitizer|runtime error:", line)]
        if errors:
            return "it logged " + "\n".join(errors[:5])
        now = self.contents()
        return None if now == self.before else f"it holds something else: {json.dumps(now)[:600]}, not {json.dumps(self.before)[:600]}"


# ---------------------------------------------------------------- the command line, with a file as people paste them


def as_written(bench):
    """The example without a line between its documents: told where the second begins, nothing applied."""
    text = open(os.path.join(TOP, "examples", "web-application.yaml"), encoding="utf-8").read()
    lines = [line for line in text.splitlines() if line.strip() != "---"]
    second = [i for i, line in enumerate(lines, 1) if line.startswith("apiVersion:")][1]
    path = os.path.join(bench.control.folder, "as-written.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    return applied(bench, path, 1, rf"as-written\.yaml.*line {second}\b.*---")


def applied(bench, path, code, pattern):
    kubeconfig = os.path.join(bench.control.data_dir, "admin.kubeconfig")
    done = subprocess.run([bench.control.skeg, "apply", "--kubeconfig", kubeconfig, "-f", path], capture_output=True, text=True,
                          timeout=30, check=False)
    said = done.stdout + done.stderr
    if done.returncode != code or not re.search(pattern, said, re.DOTALL):
        return f"exit code {done.returncode}, not {code}, or it does not say '{pattern}': {said[:600]}"
    return None


def file_case(content, pattern):
    def case(bench):
        path = os.path.join(bench.control.folder, "bad.yaml")
        with open(path, "wb") as out:
            out.write(content)
        return applied(bench, path, 1, pattern)
    return case


FILES = [
    ("as written", as_written),
    ("a tab", file_case(b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: bad\n", r"bad\.yaml.*line 4")),
    ("no UTF-8", file_case(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b\xff}\n", r"bad\.yaml.*UTF-8")),
    ("alias bomb", file_case(bad_documents.alias_bomb(), r"bad\.yaml.*alias")),
    ("nested", file_case(b"a: " + b"[" * 100_000, r"bad\.yaml")),
    ("no kind", file_case(b"apiVersion: v1\nmetadata: {name: bad}\n", r"bad\.yaml.*kind")),
    ("kind that is not there", file_case(b"apiVersion: v1\nkind: Nothing\nmetadata: {name: bad}\n", r'Nothing')),
    ("unknown field", file_case(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndta: {}\n", r'unknown field "dta"')),
    ("nothing in it", file_case(b"# nothing\n", r"no objects passed to apply|bad\.yaml")),
]


def run_group(bench, name, cases, args, counts):
    for case_name, case in cases:
        if args.case not in case_name:
            continue
        started = time.monotonic()
        try:
            wrong = case(bench)
        except (OSError, ValueError) as error:
            wrong = f"{type(error).__name__}: {error}"
        counts[1 if wrong else 0] += 1
        if wrong or args.verbose:
            print(f"{'FAIL' if wrong else 'ok  '} {name}: {case_name} ({time.monotonic() - started:.1f} s, {bench.control.rss_kib() >> 10} MiB){': ' + wrong if wrong else ''}",
                  flush=True)
    harm = bench.harmed()
    counts[1 if harm else 0] += 1
    if harm:
        print(f"FAIL after {name}: {harm}", flush=True)
    elif args.verbose:
        print(f"ok   after {name}: {bench.control.rss_kib() >> 10} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Bad input for the real binary.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--group", default="", help="only groups whose name contains this")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    counts = [0, 0, 0]
    groups = [(name, cases) for name, cases in [*DOCUMENTS, ("files", FILES), *WIRE] if args.group in name]
    with OwnControl(args.build, is_memory=True, simulated_nodes=0, options=["--log-level=info"]) as control:
        bench, loris = Bench(control, args.sanitized), SlowLoris(control)
        for name, cases in groups:
            run_group(bench, name, cases, args, counts)
            loris.drip()
        run_group(bench, "slow heads", [("are closed", lambda _: loris.wrong())], args, counts)
        loris.close()
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
