#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# instruction_budget.sh: fails when a malloc+free pair on DAM costs more instructions than its budget, loop included.
set -euo pipefail

if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 77
fi
exec "${DAM_SOURCE_DIR:?}/bench/instructions.sh" --dam "${DAM_PRELOAD:?}" --only-dam \
    --patterns "one:32 alone:32 set:240 set:1000" \
    --limit one:32=68 --limit alone:32=68 --limit set:240=75 --limit set:1000=85
