#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# library.sh: which libdam-malloc.so `dam run` preloads, and what it says when that cannot be.
# shellcheck source-path=SCRIPTDIR source=expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/expect.bash"

soname=$(readelf -d "$DAM_PRELOAD" | sed -n 's/.*SONAME.*\[\(.*\)\]$/\1/p')
[ -n "$soname" ] || fail "the library has no soname"

# Expects that a program run by the dam in $1 (and the words after it) has exactly $2 in LD_PRELOAD, and mapped.
expect_library() {
    local command=$1 library=$2
    shift 2
    # shellcheck disable=SC2016 # $0 is the inner shell's
    run "$command" run "$@" -- sh -c 'printenv LD_PRELOAD && grep -c -F "$0" /proc/self/maps' "$library"
    expect_status 0
    [ "$(sed -n 1p run.out)" = "$library" ] || fail "the library preloaded is not $library"
    [ "$(sed -n 2p run.out)" -gt 0 ] || fail "$library is not mapped"
}

# An installed tree in $1, with the library under the name $3 in its directory $2.
make_tree() {
    rm -rf "$1"
    mkdir -p "$1/bin" "$1/$2"
    cp "$DAM_COMMAND" "$1/bin/dam"
    cp "$DAM_PRELOAD" "$1/$2/$3"
}

says "in the build tree it is the one of that build"
expect_library "$DAM_COMMAND" "$(realpath "$DAM_PRELOAD")"

says "an installed tree can stand anywhere and be moved: the library is found from where dam is"
make_tree here lib "$soname"
expect_library "$PWD/here/bin/dam" "$PWD/here/lib/$soname"
mkdir -p elsewhere
mv here elsewhere/there
expect_library "$PWD/elsewhere/there/bin/dam" "$PWD/elsewhere/there/lib/$soname"

says "it is found through a symbolic link to dam, and when dam is run by a relative path or from PATH"
ln -sf "$PWD/elsewhere/there/bin/dam" link-to-dam
expect_library ./link-to-dam "$PWD/elsewhere/there/lib/$soname"
run env PATH="$PWD/elsewhere/there/bin:$PATH" dam run printenv LD_PRELOAD
expect_out "$PWD/elsewhere/there/lib/$soname"

says "it may be in lib64, have the plain name, or lie beside dam"
make_tree tree lib64 "$soname"
expect_library tree/bin/dam "$PWD/tree/lib64/$soname"
make_tree tree lib libdam-malloc.so
expect_library tree/bin/dam "$PWD/tree/lib/libdam-malloc.so"
make_tree tree bin "$soname"
expect_library tree/bin/dam "$PWD/tree/bin/$soname"

says "without any, the message names the library and how to give one; 125"
rm "tree/bin/$soname"
run tree/bin/dam run -- echo started
expect_refusal 125 "there is no libdam-malloc.so in $PWD/tree/bin/../"
expect_err_has "--library"
expect_err_has "DAM_MALLOC_LIBRARY"

says "--library names another one, also by a relative path, which the program sees as a full one"
mkdir -p other
cp "$DAM_PRELOAD" other/another.so
expect_library "$DAM_COMMAND" "$PWD/other/another.so" --library=other/another.so
expect_library tree/bin/dam "$PWD/other/another.so" --library "$PWD/other/another.so"

says "so does DAM_MALLOC_LIBRARY, which --library overrides and which counts for nothing when empty"
export DAM_MALLOC_LIBRARY=other/another.so
expect_library "$DAM_COMMAND" "$PWD/other/another.so"
expect_library "$DAM_COMMAND" "$(realpath "$DAM_PRELOAD")" --library="$DAM_PRELOAD"
DAM_MALLOC_LIBRARY=
expect_library "$DAM_COMMAND" "$(realpath "$DAM_PRELOAD")"
unset DAM_MALLOC_LIBRARY

says "a library that is missing, a directory, or not a shared library is refused; 125"
dam run --library=nowhere.so -- echo started
expect_refusal 125 "cannot use the library 'nowhere.so': No such file or directory"
dam run --library=. -- echo started
expect_refusal 125 "it is not a readable file"
echo "text" >text.so
dam run --library=text.so -- echo started
expect_refusal 125 "it is not a shared library"
head -c 100 "$DAM_PRELOAD" >cut.so
dam run --library=cut.so -- echo started
expect_refusal 125 "it is not a shared library"
: >empty.so
dam run --library=empty.so -- echo started
expect_refusal 125 "it is not a shared library"
run env DAM_MALLOC_LIBRARY=nowhere.so "$DAM_COMMAND" run -- echo started
expect_refusal 125 "cannot use the library 'nowhere.so'"

says "so is a library that is not DAM's, or does not have its malloc; 125"
cat >somebody-elses.c <<'END'
#include <stddef.h>
void *malloc(size_t size) {
    return NULL;
}
const char *dam_version(void);
const char *(*asks_for_it)(void) = dam_version;
END
"${CC:-cc}" -w -shared -fPIC -o somebody-elses.so somebody-elses.c -Wl,-soname,libdam-malloc.so.0
dam run --library=somebody-elses.so -- echo started
expect_refusal 125 "it is not a libdam-malloc.so (it does not define both malloc and dam_version)"
dam run --library="$DAM_LIBRARY" -- echo started
expect_refusal 125 "it is not a libdam-malloc.so"
cp "$DAM_PRELOAD" stripped.so
strip stripped.so
expect_library "$DAM_COMMAND" "$PWD/stripped.so" --library=stripped.so

says "a path that LD_PRELOAD cannot hold is refused, whoever named it; 125"
for directory in "with space" "with:colon" "with\$LIB"; do
    mkdir -p "$directory"
    cp "$DAM_PRELOAD" "$directory/lib.so"
    dam run --library="$directory/lib.so" -- echo started
    expect_refusal 125 "'$PWD/$directory/lib.so' cannot be preloaded"
done
make_tree "a tree" lib "$soname"
run "a tree/bin/dam" run -- echo started
expect_refusal 125 "cannot be preloaded"
echo "all is as promised"
