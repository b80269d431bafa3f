#include "launcher/error_agreement.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "core/base/clock.h"
#include "core/base/exit_deadline.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/storage/partial_file.h"

namespace edt {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankError, rank, name, what, status)

namespace {

// The first character of a message says what it is.
constexpr char kError = 'e', kWaits = 'w', kQuestion = 'q';

}  // namespace

std::string error_line(const std::vector<RankError>& errors, int ranks) {
  const RankError& first = errors.front();
  const auto same = std::ranges::count(errors, first.what, &RankError::what);
  const auto others = std::ssize(errors) - same;
  std::string line = "edt: error: ";
  if (same < ranks) line += first.name + ": ";
  line += first.what;
  if (1 < same && same < ranks) line += fmt::format("; the same on {} ranks in all", same);
  if (others > 0) line += fmt::format("; other errors on {}", others);
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

ErrorAgreement::ErrorAgreement(Communicator& world, std::ostream& out)
    : world_(world), out_(out), side_channel_(world.side_channel("errors")) {}

void ErrorAgreement::look() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  read_messages();
  if (!asked_) return;
  if (!world_.is_root()) return side_channel_->post(0, std::string(1, kWaits));
  ++waits_[0];
  if (is_settled()) speak();
}

// Elsewhere than on rank 0 the job ends while this loop waits for that.
void ErrorAgreement::end(std::string_view what, int status, Seconds grace) {
  const RankError own{world_.rank(), world_.name(), std::string(what), status};
  // Where messages stand still, what is known here has to do.
  std::optional<ExitDeadline> deadline(std::in_place, 2 * grace, status,
                                       error_line({own}, world_.size()));
  const std::lock_guard lock(mutex_);
  if (!world_.is_root()) side_channel_->post(0, kError + dump_json(nlohmann::json(own)));
  note(own);
  const auto begin = Clock::now();
  while (!(world_.is_root() && is_settled()) && seconds_since(begin) < grace.count()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    read_messages();
  }
  deadline.reset();
  speak();
}

void ErrorAgreement::read_messages() {
  while (const auto message = side_channel_->poll()) {
    if (message->bytes[0] == kQuestion) asked_ = true;
    if (message->bytes[0] == kWaits) ++waits_[message->from];
    if (message->bytes[0] != kError) continue;
    note(parse_json(message->bytes.substr(1), "error of a rank").get<RankError>());
  }
}

void ErrorAgreement::note(const RankError& error) {
  errors_.push_back(error);
  std::ranges::sort(errors_, {}, &RankError::rank);
  waits_.clear();
  if (!world_.is_root() || std::exchange(asked_, true)) return;
  for (int rank = 1; rank < world_.size(); ++rank)
    side_channel_->post(rank, std::string(1, kQuestion));
}

// Every rank has failed, or has waited in vain since the last error was heard of: several times, as
// what it waits for may have been on its way.
bool ErrorAgreement::is_settled() {
  constexpr int kInVain = 3;
  for (int rank = 0; rank < world_.size(); ++rank) {
    const bool fails = std::ranges::find(errors_, rank, &RankError::rank) != errors_.end();
    if (!fails && waits_[rank] < kInVain) return false;
  }
  return true;
}

void ErrorAgreement::speak() {
  log::flush();
  remove_partial_files();  // nothing is unwound where others have failed
  out_.clear();            // it may take this line, after some that it did not
  out_ << error_line(errors_, world_.size()) + '\n' << std::flush;
  world_.abort(errors_.front().status);
  std::abort();  // GCC does not see that a virtual function never returns
}

}  // namespace edt
