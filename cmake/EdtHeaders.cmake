# Headers of others that most files include, read by the compiler once instead of in each unit (EDT_PCH). A compiler's
# cache does not take an object of one clone for another then: the precompiled headers of no two builds are alike.
option(EDT_PCH "Precompile the headers of libraries: less CPU time in all where nothing comes from a compiler's cache"
  ${EDT_WITHOUT_CACHE})

# edt_precompiled_headers(NAME [OPTIONS option...] [DEPENDS target...] HEADERS <header>...)
function(edt_precompiled_headers name)
  cmake_parse_arguments(ARG "" "" "OPTIONS;DEPENDS;HEADERS" ${ARGN})
  set(empty ${PROJECT_BINARY_DIR}/generated/${name}.cpp)
  file(GENERATE OUTPUT ${empty} CONTENT "")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${empty})
  target_link_libraries(${name} PRIVATE edt_flags ${ARG_DEPENDS})
  target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# edt_precompile(TARGET NAME): the target's files begin with those headers.
function(edt_precompile target name)
  if(EDT_PCH)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

set(standard <algorithm> <array> <atomic> <chrono> <cmath> <filesystem> <fstream> <functional> <map> <memory> <mutex>
  <numeric> <optional> <set> <span> <sstream> <string> <string_view> <thread> <utility> <variant> <vector>)
if(EDT_PCH)
  edt_precompiled_headers(edt_headers DEPENDS fmt::fmt HEADERS ${standard} <fmt/format.h> <nlohmann/json.hpp>)
endif()
if(EDT_PCH AND EDT_TESTS)
  edt_precompiled_headers(edt_test_headers OPTIONS ${EDT_TEST_OPTIONS} DEPENDS fmt::fmt GTest::gmock
    HEADERS ${standard} <fmt/format.h> <nlohmann/json.hpp> <gmock/gmock.h> <gtest/gtest.h>)
  # As programs are: what is compiled for a library is refused there.
  set_target_properties(edt_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(edt_test_headers PRIVATE -fPIE)
endif()
