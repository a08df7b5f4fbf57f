#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# becomes_program.sh: `dam run` becomes the program: its exit status, signals, process number, streams and arguments.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

says "the program runs on DAM, and so do the programs it starts"
dam run cat /proc/self/maps
expect_status 0
expect_out_has "$(realpath "$DAM_PRELOAD")"
dam run -- sh -c 'cat /proc/self/maps; exit 0'
expect_status 0
expect_out_has "$(realpath "$DAM_PRELOAD")"

says "its exit status is the program's"
for code in 0 1 7 125 126 127 255; do
    dam run -- sh -c "exit $code"
    expect_status "$code"
    expect_silent_err
done

says "a signal that ends the program ends dam: the parent sees a death by that signal, not an exit"
cat >wait_status.py <<'END'
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
_, wait_status = os.waitpid(child, 0)
if os.WIFSIGNALED(wait_status):
    print("signal", os.WTERMSIG(wait_status))
else:
    print("exit", os.WEXITSTATUS(wait_status))
END
for signal in 9 15 6; do
    # shellcheck disable=SC2016 # $$ is for the inner shell
    run python3 wait_status.py "$DAM_COMMAND" run -- sh -c 'ulimit -c 0; kill -$0 $$' "$signal"
    expect_status 0
    expect_out "signal $signal"
done
run python3 wait_status.py "$DAM_COMMAND" run -- sh -c 'exit 143'
expect_out "exit 143"

says "the process is the program: the number of the process does not change, and no dam is left beside it"
cat >process_number.sh <<'END'
echo "$$ $(tr '\0' ' ' <"/proc/$$/cmdline")"
END
"$DAM_COMMAND" run -- sh process_number.sh one two >process_number.out &
number=$!
wait "$number" || fail "the program failed"
[ "$(cat process_number.out)" = "$number sh process_number.sh one two " ] ||
    fail "process $number became: $(cat process_number.out)"

says "SIGTERM sent to that process reaches the program, which may handle it"
mkfifo ready
cat >handler.sh <<'END'
trap 'echo got TERM; exit 42' TERM
echo ready >ready
while :; do sleep 0.05; done
END
"$DAM_COMMAND" run -- sh handler.sh >handler.out &
number=$!
read -r line <ready
[ "$line" = ready ] || fail "the program did not get ready"
kill -TERM "$number"
status=0
wait "$number" || status=$?
[ "$status" = 42 ] || fail "exit status $status rather than the handler's 42"
[ "$(cat handler.out)" = "got TERM" ] || fail "the handler did not run"

says "a signal that was ignored stays ignored"
# shellcheck disable=SC2016 # $$ is for the inner shell
run sh -c 'trap "" HUP; exec "$0" run -- sh -c "kill -HUP \$\$; exit 5"' "$DAM_COMMAND"
expect_status 5

says "standard input, output and error are the program's"
echo "through the pipe" >input
run sh -c '"$0" run -- sh -c "cat; echo aside >&2" <input' "$DAM_COMMAND"
expect_status 0
expect_out "through the pipe"
[ "$err" = aside ] || fail "stderr is not the program's"

says "arguments arrive as they are, options and -- included, and argv[0] is what was typed"
cat >arguments.py <<'END'
import sys
print(sys.argv[1:])
END
dam run python3 arguments.py --stats -- -o 'a  b' '' '*' --help
expect_status 0
expect_out "['--stats', '--', '-o', 'a  b', '', '*', '--help']"
dam run -- python3 arguments.py -- x
expect_out "['--', 'x']"
dam run -- sh -c 'tr "\0" "|" </proc/$$/cmdline'
expect_out_has 'sh|-c|'
[[ $out != /* ]] || fail "argv[0] became a path"

says "a program is found as the shell finds it: in PATH, or by its path"
mkdir -p first second
printf '#!/bin/sh\necho from second\n' >second/dam-test-program
chmod +x second/dam-test-program
run env PATH="$PWD/first:$PWD/second:$PATH" "$DAM_COMMAND" run dam-test-program
expect_status 0
expect_out "from second"
: >first/dam-test-program # not executable: passed over
run env PATH="$PWD/first:$PWD/second:$PATH" "$DAM_COMMAND" run dam-test-program
expect_out "from second"
dam run ./second/dam-test-program
expect_out "from second"
(cd second && PATH=":$PATH" "$DAM_COMMAND" run dam-test-program) >run.out ||
    fail "an empty word in PATH does not mean the current directory"
[ "$(cat run.out)" = "from second" ] || fail "something else ran"
env -u PATH "$DAM_COMMAND" run sh -c 'echo without PATH' >run.out || fail "no PATH is not an empty PATH"

says "a script without a #! line is run by sh, as execvp does it"
cat >plain <<'END'
echo "plain $1"
END
chmod +x plain
dam run ./plain script
expect_status 0
expect_out "plain script"
echo "all is as promised"
