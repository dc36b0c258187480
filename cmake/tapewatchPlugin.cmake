# SPDX-License-Identifier: Apache-2.0
# For projects that build plugins, after find_package(tapewatch REQUIRED):
#
#   tapewatch_add_plugin(NAME FILE...)       NAME.so in the build folder, as target NAME_plugin; add libraries with
#                                            target_link_libraries(NAME_plugin PRIVATE ...)
#   tapewatch_add_plugin_test(NAME FILE...)  a program with <tapewatch/test.h> in ctest as NAME_test; it is told where the
#                                            plugin is by the macro TW_TEST_PLUGIN, and runs in the source folder
#   tapewatch_add_plugin_cases(NAME FOLDER)  the case files of a folder in ctest as NAME_cases
#   tapewatch_add_plugin_conformance(NAME [OPTIONS])
#                                            `tapewatch test-plugin` in ctest as NAME_conformance; sources and sinks need
#                                            options, as YAML

function(tapewatch_add_plugin name)
  set(target ${name}_plugin)
  add_library(${target} MODULE ${ARGN})
  target_link_libraries(${target} PRIVATE tapewatch::sdk m)
  # One symbol is seen from outside, and one that is missing is found now.
  target_compile_options(${target} PRIVATE -fvisibility=hidden -Wall -Wextra)
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic)
  if(NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  target_compile_features(${target} PRIVATE c_std_11)
  if(CMAKE_CXX_COMPILER)
    target_compile_features(${target} PRIVATE cxx_std_17)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

function(tapewatch_add_plugin_test name)
  if(NOT TARGET tapewatch::test)
    message(STATUS "${name}: no test kit here (package libtapewatch-dev), so ${name}_test is left out")
    return()
  endif()
  add_executable(${name}_test ${ARGN})
  target_link_libraries(${name}_test PRIVATE tapewatch::test tapewatch::sdk m)
  target_compile_definitions(${name}_test PRIVATE TW_TEST_PLUGIN="$<TARGET_FILE:${name}_plugin>")
  target_compile_features(${name}_test PRIVATE c_std_11)
  add_dependencies(${name}_test ${name}_plugin)
  add_test(NAME ${name}_test COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()

function(tapewatch_add_plugin_cases name folder)
  add_test(NAME ${name}_cases COMMAND ${TAPEWATCH_PROGRAM} test ${folder} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name}_cases PROPERTIES
    ENVIRONMENT "TAPEWATCH_PLUGINS=${CMAKE_CURRENT_BINARY_DIR}:${TAPEWATCH_PLUGIN_DIR}")
endfunction()

function(tapewatch_add_plugin_conformance name)
  set(command ${TAPEWATCH_PROGRAM} test-plugin $<TARGET_FILE:${name}_plugin>)
  if(ARGC GREATER 1)
    list(APPEND command --options ${ARGV1})
  endif()
  add_test(NAME ${name}_conformance COMMAND ${command} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
