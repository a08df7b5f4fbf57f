#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stats.sh: `dam run --stats` prints the library's summary on stderr when the program ends, and leaves stdout alone.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

# exits N: prints a line and exits with N. twice COMMAND: runs the command two times. killed: ends itself.
# Not sh for any of this: many a shell ends by _exit(), at which nothing more is printed by anybody.
cat >program.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "twice") == 0)
        return system(argv[2]) != 0 || system(argv[2]) != 0;
    if (argc == 2 && strcmp(argv[1], "killed") == 0)
        return raise(SIGKILL);
    puts("output");
    return argc == 3 ? atoi(argv[2]) : EXIT_FAILURE;
}
END
"${CC:-cc}" -std=gnu11 -O2 -o program program.c
program=(./program exits 0)

says "without --stats nothing is printed beyond what the program prints"
dam run -- "${program[@]}"
expect_status 0
expect_out output
expect_silent_err

says "with --stats there is a summary on stderr that speaks of each layer, and stdout is the program's"
dam run --stats -- "${program[@]}"
expect_status 0
expect_out output
for layer in small general direct; do
    expect_err_has "$layer"
done
lines_of_one=$(wc -l <run.err)

says "it fits on one screen"
[ "$lines_of_one" -le 24 ] || fail "more than 24 lines"
[ "$(awk 'length > 80' run.err | wc -l)" = 0 ] || fail "a line is wider than 80 columns"

says "the exit status stays the program's"
dam run --stats -- ./program exits 7
expect_status 7
expect_err_has small

says "the option by itself does the same, and a later one takes it back"
dam run -o stats_at_exit=1 -- "${program[@]}"
expect_err_has small
dam run --stats -o stats_at_exit=0 -- "${program[@]}"
expect_silent_err

says "each program that runs to its end prints its own summary"
dam run --stats -- ./program twice "exec ./program exits 0"
expect_status 0
[ "$(wc -l <run.err)" = $((3 * lines_of_one)) ] || fail "there are not three summaries of $lines_of_one lines"

says "a program ended by a signal prints none, and dies of it all the same"
dam run --stats -- ./program killed
expect_status 137
expect_silent_err
echo "all is as promised"
