# Installs the program, moves the tree and runs the program from its new place.
set(work ${BUILD_DIR}/relocatable_install)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(status)
    message(FATAL_ERROR "${ARGN}: status ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${work}/here)
file(RENAME ${work}/here ${work}/elsewhere)
set(program ${work}/elsewhere/${BIN_DIR}/edt)
run(${program} --version)
if(NOT output MATCHES "commit +[0-9a-z]+")
  message(FATAL_ERROR "edt --version says: ${output}")
endif()

# No library is looked up in the build or source tree.
find_program(READELF readelf REQUIRED)
run(${READELF} -d ${program})
cmake_path(GET BUILD_DIR PARENT_PATH builds)
cmake_path(GET builds PARENT_PATH source)
if(output MATCHES "(RPATH|RUNPATH)[^\n]*(${BUILD_DIR}|${source})")
  message(FATAL_ERROR "the installed program looks for libraries in the build tree:\n${output}")
endif()
file(REMOVE_RECURSE ${work})
