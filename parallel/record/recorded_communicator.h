// A communicator that records what its collectives are given and what they give, in host memory.
#pragma once

#include <memory>

#include "core/record/call_recorder.h"
#include "parallel/comm/communicator.h"

namespace edt {

// kInMicroBatches: for ranks that pictures are sampled over, too, between steps.
enum class RecordedWhen { kAlways, kInMicroBatches };

// Over `ranks`, which it owns; so do all that are split from it. The recorder outlives them.
// Barriers, texts and messages between two ranks are passed on unrecorded.
std::unique_ptr<Communicator> make_recorded_communicator(std::unique_ptr<Communicator> ranks,
                                                         CallRecorder& recorder,
                                                         RecordedWhen when = RecordedWhen::kAlways);

}  // namespace edt
