# A processor that lacks what the program is compiled for gets one line and status 2; one that has it runs.
find_program(QEMU qemu-x86_64)
if(NOT QEMU)
  message("SKIPPED: no qemu-x86_64 (Debian: qemu-user)")
  return()
endif()
foreach(processor Nehalem SandyBridge)
  execute_process(COMMAND ${QEMU} -cpu ${processor} ${PROGRAM} --version
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE error)
  # What the emulator says about itself stands before.
  if(NOT status EQUAL 2 OR NOT error MATCHES "(^|\n)edt: error: \\[processor\\] this processor lacks [^\n]*AVX2[^\n]*\n$")
    message(FATAL_ERROR "edt --version on ${processor}: status ${status}\n${output}\n${error}")
  endif()
endforeach()
