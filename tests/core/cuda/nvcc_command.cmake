# nvcc_command(KERNELS VARIABLE REPLACEMENT): the command in COMMANDS that compiles core/cuda/kernels/KERNELS.cu, without its
# result and with REPLACEMENT in place of -c; as a list.
function(nvcc_command kernels variable replacement)
  file(STRINGS ${COMMANDS} line REGEX "\"command\".*nvcc.* -c [^ ]*/core/cuda/kernels/${kernels}\\.cu ")
  if(NOT line MATCHES "^[^:]*: \"(.*)\",?$")
    message(FATAL_ERROR "${COMMANDS} has no command of nvcc for ${kernels}.cu")
  endif()
  string(REPLACE "\\\"" "\"" command "${CMAKE_MATCH_1}")  # as JSON has it
  string(REPLACE "\\\\" "\\" command "${command}")
  string(REGEX REPLACE " -o [^ ]*" "" command "${command}")
  string(REPLACE " -c " " ${replacement} " command "${command}")
  separate_arguments(command UNIX_COMMAND "${command}")
  set(${variable} "${command}" PARENT_SCOPE)
endfunction()
