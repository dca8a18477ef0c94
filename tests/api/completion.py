#!/usr/bin/env python3
"""The words that bash, zsh and fish offer, each asked itself, against two simulated nodes.

    completion.py [--build build-release] [-v]

A row is a beginning of a command line and words that must be among those that are offered. A shell that is not installed is left out.
"""
import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))

from own_server import OwnServer  # noqa: E402

ROWS = [
    ("skeg ro", ["rollout"]),
    ("skeg rollout ", ["history", "pause", "restart", "status", "undo"]),
    ("skeg create s", ["secret", "service", "serviceaccount"]),
    ("skeg create secret ", ["generic", "docker-registry", "tls"]),
    ("skeg config use-context ", ["other", "skeg"]),
    ("skeg get no", ["nodes"]),
    ("skeg get nodes n", ["n1", "n2"]),
    ("skeg describe nodes/", ["nodes/n1", "nodes/n2"]),
    ("skeg get pods --name", ["--namespace"]),
    ("skeg get pods -n kube-", ["kube-system", "kube-public", "kube-node-lease"]),
    ("skeg cordon ", ["n1", "n2"]),
    ("skeg completion ", ["bash", "zsh", "fish"]),
    ("skeg set ", ["image", "env", "resources", "selector"]),
    ("skeg auth can-i get no", ["nodes"]),
    ("skeg -n kube-system get sa def", ["default"]),
]
PATIENCE_S = 15


def run(words, environment, text=None):
    return subprocess.run(words, input=text, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False).stdout


def bash_offers(line, environment):
    words = line.split(" ")
    quoted = " ".join(f"'{w}'" for w in words)
    return run(["bash", "--norc", "-c", f'source <(skeg completion bash); compopt() {{ :; }}; COMP_WORDS=({quoted}); '
                f'COMP_CWORD={len(words) - 1}; _skeg; printf "%s\\n" "${{COMPREPLY[@]}}"'], environment).split()


def fish_offers(line, environment):
    said = run(["fish", "--no-config", "-c", f"skeg completion fish | source; complete -C '{line}'"], environment)
    return [text.split("\t")[0] for text in said.splitlines()]


class Zsh:
    """A zsh with a terminal, for its completion works in the line editor only."""

    def __init__(self, environment):
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=other, stdout=other, stderr=other, env=environment, start_new_session=True)
        os.close(other)
        self.send("PS1='>> '; autoload -Uz compinit; compinit -u -D; source <(skeg completion zsh); zstyle ':completion:*' list-packed no; "
                  "LISTMAX=10000; setopt no_always_last_prompt; stty columns 200 rows 100\n")
        self.turn = 0
        self.settle()

    def send(self, text):
        os.write(self.terminal, text.encode())

    def until(self, pattern):
        seen, end = "", time.monotonic() + PATIENCE_S
        while not re.search(pattern, seen, re.DOTALL) and time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.2)[0]:
                seen += os.read(self.terminal, 65536).decode(errors="replace")
        return seen

    def settle(self):
        """Empties the line and waits for the prompt behind an answer that is not what was typed."""
        self.turn += 1
        self.send(f"\x15echo end-$((100 + {self.turn}))\n")
        self.until(rf"end-{100 + self.turn}\r?\n.*>> ")

    def offers(self, line, wanted):
        """What the screen shows; the end is when all that is wanted was seen."""
        self.send(line + "\x04" if len(wanted) > 1 else line + "\t")
        seen = self.until("".join(f"(?=.*{re.escape(word)})" for word in wanted))
        self.settle()
        return re.findall(r"[^\s\x1b\x07]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", seen))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    passed = failed = skipped = 0
    with OwnServer(args.build) as server:
        environment = {**os.environ, "PATH": os.path.dirname(server.skeg) + ":" + os.environ["PATH"], "KUBECONFIG": server.kubeconfig,
                       "TERM": "xterm", "HOME": server.folder}
        shells = {"bash": lambda line, wanted: bash_offers(line, environment), "fish": lambda line, wanted: fish_offers(line, environment)}
        run(["skeg", "config", "set-context", "other", "--cluster=skeg", "--user=skeg"], environment)
        zsh = Zsh(environment) if shutil.which("zsh") else None
        shells["zsh"] = zsh.offers if zsh else None
        for name, offers in shells.items():
            if not shutil.which(name):
                skipped += 1
                continue
            for line, wanted in ROWS:
                offered = offers(line, wanted)
                is_right = all(word in offered for word in wanted)
                passed, failed = passed + is_right, failed + (not is_right)
                if args.v or not is_right:
                    print(f"{'ok  ' if is_right else 'FAIL'} {name}: {line!r}: {offered[:40]}", flush=True)
        if zsh:
            zsh.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
