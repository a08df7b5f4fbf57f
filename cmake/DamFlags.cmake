# SPDX-License-Identifier: MIT
# DamFlags.cmake: what every target of the project is compiled with, and what the libraries are compiled with besides.
#
#   dam_set_flags(target)            language level, warnings, sanitizers: everything of the project
#   dam_set_library_flags(target)    the above and what an allocator's own objects need
#   dam_set_shared_link_flags(target map-file)
#
# What is not here: optimisation, which is CMAKE_BUILD_TYPE's (set in the root CMakeLists.txt).

include_guard(GLOBAL)

set(DAM_WARNINGS -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wpointer-arith -Wcast-qual -Wcast-align
                 -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wnull-dereference -Wimplicit-fallthrough)
# -Wswitch (in -Wall) flags a `switch` over the layers that misses one; -Wswitch-enum is left out on purpose, since it
# would forbid a `default:` where one is meant.
set(DAM_WARNINGS_C -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition)

# Instrumentation hides from the compiler which values a variable can have, and makes paths that the program has not;
# these two then warn of what cannot happen. The other builds have them.
if(DAM_SANITIZE)
    list(REMOVE_ITEM DAM_WARNINGS -Wnull-dereference -Wconversion)
endif()

set(DAM_SANITIZE_FLAGS "")
if(DAM_SANITIZE)
    # Not alignment: free looks for a header in front of whatever address it is given, and says so if there is none. The
    # machines that DAM is for load words from any address.
    set(DAM_SANITIZE_FLAGS -fsanitize=${DAM_SANITIZE} -fno-sanitize=alignment -fno-sanitize-recover=all
                           -fno-omit-frame-pointer)
endif()

function(dam_set_flags target)
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
                                               CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS ON)
    target_compile_options(${target} PRIVATE ${DAM_WARNINGS} "$<$<COMPILE_LANGUAGE:C>:${DAM_WARNINGS_C}>"
                                             ${DAM_SANITIZE_FLAGS})
    # DAM_ASSERTIONS on tests too: they include private headers, and a struct must look the same on both sides.
    target_compile_definitions(${target} PRIVATE DAM_ASSERTIONS=$<BOOL:${DAM_ASSERTIONS}>)
    if(DAM_DESCRIBE_TO)
        string(TOUPPER ${DAM_DESCRIBE_TO} tool)
        target_compile_definitions(${target} PRIVATE DAM_DESCRIBE=DAM_DESCRIBE_TO_${tool})
    endif()
    # Empty, as `#define _GNU_SOURCE` in a file has it, so that the two agree; C++ compilers define it themselves.
    target_compile_definitions(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
    if(DAM_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "OBJECT_LIBRARY" AND NOT type STREQUAL "STATIC_LIBRARY")
        target_link_options(${target} PRIVATE ${DAM_SANITIZE_FLAGS})
    endif()
endfunction()

function(dam_set_library_flags target)
    dam_set_flags(${target})
    # One set of objects serves the shared and the static libraries, so all of it is position-independent.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_compile_options(${target} PRIVATE
        -fno-semantic-interposition # calls between our files are direct and may be inlined
        -ftls-model=initial-exec    # one load from %fs; a dynamic model would call malloc to make its block
        -fno-plt                    # libc through the GOT, bound at load time: no lazy binding inside malloc
        # The compiler knows malloc, and would for instance turn malloc+memset, as calloc is written, into a call of
        # calloc; these names mean nothing special where they are defined.
        -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
        -fno-builtin-aligned_alloc -fno-builtin-posix_memalign -fno-builtin-memalign -fno-builtin-valloc
        -fno-builtin-pvalloc -fno-builtin-reallocarray -fno-builtin-malloc_usable_size)
endfunction()

function(dam_set_shared_link_flags target map_file)
    target_link_options(${target} PRIVATE
        "LINKER:--version-script=${map_file}"
        "LINKER:--defsym=dam_is_shared_library=1" # asked for in src/heap/thread.c
        "LINKER:-Bsymbolic"   # our own references to our own functions are never interposed
        "LINKER:-z,defs"      # nothing undefined but what libc has
        "LINKER:-z,now" "LINKER:-z,relro"
        "LINKER:-z,nodelete"  # blocks, and the destructor of the thread key, outlive any dlclose
        "LINKER:--as-needed"
        -static-libgcc        # the unwinder (guard/stack_trace.c) comes along: libc is all that is loaded
        ${DAM_SANITIZE_FLAGS})
    if(DAM_SANITIZE OR DAM_DESCRIBE_TO STREQUAL "asan")
        # The sanitizer's runtime is in the executable, so its functions are undefined in a shared library.
        target_link_options(${target} PRIVATE "LINKER:-z,undefs")
    endif()
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map_file})
endfunction()
