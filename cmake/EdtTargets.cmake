# Two thirds of a small file's compile time is parsing headers: files of one folder are compiled together.
# edt_unity(TARGET [BATCH]): no more files at once than that, unless all are asked for.
function(edt_unity target)
  set(batch ${EDT_UNITY_BATCH})
  if(ARGN AND ARGN LESS batch)
    set(batch ${ARGN})
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${EDT_UNITY} UNITY_BUILD_BATCH_SIZE ${batch})
endfunction()

# edt_kernels_alone(SOURCE...): what the SIMD library compiles once for each instruction set includes itself.
function(edt_kernels_alone)
  foreach(source IN LISTS ARGN)
    file(STRINGS ${source} kernel LIMIT_COUNT 1 REGEX "HWY_TARGET_INCLUDE")
    if(kernel)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

# edt_library(NAME [NO_LOOPS] [BATCH n] [EXCLUDE file...] [DEPENDS target...] [PRIVATE_DEPENDS target...])
#   a static library of all *.cpp beside the calling CMakeLists.txt; NO_LOOPS: no numbers are computed in it, so that a
#   fifth of the compiler's time is saved with -O1; BATCH: so many at once, where more take longer than
#   scripts/compile-times.sh allows. Kernels for several instruction sets are compiled alone.
function(edt_library name)
  cmake_parse_arguments(ARG "NO_LOOPS" "BATCH" "EXCLUDE;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(TRANSFORM ARG_EXCLUDE PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM sources ${ARG_EXCLUDE})
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  if(sources)
    add_library(${name} STATIC ${sources} ${headers})
    target_link_libraries(${name} PUBLIC edt_flags ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
    edt_unity(${name} ${ARG_BATCH})
    edt_kernels_alone(${sources})
    if(ARG_NO_LOOPS)
      target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE edt_flags ${ARG_DEPENDS} ${ARG_PRIVATE_DEPENDS})
  endif()
endfunction()

# edt_labelled(TARGET LABEL...): the target edt_tests_LABEL builds this program, and tests/LABEL.txt in the build folder
#   names it: scripts/check.sh runs whole programs, which takes less time than a process for each test.
function(edt_labelled target)
  foreach(label IN LISTS ARGN)
    if(NOT TARGET edt_tests_${label})
      add_custom_target(edt_tests_${label})
      set_property(GLOBAL APPEND PROPERTY EDT_LABELS ${label})
    endif()
    add_dependencies(edt_tests_${label} ${target})
    set_property(GLOBAL APPEND PROPERTY EDT_PROGRAMS_${label} $<TARGET_FILE:${target}>)
  endforeach()
endfunction()
function(edt_write_label_files)
  get_property(labels GLOBAL PROPERTY EDT_LABELS)
  foreach(label IN LISTS labels)
    get_property(programs GLOBAL PROPERTY EDT_PROGRAMS_${label})
    list(JOIN programs "\n" programs)
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests/${label}.txt CONTENT "${programs}\n")
  endforeach()
endfunction()

# edt_test_code(TARGET)
#   Code of tests is compiled without optimization, in half the time or less; what it tests is optimized. Not under
#   sanitizers, with which it would run for too long.
function(edt_test_code target)
  edt_unity(${target})
  if(NOT EDT_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# edt_test(NAME [FILTER tests] [EXCLUDE file...] [LABELS label...] [ALSO label=regex...] [TIMEOUT seconds]
#          [DEPENDS target...] [SHARDS n])
#   one GoogleTest executable of all *.cpp beside the calling CMakeLists.txt, with these labels (unit
#   where none is named); tests whose name matches a regular expression of ALSO get that label besides.
#   A test that hangs ends after TIMEOUT, 120 s. For the preset `quick` the program also is one test, whole: one process
#   for a thousand cases. Tests with labels that `quick` leaves
#   out are not in it; their expressions then are parts of names, joined by |. With SHARDS the cases are no tests of their
#   own but n processes of them: for thousands of which each takes less time than a process.
function(edt_test name)
  cmake_parse_arguments(ARG "" "FILTER;TIMEOUT;SHARDS" "EXCLUDE;LABELS;ALSO;DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(TRANSFORM ARG_EXCLUDE PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM sources ${ARG_EXCLUDE})
  add_executable(${name} ${sources})
  edt_test_code(${name})
  target_link_libraries(${name} PRIVATE edt_flags ${ARG_DEPENDS} edt_test_support GTest::gmock GTest::gtest_main)
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  edt_labelled(${name} ${ARG_LABELS})
  list(GET ARG_LABELS 0 first)
  if(ARG_SHARDS)
    if(NOT ARG_FILTER)
      set(ARG_FILTER "*")
    endif()
    edt_shards(${name} ${ARG_SHARDS} COMMAND ${name} --gtest_brief=1 "--gtest_filter=${ARG_FILTER}" LABELS ${ARG_LABELS}
      PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_FILTER "${ARG_FILTER}"
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS ${first})
    edt_label_tests(${name} "${ARG_LABELS}" "${ARG_ALSO}")
  endif()
  edt_whole_test(${name} "${ARG_FILTER}" "${ARG_LABELS}" "${ARG_ALSO}")
endfunction()

# edt_shards(NAME n COMMAND command... LABELS label... PROPERTIES property value...)
#   n tests NAME.I, each a process with its part of the cases of a GoogleTest program.
function(edt_shards name shards)
  cmake_parse_arguments(ARG "" "" "COMMAND;LABELS;PROPERTIES" ${ARGN})
  math(EXPR last "${shards} - 1")
  foreach(shard RANGE ${last})
    add_test(NAME ${name}.${shard} COMMAND ${ARG_COMMAND})
    set_tests_properties(${name}.${shard} PROPERTIES ${ARG_PROPERTIES} LABELS "${ARG_LABELS}"
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()

# What the preset `quick` leaves out: ranks and other programs that run, and the emulated GPU.
set(EDT_LABELS_NOT_QUICK slow emulated cuda mpi fault slurm cli resume docs)

function(edt_whole_test name filter labels also)
  foreach(label IN LISTS labels)
    if(label IN_LIST EDT_LABELS_NOT_QUICK)
      return()
    endif()
  endforeach()
  if(NOT filter OR filter STREQUAL "*")
    set(filter "*-")
  endif()
  foreach(rule IN LISTS also)
    if(rule MATCHES "^([a-z]+)=(.+)$" AND CMAKE_MATCH_1 IN_LIST EDT_LABELS_NOT_QUICK)
      string(REPLACE "|" "*:*" pattern "${CMAKE_MATCH_2}")
      string(APPEND filter ":*${pattern}*")
    endif()
  endforeach()
  add_test(NAME whole.${name} COMMAND ${name} --gtest_brief=1 --gtest_filter=${filter})
  set_tests_properties(whole.${name} PROPERTIES LABELS whole TIMEOUT 300)
endfunction()

# Open MPI does not free all it loads; address sanitizers end a program with an error for that.
set(EDT_IGNORED_LEAKS ASAN_OPTIONS=path_list_append:detect_leaks=0)

# Further labels are set by a script that CTest runs after the tests are known: gtest_discover_tests keeps only the first
# of several. It lists no test whose name has square brackets, such as a shape: those have the first alone.
function(edt_label_tests name labels also)
  set(script "foreach(test IN LISTS ${name}_TESTS)\n  set(labels \"${labels}\")\n")
  foreach(rule IN LISTS also)
    string(REGEX MATCH "^([a-z]+)=(.+)$" matched "${rule}")
    string(APPEND script "  if(test MATCHES \"${CMAKE_MATCH_2}\")\n"
      "    list(APPEND labels ${CMAKE_MATCH_1})\n  endif()\n")
  endforeach()
  string(APPEND script "  set_tests_properties(\${test} PROPERTIES LABELS \"\${labels}\")\n"
    "  if(labels MATCHES mpi)\n    set_tests_properties(\${test} PROPERTIES ENVIRONMENT_MODIFICATION ${EDT_IGNORED_LEAKS})\n  endif()\nendforeach()\n")
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
  file(WRITE ${file} "${script}")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
endfunction()

# Tests that mostly wait for time-outs: one at a time, beside tests that compute, and from the start.
function(edt_waiting_tests)
  set_tests_properties(${ARGN} PROPERTIES RESOURCE_LOCK waiting COST 900)
endfunction()

# Tests may run as root in a container, and on fewer cores than ranks.
set(EDT_MPI_ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none)

cmake_host_system_information(RESULT EDT_CORES QUERY NUMBER_OF_LOGICAL_CORES)

# edt_mpi_command(NAME RANKS n COMMAND command...)
#   the command on n ranks, with the label mpi.
function(edt_mpi_command name)
  cmake_parse_arguments(ARG "" "RANKS" "COMMAND;LABELS" ${ARGN})
  # A test that asks CTest for more processors than its -j runs alone, when all others are done. Before all others: behind
  # them, one for a single core would take each place that becomes free, and these would be left for the end.
  set(processors ${ARG_RANKS})
  if(processors GREATER EDT_CORES)
    set(processors ${EDT_CORES})
  endif()
  add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ARG_RANKS} ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "mpi;${ARG_LABELS}" PROCESSORS ${processors} TIMEOUT 400 COST 1000
    ENVIRONMENT "${EDT_MPI_ENVIRONMENT};OMP_NUM_THREADS=1"
    ENVIRONMENT_MODIFICATION ${EDT_IGNORED_LEAKS})
endfunction()

# edt_mpi_test(NAME RANKS n... [DEPENDS target...])
#   one GoogleTest executable of all *.cpp beside the calling CMakeLists.txt, run on each of these numbers
#   of ranks; tests get their communicator from mpi_world.h. A failure on any rank fails the test.
function(edt_mpi_test name)
  cmake_parse_arguments(ARG "" "" "RANKS;DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  edt_test_code(${name})
  target_link_libraries(${name} PRIVATE edt_flags mpi_test_main ${ARG_DEPENDS} GTest::gmock)
  foreach(ranks IN LISTS ARG_RANKS)
    edt_mpi_command(${name}_${ranks} RANKS ${ranks} COMMAND $<TARGET_FILE:${name}>)
  endforeach()
endfunction()
