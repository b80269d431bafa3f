# Whether products of warpgroups run beside other work, as they are written: NVIDIA's assembler says where it puts registers
# aside in memory, and where it makes products wait for each other. Another CUDA may do so where this one does not.
# Usage: cmake -DCOMMANDS=compile_commands.json -DWORK=folder -P warpgroup_registers.cmake
include(${CMAKE_CURRENT_LIST_DIR}/nvcc_command.cmake)
file(MAKE_DIRECTORY ${WORK})
foreach(kernels attention_warpgroup attention_warpgroup_backward)
  nvcc_command(hopper/${kernels} command "-cubin -Xptxas -v -o ${WORK}/${kernels}.cubin")
  execute_process(COMMAND ${command} WORKING_DIRECTORY ${WORK} ERROR_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said MATCHES "Used [0-9]+ registers")
    message(FATAL_ERROR "${kernels}.cu: nothing is said of registers\n${said}")
  endif()
  if(said MATCHES "[^0-9][1-9][0-9]* bytes spill|serialized|C75[0-9][0-9]")
    message(FATAL_ERROR "${kernels}.cu: registers are spilled, or products serialized\n${said}")
  endif()
endforeach()
