// How long a fuzz test runs: EDT_FUZZ_ROUNDS makes it longer by hand.
#pragma once

#include <cstdlib>

namespace edt::test {

inline int fuzz_rounds(int usual) {
  const char* text = std::getenv("EDT_FUZZ_ROUNDS");
  return text == nullptr ? usual : std::atoi(text);
}

}  // namespace edt::test
