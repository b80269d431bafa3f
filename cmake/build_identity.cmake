# What tells one build from another, written at each build: cmake -DSOURCE=... -DOUT=... -DVERSION=... -DGIT=... -DTOOLS=... -P
# The commit has "-dirty" where what the program is built from differs from it. The interface is a checksum over
# the headers that plugins share with the program.
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} rev-parse --short=12 HEAD
    WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  execute_process(COMMAND ${GIT} rev-parse --show-prefix
    WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed AND NOT prefix)  # or the commit is that of a repository which this tree lies in
    set(commit ${head})
    # Not data/ as a whole: users put data sets there.
    execute_process(COMMAND ${GIT} status --porcelain -- CMakeLists.txt cmake core parallel model launcher
        data/CMakeLists.txt data/*.cpp data/*.h
      WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      string(APPEND commit -dirty)
    endif()
  endif()
endif()

file(GLOB_RECURSE headers RELATIVE ${SOURCE} ${SOURCE}/core/*.h ${SOURCE}/parallel/*.h)
list(SORT headers)
set(sums "")
foreach(header IN LISTS headers)
  file(MD5 ${SOURCE}/${header} sum)
  string(APPEND sums "${header} ${sum}\n")
endforeach()
string(MD5 interface "${sums}")
string(SUBSTRING ${interface} 0 12 interface)

set(text "// Written at each build by cmake/build_identity.cmake.
#pragma once

#define EDT_COMMIT \"${commit}\"
#define EDT_BUILD_IDENTITY \"${VERSION} (commit ${commit}, interface ${interface}, ${TOOLS})\"
")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT "${before}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
