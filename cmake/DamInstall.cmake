# SPDX-License-Identifier: MIT
# DamInstall.cmake: headers, libraries, the command, and the two ways to find them: find_package(dam) and pkg-config.
# tests/install builds outside projects against the installed tree both ways.

include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dam)
install(TARGETS ${DAM_LIBRARIES} EXPORT damTargets)
install(FILES include/dam/dam.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dam)
install(EXPORT damTargets NAMESPACE dam:: DESTINATION ${cmake_dir})
if(TARGET dam-command)
    install(TARGETS dam-command)
endif()

configure_package_config_file(cmake/damConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/damConfig.cmake
                              INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/damConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/damConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/damConfigVersion.cmake
        DESTINATION ${cmake_dir})

# The .pc files name their prefix relative to themselves, so that an installed tree can be moved.
file(RELATIVE_PATH DAM_PREFIX_FROM_PC "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" DAM_PREFIX_FROM_PC "${DAM_PREFIX_FROM_PC}")
foreach(package dam dam-malloc)
    configure_file(cmake/${package}.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${package}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
