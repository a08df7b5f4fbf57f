#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# symbolize.sh: `dam symbolize` names the functions and lines of a report's frames, and leaves all else as it was.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

cc=${CC:-cc}
cxx=${CXX:-c++}
unset DEBUGINFOD_URLS

# line_of FILE WORDS: the number of the line that ends in the comment with these words.
line_of() {
    local number
    number=$(grep -n "/\* $2 \*/\$" "$1" | cut -d: -f1)
    [ -n "$number" ] || fail "$1 has no line marked '$2'"
    printf '%s\n' "$number"
}

# at FUNCTION FILE WORDS: how that function is named at that line.
at() {
    printf '%s at %s/%s:%s\n' "$1" "$PWD" "$2" "$(line_of "$2" "$3")"
}

# report_of WORD...: the words run a program that DAM ends; its report, in the file `report`.
report_of() {
    dam run -o guard=full "$@"
    expect_status 134
    [[ $err == "dam: fault: "* ]] || fail "there is no report"
    cp run.err report
}

# The frames of the stack whose title begins with $1 in what was printed, without their numbers.
stack() {
    awk -v title="dam:   $1" '
        index($0, "dam:     ") != 1 { inside = index($0, title) == 1; next }
        inside { sub(/^dam: *(#[0-9]+ )?/, ""); print }' run.out
}

# expect_stack TITLE LINE...: that stack begins with these lines.
expect_stack() {
    local title=$1
    shift
    local found expected
    expected=$(printf '%s\n' "$@")
    found=$(stack "$title" | head -n $#)
    [ "$found" = "$expected" ] || fail "the stack '$title' begins with
$found
rather than with
$expected"
}

# What a frame of this file is in the report: address, file and offset. $2: which of them, in the order of the report.
frame_of() {
    grep -o "0x[0-9a-f]* ($PWD/$1+0x[0-9a-f]*)" report | sed -n "${2:-1}p"
}

# Functions that are not called by name from outside, and that no compiler moves into each other.
cat >twice.c <<'END'
#include <stdlib.h>
__attribute__((noinline)) static char *make(size_t size) {
    char *volatile block = malloc(size); /* allocates */
    return block;
}
__attribute__((noinline)) static void release(char *block) {
    free(block); /* releases */
    __asm__ volatile("");
}
static inline __attribute__((always_inline)) void release_in_place(char *block) {
    release(block); /* inlined */
    __asm__ volatile("");
}
int main(void) {
    char *volatile block = make(100); /* makes */
    release(block); /* first */
    release_in_place(block); /* second */
    return 0;
}
END

expect_three_stacks() {
    expect_stack found "(inside DAM)" "$(at release twice.c releases)" "$(at release_in_place twice.c inlined)" \
        "inlined into $(at main twice.c second)"
    expect_stack allocated "(inside DAM)" "$(at make twice.c allocates)" "$(at main twice.c makes)"
    expect_stack released "(inside DAM)" "$(at release twice.c releases)" "$(at main twice.c first)"
}

says "a double free: static functions, an inlined one and their lines, in all three stacks; PIE and not"
for kind in pie no-pie; do
    "$cc" -std=gnu11 -g -O1 -w -fno-optimize-sibling-calls -fPIE "-$kind" -o "twice-$kind" "$PWD/twice.c"
    report_of "./twice-$kind"
    dam symbolize report
    expect_status 0
    expect_three_stacks
done

says "the report may come on standard input, and its lines without a frame are as they were"
named=$out
run sh -c '"$0" symbolize <report' "$DAM_COMMAND"
expect_status 0
expect_out "$named"
run sh -c '"$0" symbolize - <report' "$DAM_COMMAND"
expect_out "$named"
without_frames() {
    grep -v '^dam:     ' "$1"
}
[ "$(without_frames report)" = "$(without_frames run.out)" ] || fail "other lines have changed"

says "frames keep their numbers"
numbers_of() {
    grep -o '^dam:     #[0-9]* '"$2" "$1"
}
[ "$(numbers_of run.out '[^(]' | sed 's/.$//')" = "$(grep -v -F "$(realpath "$DAM_PRELOAD")" report | numbers_of - '')" ] ||
    fail "they do not"

says "text around a report, strange bytes, and an end without an end of line stay as they are"
frame=$(frame_of twice-no-pie)
{
    printf 'before\n\n\001\377\0zero\n'
    printf '2031-01-01 host[12]: dam:     #3 %s and more\r\n' "$frame"
    printf 'dam:     #0 0x1234\ndam:     #1 0x12 (no path+0x12)\ndam:     #2 0x12 (/no offset)\n'
    printf '#3 0x12 (/usr/bin/somebody-elses+0x12)\nlast'
} >mixed
place=$(at release twice.c releases)
sed "s|$frame|$place|" mixed >expected
if cmp -s mixed expected; then
    fail "there is no frame to be named"
fi
"$DAM_COMMAND" symbolize mixed >named 2>complaints || fail "exit status $?" # not by `dam`: it would lose the zero byte
[ ! -s complaints ] || fail "$(cat complaints)"
cmp named expected || fail "more than the frame has changed, or less"

says "functions of shared libraries are named"
cat >library.c <<'END'
#include <stdlib.h>
__attribute__((noinline)) static void hidden_release(void *block) {
    free(block); /* hidden */
    __asm__ volatile("");
}
void library_release(void *block) {
    hidden_release(block); /* exported */
    __asm__ volatile("");
}
END
cat >uses.c <<'END'
#include <stdlib.h>
void library_release(void *block);
int main(void) {
    void *volatile block = malloc(5000);
    library_release(block);
    library_release(block); /* uses */
    return 0;
}
END
"$cc" -g -O1 -w -fno-optimize-sibling-calls -shared -fPIC -o libreleases.so "$PWD/library.c"
# shellcheck disable=SC2016 # $ORIGIN is the loader's
"$cc" -g -O0 -w -o uses "$PWD/uses.c" ./libreleases.so -Wl,-rpath,'$ORIGIN'
in_library=("$(at hidden_release library.c hidden)" "$(at library_release library.c exported)")
in_program=$(at main uses.c uses)
report_of ./uses
dam symbolize report
expect_stack found "(inside DAM)" "${in_library[@]}" "$in_program"

says "without debugging information only the functions that are exported are, and that is said once"
cp libreleases.so with-debug.so
strip libreleases.so
report_of ./uses
dam symbolize report
expect_stack found "(inside DAM)" "$(frame_of libreleases.so 1)" \
    "library_release $(frame_of libreleases.so 2 | sed 's/^[^ ]* //')" "$in_program"
[ "$(grep -c -F "'$PWD/libreleases.so' has no debugging information" run.err)" = 1 ] || fail "it is not said once"

says "debugging information in a file of its own is found by the link to it"
objcopy --only-keep-debug with-debug.so libreleases.so.debug
objcopy --add-gnu-debuglink=libreleases.so.debug libreleases.so
report_of ./uses
dam symbolize report
expect_stack found "(inside DAM)" "${in_library[@]}" "$in_program"

# spoilt COMPLAINT COMMAND...: what is left of the frames in the program when it has been spoilt after the report.
spoilt() {
    local complaint=$1
    shift
    cp uses spoilt
    report_of ./spoilt
    "$@"
    dam symbolize report
    expect_status 0
    local kept
    kept=$(frame_of spoilt)
    [ -n "$kept" ] || fail "the report has no frame of the program"
    expect_stack found "(inside DAM)" "${in_library[@]}" "$kept"
    [ "$(grep -c -F "dam symbolize: '$PWD/spoilt'$complaint" run.err)" = 1 ] || fail "'$complaint' is not said once"
    rm -f spoilt
}
replace_by_pipe() {
    rm "$1"
    mkfifo "$1"
}
says "a program that is stripped, gone, or none leaves its frames as they are, and is named once"
spoilt " has no debugging information" strip spoilt
spoilt ": No such file or directory" rm spoilt
spoilt " is neither a program nor a shared library" cp uses.c spoilt
spoilt " has no debugging information" truncate -s 1000 spoilt
spoilt " is not a regular file" replace_by_pipe spoilt

says "a bad access is shown where it happened: no call has put the address behind it"
cat >access.c <<'END'
#include <stdlib.h>
__attribute__((noinline)) static void between(void) {
    __asm__ volatile("");
}
__attribute__((noinline)) static void write_to(char *block) {
    *block = 1; /* accesses */
    between();
}
int main(void) {
    char *block = malloc(100);
    __asm__ volatile("" : "+r"(block));
    free(block);
    between();
    write_to(block); /* hands over */
    return 0;
}
END
# No landing pad, where the compiler would make one: the access is then its function's first instruction.
no_landing_pad=()
if "$cc" -fcf-protection=none -c -o access.o access.c 2>/dev/null; then
    no_landing_pad=(-fcf-protection=none)
fi
"$cc" -g -O1 -w -fno-optimize-sibling-calls "${no_landing_pad[@]}" -o access "$PWD/access.c"
report_of -o sample_every=1 ./access
[[ $err == "dam: fault: "*"write of "* ]] || fail "the report is not of a write"
dam symbolize report
access=$(at write_to access.c accesses)
[[ $(stack found) == *$'\n'"$access"$'\n'"$(at main access.c 'hands over')"* ]] || fail "the stack has no '$access'"

says "C++ functions have the names that their authors gave them"
cat >classes.cpp <<'END'
#include <cstdlib>
namespace shop {
struct Basket {
    char *things;
    void empty(int times);
};
__attribute__((noinline)) void Basket::empty(int times) {
    while (times-- > 0)
        free(things); /* empties */
    __asm__ volatile("");
}
} // namespace shop
int main() {
    shop::Basket basket = {static_cast<char *>(malloc(40))};
    basket.empty(2); /* calls */
    return 0;
}
END
"$cxx" -g -O1 -w -o classes "$PWD/classes.cpp"
report_of ./classes
dam symbolize report
expect_stack found "(inside DAM)" "$(at 'shop::Basket::empty(int)' classes.cpp empties)" "$(at main classes.cpp calls)"

says "so are functions of programs without an index of addresses, as clang leaves them"
objcopy --remove-section=.debug_aranges twice-pie twice-bare
report_of ./twice-bare
dam symbolize report
expect_three_stacks

says "a report that cannot be read is a failure, and so are servers to be asked when none is named; 125"
dam symbolize nowhere
expect_status 125
expect_err_has "dam symbolize: cannot read 'nowhere': No such file or directory"
dam symbolize .
expect_status 125
expect_err_has "dam symbolize: cannot read '.': Is a directory"
dam symbolize report report
expect_status 125
expect_err_has "dam symbolize: Too many arguments"
dam symbolize --debuginfod report
expect_status 125
expect_err_has "DEBUGINFOD_URLS is not set"
echo "all is as promised"
