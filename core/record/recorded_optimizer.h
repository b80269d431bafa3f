// An optimizer that records the gradient it is given, before it takes its norm.
#pragma once

#include <memory>

#include "core/optim/optimizer.h"
#include "core/record/call_recorder.h"

namespace edt {

// `device`, in whose memory it works, and the recorder outlive it.
std::unique_ptr<Optimizer> make_recorded_optimizer(std::unique_ptr<Optimizer> optimizer,
                                                   Device& device, CallRecorder& recorder);

// Records the `pieces` that lie in `values`, which begin at offset `first`: a call of `kind` each.
void record_pieces(CallRecorder& recorder, CallKind kind, std::span<const OwnPiece> pieces,
                   Device& device, std::span<const float> values, std::int64_t first);

}  // namespace edt
