#!/usr/bin/env python3
"""Turns a file into a C array: embed.py NAME IN OUT gives `const char NAME[]` and `const size_t NAME_len`."""
import sys

name, source, target = sys.argv[1:4]
data = open(source, "rb").read()
with open(target, "w") as out:
    out.write(f"/* Generated from {source.rsplit('/', 1)[-1]}; do not edit. */\n#include <stddef.h>\n\n")
    out.write(f"extern const char {name}[];\nextern const size_t {name}_len;\n\nconst char {name}[] = {{\n")
    for i in range(0, len(data), 20):
        out.write("\t" + ",".join(str(b) for b in data[i : i + 20]) + ",\n")
    out.write(f"\t0}};\nconst size_t {name}_len = {len(data)};\n")
