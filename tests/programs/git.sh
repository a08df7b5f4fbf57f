#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# git.sh: git on DAM. Short processes by the hundred, and a few that delta-compress a whole history, with windows of
# objects of all sizes in two threads.
#
# The history is made by the test from this project's own files, which need not be a git checkout: each file grows
# commit by commit, on a main line and on side branches that are merged back. Dates and names are fixed, so that the two
# runs, which both make it, get the same commits down to the hash. When the project is a git checkout, a clone of it is
# worked on too.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"

need git git

export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cat >"$HOME/.gitconfig" <<'CONFIG'
[user]
    name = Somebody
    email = somebody@example.org
[init]
    defaultBranch = main
[core]
    fsync = none
[gc]
    auto = 0
[pack]
    threads = 2
[safe]
    directory = *
[protocol "file"]
    allow = always
CONFIG

# What the history is made of: text files of the project (not of its build), the same for both runs.
mkdir "$work/files"
cd -- "$DAM_SOURCE_DIR"
find . -name .git -prune -o -name 'build*' -prune -o -type f -size -200k -print >"$work/names"
while IFS= read -r file; do
    if grep -q -I . "$file"; then
        mkdir -p "$work/files/${file%/*}"
        cp -- "$file" "$work/files/$file"
    fi
done <"$work/names"
cd - >/dev/null
[ "$(find "$work/files" -type f | wc -l)" -ge 20 ] || die "fewer than 20 files to make a history of"

# make_history FILES: run by a shell on DAM, in an empty directory.
make_history() {
    set -euo pipefail
    git init -q history
    cd history
    local step=0 steps=40
    (cd -- "$1" && find . -type f | sort) >../names
    (cd -- "$1" && find . -type d) | xargs mkdir -p

    # One file in eight (which eighth changes) grows to the share of the step, counted in lines.
    grow() {
        awk -v source="$1" -v step="$step" -v steps="$steps" 'NR % 8 == step % 8 {
            count = 0
            while ((getline line < (source "/" $0)) > 0)
                lines[++count] = line
            close(source "/" $0)
            printf "" > $0
            for (i = 1; i <= count * step / steps + 1 && i <= count; i++)
                print lines[i] > $0
            close($0)
        }' ../names
    }
    for ((step = 1; step <= steps; step++)); do
        export GIT_AUTHOR_DATE="@$((1700000000 + step * 3600)) +0100"
        export GIT_COMMITTER_DATE="@$((1700000600 + step * 3600)) +0000"
        if ((step % 8 == 3)); then
            git checkout -q -b "side-$step"
        fi
        grow "$1"
        git add -A
        git commit -q -m "grow some files" -m "Step $step of $steps."
        if ((step % 8 == 6)); then
            git checkout -q main
            echo "merged at step $step" >>merges
            git add -A
            git commit -q -m "note a merge"
            git merge -q --no-ff -m "merge" "side-$((step - 3))"
            git tag -m "version $step" "v$step"
        fi
    done
    git log --oneline --graph --all
    git rev-parse HEAD
}
export -f make_history
for variant in plain dam; do
    # shellcheck disable=SC2016 # $1 is for the inner shell
    run "$variant" history bash -c 'make_history "$1"' bash "$work/files"
done
compare history
prove history bash git

# same_content NAME REPOSITORY: every object of it, by name, kind and size, and what fsck says of them. (With --root and
# --tags, fsck has something to say even when all is well.)
same_content() {
    same "$1.objects" git -C "$2" cat-file --batch-all-objects '--batch-check=%(objectname) %(objecttype) %(objectsize)'
    same "$1.fsck" git -C "$2" fsck --full --strict --root --tags
}

longest=$(cd -- "$work/files" && find . -name '*.c' -exec wc -l {} + | grep -v ' total$' | sort -n | tail -n 1)
longest=${longest##* ./}
same_content history history
same log git -C history log --all --stat --patch -M -C --find-copies-harder --format=raw
same blame git -C history blame -M -C --line-porcelain HEAD -- "$longest"
same grep git -C history grep -n -E '[a-z]+_[a-z]+\(' HEAD --
same archive git -C history archive --format=tar HEAD
# With one thread the choice of deltas does not depend on chance, and the pack has the same bytes.
same pack git -C history -c pack.threads=1 pack-objects -q --all --stdout --window=50 --depth=50 --no-reuse-delta

# From here on two threads look for deltas: how things are packed may differ, what they are may not.
same_writer gc git -C history gc --quiet --aggressive --prune=now
same_content packed history
same_writer clone git clone --quiet --bare --no-local history clone.git
same_content clone clone.git
same_writer bundle git -C history bundle create --quiet ../all.bundle --all
same_writer unbundle git clone --quiet --mirror all.bundle unbundled.git
same_content unbundled unbundled.git

if [ -e "$DAM_SOURCE_DIR/.git" ]; then
    # A copy first, as the repository may get new commits between the two runs.
    git clone --quiet --mirror --no-local "$DAM_SOURCE_DIR" "$work/own.git"
    same_writer own git clone --quiet --mirror --no-local "$work/own.git" own.git
    same_writer own_gc git -C own.git gc --quiet --prune=now
    same_content own own.git
    same own_log git -C own.git log --all --stat --patch --format=raw
else
    echo "the project's own history: not a git checkout, so only the one made here was worked on"
fi
