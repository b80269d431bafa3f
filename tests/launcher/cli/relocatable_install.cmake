# Installs the program, moves the tree and runs the program from its new place.
set(work ${BUILD_DIR}/relocatable_install)
file(REMOVE_RECURSE ${work})

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${work}/here)
file(RENAME ${work}/here ${work}/elsewhere)
set(program ${work}/elsewhere/${BIN_DIR}/edt)
run(${program} --version)
if(NOT output MATCHES "commit +[0-9a-z]+")
  message(FATAL_ERROR "edt --version says: ${output}")
endif()

foreach(file man/man1/edt.1 man/man1/edt-train.1 bash-completion/completions/edt zsh/site-functions/_edt)
  if(NOT EXISTS ${work}/elsewhere/share/${file})
    message(FATAL_ERROR "share/${file} is not installed")
  endif()
endforeach()

# No library is looked up in the build or source tree.
find_program(READELF readelf REQUIRED)
run(${READELF} -d ${program})
cmake_path(GET BUILD_DIR PARENT_PATH builds)
cmake_path(GET builds PARENT_PATH source)
if(output MATCHES "(RPATH|RUNPATH)[^\n]*(${BUILD_DIR}|${source})")
  message(FATAL_ERROR "the installed program looks for libraries in the build tree:\n${output}")
endif()
file(REMOVE_RECURSE ${work})
