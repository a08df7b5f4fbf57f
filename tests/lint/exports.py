#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exports.py SOURCE_DIR NM READELF LIBDAM LIBDAM_MALLOC: what the shared libraries show to the dynamic linker.

Checked in the finished files: exactly the functions of dam.h are exported (version DAM_0.1), by libdam-malloc also
exactly the malloc family (without a version, see src/libdam-malloc.map); libc is all they need; their thread-local
storage is one pointer, reached by the initial-exec model.
"""

import re
import subprocess
import sys
from pathlib import Path

VERSION = "DAM_0.1"

# cfree is not here: glibc dropped it in 2.26.
MALLOC_FAMILY = set("""
    malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc pvalloc malloc_usable_size
    free_sized free_aligned_sized malloc_trim mallinfo mallinfo2 malloc_stats malloc_info mallopt
""".split())

# libpthread.so.0 is part of libc before glibc 2.34; ld-linux is libc's own dynamic linker.
LIBC = re.compile(r"^(libc\.so\.6|libc\.musl-.*\.so\.1|libc\.so|libpthread\.so\.0|ld-linux.*\.so\.\d+)$")

# Relocations of the dynamic TLS models, which allocate a thread's block on first use; x86-64 and aarch64 names.
DYNAMIC_TLS = re.compile(r"R_\w*(DTPMOD|DTPOFF|TLSDESC|TLS_DTPMOD|TLS_DTPREL)\w*")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def functions_of_header(source_dir):
    text = (source_dir / "include/dam/dam.h").read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"^DAM_API\b[^;(]*?\b(dam_\w+)\(", text, flags=re.MULTILINE))


def symbols_of_map(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return set(re.findall(r"^\s*(\w+);", text, flags=re.MULTILINE))


def exports_of(nm, library):
    """symbol -> version ('' if none); the version's own node (an absolute symbol) is left out."""
    exports = {}
    for line in run(nm, "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        kind, name = line.split()[-2:]
        symbol, _, version = name.partition("@")
        if kind != "A":
            exports[symbol] = version.lstrip("@")
    return exports


def compare(title, found, expected, complaints):
    for name in sorted(found - expected):
        complaints.append(f"{title}: {name} is there and should not be")
    for name in sorted(expected - found):
        complaints.append(f"{title}: {name} is missing")


def check_library(nm, readelf, library, dam_functions, family, complaints):
    title = Path(library).name
    exports = exports_of(nm, library)
    versioned = {symbol for symbol, version in exports.items() if version == VERSION}
    plain = {symbol for symbol, version in exports.items() if version in ("", "Base")}
    compare(f"{title}, version {VERSION}", versioned, dam_functions, complaints)
    compare(f"{title}, without a version", plain, family, complaints)
    for symbol in sorted(set(exports) - versioned - plain):
        complaints.append(f"{title}: {symbol} has the version {exports[symbol]}")

    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run(readelf, "-dW", library))
    for name in needed:
        if not LIBC.match(name):
            complaints.append(f"{title}: needs {name}; libc alone is allowed")

    # Columns of a program header: type, offset, address, address, size in the file, size in memory ...
    tls = [line.split() for line in run(readelf, "-lW", library).splitlines() if line.split()[:1] == ["TLS"]]
    if [int(segment[5], 16) for segment in tls] != [8]:
        complaints.append(f"{title}: thread-local storage is not one segment of 8 bytes: {tls}")
    for name in sorted(set(match[0] for match in DYNAMIC_TLS.finditer(run(readelf, "-rW", library)))):
        complaints.append(f"{title}: dynamic thread-local storage: {name}")
    return len(exports)


def main():
    source_dir, nm, readelf, libdam, libdam_malloc = Path(sys.argv[1]), *sys.argv[2:]
    complaints = []
    dam_functions = functions_of_header(source_dir)
    for name in ("libdam.map", "libdam-malloc.map"):
        compare(f"src/{name} against dam.h", symbols_of_map(source_dir / "src" / name), dam_functions, complaints)
    counts = [
        check_library(nm, readelf, libdam, dam_functions, set(), complaints),
        check_library(nm, readelf, libdam_malloc, dam_functions, MALLOC_FAMILY, complaints),
    ]
    for complaint in complaints:
        print(complaint)
    print(f"{counts[0]} and {counts[1]} exported symbols: {len(complaints)} complaints")
    sys.exit(1 if complaints or 0 in counts else 0)


main()
