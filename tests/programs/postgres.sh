#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# postgres.sh: a PostgreSQL cluster on DAM, under pgbench. A process for each client, forked from one parent; memory
# contexts that take blocks of 8 KiB and more, doubling, and give them back at the end of each query; sorts and hashes
# of megabytes; the just-in-time compiler, which is a C++ compiler inside the server.
#
# Both clusters are made by initdb from nothing, loaded by pgbench, and get the same transactions from the same seed.
# These add to balances, so the order in which concurrent clients come does not matter: every account, and all sums,
# must be equal. Then queries that sort, join and aggregate, in parallel workers and compiled; their answers and a dump
# must be equal.
#
# The server refuses to run as root. Then it runs as the user of Debian's package, `postgres`.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

for bin in /usr/lib/postgresql/*/bin; do
    [ ! -x "$bin/postgres" ] || bin_dir=$bin
done
[ -n "${bin_dir:-}" ] || skip "there is no postgres; on Debian it comes with the package postgresql"
need "$bin_dir/initdb" postgresql
need "$bin_dir/pgbench" postgresql
need "$bin_dir/psql" postgresql-client
need "$bin_dir/pg_dump" postgresql-client
need setpriv util-linux

if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null 2>&1 ||
        skip "there is no user postgres (and root cannot run postgres); on Debian it comes with the package postgresql"
    user_options=(--reuid=postgres --regid=postgres --init-groups)
    chown postgres "$work/plain" "$work/dam" "$work/home"
fi
# Copies, since that user may not be able to reach the sources.
cp -- "$inputs/sums.sql" "$inputs/queries.sql" "$work/"
chmod 644 "$work/"*.sql
export PGHOST=127.0.0.1 PGUSER=tester PGDATABASE=postgres PGCONNECT_TIMEOUT=20

client() {
    local variant=$1 name=$2 program=$3
    shift 3
    run "$variant" "$name" "$bin_dir/$program" -p "$port" "$@"
}

answers_query() {
    [ "$("$bin_dir/psql" -X -A -t -p "$port" -c 'SELECT 1')" = 1 ]
}

# bench VARIANT NAME OPTION...: a run of pgbench, which must have done all it was asked for. (Its vacuum at the start
# would empty the history.)
bench() {
    local variant=$1 name=$2
    client "$variant" "$name" pgbench --no-vacuum "${@:3}"
    if ! grep -q '^number of failed transactions: 0 ' "$log/$name.$variant.out"; then
        show "$log/$name.$variant.out"
        die "$name ($variant): failed transactions"
    fi
    grep '^number of transactions actually processed' "$log/$name.$variant.out" >>"$log/answers.$variant"
}

# live VARIANT: a cluster from initdb to its end.
live() {
    local variant=$1
    : >"$log/answers.$variant"
    run "$variant" initdb "$bin_dir/initdb" -D cluster -U tester -A trust -E UTF8 --locale=C --data-checksums --no-sync
    choose_port
    start_server "$variant" postgres answers_query "$bin_dir/postgres" -D cluster -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=20 \
        -c shared_buffers=32MB -c logging_collector=off -c log_min_messages=warning

    client "$variant" load pgbench --initialize --scale=2 --quiet
    bench "$variant" simple --client=4 --jobs=2 --transactions=400 --random-seed=1
    bench "$variant" prepared --client=8 --jobs=2 --transactions=200 --random-seed=2 --protocol=prepared
    bench "$variant" select --client=4 --jobs=2 --transactions=1500 --random-seed=3 --select-only
    bench "$variant" connect --client=4 --jobs=2 --transactions=15 --random-seed=4 --connect
    client "$variant" sums psql -X -A -t -v ON_ERROR_STOP=1 -f ../sums.sql
    client "$variant" queries psql -X -A -t -v ON_ERROR_STOP=1 -f ../queries.sql
    client "$variant" dump pg_dump --table=item --table=sale --schema=public

    stop_server "$variant" postgres INT
    if grep -E 'PANIC|was terminated by signal' "$log/postgres.$variant.err" >&2; then
        die "postgres ($variant): see the lines above from its log"
    fi
}

live plain
live dam
same_bytes "$log/answers.plain" "$log/answers.dam" "what pgbench did"
# Newer versions of pg_dump put a random word around the dump.
sed -i -E '/^\\(un)?restrict /d' "$log/dump.plain.out" "$log/dump.dam.out"
for name in sums queries dump; do
    compare "$name"
done
cat "$log/sums.dam.out"
# sums.sql says f or t for each pair of sums that must agree.
if grep -q -x f "$log/sums.dam.out"; then
    die "the balances do not agree with the history"
fi
prove initdb initdb postgres
prove postgres postgres
for name in load simple prepared select connect; do
    prove "$name" pgbench
done
prove queries psql
prove dump pg_dump
