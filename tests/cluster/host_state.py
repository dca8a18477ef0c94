#!/usr/bin/env python3
"""What of this machine a cluster could change, written down, and two such records compared.

    host_state.py > before.json
    host_state.py --compare before.json        exit code 1 and a list when something differs

Recorded: processes of a cluster's programs, mounts, network namespaces, links, addresses, routes, rules, nft's ruleset, sysctls, cgroups,
the user's kubeconfig, and files in the folders where programs leave state. What moves by itself (counters, ages) is left out.
"""
import argparse
import glob
import hashlib
import json
import os
import re
import subprocess
import sys

PROGRAMS = {"skeg", "conmon", "runc", "crun", "docker-registry", "registry", "web-application", "nft", "portmap", "bridge", "ptp",
            "host-local"}
# Numbers that the kernel moves, or that follow the machine's load.
MOVING_SYSCTLS = re.compile(
    r"^(dev/cdrom|fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota)|kernel/(random|ns_last_pid|pty/nr|perf_event_max_sample_rate"
    r"|sched_domain|tainted|sysrq)|net/netfilter/nf_conntrack_(count|buckets)|vm/(stat_refresh|drop_caches|compact_memory)"
    r"|sunrpc|fs/binfmt_misc|net/ipv[46]/route/flush|net/ipv4/tcp_fastopen_key|net/ipv6/conf/[^/]+/stable_secret)")
FOLDERS = ("/var/lib/skeg*", "/var/lib/cni*", "/var/lib/docker-registry*", "/etc/skeg*", "/etc/cni*", "/run/skeg*", "/run/netns*", "/run/runc*",
           "/run/crun*", "/run/cni*", "/run/conmon*", "/run/libpod*", "/dev/shm/*skeg*")


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else f"{command[0]}: code {done.returncode}"


def processes():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(path, "rb").read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) in PROGRAMS:
            found.append(f"{path.split('/')[2]} {' '.join(words).strip()}")
    return sorted(found)


def mounts():
    """mount point, file system, source; without the ids that grow."""
    rows = []
    for line in open("/proc/self/mountinfo", encoding="utf-8"):
        words = line.split()
        dash = words.index("-")
        rows.append(" ".join([words[3], words[4], *words[dash + 1:dash + 3]]))
    return sorted(rows)


def network_namespaces():
    """Those with a process in them (by inode) and those kept by a file."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/ns/net"):
        try:
            found.add(os.readlink(path))
        except OSError:
            continue
    kept = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return sorted(found) + sorted(kept)


def links():
    # The alias and state belong to it; counters and indexes do not.
    rows = json.loads(output("ip", "-j", "-d", "link") or "[]")
    return sorted(f"{r['ifname']} {r.get('address')} mtu {r.get('mtu')} {r.get('operstate')} {r.get('ifalias', '')} "
                  f"{r.get('linkinfo', {}).get('info_kind', '')}" for r in rows)


def addresses():
    rows = json.loads(output("ip", "-j", "addr") or "[]")
    return sorted(f"{r['ifname']} {a['local']}/{a['prefixlen']}" for r in rows for a in r.get("addr_info", []) if "local" in a)


def lines_of(*command):
    return sorted(re.sub(r" expires \d+sec", "", line.strip()) for line in output(*command).splitlines())


def sysctls():
    found = {}
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            key = path[len("/proc/sys/"):]
            if MOVING_SYSCTLS.match(key) or not os.stat(path).st_mode & 0o400:
                continue
            try:
                found[key] = open(path, "rb").read(4096).decode("utf-8", "replace").strip()
            except OSError:
                continue
    return [f"{key} = {value}" for key, value in sorted(found.items())]


def cgroups():
    return sorted(folder for folder, _, _ in os.walk("/sys/fs/cgroup"))


def kubeconfig():
    path = os.environ.get("KUBECONFIG", os.path.expanduser("~/.kube/config")).split(":")[0]
    if not os.path.exists(path):
        return ["absent"]
    data = open(path, "rb").read()
    state = os.stat(path)
    return [f"{path} {hashlib.sha256(data).hexdigest()} {state.st_mode:o} {state.st_uid}:{state.st_gid}"]


def files():
    found = []
    for pattern in FOLDERS:
        for top in glob.glob(pattern):
            if os.path.isdir(top) and not os.listdir(top):
                continue  # an empty folder says nothing
            found.append(top)
            for folder, folders, names in os.walk(top):
                found += [os.path.join(folder, n) for n in folders + names]
    return sorted(found)


# What is looked at, in this order.
PARTS = {
    "processes": processes,
    "mounts": mounts,
    "network namespaces": network_namespaces,
    "links": links,
    "addresses": addresses,
    "routes": lambda: lines_of("ip", "route", "show", "table", "all") + lines_of("ip", "-6", "route", "show", "table", "all"),
    "routing rules": lambda: lines_of("ip", "rule") + lines_of("ip", "-6", "rule"),
    "nft ruleset": lambda: output("nft", "-s", "list", "ruleset").splitlines(),
    "sysctls": sysctls,
    "cgroups": cgroups,
    "kubeconfig": kubeconfig,
    "files": files,
}


def record():
    return {name: part() for name, part in PARTS.items()}


def compare(before, after):
    """Lines that say what is new or gone."""
    found = []
    for name in PARTS:
        old, new = before.get(name, []), after.get(name, [])
        found += [f"{name}: new: {line}" for line in new if line not in set(old)]
        found += [f"{name}: gone: {line}" for line in old if line not in set(new)]
        if name == "nft ruleset" and old != new and not found:
            found.append("nft ruleset: another order")
    return found


def main():
    parser = argparse.ArgumentParser(description="Record or compare the state of this machine.")
    parser.add_argument("--compare", metavar="FILE")
    args = parser.parse_args()
    if not args.compare:
        json.dump(record(), sys.stdout, indent=1)
        return 0
    found = compare(json.load(open(args.compare, encoding="utf-8")), record())
    print("\n".join(found) or "the machine is as before")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
