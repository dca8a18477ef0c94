#!/usr/bin/env python3
"""make test: builds what is needed and runs every suite; ends with `N passed, N failed, N skipped`.

    run_tests.py [SUITE...]       unit fuzz torture cluster asan api kubectl demo day clients runner; default: all
    run_tests.py fuzz --seconds 60     every libFuzzer target that long (build-fuzz)

Exit code 1 when something fails. A suite that cannot run on this machine counts as skipped and says why.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def run(command, **options):
    return subprocess.run(command, cwd=TOP, text=True, **options)


def say(text):
    print(text, flush=True)


def build(folder):
    """By make, so that there is one place that knows how."""
    started = time.monotonic()
    done = run(["make", "--no-print-directory", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        say("\n".join(done.stdout.splitlines()[-40:]))
        raise SystemExit(f"{folder} does not build")
    say(f"{folder} is built ({time.monotonic() - started:.0f} s)")


# ---------------------------------------------------------------- suites; each gives (passed, failed, skipped)


def meson(folder, *suites):
    """Programs that meson knows; a failing one's output is shown."""
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs"]
    for suite in suites:
        command += ["--suite", suite]
    log = os.path.join(TOP, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    counts = [0, 0, 0]
    for line in open(log, encoding="utf-8") if os.path.exists(log) else []:
        result = json.loads(line)["result"]
        counts[{"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2}.get(result, 1)] += 1
    if counts[1] or done.returncode or sum(counts) == 0:
        say(done.stdout)
        counts[1] = max(counts[1], 1)
    return counts


def script(*command):
    """A program of ours that ends with the counts."""
    done = run(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = COUNTS.findall(done.stdout)
    if done.returncode == 77:
        return skipped(done.stdout.strip())
    if not found or done.returncode or int(found[-1][1]):
        say(done.stdout)
    if not found:
        return [0, 1, 0]
    counts = [int(n) for n in found[-1]]
    if done.returncode and not counts[1]:
        counts[1] = 1
    return counts


def skipped(reason):
    say(f"         skipped: {reason}")
    return [0, 0, 1]


def suite_cluster():
    if os.geteuid() != 0:
        return skipped("real containers and networks need root")
    return meson("build-release", "cluster")


def suite_kubectl():
    if not shutil.which("kubectl"):
        return skipped("kubectl is not installed")
    return script("tests/api/kubectl_day.py")


def suite_demo():
    if os.geteuid() != 0:
        return skipped("real containers and networks need root")
    return script("tests/cluster/test_demo.py")


def suite_day():
    if os.geteuid() != 0:
        return skipped("real containers and networks need root")
    return script("tests/cluster/test_kubectl.py")


def suite_api():
    return add(script("tests/api/run.py", "--self-test"), script("tests/api/run.py"))


def suite_asan():
    """Units, and the whole server: the recorded requests, then load until it is told to stop."""
    return add(meson("build-asan", "unit"), script("tests/api/run.py", "--build", os.path.join(TOP, "build-asan")),
               script("tests/torture/load_control.py", "--build", "build-asan", "--seconds", "10"))


def suite_runner():
    """This runner must see what fails: a program that fails, one that crashes, counts that are not there."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = []
        for body in ("echo '1 passed, 1 failed, 0 skipped'", "echo '1 passed, 0 failed, 0 skipped'; exit 1", "kill -9 $$", "true"):
            path = os.path.join(folder, "t")
            with open(path, "w", encoding="ascii") as out:
                out.write("#!/bin/sh\n" + body + "\n")
            os.chmod(path, 0o755)
            done = subprocess.run([sys.executable, __file__, "--script", path], capture_output=True, text=True)
            outcomes.append(done.returncode == 1 and COUNTS.findall(done.stdout)[-1][1] == "1")
    return [sum(outcomes), len(outcomes) - sum(outcomes), 0]


SUITES = {  # in this order: what is quick and says most comes first
    "runner": suite_runner,
    "unit": lambda: meson("build-release", "unit"),
    "fuzz": lambda: meson("build-release", "fuzz"),
    "api": suite_api,
    "kubectl": suite_kubectl,
    "torture": lambda: meson("build-release", "torture"),
    "asan": suite_asan,
    "cluster": suite_cluster,
    "demo": suite_demo,
    "clients": lambda: script("tests/clients/run.py"),
    "day": suite_day,  # with what "clients" has fetched
}


def add(*rows):
    return [sum(column) for column in zip(*rows)]


# ---------------------------------------------------------------- long fuzzing


def fuzz(seconds):
    counts = [0, 0, 0]
    for target in sorted(glob.glob(os.path.join(TOP, "build-fuzz/tests/fuzz/fuzz_*"))):
        if not os.access(target, os.X_OK) or os.path.isdir(target):
            continue
        name = os.path.basename(target)[len("fuzz_"):]
        with tempfile.TemporaryDirectory() as corpus:
            command = [target, f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix={TOP}/build-fuzz/{name}-", corpus,
                       f"tests/fuzz/corpus/{name}"]
            done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        say(f"fuzz {name}: {'ok' if done.returncode == 0 else 'FAILED'}")
        if done.returncode:
            say("\n".join(done.stdout.splitlines()[-60:]))
        counts[1 if done.returncode else 0] += 1
    return counts


def finish(counts):
    say(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] or not counts[0] else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", nargs="*", help=" ".join(SUITES))
    parser.add_argument("--seconds", type=int, help="with the suite fuzz: libFuzzer, so long for each target")
    parser.add_argument("--script", help="run one program as a suite is run")
    args = parser.parse_args()
    if args.script:
        return finish(script(args.script))
    if args.seconds:
        return finish(fuzz(args.seconds))
    wanted = args.suites or list(SUITES)
    unknown = [s for s in wanted if s not in SUITES]
    if unknown:
        parser.error(f"no suite '{unknown[0]}'; there are: {' '.join(SUITES)}")
    started = time.monotonic()
    if set(wanted) - {"runner", "asan"}:
        build("build-release")
    if "asan" in wanted:
        build("build-asan")
    counts = [0, 0, 0]
    for name in wanted:
        began = time.monotonic()
        row = SUITES[name]()
        counts = add(counts, row)
        say(f"{name:<8} {row[0]} passed, {row[1]} failed, {row[2]} skipped ({time.monotonic() - began:.0f} s)")
    say(f"in {time.monotonic() - started:.0f} s")
    return finish(counts)


if __name__ == "__main__":
    sys.exit(main())
