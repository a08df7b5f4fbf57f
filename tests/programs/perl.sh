#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# perl.sh: Perl on DAM. Strings that grow by realloc, hashes that double, closures, threads (each clones the interpreter
# and frees part of what another allocated), fork. Then Perl's formatters at work on Perl's manuals.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need perl perl
perl -e 'use threads; use JSON::PP; use Storable; use Pod::Man' 2>/dev/null ||
    skip "perl has no threads, JSON::PP, Storable or Pod::Man; on Debian they come with the package perl"

export PERL_HASH_SEED=0

same workload perl "$inputs/workload.pl"

# The manuals that some large modules carry. pod2man would take the release and the date from today.
modules=$(perl -MConfig -e 'print $Config{privlibexp}')
manuals=(CPAN Math/BigInt Module/CoreList Getopt/Long Pod/Usage Test/More Locale/Maketext Unicode/Collate)
found=()
for manual in "${manuals[@]}"; do
    for file in "$modules/$manual.pod" "$modules/$manual.pm"; do
        [ ! -s "$file" ] || found+=("$file")
    done
done
[ "${#found[@]}" -ge 4 ] || die "found only ${#found[@]} manuals in $modules"
# shellcheck disable=SC2016 # $_ and @ARGV are Perl's
same pod2text perl -MPod::Text -e 'Pod::Text->new(width => 90)->parse_file($_) for @ARGV' "${found[@]}"
# shellcheck disable=SC2016
same pod2man perl -MPod::Man -e '
    my %title = (name => "manual", release => 1, date => "2000-01-01", center => "manual");
    Pod::Man->new(%title)->parse_file($_) for @ARGV' "${found[@]}"
