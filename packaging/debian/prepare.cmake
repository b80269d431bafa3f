# What CPack runs over the installed files of its packages before it packs them: Debian's own files go in, and what
# Debian wants otherwise than `cmake --install` does.
cmake_policy(VERSION 3.25)
find_program(GZIP gzip REQUIRED)
find_program(GIT git)

# The date of the commit, so that packages of one commit are equal; without one, that of the standard variable.
set(commit "an unknown commit")
if(GIT)
  execute_process(COMMAND ${GIT} log -1 --date=rfc "--format=commit %h/%cd" WORKING_DIRECTORY ${CPACK_EDT_SOURCE}
    OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(head MATCHES "^(.*)/(.*)$")
  set(commit ${CMAKE_MATCH_1})
  set(date ${CMAKE_MATCH_2})
else()
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # SOURCE_DATE_EPOCH, or now
endif()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  set(docs ${root}/share/doc/${package})
  file(COPY ${CPACK_EDT_SOURCE}/packaging/debian/copyright DESTINATION ${docs})
  file(WRITE ${docs}/changelog "${package} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Built from ${commit}. CHANGELOG.md of the source says what is new.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  execute_process(COMMAND ${GZIP} -9n ${docs}/changelog COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB_RECURSE manuals ${root}/share/man/*.[1-9])
  foreach(manual IN LISTS manuals)
    execute_process(COMMAND ${GZIP} -9n ${manual} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  file(REMOVE ${docs}/LICENSE)  # Debian has a copy of it

  # Debian's libraries, and NVIDIA's, lie where the loader looks.
  file(GLOB_RECURSE programs ${root}/bin/* ${root}/lib/*.so)
  foreach(program IN LISTS programs)
    file(RPATH_REMOVE FILE ${program})
  endforeach()
endforeach()
