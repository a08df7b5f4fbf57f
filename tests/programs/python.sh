#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# python.sh basics|threading|multiprocessing: CPython's own test modules, on DAM.
#
#   basics           dict, json, re and the built-in containers: objects of every size
#   threading        threads that start, wait and end; fork from a process with threads; daemon threads at exit
#   multiprocessing  pools, queues, shared memory; fork, and fresh interpreters by spawn
#
# PYTHONMALLOC=malloc takes CPython's own small-object allocator out of the way, so that each object is a malloc. Left
# out of multiprocessing: tests whose subject is the clock (they sleep, and compare with the clock on the wall), and the
# variants on threads and managers of what already runs on processes: a minute of waiting, and no other allocation.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

python=/usr/bin/python3
need "$python" python3
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
testsuite="libpython$version-testsuite"
"$python" -c 'import test.test_dict, test.test_threading' 2>/dev/null ||
    skip "python3 has no test.test_dict; on Debian it comes with the package $testsuite"

export PYTHONMALLOC=malloc PYTHONHASHSEED=1 PYTHONDONTWRITEBYTECODE=1

case ${1:-} in
basics)
    same basics "$python" "$inputs/run_unittests.py" test.test_dict test.test_dictviews test.test_json test.test_re \
        test.test_set test.test_list test.test_deque test.test_bytes test.test_array
    ;;
threading)
    same threading "$python" "$inputs/run_unittests.py" test.test_threading test.test_thread test.test_threading_local
    ;;
multiprocessing)
    fork=test.test_multiprocessing_fork
    spawn=test.test_multiprocessing_spawn
    same fork "$python" "$inputs/run_unittests.py" "$fork" --without "$fork.TestWait" "$fork.WithManager" \
        "$fork.WithThreads" "$fork.WithProcessesTestPoll" "$fork.WithProcessesTestFinalize.test_thread_safety" \
        "$fork.TestResourceTracker" "$fork.TestTimeouts" "$fork.WithProcessesTestBarrier" \
        "$fork.WithProcessesTestCondition" "$fork.WithProcessesTestPool.test_map_no_failfast" \
        "$fork.WithProcessesTestListenerClient"
    same spawn "$python" "$inputs/run_unittests.py" "$spawn.WithProcessesTestPool" "$spawn.WithProcessesTestQueue" \
        "$spawn.WithProcessesTestSharedMemory" "$spawn.WithManagerTestContainers" \
        --without "$spawn.WithProcessesTestPool.test_map_no_failfast"
    ;;
*)
    die "which tests? basics, threading or multiprocessing"
    ;;
esac
