// How far the ranks have come that share work without meeting: counts go to rank 0 beside the
// collectives, and a request to stop from one rank to all.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "parallel/comm/communicator.h"

namespace edt {

class RankProgress {
 public:
  // All ranks of `world` together, which outlives it.
  RankProgress(Communicator& world, std::string_view label);

  void add(std::uint64_t count) { own_ += count; }
  // On rank 0: of all ranks, as far as it has heard of them.
  std::uint64_t done() const;
  // Sends and takes what there is; seldom enough to cost nothing.
  void look();
  // All ranks are told, and see stop() soon.
  void request_stop();
  bool stop() const { return stop_; }

 private:
  Communicator& world_;
  std::unique_ptr<SideChannel> side_channel_;
  std::uint64_t own_ = 0, sent_ = 0;
  std::vector<std::uint64_t> of_rank_;  // on rank 0
  bool stop_ = false;
  Clock::time_point looked_;
};

}  // namespace edt
