#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# sqlite.sh: the sqlite3 shell. A page cache of equal blocks, parse trees and rows of every size, sorts that spill, and
# a few large values; sqlite asks for the usable size of its blocks all the time and relies on it.
#
# Equal are what the queries print, the database file, and its dump; also a database one run wrote is read by the other.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need sqlite3 sqlite3

same workload sqlite3 -bail -batch shop.db ".read $inputs/workload.sql"
grep -q -x ok "$log/workload.dam.out" || die "the integrity check did not say ok"
same_file shop.db

# The files are equal, so what follows is the same question about each file to each run.
same dump sqlite3 -bail -batch -readonly shop.db .dump
cp -- "$log/dump.plain.out" "$work/dump.sql"
same restore sqlite3 -bail -batch restored.db ".read $work/dump.sql" \
    'PRAGMA integrity_check' 'SELECT count(*) FROM "order"'
