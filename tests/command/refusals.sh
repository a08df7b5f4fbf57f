#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# refusals.sh: the programs that `dam run` cannot run, or not on DAM: each is refused before it starts, and told why.
# What refuses for the privileges of a program is in privileges.sh.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

cc=${CC:-cc}
cat >program.c <<'END'
#include <stdio.h>
int main(void) {
    puts("started");
    return 0;
}
END

# Writes bytes into a copy of a file. $1: file, $2: copy, $3: offset, $4: bytes as printf has them.
patched_copy() {
    cp "$1" "$2"
    # shellcheck disable=SC2059 # the bytes are the format
    printf "$4" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}

says "a program that is not there; 127"
dam run -- no-such-program-anywhere
expect_refusal 127 "there is no program 'no-such-program-anywhere' in PATH"
dam run -- ./no-such-program
expect_refusal 127 "there is no program './no-such-program'"
dam run -- /etc/passwd/program
expect_refusal 127 "there is no program '/etc/passwd/program'"
dam run -- ''
expect_refusal 127 "there is no program ''"

says "a directory, or a file that may not be executed; 126"
dam run -- ./
expect_refusal 126 "'./' is a directory"
echo 'echo started' >not-executable
dam run -- ./not-executable
expect_refusal 126 "'./not-executable' may not be executed"
run env PATH="$PWD:$PATH" "$DAM_COMMAND" run -- not-executable
expect_refusal 126 "not-executable' may not be executed"

says "a static program, position-independent or not: why DAM cannot be brought in, and what to do instead; 125"
"$cc" -static -o static program.c
dam run -- ./static
expect_refusal 125 "'./static' is a static program"
expect_err_has "LD_PRELOAD"
expect_err_has "libdam-malloc.a"
"$cc" -static-pie -fPIE -o static-pie program.c
dam run -- ./static-pie
expect_refusal 125 "'./static-pie' is a static program"

says "but the dynamic loader itself, which is static too, is let through: it obeys LD_PRELOAD"
"$cc" -o dynamic program.c
dam run -- ./dynamic
expect_status 0
expect_out started
loader=$(readelf -l dynamic | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
dam run -- "$loader" "$(command -v cat)" /proc/self/maps
expect_status 0
expect_out_has "$(realpath "$DAM_PRELOAD")"

says "a program for another machine: which, and which the library is for; 125"
# e_ident[EI_CLASS] is the byte at 4, e_machine the two at 18; 183 is AArch64, 62 is x86-64, 3 is i386, 22 is S/390.
if [ "$(od -An -tu2 -j18 -N2 dynamic | tr -d ' ')" = 62 ]; then
    other_machine='\267\0' other_name=AArch64
else
    other_machine='\76\0' other_name=x86-64
fi
patched_copy dynamic other-machine 18 "$other_machine"
dam run -- ./other-machine
expect_refusal 125 "'./other-machine' is a program for 64-bit $other_name"
expect_err_has "is a library for 64-bit"
patched_copy dynamic unknown-machine 18 '\7\7'
dam run -- ./unknown-machine
expect_refusal 125 "machine number 1799"
# A 32-bit one, made by hand: an ELF header of 52 bytes without program headers.
{
    printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0'
    head -c 28 /dev/zero
} >bits-32
chmod +x bits-32
dam run -- ./bits-32
expect_refusal 125 "'./bits-32' is a program for 32-bit i386"
# A big-endian one.
{
    printf '\177ELF\2\2\1\0\0\0\0\0\0\0\0\0\0\2\0\26\0\0\0\1'
    head -c 40 /dev/zero
} >big-endian
chmod +x big-endian
dam run -- ./big-endian
expect_refusal 125 "'./big-endian' is a program for 64-bit S/390"

says "a library for another machine than the program's, given with --library; 125"
patched_copy "$DAM_PRELOAD" other-machine.so 18 "$other_machine"
dam run --library=other-machine.so -- ./dynamic
expect_refusal 125 "other-machine.so' is a library for 64-bit $other_name"

says "a program for another C library, by the name of its dynamic loader; 125"
"$cc" -o other-libc program.c -Wl,--dynamic-linker=/lib/ld-other-libc.so.1
dam run -- ./other-libc
expect_refusal 125 "its dynamic loader is /lib/ld-other-libc.so.1, not $loader"

says "the same loader in another directory is no such case"
mkdir -p loader
cp "$loader" loader/
"$cc" -o other-directory program.c "-Wl,--dynamic-linker=$PWD/loader/$(basename "$loader")"
dam run -- ./other-directory
expect_status 0
expect_out started

says "an ELF file that is no program, or is damaged; 126"
"$cc" -c -o object.o program.c
chmod +x object.o
dam run -- ./object.o
expect_refusal 126 "is an ELF file, but not a program"
for bytes in 5 17 30 63 100 600; do
    head -c "$bytes" dynamic >truncated
    chmod +x truncated
    dam run -- ./truncated
    expect_refusal 126 "'./truncated' is a damaged ELF file"
done
patched_copy dynamic bad-class 4 '\11'
dam run -- ./bad-class
expect_refusal 126 "'./bad-class' is a damaged ELF file"

says "a script is judged by the interpreter of its first line, through several scripts if need be"
echo '#!/bin/sh
echo started "$@"' >script
printf '#! %s  -x\n' "$PWD/script" >script-of-script
chmod +x script script-of-script
dam run -- ./script a
expect_status 0
expect_out "started a"
dam run -- ./script-of-script
expect_status 0
expect_out "started -x ./script-of-script"
printf '#!%s\n' "$PWD/static" >static-script
printf '#!%s\n' "$PWD/static-script" >script-of-static-script
chmod +x static-script script-of-static-script
dam run -- ./static-script
expect_refusal 125 "'$PWD/static' is a static program"
dam run -- ./script-of-static-script
expect_refusal 125 "'$PWD/static' is a static program"

says "an interpreter that is missing (127) or not executable (126) is named"
printf '#!/no/such/interpreter -w\n' >missing-interpreter
printf '#!%s\n' "$PWD/not-executable" >bad-interpreter
chmod +x missing-interpreter bad-interpreter
dam run -- ./missing-interpreter
expect_refusal 127 "the script './missing-interpreter' names '/no/such/interpreter' as its interpreter"
dam run -- ./bad-interpreter
expect_refusal 126 "names '$PWD/not-executable' as its interpreter"

says "scripts that name each other in a circle end with the kernel's answer, not in a circle of ours; 126"
printf '#!%s\n' "$PWD/circle-b" >circle-a
printf '#!%s\n' "$PWD/circle-a" >circle-b
chmod +x circle-a circle-b
dam run -- ./circle-a
expect_refusal 126 "cannot run './circle-a'"
echo "all is as promised"
