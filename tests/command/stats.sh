#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stats.sh: `dam run --stats` prints the library's summary on stderr when the program ends, and leaves stdout alone.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

# exits N: prints a line and exits with N. twice COMMAND: runs the command two times. killed: ends itself.
# closes: closes stderr when it ends, as many programs do, to notice what could not be written. reopens: does so first,
# and then has a file under that number, in which it writes a line. takes_over: does so under every other number.
# Not sh for any of this: many a shell ends by _exit(), at which nothing more is printed by anybody.
cat >program.c <<'END'
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void close_stderr(void) {
    if (fclose(stderr) != 0)
        _exit(EXIT_FAILURE);
}
int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "twice") == 0)
        return system(argv[2]) != 0 || system(argv[2]) != 0;
    if (argc == 2 && strcmp(argv[1], "killed") == 0)
        return raise(SIGKILL);
    if (argc == 2 && strcmp(argv[1], "closes") == 0)
        return atexit(close_stderr);
    if (argc == 2 && strcmp(argv[1], "reopens") == 0) {
        close(STDERR_FILENO);
        return open("its-own", O_CREAT | O_WRONLY | O_TRUNC, 0666) != STDERR_FILENO || write(STDERR_FILENO, "line\n", 5) != 5;
    }
    if (argc == 2 && strcmp(argv[1], "takes_over") == 0) {
        int file = open("its-own", O_CREAT | O_WRONLY | O_TRUNC, 0666);
        for (int number = STDERR_FILENO + 1; number < 1000; number++)
            if (number != file && dup2(file, number) != number)
                return EXIT_FAILURE;
        return write(file, "line\n", 5) != 5;
    }
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

says "a program that closes stderr when it ends has its summary all the same"
dam run --stats -- ./program closes
expect_status 0
expect_err_has general
[ "$(wc -l <run.err)" = "$lines_of_one" ] || fail "the summary is not whole"

says "nothing is written into a file that the program has in the place of stderr"
dam run --stats -- ./program reopens
expect_status 0
expect_err_has general
[ "$(cat its-own)" = line ] || fail "the program's own file holds: $(cat its-own)"
dam run --stats -- ./program takes_over
expect_status 0
expect_err_has general
[ "$(cat its-own)" = line ] || fail "the program's own file holds: $(cat its-own)"
run sh -c 'exec "$@" 2>&-' sh "$DAM_COMMAND" run --stats -- ./program reopens
expect_status 0
[ "$(cat its-own)" = line ] || fail "started without stderr, the program's own file holds: $(cat its-own)"

says "each program that runs to its end prints its own summary"
dam run --stats -- ./program twice "exec ./program exits 0"
expect_status 0
[ "$(wc -l <run.err)" = $((3 * lines_of_one)) ] || fail "there are not three summaries of $lines_of_one lines"

says "a program ended by a signal prints none, and dies of it all the same"
dam run --stats -- ./program killed
expect_status 137
expect_silent_err
echo "all is as promised"
