#!/usr/bin/env python3
"""Every library that the binary links must allow it: none may be under the GPL alone.

    check_licences.py [binary]

Reads the needed libraries (readelf), their Debian packages (dpkg) and those packages' copyright files.
"""
import glob
import os
import re
import subprocess
import sys

# Read by hand, since their copyright files also cover programs, tests or build files that are not linked:
# package (without version and variant) -> licence of the library itself.
READ = {
    "libc6": "LGPL-2.1+",
    "libgcc-s1": "GPL-3 with the runtime library exception",
    "libseccomp2": "LGPL-2.1",
    "libnl-3-200": "LGPL-2.1",
    "libnl-route-3-200": "LGPL-2.1",
    "libcap-ng0": "LGPL-2.1+",
    "libarchive13": "BSD-2-clause",
    "libzstd1": "BSD-3-clause (or GPL-2)",
    "libuv1": "MIT",
    "libssl3": "Apache-2.0",
    "libcjose0": "MIT",
    "libjansson4": "MIT",
    "libsqlite3-0": "public domain",
    "libyaml-0-2": "MIT",
    "libcurl4": "curl",
    "libldns3": "BSD-3-clause",
    "libnghttp2-14": "MIT",
    "libwslay1": "MIT",
    "zlib1g": "Zlib",
}
GPL = re.compile(r"^License:\s*(A?GPL\S*)", re.MULTILINE)
FREE = re.compile(r"^License:\s*.*(MIT|BSD|Apache|Expat|LGPL|ISC|Zlib|curl|public)", re.MULTILINE | re.IGNORECASE)


def needed(binary):
    text = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text)


def find_library(name):
    for folder in glob.glob("/lib/*-linux-gnu") + glob.glob("/usr/lib/*-linux-gnu") + ["/lib64"]:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def package_of(path):
    for name in (path, "/usr" + path, path.replace("/usr", "", 1), os.path.realpath(path)):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return None


def licence_of(package):
    """(text, allowed)."""
    if package in READ:
        return READ[package], True
    path = f"/usr/share/doc/{package}/copyright"
    if not os.path.exists(path):
        return "no copyright file", False
    text = open(path, encoding="utf-8", errors="replace").read()
    if FREE.search(text) and not GPL.search(text):
        return FREE.search(text).group(0).split(":")[1].strip(), True
    return "GPL or unclear: read it, then add a line to READ, or do without the library", False


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "build-release/src/skeg"
    refused = 0
    for name in needed(binary):
        path = find_library(name)
        package = package_of(path) if path else None
        licence, allowed = licence_of(package) if package else ("library or package not found", False)
        if not allowed:
            print(f"check_licences: {name} ({package}): {licence}")
            refused += 1
    print(f"licences: {len(needed(binary))} libraries, {refused} not allowed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
