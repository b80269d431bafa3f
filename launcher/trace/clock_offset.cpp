#include "launcher/trace/clock_offset.h"

#include <array>
#include <limits>
#include <span>

#include "launcher/trace/trace_recorder.h"

namespace edt {
namespace {

constexpr int kRounds = 20;
constexpr std::string_view kLabel = "clock";

double time_now() { return static_cast<double>(TraceRecorder::now()); }  // exact for 104 days of ns

Tensor view(std::span<double> values) {
  return view_of(values, {static_cast<std::int64_t>(values.size())});
}

// On the first rank: {offset, accuracy} of `other`.
std::array<double, 2> compare_with(Communicator& ranks, int other) {
  std::array<double, 2> best{0, std::numeric_limits<double>::max()};
  for (int round = 0; round < kRounds; ++round) {
    double theirs = 0;
    const double begin = time_now();
    ranks.send(view({&theirs, 1}), other, kLabel);
    ranks.receive(view({&theirs, 1}), other, kLabel);
    const double end = time_now(), accuracy = (end - begin) / 2;
    if (accuracy < best[1]) best = {theirs - (begin + end) / 2, accuracy};
  }
  return best;
}

void answer(Communicator& ranks) {
  for (int round = 0; round < kRounds; ++round) {
    double time = 0;
    ranks.receive(view({&time, 1}), 0, kLabel);
    time = time_now();
    ranks.send(view({&time, 1}), 0, kLabel);
  }
}

}  // namespace

ClockOffset compare_clocks(Communicator& ranks) {
  std::array<double, 2> mine{};
  if (ranks.is_root()) {
    for (int other = 1; other < ranks.size(); ++other) {
      std::array<double, 2> theirs = compare_with(ranks, other);
      ranks.send(view(theirs), other, kLabel);
    }
  } else {
    answer(ranks);
    ranks.receive(view(mine), 0, kLabel);
  }
  double origin = time_now();
  ranks.broadcast(view({&origin, 1}), 0, kLabel);
  return {mine[0], mine[1], static_cast<std::int64_t>(origin)};
}

}  // namespace edt
