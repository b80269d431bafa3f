// Assertions are for our own bugs, never for input. They stay on in release builds: the checks are
// cheap beside the kernels they guard.
#pragma once

namespace edt {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define EDT_ASSERT(expression) \
  ((expression) ? void(0) : ::edt::assertion_failed(#expression, __FILE__, __LINE__))
