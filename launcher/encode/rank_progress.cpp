#include "launcher/encode/rank_progress.h"

#include <numeric>

namespace edt {

namespace {
constexpr double kInterval = 0.5;  // seconds
constexpr std::string_view kStop = "stop";
}  // namespace

RankProgress::RankProgress(Communicator& world, std::string_view label)
    : world_(world), of_rank_(static_cast<std::size_t>(world.size())), looked_(Clock::now()) {
  if (world.size() > 1) side_channel_ = world.side_channel(label);
}

std::uint64_t RankProgress::done() const {
  return std::accumulate(of_rank_.begin(), of_rank_.end(), own_);
}

void RankProgress::look() {
  if (!side_channel_ || seconds_since(looked_) < kInterval) return;
  looked_ = Clock::now();
  if (!world_.is_root() && own_ != sent_) {
    side_channel_->post(0, std::to_string(own_));
    sent_ = own_;
  }
  while (const auto message = side_channel_->poll()) {
    if (message->bytes == kStop) {
      stop_ = true;
    } else {
      of_rank_[static_cast<std::size_t>(message->from)] = std::stoull(message->bytes);
    }
  }
}

void RankProgress::request_stop() {
  if (stop_) return;
  stop_ = true;
  for (int rank = 0; side_channel_ && rank < world_.size(); ++rank) {
    if (rank != world_.rank()) side_channel_->post(rank, kStop);
  }
}

}  // namespace edt
