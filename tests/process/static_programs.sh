#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# static_programs.sh LIBDAM.A LIBDAM-MALLOC.A: programs without a dynamic loader, position-independent or not, start and run
# on DAM. Their indirect functions are resolved before there are thread variables.
set -euo pipefail
shopt -s inherit_errexit
: "${CC:?}" "${DAM_SOURCE_DIR:?}"
libdam=$1
libdam_malloc=$2

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

cat >nothing.c <<'END'
int main(void) {
    return 0;
}
END
if ! "$CC" -static -o nothing nothing.c 2>complaints; then
    cat complaints
    echo "skipped: no static program can be linked: there is no static libc (libc.a)"
    exit 77
fi

# Before main, in main, in a thread, in a child, and when the program ends; in every layer.
cat >program.c <<'END'
#include <dam/dam.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef OWN_FUNCTIONS /* the program's malloc stays libc's */
#define malloc dam_malloc
#define calloc dam_calloc
#define realloc dam_realloc
#define free dam_free
#endif

static const size_t sizes[] = {1, 100, 256, 300, 5000, 65536, 100000, 3000000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void use(void) {
    unsigned char *blocks[SIZE_COUNT];
    for (int i = 0; i < SIZE_COUNT; i++) {
        blocks[i] = realloc(malloc(10), sizes[i]);
        if (blocks[i] == NULL || dam_malloc_usable_size(blocks[i]) < sizes[i])
            abort();
        memset(blocks[i], i, sizes[i]);
        free(calloc(sizes[i], 2));
    }
    for (int i = 0; i < SIZE_COUNT; i++) {
        if (blocks[i][0] != i || blocks[i][sizes[i] - 1] != i)
            abort();
        free(blocks[i]);
    }
}

static void *use_in_thread(void *unused) {
    use();
    return unused;
}

__attribute__((constructor)) static void use_before_main(void) {
    use();
}

static void use_in_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        use();
        _exit(7);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
        abort();
}

int main(void) {
    pthread_t thread;
    use();
    if (pthread_create(&thread, NULL, use_in_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
        abort();
    use_in_child();
    if (atexit(use) != 0)
        abort();
    printf("dam %s\n", dam_version());
    return 0;
}
END

# runs PROGRAM FLAG...: compiled with these flags it is static, and does all that it is to do.
runs() {
    local program=$1
    shift
    "$CC" -std=gnu11 -O2 -w -fno-builtin -I "$DAM_SOURCE_DIR/include" -o "$program" program.c "$@" -pthread
    if readelf -lW "$program" | grep -F INTERP; then
        fail "$program is not static"
    fi
    "./$program" >out || fail "$program: exit status $?"
    [[ $(cat out) == "dam "* ]] || fail "$program printed: $(cat out)"
    DAM_OPTIONS=${DAM_OPTIONS:+$DAM_OPTIONS,}stats_at_exit=1 "./$program" >out 2>err || fail "$program: exit status $?"
    printf -- '- %s\n' "$program"
}

for kind in static static-pie; do
    pic=()
    if [ $kind = static-pie ]; then
        pic=(-fPIE)
    fi
    runs "libdam-$kind" "-$kind" "${pic[@]}" -DOWN_FUNCTIONS "$libdam"
    runs "libdam-malloc-$kind" "-$kind" "${pic[@]}" "$libdam_malloc"
    runs "whole-libdam-malloc-$kind" "-$kind" "${pic[@]}" -Wl,--whole-archive "$libdam_malloc" -Wl,--no-whole-archive
    grep -q '^dam: general ' err || fail "there is no summary at exit"
done
echo "static programs run on DAM"
