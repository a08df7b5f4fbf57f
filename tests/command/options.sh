#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# options.sh: `dam run --option` takes what the library takes and refuses the rest before the program starts.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

# The names from the table itself.
mapfile -t names < <(sed -n 's/^ *X(\([a-z_0-9]*\),.*/\1/p' "$DAM_SOURCE_DIR/src/base/options_table.h")
[ ${#names[@]} -ge 5 ] || fail "cannot read the names from the table"

says "an unknown option is refused, with all that there are; 125"
dam run --option no_such_option=1 -- echo started
expect_refusal 125 "there is no option 'no_such_option'"
for name in "${names[@]}"; do
    expect_err_has "$name"
done
expect_err_has "dam run --help"
dam run -o =1 -- echo started
expect_refusal 125 "there is no option ''"
dam run -o purge_delay=1 -- echo started
expect_refusal 125 "there is no option 'purge_delay'"
dam run -o Purge_Delay_MS=1 -- echo started
expect_refusal 125 "there is no option 'Purge_Delay_MS'"

says "an option without a value is refused; 125"
dam run -o dirty_max -- echo started
expect_refusal 125 "'dirty_max' is not of the form NAME=VALUE"
dam run --option
expect_refusal 125 "requires an argument"

says "a value that is not one of its kind, or out of bounds, is refused, with what it may be; 125"
for assignment in \
    size_classes= size_classes=pow3 size_classes=1 size_classes=POW2 \
    direct_shrink_percent=101 direct_shrink_percent=-1 direct_shrink_percent=50% direct_shrink_percent= \
    direct_shrink_percent=18446744073709551616 \
    purge_delay_ms=3600001 purge_delay_ms=1s 'purge_delay_ms= 1' purge_delay_ms=+1 purge_delay_ms=0x10 \
    purge_delay_ms=1K dirty_max=1T dirty_max=1025G dirty_max=1m dirty_max=1MB dirty_max=M dirty_max=17179869185G \
    guard= guard=on guard=Full guard=3 on_fault= on_fault=exit on_fault=ABORT on_fault=0 \
    sample_every=1000000001 sample_every=1K sample_every= stack_every=0 stack_every=x \
    dirty_max=1,stats_at_exit=1 stats_at_exit=2 stats_at_exit=yes stats_at_exit=; do
    dam run -o "$assignment" -- echo started
    expect_refusal 125 "'${assignment#*=}' is not a value of ${assignment%%=*}; it takes "
done

says "the message says which values there are"
dam run -o size_classes=x -- true
expect_err_has "it takes steps4 or pow2"
dam run -o direct_shrink_percent=x -- true
expect_err_has "it takes 0 to 100"
dam run -o dirty_max=x -- true
expect_err_has "it takes 0 to 1024G"
dam run -o guard=x -- true
expect_err_has "it takes off, default, tail or full"
dam run -o on_fault=x -- true
expect_err_has "it takes abort, report or ignore"

says "what the command takes, the library takes: it prints no warning"
for assignment in size_classes=steps4 size_classes=pow2 direct_shrink_percent=0 direct_shrink_percent=100 \
    purge_delay_ms=0 purge_delay_ms=3600000 dirty_max=0 dirty_max=4096 dirty_max=64K dirty_max=32M dirty_max=1024G \
    guard=off guard=default guard=tail guard=full on_fault=abort on_fault=report on_fault=ignore \
    sample_every=0 sample_every=1000 sample_every=1000000000 stack_every=1 stats_at_exit=0; do
    dam run -o "$assignment" -- sh -c 'echo started'
    expect_status 0
    expect_out started
    expect_silent_err
done

says "what the command refuses, the library would warn of"
for assignment in no_such_option=1 size_classes=pow3 direct_shrink_percent=101 purge_delay_ms=1K dirty_max=1T \
    dirty_max=1025G guard=on on_fault=exit sample_every=1000000001 stats_at_exit=2; do
    run env DAM_OPTIONS="$assignment" "$DAM_COMMAND" run -- echo started
    expect_status 0
    expect_out started
    expect_err_has "${assignment%%=*}"
done

says "'dam options' lists each option once, with its values and default"
dam options
expect_status 0
expect_silent_err
for name in "${names[@]}"; do
    [ "$(grep -c "^  $name=VALUE\$" run.out)" = 1 ] || fail "$name is not listed once"
done
[ "$(grep -c '^      values: .*; default: ' run.out)" = ${#names[@]} ] || fail "not each has its values and default"
expect_out_has "values: steps4 or pow2; default: steps4; only at start"
expect_out_has "values: 0 to 1024G; default: "
expect_out_has "values: off, default, tail or full; default: default; only at start"
expect_out_has "values: abort, report or ignore; default: abort"
[ "$(awk 'length > 79' run.out | wc -l)" = 0 ] || fail "a line is wider than 79 columns"

says "the defaults it lists are those of the library"
cat >defaults.c <<'END'
#include "dam/dam.h"
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    typedef int option_get(const char *, char *, size_t);
    option_get *get = (option_get *)dlsym(RTLD_DEFAULT, "dam_option_get");
    char value[64];
    for (int i = 1; i < argc; i++) {
        if (get == NULL || get(argv[i], value, sizeof value) != 0)
            return 1;
        printf("%s=%s\n", argv[i], value);
    }
    return 0;
}
END
"${CC:-cc}" -std=gnu11 -I"$DAM_SOURCE_DIR/include" -D_GNU_SOURCE -o defaults defaults.c -ldl
awk '/=VALUE$/ { sub(/=VALUE/, ""); name = $1 }
     /; default: / { sub(/.*; default: /, ""); sub(/;.*/, ""); print name "=" $0 }' run.out >listed
run env -u DAM_OPTIONS "$DAM_COMMAND" run ./defaults "${names[@]}"
expect_status 0
# A number of bytes may be written with or without its suffix.
plain_bytes() {
    awk -F= '{
        value = $2
        if (value ~ /^[0-9]+[KMG]$/)
            value = value * 1024 ^ index("KMG", substr(value, length(value)))
        print $1 "=" value
    }' "$1"
}
diff <(plain_bytes listed) <(plain_bytes run.out) || fail "defaults differ"

says "'dam run --help' has the same list"
dam run --help
expect_status 0
for name in "${names[@]}"; do
    expect_out_has "  $name=VALUE"
done
echo "all is as promised"
