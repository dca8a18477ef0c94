#!/usr/bin/env python3
"""make check: format, layers, licences, the second compiler, static analysis, and that no file holds what does not belong into it.

    check.py [--build build-release] [--all]      --all: clang-tidy too (minutes)
Exit code 1 when one finds something. A check whose program is not installed is skipped and says so.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
GENERATED = ("tests/data/", "tests/api/cases/", "tests/fuzz/corpus/")


def tracked(*endings):
    text = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return [f for f in text.splitlines() if f.endswith(endings) and os.path.exists(os.path.join(TOP, f))]


def run(command):
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def program(name):
    if not shutil.which(name):
        raise FileNotFoundError(f"{name} is not installed: make packages")
    return name


def check_format(_):
    files = [f for f in tracked(".c", ".h") if f.startswith(("src/", "tests/", "demo/"))]
    code, text = run([program("clang-format-14"), "--dry-run", "-Werror", *files])
    names = sorted({line.split(":")[0] for line in text.splitlines() if "error:" in line})
    return code, "".join(f"{n}: run clang-format-14 -i on it\n" for n in names) or f"{len(files)} files"


def check_layers(args):
    return run([os.path.join(TOP, "tools/check_layers.py"), args.build])


def check_licences(args):
    program("readelf")
    return run([os.path.join(TOP, "tools/check_licences.py"), os.path.join(args.build, "src", "skeg")])


def check_text(_):
    """Nothing unfinished, no absolute path of somebody's machine."""
    found = []
    for name in tracked(".c", ".h", ".py", ".md", ".api", ".build", ".yaml", ".txt"):
        if name.startswith(GENERATED) or name == "tools/check.py":
            continue
        for number, line in enumerate(open(os.path.join(TOP, name), encoding="utf-8", errors="replace"), 1):
            if UNFINISHED.search(line) or re.search(r"(?<![\w.$}/])/(work|root)/[a-z.]", line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    return (1 if found else 0), "\n".join(found) or "nothing unfinished"


def check_sizes(_):
    """One file, one idea."""
    found = []
    for name in tracked(".c", ".h"):
        count = sum(1 for _ in open(os.path.join(TOP, name), encoding="utf-8"))
        if name.startswith("src/") and count > 900:
            found.append(f"{name}: {count} lines, 900 at most")
    return (1 if found else 0), "\n".join(found) or "no file over 900 lines"


def check_clang(_):
    """The other compiler builds all of it without a warning too."""
    program("clang-14")
    code, text = run(["make", "--no-print-directory", "build-clang"])
    return code, "\n".join(line for line in text.splitlines() if "error:" in line) or "builds without a warning"


def check_cppcheck(_):
    return run([program("cppcheck"), "-q", "-j2", "--error-exitcode=1", "--enable=warning,performance,portability", "--inline-suppr",
                "--std=c11", "-Isrc", "--suppressions-list=tools/cppcheck.txt", "src"])


def check_tidy(args):
    if not args.all:
        return 0, "left out: only with --all"
    checks = "-*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.*,bugprone-*,-bugprone-easily-swappable-parameters"
    files = [f for f in tracked(".c") if f.startswith("src/")]
    return run([program("clang-tidy-14"), "-p", args.build, "--quiet", f"--checks={checks}", *files])


CHECKS = [("format", check_format), ("layers", check_layers), ("licences", check_licences), ("text", check_text),
          ("sizes", check_sizes), ("clang", check_clang), ("cppcheck", check_cppcheck), ("clang-tidy", check_tidy)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build-release")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", help="one of: " + " ".join(name for name, _ in CHECKS))
    args = parser.parse_args()
    args.build = os.path.join(TOP, args.build)
    counts = [0, 0, 0]
    for name, check in CHECKS:
        if args.only and name != args.only:
            continue
        try:
            code, text = check(args)
            outcome = 1 if code else 0
        except FileNotFoundError as error:
            outcome, text = 2, str(error)
        counts[outcome] += 1
        print(f"{('ok', 'FAILED', 'skipped')[outcome]:<8} {name}: {text}", flush=True)
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
