# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# lib.sh: a real program, run without DAM and on DAM, and what the two runs must have in common. For sourcing.
#
#        need PROGRAM PACKAGE            or skip, naming both
#                 |
#        same NAME COMMAND...  =  run_plain NAME COMMAND...     in $work/plain, as the machine has it
#                                 run_dam   NAME COMMAND...     in $work/dam, LD_PRELOAD=libdam-malloc.so
#                                 compare   NAME                the same standard output
#                                 prove     NAME PROGRAM...     each process of run_dam really had its malloc from DAM
#                 |
#        same_writer NAME COMMAND...  is the same for a command that writes files instead; after it:
#        same_file PATH...               what the two runs wrote below $work/plain and $work/dam, byte by byte
#
# Rules
#   R1  Both runs get the same command line, the same input and the same environment but for what run_dam adds. A
#       command names the files it writes relative to its directory, so that no path can make the outputs differ.
#   R2  A run fails the test when its exit status is not 0; a run on DAM also when a line of its standard error begins
#       with "dam:" (a fault, a warning), or when the dynamic linker could not preload the library.
#   R3  That DAM was there is not assumed. The dynamic linker writes down what it does (LD_DEBUG), one file for each
#       process, and every image that ran (each compiler pass, each server) must have initialized the library. The
#       programs the test is about must be among those images, with `malloc` bound to the library.
#   R4  A server is a child of the test, dies with it (also when the test is killed), and is stopped by its process id.
#   R5  DAM_OPTIONS comes from outside and goes through to the program: the same script is the size_classes=pow2 test.
#   R6  All files live in one directory under TMPDIR, removed at the end. After a failure the outputs ($log) are copied
#       to the current directory, which under ctest is the scratch directory of the test.
#   R7  Nothing is compared with nothing: an output or a file that is empty in the run without DAM fails the test.
#
# Environment: DAM_PRELOAD, the library (needed). DAM_SOURCE_DIR, the root of the sources (default: two levels up).
# Not here: what is run, and what counts as equal beyond bytes. That is each test's own story.

: "${DAM_PRELOAD:?the full path of libdam-malloc.so}"
: "${DAM_SOURCE_DIR:=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)}"
export DAM_SOURCE_DIR

# What a program that hangs is allowed to take. It is a guard, not a measure: nothing here comes near it.
run_limit_seconds=240
server_limit_seconds=90

# What the programs are given: sources, queries, documents.
# shellcheck disable=SC2034 # for the tests
inputs=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/inputs

work=$(mktemp -d "${TMPDIR:-/tmp}/dam-programs.XXXXXX")
log=$work/log
trace=$work/trace
server_pid=

clean_up() {
    local status=$?
    trap - EXIT
    if [ -n "$server_pid" ]; then
        { kill -KILL "$server_pid" && wait "$server_pid"; } 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
        cp -r -- "$log" . && echo "the outputs are kept in $PWD/log" >&2
    fi
    rm -rf -- "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 143' HUP INT TERM

# The trace directory is open to a server that runs as another user.
mkdir "$log" "$trace" "$work/plain" "$work/dam" "$work/home"
chmod 711 "$work"
chmod 1777 "$trace"

# The programs get a copy of the library: another user may not be able to reach the build, and LD_PRELOAD cannot hold a
# path with a blank in it.
library=$work/libdam-malloc.so
cp -L -- "$DAM_PRELOAD" "$library"
chmod 755 "$library"

# The same words and the same order everywhere, whoever runs the test and whatever the environment holds.
export LC_ALL=C TZ=UTC HOME=$work/home
unset LD_PRELOAD LD_DEBUG LD_DEBUG_OUTPUT

die() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

getconf GNU_LIBC_VERSION >/dev/null 2>&1 ||
    skip "this is not glibc, whose dynamic linker can write down what it does (LD_DEBUG)"

# need PROGRAM PACKAGE: the program (a name or a full path), or the end of the test with the reason.
need() {
    command -v -- "$1" >/dev/null || skip "there is no $1; on Debian it comes with the package $2"
}

# show FILE: the end of an output, for the report of a failure.
show() {
    echo "--- the end of ${1#"$work"/}:" >&2
    tail -n 40 -- "$1" >&2
    echo "---" >&2
}

# Options of setpriv that choose the user of the programs; for a program that does not run as root.
user_options=()

# prefix_of VARIANT NAME [OPTION...]: sets `prefix`, the words before a command that choose its user (with more options
# of setpriv), put it on DAM and have it traced. `env`, and not an assignment, since timeout and setpriv, which come
# first, are not programs under test.
prefix_of() {
    prefix=("${@:3}" "${user_options[@]}")
    [ "${#prefix[@]}" -eq 0 ] || prefix=(setpriv "${prefix[@]}")
    [ "$1" = plain ] || prefix+=(env "LD_PRELOAD=$library" "LD_DEBUG=libs,bindings" "LD_DEBUG_OUTPUT=$trace/$2")
}

# run VARIANT NAME COMMAND...: standard output and standard error go to $log/NAME.VARIANT.out and .err.
run() {
    local variant=$1 name=$2 status=0 prefix
    shift 2
    prefix_of "$variant" "$name"
    (cd -- "$work/$variant" && exec timeout --kill-after=10 "$run_limit_seconds" "${prefix[@]}" "$@") \
        >"$log/$name.$variant.out" 2>"$log/$name.$variant.err" </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        show "$log/$name.$variant.out"
        show "$log/$name.$variant.err"
        [ "$status" -ne 124 ] || echo "stopped after $run_limit_seconds seconds" >&2
        die "$name ($variant): exit status $status of: $*"
    fi
    [ "$variant" = plain ] || no_complaint "$log/$name.$variant.err"
}

run_plain() {
    run plain "$@"
}

run_dam() {
    run dam "$@"
}

# no_complaint FILE: R2, for a standard error or the log of a server.
no_complaint() {
    if grep -a -E '^dam:|cannot be preloaded' -- "$1" >&2; then
        die "DAM or the dynamic linker complained, see above (${1#"$work"/})"
    fi
}

# same_bytes FILE FILE WHAT
same_bytes() {
    [ -s "$1" ] || die "$3 is empty: there is nothing to compare"
    if ! cmp -- "$1" "$2" >&2; then
        # diff shows lines of text; of other files it says no more than cmp.
        diff -u -- "$1" "$2" | head -n 40 >&2 || true
        die "$3 differs between the two runs"
    fi
}

# compare NAME: the two runs of that name printed the same.
compare() {
    same_bytes "$log/$1.plain.out" "$log/$1.dam.out" "the standard output of $1"
}

# same_file PATH...: each path, below $work/plain and below $work/dam, is a file of the same bytes in both.
same_file() {
    local path
    for path in "$@"; do
        same_bytes "$work/plain/$path" "$work/dam/$path" "$path"
    done
    echo "equal: $*"
}

# images NAME: R3. Prints one line for each program image that was started under that name, "bound PATH" when a call of
# malloc in it was seen to lead into the library, "- PATH" when not (a process may end before its first). Fails when an
# image was started without the library. An image that takes the place of another in one process (exec) shares its
# trace.
images() {
    local traces=("$trace/$1".*)
    [ -e "${traces[0]}" ] || die "$1: no trace: the dynamic linker started no process of it with LD_PRELOAD"
    awk -v library="$library" -v quote="'" '
        function finish() {
            if (image != "")
                print (is_bound ? "bound " : "- ") image
            image = ""
            is_bound = 0
        }
        FNR == 1 { finish(); has_init = 0 }
        index($0, "to " library " [") && index($0, "symbol `malloc" quote) { is_bound = 1 }
        index($0, "calling init: " library) { has_init = 1 }
        (at = index($0, "initialize program: ")) {
            bound_before = is_bound
            finish()
            is_bound = bound_before
            image = substr($0, at + length("initialize program: "))
            if (!has_init) {
                print FILENAME ": " image " was started without " library > "/dev/stderr"
                bad = 1
            }
            has_init = 0
        }
        END { finish(); exit bad }' "${traces[@]}"
}

# prove NAME PROGRAM...: every image of run_dam NAME was on DAM, and each PROGRAM (a base name) was one of them and is
# known to have had its malloc from it.
prove() {
    local name=$1 program
    shift
    images "$name" >"$log/$name.images" || die "$name: not every process was on DAM"
    sed -n -E 's|^bound (.*/)?||p' "$log/$name.images" >"$log/$name.bound"
    for program in "$@"; do
        grep -q -x -F -- "$program" "$log/$name.bound" || die "$name: no process of $program had its malloc from DAM"
    done
    echo "on DAM: $name: $(wc -l <"$log/$name.images") process images, $(wc -c <"$log/$name.dam.out") bytes of output"
}

# same NAME COMMAND...: the whole of it, for a command that prints its result and is itself the program under test.
same() {
    run plain "$@"
    run dam "$@"
    compare "$1"
    prove "$1" "$(basename -- "$2")"
}

# same_writer NAME COMMAND...: the same for a command that writes its result to files; same_file must follow.
same_writer() {
    run plain "$@"
    run dam "$@"
    cmp -s -- "$log/$1.plain.out" "$log/$1.dam.out" || die "the standard output of $1 differs between the two runs"
    prove "$1" "$(basename -- "$2")"
}

# in_both COMMAND...: runs a command of the test's own (not a program under test) in both directories.
in_both() {
    (cd -- "$work/plain" && "$@")
    (cd -- "$work/dam" && "$@")
}

# choose_port: sets `port` to a port of loopback that nobody listens on. It is taken from below the range the kernel
# gives to outgoing connections, so that no client can come to sit on it between this question and the server's start.
choose_port() {
    local attempt
    for attempt in {1..50}; do
        port=$((12000 + (RANDOM * 32768 + RANDOM) % 18000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            return 0
        fi
    done
    die "no free port on loopback after $attempt attempts"
}

# start_server VARIANT NAME READY COMMAND...: starts a server in $work/VARIANT (plain or dam), sets `server_pid`, waits
# until READY succeeds (a function of the test).
start_server() {
    local variant=$1 name=$2 ready=$3 deadline prefix
    shift 3
    # R4: the kernel kills the server when this shell is gone. One setpriv does it all, since a change of user would
    # take back what another had asked for. It and env replace themselves, so the process id is the server's.
    prefix_of "$variant" "$name" --pdeathsig KILL
    (cd -- "$work/$variant" && exec "${prefix[@]}" "$@") \
        >"$log/$name.$variant.out" 2>"$log/$name.$variant.err" </dev/null &
    server_pid=$!
    deadline=$((SECONDS + server_limit_seconds))
    until "$ready" >/dev/null 2>&1; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            show "$log/$name.$variant.out"
            show "$log/$name.$variant.err"
            die "$name ($variant) did not start"
        fi
        sleep 0.1
    done
    if [ "$variant" = dam ]; then
        grep -q -F -- "$library" "/proc/$server_pid/maps" || die "$name runs without $library"
    fi
}

# stop_server VARIANT NAME SIGNAL: stops the server, which must end with status 0 and without a complaint.
stop_server() {
    local variant=$1 name=$2 deadline status=0
    kill -s "$3" "$server_pid"
    deadline=$((SECONDS + server_limit_seconds))
    while kill -0 "$server_pid" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || die "$name ($variant) does not stop"
        sleep 0.1
    done
    wait "$server_pid" || status=$?
    server_pid=
    if [ "$status" -ne 0 ]; then
        show "$log/$name.$variant.out"
        show "$log/$name.$variant.err"
        die "$name ($variant) ended with status $status"
    fi
    no_complaint "$log/$name.$variant.out"
    no_complaint "$log/$name.$variant.err"
}
