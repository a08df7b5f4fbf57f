#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# redis.sh: a redis server on DAM, under redis-benchmark. A server that keeps many small blocks for long,
# replaces and resizes them in any order, counts them by malloc_usable_size, frees some in another thread, and forks to
# save itself.
#
#   fixed data    100,000 commands on every kind of value, always the same: DEBUG DIGEST tells whether two servers
#                 hold the same
#   benchmark     redis-benchmark, whose client is on DAM as well; pipelines, many clients, values up to 64 KiB
#   churn         random keys of all kinds in a second database, freed all at once by another thread
#   save, load    a forked child writes the data out; another server reads them
#
# The server listens on loopback only, is bounded by its maxmemory, and is stopped by its process id.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need redis-server redis-server
need redis-benchmark redis-tools
need redis-cli redis-tools

# The fixed data, as commands for redis-cli --pipe. Values up to 2 KiB, some of 60 KB; hashes, lists, sets and sorted
# sets on both sides of the limits where redis changes their representation.
for round in 1 2; do
    awk -v round="$round" 'function value(n) {
        return substr(filler, 1 + n % 37, n % 300 == 0 ? 60000 : n * 7 % (n % 10 ? 120 : 2000))
    }
    BEGIN {
        filler = "the quick brown fox jumps over the lazy dog; "
        while (length(filler) < 60100) filler = filler filler
        for (n = 1; n <= 100000; n++) {
            k = n * 48271 % 20011
            kind = n % 12
            if (kind < 3) printf "SET string:%d \"%s\"\n", k, value(n)
            else if (kind == 3) printf "APPEND string:%d \"%s\"\n", k, value(n * 3)
            else if (kind == 4) printf "HSET hash:%d field:%d \"%s\"\n", k % 300, n % 997, value(n)
            else if (kind == 5) printf "RPUSH list:%d \"%s\"\n", k % 100, value(n)
            else if (kind == 6) printf "SADD set:%d member:%d\n", k % 200, n % 1009
            else if (kind == 7) printf "ZADD sorted:%d %d member:%d\n", k % 50, n * 7919 % 100000, n % 2003
            else if (kind == 8) printf "DEL string:%d\n", n * 16807 % 20011
            else if (kind == 9) printf "SETRANGE string:%d %d x\n", k, n % 5000
            else if (kind == 10) printf "XADD stream:%d %d-%d name \"%s\"\n", k % 20, round, n, value(n)
            else printf "LTRIM list:%d 1 -1\n", n % 100
        }
    }' >"$work/commands.$round"
done

cli() {
    redis-cli -h 127.0.0.1 -p "$port" "$@"
}

answers_ping() {
    [ "$(cli PING)" = PONG ]
}

# start VARIANT NAME
start() {
    choose_port
    start_server "$1" "$2" answers_ping redis-server --bind 127.0.0.1 --port "$port" --protected-mode yes --save '' \
        --enable-debug-command local --daemonize no --dbfilename dump.rdb --dir . --maxmemory 600mb --databases 4 \
        --activerehashing yes --lazyfree-lazy-user-del yes --lazyfree-lazy-user-flush yes
    cli INFO server >"$log/$2.$1.info"
    grep -q "^process_id:$server_pid" "$log/$2.$1.info" ||
        die "the server on port $port is not the one that was started"
}

# load VARIANT ROUND: sends the fixed data.
load() {
    cli --pipe <"$work/commands.$2" >"$log/pipe.$1" 2>&1 || true
    grep -q 'errors: 0, replies: 100000' "$log/pipe.$1" || die "redis-cli --pipe: $(tail -n 3 "$log/pipe.$1")"
}

# info SECTION FIELD...: those fields as the server reports them.
info() {
    local section=$1 answer field
    shift
    answer=$(cli INFO "$section" | tr -d '\r')
    for field in "$@"; do
        grep "^$field" <<<"$answer" || die "INFO $section has no $field"
    done
}

benchmark() {
    local variant=$1 name=$2
    shift 2
    run "$variant" "$name" redis-benchmark -h 127.0.0.1 -p "$port" --csv "$@"
    grep -q '^"' "$log/$name.$variant.out" || die "$name reported nothing"
    # The first field names the test; the others are times.
    cut -d , -f 1 "$log/$name.$variant.out" | sort >"$log/$name.$variant.tests"
}

# The whole of one server's life; what it holds at each stage goes to $log/digests.VARIANT.
live() {
    local variant=$1
    {
        start "$variant" redis
        load "$variant" 1
        echo "fixed $(cli DEBUG DIGEST) $(cli DBSIZE)"

        benchmark "$variant" many -n 40000 -c 50 -P 8 -d 100 \
            -t ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,mset
        benchmark "$variant" large -n 1500 -c 20 -d 65536 -t set,get,lpush,lpop,mset
        echo "benchmark $(cli DEBUG DIGEST) $(cli DBSIZE)"

        benchmark "$variant" churn --dbnum 1 -n 60000 -c 30 -P 16 -d 700 -r 40000 -t set,lpush,sadd,hset,zadd
        [ "$(cli -n 1 DBSIZE)" -gt 1000 ] || die "the churn left no keys"
        cli -n 1 FLUSHDB ASYNC
        cli -n 1 DBSIZE
        cli MEMORY PURGE
        cli MEMORY DOCTOR >"$log/doctor.$variant"
        echo "churn $(cli DEBUG DIGEST) $(cli DBSIZE)"

        # A child saves while the parent goes on allocating.
        cli BGSAVE
        load "$variant" 2
        until [ "$(info persistence rdb_bgsave_in_progress)" = rdb_bgsave_in_progress:0 ]; do
            sleep 0.1
        done
        info persistence rdb_last_bgsave_status rdb_saves
        info keyspace db0
        cli SAVE
        stop_server "$variant" redis TERM

        start "$variant" loaded
        echo "loaded $(cli DEBUG DIGEST) $(cli DBSIZE)"
        info stats expired_keys evicted_keys
        stop_server "$variant" loaded TERM
    } >"$log/digests.$variant"
}

live plain
live dam
cat "$log/digests.dam"
same_bytes "$log/digests.plain" "$log/digests.dam" "what the server held"
for name in many large churn; do
    same_bytes "$log/$name.plain.tests" "$log/$name.dam.tests" "the list of tests of $name"
    prove "$name" redis-benchmark
done
prove redis redis-server
prove loaded redis-server
