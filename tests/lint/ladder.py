#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ladder.py SOURCE_DIR NM OBJECT...: holds the sources to the ladder drawn in src/README.md.

A rung includes headers of its own folder and of rungs below, nothing else of the project but the public header; and
its objects refer only to what such headers declare, so that a declaration by hand is no way around an include. (A lower
rung may declare what it needs and a higher one define it, as with the report of a failed assertion.) small, general and
direct stand on one rung and never meet. No rung of the core may know inspect or shim: the core links without them.
"""

import re
import subprocess
import sys
from pathlib import Path

# Height of each folder of src/. Two folders of one height do not know each other.
HEIGHT = {
    "base": 0,
    "os": 1,
    "guard": 2,
    "options": 2,
    "region": 3,
    "pool": 4,
    "small": 5,
    "general": 5,
    "direct": 5,
    "heap": 6,
    "protect": 7,
    "front": 8,
    "inspect": 8,
    "shim": 9,
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def allowed(user, used):
    return user == used or HEIGHT[used] < HEIGHT[user]


def check_includes(source_dir, complaints):
    files = sorted(path for path in (source_dir / "src").rglob("*.[ch]"))
    for path in files:
        name = path.relative_to(source_dir)
        rung = name.parts[1]
        if rung not in HEIGHT:
            complaints.append(f"{name}: src/{rung} is on no rung; give it a height in tests/lint/ladder.py")
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            match = INCLUDE.match(line)
            if not match or match[1].startswith("dam/"):
                continue
            used = match[1].split("/")[0]
            if used not in HEIGHT:
                complaints.append(f'{name}:{number}: "{match[1]}": write "<folder of src>/<header>"')
            elif not (source_dir / "src" / match[1]).is_file():
                complaints.append(f'{name}:{number}: "{match[1]}": there is no such header')
            elif not allowed(rung, used):
                complaints.append(f"{name}:{number}: {rung} may not include {used}: {used} is not below {rung}")
    return len(files)


def check_built(source_dir, objects, complaints):
    """Each .c of src/ is in cmake/DamLibraries.cmake; what nobody lists, nobody compiles, tests or checks."""
    built = {tuple(Path(path).with_suffix("").parts[-3:]) for path in objects}
    for path in (source_dir / "src").rglob("*.c"):
        if path.parts[-3:] not in built:
            complaints.append(f"{path.relative_to(source_dir)}: not listed in cmake/DamLibraries.cmake")


def words_of_headers(source_dir):
    """rung -> every word in its headers"""
    words = {}
    for rung in HEIGHT:
        texts = [path.read_text(encoding="utf-8") for path in (source_dir / "src" / rung).glob("*.h")]
        words[rung] = set(re.findall(r"\w+", " ".join(texts)))
    return words


def check_references(source_dir, nm, objects, complaints):
    words = words_of_headers(source_dir)
    defined = {}  # symbol -> rung that defines it
    undefined = []  # (rung, object, symbol)
    for path in map(Path, objects):
        rung = path.parts[len(path.parts) - 1 - path.parts[::-1].index("src") + 1]
        listing = subprocess.run([nm, "--format=posix", path], check=True, capture_output=True, text=True).stdout
        for line in listing.splitlines():
            symbol, kind = line.split()[:2]
            if kind == "U":
                undefined.append((rung, path.name, symbol))
            elif kind.isupper():
                defined[symbol] = rung
    for rung, name, symbol in undefined:
        if symbol not in defined or allowed(rung, defined[symbol]):
            continue
        if not any(symbol in words[below] for below in HEIGHT if allowed(rung, below)):
            complaints.append(f"{rung}/{name}: refers to {symbol} of {defined[symbol]}, which is not below {rung}")
    return len(undefined)


def main():
    source_dir, nm, objects = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    complaints = []
    file_count = check_includes(source_dir, complaints)
    reference_count = check_references(source_dir, nm, objects, complaints)
    check_built(source_dir, objects, complaints)
    for complaint in complaints:
        print(complaint)
    if file_count == 0 or reference_count == 0:
        sys.exit("nothing was checked: no sources or no objects found")
    print(f"{file_count} files, {len(objects)} objects, {reference_count} references: {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


main()
