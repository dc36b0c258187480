# SPDX-License-Identifier: Apache-2.0
# The Debian packages, by CPack: `./dev package`, or `cpack` in a build folder that was configured with
# -DCMAKE_INSTALL_PREFIX=/usr. Paths of the maintainer scripts and of the unit are those of that prefix.
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  return()
endif()

set(deb ${made}/debian)
configure_file(packaging/debian/changelog.in ${deb}/changelog @ONLY)
add_custom_command(OUTPUT ${deb}/changelog.gz DEPENDS ${deb}/changelog
  COMMAND ${GZIP_PROGRAM} -9nc ${deb}/changelog > ${deb}/changelog.gz VERBATIM)
add_custom_target(debian_files ALL DEPENDS ${deb}/changelog.gz)
install(FILES ${deb}/changelog.gz packaging/debian/copyright DESTINATION share/doc/tapewatch COMPONENT host)
install(FILES ${deb}/changelog.gz packaging/debian/copyright DESTINATION share/doc/libtapewatch-dev COMPONENT dev)

# every file of conf.d is the administrator's from then on
file(GLOB configurations CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} conf.d/*.yaml)
list(TRANSFORM configurations PREPEND /etc/tapewatch/)
list(JOIN configurations "\n" conffiles)
file(WRITE ${deb}/conffiles "${conffiles}\n")
foreach(script postinst prerm postrm)
  configure_file(packaging/debian/${script} ${deb}/${script} COPYONLY)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL host dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # for what goes to /etc
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "the tapewatch authors <tapewatch@example.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HOST_PACKAGE_NAME tapewatch)
set(CPACK_DEBIAN_HOST_PACKAGE_SECTION net)
set(CPACK_DEBIAN_HOST_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_HOST_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54~), tzdata")
set(CPACK_DEBIAN_HOST_PACKAGE_SUGGESTS "libtapewatch-dev")
set(CPACK_DEBIAN_HOST_PACKAGE_CONTROL_EXTRA "${deb}/conffiles;${deb}/postinst;${deb}/prerm;${deb}/postrm")
set(CPACK_COMPONENT_HOST_DESCRIPTION "plugin host for trade surveillance on event streams
tapewatch reads market and account events through source plugins, gives them
one order, records them, shows them to detector plugins, and delivers what
these say through sink plugins. What runs is said in YAML files.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtapewatch-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "tapewatch (= ${PROJECT_VERSION})")
if(TARGET tapewatch-test)
  set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS ON)
endif()
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "cmake, gcc | c-compiler, pkg-config")
set(CPACK_COMPONENT_DEV_DESCRIPTION "headers, test kit and templates for plugins of tapewatch
What is needed to write a source, a detector or a sink: the headers, the
library that tests them, files for CMake and pkg-config, and the templates
of the command 'tapewatch new'.")
include(CPack)
