#include "launcher/encode/rank_progress.h"

#include <numeric>

namespace edt {

namespace {
constexpr double kInterval = 0.5;  // seconds
constexpr std::string_view kStop = "stop";
}  // namespace

RankProgress::RankProgress(Communicator& world, std::string_view label)
    : world_(world), of_rank_(static_cast<std::size_t>(world.size())), looked_(Clock::now()) {
  if (world.size() > 1) mailbox_ = world.mailbox(label);
}

std::uint64_t RankProgress::done() const {
  return std::accumulate(of_rank_.begin(), of_rank_.end(), own_);
}

void RankProgress::look() {
  if (!mailbox_ || seconds_since(looked_) < kInterval) return;
  looked_ = Clock::now();
  if (!world_.is_root() && own_ != sent_) {
    mailbox_->post(0, std::to_string(own_));
    sent_ = own_;
  }
  while (const auto letter = mailbox_->poll()) {
    if (letter->bytes == kStop) {
      stop_ = true;
    } else {
      of_rank_[static_cast<std::size_t>(letter->from)] = std::stoull(letter->bytes);
    }
  }
}

void RankProgress::request_stop() {
  if (stop_) return;
  stop_ = true;
  for (int rank = 0; mailbox_ && rank < world_.size(); ++rank) {
    if (rank != world_.rank()) mailbox_->post(rank, kStop);
  }
}

}  // namespace edt
