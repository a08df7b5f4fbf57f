#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""play.py encode TARGET TEXT-FILE BINARY-FILE | play.py decode TARGET BINARY-FILE: inputs of a fuzz target as text.

TARGET is operations or corruption. A line is a record of input.h: the operation's name as the target's table of
operations has it, then the fields that are not 0. What follows a # is for the reader. The first record is the setup.

    setup            actor=1
    make             slot=4 choice=7 size=0x43e8
"""

import re
import struct
import sys
from pathlib import Path

FIELDS = ("actor", "slot", "choice", "size", "extra", "pause")
RECORD = struct.Struct("<BBBBHBB")


def operation_names(target):
    """the target's operations by code"""
    source = (Path(__file__).parent / f"{target}.c").read_text(encoding="utf-8")
    table = source[source.index("} OPERATIONS[] = {") :]
    return re.findall(r'^    \{"([^"]+)",', table[: table.index("};")], re.MULTILINE)


def encode_line(line, number, names):
    """the line's record, or nothing if it has none"""
    words = line.split("#")[0].split()
    if not words:
        return b""
    plain = [word for word in words if "=" not in word]
    fields = dict(word.split("=") for word in words if "=" in word)
    name = " ".join(plain)
    if name != "setup" and name not in names or not set(fields) <= {*FIELDS, "code"}:
        sys.exit(f"line {number}: {line.strip()}: no such operation, or no such field")
    values = {field: int(value, 0) for field, value in fields.items()}
    code = values.get("code", 0) if name == "setup" else names.index(name)
    return RECORD.pack(code, *(values.get(field, 0) for field in FIELDS))


def encode(target, text_file, binary_file):
    names = operation_names(target)
    lines = Path(text_file).read_text(encoding="utf-8").splitlines()
    Path(binary_file).write_bytes(b"".join(encode_line(line, i, names) for i, line in enumerate(lines, start=1)))


def decode(target, binary_file):
    names = operation_names(target)
    data = Path(binary_file).read_bytes()
    whole = len(data) - len(data) % RECORD.size
    for i, (code, *values) in enumerate(RECORD.iter_unpack(data[:whole])):
        fields = [f"{name}={value:#x}" if name == "size" else f"{name}={value}"
                  for name, value in zip(FIELDS, values) if value]
        name = names[code % len(names)] if i > 0 else "setup"
        fields = fields if i > 0 or code == 0 else [f"code={code}", *fields]
        print(f"{name:<23} {' '.join(fields):<60} # {'step ' + str(i) if i > 0 else 'the scene'}")


def main():
    match sys.argv[1:]:
        case ["encode", target, text_file, binary_file]:
            encode(target, text_file, binary_file)
        case ["decode", target, binary_file]:
            decode(target, binary_file)
        case _:
            sys.exit(__doc__)


main()
