# Language level, warnings, sanitizers and instruction-set baseline for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if((CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12) OR
   (CMAKE_CXX_COMPILER_ID STREQUAL Clang AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14))
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, "
    "needed is GCC 12 or Clang 14, or newer")
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(EDT_TESTS "Build the tests" ON)
option(EDT_UNITY "Compile the files of a folder together: half the CPU time of a whole build" ON)
set(EDT_UNITY_BATCH 8 CACHE STRING "How many files of a folder are compiled together; 0: all, for the least CPU time and 1.4 GB a job")
option(EDT_WERROR "Treat compiler warnings as errors" OFF)
set(EDT_SANITIZE "" CACHE STRING "Sanitizers to compile in, e.g. address;undefined or thread")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(EDT_CCACHE ccache)
if(EDT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EDT_CCACHE})
endif()

add_library(edt_flags INTERFACE)
target_include_directories(edt_flags INTERFACE ${PROJECT_SOURCE_DIR})
# nvcc passes its own dialect of C++ to the host compiler: options below are for C and C++ alone.
set(host_languages "$<COMPILE_LANGUAGE:C,CXX>")
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers)  # designated initializers leave the rest at their defaults
if(EDT_WERROR)
  list(APPEND warnings -Werror)
endif()
target_compile_options(edt_flags INTERFACE "$<${host_languages}:${warnings}>")

# Files are named from the root of the tree on, so that objects do not depend on where it lies: one clone takes those of
# another from the compiler's cache.
target_compile_options(edt_flags INTERFACE "$<${host_languages}:-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=>")

# The x86-64 baseline is AVX2 (x86-64-v3). Wider units are chosen at run time by Highway and oneDNN.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  target_compile_options(edt_flags INTERFACE "$<${host_languages}:-march=x86-64-v3>")
endif()

foreach(sanitizer IN LISTS EDT_SANITIZE)
  target_compile_options(edt_flags INTERFACE
    "$<${host_languages}:-fsanitize=${sanitizer};-fno-omit-frame-pointer>")
  target_link_options(edt_flags INTERFACE -fsanitize=${sanitizer})
endforeach()
# Undefined behaviour ends a program, as a bad address does: a line in a log fails no test.
if("undefined" IN_LIST EDT_SANITIZE)
  target_compile_options(edt_flags INTERFACE "$<${host_languages}:-fno-sanitize-recover=undefined>")
endif()
