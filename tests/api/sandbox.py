#!/usr/bin/env python3
"""The control plane has no privileges: every thread is filtered and without capabilities.

    sandbox.py [--build build]

Ends with `N passed, N failed, N skipped`.
"""
import glob
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402


def threads(pid):
    """The fields of every thread's status."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        lines = open(path, encoding="ascii", errors="replace").read().splitlines()
        found.append({line.split(":")[0]: line.split(":", 1)[1].strip() for line in lines if ":" in line})
    return found


def main():
    args = option_parser("The control plane's privileges.").parse_args()
    outcomes = Outcomes()
    want = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16, "CapInh": "0" * 16}
    if os.geteuid() == 0:
        want["CapBnd"] = "0" * 16
    for is_on in (True, False):
        with OwnControl(args.build, options=[] if is_on else ["--sandbox=false"]) as control:
            control.cluster().get("/api/v1/nodes")
            all_threads = threads(control.process.pid)
            if is_on and any(t["Seccomp"] == "0" for t in all_threads) and "sanitizers" in control.log():
                return skipped(1, "a build for finding faults has none")
            for thread in all_threads:
                for key, value in want.items() if is_on else [("Seccomp", "0")]:
                    outcomes.same(f"thread {thread['Name']}: {key}", thread[key], value)
            outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
