#include "launcher/bench/comm_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "core/base/median.h"
#include "launcher/machine/measuring.h"
#include "parallel/comm/mpi/plain_collectives.h"

namespace edt {
namespace {

using Call = std::function<void()>;

struct Contest {
  Call ours, plain;
  double bus_factor;
};

struct Buffers {
  Tensor whole, part;
  std::vector<std::int64_t> bounds;
};

Contest contest_of(const std::string& collective, const Buffers& buffers, Communicator& ranks,
                   PlainCollectives* plain) {
  const double n = ranks.size();
  const std::string_view label = "bench";
  if (collective == "all_reduce") {
    return {[&] { ranks.all_reduce(buffers.whole, Reduce::kSum, label); },
            [&buffers, plain] { plain->all_reduce(buffers.whole); }, 2 * (n - 1) / n};
  }
  if (collective == "reduce_scatter") {
    return {[&] {
              // What training uses; other types take the general form.
              if (buffers.whole.dtype == DType::kFloat32) {
                ranks.reduce_scatter_parts(buffers.whole, buffers.bounds, Wire::kExact, label);
              } else {
                ranks.reduce_scatter(buffers.whole, buffers.part, Reduce::kSum, label);
              }
            },
            [&buffers, plain] { plain->reduce_scatter(buffers.whole, buffers.part); }, (n - 1) / n};
  }
  if (collective == "all_gather") {
    return {[&] { ranks.all_gather_parts(buffers.whole, buffers.bounds, label); },
            [&buffers, plain] { plain->all_gather(buffers.whole); }, (n - 1) / n};
  }
  if (collective == "broadcast") {
    return {[&] { ranks.broadcast(buffers.whole, 0, label); },
            [&buffers, plain] { plain->broadcast(buffers.whole); }, 1};
  }
  EDT_ASSERT(collective == "barrier");
  return {[&] { ranks.barrier(label); }, [plain] { plain->barrier(); }, 0};
}

// Seconds of one call on the slowest rank.
double time(const Call& call, int calls, Communicator& ranks) {
  ranks.barrier("bench: start together");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  const Seconds elapsed = std::chrono::steady_clock::now() - begin;
  return ranks.all_reduce_value(elapsed.count() / calls, Reduce::kMax, "bench: slowest rank");
}

CommTiming timing_of(const std::vector<double>& seconds) {
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  return {median(seconds), *fastest, *slowest};
}

CommBenchLine measure(const std::string& collective, const Buffers& buffers,
                      const CommBenchOptions& options, Communicator& ranks,
                      PlainCollectives* plain) {
  constexpr double kRoundSeconds = 0.02;
  constexpr int kMostCalls = 100;
  const Contest contest = contest_of(collective, buffers, ranks, plain);
  const double once = std::min(time(contest.ours, 1, ranks), time(contest.ours, 1, ranks));
  const int calls = std::clamp(static_cast<int>(kRoundSeconds / once), 1, kMostCalls);
  std::vector<double> ours, theirs, ratios;
  for (int round = 0; round <= options.rounds; ++round) {
    const double own = time(contest.ours, calls, ranks);
    const double other = plain ? time(contest.plain, calls, ranks) : own;
    if (round == 0) continue;  // warms up
    ours.push_back(own);
    theirs.push_back(other);
    ratios.push_back(other / own);
  }
  CommBenchLine line{collective,         collective == "barrier" ? 0 : buffers.whole.bytes(),
                     contest.bus_factor, timing_of(ours),
                     std::nullopt,       0};
  if (plain) {
    line.plain = timing_of(theirs);
    line.ratio = median(ratios);
  }
  return line;
}

}  // namespace

std::vector<CommBenchLine> run_comm_bench(const CommBenchOptions& options, Communicator& ranks,
                                          PlainCollectives* plain) {
  const auto width = static_cast<std::int64_t>(size_of(options.dtype));
  const std::int64_t largest = *std::max_element(options.sizes.begin(), options.sizes.end());
  const auto room = static_cast<std::size_t>(largest + width * ranks.size());
  std::vector<std::byte> whole(room), part(room);
  std::vector<CommBenchLine> lines;
  for (const std::string& collective : options.collectives) {
    for (const std::int64_t size : options.sizes) {
      // Every rank has a part of at least one element.
      const std::int64_t unit =
          (collective == "reduce_scatter" || collective == "all_gather") ? ranks.size() : 1;
      const std::int64_t elements = std::max<std::int64_t>(1, size / width / unit) * unit;
      Buffers buffers{{whole.data(), {elements}, options.dtype}, {}, {}};
      for (std::int64_t r = 0; r <= ranks.size(); ++r) {
        buffers.bounds.push_back(elements * r / ranks.size());
      }
      const auto own = static_cast<std::size_t>(ranks.rank());
      buffers.part = {part.data(), {buffers.bounds[own + 1] - buffers.bounds[own]}, options.dtype};
      lines.push_back(measure(collective, buffers, options, ranks, plain));
      if (collective == "barrier") break;
    }
  }
  return lines;
}

}  // namespace edt
