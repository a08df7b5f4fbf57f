#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# environment.sh: what `dam run` changes in the environment (LD_PRELOAD, DAM_OPTIONS) and that it changes nothing else.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

library=$(realpath "$DAM_PRELOAD")
unset DAM_OPTIONS

# The value of one variable as the program sees it. $1: its name; the rest: assignments and options in front of `--`.
variable_seen() {
    local name=$1 assignments=()
    shift
    while [ $# -gt 0 ] && [[ $1 != -* ]]; do
        assignments+=("$1")
        shift
    done
    run env ${assignments[@]+"${assignments[@]}"} "$DAM_COMMAND" run "$@" -- printenv "$name"
}

says "LD_PRELOAD is the library alone when there was none, or an empty one"
variable_seen LD_PRELOAD
expect_out "$library"
variable_seen LD_PRELOAD LD_PRELOAD=
expect_out "$library"

says "what was in LD_PRELOAD stays, behind the library, and is loaded"
echo 'int dam_test_marker;' >other.c
"${CC:-cc}" -shared -fPIC -o other.so other.c
variable_seen LD_PRELOAD "LD_PRELOAD=$PWD/other.so"
expect_out "$library:$PWD/other.so"
run env "LD_PRELOAD=$PWD/other.so" "$DAM_COMMAND" run cat /proc/self/maps
expect_out_has "$library"
expect_out_has "$PWD/other.so"

says "DAM_OPTIONS is not set when there is nothing to say"
variable_seen DAM_OPTIONS
expect_status 1
expect_out ''

says "each --option is added to DAM_OPTIONS, in order, --stats among them"
variable_seen DAM_OPTIONS -o purge_delay_ms=5 --option=dirty_max=1M --option size_classes=pow2
expect_out "purge_delay_ms=5,dirty_max=1M,size_classes=pow2"
variable_seen DAM_OPTIONS --stats -o stats_at_exit=0
expect_out "stats_at_exit=1,stats_at_exit=0"

says "what was in DAM_OPTIONS stays, in front, so that the command line wins"
variable_seen DAM_OPTIONS DAM_OPTIONS=purge_delay_ms=7
expect_out "purge_delay_ms=7"
variable_seen DAM_OPTIONS DAM_OPTIONS=purge_delay_ms=7 -o purge_delay_ms=8
expect_out "purge_delay_ms=7,purge_delay_ms=8"
variable_seen DAM_OPTIONS DAM_OPTIONS= -o dirty_max=0
expect_out "dirty_max=0"

says "the last of two contradicting options is the one in force"
cat >option_in_force.c <<'END'
#include "dam/dam.h"
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    typedef int option_get(const char *, char *, size_t);
    option_get *get = (option_get *)dlsym(RTLD_DEFAULT, "dam_option_get");
    char value[64];
    if (get == NULL || get("purge_delay_ms", value, sizeof value) != 0)
        return 1;
    puts(value);
    return 0;
}
END
"${CC:-cc}" -std=gnu11 -I"$DAM_SOURCE_DIR/include" -D_GNU_SOURCE -o option_in_force option_in_force.c -ldl
run env DAM_OPTIONS=purge_delay_ms=7 "$DAM_COMMAND" run -o purge_delay_ms=8 -o purge_delay_ms=9 ./option_in_force
expect_status 0
expect_silent_err
expect_out 9
run env DAM_OPTIONS=purge_delay_ms=7 "$DAM_COMMAND" run ./option_in_force
expect_out 7

says "nothing else in the environment changes"
env -i PATH="$PATH" "A=b c" EMPTY= "LINES=1
2" "$DAM_COMMAND" run --stats -- env -0 2>/dev/null >run.out
tr '\0\n' '\n ' <run.out | grep -v -e '^LD_PRELOAD=' -e '^DAM_OPTIONS=' | sort >seen
printf '%s\n' "A=b c" EMPTY= "LINES=1 2" "PATH=$PATH" | sort >expected
diff expected seen || fail "the environment differs"
echo "all is as promised"
