# SPDX-License-Identifier: MIT
# DamLibraries.cmake: four libraries from one set of objects.
#
#     dam-core      every rung from base to front       \  libdam.so, libdam.a        \
#     dam-inspect   src/inspect: verify, statistics     /                              |  libdam-malloc.so,
#     dam-shim      src/shim: malloc, free ...                                         /  libdam-malloc.a
#
# The core links without dam-inspect: lint.core_alone shows it.

include_guard(GLOBAL)

# By rung, from below (src/README.md); src/base is headers alone. lint.ladder finds files that are not listed.
set(DAM_CORE_SOURCES
    src/os/lock.c src/os/os_linux.c src/os/os_proc.c src/os/os_signal.c
    src/guard/fault.c src/guard/freed_lately.c src/guard/message.c src/guard/secret.c src/guard/stack_trace.c
    src/options/options.c
    src/region/mapping.c src/region/metadata.c src/region/region.c
    src/pool/pool.c src/pool/pool_map.c src/pool/pool_resize.c src/pool/shared_pools.c
    src/small/size_classes.c src/small/small.c
    src/general/free_index.c src/general/general.c src/general/general_blocks.c src/general/general_fault.c
    src/general/general_slack.c src/general/general_verify.c
    src/direct/direct.c src/direct/direct_fault.c
    src/heap/first_class.c src/heap/fork.c src/heap/heap.c src/heap/thread.c
    src/protect/protect.c src/protect/quarantine.c src/protect/sampled.c src/protect/stacks.c src/protect/tail.c
    src/protect/trap.c
    src/front/alloc.c src/front/api.c src/front/resize.c)
set(DAM_INSPECT_SOURCES src/inspect/statistics.c src/inspect/verify.c)
set(DAM_SHIM_SOURCES src/shim/libc.c src/shim/libc_figures.c)

function(dam_add_objects target)
    add_library(${target} OBJECT ${ARGN})
    dam_set_library_flags(${target})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR}/src)
endfunction()

# dam_add_library(target SHARED|STATIC output-name objects...)
function(dam_add_library target kind output_name)
    set(objects "")
    foreach(group IN LISTS ARGN)
        list(APPEND objects $<TARGET_OBJECTS:${group}>)
    endforeach()
    add_library(${target} ${kind} ${objects})
    add_library(dam::${target} ALIAS ${target})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${output_name} LINKER_LANGUAGE C
        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PRIVATE Threads::Threads) # part of libc since glibc 2.34, and in musl
    if(kind STREQUAL "STATIC")
        # The option stats_at_exit is served by a destructor beside this function, which nobody calls by name: without
        # a request for it the linker would leave it in the archive.
        target_link_options(${target} INTERFACE "LINKER:--undefined=dam_statistics_print")
    else()
        dam_set_shared_link_flags(${target} ${CMAKE_CURRENT_SOURCE_DIR}/src/lib${output_name}.map)
    endif()
endfunction()

dam_add_objects(dam-core ${DAM_CORE_SOURCES})
dam_add_objects(dam-inspect ${DAM_INSPECT_SOURCES})
dam_add_library(dam SHARED dam dam-core dam-inspect)
dam_add_library(dam_static STATIC dam dam-core dam-inspect)
set(DAM_LIBRARIES dam dam_static)

# A sanitizer brings a malloc of its own; the two cannot both be the process's malloc.
if(NOT DAM_SANITIZE)
    dam_add_objects(dam-shim ${DAM_SHIM_SOURCES})
    dam_add_library(dam-malloc SHARED dam-malloc dam-core dam-inspect dam-shim)
    dam_add_library(dam-malloc_static STATIC dam-malloc dam-core dam-inspect dam-shim)
    list(APPEND DAM_LIBRARIES dam-malloc dam-malloc_static)
    # An archive gives a program only what it asks for by name. One that has DAM's free must have all of the family,
    # even the members that only some shared library calls, so the linker is made to ask for each.
    foreach(function malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc pvalloc
                     malloc_usable_size free_sized free_aligned_sized malloc_trim mallinfo mallinfo2 malloc_stats
                     malloc_info mallopt)
        target_link_options(dam-malloc_static INTERFACE "LINKER:--undefined=${function}")
    endforeach()
endif()
