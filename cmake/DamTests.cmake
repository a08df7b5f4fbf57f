# SPDX-License-Identifier: MIT
# DamTests.cmake: how a test of DAM is declared.
#
# Every function here registers each test twice: as `name`, and as `name.pow2` (label `pow2`), which runs the same
# thing with DAM_OPTIONS=size_classes=pow2. When ENV holds a DAM_OPTIONS=... of its own, the pow2 run appends to it. With
# PROFILES also under guard=tail, guard=full and sample_every (below).
#
#   dam_add_unit_test(NAME name SOURCES file... [options])
#       A C (or C++) executable linked with the static libdam and with cmocka; it may include any header of src/
#       ("small/small.h") and "dam/dam.h". Label `unit`.
#
#         WRAP symbol...        each becomes -Wl,--wrap=symbol: the test defines __wrap_symbol and may call
#                               __real_symbol. Works on calls from another file than the one that defines the function.
#         LIBRARIES item...     more to link (pthread is always there), e.g. a support library of tests/support
#         DEFINES NAME=VALUE... preprocessor definitions
#         COMPILE_OPTIONS opt...
#         ARGS argument...      command line of the test; several tests of one executable: see dam_add_test_run
#         NO_CMOCKA             plain main() with an exit status instead of cmocka
#         NO_MAIN_TEST          builds the executable, registers no test: dam_add_test_run registers them
#         VALGRIND              as dam_also_under_valgrind(name)
#       and the common options below.
#
#   dam_also_under_valgrind(name...)
#       In a build with DAM_VALGRIND=ON, registers for each of these unit tests (without ARGS or ENV) `name.valgrind`
#       (label `valgrind`): an access outside of what is mapped, or a decision on bytes never written, fails it.
#
#   dam_add_preload_test(NAME name SOURCES file... [LINKED] [LIBRARIES ...] [DEFINES ...] [COMPILE_OPTIONS ...]
#                        [ARGS ...])
#       A plain program that knows nothing of DAM (compiled with -fno-builtin, so that the compiler keeps each malloc),
#       run with LD_PRELOAD=libdam-malloc.so. Label `preload`. With LINKED also `name.linked` and `name.linked.pow2`
#       (label `linked`): the same source linked with the static libdam-malloc.a. Passes when it exits with 0.
#
#   dam_add_script_test(NAME name SCRIPT path [ARGS ...])
#       Runs `bash path args...` (or `python3 path args...` for *.py) in an own, empty scratch directory (the current
#       directory of the script; emptied before each run, one for each variant). Label `script`. Environment:
#         DAM_SOURCE_DIR  root of the sources          DAM_BUILD_DIR  root of the build
#         DAM_PRELOAD     full path of libdam-malloc.so DAM_COMMAND   full path of the `dam` command
#         DAM_LIBRARY     full path of libdam.so       DAM_OPTIONS    only in the .pow2 run (or from ENV)
#       Exit status 77 means "skipped": the script must first print, on one line, what is missing.
#       Also here: NO_POW2 "reason" for the few scripts to which the option makes no difference (a lint).
#
#   dam_add_test_program(NAME name SOURCES file... [LINK static|shared|malloc_static|none] [LIBRARIES ...] [DEFINES ...]
#                        [COMPILE_OPTIONS ...])
#       Builds a program and registers nothing: something for a script to run. Its path is $<TARGET_FILE:name>, which
#       may stand in ARGS and ENV of any function here. LINK: `static` libdam.a (default; private headers visible),
#       `shared` libdam.so, `malloc_static` libdam-malloc.a, `none` nothing of DAM.
#
#   dam_add_test_run(NAME name TARGET executable-name [ARGS ...])
#       One more test that runs an executable made by dam_add_unit_test (TARGET is that test's NAME) or by
#       dam_add_test_program; in asan and tsan builds only when the executable exists there.
#
# Common options of all that register tests:
#         LABELS label...       more labels. In use: programs (runs real programs of the system), torture, process,
#                               faults, install, lint, model
#         ENV NAME=VALUE...     environment of the test
#         THREADED              label `threads`: the test has threads; a ThreadSanitizer build holds only these
#         TIMEOUT seconds       default 300; a guard against hangs, not a measure: be generous, machines are noisy
#         SERIAL                never runs beside another test (large memory, limits of the whole machine)
#         NOT_SANITIZED "why"   not in asan and tsan builds, because ... (e.g. RLIMIT_AS against the shadow memory)
#         PROFILES              also as `name.tail`, `name.full` and `name.sampled` (labels tail, full and sampled): the same
#                               thing with DAM_OPTIONS=guard=tail, guard=full and sample_every=100 (of a LINKED test, only
#                               what is preloaded)
#         NOT_TAIL "why", NOT_FULL "why", NOT_SAMPLED "why"
#                               not that one of them, because ...
#         PROFILE_ENV NAME=VALUE...
#                               environment of these three alone: fewer rounds, say
#         ALSO_SANITIZED        script tests and dam_add_test_run of a `none` program: also in asan builds (default no,
#                               since there is no libdam-malloc in such a build)
#
# The `dam` command is made by tools/dam/CMakeLists.txt as target `dam-command` (its file is called dam). It and the
# libraries are built into <build>/bin and <build>/lib, as they are installed. dam_set_flags(target) (DamFlags.cmake)
# puts the project's language level and warnings on any other target.
#
# What is not here: the flags of the compiler (DamFlags.cmake), the libraries themselves (DamLibraries.cmake).

include_guard(GLOBAL)

find_program(DAM_BASH bash REQUIRED)
if(DAM_VALGRIND)
    find_program(DAM_VALGRIND_COMMAND valgrind REQUIRED)
endif()

# A test that this build does not hold says so, once, when the build is configured.
function(dam_leave_out name reason)
    message(STATUS "not in this build: test ${name}: ${reason}")
endfunction()

# Sets `out` to the reason why a test with these traits has no place in this build, or to "".
function(dam_reason_against out threaded not_sanitized needs_malloc_library)
    set(reason "")
    if(DAM_SANITIZE STREQUAL "thread" AND NOT threaded)
        set(reason "ThreadSanitizer runs the threaded tests alone")
    elseif(DAM_SANITIZE AND needs_malloc_library)
        set(reason "a sanitizer brings its own malloc, so libdam-malloc is not built beside it")
    elseif(DAM_SANITIZE AND NOT not_sanitized STREQUAL "")
        set(reason "${not_sanitized}")
    endif()
    set(${out} "${reason}" PARENT_SCOPE)
endfunction()

# One registration: dam_register(name "labels" "env" timeout serial command...).
function(dam_register name labels env timeout serial)
    add_test(NAME ${name} COMMAND ${ARGN} COMMAND_EXPAND_LISTS)
    if(NOT timeout)
        set(timeout 300)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" ENVIRONMENT "${env}" TIMEOUT ${timeout}
                                            SKIP_RETURN_CODE 77)
    if(serial)
        set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
    endif()
    if(DAM_SANITIZE)
        # Findings of UBSan end the test; ASan must not take what DAM gives back late for a leak of the program's.
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
            "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1" "ASAN_OPTIONS=allocator_may_return_null=1"
            "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
    endif()
endfunction()

# The same as name.variant, with options added to DAM_OPTIONS.
function(dam_register_variant variant options name labels env timeout serial)
    set(variant_env "")
    foreach(entry IN LISTS env)
        if(entry MATCHES "^DAM_OPTIONS=(.+)$")
            set(options "${CMAKE_MATCH_1},${options}")
        elseif(NOT entry STREQUAL "DAM_OPTIONS=")
            list(APPEND variant_env "${entry}")
        endif()
    endforeach()
    list(APPEND variant_env "DAM_OPTIONS=${options}")
    dam_register("${name}.${variant}" "${labels};${variant}" "${variant_env}" "${timeout}" "${serial}" ${ARGN})
endfunction()

# The test with its twin under size_classes=pow2.
function(dam_register_both name labels env timeout serial)
    dam_register("${name}" "${labels}" "${env}" "${timeout}" "${serial}" ${ARGN})
    dam_register_variant(pow2 size_classes=pow2 "${name}" "${labels}" "${env}" "${timeout}" "${serial}" ${ARGN})
endfunction()

# Those of the profiles' variants that the caller's options (ARG_PROFILES and so on) ask for.
function(dam_register_profiles name labels env timeout serial)
    if(NOT ARG_PROFILES)
        if(ARG_NOT_TAIL OR ARG_NOT_FULL OR ARG_NOT_SAMPLED OR ARG_PROFILE_ENV)
            message(FATAL_ERROR "${name}: what is said of its profiles needs PROFILES")
        endif()
        return()
    endif()
    set(options_of_tail guard=tail)
    set(options_of_full guard=full)
    set(options_of_sampled sample_every=100)
    foreach(profile tail full sampled)
        string(TOUPPER ${profile} upper)
        if(ARG_NOT_${upper})
            dam_leave_out("${name}.${profile}" "${ARG_NOT_${upper}}")
        else()
            dam_register_variant(${profile} ${options_of_${profile}} "${name}" "${labels}" "${env};${ARG_PROFILE_ENV}"
                                 "${timeout}" "${serial}" ${ARGN})
        endif()
    endforeach()
endfunction()

# Stops on a misspelt option instead of ignoring it.
macro(dam_check_arguments function)
    if(ARG_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "${function}(${ARG_NAME}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT ARG_NAME)
        message(FATAL_ERROR "${function}: NAME is missing")
    endif()
endmacro()

# The executable behind a test.
function(dam_test_executable target link sources libraries defines compile_options)
    add_executable(${target} ${sources})
    dam_set_flags(${target})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${DAM_SOURCE_ROOT}/tests)
    target_compile_definitions(${target} PRIVATE ${defines})
    target_link_libraries(${target} PRIVATE ${libraries} Threads::Threads)
    if(link STREQUAL "static")
        target_link_libraries(${target} PRIVATE dam_static)
        target_include_directories(${target} PRIVATE ${DAM_SOURCE_ROOT}/src)
    elseif(link STREQUAL "shared")
        target_link_libraries(${target} PRIVATE dam)
    elseif(link STREQUAL "malloc_static")
        target_link_libraries(${target} PRIVATE dam-malloc_static)
        target_compile_options(${target} PRIVATE -fno-builtin)
    elseif(link STREQUAL "none")
        target_compile_options(${target} PRIVATE -fno-builtin)
    else()
        message(FATAL_ERROR "${target}: LINK must be static, shared, malloc_static or none, not ${link}")
    endif()
    target_compile_options(${target} PRIVATE ${compile_options})
endfunction()

set(DAM_COMMON_FLAGS THREADED SERIAL ALSO_SANITIZED PROFILES)
set(DAM_COMMON_SINGLE NAME TIMEOUT NOT_SANITIZED NOT_TAIL NOT_FULL NOT_SAMPLED)
set(DAM_COMMON_MULTI LABELS ENV ARGS PROFILE_ENV)

# Labels that follow from the options.
macro(dam_collect_labels kind)
    set(labels ${kind} ${ARG_LABELS})
    if(ARG_THREADED)
        list(APPEND labels threads)
    endif()
endmacro()

function(dam_add_unit_test)
    cmake_parse_arguments(ARG "${DAM_COMMON_FLAGS};NO_CMOCKA;NO_MAIN_TEST;VALGRIND" "${DAM_COMMON_SINGLE}"
        "${DAM_COMMON_MULTI};SOURCES;WRAP;LIBRARIES;DEFINES;COMPILE_OPTIONS" ${ARGN})
    dam_check_arguments(dam_add_unit_test)
    dam_reason_against(reason "${ARG_THREADED}" "${ARG_NOT_SANITIZED}" FALSE)
    if(reason)
        dam_leave_out("${ARG_NAME}" "${reason}")
        return()
    endif()
    if(NOT ARG_NO_CMOCKA)
        list(APPEND ARG_LIBRARIES ${DAM_CMOCKA})
    endif()
    dam_test_executable(${ARG_NAME} static "${ARG_SOURCES}" "${ARG_LIBRARIES}" "${ARG_DEFINES}"
                        "${ARG_COMPILE_OPTIONS}")
    foreach(symbol IN LISTS ARG_WRAP)
        target_link_options(${ARG_NAME} PRIVATE "LINKER:--wrap=${symbol}")
    endforeach()
    if(ARG_NO_MAIN_TEST)
        return()
    endif()
    dam_collect_labels(unit)
    dam_register_both("${ARG_NAME}" "${labels}" "${ARG_ENV}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                      $<TARGET_FILE:${ARG_NAME}> ${ARG_ARGS})
    dam_register_profiles("${ARG_NAME}" "${labels}" "${ARG_ENV}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                          $<TARGET_FILE:${ARG_NAME}> ${ARG_ARGS})
    if(ARG_VALGRIND)
        dam_also_under_valgrind(${ARG_NAME})
    endif()
endfunction()

function(dam_also_under_valgrind)
    if(DAM_SANITIZE OR NOT DAM_VALGRIND)
        return()
    endif()
    foreach(name IN LISTS ARGN)
        dam_register(${name}.valgrind valgrind "" 1500 FALSE ${DAM_VALGRIND_COMMAND} --quiet
                     --error-exitcode=99 $<TARGET_FILE:${name}>)
    endforeach()
endfunction()

function(dam_add_preload_test)
    cmake_parse_arguments(ARG "${DAM_COMMON_FLAGS};LINKED" "${DAM_COMMON_SINGLE}"
        "${DAM_COMMON_MULTI};SOURCES;LIBRARIES;DEFINES;COMPILE_OPTIONS" ${ARGN})
    dam_check_arguments(dam_add_preload_test)
    dam_reason_against(reason "${ARG_THREADED}" "${ARG_NOT_SANITIZED}" TRUE)
    if(reason)
        dam_leave_out("${ARG_NAME}" "${reason}")
        return()
    endif()
    dam_test_executable(${ARG_NAME} none "${ARG_SOURCES}" "${ARG_LIBRARIES}" "${ARG_DEFINES}"
                        "${ARG_COMPILE_OPTIONS}")
    add_dependencies(${ARG_NAME} dam-malloc)
    dam_collect_labels(preload)
    set(preload_env ${ARG_ENV} "LD_PRELOAD=$<TARGET_FILE:dam-malloc>")
    dam_register_both("${ARG_NAME}" "${labels}" "${preload_env}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                      $<TARGET_FILE:${ARG_NAME}> ${ARG_ARGS})
    dam_register_profiles("${ARG_NAME}" "${labels}" "${preload_env}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                          $<TARGET_FILE:${ARG_NAME}> ${ARG_ARGS})
    if(ARG_LINKED)
        dam_test_executable(${ARG_NAME}.linked malloc_static "${ARG_SOURCES}" "${ARG_LIBRARIES}" "${ARG_DEFINES}"
                            "${ARG_COMPILE_OPTIONS}")
        dam_collect_labels(linked)
        dam_register_both("${ARG_NAME}.linked" "${labels}" "${ARG_ENV}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                          $<TARGET_FILE:${ARG_NAME}.linked> ${ARG_ARGS})
    endif()
endfunction()

function(dam_add_script_test)
    cmake_parse_arguments(ARG "${DAM_COMMON_FLAGS}" "${DAM_COMMON_SINGLE};SCRIPT;NO_POW2" "${DAM_COMMON_MULTI}" ${ARGN})
    dam_check_arguments(dam_add_script_test)
    if(ARG_ALSO_SANITIZED)
        set(needs_malloc_library FALSE)
    else()
        set(needs_malloc_library TRUE)
    endif()
    dam_reason_against(reason "${ARG_THREADED}" "${ARG_NOT_SANITIZED}" "${needs_malloc_library}")
    if(reason)
        dam_leave_out("${ARG_NAME}" "${reason}")
        return()
    endif()
    get_filename_component(script "${ARG_SCRIPT}" ABSOLUTE)
    if(NOT EXISTS "${script}")
        message(FATAL_ERROR "dam_add_script_test(${ARG_NAME}): there is no ${script}")
    endif()
    if(script MATCHES "\\.py$")
        find_program(DAM_PYTHON python3 REQUIRED)
        set(command "${DAM_PYTHON}" "${script}" ${ARG_ARGS})
    else()
        set(command "${DAM_BASH}" "${script}" ${ARG_ARGS})
    endif()
    set(env ${ARG_ENV} "DAM_SOURCE_DIR=${DAM_SOURCE_ROOT}" "DAM_BUILD_DIR=${DAM_BUILD_ROOT}"
            "DAM_LIBRARY=$<TARGET_FILE:dam>")
    if(TARGET dam-malloc)
        list(APPEND env "DAM_PRELOAD=$<TARGET_FILE:dam-malloc>")
    endif()
    if(TARGET dam-command)
        list(APPEND env "DAM_COMMAND=$<TARGET_FILE:dam-command>")
    endif()
    dam_collect_labels(script)
    set(scratch "${CMAKE_CURRENT_BINARY_DIR}/scratch/${ARG_NAME}")
    set(in_scratch "${DAM_BASH}" "${DAM_SOURCE_ROOT}/cmake/in-scratch")
    if(ARG_NO_POW2)
        dam_register("${ARG_NAME}" "${labels}" "${env}" "${ARG_TIMEOUT}" "${ARG_SERIAL}" ${in_scratch} "${scratch}"
                     ${command})
    else()
        dam_register_both("${ARG_NAME}" "${labels}" "${env}" "${ARG_TIMEOUT}" "${ARG_SERIAL}" ${in_scratch} "${scratch}"
                          ${command})
    endif()
    dam_register_profiles("${ARG_NAME}" "${labels}" "${env}" "${ARG_TIMEOUT}" "${ARG_SERIAL}" ${in_scratch}
                          "${scratch}" ${command})
endfunction()

function(dam_add_test_program)
    cmake_parse_arguments(ARG "" "NAME;LINK" "SOURCES;LIBRARIES;DEFINES;COMPILE_OPTIONS" ${ARGN})
    dam_check_arguments(dam_add_test_program)
    if(NOT ARG_LINK)
        set(ARG_LINK static)
    endif()
    if(ARG_LINK STREQUAL "malloc_static" AND DAM_SANITIZE)
        return() # no libdam-malloc beside a sanitizer; what runs the program is left out too, and says so
    endif()
    dam_test_executable(${ARG_NAME} ${ARG_LINK} "${ARG_SOURCES}" "${ARG_LIBRARIES}" "${ARG_DEFINES}"
                        "${ARG_COMPILE_OPTIONS}")
    set_property(TARGET ${ARG_NAME} PROPERTY DAM_LINK ${ARG_LINK})
endfunction()

function(dam_add_test_run)
    cmake_parse_arguments(ARG "${DAM_COMMON_FLAGS}" "${DAM_COMMON_SINGLE};TARGET" "${DAM_COMMON_MULTI}" ${ARGN})
    dam_check_arguments(dam_add_test_run)
    set(needs_malloc_library FALSE)
    if(TARGET ${ARG_TARGET})
        get_target_property(link ${ARG_TARGET} DAM_LINK)
        if(link STREQUAL "none" AND NOT ARG_ALSO_SANITIZED)
            set(needs_malloc_library TRUE)
        endif()
    elseif(DAM_SANITIZE)
        dam_leave_out("${ARG_NAME}" "its executable ${ARG_TARGET} is not in this build")
        return()
    endif()
    dam_reason_against(reason "${ARG_THREADED}" "${ARG_NOT_SANITIZED}" "${needs_malloc_library}")
    if(reason)
        dam_leave_out("${ARG_NAME}" "${reason}")
        return()
    endif()
    dam_collect_labels(unit)
    dam_register_both("${ARG_NAME}" "${labels}" "${ARG_ENV}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                      $<TARGET_FILE:${ARG_TARGET}> ${ARG_ARGS})
    dam_register_profiles("${ARG_NAME}" "${labels}" "${ARG_ENV}" "${ARG_TIMEOUT}" "${ARG_SERIAL}"
                          $<TARGET_FILE:${ARG_TARGET}> ${ARG_ARGS})
endfunction()
