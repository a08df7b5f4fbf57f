#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# privileges.sh: a program that gets privileges by being run ignores LD_PRELOAD, so `dam run` refuses it; run by the
# user whose privileges they are, it gets none, and runs.
#
# Making such programs needs root. Anybody else can only be shown one that the system has.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

nobody=65534

if [ "$(id -u)" != 0 ]; then
    says "a setuid program of the system's is refused; 125"
    program=$(find /usr/bin /bin -maxdepth 1 -type f -perm -4001 -user root -print -quit 2>/dev/null || true)
    [ -n "$program" ] || skip_rest "not root, and there is no setuid program in /usr/bin"
    dam run -- "$program"
    expect_refusal 125 "'$program' runs with privileges of its own (setuid)"
    skip_rest "the rest makes setuid programs, which only root can"
fi
command -v setpriv >/dev/null || skip_rest "there is no setpriv (of util-linux)"

# A place that every user can reach, with a tree of DAM in it.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
mkdir "$place/bin" "$place/lib"
cp "$DAM_COMMAND" "$place/bin/dam"
cp "$DAM_PRELOAD" "$place/lib/"
[ -e "$place/lib/libdam-malloc.so" ] || cp "$DAM_PRELOAD" "$place/lib/libdam-malloc.so"
if [[ ,$(findmnt -n -o OPTIONS -T "$place"), == *,nosuid,* ]]; then
    skip_rest "$place is mounted nosuid, where no program gets privileges"
fi

# `dam run` of the words, as root or as nobody.
as_root() {
    run "$place/bin/dam" run -- "$@"
}
as_nobody() {
    run setpriv --reuid=$nobody --regid=$nobody --clear-groups "$place/bin/dam" run -- "$@"
}

# A copy of cat, with an owner and a mode. $1: name, $2: user:group, $3: mode
make_cat() {
    cp "$(command -v cat)" "$place/$1"
    chown "$2" "$place/$1"
    chmod "$3" "$place/$1"
}

expect_on_dam() {
    expect_status 0
    expect_out_has "$place/lib/"
    expect_silent_err
}

says "without privileges the program runs on DAM, whoever runs it"
make_cat plain 0:0 755
as_root "$place/plain" /proc/self/maps
expect_on_dam
as_nobody "$place/plain" /proc/self/maps
expect_on_dam

says "a setuid program is refused to every user but its owner; 125"
make_cat setuid-root 0:0 4755
make_cat setuid-nobody $nobody:0 4755
as_nobody "$place/setuid-root" /proc/self/maps
expect_refusal 125 "'$place/setuid-root' runs with privileges of its own (setuid)"
expect_err_has LD_PRELOAD
as_root "$place/setuid-root" /proc/self/maps
expect_on_dam
as_root "$place/setuid-nobody" /proc/self/maps
expect_refusal 125 "(setuid)"
as_nobody "$place/setuid-nobody" /proc/self/maps
expect_on_dam

says "so is one that may be executed but not read, as many systems have them"
make_cat unreadable 0:0 4711
as_nobody "$place/unreadable" /proc/self/maps
expect_refusal 125 "'$place/unreadable' runs with privileges of its own (setuid)"

says "a program that may not be read, and has no privileges, is let through"
make_cat unreadable 0:0 711
as_nobody "$place/unreadable" --version
expect_status 0
expect_silent_err

says "a setgid program is refused to every group but its own; without the group's x bit it is none"
make_cat setgid-nobody 0:$nobody 2755
as_root "$place/setgid-nobody" /proc/self/maps
expect_refusal 125 "(setgid)"
as_nobody "$place/setgid-nobody" /proc/self/maps
expect_on_dam
make_cat setgid-without-x 0:$nobody 2745
as_root "$place/setgid-without-x" /proc/self/maps
expect_on_dam

says "so is a program with a setuid interpreter, while the setuid bit of a script means nothing"
printf '#!%s\n' "$place/setuid-nobody" >"$place/script"
printf '#!/bin/sh\ncat /proc/self/maps\n' >"$place/setuid-script"
chown $nobody "$place/setuid-script"
chmod 755 "$place/script"
chmod 4755 "$place/setuid-script"
as_root "$place/script"
expect_refusal 125 "'$place/setuid-nobody' runs with privileges of its own (setuid)"
as_root "$place/setuid-script"
expect_on_dam

says "whoever has given up new privileges gets none, and the program runs on DAM"
run setpriv --no-new-privs "$place/bin/dam" run -- "$place/setuid-nobody" /proc/self/maps
expect_on_dam

says "the refusals are right: for each of them the loader does ignore LD_PRELOAD"
library=$(find "$place/lib" -type f | head -n 1)
run env LD_PRELOAD="$library" "$place/setuid-nobody" /proc/self/maps
[[ $out != *"$place/lib/"* ]] || fail "a setuid program was preloaded"
run env LD_PRELOAD="$library" "$place/setgid-nobody" /proc/self/maps
[[ $out != *"$place/lib/"* ]] || fail "a setgid program was preloaded"

says "a program with file capabilities is refused to everybody but root; 125"
command -v setcap >/dev/null || skip_rest "there is no setcap (of libcap) to give a program capabilities"
make_cat capable 0:0 755
setcap cap_net_raw+ep "$place/capable" 2>/dev/null ||
    skip_rest "the file system or the kernel does not let setcap give capabilities"
as_nobody "$place/capable" /proc/self/maps
expect_refusal 125 "'$place/capable' runs with privileges of its own (file capabilities)"
as_root "$place/capable" /proc/self/maps
expect_on_dam
run setpriv --reuid=$nobody --regid=$nobody --clear-groups env LD_PRELOAD="$library" "$place/capable" /proc/self/maps
[[ $out != *"$place/lib/"* ]] || fail "a program with capabilities was preloaded"
echo "all is as promised"
