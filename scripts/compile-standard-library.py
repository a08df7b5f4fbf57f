#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compile-standard-library.py: some seconds of real work for an allocator: millions of small objects, some kept.

Parses every module of Python's own standard library into a syntax tree, compiles the tree, and keeps all code objects
and every tenth tree to the end. With PYTHONMALLOC=malloc each object is a block of the process's malloc. Nothing is
written to disk; the last line is the same on every allocator.
"""

import ast
import hashlib
import sysconfig
import warnings
from pathlib import Path


# What is installed beside the library, and its own tests, which not every machine has.
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"}


def main():
    warnings.simplefilter("ignore")  # old escapes in the library's own strings
    root = Path(sysconfig.get_paths()["stdlib"])
    digest = hashlib.sha256()
    file_count = byte_count = node_count = 0
    kept = []
    for path in sorted(root.rglob("*.py")):
        if not LEFT_OUT.isdisjoint(path.parts):
            continue
        source = path.read_bytes()
        try:
            tree = ast.parse(source, filename=path.name)
            code = compile(tree, path.name, "exec")
        except (SyntaxError, ValueError):
            continue  # the library carries a few files that are wrong on purpose, for its own tests
        file_count += 1
        byte_count += len(source)
        node_count += sum(1 for _ in ast.walk(tree))
        digest.update(code.co_code)
        kept.append(code)
        if file_count % 10 == 0:
            kept.append(tree)
    print(f"compiled {file_count} modules, {byte_count} bytes, {node_count} nodes, digest {digest.hexdigest()[:16]}")


main()
