# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, in two components that are the two Debian packages:
#
#   host   the program, its plugins, conf.d, the unit of systemd, man pages, completion      -> tapewatch
#   dev    headers, the test kit, templates of `tapewatch new`, pkg-config and CMake files   -> libtapewatch-dev
#
# The program finds its plugins and templates relative to itself, so a prefix can be moved. With the prefix /usr the
# configuration goes to /etc, as Debian has it.
include(CMakePackageConfigHelpers)

# Plugins lie in one folder whatever the machine is called: a program has one, and so has its plugin path.
set(TAPEWATCH_PLUGIN_DIR lib/tapewatch/plugins)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(TAPEWATCH_ETC /etc/tapewatch)
  set(TAPEWATCH_CONF_DIR /etc/tapewatch/conf.d)
else()
  set(TAPEWATCH_ETC ${CMAKE_INSTALL_SYSCONFDIR}/tapewatch)
  set(TAPEWATCH_CONF_DIR ${CMAKE_INSTALL_PREFIX}/${TAPEWATCH_ETC}/conf.d)
endif()
set(TAPEWATCH_BIN ${CMAKE_INSTALL_FULL_BINDIR}/tapewatch)
set(made ${CMAKE_BINARY_DIR}/install)

# ---- host
install(TARGETS tapewatch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT host)
install(TARGETS ${PLUGIN_TARGETS} LIBRARY DESTINATION ${TAPEWATCH_PLUGIN_DIR} COMPONENT host)
install(DIRECTORY conf.d DESTINATION ${TAPEWATCH_ETC} COMPONENT host FILES_MATCHING PATTERN "*.yaml")
install(FILES sdk/python/tapewatch.py DESTINATION ${CMAKE_INSTALL_DATADIR}/tapewatch/python COMPONENT host)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/tapewatch/examples COMPONENT host
  FILES_MATCHING PATTERN "*.yaml" PATTERN "README.md")
configure_file(packaging/tapewatch.service.in ${made}/tapewatch.service @ONLY)
install(FILES ${made}/tapewatch.service DESTINATION lib/systemd/system COMPONENT host)

# Man pages are packed when the build runs; a page about what is for developers would still be found by `man`.
find_program(GZIP_PROGRAM gzip REQUIRED)
file(GLOB man_pages CONFIGURE_DEPENDS docs/man/*.1)
foreach(page ${man_pages})
  get_filename_component(name ${page} NAME)
  set(packed ${made}/man/${name}.gz)
  add_custom_command(OUTPUT ${packed} DEPENDS ${page}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made}/man
    COMMAND ${GZIP_PROGRAM} -9nc ${page} > ${packed} VERBATIM)
  list(APPEND install_made ${packed})
  install(FILES ${packed} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT host)
endforeach()

# Completion is written by the program itself, so it knows every option there is.
foreach(shell bash zsh fish)
  set(written ${made}/completion.${shell})
  add_custom_command(OUTPUT ${written} DEPENDS tapewatch
    COMMAND tapewatch --completion ${shell} > ${written} VERBATIM)
  list(APPEND install_made ${written})
endforeach()
install(FILES ${made}/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME tapewatch COMPONENT host)
install(FILES ${made}/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
  RENAME _tapewatch COMPONENT host)
install(FILES ${made}/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  RENAME tapewatch.fish COMPONENT host)

# ---- dev
install(DIRECTORY sdk/include/tapewatch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h")
install(DIRECTORY sdk/template DESTINATION ${CMAKE_INSTALL_DATADIR}/tapewatch COMPONENT dev)
# in the build folder the program finds them at the same place relative to itself
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/tapewatch)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/sdk/template ${CMAKE_BINARY_DIR}/share/tapewatch/template SYMBOLIC)

set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapewatch)
string(REGEX REPLACE "[^/]+" ".." TAPEWATCH_PC_UP ${pkgconfig_dir})
configure_file(cmake/tapewatch.pc.in ${made}/tapewatch.pc @ONLY)
install(FILES ${made}/tapewatch.pc DESTINATION ${pkgconfig_dir} COMPONENT dev)
configure_package_config_file(cmake/tapewatchConfig.cmake.in ${made}/tapewatchConfig.cmake
  INSTALL_DESTINATION ${cmake_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR TAPEWATCH_PLUGIN_DIR)
# Plugins link to nothing of ours, so what they need is the header's word: the same major, and no newer minor.
write_basic_package_version_file(${made}/tapewatchConfigVersion.cmake COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${made}/tapewatchConfig.cmake ${made}/tapewatchConfigVersion.cmake cmake/tapewatchPlugin.cmake
  DESTINATION ${cmake_dir} COMPONENT dev)

# The test kit lies in a folder of its own, since its name has no version: it is built with the headers beside it and
# linked by tests only, which find it by their rpath. tapewatchTest.cmake declares it as tapewatch::test.
if(TARGET tapewatch-test)
  set(TAPEWATCH_TEST_DIR ${CMAKE_INSTALL_LIBDIR}/tapewatch)
  set_target_properties(tapewatch-test PROPERTIES EXPORT_NAME test)
  install(TARGETS tapewatch-test EXPORT tapewatchTest LIBRARY DESTINATION ${TAPEWATCH_TEST_DIR} COMPONENT dev
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT tapewatchTest NAMESPACE tapewatch:: DESTINATION ${cmake_dir} COMPONENT dev)
  configure_file(cmake/tapewatch-test.pc.in ${made}/tapewatch-test.pc @ONLY)
  install(FILES ${made}/tapewatch-test.pc DESTINATION ${pkgconfig_dir} COMPONENT dev)
endif()

add_custom_target(install_files ALL DEPENDS ${install_made})
include(cmake/package.cmake)
