#!/usr/bin/env python3
"""Which layer uses which, read from the compiled libraries; a use that the table does not allow is an error.

    check_layers.py [build folder]        default: build-release, else build
"""
import glob
import os
import subprocess
import sys

# A folder of src/ and the folders it may use. "sim", "cli" and main.c may use everything.
SERVICES = ["base", "codec", "io", "http", "api", "sync"]
ALLOWED = {
    "base": [],
    "codec": ["base"],
    "io": ["base"],
    "http": ["base", "codec", "io"],
    "api": ["base", "codec"],
    "store": ["base", "codec", "io", "http", "api"],
    "sync": ["base", "codec", "io", "http", "api"],
    "server": ["base", "codec", "io", "http", "api", "store", "sync"],  # sync: it implements sync/client.h
    "control": ["base", "codec", "api", "sync"],
    "sched": ["base", "codec", "api", "sync", "io"],  # io: its queue's timers and clock are those of the loop it is given
    "node": SERVICES,
    "net": SERVICES,
    "advise": SERVICES + ["sched", "sim"],
    "deliver": SERVICES,
    "client": ["base", "codec", "io", "http", "api"],  # the verbs that talk to an API server, any one
}


def symbols(path):
    """(defined, undefined) names of a static library or an object file."""
    text = subprocess.run(["nm", "--format=posix", path], capture_output=True, text=True, check=True).stdout
    defined, undefined = set(), set()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if words[1] == "U":
            undefined.add(words[0])
        elif words[1].isupper():
            defined.add(words[0])
    return defined, undefined


def read_layers(build):
    """{layer: (defined, undefined)} of the objects that the last build made."""
    layers = {}
    for folder in sorted(glob.glob(os.path.join(build, "src", "*", "lib*.a.p"))):
        layer = os.path.basename(os.path.dirname(folder))
        defined, undefined = layers.setdefault(layer, (set(), set()))
        for path in glob.glob(os.path.join(folder, "*.o")):
            d, u = symbols(path)
            defined |= d
            undefined |= u
    return layers


def main():
    builds = sys.argv[1:] or ["build-release", "build"]
    build = next((b for b in builds if os.path.isdir(os.path.join(b, "src"))), None)
    if not build:
        sys.exit("check_layers: nothing is built: run make first")
    layers = read_layers(build)
    owner = {name: layer for layer, (defined, _) in layers.items() for name in defined}
    found = 0
    for layer, (_, undefined) in layers.items():
        if layer not in ALLOWED:
            continue
        for name in sorted(undefined):
            used = owner.get(name)
            if used and used != layer and used not in ALLOWED[layer]:
                print(f"check_layers: src/{layer} uses {name} of src/{used}; allowed: {' '.join(ALLOWED[layer]) or 'nothing'}")
                found += 1
    print(f"layers: {len(layers)} folders, {found} uses that are not allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
