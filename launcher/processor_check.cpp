// The program is compiled for x86-64-v3, its constructors too: a processor without AVX2 would end
// it by a signal before main(). This file is compiled for any x86-64, and runs before all
// constructors.
#include "launcher/exit_status.h"

#ifdef __x86_64__
#include <unistd.h>

namespace {

bool has_instructions() {
  __builtin_cpu_init();
#ifdef __clang__  // which knows no names of levels; processors with these have the rest
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma");
#else
  return __builtin_cpu_supports("x86-64-v3");
#endif
}

void check_processor(int, char**, char**) {
  if (has_instructions()) return;
  // No functions of headers: the linker may take their copies from files with other instructions.
  static constexpr char kText[] =
      "edt: error: [processor] this processor lacks instructions of x86-64-v3 (AVX2, FMA, BMI2), "
      "which edt needs\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(edt::kWrongUsage);
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const at_start)(int, char**,
                                                                     char**) = check_processor;

}  // namespace
#endif
