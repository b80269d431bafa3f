# Whether NVIDIA's compilers may fuse products and sums in kernels whose bits other kernels, or the host, have too. PTX says it
# without a GPU: a plain mul.f32 may become part of a multiply-add, now or in a driver's translation, mul.rn.f32 may not.
# Usage: cmake -DCOMMANDS=compile_commands.json -DWORK=folder -P roundings.cmake
include(${CMAKE_CURRENT_LIST_DIR}/nvcc_command.cmake)
file(MAKE_DIRECTORY ${WORK})
foreach(kernels gate norm gate_norm optimizer random)
  nvcc_command(${kernels} command "-ptx -arch=compute_80 -o ${WORK}/${kernels}.ptx")
  list(FILTER command EXCLUDE REGEX "^--generate-code=")
  execute_process(COMMAND ${command} WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
  file(STRINGS ${WORK}/${kernels}.ptx fusible REGEX "[ \t]mul\\.f(32|64)[ \t]")
  file(STRINGS ${WORK}/${kernels}.ptx products REGEX "[ \t]mul\\.rn\\.f(32|64)[ \t]")
  list(LENGTH fusible count)
  if(count OR NOT products)
    message(FATAL_ERROR "${kernels}.cu: ${count} products may be fused with sums")
  endif()
endforeach()
