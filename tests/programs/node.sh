#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# node.sh: Node.js on DAM. V8 keeps its objects in memory of its own; everything else is malloc's: buffers, the
# compiler's zones, compression and hashing in a thread pool, whole isolates that start and end with their threads, C++
# new and delete.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

node=/usr/bin/node
need "$node" nodejs

same workload "$node" "$inputs/workload.js"
same_file copy
# With a small heap V8 collects and moves all the time, on helper threads, and frees the buffers of dead objects late.
same small_heap "$node" --max-old-space-size=150 --max-semi-space-size=1 --gc-interval=5000 "$inputs/workload.js"
