#!/usr/bin/env python3
"""Install the Debian packages that skeg needs, by apt, and only those that are missing.

    packages.py [build run demo test check]     default: all groups of packages.txt
    packages.py --list [...]                    print what is missing and install nothing
"""
import os
import subprocess
import sys

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages.txt")


def read_groups():
    """{group: [package]} in the order of the file."""
    groups, current = {}, None
    for line in open(LIST, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line.startswith("["):
            current = groups.setdefault(line.strip("[]"), [])
        elif line:
            current.append(line)
    return groups


def missing(packages):
    query = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"] + packages,
                           capture_output=True, text=True)
    there = {line.split()[1] for line in query.stdout.splitlines() if line.startswith("installed ")}
    return [p for p in packages if p not in there]


def install(packages):
    if os.geteuid() == 0:
        prefix = []
    elif subprocess.run(["sh", "-c", "command -v sudo"], capture_output=True).returncode == 0:
        prefix = ["sudo"]
    else:
        sys.exit(f"packages: missing: {' '.join(packages)}; run as root: apt-get install {' '.join(packages)}")
    print(f"packages: installing {' '.join(packages)}", flush=True)
    apt = prefix + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run(apt + ["update"], check=False, stdout=subprocess.DEVNULL)
    # The registry's package starts a service of its own; the demo runs one beside it and needs no service.
    done = subprocess.run(apt + ["install", "--no-install-recommends"] + packages, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"packages: apt-get failed; try: apt-get update && apt-get install {' '.join(packages)}")


def main(arguments):
    groups = read_groups()
    wanted = [a for a in arguments if not a.startswith("--")] or list(groups)
    unknown = [g for g in wanted if g not in groups]
    if unknown:
        sys.exit(f"packages: no group '{unknown[0]}'; there are: {' '.join(groups)}")
    if subprocess.run(["sh", "-c", "command -v dpkg-query"], capture_output=True).returncode:
        sys.exit("packages: this is no Debian system; install what tools/packages.txt names by its own means")
    absent = missing([p for g in wanted for p in groups[g]])
    if "--list" in arguments:
        print("\n".join(absent))
    elif absent:
        install(absent)
        left = missing(absent)
        if left:
            sys.exit(f"packages: still missing: {' '.join(left)}")


main(sys.argv[1:])
