#!/usr/bin/env python3
"""Starts the real binary wrongly: each refusal must name the value and the remedy, and nothing may be lost or left.

    bad_start.py [--build build] [--case TEXT]

Ends with `N passed, N failed, N skipped`.
"""
import argparse
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from own_control import OwnControl  # noqa: E402

REFUSED_S = 20
NOBODY = 65534


class Bench:
    """A folder for one case, filled from a data folder that a clean run has left."""

    def __init__(self, build, skeg, clean):
        self.build, self.skeg, self.clean = build, skeg, clean
        self.folder = tempfile.mkdtemp(prefix="skeg-start-")
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        self.busy = []  # what a case keeps open until its end

    def copy(self):
        shutil.copytree(self.clean, self.data)

    def path(self, name):
        return os.path.join(self.data, name)

    def control(self, *options):
        return [self.skeg, "control", "--data-dir", self.data, "--port", "0", *options]

    def done(self):
        for thing in self.busy:
            thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def refused(bench, command, code, patterns):
    """What is wrong with the way it refused, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=REFUSED_S, check=False)
    except subprocess.TimeoutExpired:
        return "it started"
    if done.returncode != code:
        return f"exit code {done.returncode}, not {code}: {done.stderr[-600:]}"
    errors = [line for line in done.stderr.splitlines() if line.startswith("skeg: error: ")]
    if len(errors) != 1:
        return f"wants one line of error: {done.stderr[-600:]}"
    missing = [p for p in patterns if not re.search(p.replace("DATA", re.escape(bench.data)), errors[0])]
    return f"{errors[0]!r} does not say {missing}" if missing else None


# ---------------------------------------------------------------- options: (arguments, what the error must say)

OPTIONS = [
    (["--service-cidr", "10.43.0.0/99"], ["--service-cidr", "10.43.0.0/99", "like 10.43.0.0/16"]),
    (["--service-cidr", "services"], ["--service-cidr", "'services'", "like 10.43.0.0/16"]),
    (["--service-cidr", "10.43.0.0/31"], ["--service-cidr", "at least 8 addresses"]),
    (["--cluster-cidr", "10.42.0.0"], ["--cluster-cidr", "'10.42.0.0'", "like 10.42.0.0/16"]),
    (["--cluster-cidr", "10.42.0.0/30"], ["--cluster-cidr", "10.42.0.0/30", "room for nodes"]),
    (["--cluster-cidr", "10.42.0.0/16,"], ["--cluster-cidr", "like 10.42.0.0/16"]),
    (["--cluster-cidr", "10.42.0.0/16,10.43.0.0/16"], ["--cluster-cidr", "both families"]),
    (["--bind-address", "1.2.3"], ["--bind-address", "'1.2.3'", "IPv4 or IPv6"]),
    (["--advertise-address", "here"], ["--advertise-address", "'here'", "IPv4 or IPv6"]),
    (["--cluster-domain", "a..b"], ["--cluster-domain", r"'a\.\.b'", "like cluster.local"]),
    (["--request-timeout", "5"], ["--request-timeout", "'5'", "like 60s"]),
    (["--request-timeout", "0s"], ["--request-timeout", "'0s'", "above 0"]),
    (["--tls-san", "a b"], ["--tls-san", "'a b'", "DNS name"]),
    (["--node-label", "role"], ["--node-label", "'role'", "like node-type=application"]),
    (["--node-label", "a=b c"], ["--node-label", "'a=b c'"]),
    (["--port", "70000"], ["--port", "0 to 65535", "'70000'"]),
    (["--port", "-1"], ["--port", "0 to 65535", "'-1'"]),
    (["--port", "https"], ["--port", "whole number", "'https'"]),
    (["--port", "99999999999999999999"], ["--port", "whole number"]),
    (["--simulated-nodes", "-1"], ["--simulated-nodes", "0 to 10000", "'-1'"]),
    (["--simulated-nodes", "99999999"], ["--simulated-nodes", "0 to 10000"]),
    (["--log-level", "loud"], ["--log-level", "'loud'", "debug, info, warn or error"]),
    (["--data-dirr", "x"], ["unknown option '--data-dirr'", "did you mean '--data-dir'", "skeg control --help"]),
    (["--memroy"], ["unknown option '--memroy'", "did you mean '--memory'"]),
    (["--cluster-domain"], ["--cluster-domain", "needs a value"]),
]


def option_case(arguments, patterns):
    return lambda bench: refused(bench, bench.control(*arguments), 2, patterns)


# ---------------------------------------------------------------- the machine and the data folder


def unknown_command(bench):
    return refused_bare(bench, [bench.skeg, "aply"], ["unknown command 'aply'", "did you mean 'apply'", "skeg --help"])


def refused_bare(bench, command, patterns):
    done = subprocess.run(command, capture_output=True, text=True, timeout=REFUSED_S, check=False)
    missing = [p for p in patterns if not re.search(p, done.stderr)]
    return f"code {done.returncode}, {done.stderr!r} does not say {missing}" if missing or done.returncode != 2 else None


def port_taken(bench):
    holder = socket.socket()
    bench.busy.append(holder)
    holder.bind(("0.0.0.0", 0))
    holder.listen()
    port = str(holder.getsockname()[1])
    return refused(bench, bench.control("--port", port), 1, [port, "in use", "choose another port"])


def foreign_address(bench):
    return refused(bench, bench.control("--bind-address", "203.0.113.7"), 1, ["203.0.113.7", "no interface of this machine"])


def folder_is_file(bench):
    open(bench.data, "wb").close()
    return refused(bench, bench.control(), 1, ["DATA", "[Nn]ot a directory|File exists", "--data-dir"])


def folder_is_file_in_memory(bench):
    open(bench.data, "wb").close()
    return refused(bench, bench.control("--memory"), 1, ["DATA", "[Nn]ot a directory|File exists", "--data-dir"])


def parent_is_file(bench):
    open(os.path.join(bench.folder, "file"), "wb").close()
    bench.data = os.path.join(bench.folder, "file", "data")
    return refused(bench, bench.control(), 1, [os.path.join(bench.folder, "file"), "--data-dir"])


def folder_of_another(bench):
    """Not writable; root may write everywhere, so somebody else tries."""
    os.mkdir(bench.data)
    command = bench.control()
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    else:
        os.chmod(bench.data, 0o500)
    return refused(bench, command, 1, ["DATA", "Permission denied", "--data-dir"])


def folder_in_use(bench):
    bench.copy()
    with OwnControl(bench.build, folder=bench.folder) as first:
        return refused(bench, bench.control(), 1, ["DATA", f"in use by process {first.process.pid}", "stop it first"])


def newer_format(bench):
    bench.copy()
    with sqlite3.connect(bench.path("state.db")) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    wrong = refused(bench, bench.control(), 1, ["DATA/state.db", "format 99", "up to 2", "newer skeg", "backup"])
    with sqlite3.connect(bench.path("state.db")) as database:
        count = database.execute("SELECT count(*) FROM log").fetchone()[0]
    database.close()
    return wrong or (None if count > 50 else f"only {count} objects are left")


def no_database(bench):
    bench.copy()
    open(bench.path("state.db"), "wb").write(b"no database at all" * 500)
    return refused(bench, bench.control(), 1, ["DATA/state.db", "not a database"])


def damaged_object(bench):
    bench.copy()
    with sqlite3.connect(bench.path("state.db")) as database:
        database.execute("UPDATE log SET payload = substr(payload, 1, length(payload) - 1) || x'00' "
                         "WHERE id = (SELECT max(id) FROM log)")
    database.close()
    return refused(bench, bench.control(), 1, ["DATA/state.db", "damaged", "revision", "restore a backup"])


def damaged_key(name, patterns):
    def case(bench):
        for content in (b"", b"garbage\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            shutil.rmtree(bench.data, ignore_errors=True)
            bench.copy()
            open(bench.path(name), "wb").write(content)
            wrong = refused(bench, bench.control(), 1, ["DATA", *patterns])
            if wrong:
                return f"{content!r}: {wrong}"
        return None
    return case


def half_authority(name):
    def case(bench):
        bench.copy()
        os.remove(bench.path(name))
        return refused(bench, bench.control(), 1, ["DATA/tls/.*-ca", "missing", "restore it", "remove the other"])
    return case


def issued_again(name):
    """What an authority has issued is issued again: nobody has to do anything."""
    def case(bench):
        bench.copy()
        open(bench.path(name), "wb").write(b"garbage\n")
        with OwnControl(bench.build, folder=bench.folder) as control:
            code, _ = control.cluster().call("GET", "/api/v1/namespaces/default")
        return None if code == 200 else f"GET answered {code}"
    return case


def programs_missing(bench):
    """The programs are hidden in a mount namespace of the test's own."""
    if os.geteuid() != 0:
        return SKIP
    empty = os.path.join(bench.folder, "empty")
    os.mkdir(empty)
    open(os.path.join(bench.folder, "nothing"), "wb").close()
    hidden = [shutil.which(p, path="/usr/sbin:/usr/bin:/sbin:/bin") for p in ("nft", "conmon", "runc", "crun")]
    binds = [["mount", "--bind", os.path.join(bench.folder, "nothing"), os.path.realpath(p)] for p in hidden if p]
    binds += [["mount", "--bind", empty, p] for p in ("/usr/lib/cni", "/opt/cni/bin") if os.path.isdir(p)]
    up = [bench.skeg, "up", "--nodes", "1", "--data-dir", bench.data, "--kubeconfig", os.path.join(bench.folder, "kubeconfig")]
    script = ("import os,subprocess,sys\n"
              f"for command in {binds!r}: subprocess.run(command, check=True)\n"
              f"os.execv({bench.skeg!r}, {up!r})\n")
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script]
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return SKIP
    return refused(bench, command, 1, ["apt install", "runc", "conmon", "nftables", "containernetworking-plugins",
                                       "--simulated-nodes"])


SKIP = object()

CASES = [(" ".join(arguments), option_case(arguments, patterns)) for arguments, patterns in OPTIONS] + [
    ("unknown command", unknown_command),
    ("port taken", port_taken),
    ("address of another machine", foreign_address),
    ("folder is a file", folder_is_file),
    ("folder is a file, in memory", folder_is_file_in_memory),
    ("parent is a file", parent_is_file),
    ("folder not writable", folder_of_another),
    ("folder in use", folder_in_use),
    ("folder of a newer format", newer_format),
    ("no database", no_database),
    ("damaged object", damaged_object),
    *[(f"damaged {name}", damaged_key("tls/" + name, [name[:-4], "damaged", "restore both", "remove both"]))
      for name in ("server-ca.crt", "server-ca.key", "client-ca.crt", "client-ca.key")],
    ("damaged service-account.key", damaged_key("tls/service-account.key", ["service-account.key", "damaged", "restore", "remove"])),
    ("damaged admin.token", damaged_key("tls/admin.token", ["admin.token", "remove the file"])),
    ("damaged token", damaged_key("token", ["token", "K10", "remove the file"])),
    *[(f"missing {name}", half_authority("tls/" + name)) for name in ("server-ca.key", "client-ca.key", "client-ca.crt")],
    *[(f"issued again: {name}", issued_again("tls/" + name))
      for name in ("serving.crt", "serving.key", "admin.crt", "admin.key", "kubelet-client.key")],
    ("programs missing", programs_missing),
]


def main():
    parser = argparse.ArgumentParser(description="Start-up errors of the real binary.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    args = parser.parse_args()
    counts = [0, 0, 0]
    with OwnControl(args.build) as control:
        control.stop()
        for name, case in CASES:
            if args.case not in name:
                continue
            bench = Bench(args.build, control.skeg, control.data_dir)
            try:
                wrong = case(bench)
            finally:
                bench.done()
            counts[2 if wrong is SKIP else 1 if wrong else 0] += 1
            if wrong and wrong is not SKIP:
                print(f"FAIL {name}: {wrong}", flush=True)
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
