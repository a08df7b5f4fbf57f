#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mutations.sh: shows that the ownership model can fail. Each file of mutations/ is a small mistake in the protocol; its
# head names the rule it breaks, the search that finds it, and words of spin's complaint. The test passes when the model
# as it stands survives those searches, every mistake is found and named so, and every rule of ownership.pml is broken
# by one.
#
# Works in the current directory; exit status 77 means skipped. To make a mutation anew after the model has changed:
# copy ownership.pml, make the mistake in the copy, and put `diff -U2 ownership.pml copy.pml` below the head.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
if ! command -v patch >/dev/null; then
    echo "skipped: patch is missing (the package is called patch too)"
    exit 77
fi

# field FILE NAME: a field of the head of a mutation.
field() {
    sed -n "s/^# $2: //p" "$1"
}

# search MODEL WORDS: the search that the words describe; leaves `found` and `status`.
search() {
    local -a words
    read -ra words <<<"$2"
    status=0
    found=$("$here/search.sh" --small --model "$1" "${words[@]}") || status=$?
    if ((status == 77)); then
        echo "$found"
        exit 77
    fi
}

failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

mutations=("$here"/mutations/*.patch)
mapfile -t searches < <(for file in "${mutations[@]}"; do field "$file" search; done | sort -u)
for words in "${searches[@]}"; do
    search "$here/ownership.pml" "$words"
    echo "no mutation: $found"
    ((status == 0)) || fail "the model itself does not pass"
done

broken=()
for file in "${mutations[@]}"; do
    name=$(basename "$file" .patch)
    cp -- "$here/ownership.pml" "$name.pml"
    if ! patch --silent --fuzz=0 "$name.pml" "$file"; then
        fail "$name: does not apply to the model as it is now"
        continue
    fi
    search "$name.pml" "$(field "$file" search)"
    rule=$(field "$file" breaks)
    echo "$name ($rule): $found"
    if ((status != 1)); then
        fail "$name: no error found"
    elif [[ $found != *"$(field "$file" finds)"* ]]; then
        fail "$name: found another error than '$(field "$file" finds)'"
    else
        broken+=("$rule")
    fi
done

mapfile -t rules < <(sed -n 's/^ \*   \(O[0-9]*\) .*/\1/p' "$here/ownership.pml")
((${#rules[@]} > 0)) || fail "no rules found in ownership.pml"
for rule in "${rules[@]}"; do
    [[ " ${broken[*]} " == *" $rule "* ]] || fail "no mutation breaks $rule"
done

echo "${#mutations[@]} mutations, ${#rules[@]} rules, $failures failures"
((failures == 0))
