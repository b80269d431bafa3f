#include "launcher/train/requests.h"

namespace edt {
namespace {

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

}  // namespace

RunRequests::RunRequests(const RunDirectory& directory, Communicator& ranks,
                         const StopSignals& signals)
    : directory_(directory), ranks_(ranks), signals_(signals) {}

Request RunRequests::agree() const {
  Request mine = signals_.stop_requested() ? Request::kStop : Request::kNone;
  if (ranks_.is_root()) {  // one rank looks at the file system for all
    if (mine == Request::kNone && is_there(directory_.save_switch())) mine = Request::kSave;
    if (is_there(directory_.stop_switch())) mine = Request::kHold;
  }
  return static_cast<Request>(
      ranks_.all_reduce_value(static_cast<std::int32_t>(mine), Reduce::kMax, "requests"));
}

std::string RunRequests::signal_name() const {
  return ranks_.first_of_all(signals_.signal_name(), "stop signal");
}

void RunRequests::saved() const {
  std::error_code ignored;  // it would be saved again after the next step
  std::filesystem::remove(directory_.save_switch(), ignored);
}

}  // namespace edt
