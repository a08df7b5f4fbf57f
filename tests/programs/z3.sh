#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# z3.sh: the theorem prover z3. Millions of small terms, hashed and shared, made and dropped in waves by push and pop,
# vectors of clauses that double again and again, big numbers.
#
#   problems.smt2   a small problem for each theory, with models
#   division        a - b * (a / b) = a mod b in bit vectors, which becomes a SAT problem of some size
#   pigeons         ten pigeons do not fit into nine holes: nothing but search
#   random          random problems of three-literal clauses, with so few of them that there is a model, or so many that
#                   there is none
#   threads         the same search by two threads, which free each other's clauses; only the answer is compared
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need z3 z3

same problems z3 "$inputs/problems.smt2"

cat >"$work/division.smt2" <<'PROBLEM'
(declare-const a (_ BitVec 9))
(declare-const b (_ BitVec 9))
(assert (distinct b (_ bv0 9)))
(assert (distinct (bvsub a (bvmul b (bvudiv a b))) (bvurem a b)))
(check-sat)
PROBLEM
same division z3 "$work/division.smt2"

# Variable v(p, h): pigeon p sits in hole h.
awk 'BEGIN {
    pigeons = 10; holes = 9
    for (p = 1; p <= pigeons; p++)
        for (h = 1; h <= holes; h++) printf "(declare-const p%dh%d Bool)\n", p, h
    for (p = 1; p <= pigeons; p++) {
        printf "(assert (or"
        for (h = 1; h <= holes; h++) printf " p%dh%d", p, h
        print "))"
    }
    for (h = 1; h <= holes; h++)
        for (p = 1; p < pigeons; p++)
            for (other = p + 1; other <= pigeons; other++)
                printf "(assert (not (and p%dh%d p%dh%d)))\n", p, h, other, h
    print "(check-sat)"
}' >"$work/pigeons.smt2"
same pigeons z3 "$work/pigeons.smt2"

# The numbers come from a fixed linear congruence, so that every awk makes the same problems.
awk 'function next_number(below) { state = (state * 16807) % 2147483647; return state % below }
BEGIN {
    state = 20240229; variables = 90
    for (v = 1; v <= variables; v++) printf "(declare-const v%d Bool)\n", v
    for (problem = 1; problem <= 100; problem++) {
        print "(push)"
        for (clause = 1; clause <= variables * (problem % 2 ? 3.5 : 5.5); clause++) {
            printf "(assert (or"
            for (literal = 1; literal <= 3; literal++) {
                v = 1 + next_number(variables)
                printf next_number(2) ? " v%d" : " (not v%d)", v
            }
            print "))"
        }
        print "(check-sat)"
        if (problem % 2) print "(get-model)"
        print "(pop)"
    }
}' >"$work/random.smt2"
same random z3 "$work/random.smt2"

same threads z3 parallel.enable=true parallel.threads.max=2 "$work/pigeons.smt2"
