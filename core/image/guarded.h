// libjpeg and libpng are C: where they give up, they leave by longjmp.
#pragma once

#include <setjmp.h>

namespace edt::formats {

// False where `step` was left by longjmp(out). What it may leave must have no destructors.
template <class Step>
bool guarded(jmp_buf& out, Step step) {
  if (setjmp(out) != 0) return false;
  step();
  return true;
}

}  // namespace edt::formats
