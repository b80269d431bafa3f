#include "model/plan/recording_communicator.h"

#include <cstdlib>

namespace edt {

void RecordingCommunicator::abort(int status) { std::exit(status); }

std::unique_ptr<Communicator> RecordingCommunicator::do_split(int, int, const Collective&) {
  return std::make_unique<RecordingCommunicator>(recorder_, group_, rank_, placement_);
}

std::unique_ptr<Communicator> RecordingCommunicator::do_neighbours(int count, const Collective&) {
  return std::make_unique<RecordingCommunicator>(
      recorder_, group_, rank_ % count,
      Placement{count, placement_.stride, count < placement_.ranks});
}

std::unique_ptr<Communicator> RecordingCommunicator::do_counterparts(int count, const Collective&) {
  return std::make_unique<RecordingCommunicator>(
      recorder_, group_, rank_ / count,
      Placement{placement_.ranks / count, placement_.stride * count});
}

void RecordingCommunicator::unplanned(const Collective& call) const {
  fail<NotImplemented>("plan", "a training step is not expected to call {} (\"{}\")",
                       call.operation, call.label);
}

}  // namespace edt
