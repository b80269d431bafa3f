#include "launcher/bench/ceiling_turns.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/median.h"

namespace edt {

CeilingTurns take_turns(const std::function<void()>& round, std::span<const ConvolutionCall> calls,
                        Backend& backend, DType dtype, double seconds) {
  constexpr std::size_t kLeast = 2;
  const auto ceiling = backend.convolution_ceiling(calls, dtype);
  if (ceiling) ceiling->run();
  std::vector<double> own, library;
  const auto begin = Clock::now();
  while (own.size() < kLeast || seconds_since(begin) < seconds) {
    own.push_back(backend.seconds_of(round));
    if (ceiling) library.push_back(ceiling->run());
  }
  CeilingTurns turns{.rounds = own.size(), .seconds = median(own)};
  turns.fastest_seconds = *std::ranges::min_element(own);
  if (ceiling) turns.ceiling_seconds = median(library);
  return turns;
}

}  // namespace edt
