// SPDX-License-Identifier: MIT
/* thread_self.h: the library's only thread-local variable.
 *
 * One pointer, initial-exec, so that the library can be loaded with dlopen and reading it costs two instructions and
 * never allocates. Its value is the thread's heap (heap/thread.c defines it and gives it its values); its address,
 * which no other living thread shares, is the thread's identity. */
#ifndef DAM_BASE_THREAD_SELF_H
#define DAM_BASE_THREAD_SELF_H

struct heap;

extern _Thread_local struct heap *dam_thread_heap __attribute__((tls_model("initial-exec"), visibility("hidden")));

#endif
