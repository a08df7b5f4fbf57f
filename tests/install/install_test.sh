#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install_test.sh: installs DAM into a directory, moves that directory, and uses it from outside projects: through
# find_package(dam), through pkg-config, and through the installed `dam` command.
set -euo pipefail
shopt -s inherit_errexit

: "${DAM_SOURCE_DIR:?}" "${DAM_BUILD_DIR:?}" "${DAM_VERSION:?}" "${CMAKE:?}" "${CC:?}" "${CXX:?}"
project=$DAM_SOURCE_DIR/tests/install/project

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expect LINE COMMAND...: the command succeeds and prints exactly the line, in which * stands for anything.
expect() {
    local expected=$1 output
    shift
    output=$("$@") || fail "$*: exit status $?"
    # shellcheck disable=SC2053 # a pattern is meant
    [[ $output == $expected ]] || fail "$*: printed \"$output\", not \"$expected\""
}

echo "- installing, and moving what was installed"
"$CMAKE" --install "$DAM_BUILD_DIR" --prefix "$PWD/first-place" >install.log || fail "$(cat install.log)"
mv first-place tree
tree=$PWD/tree
for file in include/dam/dam.h bin/dam share/doc/dam/LICENSE share/doc/dam/README.md share/doc/dam/CHANGELOG.md; do
    [ -f "tree/$file" ] || fail "$file is not installed"
done
for file in bin/dam lib*/libdam.so lib*/libdam-malloc.so; do
    # shellcheck disable=SC2086 # the pattern is meant to be expanded
    if readelf -dW tree/$file | grep -E 'R(UN)?PATH'; then
        fail "$file carries the path above"
    fi
done
if grep -rlF -e "$DAM_BUILD_DIR" -e "$DAM_SOURCE_DIR" -e first-place --include='*.cmake' --include='*.pc' tree; then
    fail "these files name a directory of this machine"
fi
libdir=$(dirname -- "$(find tree -name libdam.so)")
soname=$(readelf -dW "$libdir/libdam-malloc.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = "libdam-malloc.so.${DAM_VERSION%%.*}" ] || fail "the soname is $soname"

echo "- find_package(dam)"
"$CMAKE" -S "$project" -B outside -DCMAKE_PREFIX_PATH="$tree" -DDAM_VERSION="$DAM_VERSION" \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" >outside.log 2>&1 || fail "$(cat outside.log)"
"$CMAKE" --build outside >>outside.log 2>&1 || fail "$(cat outside.log)"
for language in c cxx; do
    expect "dam $DAM_VERSION, malloc of libc.so.6" "outside/$language-dam"
    expect "dam $DAM_VERSION, malloc of libc.so.6" "outside/$language-dam_static"
    expect "dam $DAM_VERSION, malloc of libdam-malloc.so.${DAM_VERSION%%.*}" "outside/$language-dam-malloc"
    expect "dam $DAM_VERSION, malloc of $language-dam-malloc_static" "outside/$language-dam-malloc_static"
done

echo "- pkg-config"
PKG_CONFIG_PATH=$(cd "$libdir" && pwd)/pkgconfig
export PKG_CONFIG_PATH
expect "$DAM_VERSION" pkg-config --modversion dam
expect "$DAM_VERSION" pkg-config --modversion dam-malloc
for package in dam dam-malloc; do
    read -ra flags < <(pkg-config --cflags --libs "$package")
    "$CC" -D_GNU_SOURCE "$project/outside.c" -o "pc-c-$package" "${flags[@]}" -ldl
    "$CXX" -D_GNU_SOURCE "$project/outside.cpp" -o "pc-cxx-$package" "${flags[@]}" -ldl
done
export LD_LIBRARY_PATH=$PWD/$libdir
for language in c cxx; do
    expect "dam $DAM_VERSION, malloc of libc.so.6" "./pc-$language-dam"
    expect "dam $DAM_VERSION, malloc of libdam-malloc.so.${DAM_VERSION%%.*}" "./pc-$language-dam-malloc"
done

echo "- the command finds its library in the moved tree"
expect "dam $DAM_VERSION, malloc of libdam-malloc.so.*" tree/bin/dam run -- ./pc-c-dam
echo "the installed tree serves"
