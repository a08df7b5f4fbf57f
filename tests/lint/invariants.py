#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""invariants.py SOURCE_DIR: holds docs/invariants.md and the sources together.

An invariant is stated once in src/, in the comment that opens a file, and has an entry in docs/invariants.md:

    src/small/small_fast.h       * S3  live = carved - 1 - blocks on the free list.
    docs/invariants.md           **S3** live = carved - 1 - blocks on the free list.
                                 - Kept in `src/small/small_fast.h`.
                                 - Checked by `src/small/small.c`, `model/ownership.pml` (O3).

Complained about: an invariant stated in src/ without an entry, or with another text; one quoted anywhere in src/ and stated
nowhere; an entry for nothing; a file named as keeping or checking that does not quote the invariant (in model/ its rule of
the model, in parentheses); an entry that nothing checks. What checks is a test, the model, or a verify function of src/.
"""

import re
import sys
from pathlib import Path

STATED = re.compile(r"^ ?\*  ?([A-Z][1-9])  (\S.*)$")
CONTINUED = re.compile(r"^ \*     (\S.*)$")
ENTRY = re.compile(r"^\*\*([A-Z][1-9])\*\* (.*)$")
FILE = re.compile(r"`([^`]+)`(?: \((O\d+)\))?")


def one_line(text):
    return " ".join(text.replace("*/", "").split())


def stated_in(text):
    """invariant -> its words, as a source's comments state them"""
    stated, name = {}, None
    for line in text.splitlines():
        match = STATED.match(line)
        if match:
            name = match[1]
            stated[name] = match[2]
        elif name and CONTINUED.match(line):
            stated[name] += " " + CONTINUED.match(line)[1]
        else:
            name = None
    return {name: one_line(words) for name, words in stated.items()}


def entries_of(text):
    """invariant -> (words, text of its "Kept in", text of its "Checked by")"""
    entries, name, part = {}, None, 0
    for line in text.splitlines():
        match = ENTRY.match(line)
        if match:
            name, part = match[1], 0
            entries[name] = [match[2], "", ""]
        elif name and line.startswith("- Kept in "):
            part = 1
            entries[name][part] = line
        elif name and line.startswith("- Checked by "):
            part = 2
            entries[name][part] = line
        elif name and line.strip():
            entries[name][part] += " " + line
        else:
            name = None
    return {name: (one_line(words), kept, checked) for name, (words, kept, checked) in entries.items()}


def quotes(text, name):
    return re.search(rf"\b{name}\b", text) is not None


def can_check(path, text):
    return path.startswith(("tests/", "model/")) or (path.startswith("src/") and re.search(r"\w*verify\w*\(", text))


def check_files(source_dir, name, listed, may_stand_there, what, complaints):
    files = FILE.findall(listed)
    if not files:
        complaints.append(f"{name}: nothing {what} it")
    for path, rule in files:
        file = source_dir / path
        if not file.is_file():
            complaints.append(f"{name}: there is no {path}")
            continue
        text = file.read_text(encoding="utf-8")
        if not may_stand_there(path, text):
            complaints.append(f"{name}: {path} is no place that {what} an invariant")
        if not quotes(text, rule or name):
            complaints.append(f"{name}: {path} does not quote {rule or name}")


def main():
    source_dir = Path(sys.argv[1])
    entries = entries_of((source_dir / "docs/invariants.md").read_text(encoding="utf-8"))
    sources = {path: path.read_text(encoding="utf-8") for path in sorted((source_dir / "src").rglob("*.[ch]"))}
    complaints = []
    stated = {}
    for path, text in sources.items():
        for name, words in stated_in(text).items():
            if name in stated:
                complaints.append(f"{name} is stated twice, the second time in {path.relative_to(source_dir)}")
            stated[name] = words
    letters = "".join(sorted({name[0] for name in stated}))
    for path, text in sources.items():
        for name in sorted(set(re.findall(rf"\b[{letters}][1-9]\b", text)) - set(stated)):
            complaints.append(f"{path.relative_to(source_dir)} quotes {name}, which is stated nowhere in src/")
    for name in sorted(set(stated) ^ set(entries)):
        complaints.append(f"{name} is not in {'docs/invariants.md' if name in stated else 'src/'}")
    for name in sorted(set(stated) & set(entries)):
        words, kept, checked = entries[name]
        if words != stated[name]:
            complaints.append(f"{name}: src/ says       {stated[name]}\n    docs/ says      {words}")
        check_files(source_dir, name, kept, lambda path, _: path.startswith("src/"), "keeps", complaints)
        check_files(source_dir, name, checked, can_check, "checks", complaints)
    for complaint in complaints:
        print(complaint)
    print(f"{len(stated)} invariants stated, {len(entries)} explained: {len(complaints)} complaints")
    sys.exit(1 if complaints or not stated else 0)


main()
